//! Host and Origin: who may speak to this server through somebody's browser.
//!
//! A page of a stranger can make a browser send requests to a server that only the browser's user can reach, by
//! DNS rebinding. The browser tells on the page with `Origin`, and on the name with `Host` (MCP, transports,
//! security warning).

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

/// Which names and origins are let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// `host` or `host:port` patterns for `Host`; nothing is checked when empty.
    pub hosts: Vec<String>,
    /// Loopback names are always good in `Host`.
    pub loopback_hosts: bool,
    /// Origins, as browsers write them.
    pub origins: Vec<String>,
    /// Origins of pages on this machine are let in.
    pub loopback_origins: bool,
}

/// Why a request is turned away before anything else is looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// No `Host`, two of them, or one that is not let in.
    #[error("the Host header is not one of `server.allowed_hosts`")]
    Host,
    /// An origin that is not let in.
    #[error("the Origin is not one of `server.cors_origin`")]
    Origin,
}

impl Guard {
    /// Lets a request pass and says which origin, if any, may read the answer.
    pub fn check(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<Option<String>, GuardError> {
        self.check_host(headers, authority)?;
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(None) };
        let origin = origin.to_str().map_err(|_| GuardError::Origin)?;
        if origins.next().is_some() || !self.lets_in(origin) {
            return Err(GuardError::Origin);
        }
        Ok(Some(origin.to_owned()))
    }

    /// Every name that the request gives must be let in: `Host`, and the authority of an absolute target, which wins
    /// over it (RFC 9112 section 3.2.2). Two `Host` headers are refused in any case (RFC 9112 section 3.2).
    pub fn check_host(&self, headers: &HeaderMap, authority: Option<&str>) -> Result<(), GuardError> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().map(|host| host.to_str().map_err(|_| GuardError::Host)).transpose()?;
        if hosts.next().is_some() {
            return Err(GuardError::Host);
        }
        if self.hosts.is_empty() && !self.loopback_hosts {
            return Ok(());
        }
        let mut names = host.into_iter().chain(authority).peekable();
        let named = names.peek().is_some();
        if named && names.all(|name| self.lets_in_host(name)) { Ok(()) } else { Err(GuardError::Host) }
    }

    fn lets_in_host(&self, named: &str) -> bool {
        let name = without_port(named);
        let listed = |host: &String| {
            host == "*" || host.eq_ignore_ascii_case(named) || host.eq_ignore_ascii_case(name)
        };
        (self.loopback_hosts && is_loopback(name)) || self.hosts.iter().any(listed)
    }

    fn lets_in(&self, origin: &str) -> bool {
        if self.origins.iter().any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
            return true;
        }
        let Some((scheme, rest)) = origin.split_once("://") else { return false };
        self.loopback_origins && matches!(scheme, "http" | "https") && is_loopback(without_port(rest))
    }
}

/// The host of `host[:port]`, with the brackets of an IPv6 address.
fn without_port(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority.find(']').and_then(|end| authority.get(..=end)).unwrap_or(authority);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Names of this machine. A name that merely ends in `localhost` can be made to resolve elsewhere.
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host == "::1"
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_rebound_name_is_refused_on_loopback() {
        let guard = Guard {
            hosts: vec!["mcp.example.com".into()],
            loopback_hosts: true,
            origins: vec!["https://app.example.com".into()],
            loopback_origins: true,
        };
        for host in
            ["localhost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]:8080", "LOCALHOST", "mcp.example.com:443"]
        {
            assert_eq!(guard.check(&headers(host, None), None), Ok(None), "{host}");
        }
        for host in
            ["evil.example.com", "localhost.evil.com", "127.0.0.1.evil.com", "evil.com:8080", "[::2]", ""]
        {
            assert_eq!(guard.check(&headers(host, None), None), Err(GuardError::Host), "{host}");
        }
        for origin in
            ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5", "https://app.example.com"]
        {
            assert_eq!(
                guard.check(&headers("localhost", Some(origin)), None),
                Ok(Some(origin.into())),
                "{origin}"
            );
        }
        for origin in [
            "null",
            "http://evil.example.com",
            "http://localhost.evil.com",
            "https://app.example.com:444",
            "file://localhost",
        ] {
            assert_eq!(
                guard.check(&headers("localhost", Some(origin)), None),
                Err(GuardError::Origin),
                "{origin}"
            );
        }
    }

    #[test]
    fn two_hosts_or_two_origins_are_refused() {
        let guard = Guard { hosts: vec![], loopback_hosts: true, origins: vec![], loopback_origins: true };
        let mut two = headers("localhost", Some("http://localhost"));
        two.append(HOST, "evil".parse().unwrap());
        assert_eq!(guard.check(&two, None), Err(GuardError::Host));
        let mut two = headers("localhost", Some("http://localhost"));
        two.append(ORIGIN, "http://evil".parse().unwrap());
        assert_eq!(guard.check(&two, None), Err(GuardError::Origin));
    }

    #[test]
    fn an_absolute_target_is_judged_like_the_header() {
        let guard = Guard { hosts: vec![], loopback_hosts: true, origins: vec![], loopback_origins: true };
        assert_eq!(guard.check(&headers("127.0.0.1", None), Some("evil.example")), Err(GuardError::Host));
        assert_eq!(guard.check(&headers("evil.example", None), Some("127.0.0.1")), Err(GuardError::Host));
        assert_eq!(guard.check(&headers("127.0.0.1", None), Some("localhost:1")), Ok(None));
        assert_eq!(guard.check(&HeaderMap::new(), Some("localhost:1")), Ok(None));
        assert_eq!(guard.check(&HeaderMap::new(), None), Err(GuardError::Host));
    }

    #[test]
    fn an_open_server_without_a_list_takes_any_host() {
        let guard = Guard { hosts: vec![], loopback_hosts: false, origins: vec![], loopback_origins: false };
        assert_eq!(guard.check(&headers("anything", None), None), Ok(None));
        assert_eq!(guard.check(&headers("x", Some("http://localhost")), None), Err(GuardError::Origin));
    }
}
