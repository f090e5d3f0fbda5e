//! No store: any replica, the edge among them, finishes what another began, and a restart loses nothing.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use system_tests::host::{Host, Server};
use system_tests::idp::{self, Front, Provider};
use system_tests::world::world;

use super::house::{ask, gating};
use super::journey::{Journey, parameters};
use super::{Need, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "replicas::two_native_ones_and_the_edge_share_one_flow",
            &[Need::Node, Need::Component, Need::Wasmtime],
            shared,
        ),
        trial("replicas::a_restart_in_the_middle_loses_nothing", &[Need::Node], restarted),
    ]
}

async fn shared() -> Result<()> {
    let world = world().await?;
    let (provider, front) = (Provider::start(&json!({})).await?, Front::start().await?);
    let public = front.service().url()?.to_owned();
    let settings = gating(&world, &provider)?
        .with("MCP_OAUTH_PUBLIC_RESOURCE_URL", format!("{public}/mcp"))
        .with("MCP_OAUTH_PUBLIC_AUTH_SERVER_URL", &*public);
    let native = [
        Arc::new(Server::start(Host::NativeHttp, &settings).await?),
        Arc::new(Server::start(Host::NativeHttp, &settings).await?),
    ];
    let edge = Arc::new(Server::start(Host::StockWasmtime, &settings).await?);
    let urls = [native[0].url(), native[1].url(), edge.url()];
    front.lead_to(&urls).await?;
    provider.set_redirect_uris(&[&format!("{public}/oauth/callback")]).await?;
    // Requests take turns, so each step is another replica's: registration, page, decision, callback, token, refresh.
    for login in ["alice", "bob", "alice"] {
        let journey = Journey::begin(&public).await?;
        let granted = journey.granted(login).await?;
        let refreshed = journey.refresh(granted.text("refresh_token")?).await?;
        for server in native.iter().chain([&edge]) {
            for token in [granted.access_token()?, refreshed.access_token()?] {
                ensure!(ask(server, Some(token)).await?.user()? == login, "at {}", server.url());
            }
        }
    }
    let counts = front.service().log().await?;
    for url in urls {
        let text = counts.to_string();
        ensure!(text.contains(url), "{url} had no turn: {counts}");
    }
    Ok(())
}

/// The server ends after the consent page was shown, and another process takes the decision.
async fn restarted() -> Result<()> {
    let world = world().await?;
    let (provider, front) = (Provider::start(&json!({})).await?, Front::start().await?);
    let public = front.service().url()?.to_owned();
    let settings = gating(&world, &provider)?
        .with("MCP_OAUTH_PUBLIC_RESOURCE_URL", format!("{public}/mcp"))
        .with("MCP_OAUTH_PUBLIC_AUTH_SERVER_URL", &*public);
    provider.set_redirect_uris(&[&format!("{public}/oauth/callback")]).await?;
    let first = Server::start(Host::NativeHttp, &settings).await?;
    front.lead_to(&[first.url()]).await?;
    let journey = Journey::begin(&public).await?;
    let folder = tempfile::tempdir()?;
    let jar = folder.path().join("cookies.json");
    let url = journey.authorization_url(&[])?;
    let shown = idp::visit(&json!({ "url": url, "decision": null, "jar": jar })).await?;
    ensure!(shown["reached"] == json!(false), "{shown}");
    drop(first);
    let second = Arc::new(Server::start(Host::NativeHttp, &settings).await?);
    front.lead_to(&[second.url()]).await?;
    let visit = idp::visit(&json!({ "url": url, "login": "alice", "jar": jar })).await?;
    let code = parameters(&visit)?.remove("code").context("no code")?;
    // And once more between the code and the token.
    drop(second);
    let third = Arc::new(Server::start(Host::NativeHttp, &settings).await?);
    front.lead_to(&[third.url()]).await?;
    let granted = journey.redeem(&code).await?;
    ensure!(ask(&third, Some(granted.access_token()?)).await?.user()? == "alice");
    Ok(())
}
