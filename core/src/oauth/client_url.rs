//! URLs that clients name and this server fetches: of their documents, and of their keys.
//!
//! Whoever may name them may have this server knock at doors that are closed to them (draft-ietf-oauth-client-id-
//! metadata-document section 6, RFC 9700 section 4): so they are https, on its usual port, at a name of the public
//! internet. What the operator lists may be more than that. To which address a name leads is the host's to judge.

use std::net::IpAddr;
use std::time::Duration;

use super::error::{OAuthCode, OAuthError};
use crate::address::{canonical_host, host_and_port};
use crate::config::Covered;
use crate::config::oauth::Facade;
use crate::env::Env;
use crate::fetch::{FetchRequest, NamedBy, Remember};

const LONGEST: usize = 2048;
const DEADLINE: Duration = Duration::from_secs(5);
/// How long what was fetched is remembered at most.
const LIVES: Duration = Duration::from_secs(3600);
const HTTPS: u16 = 443;

/// Top-level names that are of no public server (RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`).
const NOT_PUBLIC: [&str; 9] =
    ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "test", "invalid"];

/// Why a URL is not fetched. Says nothing of the URL itself but its host, once that is known to be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UrlError {
    #[error("it is not https")]
    Scheme,
    #[error("it is longer than {LONGEST} bytes, or has characters that URLs do not have")]
    Characters,
    #[error("it has a fragment, or names a user")]
    FragmentOrUser,
    #[error("its host is not written as ASCII in lower case")]
    Host,
    #[error("its path is the root, or has segments that are dots or escaped slashes")]
    Path,
    #[error(
        "its port is another than 443, and `server.oauth.client_document_hosts` does not list {0} with it"
    )]
    Port(String),
    #[error(
        "{0} is no name on the public internet, and `server.oauth.client_document_hosts` does not list it by its name"
    )]
    NotPublic(String),
    #[error("`server.oauth.client_document_hosts` does not list {0}")]
    Unlisted(String),
}

/// A URL that may be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientUrl {
    url: String,
    /// Its host in the canonical spelling.
    pub(super) host: String,
    named_by: NamedBy,
}

/// Judges a URL by draft-ietf-oauth-client-id-metadata-document section 3. A query, which it discourages, is let through:
/// it reaches nothing that a path does not.
pub(super) fn check(url: &str, facade: &Facade) -> Result<ClientUrl, UrlError> {
    let rest = url.strip_prefix("https://").ok_or(UrlError::Scheme)?;
    let legal = |byte: u8| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte);
    if url.len() > LONGEST || !url.bytes().all(legal) {
        return Err(UrlError::Characters);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end).ok_or(UrlError::Host)?;
    if url.contains('#') || authority.contains('@') {
        return Err(UrlError::FragmentOrUser);
    }
    let (host, port) = host_and_port(authority).ok_or(UrlError::Host)?;
    let port = port.unwrap_or(HTTPS);
    // One name has one spelling, so that the document of one client is not also that of a second.
    let canonical = canonical_host(host).ok_or(UrlError::Host)?;
    if canonical != host.trim_start_matches('[').trim_end_matches(']') {
        return Err(UrlError::Host);
    }
    let path = rest.split('?').next().unwrap_or_default();
    let lower = path.to_ascii_lowercase();
    let escapes = ["%2e", "%2f", "%5c"].iter().any(|escaped| lower.contains(escaped));
    if path.len() < 2 || escapes || path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(UrlError::Path);
    }
    let covered: Vec<Covered> =
        facade.client_document_hosts.iter().filter_map(|pattern| pattern.covers(&canonical, port)).collect();
    let is_named = covered.contains(&Covered::ByName);
    if !facade.client_document_hosts.is_empty() && covered.is_empty() {
        return Err(UrlError::Unlisted(canonical));
    }
    if port != HTTPS && !is_named {
        return Err(UrlError::Port(canonical));
    }
    if !is_named && !is_public(&canonical) {
        return Err(UrlError::NotPublic(canonical));
    }
    // A domain that the operator wrote is the operator's word for its hosts; `*` is for none in particular.
    let listed = is_named || covered.contains(&Covered::ByDomain);
    Ok(ClientUrl { url: url.to_owned(), host: canonical, named_by: NamedBy::Stranger { listed } })
}

impl ClientUrl {
    /// Whether the operator wrote its host down, by name or by domain.
    pub(super) fn is_listed(&self) -> bool {
        self.named_by == NamedBy::Stranger { listed: true }
    }

    /// Stops a request that needs what is there where it was asked for in vain: for now, where its server is in trouble;
    /// with `gone`, where it says that there is nothing, or nothing that is taken from it.
    pub(super) fn heed_failure(
        &self,
        env: &Env<'_>,
        request: &FetchRequest,
        gone: &str,
    ) -> Result<(), OAuthError> {
        let Some(failure) = env.facts.learned(request, env.now).and_then(|learned| learned.outcome.err())
        else {
            return Ok(());
        };
        let error = match failure.may_pass() {
            true => OAuthError::new(
                OAuthCode::TemporarilyUnavailable,
                "the server at which the client describes itself does not answer: try again later",
            ),
            false => OAuthError::new(OAuthCode::InvalidClient, gone),
        };
        Err(error.because(format!("{} cannot be had: {failure} (at {})", request.purpose, self.host)))
    }

    /// The question for what is there. The fact's name begins with its purpose, so that no client's question, with its
    /// narrow bounds, passes for the operator's at the same address.
    pub(super) fn request(&self, purpose: &'static str, max_bytes: usize) -> FetchRequest {
        let key = format!("{purpose} {}", self.url);
        FetchRequest {
            named_by: self.named_by,
            max_bytes,
            deadline: DEADLINE,
            remember: Some(Remember { key, lives: LIVES, heeds_cache_control: true }),
            ..FetchRequest::get(&self.url, purpose)
        }
    }
}

/// Whether a host looks like one of the public internet: a name of two labels at least.
fn is_public(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    host.contains('.')
        && host.parse::<IpAddr>().is_err()
        && !NOT_PUBLIC.contains(&last)
        && !host.ends_with(".home.arpa")
}
