//! Generated names and statements under `EXECUTE AS`: nothing ever runs as anybody but the user who was named.

use anyhow::{Context, Result, bail, ensure};
use housekey_core::sql::{DenyList, ImpersonatedUser, Inner, ReadOnlySql, Rules, execute_as};

use super::attempts::{as_gateway, named};
use super::send::{Answer, http};
use super::world::world;

/// Cases in each part.
const MANY: usize = 1000;

/// Numbers that are the same in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit.max(1)
    }

    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).copied()
    }
}

/// What breaks careless quoting.
const PIECES: [&str; 44] = [
    "u",
    "a",
    "b",
    "ua",
    "ub",
    "'",
    "''",
    "\\",
    "\\\\",
    "\\'",
    "`",
    "``",
    "\"",
    "\\x61",
    "\\0",
    "\\n",
    "\\N",
    "@",
    "@'%'",
    "@ub",
    " ",
    "--",
    "-- ",
    "/*",
    "*/",
    "#",
    ";",
    "$$",
    "$a$",
    "{u:String}",
    "{",
    "}",
    ":",
    "(",
    ")",
    "é",
    "’",
    "‘",
    "“",
    "”",
    "SELECT",
    "EXECUTE AS ub",
    "default",
    "\u{200b}",
];

/// Names of pieces. Each that passes our check is the server's user of exactly that name, or nobody.
pub(crate) async fn identities(part: u64) -> Result<()> {
    let world = world().await?;
    let deny = DenyList::new("gateway", &[], &[]);
    let mut numbers = Numbers::new(part + 1);
    let sql = ReadOnlySql::parse("SELECT currentUser()", &Rules::internal())?;
    let (mut ran, mut unknown) = (0, 0);
    while ran + unknown < MANY {
        let name: String = (0..=numbers.below(5)).filter_map(|_| numbers.pick(&PIECES)).collect();
        let Ok(user) = ImpersonatedUser::parse(&name, &deny) else { continue };
        let inner = Inner { readonly: numbers.below(2) == 0, limit: None };
        match as_gateway(&world, &execute_as(&sql, &user, inner)).await? {
            Answer::Rows(rows) => {
                ensure!(rows.trim_end_matches('\n') == name, "{name:?} became {rows:?}");
                ran += 1;
            }
            Answer::Refused(192, message) => {
                ensure!(named(&message)? == name, "{name:?} was taken for {message:?}");
                unknown += 1;
            }
            other @ (Answer::Refused(..) | Answer::Broken(_)) => bail!("{name:?}: {other:?}"),
        }
    }
    ensure!(ran > 5 && unknown > MANY / 2, "{ran} ran, {unknown} unknown");
    Ok(())
}

/// Statements of words that could change who acts, in the name of alice. The server's own log tells who it was.
pub(crate) async fn statements(part: u64) -> Result<()> {
    const WORDS: [&str; 52] = [
        "@",
        "@ub",
        "@'%'",
        "EXECUTE AS",
        "EXECUTE",
        "AS",
        "ub",
        "'ub'",
        "`ub`",
        "SELECT",
        "currentUser()",
        ",",
        "1",
        "FROM",
        "system.one",
        "(",
        ")",
        "UNION ALL",
        "WITH",
        "x",
        "SETTINGS",
        "readonly",
        "=",
        "0",
        "max_threads",
        "FORMAT",
        "TSV",
        "--",
        "\n",
        "/*",
        "*/",
        "#",
        "$$",
        "'",
        "\"",
        "`",
        "\\",
        ";",
        "PARALLEL WITH",
        "EXPLAIN",
        "AST",
        "SHOW",
        "TABLES",
        "DESCRIBE",
        "EXISTS",
        "LIMIT",
        "WHERE",
        "|>",
        "{u:String}",
        "\u{200b}",
        ".",
        "JOIN",
    ];
    let world = world().await?;
    let user = ImpersonatedUser::parse("alice", &DenyList::new("gateway", &[], &[]))?;
    let allowed = ["max_threads".to_owned()];
    let rules = Rules { allowed_settings: &allowed, ..Rules::internal() };
    let mark = format!("sql-suite-{:032x}", rand::random::<u128>());
    let mut numbers = Numbers::new(77 + part);
    let (mut sent, mut ran) = (0, 0);
    let mut tried = 0;
    while sent < MANY {
        tried += 1;
        ensure!(tried < MANY * 200, "only {sent} of {tried} statements were accepted");
        let mut text = numbers
            .pick(&["SELECT currentUser()", "(SELECT currentUser()", "SHOW TABLES", "WITH 1 AS x SELECT", ""])
            .unwrap_or_default()
            .to_owned();
        for _ in 0..numbers.below(7) {
            text.push_str(numbers.pick(&[" ", "", " "]).unwrap_or_default());
            text.push_str(numbers.pick(&WORDS).unwrap_or_default());
        }
        let Ok(sql) = ReadOnlySql::parse(&text, &rules) else { continue };
        sent += 1;
        let inner =
            Inner { readonly: numbers.below(2) == 0, limit: Some(3).filter(|_| numbers.below(2) == 0) };
        let wrapped = execute_as(&sql, &user, inner);
        let gateway = ("gateway", world.clickhouse.gateway_password());
        let answer = http(&world, gateway, &wrapped, &[("log_comment", &mark), ("param_u", "ub")]).await?;
        if let Answer::Rows(rows) = &answer {
            ran += 1;
            let other =
                rows.split(['\n', '\t']).find(|field| ["gateway", "default", "bob", "admin"].contains(field));
            ensure!(other.is_none(), "{wrapped:?} ran as {other:?}");
        }
        if let Answer::Refused(192, message) = &answer {
            bail!("{wrapped:?} was to run as somebody else: {message}");
        }
    }
    ensure!(ran > MANY / 20, "only {ran} statements ran");
    world.clickhouse.query("SYSTEM FLUSH LOGS").await.map_err(anyhow::Error::msg)?;
    let log = format!(
        "SELECT DISTINCT user, initial_user FROM system.query_log WHERE log_comment = '{mark}' AND is_internal = 1"
    );
    let users = world.clickhouse.query(&log).await.map_err(anyhow::Error::msg).context("the query log")?;
    ensure!(users.trim() == "alice\talice" || users.trim() == "\"alice\",\"alice\"", "who acted: {users}");
    Ok(())
}
