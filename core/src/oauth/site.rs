//! Under which URLs this server is known, and which path is which endpoint.
//!
//! The operator's URLs win. Without them the name by which a request came is believed for what that request alone is
//! told; what a proxy says of itself in headers is not, since anybody can say it.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;

use crate::config::Config;
use crate::config::oauth::OAuth;

/// An endpoint of OAuth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// The protected resource's metadata (RFC 9728), for the resource at this path.
    ResourceMetadata(String),
    /// The authorization server's metadata (RFC 8414).
    ServerMetadata,
    /// The same as OpenID Connect Discovery has it.
    OpenIdConfiguration,
    /// The keys of what is signed, which is nothing.
    Jwks,
    /// Client registration (RFC 7591).
    Register,
    /// The authorization endpoint, to which the consent page answers, too.
    Authorize,
    /// Where the identity provider returns.
    Callback,
    /// The token endpoint.
    Token,
}

pub(crate) const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";
const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
pub(crate) const JWKS: &str = "/oauth/jwks";

/// Paths at which MCP is served, the one without a path first.
const MCP_PATHS: [&str; 4] = ["", "/mcp", "/http", "/sse"];

impl Endpoint {
    /// The endpoint at a path as it stands in a URL, under a configuration with OAuth. One trailing slash does not count.
    pub(crate) fn parse(config: &Config, oauth: &OAuth, path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        if path == oauth.resource_metadata_path {
            return Some(Self::ResourceMetadata(String::new()));
        }
        let resource = config.server.public_resource_url.as_deref().map_or("", path_of);
        if let Some((before, after)) = path.split_once(RESOURCE_METADATA) {
            // RFC 9728 puts the resource's path behind; behind a proxy that shares only that path, it goes before.
            let place = if before.is_empty() { after } else { before };
            let known = MCP_PATHS.contains(&place) || place == resource;
            let one_sided = before.is_empty() || after.is_empty();
            return (known && one_sided).then(|| Self::ResourceMetadata(place.to_owned()));
        }
        let facade = oauth.facade.as_ref()?;
        let base = facade.public_url.as_deref().map_or("", path_of);
        for (metadata, configured, endpoint) in [
            (SERVER_METADATA, &facade.paths.metadata, Self::ServerMetadata),
            (OPENID_CONFIGURATION, &facade.paths.openid_configuration, Self::OpenIdConfiguration),
        ] {
            if path == configured {
                return Some(endpoint);
            }
            if let Some((before, after)) = path.split_once(metadata) {
                // `/oauth` is where altinity-mcp has them, too.
                let fits = |place: &str| place.is_empty() || place == base || place == "/oauth";
                let one_sided = before.is_empty() || after.is_empty();
                return (fits(before) && fits(after) && one_sided).then_some(endpoint);
            }
        }
        let below = path.strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(path);
        let paths = &facade.paths;
        [
            (paths.registration.as_str(), "/oauth/register", "/register", Self::Register),
            (paths.authorization.as_str(), "/oauth/authorize", "/authorize", Self::Authorize),
            (paths.callback.as_str(), "/oauth/callback", "/callback", Self::Callback),
            (paths.token.as_str(), "/oauth/token", "/token", Self::Token),
            (JWKS, JWKS, "/jwks", Self::Jwks),
        ]
        .into_iter()
        .find(|(configured, long, short, _)| {
            [path, below].iter().any(|path| path == configured || path == long || path == short)
        })
        .map(|(_, _, _, endpoint)| endpoint)
    }
}

/// The URLs of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// The URL of the resource, without a slash at its end: the operator's, else the origin that was asked.
    resource: String,
    /// Whether the operator gave it.
    is_given: bool,
    /// The issuer, which is also the URL below which the facade's endpoints are, without a slash at its end.
    issuer: String,
}

impl Site {
    /// The site that a request reached.
    pub(crate) fn of(config: &Config, oauth: &OAuth, head: &Parts) -> Self {
        let given = config.server.public_resource_url.as_deref().map(|url| url.trim_end_matches('/'));
        let resource = given.map_or_else(|| reached(config, head), str::to_owned);
        let public = oauth.facade.as_ref().and_then(|facade| facade.public_url.clone());
        let issuer = public.unwrap_or_else(|| origin_of(&resource).to_owned());
        Self { resource, is_given: given.is_some(), issuer }
    }

    /// A site that no request reached, for who judges a token without one.
    pub(crate) fn configured(config: &Config, oauth: &OAuth) -> Self {
        let (parts, ()) = http::Request::new(()).into_parts();
        Self::of(config, oauth, &parts)
    }

    /// The facade's issuer.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The URL of one of the facade's endpoints by its configured path. A path that begins with that of the issuer is not
    /// put below it once more.
    pub(crate) fn endpoint(&self, path: &str) -> String {
        let base = path_of(&self.issuer);
        match path.strip_prefix(base) {
            Some(rest) if !base.is_empty() && rest.starts_with('/') => format!("{}{rest}", self.issuer),
            _ => format!("{}{path}", self.issuer),
        }
    }

    /// The URL of the resource at one of MCP's paths.
    pub(crate) fn resource_at(&self, place: &str) -> String {
        match self.is_given {
            true => self.resource.clone(),
            false => format!("{}{place}", self.resource),
        }
    }

    /// Where the resource's metadata is, for a challenge.
    pub(crate) fn resource_metadata_url(&self, place: &str) -> String {
        match self.is_given {
            // A proxy is sure to let through what is below the resource itself.
            true => format!("{}{RESOURCE_METADATA}", self.resource),
            false => format!("{}{RESOURCE_METADATA}{place}", self.resource),
        }
    }

    /// Whether a URL names this resource, with or without a slash at its end (RFC 8707 section 2).
    pub(crate) fn is_resource(&self, url: &str) -> bool {
        let url = normal(url);
        MCP_PATHS.iter().any(|path| url == normal(&format!("{}{path}", self.resource)))
    }

    /// All names under which tokens may have this resource as their audience.
    pub(crate) fn audiences(&self) -> Vec<String> {
        MCP_PATHS.iter().map(|path| format!("{}{path}", self.resource)).collect()
    }

    /// Whether what is sent to a browser may be kept to https.
    pub(crate) fn is_secure(&self) -> bool {
        self.issuer.starts_with("https://")
    }
}

/// A URL with its scheme and host in lower case and without a slash at its end.
fn normal(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let origin = origin_of(url);
    let rest = url.get(origin.len()..).unwrap_or_default();
    format!("{}{rest}", origin.to_ascii_lowercase())
}

/// `https://host:port` of a URL.
pub(crate) fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(start..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(url.len(), |at| start + at);
    url.get(..end).unwrap_or(url)
}

/// The path of a URL without a slash at its end.
fn path_of(url: &str) -> &str {
    let rest = url.get(origin_of(url).len()..).unwrap_or_default();
    rest.trim_end_matches('/')
}

/// The origin by which a request reached this server.
fn reached(config: &Config, head: &Parts) -> String {
    let scheme = if config.server.openapi.tls { "https" } else { "http" };
    let named = head.headers.get(HOST).and_then(|host| host.to_str().ok()?.parse().ok());
    let name: Option<Authority> = head.uri.authority().cloned().or(named);
    match name.filter(|name| !name.as_str().contains('@')) {
        Some(name) => format!("{scheme}://{}", name.as_str().to_ascii_lowercase()),
        None => format!("{scheme}://localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::sample;

    const PROXIED: [(&str, &str); 2] = [
        ("MCP_OAUTH_PUBLIC_RESOURCE_URL", "https://public.example/http"),
        ("MCP_OAUTH_PUBLIC_AUTH_SERVER_URL", "https://public.example/oauth"),
    ];

    fn site(config: &Config, host: &str) -> Site {
        let (head, ()) = http::Request::builder().header("host", host).body(()).unwrap().into_parts();
        Site::of(config, config.server.oauth.as_ref().unwrap(), &head)
    }

    #[test]
    fn paths_are_endpoints_in_all_forms_that_clients_try() {
        let plain = sample::config(&[]).unwrap();
        let proxied = sample::config(&PROXIED).unwrap();
        let metadata = |place: &str| Some(Endpoint::ResourceMetadata(place.to_owned()));
        for (config, path, endpoint) in [
            (&plain, "/.well-known/oauth-protected-resource", metadata("")),
            (&plain, "/.well-known/oauth-protected-resource/", metadata("")),
            (&plain, "/.well-known/oauth-protected-resource/mcp", metadata("/mcp")),
            (&plain, "/.well-known/oauth-protected-resource/other", None),
            (&plain, "/.well-known/oauth-protected-resourceful", None),
            (&plain, "/mcp/.well-known/oauth-protected-resource", metadata("/mcp")),
            (&plain, "/.well-known/oauth-authorization-server", Some(Endpoint::ServerMetadata)),
            (&plain, "/.well-known/oauth-authorization-server/oauth", Some(Endpoint::ServerMetadata)),
            (&plain, "/oauth/.well-known/oauth-authorization-server", Some(Endpoint::ServerMetadata)),
            // A document whose issuer is another than its place says would be refused.
            (&plain, "/.well-known/oauth-authorization-server/mcp", None),
            (&plain, "/.well-known/openid-configuration", Some(Endpoint::OpenIdConfiguration)),
            (&plain, "/oauth/register", Some(Endpoint::Register)),
            (&plain, "/register", Some(Endpoint::Register)),
            (&plain, "/authorize", Some(Endpoint::Authorize)),
            (&plain, "/oauth/token/", Some(Endpoint::Token)),
            (&plain, "/callback", Some(Endpoint::Callback)),
            (&plain, "/tokens", None),
            (&plain, "/mcp", None),
            (&proxied, "/http/.well-known/oauth-protected-resource", metadata("/http")),
            (&proxied, "/oauth/.well-known/openid-configuration", Some(Endpoint::OpenIdConfiguration)),
            (&proxied, "/oauth/oauth/token", Some(Endpoint::Token)),
            (&proxied, "/oauth/token", Some(Endpoint::Token)),
            (&proxied, "/token", Some(Endpoint::Token)),
        ] {
            assert_eq!(
                Endpoint::parse(config, config.server.oauth.as_ref().unwrap(), path),
                endpoint,
                "{path}"
            );
        }
        let moved = sample::config(&[("MCP_OAUTH_TOKEN_PATH", "/t"), PROXIED[0], PROXIED[1]]).unwrap();
        let oauth = moved.server.oauth.as_ref().unwrap();
        for path in ["/t", "/oauth/t", "/oauth/token"] {
            assert_eq!(Endpoint::parse(&moved, oauth, path), Some(Endpoint::Token), "{path}");
        }
    }

    #[test]
    fn urls_are_the_operators_or_those_of_the_request() {
        let here = site(&sample::config(&[]).unwrap(), "Mcp.Example.com:8080");
        assert_eq!(here.issuer(), "http://mcp.example.com:8080");
        assert_eq!(here.endpoint("/oauth/token"), "http://mcp.example.com:8080/oauth/token");
        assert_eq!(here.resource_at("/mcp"), "http://mcp.example.com:8080/mcp");
        assert_eq!(
            here.resource_metadata_url("/mcp"),
            "http://mcp.example.com:8080/.well-known/oauth-protected-resource/mcp"
        );
        let there = site(&sample::config(&PROXIED).unwrap(), "evil.example");
        assert_eq!(there.issuer(), "https://public.example/oauth");
        assert_eq!(there.endpoint("/oauth/token"), "https://public.example/oauth/token");
        assert_eq!(there.endpoint("/t"), "https://public.example/oauth/t");
        assert_eq!(there.resource_at("/mcp"), "https://public.example/http");
        assert_eq!(
            there.resource_metadata_url("/mcp"),
            "https://public.example/http/.well-known/oauth-protected-resource"
        );
    }

    #[test]
    fn a_resource_is_known_by_its_names() {
        let here = site(&sample::config(&[]).unwrap(), "mcp.example.com");
        for (url, is) in [
            ("http://mcp.example.com", true),
            ("http://MCP.example.com/", true),
            ("http://mcp.example.com/mcp", true),
            ("http://mcp.example.com/mcp/", true),
            ("http://mcp.example.com/MCP", false),
            ("http://mcp.example.com/other", false),
            ("https://mcp.example.com/mcp", false),
            ("http://mcp.example.com.evil.test/mcp", false),
            ("http://mcp.example.com/mcp?x", false),
        ] {
            assert_eq!(here.is_resource(url), is, "{url}");
        }
        let there = site(&sample::config(&PROXIED).unwrap(), "evil.example");
        assert!(
            there.is_resource("https://public.example/http/")
                && !there.is_resource("https://public.example/mcp")
        );
        assert!(!there.is_resource("http://evil.example/mcp"));
    }
}
