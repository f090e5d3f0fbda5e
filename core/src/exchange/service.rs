//! One configuration made ready to serve.

use std::sync::Arc;

use super::Session;
use super::generator::Generator;
use crate::config::{Config, CorsOrigin, Host};
use crate::env::Env;
use crate::identity::{Caller, Policy, PolicyError, static_caller};
use crate::jose::token::{KeyError, LifePolicy, TokenError, TokenKeys, open};
use crate::tool::Table;
use crate::transport::guard::{Guard, is_loopback};

/// A checked configuration with what derives from it, shared by all exchanges.
pub struct Service {
    pub(super) config: Arc<Config>,
    pub(super) tools: Table,
    pub(super) guard: Guard,
    pub(super) keys: Option<TokenKeys>,
    pub(super) life: LifePolicy,
    pub(super) policy: Policy,
    pub(super) generator: Generator,
}

/// Why a configuration cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The token keys do not do.
    #[error("{0}")]
    Keys(#[from] KeyError),
    /// Tokens are demanded, and a line-based stream has nowhere else to get one from.
    #[error("JWE authentication is on, so stdio needs a token: give --token, MCP_TOKEN or MCP_TOKEN_FILE")]
    NoToken,
    /// The token of a line-based stream does not open.
    #[error("the token given by --token, MCP_TOKEN or MCP_TOKEN_FILE is refused: {0}")]
    Token(#[from] TokenError),
    /// The token of a line-based stream grants nothing.
    #[error("the token given by --token, MCP_TOKEN or MCP_TOKEN_FILE is refused: {0}")]
    Policy(#[from] PolicyError),
}

impl Service {
    /// A service of these tools under this configuration.
    pub fn new(config: Config, tools: Table, host: Host) -> Result<Arc<Self>, StartError> {
        let jwe = &config.server.jwe;
        let keys =
            if jwe.enabled { Some(TokenKeys::new(&jwe.jwe_secret_key, &jwe.jwt_secret_key)?) } else { None };
        let life = LifePolicy::of(jwe);
        let policy = Policy::new(&config, host);
        let (guard, generator) = (guard(&config, host), Generator::new(&config));
        Ok(Arc::new(Self { config: Arc::new(config), tools, guard, keys, life, policy, generator }))
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The caller of a line-based stream, from the configured token.
    pub fn open_session(&self, env: &mut Env<'_>) -> Result<Session, StartError> {
        let caller = match (&self.keys, &self.config.server.token) {
            (None, _) => static_caller(&self.config),
            (Some(_), None) => return Err(StartError::NoToken),
            (Some(keys), Some(token)) => {
                let claims = open(keys, token.expose(), &self.life, env.now)?;
                self.policy.caller(&self.config, &claims)?
            }
        };
        Ok(Session::new(caller))
    }

    pub(super) fn static_caller(&self) -> Caller {
        static_caller(&self.config)
    }
}

/// Which names and origins a configuration lets in on a host.
pub(super) fn guard(config: &Config, host: Host) -> Guard {
    let public = config.server.public_resource_url.as_deref();
    let mut hosts = config.server.allowed_hosts.clone();
    let (mut origins, loopback_origins) = match &config.server.cors_origin {
        CorsOrigin::Loopback => (Vec::new(), true),
        CorsOrigin::List(origins) => (origins.clone(), false),
    };
    // At the edge the runtime owns the socket, and its platform has matched the host already.
    let loopback_hosts = host == Host::Native && is_loopback(&config.server.address);
    if loopback_hosts || !hosts.is_empty() {
        hosts.extend(public.and_then(authority).map(str::to_owned));
    }
    if loopback_origins {
        origins.extend(public.and_then(origin).map(str::to_owned));
    }
    Guard { hosts, loopback_hosts, origins, loopback_origins }
}

/// `https://host:port` of a URL.
fn origin(url: &str) -> Option<&str> {
    let start = url.find("://")?.checked_add(3)?;
    let end = url.get(start..)?.find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    url.get(..end)
}

/// `host:port` of a URL.
fn authority(url: &str) -> Option<&str> {
    origin(url)?.split_once("://").map(|(_, authority)| authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, wanted) in [
            ("https://mcp.example.com/a/b", Some("https://mcp.example.com")),
            ("https://mcp.example.com:8443", Some("https://mcp.example.com:8443")),
            ("https://[::1]:1?x", Some("https://[::1]:1")),
            ("mcp.example.com", None),
        ] {
            assert_eq!(origin(url), wanted);
        }
        assert_eq!(authority("https://mcp.example.com:1/x"), Some("mcp.example.com:1"));
    }
}
