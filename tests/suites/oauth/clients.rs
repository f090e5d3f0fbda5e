//! Clients that other people wrote find their own way: discovery, registration, consent, tokens, a query, a refresh.

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use system_tests::host::Host;
use system_tests::idp::Client;
use system_tests::query_log;

use super::house::House;
use super::{Need, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = Client::ALL
        .into_iter()
        .map(|client| {
            let needs: &[Need] = match client {
                Client::Python1 => &[Need::Node, Need::Python1],
                Client::Python2 => &[Need::Node, Need::Python2],
                Client::TypeScript1 | Client::TypeScript2 | Client::Remote => &[Need::Node],
            };
            trial(format!("clients::{}_native", client.name()), needs, move || flow(client, Host::NativeHttp))
        })
        .collect();
    trials.push(trial("clients::typescript_sdk_2_component", &[Need::Node, Need::Component], || {
        flow(Client::TypeScript2, Host::HostedComponent)
    }));
    trials.push(trial("clients::typescript_sdk_2_hosted", &[Need::Node, Need::Component], || {
        flow(Client::TypeScript2, Host::LentComponent)
    }));
    trials.push(trial(
        "clients::typescript_sdk_1_wasmtime",
        &[Need::Node, Need::Component, Need::Wasmtime],
        || flow(Client::TypeScript1, Host::StockWasmtime),
    ));
    trials.push(trial("clients::somebody_who_says_no_gets_nothing", &[Need::Node], denied));
    trials
}

/// From nothing to a query, an expiry and a refresh.
async fn flow(client: Client, host: Host) -> Result<()> {
    let house = House::gating(host, &[("MCP_OAUTH_ACCESS_TOKEN_TTL_SECONDS", "3")]).await?;
    let options = json!({ "url": house.mcp_url(), "login": "alice", "expire": true });
    let result = client.flow(&options).await?;
    ensure!(result["outcome"] == "authorized", "{result}\n{}", house.server.stderr().text());
    ensure!(result["who"] == "alice" && result["who_later"] == "alice", "{result}");
    ensure!(result["refreshed"] == json!(true), "{result}");
    let entries = query_log::find(
        &house.world,
        "user = 'alice' AND JSONExtractString(log_comment, 'subject') = 'alice@example.com'",
    )
    .await?;
    ensure!(!entries.is_empty(), "no query of alice's in the log");
    Ok(())
}

async fn denied() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let options = json!({ "url": house.mcp_url(), "login": "alice", "decision": "deny" });
    let result = Client::TypeScript1.flow(&options).await?;
    ensure!(result["outcome"] == "refused", "{result}");
    let grants = house.provider.service().log().await?;
    ensure!(
        grants["grants"].as_array().is_none_or(Vec::is_empty),
        "asked the provider all the same: {grants}"
    );
    Ok(())
}
