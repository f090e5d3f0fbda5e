//! How far a query has come.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{STATELESS, fresh_id, query, request};
use system_tests::settings::Settings;
use system_tests::stdio::Pipe;

/// Twenty rows, one every tenth of a second.
const SLOW: &str = "SELECT count() FROM numbers(20) WHERE sleepEachRow(0.1) = 0 SETTINGS max_block_size = 1";

fn settings(cell: &Cell) -> Result<Settings> {
    Ok(Settings::standard(&cell.world)?.with("TOOL_INPUT_SETTINGS", "max_block_size"))
}

fn slow_call(id: &str) -> Value {
    let mut call = request(STATELESS, id, "tools/call", query(SLOW));
    call["params"]["_meta"]["progressToken"] = json!("mine");
    call
}

/// What the notifications among these messages say, which has to grow.
fn told(messages: &[Value]) -> Result<()> {
    let notifications = messages.iter().filter(|message| message["method"] == "notifications/progress");
    let params: Vec<_> = notifications.map(|message| &message["params"]).collect();
    ensure!(params.iter().all(|params| params["progressToken"] == "mine"), "{params:?}");
    let told: Vec<_> = params.iter().filter_map(|params| params["progress"].as_u64()).collect();
    let grows = told.windows(2).all(|pair| pair[0] < pair[1]);
    ensure!(told.len() > 1 && grows && told.iter().all(|rows| *rows <= 20), "{messages:?}");
    // Two seconds have room for few.
    ensure!(told.len() < 12 && params.iter().any(|params| params["total"] == json!(20)), "{messages:?}");
    Ok(())
}

/// A client on lines hears it just so.
pub(crate) async fn on_lines(cell: Cell) -> Result<()> {
    let over_http = settings(&cell)?.with("MCP_TOKEN", cell.token("alice")?);
    let over_tcp = over_http
        .clone()
        .with("CLICKHOUSE_PROTOCOL", "tcp")
        .with("CLICKHOUSE_PORT", cell.world.clickhouse().tcp_port().to_string());
    for settings in [over_http, over_tcp] {
        told_on_lines(&settings).await?;
    }
    Ok(())
}

async fn told_on_lines(settings: &Settings) -> Result<()> {
    let (mut pipe, id) = (Pipe::start(settings)?, fresh_id());
    pipe.send(&slow_call(&id).to_string()).await?;
    let mut messages = Vec::new();
    let answer = loop {
        let message = pipe.receive().await?;
        if message["id"] == json!(id) {
            break message;
        }
        messages.push(message);
    };
    ensure!(answer["result"]["structuredContent"]["rows"] == json!([["20"]]), "{answer}");
    told(&messages)
}

/// A client that asks for it hears how far a query has come while it runs.
pub(crate) async fn over_http(cell: Cell) -> Result<()> {
    let login = json!({ "username": "alice", "password": cell.world.password("alice")? });
    for token in [cell.token("alice")?, cell.world.mint.token(login)?] {
        told_over_http(&cell, &token).await?;
    }
    Ok(())
}

async fn told_over_http(cell: &Cell, token: &str) -> Result<()> {
    let client = cell.http_to(&settings(cell)?, Some(token)).await?;
    let call = slow_call(&fresh_id());
    let reply = client.post(&call).await?;
    ensure!(
        reply.header("content-type").starts_with("text/event-stream"),
        "{} {}",
        reply.status,
        reply.text()
    );
    ensure!(reply.json()?["result"]["structuredContent"]["rows"] == json!([["20"]]), "{}", reply.text());
    let text = reply.text();
    let messages =
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?).ok());
    told(&messages.collect::<Vec<_>>())
}
