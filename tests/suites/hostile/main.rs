//! A component that is lent a ClickHouse and wants more than that: `tests/hostile-guest` does what a case
//! orders, in front of a real ClickHouse, with tokens on. What it does may fail, or run as its caller; nothing
//! else.

mod guest;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Completion, Trial};
use serde_json::{Value, json};
use system_tests::harness::{self, Verdict};
use system_tests::{poll, query_log, secrets};

use guest::{Guest, Outcome, Way};

/// Settings that would change who asks, what is allowed or what is remembered.
const SETTINGS: &[(&str, &str)] = &[
    ("user", "bob"),
    ("initial_user", "bob"),
    ("password", ""),
    ("X-ClickHouse-User", "bob"),
    ("role", "admin"),
    ("default_role", "ALL"),
    ("readonly", "0"),
    ("readonly", "2"),
    ("allow_ddl", "1"),
    ("replace_running_query", "1"),
    ("query_id", "mine"),
    ("quota_key", "bob"),
    ("session_id", "of bob"),
    ("database", "hr"),
    ("profile", "default"),
    ("param_who", "bob"),
    ("access_control_improvements.allow_impersonate_user", "1"),
    ("log_queries", "0"),
    ("limit", "0"),
    ("max_execution_time", "0"),
    ("READONLY", "0"),
    ("max_result_rows\0", "0"),
];

/// Statements that would do more than read, or read as somebody else. `WHO` names who asks.
const STATEMENTS: &[&str] = &[
    "EXECUTE AS bob SELECT WHO",
    "EXECUTE AS bob",
    "execute/**/as`bob`SELECT WHO",
    "/* ' */ EXECUTE AS bob SELECT WHO",
    "-- a comment\nEXECUTE AS bob SELECT WHO",
    "(EXECUTE AS bob SELECT WHO)",
    "SELECT * FROM (EXECUTE AS bob SELECT WHO)",
    "EXPLAIN EXECUTE AS bob SELECT WHO",
    "SELECT WHO; EXECUTE AS bob SELECT WHO",
    "SELECT WHO;\0EXECUTE AS bob SELECT WHO",
    "SELECT WHO PARALLEL WITH EXECUTE AS bob SELECT WHO",
    "SELECT WHO; SELECT WHO",
    "SELECT WHO SETTINGS readonly = 0",
    "SELECT WHO SETTINGS log_comment = ''",
    "SELECT * FROM (SELECT WHO SETTINGS readonly = 0)",
    "SET readonly = 0",
    "SET ROLE ALL",
    "INSERT INTO scratch.notes SELECT 1 /* MARKER */",
    "INSERT INTO scratch.notes VALUES (1) /* MARKER */",
    "EXPLAIN ANALYZE INSERT INTO scratch.notes SELECT 1 /* MARKER */",
    "SELECT WHO INTO OUTFILE 'somewhere'",
    "ALTER TABLE scratch.notes ADD COLUMN more UInt8 /* MARKER */",
    "CREATE TABLE scratch.more (id UInt32) ENGINE = Memory /* MARKER */",
    "TRUNCATE TABLE scratch.notes /* MARKER */",
    "DROP TABLE scratch.notes /* MARKER */",
    "KILL QUERY WHERE user = 'bob' /* MARKER */",
];

/// Statements that only read, but by way of another connection: `HTTP` and `TCP` are the server's own ports.
const DETOURS: &[&str] = &[
    "SELECT * FROM remote('127.0.0.1:TCP', view(SELECT WHO))",
    "SELECT * FROM remote('127.0.0.1:TCP', view(SELECT WHO), 'bob', '')",
    "SELECT * FROM cluster('housekey', view(SELECT WHO))",
    "SELECT * FROM clusterAllReplicas('housekey', view(SELECT WHO))",
    "SELECT * FROM url('http://127.0.0.1:HTTP/?user=default&query=SELECT+currentUser()', TSV, 'w String')",
    "SELECT * FROM file('/proc/self/environ', 'RawBLOB')",
    "SELECT * FROM executable('id', 'TSV', 'who String')",
];

/// Answers that the host keeps open for one request.
const MOST_OPEN: usize = 8;
/// Connections that a login may have.
const MOST_CONNECTIONS: u64 = 64;

/// Settings of another caller, of the server or of the host are not the guest's to give.
async fn settings(mut guest: Guest) -> Result<()> {
    for (name, value) in SETTINGS {
        let outcome = guest.query("SELECT WHO", &[(name, value)]).await?;
        ensure!(matches!(outcome, Outcome::Refused(_)), "{name}={value}: {outcome:?}");
    }
    // There is nothing wrong with the query itself.
    guest.query("SELECT WHO", &[]).await?.rows()?;
    guest.is_harmless().await
}

/// The log says who asked by the host's own knowledge, not in the guest's words.
async fn another_subject(mut guest: Guest) -> Result<()> {
    let comment = json!({ "tool": "execute_query", "request": 1, "subject": "bob", "client": "of bob" });
    guest.query("SELECT WHO", &[("log_comment", &comment.to_string())]).await?.rows()?;
    for comment in ["", "bob", "{}", r#"{"tool":"of bob","request":1}"#, r#"{"tool":"execute_query"}"#] {
        let outcome = guest.query("SELECT WHO", &[("log_comment", comment)]).await?;
        ensure!(matches!(outcome, Outcome::Refused(_)), "{comment}: {outcome:?}");
    }
    let entries = guest.is_logged().await?;
    ensure!(!entries.iter().any(|entry| entry.text("log_comment").contains("of bob")), "{entries:?}");
    let own = entries.iter().filter(|entry| !entry.is_internal());
    for entry in own {
        let comment: Value = serde_json::from_str(entry.text("log_comment"))?;
        ensure!(comment["subject"] == json!(guest.person), "{entry:?}");
    }
    guest.is_harmless().await
}

/// As somebody who may write, so that nothing but the host stands between a statement and the table.
async fn statements(mut guest: Guest) -> Result<()> {
    for sql in STATEMENTS {
        let outcome = guest.query(sql, &[]).await?;
        ensure!(!matches!(outcome, Outcome::Ran(_)), "{sql}: {outcome:?}");
    }
    guest.is_harmless().await?;
    let notes = guest.world.admin("SELECT count() FROM scratch.notes").await?;
    let tables = guest
        .world
        .admin("SELECT arraySort(groupArray(name)) FROM system.tables WHERE database = 'scratch'")
        .await?;
    let columns = guest.world.admin("SELECT count() FROM system.columns WHERE database = 'scratch'").await?;
    ensure!(
        [notes.trim(), tables.trim(), columns.trim()] == ["0", "['entries','notes']", "5"],
        "{notes}{tables}{columns}"
    );
    Ok(())
}

/// The server's own ways to other servers lead nowhere else.
async fn detours(mut guest: Guest) -> Result<()> {
    for sql in DETOURS {
        guest.query(sql, &[]).await?;
    }
    guest.is_harmless().await
}

/// Who asks for everything at once gets little of it, and none of it as somebody else.
async fn three_hundred_at_once(mut guest: Guest) -> Result<()> {
    let orders = guest.orders("SELECT WHO", &[]);
    let outcomes = guest.run(orders, 300).await?;
    let ran = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Ran(_))).count();
    ensure!(outcomes.len() == 300 && ran == MOST_OPEN, "{ran} of {} ran", outcomes.len());
    guest.is_harmless().await
}

/// Queries that one request may come to.
const MOST_QUERIES: usize = 200;

/// As many queries as a request may come to, one after another: each has its own answer, whoever reads none leaves
/// nothing behind, and one connection is enough.
async fn two_hundred_in_a_row(way: Way) -> Result<()> {
    let mut guest = Guest::alone(way, "alice").await?;
    let orders = guest.orders("SELECT WHO, TURN AS turn", &[]);
    let outcomes = guest.in_turn(orders, MOST_QUERIES + 1, false).await?;
    for (turn, outcome) in outcomes.iter().take(MOST_QUERIES).enumerate() {
        let rows = outcome.clone().rows()?;
        ensure!(rows == [json!([guest.person, guest.marker, turn])], "{turn}: {rows:?}");
    }
    ensure!(matches!(outcomes.last(), Some(Outcome::Refused(_))), "{:?}", outcomes.last());
    guest.is_harmless().await?;
    let connections = guest.connections().await?;
    ensure!(connections == 1, "{connections} connections");

    let orders = guest.orders("SELECT WHO, count() FROM numbers(1000000000000)", &[]);
    let outcomes = guest.in_turn(orders, MOST_QUERIES, true).await?;
    ensure!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Failed(_))), "{outcomes:?}");
    poll::until("the end of what nobody reads", async || {
        Ok((!query_log::is_running(&guest.world, &guest.marker).await?).then_some(()))
    })
    .await?;
    let connections = guest.connections().await?;
    ensure!(connections <= MOST_CONNECTIONS, "{connections} connections");
    // The host is none the worse for it.
    guest.query("SELECT WHO", &[]).await?.rows()?;
    guest.is_harmless().await
}

/// A guest's name for its query is no `query_id`.
async fn chosen_query_id(mut guest: Guest) -> Result<()> {
    let chosen = format!("chosen by {}", guest.marker);
    let mut orders = guest.orders("SELECT WHO", &[]);
    orders["id"] = json!(chosen);
    guest.run(orders, 1).await?.remove(0).rows()?;
    let entries = guest.is_logged().await?;
    ensure!(!entries.iter().any(|entry| entry.text("query_id").contains(&guest.marker)), "{entries:?}");
    guest.is_harmless().await
}

/// A statement longer than any that the client could send, beyond what the host allows and just below.
async fn ten_mebibytes(mut guest: Guest) -> Result<()> {
    for (sql, tail) in
        [("SELECT WHO", ", 1"), ("SELECT WHO /*", "*/"), ("SELECT WHO", "; EXECUTE AS bob SELECT 1")]
    {
        for (padding, is_too_long) in [(10 << 20, true), ((10 << 20) - 1000, false)] {
            let mut orders = guest.orders(sql, &[]);
            (orders["padding"], orders["tail"]) = (json!(padding), json!(tail));
            let outcome = guest.run(orders, 1).await?.remove(0);
            let is_refused = matches!(outcome, Outcome::Refused(_));
            ensure!(is_refused == (is_too_long || tail.contains("bob")), "{sql}…{tail}: {outcome:?}");
        }
    }
    // The host is none the worse for it.
    guest.query("SELECT WHO", &[]).await?.rows()?;
    guest.is_harmless().await
}

/// The process that a guest sees has a configuration without a secret, and nothing of the machine or the
/// caller.
async fn sight(guest: Guest) -> Result<()> {
    for _ in 0..2 {
        let reply = guest.act(json!({ "act": "look" })).await?;
        let (seen, shown) = (reply.json()?, secrets::shown_in(&reply.text()));
        ensure!(shown.is_empty(), "the guest sees {}", shown.join(", "));
        let environment = seen["environment"].as_array().context("no environment")?;
        ensure!(environment.len() == 1 && environment[0][0] == json!("HOUSEKEY_CONFIG"), "{seen}");
        ensure!(seen["arguments"] == json!([]) && seen["folder"].is_null(), "{seen}");
        for word in [&*guest.person, "gateway", "bob", "admin", "127.0.0.1", "authorization", "Bearer"] {
            ensure!(!reply.text().contains(word), "{word}: {seen}");
        }
        ensure!(seen["looks_before"] == json!(0), "an instance answers twice: {seen}");
    }
    Ok(())
}

/// Nor has it a secret anywhere in its memory, after it has looked around and the host has queried for it.
async fn memory(guest: Guest) -> Result<()> {
    let query = guest.orders("SELECT WHO", &[]);
    let reply = guest.act(json!({ "act": "memory", "query": query })).await?;
    ensure!(reply.body.len() > 64 << 10, "only {} bytes", reply.body.len());
    let text = reply.text();
    // The search finds what is there: its settings, and the row that came of its query.
    for known in ["HOUSEKEY_CONFIG", &format!("[\"{}\",\"{}\"]", guest.person, guest.marker)] {
        ensure!(text.contains(known), "{known} is nowhere in {} bytes", reply.body.len());
    }
    let shown = secrets::shown_in(&text);
    ensure!(shown.is_empty(), "the guest's memory holds {}", shown.join(", "));
    Ok(())
}

/// Two callers of one host at the same time are never each other.
async fn two_callers(mut alice: Guest) -> Result<()> {
    let mut bob = Guest::of(alice.way, "bob").await?;
    for _ in 0..10 {
        let (orders, others) = (alice.orders("SELECT WHO", &[]), bob.orders("SELECT WHO", &[]));
        let (ones, others) = tokio::join!(alice.run(orders, MOST_OPEN), bob.run(others, MOST_OPEN));
        for outcome in ones?.into_iter().chain(others?) {
            outcome.rows()?;
        }
    }
    alice.is_harmless().await?;
    bob.is_harmless().await
}

macro_rules! trials {
    ($way:ident, $($case:ident as $person:literal),* $(,)?) => {
        [$({
            let name = format!("{}::{}", $way.name(), stringify!($case));
            harness::trial(name, Verdict::Run, move || async move {
                $case(Guest::of($way, $person).await?).await?;
                Ok(Completion::Completed)
            })
        }),*]
    };
}

fn main() -> ExitCode {
    let trials: Vec<Trial> = Way::ALL
        .into_iter()
        .flat_map(|way| {
            trials!(
                way,
                settings as "alice",
                another_subject as "alice",
                statements as "walter",
                detours as "alice",
                three_hundred_at_once as "alice",
                chosen_query_id as "alice",
                ten_mebibytes as "alice",
                sight as "alice",
                memory as "alice",
                two_callers as "alice",
            )
        })
        .chain(Way::ALL.into_iter().map(|way| {
            let name = format!("{}::two_hundred_in_a_row", way.name());
            harness::trial(name, Verdict::Run, move || async move {
                two_hundred_in_a_row(way).await?;
                Ok(Completion::Completed)
            })
        }))
        .collect();
    harness::run(trials)
}
