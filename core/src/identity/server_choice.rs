//! Which ClickHouse server a token may choose, and how TLS is spoken with it.

use std::net::IpAddr;
use std::num::NonZero;

use crate::address::{canonical_host, is_global, needs_naming};
use crate::clickhouse::{ClientFiles, Endpoint, Protocol, Reach, Scheme, TokenServer, TokenTls};
use crate::config::{Config, Covered, Host};
use crate::jose::claims::{self, Claims};

/// Why a token may not choose this server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// The claim `host` is something else than a host.
    #[error("the token's `host` is not a host name or an IP address")]
    NotHost,
    /// The operator has a list, or the runtime needs one, and this is not on it.
    #[error("the token names a ClickHouse server that `server.jwe.allowed_hosts` does not list")]
    NotAllowed,
    /// This machine, a link-local or a metadata address.
    #[error(
        "the token names a loopback, link-local or metadata address, which `server.jwe.allowed_hosts` must list by name"
    )]
    NotNamed,
    /// A token that was made for a stranger is worth no more than the stranger's own place in the network.
    #[error(
        "a token made without the generator's bearer reaches servers that `server.jwe.allowed_hosts` lists, and others \
         at addresses of the public internet only"
    )]
    NotPublic,
    /// Settings of TLS without TLS would be silently ignored.
    #[error("the token has settings of TLS, but its `tls_enabled` is not true")]
    TlsOff,
    /// The edge has no files and no say in how TLS is verified.
    #[error("`{claim}` works on the native host only: at the edge the runtime speaks TLS")]
    TlsAtEdge {
        /// The claim.
        claim: &'static str,
    },
    /// The operator lends no files to tokens.
    #[error("`{claim}` needs `server.jwe.tls_directory`, which is not set")]
    NoDirectory {
        /// The claim.
        claim: &'static str,
    },
    /// The path leads elsewhere.
    #[error("`{claim}` is not a file below `server.jwe.tls_directory`")]
    NotBelowDirectory {
        /// The claim.
        claim: &'static str,
    },
    /// One half of a certificate.
    #[error("`tls_client_cert` and `tls_client_key` go together")]
    HalfCertificate,
}

/// Whether the claims choose a server rather than leave it to the operator.
pub(super) fn is_made(claims: &Claims) -> bool {
    claims.host.is_some()
        || claims.port.is_some()
        || claims.protocol.is_some()
        || claims.tls_enabled.is_some()
        || tls_claim(claims).is_some()
}

/// Who had a token made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MadeFor {
    /// Somebody whom the operator trusts with the secret or the generator's bearer.
    TheOperator,
    /// Whoever asked the generator.
    Stranger,
}

/// The server that the claims choose, if they may.
pub(super) fn judge(
    config: &Config,
    host: Host,
    claims: &Claims,
    made_for: MadeFor,
) -> Result<(Endpoint, TokenServer), ChoiceError> {
    let clickhouse = &config.clickhouse;
    let tls = claims.tls_enabled.unwrap_or(clickhouse.tls.enabled);
    let protocol = claims.protocol.map_or(clickhouse.protocol, |protocol| match protocol {
        claims::Protocol::Http => Protocol::Http,
        claims::Protocol::Tcp => Protocol::Tcp,
    });
    let endpoint = Endpoint {
        scheme: Scheme::of(protocol, tls),
        host: claims.host.clone().unwrap_or_else(|| clickhouse.host.clone()),
        port: claims.port.map_or(clickhouse.port, NonZero::get),
    };
    let reach = judge_address(config, host, &endpoint, made_for)?;
    let tls = judge_tls(config, host, claims)?;
    // Brackets belong to URLs.
    let bare = endpoint.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok((Endpoint { host: bare, ..endpoint }, TokenServer { reach, tls }))
}

/// At which addresses the server may be.
fn judge_address(
    config: &Config,
    host: Host,
    endpoint: &Endpoint,
    made_for: MadeFor,
) -> Result<Reach, ChoiceError> {
    let name = canonical_host(&endpoint.host).ok_or(ChoiceError::NotHost)?;
    let own = canonical_host(&config.clickhouse.host);
    let is_own = own.as_ref() == Some(&name) && endpoint.port == config.clickhouse.port;
    // Every token of the operator's reaches the configured server, so choosing it chooses nothing new.
    if is_own && made_for == MadeFor::TheOperator {
        return Ok(Reach::Any);
    }
    let patterns = &config.server.jwe.allowed_hosts;
    let covered: Vec<_> =
        patterns.iter().filter_map(|pattern| pattern.covers(&name, endpoint.port)).collect();
    if covered.contains(&Covered::ByName) {
        return Ok(Reach::Any);
    }
    let reach = match (made_for, host) {
        _ if covered.contains(&Covered::ByDomain) => Reach::Unnamed,
        (MadeFor::TheOperator, _) if covered.contains(&Covered::ByAnything) => Reach::Unnamed,
        (MadeFor::TheOperator, Host::Native) if patterns.is_empty() => Reach::Unnamed,
        (MadeFor::Stranger, Host::Native) if patterns.is_empty() || !covered.is_empty() => Reach::Public,
        (MadeFor::TheOperator | MadeFor::Stranger, Host::Native | Host::Edge | Host::Hosted) => {
            return Err(ChoiceError::NotAllowed);
        }
    };
    // Names are judged by the host that resolves them; these two are certain to lead home.
    let local = name == "localhost" || name.ends_with(".localhost");
    let address: Option<IpAddr> = name.parse().ok();
    if local || address.is_some_and(needs_naming) {
        return Err(ChoiceError::NotNamed);
    }
    if reach == Reach::Public && address.is_some_and(|address| !is_global(address)) {
        return Err(ChoiceError::NotPublic);
    }
    Ok(reach)
}

fn judge_tls(config: &Config, host: Host, claims: &Claims) -> Result<TokenTls, ChoiceError> {
    let Some(claim) = tls_claim(claims) else { return Ok(TokenTls::default()) };
    if host != Host::Native {
        return Err(ChoiceError::TlsAtEdge { claim });
    }
    if claims.tls_enabled != Some(true) {
        return Err(ChoiceError::TlsOff);
    }
    let directory = config.server.jwe.tls_directory.as_deref();
    let file = |claim: &'static str, path: &Option<String>| {
        let Some(path) = path else { return Ok(None) };
        let directory = directory.ok_or(ChoiceError::NoDirectory { claim })?;
        below(directory, path).map(Some).ok_or(ChoiceError::NotBelowDirectory { claim })
    };
    let ca_cert = file("tls_ca_cert", &claims.tls_ca_cert)?;
    let cert = file("tls_client_cert", &claims.tls_client_cert)?;
    let key = file("tls_client_key", &claims.tls_client_key)?;
    let client = match (cert, key) {
        (Some(cert), Some(key)) => Some(ClientFiles { cert, key }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(ChoiceError::HalfCertificate),
    };
    let insecure_skip_verify = claims.tls_insecure_skip_verify == Some(true);
    Ok(TokenTls { ca_cert, client, insecure_skip_verify })
}

/// The first claim that asks for more of TLS than the runtime's own.
fn tls_claim(claims: &Claims) -> Option<&'static str> {
    [
        ("tls_ca_cert", claims.tls_ca_cert.is_some()),
        ("tls_client_cert", claims.tls_client_cert.is_some()),
        ("tls_client_key", claims.tls_client_key.is_some()),
        ("tls_insecure_skip_verify", claims.tls_insecure_skip_verify == Some(true)),
    ]
    .into_iter()
    .find_map(|(claim, given)| given.then_some(claim))
}

/// The path relative to the directory: an absolute path must begin with it, and no part leads upwards.
fn below(directory: &str, path: &str) -> Option<String> {
    let parts = |path: &str| -> Option<Vec<String>> {
        let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
        parts.map(|part| (part != ".." && !part.contains('\0')).then(|| part.to_owned())).collect()
    };
    let mut relative = parts(path)?;
    if path.starts_with('/') {
        let directory = parts(directory)?;
        if !relative.starts_with(&directory) {
            return None;
        }
        relative.drain(..directory.len());
    }
    (!relative.is_empty()).then(|| relative.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    #[test]
    fn files_lie_below_the_directory() {
        for (path, wanted) in [
            ("ca.pem", Some("ca.pem")),
            ("tenants/a//./ca.pem", Some("tenants/a/ca.pem")),
            ("/etc/housekey/tls/ca.pem", Some("ca.pem")),
            ("/etc//housekey/./tls/x/ca.pem", Some("x/ca.pem")),
            ("/etc/housekey/tls", None),
            ("/etc/housekey/tlsx/ca.pem", None),
            ("/etc/passwd", None),
            ("../ca.pem", None),
            ("a/../../ca.pem", None),
            ("/etc/housekey/tls/../../shadow", None),
            ("a\0b", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(below("/etc/housekey/tls/", path).as_deref(), wanted, "{path:?}");
        }
    }

    fn config(variables: &[(&str, &str)]) -> Config {
        let environment =
            [("MCP_TRANSPORT", "http"), ("CLICKHOUSE_HOST", "127.0.0.1"), ("CLICKHOUSE_PORT", "8123")];
        let environment = environment.iter().chain(variables);
        let environment =
            environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sources = Sources { environment, ..Sources::default() };
        load(Host::Native, &sources, &|_| Err(String::new())).unwrap().config
    }

    fn at(host: &str, port: u16) -> Claims {
        Claims { host: Some(host.to_owned()), port: NonZero::new(port), ..Claims::default() }
    }

    #[test]
    fn the_list_and_the_address_decide() {
        use ChoiceError::{NotAllowed, NotHost, NotNamed};
        const YES: Result<Reach, ChoiceError> = Ok(Reach::Any);
        const ELSE: Result<Reach, ChoiceError> = Ok(Reach::Unnamed);
        for (list, host, port, native, edge) in [
            ("", "db.example.com", 8123, ELSE, Err(NotAllowed)),
            ("", "10.1.2.3", 8123, ELSE, Err(NotAllowed)),
            ("", "127.0.0.1", 8123, YES, YES),
            ("", "127.0.0.1", 22, Err(NotNamed), Err(NotAllowed)),
            ("", "localhost", 8123, Err(NotNamed), Err(NotAllowed)),
            ("", "x.localhost.", 8123, Err(NotNamed), Err(NotAllowed)),
            ("", "[::1]", 8123, Err(NotNamed), Err(NotAllowed)),
            ("", "::ffff:127.0.0.1", 8123, Err(NotNamed), Err(NotAllowed)),
            ("", "169.254.169.254", 80, Err(NotNamed), Err(NotAllowed)),
            ("", "127.1", 22, Err(NotHost), Err(NotHost)),
            ("", "2130706433", 22, Err(NotHost), Err(NotHost)),
            ("", "a/b", 22, Err(NotHost), Err(NotHost)),
            ("db.example.com", "db.example.com", 1, YES, YES),
            ("db.example.com", "DB.EXAMPLE.com.", 1, YES, YES),
            ("db.example.com", "evil.example.com", 1, Err(NotAllowed), Err(NotAllowed)),
            ("db.example.com", "127.0.0.1", 8123, YES, YES),
            ("*.example.com", "db.example.com", 1, ELSE, ELSE),
            ("*.example.com,db.example.com", "db.example.com", 1, YES, YES),
            ("*", "db.example.com", 1, ELSE, ELSE),
            ("*", "169.254.169.254", 80, Err(NotNamed), Err(NotNamed)),
            ("*,169.254.169.254", "169.254.169.254", 80, YES, YES),
            ("localhost:9000", "localhost", 9000, YES, YES),
            ("localhost:9000", "localhost", 22, Err(NotAllowed), Err(NotAllowed)),
        ] {
            let config = config(&[("MCP_JWE_ALLOWED_HOSTS", list)]);
            for (runs_on, wanted) in [(Host::Native, native), (Host::Edge, edge)] {
                let judged = judge(&config, runs_on, &at(host, port), MadeFor::TheOperator);
                let judged = judged.map(|(_, server)| server.reach);
                assert_eq!(judged, wanted, "{list:?} {host}:{port} {runs_on:?}");
            }
        }
    }

    #[test]
    fn strangers_get_nothing_of_this_servers_place_in_the_network() {
        use ChoiceError::{NotAllowed, NotNamed, NotPublic};
        use Reach::{Any, Public, Unnamed};
        for (list, host, port, native, edge) in [
            ("", "127.0.0.1", 8123, Err(NotNamed), Err(NotAllowed)),
            ("", "db.example.com", 8123, Ok(Public), Err(NotAllowed)),
            ("", "8.8.8.8", 8123, Ok(Public), Err(NotAllowed)),
            ("", "10.1.2.3", 8123, Err(NotPublic), Err(NotAllowed)),
            ("", "192.168.0.1", 8123, Err(NotPublic), Err(NotAllowed)),
            ("", "100.64.0.1", 8123, Err(NotPublic), Err(NotAllowed)),
            ("", "169.254.169.254", 8123, Err(NotNamed), Err(NotAllowed)),
            ("*", "10.1.2.3", 8123, Err(NotPublic), Err(NotAllowed)),
            ("*", "db.example.com", 8123, Ok(Public), Err(NotAllowed)),
            ("127.0.0.1:8123", "127.0.0.1", 8123, Ok(Any), Ok(Any)),
            ("127.0.0.1:8124", "127.0.0.1", 8123, Err(NotAllowed), Err(NotAllowed)),
            ("*.example.com", "db.example.com", 8123, Ok(Unnamed), Ok(Unnamed)),
            ("*.example.com", "db.example.org", 8123, Err(NotAllowed), Err(NotAllowed)),
            ("10.1.2.3", "10.1.2.3", 8123, Ok(Any), Ok(Any)),
        ] {
            let config = config(&[("MCP_JWE_ALLOWED_HOSTS", list)]);
            for (runs_on, wanted) in [(Host::Native, native), (Host::Edge, edge)] {
                let judged = judge(&config, runs_on, &at(host, port), MadeFor::Stranger);
                let judged = judged.map(|(_, server)| server.reach);
                assert_eq!(judged, wanted, "{list:?} {host}:{port} {runs_on:?}");
            }
        }
    }

    #[test]
    fn a_port_alone_is_a_choice_of_its_own() {
        let claims = Claims { port: NonZero::new(22), ..Claims::default() };
        assert!(is_made(&claims));
        assert_eq!(
            judge(&config(&[]), Host::Native, &claims, MadeFor::TheOperator).unwrap_err(),
            ChoiceError::NotNamed
        );
    }

    #[test]
    fn claims_of_tls_work_with_files_below_the_directory_only() {
        let with = config(&[("MCP_JWE_TLS_DIRECTORY", "/etc/tls")]);
        let without = config(&[]);
        let base = || Claims { tls_enabled: Some(true), ..at("db.example.com", 8443) };
        let ca = |path: &str| Claims { tls_ca_cert: Some(path.to_owned()), ..base() };
        let skip = || Claims { tls_insecure_skip_verify: Some(true), ..base() };
        let half = Claims { tls_client_cert: Some("a".into()), ..base() };
        let pair = Claims { tls_client_key: Some("/etc/tls/b".into()), ..half.clone() };
        let (ca_cert, skipped) = ("tls_ca_cert", "tls_insecure_skip_verify");
        for (config, host, claims, wanted) in [
            (
                &with,
                Host::Native,
                ca("/etc/tls/x/ca.pem"),
                Ok(TokenTls { ca_cert: Some("x/ca.pem".into()), ..TokenTls::default() }),
            ),
            (&with, Host::Native, ca("/etc/shadow"), Err(ChoiceError::NotBelowDirectory { claim: ca_cert })),
            (
                &with,
                Host::Native,
                ca("x/../../shadow"),
                Err(ChoiceError::NotBelowDirectory { claim: ca_cert }),
            ),
            (&without, Host::Native, ca("ca.pem"), Err(ChoiceError::NoDirectory { claim: ca_cert })),
            (
                &without,
                Host::Native,
                skip(),
                Ok(TokenTls { insecure_skip_verify: true, ..TokenTls::default() }),
            ),
            (&with, Host::Native, half, Err(ChoiceError::HalfCertificate)),
            (
                &with,
                Host::Native,
                pair,
                Ok(TokenTls {
                    client: Some(ClientFiles { cert: "a".into(), key: "b".into() }),
                    ..TokenTls::default()
                }),
            ),
            (&with, Host::Native, Claims { tls_enabled: None, ..ca("ca.pem") }, Err(ChoiceError::TlsOff)),
            (&with, Host::Native, Claims { tls_enabled: Some(false), ..skip() }, Err(ChoiceError::TlsOff)),
            (
                &with,
                Host::Edge,
                Claims { host: None, port: None, ..skip() },
                Err(ChoiceError::TlsAtEdge { claim: skipped }),
            ),
            (&without, Host::Native, base(), Ok(TokenTls::default())),
        ] {
            let judged = judge(config, host, &claims, MadeFor::TheOperator).map(|(_, server)| server.tls);
            assert_eq!(judged, wanted, "{claims:?}");
        }
    }
}
