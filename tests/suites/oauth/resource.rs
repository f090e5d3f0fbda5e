//! Mode `resource`: tokens straight from the provider, judged by its keys or by asking it.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use system_tests::client::plain_http;
use system_tests::host::{Host, Server};
use system_tests::idp::{BrokenProvider, CALLBACK, Client, Provider};
use system_tests::world::world;

use super::house::{ask, people};
use super::{Need, trial};

const NODE: &[Need] = &[Need::Node];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = ["RS256", "PS256", "ES256", "EdDSA"]
        .into_iter()
        .map(|algorithm| {
            trial(format!("resource::{algorithm}_tokens_of_a_client_at_the_provider"), NODE, move || {
                at_the_provider(json!({ "alg": algorithm }), &[])
            })
        })
        .collect();
    trials.push(trial("resource::opaque_tokens_are_asked_about", NODE, opaque));
    trials.push(trial("resource::keys_that_rotate_are_fetched_anew", NODE, rotation));
    trials.push(trial(
        "resource::the_edge_has_the_keys_in_its_configuration",
        &[Need::Node, Need::Component, Need::Wasmtime],
        inline_keys,
    ));
    trials.push(trial("resource::scopes_that_lack_are_named", NODE, scopes));
    trials
}

/// The client registers at the provider itself, as MCP's specification means it.
async fn at_the_provider(options: Value, more: &[(&str, &str)]) -> Result<()> {
    let world = world().await?;
    let provider = Provider::start(&options).await?;
    let mut settings =
        people(&world)?.with("MCP_OAUTH_MODE", "resource").with("MCP_OAUTH_ISSUER", provider.issuer()?);
    // Where it listens is known only then, and the provider puts the resource into `aud` as the client names it.
    let public = system_tests::idp::Front::start().await?;
    let url = format!("{}/mcp", public.service().url()?);
    settings = settings.with("MCP_OAUTH_PUBLIC_RESOURCE_URL", &*url);
    for (name, value) in more {
        settings = settings.with(name, value.replace("{issuer}", provider.issuer()?));
    }
    if more.iter().any(|(name, _)| *name == "MCP_OAUTH_INTROSPECTION_URL") {
        // The provider takes no client for one that has nowhere to return to.
        provider.set_redirect_uris(&[CALLBACK]).await?;
        settings = settings
            .with("MCP_OAUTH_CLIENT_ID", provider.client_id()?)
            .with("MCP_OAUTH_CLIENT_SECRET", provider.client_secret()?);
    }
    let server = Server::start(Host::NativeHttp, &settings).await?;
    public.lead_to(&[server.url()]).await?;
    let result = Client::TypeScript1.flow(&json!({ "url": url, "login": "alice" })).await?;
    ensure!(result["outcome"] == "authorized", "{result}\n{}", server.stderr().text());
    ensure!(result["who"] == "alice", "{result}");
    Ok(())
}

async fn opaque() -> Result<()> {
    let metadata = "{issuer}/token/introspection";
    at_the_provider(json!({ "access_tokens": "opaque" }), &[("MCP_OAUTH_INTROSPECTION_URL", metadata)]).await
}

const AUDIENCE: &str = "https://mcp.example.com";

fn claims() -> Value {
    json!({ "aud": AUDIENCE, "email": "bob@example.com", "email_verified": true, "scope": "openid" })
}

/// Mode `resource` before a provider that mints what it is told to.
async fn minting(more: &[(&str, &str)]) -> Result<(BrokenProvider, Arc<Server>)> {
    let world = world().await?;
    let provider = BrokenProvider::start(&json!({})).await?;
    let mut settings = people(&world)?
        .with("MCP_OAUTH_MODE", "resource")
        .with("MCP_OAUTH_ISSUER", provider.issuer()?)
        .with("MCP_OAUTH_AUDIENCE", AUDIENCE);
    for (name, value) in more {
        settings = settings.with(name, *value);
    }
    let server = Arc::new(Server::start(Host::NativeHttp, &settings).await?);
    Ok((provider, server))
}

async fn rotation() -> Result<()> {
    let world = world().await?;
    let provider = Provider::start(&json!({})).await?;
    let front = system_tests::idp::Front::start().await?;
    let url = format!("{}/mcp", front.service().url()?);
    let settings = people(&world)?
        .with("MCP_OAUTH_MODE", "resource")
        .with("MCP_OAUTH_ISSUER", provider.issuer()?)
        .with("MCP_OAUTH_JWKS_CACHE_TTL", "1s")
        .with("MCP_OAUTH_PUBLIC_RESOURCE_URL", &*url);
    let server = Server::start(Host::NativeHttp, &settings).await?;
    front.lead_to(&[server.url()]).await?;
    let options = json!({ "url": url, "login": "alice" });
    for retire in [false, true] {
        let result = Client::TypeScript1.flow(&options).await?;
        ensure!(result["who"] == "alice", "{result}");
        provider.rotate(retire).await?;
    }
    let result = Client::TypeScript1.flow(&options).await?;
    ensure!(result["who"] == "alice", "after the old key is gone: {result}");
    Ok(())
}

/// On a stock runtime facts live for one request, so keys in the configuration spare a fetch with each.
async fn inline_keys() -> Result<()> {
    let world = world().await?;
    let provider = BrokenProvider::start(&json!({})).await?;
    let http = plain_http()?;
    let at = format!("{}/.well-known/openid-configuration", provider.issuer()?);
    let metadata: Value = serde_json::from_str(&http.get(at).send().await?.text().await?)?;
    let keys = http.get(metadata["jwks_uri"].as_str().context("keys")?).send().await?.text().await?;
    let settings = people(&world)?
        .with("MCP_OAUTH_MODE", "resource")
        .with("MCP_OAUTH_ISSUER", provider.issuer()?)
        .with("MCP_OAUTH_JWKS", keys)
        .with("MCP_OAUTH_AUDIENCE", AUDIENCE);
    let server = Arc::new(Server::start(Host::StockWasmtime, &settings).await?);
    let before = provider.service().log().await?["endpoints"].clone();
    let token = provider.mint(&json!({ "kind": "access", "claims": claims() })).await?;
    ensure!(ask(&server, Some(&token)).await?.user()? == "bob");
    let after = provider.service().log().await?["endpoints"].clone();
    ensure!(before == after, "the provider was asked: {before} {after}");
    let forged =
        provider.mint(&json!({ "kind": "access", "fault": "other_key", "claims": claims() })).await?;
    ensure!(ask(&server, Some(&forged)).await?.status == 401);
    Ok(())
}

/// MCP authorization, insufficient scope.
async fn scopes() -> Result<()> {
    let (provider, server) = minting(&[("MCP_OAUTH_REQUIRED_SCOPES", "clickhouse:read")]).await?;
    let token = provider.mint(&json!({ "kind": "access", "claims": claims() })).await?;
    let asked = ask(&server, Some(&token)).await?;
    ensure!(asked.status == 403, "{asked:?}");
    ensure!(asked.challenge.contains("error=\"insufficient_scope\""), "{asked:?}");
    ensure!(asked.challenge.contains("clickhouse:read"), "{asked:?}");
    let mut claims = claims();
    claims["scope"] = json!("openid clickhouse:read");
    let token = provider.mint(&json!({ "kind": "access", "claims": claims })).await?;
    ensure!(ask(&server, Some(&token)).await?.user()? == "bob");
    Ok(())
}
