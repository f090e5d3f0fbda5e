//! Settings that are wrong are said to be wrong, by name, before anybody is served.

use anyhow::{Result, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;
use system_tests::cell::Cell;
use system_tests::client::{HttpClient, STATELESS, request};
use system_tests::host;
use system_tests::settings::Settings;

/// Wrong settings that every host can be given, and what the message must name.
fn wrong(world: &system_tests::world::World) -> Result<Vec<(Settings, &'static str)>> {
    let good = Settings::standard(world)?;
    Ok(vec![
        (good.clone().with("CLICKHOUSE_PORT", "many"), "CLICKHOUSE_PORT"),
        (good.clone().with("CLICKHOUSE_PORT", "70000"), "CLICKHOUSE_PORT"),
        (good.clone().with("CLICKHOUSE_PROTOCOL", "quic"), "CLICKHOUSE_PROTOCOL"),
        (good.clone().with("CLICKHOUSE_IMPERSONATION", "sudo"), "CLICKHOUSE_IMPERSONATION"),
        (good.clone().with("CLICKHOUSE_IMPERSONATION", "interserver"), "CLICKHOUSE_IMPERSONATION"),
        (good.clone().with("CLICKHOUSE_CLUSTER_SECRET", "long enough"), "CLICKHOUSE_CLUSTER_SECRET"),
        (good.clone().with("MCP_OAUTH_ENABLED", "true"), "server.oauth.client_id"),
        (good.clone().with("MCP_ALLOW_JWE_AUTH", "perhaps"), "MCP_ALLOW_JWE_AUTH"),
        (good.clone().without("MCP_JWE_SECRET_KEY"), "jwe_secret_key"),
        (good.clone().with("HOUSEKEY_CONFIG", "clickhouse: {hots: x}"), "clickhouse.host"),
        (good.with("HOUSEKEY_CONFIG", "clickhouse: ["), "HOUSEKEY_CONFIG"),
    ])
}

pub(crate) async fn launch(cell: Cell) -> Result<()> {
    for (settings, named) in wrong(&cell.world)? {
        let settings = settings.with("MCP_TOKEN", cell.token("alice")?);
        let ended = host::run_to_end(cell.host, &settings, &[]).await?;
        ensure!(!ended.status.success(), "{named}: {}", ended.stderr);
        ensure!(ended.stderr.contains(named), "{named} is not named: {}", ended.stderr);
        ensure!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
    let good = Settings::standard(&cell.world)?.with("MCP_TOKEN", cell.token("alice")?);
    for (arguments, named) in [
        (vec!["--clickhouse-hots", "x"], "--clickhouse-host"),
        (vec!["--clickhouse-port", "many"], "clickhouse"),
        (vec!["--config", "/nonexistent/housekey.yaml"], "/nonexistent/housekey.yaml"),
    ] {
        let ended = host::run_to_end(cell.host, &good, &arguments).await?;
        ensure!(!ended.status.success() && ended.stderr.contains(named), "{arguments:?}: {}", ended.stderr);
    }
    let file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
    std::fs::write(file.path(), "clickhouse:\n  max_result_row: 5\n")?;
    let path = file.path().to_string_lossy().into_owned();
    let ended = host::run_to_end(cell.host, &good, &["--config", &path]).await?;
    ensure!(!ended.status.success() && ended.stderr.contains("max_result_rows"), "{}", ended.stderr);
    Ok(())
}

/// A component cannot refuse to start: it answers 500, says which key, and never traps.
pub(crate) async fn component(cell: Cell) -> Result<()> {
    let tcp = Settings::standard(&cell.world)?.with("CLICKHOUSE_PROTOCOL", "tcp");
    for (settings, named) in wrong(&cell.world)?.into_iter().chain([(tcp, "CLICKHOUSE_PROTOCOL")]) {
        let server = cell.server(&settings).await?;
        let client = HttpClient::new(server, None)?;
        let message = request(STATELESS, "c", "tools/list", json!({}));
        for (method, path) in [(Method::POST, "/mcp"), (Method::GET, "/health")] {
            let headers = if method == Method::POST { client.headers(&message)? } else { HeaderMap::new() };
            let reply = client.send(method, path, headers, message.to_string()).await?;
            ensure!(reply.status == 500, "{named}: {} {}", reply.status, reply.text());
            ensure!(reply.text().contains(named), "{named} is not named: {}", reply.text());
        }
        let log = client.server().stderr().text();
        ensure!(
            log.contains(named) && !log.contains("wasm trap") && !log.contains("panicked"),
            "{named}: {log}"
        );
    }
    Ok(())
}
