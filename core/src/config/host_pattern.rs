//! Patterns for the ClickHouse servers that tokens may name: `host[:port]`.

use std::fmt;

use crate::address::canonical_host;

/// One entry of `server.jwe.allowed_hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    host: HostPart,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPart {
    Any,
    /// Names that end in this text, which begins with a dot.
    Below(String),
    /// One name or address in its canonical spelling.
    Exact(String),
}

/// How a pattern covers a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covered {
    /// By its name: the operator means this host, whatever its address is.
    ByName,
    /// By its domain: the operator did not think of this very host.
    ByDomain,
    /// By `*`: the operator thought of no host at all.
    ByAnything,
}

impl HostPattern {
    /// Reads `db.example.com`, `db.example.com:8443`, `*.example.com`, `10.0.0.7:8123`, `[fd00::7]:8123` or `*`.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = split(text)?;
        let host = match host {
            "*" => HostPart::Any,
            host => match host.strip_prefix("*.") {
                Some(parent) => {
                    let parent = canonical_host(parent).filter(|parent| !is_address(parent))?;
                    HostPart::Below(format!(".{parent}"))
                }
                None => HostPart::Exact(canonical_host(host)?),
            },
        };
        Some(Self { host, port })
    }

    /// Whether, and how, this covers a host in its canonical spelling at a port.
    pub fn covers(&self, host: &str, port: u16) -> Option<Covered> {
        if self.port.is_some_and(|wanted| wanted != port) {
            return None;
        }
        match &self.host {
            HostPart::Any => Some(Covered::ByAnything),
            HostPart::Below(suffix) => {
                (host.len() > suffix.len() && host.ends_with(suffix.as_str())).then_some(Covered::ByDomain)
            }
            HostPart::Exact(name) => (name == host).then_some(Covered::ByName),
        }
    }
}

/// The host and the port. Two colons and no brackets make an IPv6 address without a port.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    let digits = |port: &str| {
        let number = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok())?;
        number.filter(|port| *port > 0)
    };
    if text.starts_with('[') {
        let end = text.find(']')?;
        let (host, rest) = text.split_at_checked(end + 1)?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(digits(port)?))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Some((host, Some(digits(port)?))),
        Some(_) | None => Some((text, None)),
    }
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}

/// As [`HostPattern::parse`] reads it.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPart::Any => f.write_str("*")?,
            HostPart::Below(suffix) => write!(f, "*{suffix}")?,
            HostPart::Exact(host) if host.contains(':') => write!(f, "[{host}]")?,
            HostPart::Exact(host) => f.write_str(host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_they_say() {
        use Covered::{ByAnything, ByDomain, ByName};
        for (pattern, host, port, wanted) in [
            ("db.example.com", "db.example.com", 1, Some(ByName)),
            ("DB.example.com.", "db.example.com", 1, Some(ByName)),
            ("db.example.com:8443", "db.example.com", 8443, Some(ByName)),
            ("db.example.com:8443", "db.example.com", 8123, None),
            ("db.example.com", "a.db.example.com", 1, None),
            ("*.example.com", "db.example.com", 1, Some(ByDomain)),
            ("*.example.com", "a.b.example.com", 1, Some(ByDomain)),
            ("*.example.com", "example.com", 1, None),
            ("*.example.com", "badexample.com", 1, None),
            ("*.example.com:1", "db.example.com", 2, None),
            ("*", "127.0.0.1", 1, Some(ByAnything)),
            ("*:8443", "db", 8443, Some(ByAnything)),
            ("*:8443", "db", 22, None),
            ("10.0.0.7:8123", "10.0.0.7", 8123, Some(ByName)),
            ("[FD00::7]:8123", "fd00::7", 8123, Some(ByName)),
            ("fd00::7", "fd00::7", 1, Some(ByName)),
            ("localhost", "127.0.0.1", 1, None),
        ] {
            assert_eq!(HostPattern::parse(pattern).unwrap().covers(host, port), wanted, "{pattern} {host}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:b",
            "http://a",
            "a/b",
            "*a",
            "a.*",
            "**",
            "*.",
            "*.1.2.3.4",
            "*.*.a",
            "127.1",
            "[::1",
            "[::1]x",
            "[a]",
            "a b",
            "me@a",
            "[::1]:",
            "[::1]:0",
        ] {
            assert_eq!(HostPattern::parse(text), None, "{text}");
        }
    }

    #[test]
    fn patterns_are_written_as_they_are_read() {
        for text in ["*", "*:1", "*.example.com:8443", "db", "10.0.0.7:1", "[fd00::7]", "[fd00::7]:1"] {
            assert_eq!(HostPattern::parse(text).unwrap().to_string(), text);
        }
    }
}
