//! One configuration made ready to serve.

use std::sync::Arc;

use super::Session;
use super::generator::Generator;
use super::round_trip::PURPOSE;
use crate::config::{Config, CorsOrigin, Host};
use crate::env::Env;
use crate::identity::{Caller, Policy, PolicyError};
use crate::jose::seal::{SealingKeyError, SealingKeys};
use crate::jose::token::{KeyError, LifePolicy, TokenError, TokenKeys, open};
use crate::mcp::{Capabilities, News};
use crate::oauth::{Endpoint, Server, ServerError};
use crate::prompt::Prompts;
use crate::resource::Resources;
use crate::secret::Secret;
use crate::tool::{Table, catalogue};
use crate::transport::guard::{Guard, is_loopback};

/// A checked configuration with what derives from it, shared by all exchanges.
pub struct Service {
    pub(super) config: Arc<Config>,
    pub(super) tools: Table,
    pub(super) resources: Resources,
    pub(super) prompts: Prompts,
    pub(super) guard: Guard,
    /// What opens tokens; `None` where none are asked for, or where the host around the component has opened them.
    pub(super) keys: Option<TokenKeys>,
    pub(super) life: LifePolicy,
    pub(super) policy: Policy,
    /// OAuth, where callers are asked for its tokens.
    pub(super) oauth: Option<Server>,
    pub(super) generator: Generator,
    /// Everybody, where no authentication is configured.
    pub(super) anonymous: Option<Caller>,
    pub(super) abilities: Abilities,
    /// Whether streams may outlive a request here.
    pub(super) streams: bool,
    /// What seals the state that clients carry; `None` where there is no secret to do it with.
    pub(super) sealing: Option<SealingKeys>,
}

/// What a server does beyond answering. The product does none of it by itself: it hears of changes by looking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Clients of the revisions with a handshake have sessions over streamable HTTP, in the process that opened them.
    pub sessions: bool,
    /// Tools tell messages of a log.
    pub logging: bool,
    /// Of which changes tools tell.
    pub news: News,
}

impl Abilities {
    /// Everything.
    pub const ALL: Self = Self {
        sessions: true,
        logging: true,
        news: News { tools: true, prompts: true, resources: true, named_resources: true },
    };
}

/// What a server offers: the product is one, the server of a conformance suite another.
#[derive(Clone, Default)]
pub struct Offer {
    /// What can be called.
    pub tools: Table,
    /// What can be read.
    pub resources: Resources,
    /// What can be begun with.
    pub prompts: Prompts,
    /// What else it does.
    pub abilities: Abilities,
}

impl From<Table> for Offer {
    /// Tools and nothing else.
    fn from(tools: Table) -> Self {
        Self { tools, ..Self::default() }
    }
}

/// Why a configuration cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The token keys do not do.
    #[error("{0}")]
    Keys(#[from] KeyError),
    /// OAuth cannot be served.
    #[error("{0}")]
    OAuth(#[from] ServerError),
    /// The secret that seals does not do.
    #[error("`server.sealing_secret`: {0}")]
    Sealing(#[from] SealingKeyError),
    /// Tokens are demanded, and a line-based stream has nowhere else to get one from.
    #[error("JWE authentication is on, so stdio needs a token: give --token, MCP_TOKEN or MCP_TOKEN_FILE")]
    NoToken,
    /// The token of a line-based stream does not open.
    #[error("the token given by --token, MCP_TOKEN or MCP_TOKEN_FILE is refused: {0}")]
    Token(#[from] TokenError),
    /// The token of a line-based stream grants nothing.
    #[error("the token given by --token, MCP_TOKEN or MCP_TOKEN_FILE is refused: {0}")]
    Policy(PolicyError),
    /// The configured user may not be what everybody runs as.
    #[error("no query can run as the configured `clickhouse.username`: {0}")]
    Username(PolicyError),
}

impl Service {
    /// A service of all that Housekey has, as the configuration wants them.
    pub fn product(config: Config, host: Host) -> Result<Arc<Self>, StartError> {
        let (tools, resources, prompts) = (Table::product(&config), Resources::product(), Prompts::product());
        Self::new(config, Offer { tools, resources, prompts, abilities: Abilities::default() }, host)
    }

    /// The same for a host that judges requests, and has a component answer those of MCP: nothing outlives a request there.
    pub fn lending(config: Config) -> Result<Arc<Self>, StartError> {
        let mut service = Self::product(config, Host::Native)?;
        if let Some(service) = Arc::get_mut(&mut service) {
            service.streams = false;
        }
        Ok(service)
    }

    /// A service of this offer under this configuration.
    pub fn new(config: Config, offer: impl Into<Offer>, host: Host) -> Result<Arc<Self>, StartError> {
        let Offer { tools, resources, prompts, abilities } = offer.into();
        let jwe = &config.server.jwe;
        let keys = match host {
            Host::Native | Host::Edge if jwe.enabled => {
                Some(TokenKeys::new(&jwe.jwe_secret_key, &jwe.jwt_secret_key)?)
            }
            Host::Native | Host::Edge | Host::Hosted => None,
        };
        let life = LifePolicy::of(jwe);
        let policy = Policy::new(&config, host);
        let config = Arc::new(config);
        let oauth = Server::new(&config, host)?;
        let anonymous = match &keys {
            None if oauth.is_none() => Some(policy.static_caller(&config).map_err(StartError::Username)?),
            None | Some(_) => None,
        };
        let sealing = sealing(&config)?;
        let (guard, generator) = (guard(&config, host), Generator::new(&config));
        Ok(Arc::new(Self {
            config,
            tools,
            resources,
            prompts,
            guard,
            keys,
            life,
            policy,
            oauth,
            generator,
            anonymous,
            abilities,
            streams: host == Host::Native,
            sealing,
        }))
    }

    /// What the operator should hear about the tools, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let named = self.config.server.tool_timeouts.iter().map(|(name, _)| name);
        // A rule may make it, for some people.
        let may_be = |name: &str| self.tools.has(name) || catalogue::may_be_made(&self.config, name);
        let unknown = named.filter(|name| !may_be(name));
        unknown
            .map(|name| format!("`server.tool_timeouts` names {name:?}, and there is no such tool."))
            .collect()
    }

    /// The endpoint of OAuth at a path.
    pub(super) fn oauth_endpoint(&self, path: &str) -> Option<(&Server, Endpoint)> {
        let server = self.oauth.as_ref()?;
        Endpoint::parse(&self.config, &server.oauth, path).map(|endpoint| (server, endpoint))
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// What clients are told that there is.
    pub(super) fn capabilities(&self) -> Capabilities {
        Capabilities {
            resources: !self.resources.is_empty(),
            prompts: !self.prompts.is_empty(),
            news: self.news(),
            logging: self.abilities.logging,
        }
    }

    /// Of which changes there are news, on ways that can carry them.
    pub(super) fn news(&self) -> News {
        let News { tools, prompts, resources, named_resources } = self.abilities.news;
        News {
            tools: tools || catalogue::has_rules(&self.config),
            prompts: prompts && !self.prompts.is_empty(),
            resources: resources && !self.resources.is_empty(),
            named_resources: named_resources && !self.resources.is_empty(),
        }
    }

    /// The caller of a line-based stream, from the configured token.
    pub fn open_session(&self, env: &mut Env<'_>) -> Result<Session, StartError> {
        if let Some(everybody) = &self.anonymous {
            return Ok(Session::new(everybody.clone(), None));
        }
        let (Some(keys), Some(token)) = (&self.keys, &self.config.server.token) else {
            return Err(StartError::NoToken);
        };
        let claims = open(keys, token.expose(), &self.life, env.now)?;
        let caller = self.policy.caller(&self.config, &claims).map_err(StartError::Policy)?;
        Ok(Session::new(caller, None))
    }
}

/// What seals the state that clients carry: the operator's secret for that, else one that replicas share anyway.
fn sealing(config: &Config) -> Result<Option<SealingKeys>, SealingKeyError> {
    sealing_secrets(config).map(|secrets| SealingKeys::new(secrets, PURPOSE)).transpose()
}

/// The secrets from which the keys for state derive.
pub(super) fn sealing_secrets(config: &Config) -> Option<&[Secret<String>]> {
    let facade = config.server.oauth.as_ref().and_then(|oauth| oauth.facade.as_ref());
    let signing = facade.map_or([].as_slice(), |facade| facade.secrets.as_slice());
    let secrets = [config.server.sealing_secret.as_slice(), signing, &config.server.jwe.jwe_secret_key];
    secrets.into_iter().find(|secrets| !secrets.is_empty())
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
