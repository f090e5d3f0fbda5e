//! An orderly end: what runs gets its answer, and nothing new is taken.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use system_tests::cell::Cell;
use system_tests::client::{HttpClient, STATELESS, fresh_id, query, request};
use system_tests::host::Server;
use system_tests::settings::Settings;
use system_tests::{poll, query_log};
use tokio::net::TcpStream;
use tokio::process::Command;

pub(crate) async fn running_queries_end(cell: Cell) -> Result<()> {
    // A host of this case's own, since it is going to end.
    let server = Arc::new(Server::start(cell.host, &Settings::standard(&cell.world)?).await?);
    let client = HttpClient::new(Arc::clone(&server), Some(&cell.token("alice")?))?;
    let marker = format!("ending-{}", fresh_id());
    let sql = format!("SELECT '{marker}' AS marker, sleep(2) AS slept");
    let message = request(STATELESS, &fresh_id(), "tools/call", query(&sql));
    let asking = tokio::spawn(async move { client.post(&message).await });
    poll::until("the query among the processes", async || {
        Ok(query_log::is_running(&cell.world, &marker).await?.then_some(()))
    })
    .await?;
    let process = server.process_id().context("the host has ended")?;
    Command::new("kill").args(["-s", "TERM", &process.to_string()]).status().await?;
    let address = server.url().trim_start_matches("http://");
    poll::until("the end of listening", async || {
        Ok(TcpStream::connect(address).await.is_err().then_some(()))
    })
    .await?;
    let reply = asking.await??;
    ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
    ensure!(reply.json()?["result"]["structuredContent"]["rows"] == json!([[marker, 0]]), "{}", reply.text());
    Ok(())
}
