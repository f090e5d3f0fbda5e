//! Where a guest may connect to.
//!
//! The guest is held to what core has judged already: a sandbox is worth nothing if only its inmate keeps the rules.

use housekey_core::address::canonical_host;
use housekey_core::clickhouse::{Endpoint, Scheme};
use housekey_core::config::oauth::OAuth;
use housekey_core::config::{ClickHouse, Config, Covered, HostPattern};
use reqwest::Url;

use crate::resolver::{AddressRule, ForbiddenAddress};

/// Where a guest may connect to: the operator's own server, and others as tokens may name them.
#[derive(Clone, Debug)]
pub struct Outbound {
    own: Url,
    others: Others,
    provider: Option<Provider>,
}

/// What OAuth needs.
#[derive(Clone, Debug)]
struct Provider {
    /// The origins that the operator named.
    named: Vec<String>,
    /// Whether a discovery document may name others.
    discovers: bool,
    /// Hosts of client documents.
    documents: Vec<HostPattern>,
}

/// Servers beside the operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Others {
    /// None: nobody is there to name one.
    Forbidden,
    /// All, save addresses that have to be named.
    Unlisted,
    /// Those that a pattern covers.
    Listed(Vec<HostPattern>),
}

/// In which way a server is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As the operator configured it, with a certificate of Housekey's, say.
    Own,
    /// With nothing of the operator's, at whatever address: the operator has named it.
    Named,
    /// With nothing of the operator's, and at no address that would have to be named.
    Unnamed,
    /// With nothing of the operator's, and at addresses of the public internet.
    Public,
}

/// Why a guest may not connect. The text is for the operator.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("it is not the configured server, and without `server.jwe.enabled` there is no other")]
    NotOwn,
    #[error("its host is not a plain name or address")]
    NotHost,
    #[error("`server.jwe.allowed_hosts` does not list it")]
    NotListed,
    #[error("{0}")]
    Address(#[from] ForbiddenAddress),
}

/// The configured server makes no URL.
#[derive(Debug, thiserror::Error)]
#[error("`clickhouse.host` cannot stand in a URL: {0}")]
pub struct NotUrl(String);

impl Outbound {
    /// What a configuration needs: its own server and, where JWE tokens may name another one, those that they may.
    ///
    /// # Errors
    /// The configured server makes no URL.
    pub fn of(config: &Config) -> Result<Self, NotUrl> {
        let ClickHouse { host, port, tls, .. } = &config.clickhouse;
        let scheme = if tls.enabled { Scheme::Https } else { Scheme::Http };
        let own = Endpoint { scheme, host: host.clone(), port: *port }.to_string();
        let own = Url::parse(&own).map_err(|error| NotUrl(error.to_string()))?;
        let jwe = &config.server.jwe;
        let others = match jwe.allowed_hosts.as_slice() {
            _ if !jwe.enabled => Others::Forbidden,
            [] => Others::Unlisted,
            patterns => Others::Listed(patterns.to_vec()),
        };
        Ok(Self { own, others, provider: config.server.oauth.as_ref().map(Provider::of) })
    }

    /// Whether there are other servers than the operator's own.
    pub(super) fn has_others(&self) -> bool {
        self.others != Others::Forbidden || self.provider.is_some()
    }

    /// How this URL may be connected to. It has to be the very one that the connection will be made from: what
    /// programs read in different ways is read once.
    pub(super) fn judge(&self, to: &Url) -> Result<Way, Denied> {
        if to.origin() == self.own.origin() {
            return Ok(Way::Own);
        }
        match &self.provider {
            Some(provider) if provider.is_named(to) => Ok(Way::Named),
            // What tokens may name goes first: the operator may have listed a server at a private address.
            Some(provider) => self.judge_for_tokens(to).or_else(|denied| provider.judge(to).ok_or(denied)),
            None => self.judge_for_tokens(to),
        }
    }

    fn judge_for_tokens(&self, to: &Url) -> Result<Way, Denied> {
        let patterns = match &self.others {
            Others::Forbidden => return Err(Denied::NotOwn),
            Others::Unlisted => None,
            Others::Listed(patterns) => Some(patterns),
        };
        let (host, port) = place(to).ok_or(Denied::NotHost)?;
        // Every token reaches the configured server; with or without TLS makes no other server of it.
        if place(&self.own).is_some_and(|own| own == (host.clone(), port)) {
            return Ok(Way::Named);
        }
        if let Some(patterns) = patterns {
            let mut covered = patterns.iter().filter_map(|pattern| pattern.covers(&host, port)).peekable();
            if covered.peek().is_none() {
                return Err(Denied::NotListed);
            }
            if covered.any(|how| how == Covered::ByName) {
                return Ok(Way::Named);
            }
        }
        AddressRule::NeedsNoNaming.check_url(to)?;
        Ok(Way::Unnamed)
    }
}

impl Provider {
    fn of(oauth: &OAuth) -> Self {
        let upstream = &oauth.upstream;
        let facade = oauth.facade.as_ref();
        let urls = [
            &upstream.issuer,
            &upstream.jwks_url,
            &upstream.introspection_url,
            facade.map_or(&None, |facade| &facade.token_url),
            facade.map_or(&None, |facade| &facade.userinfo_url),
        ];
        let named = urls
            .into_iter()
            .flatten()
            .filter_map(|url| Some(Url::parse(url).ok()?.origin().ascii_serialization()))
            .collect();
        let documents = facade.map(|facade| facade.client_document_hosts.clone()).unwrap_or_default();
        Self { named, discovers: upstream.issuer.is_some(), documents }
    }

    /// Whether the operator named this origin.
    fn is_named(&self, to: &Url) -> bool {
        self.named.contains(&to.origin().ascii_serialization())
    }

    /// A guest reads the discovery document, so the host cannot tell which origins that names: what nobody named has to
    /// be a public place that is spoken with by TLS.
    fn judge(&self, to: &Url) -> Option<Way> {
        let (host, port) = place(to)?;
        let listed = self.documents.iter().any(|pattern| pattern.covers(&host, port).is_some());
        let may_be = to.scheme() == "https" && (self.discovers || listed);
        (may_be && AddressRule::Public.check_url(to).is_ok()).then_some(Way::Public)
    }
}

/// The canonical host and the port.
fn place(url: &Url) -> Option<(String, u16)> {
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    Some((canonical_host(url.host_str()?)?, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use housekey_core::config::{Host, Sources, load};

    use super::*;

    fn config(variables: &[(&str, &str)]) -> Config {
        let environment = [("MCP_TRANSPORT", "http")].iter().chain(variables);
        let environment = environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let sources = Sources { environment: environment.collect(), ..Sources::default() };
        load(Host::Native, &sources, &|_| Err(String::new())).unwrap_or_else(|error| panic!("{error}")).config
    }

    const JWE: [(&str, &str); 3] = [
        ("MCP_ALLOW_JWE_AUTH", "true"),
        ("MCP_JWE_SECRET_KEY", "a secret key of some length, for tests"),
        ("MCP_JWT_SECRET_KEY", "another secret key of some length, for tests"),
    ];

    #[test]
    fn the_configuration_decides_who_is_reached_and_how() {
        use Way::{Named, Own, Unnamed};
        let own = [("CLICKHOUSE_HOST", "DB.internal"), ("CLICKHOUSE_PORT", "8123")];
        let of = |more: &[(&str, &str)]| Outbound::of(&config(&[&own[..], more].concat())).unwrap();
        let listed = |list| of(&[&JWE[..], &[("MCP_JWE_ALLOWED_HOSTS", list)]].concat());
        let (off, open) = (of(&[]), of(&JWE));
        let all = listed("*");
        let few = listed("*.example.com:8443,db.example.org,10.0.0.7:8123,127.0.0.1:9000,[fd00::7]");
        let table: [(&str, [Option<Way>; 4]); 32] = [
            // the address, with tokens off, without a list, with `*`, with some patterns
            ("http://db.internal:8123/?query_id=1", [Some(Own), Some(Own), Some(Own), Some(Own)]),
            ("http://DB.Internal:8123/", [Some(Own), Some(Own), Some(Own), Some(Own)]),
            ("https://db.internal:8123/", [None, Some(Named), Some(Named), Some(Named)]),
            ("http://db.internal.:8123/", [None, Some(Named), Some(Named), Some(Named)]),
            ("http://db.internal/", [None, Some(Unnamed), Some(Unnamed), None]),
            ("http://db.internal:22/", [None, Some(Unnamed), Some(Unnamed), None]),
            ("http://db.internal.evil.test:8123/", [None, Some(Unnamed), Some(Unnamed), None]),
            ("http://x@db.internal:8123/", [Some(Own), Some(Own), Some(Own), Some(Own)]),
            ("http://db.internal:8123@evil.test/", [None, Some(Unnamed), Some(Unnamed), None]),
            ("https://a.example.com:8443/", [None, Some(Unnamed), Some(Unnamed), Some(Unnamed)]),
            ("https://A.EXAMPLE.com.:8443/", [None, Some(Unnamed), Some(Unnamed), Some(Unnamed)]),
            ("https://a.example.com/", [None, Some(Unnamed), Some(Unnamed), None]),
            ("https://example.com:8443/", [None, Some(Unnamed), Some(Unnamed), None]),
            ("http://db.example.org/", [None, Some(Unnamed), Some(Unnamed), Some(Named)]),
            ("http://db.example.org.:1/", [None, Some(Unnamed), Some(Unnamed), Some(Named)]),
            ("http://xdb.example.org/", [None, Some(Unnamed), Some(Unnamed), None]),
            ("http://10.0.0.7:8123/", [None, Some(Unnamed), Some(Unnamed), Some(Named)]),
            ("http://10.0.0.8:8123/", [None, Some(Unnamed), Some(Unnamed), None]),
            ("http://127.0.0.1:9000/", [None, None, None, Some(Named)]),
            ("http://127.1:9000/", [None, None, None, Some(Named)]),
            ("http://127.0.0.1:9001/", [None, None, None, None]),
            ("http://2130706433:9001/", [None, None, None, None]),
            ("http://%31%32%37.0.0.1/", [None, None, None, None]),
            ("http://[::1]:9000/", [None, None, None, None]),
            ("http://[::ffff:127.0.0.1]:9000/", [None, None, None, None]),
            ("http://[fd00::7]/", [None, Some(Unnamed), Some(Unnamed), Some(Named)]),
            ("http://169.254.169.254/latest/", [None, None, None, None]),
            ("http://[fd00:ec2::254]/", [None, None, None, None]),
            ("http://localhost:9000/", [None, Some(Unnamed), Some(Unnamed), None]),
            ("http://a!b.example.com:8443/", [None, None, None, None]),
            ("ftp://a.example.com:8443/", [None, None, None, None]),
            ("file:///etc/passwd", [None, None, None, None]),
        ];
        for (to, wanted) in table {
            let url = Url::parse(to).unwrap();
            for (outbound, wanted) in [&off, &open, &all, &few].into_iter().zip(wanted) {
                assert_eq!(outbound.judge(&url).ok(), wanted, "{to} {:?}", outbound.others);
            }
        }
    }

    #[test]
    fn an_own_server_on_this_machine_is_reached() {
        for (host, to) in [
            ("127.0.0.1", "http://127.0.0.1:8123/"),
            ("localhost", "http://localhost:8123/"),
            ("::1", "http://[::1]:8123/"),
        ] {
            let own = [("CLICKHOUSE_HOST", host), ("CLICKHOUSE_PORT", "8123")];
            let outbound = Outbound::of(&config(&[&own[..], &JWE].concat())).unwrap();
            let judge = |to: &str| outbound.judge(&Url::parse(to).unwrap()).ok();
            assert_eq!(judge(to), Some(Way::Own));
            assert_eq!(judge(&to.replace("http:", "https:")), Some(Way::Named));
            assert_eq!(judge(&to.replace("8123", "22")).is_some(), host == "localhost");
        }
    }

    const OAUTH: [(&str, &str); 5] = [
        ("MCP_OAUTH_ENABLED", "true"),
        ("MCP_OAUTH_MODE", "gating"),
        ("MCP_OAUTH_ISSUER", "http://127.0.0.1:9400/realm"),
        ("MCP_OAUTH_CLIENT_ID", "housekey"),
        ("MCP_OAUTH_SIGNING_SECRET", "a secret of thirty-two bytes, at least"),
    ];

    #[test]
    fn a_provider_is_reached_beside_what_tokens_name() {
        let list = ("MCP_JWE_ALLOWED_HOSTS", "db.internal,*.listed.example");
        let alone = Outbound::of(&config(&OAUTH)).unwrap();
        let beside = Outbound::of(&config(&[&JWE[..], &OAUTH, &[list]].concat())).unwrap();
        for (to, wanted) in [
            ("http://127.0.0.1:9400/token", [Some(Way::Named), Some(Way::Named)]),
            ("http://127.0.0.1:9401/token", [None, None]),
            ("https://login.example.com/token", [Some(Way::Public), Some(Way::Public)]),
            ("http://login.example.com/token", [None, None]),
            ("https://10.0.0.7/token", [None, None]),
            ("https://169.254.169.254/", [None, None]),
            // Listed, so that it may be at a private address; without tokens nobody can name it.
            ("https://db.internal:8443/", [Some(Way::Public), Some(Way::Named)]),
            ("http://db.internal:8123/", [None, Some(Way::Named)]),
            ("https://a.listed.example/", [Some(Way::Public), Some(Way::Unnamed)]),
        ] {
            let judged = [&alone, &beside].map(|outbound| outbound.judge(&Url::parse(to).unwrap()).ok());
            assert_eq!(judged, wanted, "{to}");
        }
    }

    #[test]
    fn what_is_denied_says_why() {
        let url = |text| Url::parse(text).unwrap();
        let off = Outbound::of(&config(&[])).unwrap();
        assert_eq!(off.judge(&url("http://a.test/")), Err(Denied::NotOwn));
        let list = [&JWE[..], &[("MCP_JWE_ALLOWED_HOSTS", "*.a.test")]].concat();
        let few = Outbound::of(&config(&list)).unwrap();
        assert_eq!(few.judge(&url("http://b.test/")), Err(Denied::NotListed));
        assert_eq!(few.judge(&url("http://a~b.a.test/")), Err(Denied::NotHost));
        let open = Outbound::of(&config(&JWE)).unwrap();
        let denied = open.judge(&url("http://169.254.169.254/")).unwrap_err();
        assert!(matches!(denied, Denied::Address(ForbiddenAddress::NotNamed { .. })), "{denied}");
    }
}
