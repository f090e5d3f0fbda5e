//! A case on a host: how a case reaches what it needs.

use std::sync::Arc;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::client::{Client, HttpClient};
use crate::host::{self, Host, Server};
use crate::settings::Settings;
use crate::stdio::Pipe;
use crate::world::World;

/// One case on one host.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The host.
    pub host: Host,
    /// The ClickHouse, its people and the operator.
    pub world: Arc<World>,
}

impl Cell {
    /// A client of the standard host who carries a token for this person.
    pub async fn as_person(&self, email: &str) -> Result<Client> {
        self.with_claims(json!({ "email": email })).await
    }

    /// A client of the standard host who logs in to ClickHouse with a user and password of their own.
    pub async fn with_login(&self, name: &str) -> Result<Client> {
        self.with_claims(json!({ "username": name, "password": self.world.password(name)? })).await
    }

    /// A client of the standard host who carries a token with these claims.
    pub async fn with_claims(&self, claims: Value) -> Result<Client> {
        let token = self.world.mint.token(claims)?;
        self.client(&Settings::standard(&self.world)?, Some(&token)).await
    }

    /// A client of a host with these settings.
    pub async fn client(&self, settings: &Settings, token: Option<&str>) -> Result<Client> {
        Ok(match self.host {
            Host::NativeHttp
            | Host::NativeTcp
            | Host::HostedComponent
            | Host::LentComponent
            | Host::StockWasmtime => Client::Http(HttpClient::new(self.server(settings).await?, token)?),
            Host::Stdio => {
                let settings = match token {
                    Some(token) => settings.clone().with("MCP_TOKEN", token),
                    None => settings.clone(),
                };
                Client::Stdio(Box::new(Pipe::start(&settings)?))
            }
        })
    }

    /// A host with these settings that others may be using, too.
    pub async fn server(&self, settings: &Settings) -> Result<Arc<Server>> {
        host::shared(self.host, settings).await
    }

    /// An HTTP client of the standard host.
    pub async fn http(&self, token: Option<&str>) -> Result<HttpClient> {
        self.http_to(&Settings::standard(&self.world)?, token).await
    }

    /// An HTTP client of a host with these settings.
    pub async fn http_to(&self, settings: &Settings, token: Option<&str>) -> Result<HttpClient> {
        if !self.host.speaks_http() {
            bail!("{} does not speak HTTP", self.host);
        }
        HttpClient::new(self.server(settings).await?, token)
    }

    /// The port of the world's ClickHouse that this host speaks to.
    pub fn clickhouse_port(&self) -> u16 {
        let clickhouse = self.world.clickhouse();
        match self.host {
            Host::NativeTcp | Host::LentComponent => clickhouse.tcp_port(),
            Host::NativeHttp | Host::Stdio | Host::HostedComponent | Host::StockWasmtime => {
                clickhouse.http_port()
            }
        }
    }

    /// The protocol in which it is spoken to, as tokens name it.
    pub fn protocol(&self) -> &'static str {
        match self.host {
            Host::NativeTcp | Host::LentComponent => "tcp",
            Host::NativeHttp | Host::Stdio | Host::HostedComponent | Host::StockWasmtime => "http",
        }
    }

    /// A token for this person, from the world's operator.
    pub fn token(&self, email: &str) -> Result<String> {
        self.world.mint.token(json!({ "email": email }))
    }
}
