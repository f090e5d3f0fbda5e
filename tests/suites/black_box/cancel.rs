//! A client that goes away takes its query with it.

use anyhow::{Result, ensure};
use serde_json::json;
use system_tests::cell::Cell;
use system_tests::client::{Client, STATELESS, fresh_id, query, request};
use system_tests::settings::Settings;
use system_tests::{poll, query_log};

use crate::interserver::member;

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

/// Neither a setting nor a grant ends a query of theirs: a closed connection does, or a packet.
pub(crate) async fn in_a_profile_that_sets_nothing(cell: Cell) -> Result<()> {
    let client = cell.with_login("rosa").await?;
    leaves(&cell, client).await
}

/// Their query cannot be replaced, but killed.
pub(crate) async fn of_one_who_cannot_replace_it(cell: Cell) -> Result<()> {
    let client = cell.with_login("nora").await?;
    leaves(&cell, client).await
}

pub(crate) async fn under_a_cluster_secret(cell: Cell) -> Result<()> {
    let token = cell.token("alice")?;
    let client = cell.client(&member(&cell)?, Some(&token)).await?;
    leaves(&cell, client).await
}

/// Where only Housekey keeps the time, what takes longer is ended on the server, and the caller hears whose limit it was.
pub(crate) async fn past_our_own_deadline(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?
        .with("CLICKHOUSE_MAX_EXECUTION_TIME", "0")
        .with("MCP_TOOL_TIMEOUTS", "execute_query=2");
    let login = json!({ "username": "alice", "password": cell.world.password("alice")? });
    let rosa = json!({ "username": "rosa", "password": cell.world.password("rosa")? });
    for claims in [json!({ "email": "alice" }), login, rosa] {
        let mut client = cell.client(&settings, Some(&cell.world.mint.token(claims)?)).await?;
        let marker = format!("endless-{}", fresh_id());
        let text = client.query(&endless(&marker)).await?.failure()?;
        ensure!(text.contains("2 seconds") && text.contains("server's own for `execute_query`"), "{text}");
        is_gone(&cell, &marker).await?;
    }
    Ok(())
}

/// The time of a tool is ClickHouse's to keep, too.
pub(crate) async fn past_the_time_of_the_tool(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?.with("MCP_TOOL_TIMEOUTS", "execute_query=1");
    let mut client = cell.client(&settings, Some(&cell.token("alice")?)).await?;
    let marker = format!("endless-{}", fresh_id());
    let text = client.query(&endless(&marker)).await?.failure()?;
    ensure!(text.contains("159") && text.contains("1 s is the server's own for `execute_query`"), "{text}");
    ensure!(text.contains("read less"), "{text}");
    is_gone(&cell, &marker).await?;
    // Their profile bounds the time further: that is what is sent, and what they hear of.
    let settings = Settings::standard(&cell.world)?.with("MCP_TOOL_TIMEOUTS", "execute_query=30");
    let login = json!({ "username": "sparrow", "password": cell.world.password("sparrow")? });
    let mut client = cell.client(&settings, Some(&cell.world.mint.token(login)?)).await?;
    let value = client.query("SELECT toUInt32(getSetting('max_execution_time'))").await?.value()?;
    ensure!(value == json!(20), "{value}");
    Ok(())
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
