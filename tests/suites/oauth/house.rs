//! A Housekey with a provider behind it, and settings for both.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use system_tests::client::{HttpClient, fresh_id, query, request};
use system_tests::host::{Host, Server};
use system_tests::idp::Provider;
use system_tests::query_log;
use system_tests::secrets;
use system_tests::settings::Settings;
use system_tests::world::{World, world};

/// From the address to the ClickHouse user of the same name.
pub(crate) const BY_ADDRESS: &str =
    r#"{"server": {"oauth": {"identity_map": [{"rule": "strip_domain", "domain": "example.com"}]}}}"#;

/// A provider, and a Housekey that signs people in there.
pub(crate) struct House {
    pub(crate) world: Arc<World>,
    pub(crate) provider: Provider,
    pub(crate) server: Arc<Server>,
    pub(crate) settings: Settings,
}

impl House {
    /// Mode `gating`, and queries as the person by EXECUTE AS.
    pub(crate) async fn gating(host: Host, more: &[(&str, &str)]) -> Result<Self> {
        Self::build(host, &json!({}), more).await
    }

    /// The same before a provider with these options.
    pub(crate) async fn build(host: Host, options: &Value, more: &[(&str, &str)]) -> Result<Self> {
        let world = world().await?;
        let provider = Provider::start(options).await?;
        let mut settings = gating(&world, &provider)?;
        for (name, value) in more {
            settings = settings.with(name, *value);
        }
        let server = Arc::new(Server::start(host, &settings).await?);
        let house = Self { world, provider, server, settings };
        house.register_at_provider(&[house.server.url()]).await?;
        Ok(house)
    }

    /// Lets the provider return to these addresses.
    pub(crate) async fn register_at_provider(&self, urls: &[&str]) -> Result<()> {
        let callbacks: Vec<String> = urls.iter().map(|url| format!("{url}/oauth/callback")).collect();
        let callbacks: Vec<&str> = callbacks.iter().map(String::as_str).collect();
        self.provider.set_redirect_uris(&callbacks).await
    }

    /// What a client needs to know.
    pub(crate) fn mcp_url(&self) -> String {
        format!("{}/mcp", self.server.url())
    }
}

/// The settings of mode `gating` before this provider.
pub(crate) fn gating(world: &World, provider: &Provider) -> Result<Settings> {
    Ok(people(world)?
        .with("MCP_OAUTH_MODE", "gating")
        .with("MCP_OAUTH_ISSUER", provider.issuer()?)
        .with("MCP_OAUTH_CLIENT_ID", provider.client_id()?)
        .with("MCP_OAUTH_CLIENT_SECRET", provider.client_secret()?)
        .with("MCP_OAUTH_SCOPES", "openid,email,profile"))
}

/// The gateway's login, people behind EXECUTE AS, OAuth, and no JWE tokens.
pub(crate) fn people(world: &World) -> Result<Settings> {
    Ok(Settings::login(world, "gateway")?
        .with("CLICKHOUSE_IMPERSONATION", "execute_as")
        .with("CLICKHOUSE_IMPERSONATION_DENY", "admin")
        .with("MCP_OAUTH_ENABLED", "true")
        .with("MCP_OAUTH_SIGNING_SECRET", secrets::fresh("the signing secret of OAuth"))
        .with("HOUSEKEY_CONFIG", BY_ADDRESS))
}

/// What came of asking who is there.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) status: u16,
    pub(crate) challenge: String,
    pub(crate) id: String,
    pub(crate) message: Value,
}

/// Asks as whom a query runs, with this token.
pub(crate) async fn ask(server: &Arc<Server>, token: Option<&str>) -> Result<Asked> {
    ask_with(server, token, &[]).await
}

/// The same with other headers.
pub(crate) async fn ask_with(
    server: &Arc<Server>,
    token: Option<&str>,
    headers: &[(&str, &str)],
) -> Result<Asked> {
    let client = HttpClient::new(Arc::clone(server), token)?;
    let id = fresh_id();
    let message = request(system_tests::client::STATELESS, &id, "tools/call", query("SELECT currentUser()"));
    let reply = client.post_with(&message, headers).await?;
    let challenge = reply.header("www-authenticate").to_owned();
    let message = reply.json().unwrap_or_else(|_| Value::String(reply.text()));
    Ok(Asked { status: reply.status, challenge, id, message })
}

impl Asked {
    /// The user.
    pub(crate) fn user(&self) -> Result<&str> {
        ensure!(self.status == 200, "{self:?}");
        let rows = &self.message["result"]["structuredContent"]["rows"];
        rows[0][0].as_str().with_context(|| format!("{:?}", self.message))
    }
}

/// Asks as whom a query runs, and holds the answer against ClickHouse's own log.
pub(crate) async fn user_in_log(world: &World, server: &Arc<Server>, token: &str) -> Result<String> {
    let asked = ask(server, Some(token)).await?;
    let user = asked.user()?.to_owned();
    let entries = query_log::of_request(world, &asked.id, 1).await?;
    ensure!(entries.iter().any(|entry| entry.text("user") == user), "{entries:?}");
    Ok(user)
}
