//! Attempts to get past the checks, by class. Each is refused by us, and changes nothing on the server when our checks
//! are left out: as alice, who may read, on every way; as somebody who may do everything, on the ways on which
//! `readonly` is the server's to hold.

use anyhow::{Result, ensure};
use housekey_core::sql::{ReadOnlySql, Rules, WritableSql, quote_literal};
use libtest_mimic::{Completion, Trial};
use system_tests::harness::{self, Verdict};

use super::send::{Answer, http, interserver};
use super::world::{MIGHTY, World, world};

const ATTEMPTS: &str = include_str!("../../../core/tests/data/sql/bypass.tsv");

/// What only bob may see, and the names of those whom alice must not become.
const NOT_FOR_ALICE: [&str; 3] = ["Olive & Sons", "Lagoon Hotels", "Citrus Works"];
const OTHERS: [&str; 6] = ["bob", "admin", "gateway", "default", MIGHTY, "ub"];

/// Attempts of one trial: each is sent seven times, and the whole state of the server looked at after it.
const OF_ONE_TRIAL: usize = 12;

/// Trials for each class.
pub(crate) fn trials() -> Vec<Trial> {
    // What the server itself does not hold: `sqlite` makes the file before it asks for the right to read it (code 497 or
    // 164 comes after), and `python` ends the process of the embedded server. Only our own refusal is shown of these.
    let mut classes: Vec<&str> =
        attempts().map(|(class, _)| class).filter(|class| *class != "ours_alone").collect();
    classes.dedup();
    let mut trials = Vec::new();
    for class in classes {
        let statements: Vec<String> = attempts().filter(|(of, _)| *of == class).map(|(_, sql)| sql).collect();
        for (part, statements) in statements.chunks(OF_ONE_TRIAL).enumerate() {
            let statements = statements.to_vec();
            let name = format!("bypass::{class}_{part}");
            trials.push(harness::trial(name, Verdict::Run, move || async move {
                harmless(class, statements).await?;
                Ok(Completion::Completed)
            }));
        }
    }
    trials.push(Trial::test("bypass::refused", || refused().map_err(|error| format!("{error:#}").into())));
    trials
}

fn attempts() -> impl Iterator<Item = (&'static str, String)> {
    ATTEMPTS.lines().skip(1).filter_map(|line| {
        let (class, statement) = line.split_once('\t')?;
        Some((class, unescape(statement)))
    })
}

/// The text of a field of a TSV file.
pub(crate) fn unescape(field: &str) -> String {
    let mut text = String::new();
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        let plain = match character {
            '\\' => characters.next().map(|escape| match escape {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'v' => '\u{b}',
                'f' => '\u{c}',
                '0' => '\0',
                other => other,
            }),
            other => Some(other),
        };
        text.extend(plain);
    }
    text
}

/// Our own layer, as strict as its defaults and as lenient as it gets for readers.
fn refused() -> Result<()> {
    let allowed = ["max_threads".to_owned()];
    let reads = Rules { allowed_settings: &allowed, ..Rules::internal() };
    let mut count = 0;
    for (class, sql) in attempts() {
        ensure!(ReadOnlySql::parse(&sql, &reads).is_err(), "{class}: a reader may run {sql:?}");
        // What writes and takes nothing away is what the other tool is for.
        if !matches!(class, "write" | "with") {
            ensure!(
                WritableSql::parse(&sql, &reads).is_err() || is_check(&sql),
                "{class}: a writer may run {sql:?}"
            );
        }
        count += 1;
    }
    ensure!(count >= 300, "{count} attempts");
    Ok(())
}

fn is_check(sql: &str) -> bool {
    sql.starts_with("CHECK ")
}

async fn harmless(class: &str, statements: Vec<String>) -> Result<()> {
    let world = world().await?;
    let before = world.fingerprint().await?;
    let settings = settings(&world).await?;
    for sql in statements {
        let sql = sql
            .replace("{http}", &world.clickhouse.http_port().to_string())
            .replace("{tcp}", &world.clickhouse.tcp_port().to_string());
        as_alice(&world, &sql).await?;
        // KILL and SYSTEM STOP are held by grants alone: the server lets a read-only query do both (measured on 26.9).
        if class != "grants_only" {
            as_mighty(&world, &sql).await?;
        }
        let after = world.fingerprint().await?;
        ensure!(after == before, "{sql:?} changed something:\n{before}\n{after}");
    }
    ensure!(self::settings(&world).await? == settings, "{class}: a later query has other settings");
    Ok(())
}

async fn as_alice(world: &World, sql: &str) -> Result<()> {
    let alice = quote_literal("alice");
    let gateway = ("gateway", world.clickhouse.gateway_password());
    let login = ("alice", world.clickhouse.alice_password());
    for (way, answer) in [
        ("EXECUTE AS", http(world, gateway, &format!("EXECUTE AS {alice} {sql}"), &[]).await?),
        (
            "EXECUTE AS, readonly inside",
            http(world, gateway, &format!("EXECUTE AS {alice} {sql}\nSETTINGS readonly=1"), &[]).await?,
        ),
        ("interserver", interserver(world, "alice", sql, &[("readonly", "1")]).await?),
        ("login", http(world, login, sql, &[("readonly", "1")]).await?),
        ("login, readonly=2", http(world, login, sql, &[("readonly", "2")]).await?),
    ] {
        let Answer::Rows(rows) = answer else { continue };
        for word in NOT_FOR_ALICE {
            ensure!(!rows.contains(word), "{way}: {sql:?} shows alice {word}");
        }
        for line in rows.lines() {
            let name = line.trim_matches(['[', ']', '"']);
            ensure!(!OTHERS.contains(&name), "{way}: {sql:?} made alice {name}");
        }
    }
    Ok(())
}

async fn as_mighty(world: &World, sql: &str) -> Result<()> {
    let login = (MIGHTY, world.password.as_str());
    let _ = http(world, login, sql, &[("readonly", "1")]).await?;
    let _ = interserver(world, MIGHTY, sql, &[("readonly", "1")]).await?;
    Ok(())
}

/// The settings of a query that follows, on each way.
async fn settings(world: &World) -> Result<Vec<Answer>> {
    const CHANGED: &str = "SELECT name, value FROM system.settings WHERE changed ORDER BY name";
    let gateway = ("gateway", world.clickhouse.gateway_password());
    let login = ("alice", world.clickhouse.alice_password());
    Ok(vec![
        http(world, gateway, &format!("EXECUTE AS 'alice' {CHANGED}"), &[]).await?,
        interserver(world, "alice", CHANGED, &[("readonly", "1")]).await?,
        http(world, login, CHANGED, &[("readonly", "1")]).await?,
    ])
}
