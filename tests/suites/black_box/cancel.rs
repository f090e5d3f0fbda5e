//! A client that goes away takes its query with it.

use anyhow::{Result, ensure};
use serde_json::json;
use system_tests::cell::Cell;
use system_tests::client::{Client, STATELESS, fresh_id, query, request};
use system_tests::{poll, query_log};

/// Runs for minutes, reads nothing, and can be found among the processes.
fn endless(marker: &str) -> String {
    format!("SELECT '{marker}', max(sipHash64(number, '{marker}')) FROM numbers(1000000000000)")
}

pub(crate) async fn with_a_login(cell: Cell) -> Result<()> {
    let client = cell.with_login("alice").await?;
    leaves(&cell, client).await
}

pub(crate) async fn behind_the_gateway(cell: Cell) -> Result<()> {
    let client = cell.as_person("alice").await?;
    leaves(&cell, client).await
}

async fn leaves(cell: &Cell, client: Client) -> Result<()> {
    let id = fresh_id();
    let marker = format!("endless-{id}");
    let message = request(STATELESS, &id, "tools/call", query(&endless(&marker)));
    match client {
        Client::Http(client) => {
            let asking = tokio::spawn(async move { client.post(&message).await });
            runs(cell, &marker).await?;
            ensure!(!asking.is_finished(), "the query was not endless");
            // Dropping the request closes its connection.
            asking.abort();
            is_gone(cell, &marker).await
        }
        Client::Stdio(mut pipe) => {
            pipe.send(&message.to_string()).await?;
            runs(cell, &marker).await?;
            let cancelled = json!({
                "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id },
            });
            pipe.send(&cancelled.to_string()).await?;
            is_gone(cell, &marker).await?;
            // The session goes on, and the next response is not that of the cancelled request.
            pipe.send(&request(STATELESS, "after", "tools/list", json!({})).to_string()).await?;
            let next = pipe.receive().await?;
            ensure!(next["id"] == json!("after"), "{next}");
            // An end of input ends the session, and what it had running.
            let id = fresh_id();
            let marker = format!("endless-{id}");
            let message = request(STATELESS, &id, "tools/call", query(&endless(&marker)));
            pipe.send(&message.to_string()).await?;
            runs(cell, &marker).await?;
            let status = pipe.close().await?;
            ensure!(status.success(), "{status}");
            is_gone(cell, &marker).await
        }
    }
}

async fn runs(cell: &Cell, marker: &str) -> Result<()> {
    let running = async || Ok(query_log::is_running(&cell.world, marker).await?.then_some(()));
    poll::until("the query among the processes", running).await
}

async fn is_gone(cell: &Cell, marker: &str) -> Result<()> {
    let gone = async || Ok((!query_log::is_running(&cell.world, marker).await?).then_some(()));
    let outcome = poll::until("the end of the abandoned query", gone).await;
    if outcome.is_err() {
        // It must not starve the other cases.
        cell.world.admin(&format!("KILL QUERY WHERE position(query, '{marker}') > 0 ASYNC")).await?;
    }
    outcome
}
