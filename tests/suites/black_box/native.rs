//! What only the native protocol gives.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{STATELESS, fresh_id, query, request};
use system_tests::settings::Settings;

/// A client that asks for it hears how far a query has come while it runs.
pub(crate) async fn progress(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?.with("TOOL_INPUT_SETTINGS", "max_block_size");
    let client = cell.http_to(&settings, Some(&cell.token("alice")?)).await?;
    let slow = "SELECT count() FROM numbers(20) WHERE sleepEachRow(0.1) = 0 SETTINGS max_block_size = 1";
    let mut call = request(STATELESS, &fresh_id(), "tools/call", query(slow));
    call["params"]["_meta"]["progressToken"] = json!("mine");
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
    let told: Vec<u64> = messages
        .filter(|message| message["method"] == "notifications/progress")
        .filter_map(|message| message["params"]["progress"].as_u64())
        .collect();
    ensure!(told.len() > 1 && told.is_sorted() && told.iter().all(|rows| *rows <= 20), "{told:?}: {text}");
    Ok(())
}
