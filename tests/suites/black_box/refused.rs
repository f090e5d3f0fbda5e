//! Writes and other statements that are refused: by Housekey before they leave, by ClickHouse if they would.

use anyhow::{Result, ensure};
use serde_json::json;
use system_tests::cell::Cell;
use system_tests::query_log;
use system_tests::settings::Settings;

/// None of these reaches ClickHouse.
const REFUSED: &[&str] = &[
    "INSERT INTO scratch.notes VALUES (1)",
    "INSERT INTO scratch.notes SELECT 1",
    "insert into scratch.notes format TSV 1",
    "DROP TABLE scratch.notes",
    "ALTER TABLE scratch.notes DELETE WHERE 1",
    "TRUNCATE TABLE scratch.notes",
    "CREATE TABLE scratch.more (id UInt8) ENGINE = Memory",
    "WITH 1 AS x INSERT INTO scratch.notes SELECT x",
    "SELECT 1; DROP TABLE scratch.notes",
    "SELECT 1;;SELECT 2",
    "SET readonly = 0",
    "USE hr",
    "SET ROLE ALL",
    "BEGIN TRANSACTION",
    "KILL QUERY WHERE 1",
    "SYSTEM FLUSH LOGS",
    "GRANT SELECT ON *.* TO alice",
    "OPTIMIZE TABLE scratch.notes",
    "EXECUTE AS bob SELECT currentUser()",
    "execute/**/as bob SELECT currentUser()",
    "EXPLAIN EXECUTE AS bob SELECT 1",
    "EXPLAIN AST EXECUTE AS bob SELECT 1",
    "EXPLAIN INSERT INTO scratch.notes SELECT 1",
    "EXPLAIN PLAN INSERT INTO scratch.notes SELECT 1",
    "SELECT 1 INTO OUTFILE '/tmp/out'",
    "SELECT 1 FORMAT TSV INTO OUTFILE '/tmp/out'",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 FORMAT JSON SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_result_rows = 0, limit = 0",
    "SELECT * FROM (SELECT 1 SETTINGS readonly = 0)",
    "@'bob' SELECT 1",
    "@bob SELECT currentUser()",
    "SELECT 1 PARALLEL WITH INSERT INTO scratch.notes SELECT 1",
    "SELECT 1 PARALLEL WITH SELECT 2",
    "",
    "   \n\t",
    ";",
    "-- nothing",
    "/* nothing */",
    "/* nothing */ ; -- nothing",
    "#! nothing",
    "# nothing",
    "/* never closed",
    "SELECT 'never closed",
    "$$SELECT 1$$; INSERT INTO scratch.notes SELECT 1",
    "SELECT $a$ $a$; DROP TABLE scratch.notes --$a$",
    "SELECT 1 /* */ ; /* */ DROP TABLE scratch.notes",
    "SELECT '\\'; DROP TABLE scratch.notes --'; DROP TABLE scratch.notes",
    "(INSERT INTO scratch.notes SELECT 1)",
];

pub(crate) async fn by_housekey(cell: Cell) -> Result<()> {
    // Who may write is stopped as well as who may not.
    let mut client = cell.with_login("walter").await?;
    let mut ids = Vec::new();
    for sql in REFUSED {
        let answer = client.query(sql).await?;
        let text = answer.failure().map_err(|error| error.context(format!("not refused: {sql:?}")))?;
        ensure!(
            !text.is_empty() && !text.contains("Code"),
            "{sql:?} was refused by ClickHouse, not by us: {text}"
        );
        ids.push(format!("'{}'", answer.id));
    }
    let condition = format!("JSONExtractString(log_comment, 'request') IN ({})", ids.join(","));
    let sent = query_log::find(&cell.world, &condition).await?;
    ensure!(sent.is_empty(), "these were sent: {sent:?}");
    let rows = cell.world.admin("SELECT count() FROM scratch.notes").await?;
    ensure!(rows.trim() == "0", "{rows} rows have been written");
    Ok(())
}

pub(crate) async fn nothing_that_only_looks_like_a_write(cell: Cell) -> Result<()> {
    for mut client in [cell.as_person("alice").await?, cell.with_login("alice").await?] {
        for (sql, value) in [
            ("SELECT 'INSERT INTO t; DROP TABLE x' FORMAT Null", json!("INSERT INTO t; DROP TABLE x")),
            ("SELECT $$; DROP TABLE x$$", json!("; DROP TABLE x")),
            ("SELECT $a$ $$ ; $a$", json!(" $$ ; ")),
            ("/* INSERT */ SELECT 1 -- ; DROP", json!(1)),
            ("SELECT 1;", json!(1)),
            ("SELECT 1 ; -- done", json!(1)),
            ("SELECT 1 # done", json!(1)),
            ("(SELECT 1)", json!(1)),
            ("WITH 1 AS x SELECT x", json!(1)),
            ("FROM numbers(1) SELECT toUInt8(number)", json!(0)),
            ("SELECT `insert` FROM (SELECT 2 AS `insert`)", json!(2)),
            ("SELECT 'it''s', 1", json!("it's")),
            ("SELECT '\\\\' -- '", json!("\\")),
            ("SELECT '@bob'", json!("@bob")),
            ("EXISTS TABLE sales.orders", json!(1)),
        ] {
            let answer = client.query(sql).await?;
            let rows = answer.rows().map_err(|error| error.context(sql))?;
            ensure!(rows[0][0] == value, "{sql}: {rows}");
        }
        for sql in [
            "EXPLAIN SELECT 1",
            "EXPLAIN SYNTAX SELECT 1",
            "SHOW CREATE TABLE sales.orders",
            "DESC sales.orders",
        ] {
            let table = client.query(sql).await?.table().map_err(|error| error.context(sql))?;
            ensure!(table["count"].as_u64() > Some(0), "{sql}: {table}");
        }
    }
    Ok(())
}

/// Forms of a SELECT after which `SETTINGS readonly=1` has to be found by the server.
const FORMS: &[&str] = &[
    "SELECT getSetting('readonly')",
    "SELECT getSetting('readonly');",
    "(SELECT getSetting('readonly'))",
    "SELECT getSetting('readonly') UNION ALL SELECT getSetting('readonly')",
    "(SELECT getSetting('readonly')) UNION ALL (SELECT getSetting('readonly'))",
    "SELECT getSetting('readonly') -- to the end",
    "SELECT getSetting('readonly') # to the end",
    "SELECT getSetting('readonly') /* here */",
    "SELECT getSetting('readonly') FORMAT JSON",
    "WITH 1 AS x SELECT getSetting('readonly') WHERE x",
    "FROM numbers(1) SELECT getSetting('readonly')",
    "SELECT getSetting('readonly') FROM numbers(1) ORDER BY number LIMIT 1",
    "SELECT * FROM (SELECT getSetting('readonly'))",
];

async fn readonly_is(cell: &Cell, client: &mut system_tests::client::Client, levels: &[u8]) -> Result<()> {
    for sql in FORMS {
        let rows = client.query(sql).await?.rows().map_err(|error| error.context(*sql))?;
        let rows = rows.as_array().cloned().unwrap_or_default();
        let good = |row: &serde_json::Value| levels.iter().any(|level| row[0] == json!(level));
        ensure!(!rows.is_empty() && rows.iter().all(good), "{} {sql}: {rows:?}", cell.host);
    }
    Ok(())
}

pub(crate) async fn by_the_server_with_a_login(cell: Cell) -> Result<()> {
    readonly_is(&cell, &mut cell.with_login("walter").await?, &[1]).await?;
    readonly_is(&cell, &mut cell.with_login("rosa").await?, &[1]).await?;
    readonly_is(&cell, &mut cell.with_login("rick").await?, &[1, 2]).await
}

pub(crate) async fn by_the_server_behind_the_gateway(cell: Cell) -> Result<()> {
    readonly_is(&cell, &mut cell.as_person("walter").await?, &[1]).await?;
    readonly_is(&cell, &mut cell.as_person("rosa").await?, &[1]).await?;
    readonly_is(&cell, &mut cell.as_person("rick").await?, &[1, 2]).await
}

pub(crate) async fn settings_that_the_operator_allows(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?.with("TOOL_INPUT_SETTINGS", "max_threads,max_block_size");
    let alice = cell.token("alice")?;
    let login =
        cell.world.mint.token(json!({ "username": "walter", "password": cell.world.password("walter")? }))?;
    for token in [alice, login] {
        let mut client = cell.client(&settings, Some(&token)).await?;
        let answer = client
            .query("SELECT getSetting('max_threads'), getSetting('readonly') SETTINGS max_threads = 3")
            .await?;
        let rows = answer.rows()?;
        ensure!(rows == json!([[3, 1]]) || rows == json!([[3, 2]]), "set, and still held read-only: {rows}");
        let text = client.query("SELECT 1 SETTINGS max_threads = 3, readonly = 0").await?.failure()?;
        ensure!(text.contains("readonly"), "{text}");
    }
    Ok(())
}
