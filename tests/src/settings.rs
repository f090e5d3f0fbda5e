//! Settings of a host, as the environment variables that all hosts share.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::world::World;

/// Names of no setting, under which hosts of the tests find the world's ports.
pub const HTTP_PORT: &str = "TESTS_HTTP_PORT";
/// See [`HTTP_PORT`].
pub const TCP_PORT: &str = "TESTS_TCP_PORT";

/// Environment variables with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// The gateway's login, tokens, and people behind `EXECUTE AS`: how Housekey is meant to run.
    pub fn standard(world: &World) -> Result<Self> {
        Ok(Self::login(world, "gateway")?
            .with_tokens(world)
            .with("CLICKHOUSE_IMPERSONATION", "execute_as")
            .with("CLICKHOUSE_IMPERSONATION_DENY", "admin"))
    }

    /// Somebody's login, and no authentication.
    pub fn login(world: &World, name: &str) -> Result<Self> {
        Ok(Self::default()
            .with("CLICKHOUSE_HOST", "127.0.0.1")
            .with("CLICKHOUSE_PORT", world.clickhouse().http_port().to_string())
            .with(HTTP_PORT, world.clickhouse().http_port().to_string())
            .with(TCP_PORT, world.clickhouse().tcp_port().to_string())
            .with("CLICKHOUSE_USERNAME", name)
            .with("CLICKHOUSE_PASSWORD", world.password(name)?)
            .with("LOG_LEVEL", "debug"))
    }

    /// Demands tokens of the world's operator.
    pub fn with_tokens(self, world: &World) -> Self {
        let settings =
            self.with("MCP_ALLOW_JWE_AUTH", "true").with("MCP_JWE_SECRET_KEY", &*world.mint.jwe_secret);
        match &world.mint.jwt_secret {
            Some(secret) => settings.with("MCP_JWT_SECRET_KEY", secret.as_str()),
            None => settings,
        }
    }

    /// One setting more, or another value of it.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// One setting less.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The value of one.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
