//! What a model is told when a query fails: enough to correct it, nothing of the machinery.

use anyhow::{Result, ensure};
use serde_json::json;
use system_tests::cell::Cell;
use system_tests::gate::Gate;
use system_tests::settings::Settings;

/// No error shows the server's address, the gateway's name, a version or a stack.
fn tells_nothing_of_the_machinery(text: &str) -> Result<()> {
    for word in
        ["127.0.0.1", "localhost", "gateway", "Stack trace", "stack trace", "version 26", "DB::Exception"]
    {
        ensure!(!text.contains(word), "{word:?} in: {text}");
    }
    Ok(())
}

pub(crate) async fn of_the_statement(cell: Cell) -> Result<()> {
    for mut client in [cell.as_person("alice").await?, cell.with_login("alice").await?] {
        for (sql, code, words) in [
            ("SELECT * FROM sales.nothing", "60", "UNKNOWN_TABLE"),
            ("SELECT 1 +", "62", "SYNTAX_ERROR"),
            ("SELECT 1 FORM numbers(1) a b", "62", "SYNTAX_ERROR"),
            ("(SELECT 1) UNION ALL (SELECT 1 +)", "62", "SYNTAX_ERROR"),
            ("SELECT nothing FROM sales.orders", "47", "nothing"),
            ("SELECT sumOf(1)", "46", "sumOf"),
            ("SELECT throwIf(1, 'said so')", "395", "said so"),
            ("SELECT * FROM hr.salaries", "497", "alice"),
        ] {
            let text = client.query(sql).await?.failure().map_err(|error| error.context(sql))?;
            ensure!(text.contains(&format!("Code {code}")) && text.contains(words), "{sql}: {text}");
            tells_nothing_of_the_machinery(&text)?;
            // What Housekey puts around the statement is not the model's to mend.
            ensure!(!text.contains("readonly") && !text.contains("EXECUTE AS"), "{sql}: {text}");
        }
        // The next query goes on as if nothing had been.
        ensure!(client.query("SELECT 1").await?.value()? == json!(1), "a failure has left something behind");
    }
    Ok(())
}

/// Positions are told as if the statement had been sent bare.
pub(crate) async fn of_syntax_behind_the_gateway(cell: Cell) -> Result<()> {
    let mut client = cell.as_person("alice").await?;
    for (sql, words) in [
        ("SELECT 1 +", "ends too early"),
        ("SELECT count() FROM sales.orders ORDER BY", "ends too early"),
        ("SELECT\n  1 AS a\nUNION ALL\nSELECT 2 FORM x y", "near \"x y\""),
        ("(\nSELECT 1 FORM x y\n)", "near \"x y"),
        ("SELECT 1 FORM numbers(1) a b", "position 15 of the statement, near \"numbers(1) a b\""),
    ] {
        let text = client.query(sql).await?.failure()?;
        ensure!(text.contains(words), "{sql}: {text}");
    }
    Ok(())
}

/// Rows have been sent when the server gives up: no part of them may pass for an answer.
pub(crate) async fn in_the_middle(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?
        .with("CLICKHOUSE_MAX_RESULT_ROWS", "-1")
        .with("CLICKHOUSE_MAX_RESULT_BYTES", "-1");
    let login =
        cell.world.mint.token(json!({ "username": "alice", "password": cell.world.password("alice")? }))?;
    for token in [cell.token("alice")?, login] {
        let mut client = cell.client(&settings, Some(&token)).await?;
        let sql = "SELECT number, throwIf(number = 900000, 'gave up') FROM numbers(1000000) SETTINGS max_threads = 1";
        let text = client.query(sql.trim_end_matches(" SETTINGS max_threads = 1")).await?.failure()?;
        ensure!(text.contains("395") && text.contains("gave up"), "{text}");
        tells_nothing_of_the_machinery(&text)?;
        ensure!(client.query("SELECT 1").await?.value()? == json!(1), "a failure has left something behind");
    }
    Ok(())
}

pub(crate) async fn of_arguments(cell: Cell) -> Result<()> {
    let mut client = cell.as_person("alice").await?;
    for arguments in
        [json!({}), json!({ "query": 1 }), json!({ "query": null }), json!({ "query": "SELECT 1", "x": 1 })]
    {
        let text = client
            .call(arguments.clone())
            .await?
            .failure()
            .map_err(|error| error.context(arguments.to_string()))?;
        ensure!(!text.is_empty(), "{arguments}");
    }
    let answer =
        client.ask("unknown", "tools/call", json!({ "name": "drop_everything", "arguments": {} })).await?;
    ensure!(answer["error"]["code"] == json!(-32602), "{answer}");
    let answer = client.ask("unnamed", "tools/call", json!({ "arguments": {} })).await?;
    ensure!(answer["error"]["code"] == json!(-32602), "{answer}");
    Ok(())
}

/// A ClickHouse that hangs up, and one that is not there.
pub(crate) async fn nobody_listens(cell: Cell) -> Result<()> {
    let gate = Gate::open().await?;
    let open = gate.port().to_string();
    let closed = {
        let gate = Gate::open().await?;
        gate.port().to_string()
    };
    for port in [open, closed] {
        let settings = Settings::standard(&cell.world)?.with("CLICKHOUSE_PORT", port.as_str());
        let mut client = cell.client(&settings, Some(&cell.token("alice")?)).await?;
        let text = client.query("SELECT 1").await?.failure()?;
        ensure!(!text.is_empty() && !text.contains(&port), "{text}");
        tells_nothing_of_the_machinery(&text)?;
    }
    Ok(())
}
