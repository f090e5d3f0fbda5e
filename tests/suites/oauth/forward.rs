//! Mode `forward`: the provider's token goes on to what judges it before ClickHouse, and nothing of ours goes with it.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use system_tests::host::{Host, Server};
use system_tests::idp::{Client, Provider, TokenProcessor};
use system_tests::settings::Settings;
use system_tests::world::{World, world};

use super::house::{ask, people};
use super::journey::Journey;
use super::{Need, trial};

const NODE: &[Need] = &[Need::Node];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("forward::the_token_reaches_clickhouse_and_says_who_asks", NODE, || passed_on(None)),
        trial("forward::the_token_travels_in_a_header_of_its_own", NODE, || passed_on(Some("X-Proof"))),
        trial("forward::a_client_refreshes_through_the_provider", NODE, refreshed),
        trial("forward::rubbish_never_reaches_clickhouse_once_it_is_judged_here", NODE, judged),
        trial("forward::the_component_passes_it_on_as_well", &[Need::Node, Need::Component], component),
    ]
}

struct Row {
    provider: Provider,
    processor: TokenProcessor,
    settings: Settings,
    world: Arc<World>,
}

async fn row(header: Option<&str>, more: &[(&str, &str)]) -> Result<Row> {
    let world = world().await?;
    let provider = Provider::start(&json!({})).await?;
    let clickhouse = format!("http://127.0.0.1:{}", world.clickhouse().http_port());
    let person = |name: &str| -> Result<_> { Ok(json!({ "user": name, "password": world.password(name)? })) };
    let mut options = json!({
        "clickhouse": clickhouse,
        "issuer": provider.issuer()?,
        "audience": provider.client_id()?,
        "users": { "alice@example.com": person("alice")?, "bob@example.com": person("bob")? },
    });
    if let Some(header) = header {
        options["header"] = json!(header);
    }
    let processor = TokenProcessor::start(&options).await?;
    let mut settings = people(&world)?
        .with("MCP_OAUTH_MODE", "forward")
        .with("MCP_OAUTH_ISSUER", provider.issuer()?)
        .with("MCP_OAUTH_CLIENT_ID", provider.client_id()?)
        .with("MCP_OAUTH_CLIENT_SECRET", provider.client_secret()?)
        .with("MCP_OAUTH_SCOPES", "openid,email,profile")
        .with("CLICKHOUSE_IMPERSONATION", "none")
        .with("CLICKHOUSE_PORT", processor.port()?.to_string());
    if let Some(header) = header {
        settings = settings.with("MCP_OAUTH_CLICKHOUSE_HEADER_NAME", header);
    }
    for (name, value) in more {
        settings = settings.with(name, *value);
    }
    Ok(Row { provider, processor, settings, world })
}

async fn serve(row: &Row, host: Host) -> Result<Arc<Server>> {
    let server = Arc::new(Server::start(host, &row.settings).await?);
    row.provider.set_redirect_uris(&[&format!("{}/oauth/callback", server.url())]).await?;
    Ok(server)
}

async fn passed_on(header: Option<&str>) -> Result<()> {
    let row = row(header, &[]).await?;
    let server = serve(&row, Host::NativeHttp).await?;
    for login in ["alice", "bob"] {
        let granted = Journey::begin(server.url()).await?.granted(login).await?;
        ensure!(ask(&server, Some(granted.access_token()?)).await?.user()? == login);
    }
    ensure!(row.processor.count("static_credentials").await? == 0, "our own login went with it");
    ensure!(row.processor.count("passed").await? >= 2);
    // What ClickHouse refuses is an error of the tool, and nobody else answers in its place.
    let asked = ask(&server, Some("an-opaque-token")).await?;
    ensure!(asked.user().is_err() && asked.message["result"]["isError"] == json!(true), "{asked:?}");
    drop(row.world);
    Ok(())
}

async fn refreshed() -> Result<()> {
    let row = row(None, &[("MCP_OAUTH_UPSTREAM_OFFLINE_ACCESS", "true")]).await?;
    let server = serve(&row, Host::NativeHttp).await?;
    let journey = Journey::begin(server.url()).await?;
    let granted = journey.granted("alice").await?;
    let refreshed = journey.refresh(granted.text("refresh_token")?).await?;
    ensure!(ask(&server, Some(refreshed.access_token()?)).await?.user()? == "alice");
    let options = json!({ "url": format!("{}/mcp", server.url()), "login": "bob" });
    let result = Client::TypeScript2.flow(&options).await?;
    ensure!(result["who"] == "bob", "{result}");
    row.provider.revoke("alice").await?;
    let dismissed = journey.refresh(refreshed.text("refresh_token")?).await?;
    ensure!(dismissed.body["error"] == "invalid_grant", "{dismissed:?}");
    Ok(())
}

async fn judged() -> Result<()> {
    let row = row(None, &[("MCP_OAUTH_VALIDATE", "true")]).await?;
    let server = serve(&row, Host::NativeHttp).await?;
    let granted = Journey::begin(server.url()).await?.granted("alice").await?;
    let token = granted.access_token()?;
    ensure!(ask(&server, Some(token)).await?.user()? == "alice");
    let before = row.processor.service().log().await?["requests"].clone();
    let (signed, _) = token.rsplit_once('.').unwrap_or_default();
    for rubbish in ["an-opaque-token", &format!("{signed}.AAAA"), "eyJhbGciOiJub25lIn0.e30."] {
        let asked = ask(&server, Some(rubbish)).await?;
        ensure!(asked.status == 401 && asked.challenge.contains("invalid_token"), "{asked:?}");
    }
    let after = row.processor.service().log().await?["requests"].clone();
    ensure!(before == after, "it came through: {before} {after}");
    Ok(())
}

async fn component() -> Result<()> {
    let row = row(None, &[]).await?;
    let server = serve(&row, Host::HostedComponent).await?;
    let granted = Journey::begin(server.url()).await?.granted("alice").await?;
    ensure!(ask(&server, Some(granted.access_token()?)).await?.user()? == "alice");
    Ok(())
}
