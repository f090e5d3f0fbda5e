//! What a bearer token proves: who sent a request, as far as this server has to know.

use http::HeaderMap;
use serde_json::{Map, Value};

use super::LEEWAY;
use super::access_token::{AccessToken, Unusable};
use super::introspection;
use super::server::Server;
use super::site::Site;
use super::upstream::Lack;
use crate::config::oauth::Mode;
use crate::env::Env;
use crate::identity::{BearerError, credentials, once};
use crate::jose::jwt::{self, JwtError};
use crate::jose::jwt_claims::Kind;
use crate::jose::jwt_claims::{RuleError, Rules, accept};
use crate::jose::unverified;
use crate::secret::Secret;
use crate::time::UnixTime;

/// Headers that altinity-mcp reads as well, in its order.
const OTHER_HEADERS: [&str; 2] = ["x-oauth-token", "x-altinity-oauth-token"];

/// Who a token speaks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// What the identity provider says of them.
    pub claims: Map<String, Value>,
    /// When the token runs out.
    pub expires: Option<UnixTime>,
}

/// What a token has proved.
pub(crate) enum Proved {
    /// Who sent it.
    Person(Person),
    /// That ClickHouse will judge it.
    ForClickHouse {
        /// When it says itself that it runs out.
        expires: Option<UnixTime>,
    },
}

/// Why a token is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// It is not of a form that is taken here.
    #[error("the access token is malformed, or of another issuer")]
    Unknown,
    /// Its time is over.
    #[error("the access token has expired")]
    Expired,
    /// No key of the issuer's has signed it.
    #[error("the access token has no valid signature")]
    Signature(#[source] JwtError),
    /// It is for somebody else, or of somebody else.
    #[error("the access token is not for this server")]
    Rules(#[source] RuleError),
    /// It is for another resource.
    #[error("the access token is for another resource")]
    Audience,
    /// It is an ID token, or something else that is no access token.
    #[error("the token is no access token")]
    Kind,
    /// The issuer says that it is not active.
    #[error("the access token is not active")]
    Inactive,
    /// It lacks scopes.
    #[error("the access token lacks scopes that are needed here")]
    Scope,
}

/// Why nothing is proved.
#[derive(Clone, Debug)]
pub(crate) enum Unproved {
    Refused(TokenRefusal),
    Lacks(Lack),
}

impl From<TokenRefusal> for Unproved {
    fn from(refusal: TokenRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Lack> for Unproved {
    fn from(lack: Lack) -> Self {
        Self::Lacks(lack)
    }
}

/// The token of a request: `Authorization: Bearer`, then altinity-mcp's own headers. Never a query or a form (OAuth 2.1
/// section 5.1.1).
pub(crate) fn find(headers: &HeaderMap) -> Result<Secret<String>, BearerError> {
    if let Some((scheme, token)) = credentials(headers)?
        && scheme.eq_ignore_ascii_case("bearer")
        && !token.is_empty()
    {
        return Ok(Secret::from(token));
    }
    for name in OTHER_HEADERS {
        if let Some(token) = once(headers, name)?.map(str::trim).filter(|token| !token.is_empty()) {
            return Ok(Secret::from(token));
        }
    }
    Err(BearerError::Missing)
}

/// Judges a token.
pub(crate) fn judge(
    env: &mut Env<'_>,
    server: &Server,
    site: &Site,
    token: &str,
) -> Result<Proved, Unproved> {
    match server.mode() {
        Mode::Gating => own(env, server, site, token).map(Proved::Person),
        Mode::Forward if !server.oauth.forward.validate => for_clickhouse(token, env.now),
        Mode::Forward | Mode::Resource => providers(env, server, site, token).map(Proved::Person),
    }
}

/// A token of Housekey's own.
fn own(env: &Env<'_>, server: &Server, site: &Site, token: &str) -> Result<Person, Unproved> {
    let (_, keys) = server.facade().ok_or(TokenRefusal::Unknown)?;
    let token = AccessToken::open(keys, token, env.now).map_err(|unusable| match unusable {
        Unusable::Unknown => TokenRefusal::Unknown,
        Unusable::Expired => TokenRefusal::Expired,
    })?;
    if token.iss != site.issuer() {
        return Err(TokenRefusal::Unknown.into());
    }
    if !server.is_resource(site, &token.aud) {
        return Err(TokenRefusal::Audience.into());
    }
    need_scopes(server, &token.scope)?;
    Ok(Person { claims: token.claims, expires: Some(UnixTime::from_seconds(token.exp)) })
}

/// A token that ClickHouse judges. One that says itself that its time is over is not worth the way: the client learns
/// here that it has to refresh.
fn for_clickhouse(token: &str, now: UnixTime) -> Result<Proved, Unproved> {
    let expires = unverified::expiry(token);
    if expires.is_some_and(|expires| now.since(expires).as_secs() > LEEWAY) {
        return Err(TokenRefusal::Expired.into());
    }
    Ok(Proved::ForClickHouse { expires })
}

/// A token of the identity provider's.
fn providers(env: &mut Env<'_>, server: &Server, site: &Site, token: &str) -> Result<Person, Unproved> {
    let unverified = match jwt::parse(token) {
        Ok(unverified) => unverified,
        Err(_)
            if server.oauth.upstream.introspection_url.is_some() && !unverified::looks_like_a_jwt(token) =>
        {
            let person = introspection::ask(env, server, site, token)?;
            need_scopes(server, &scopes_of(&person.claims))?;
            return Ok(person);
        }
        Err(_) => return Err(TokenRefusal::Unknown.into()),
    };
    let keys = server.provider.keys(env, unverified.header().key_id.as_deref())?;
    let verified = unverified.verify(&keys).map_err(TokenRefusal::Signature)?;
    let (issuers, audiences) = (server.issuers(), server.audiences(site));
    let rules = Rules {
        issuers: &issuers.iter().map(String::as_str).collect::<Vec<_>>(),
        audiences: &audiences.iter().map(String::as_str).collect::<Vec<_>>(),
        ignore_trailing_slash: true,
        authorized_party: None,
        nonce: None,
        leeway_seconds: LEEWAY,
    };
    let accepted = accept(verified, &rules, env.now).map_err(|error| {
        let is_late = matches!(error, RuleError::Expired { .. });
        if is_late { TokenRefusal::Expired } else { TokenRefusal::Rules(error) }
    })?;
    match accepted.kind() {
        // The facade of mode `forward` hands out ID tokens, as altinity-mcp's does.
        Kind::Id if server.mode() == Mode::Forward => {}
        Kind::Id | Kind::Other => return Err(TokenRefusal::Kind.into()),
        Kind::Access | Kind::Unsaid => {}
    }
    let expires = Some(accepted.expires());
    let claims = accepted.claims().clone();
    need_scopes(server, &scopes_of(&claims))?;
    Ok(Person { claims, expires })
}

/// The scopes of a token: `scope` as text, or `scp` as some providers have it, as text or as a list.
pub(crate) fn scopes_of(claims: &Map<String, Value>) -> String {
    for name in ["scope", "scp"] {
        match claims.get(name) {
            Some(Value::String(text)) => return text.clone(),
            Some(Value::Array(items)) => {
                return items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
            }
            _ => {}
        }
    }
    String::new()
}

fn need_scopes(server: &Server, scope: &str) -> Result<(), TokenRefusal> {
    let has = |wanted: &String| scope.split_whitespace().any(|scope| scope == wanted);
    if server.oauth.required_scopes.iter().all(has) { Ok(()) } else { Err(TokenRefusal::Scope) }
}

impl Server {
    /// The issuers whose tokens are taken, each with and without a slash at its end: Auth0 ends its issuer with one, and
    /// operators do not. Both are the same origin and path, so nobody else can have the one while the provider has the
    /// other.
    pub(crate) fn issuers(&self) -> Vec<String> {
        let upstream = &self.oauth.upstream;
        let configured = upstream.issuer.iter().chain(&upstream.other_issuers);
        let bare = configured.map(|issuer| issuer.strip_suffix('/').unwrap_or(issuer));
        bare.flat_map(|issuer| [issuer.to_owned(), format!("{issuer}/")]).collect()
    }

    /// Whether a URL names this server as the resource of tokens of Housekey's own: as the site does, or as the operator
    /// says in `server.oauth.audience`. A slash at the end makes no difference.
    pub(crate) fn is_resource(&self, site: &Site, url: &str) -> bool {
        let extra = self.oauth.audience.as_deref().filter(|_| self.mode() == Mode::Gating);
        let is_extra = extra.is_some_and(|extra| extra.trim_end_matches('/') == url.trim_end_matches('/'));
        is_extra || site.is_resource(url)
    }

    /// The names of which a token of the identity provider's must have one in `aud`. What a stranger says in `Host` is
    /// not one of them.
    pub(crate) fn audiences(&self, site: &Site) -> Vec<String> {
        let mut audiences: Vec<String> = self.oauth.audience.iter().cloned().collect();
        if self.config.server.public_resource_url.is_some() {
            audiences.extend(site.audiences());
        }
        // ID tokens are made for the client that asked for them.
        if self.mode() == Mode::Forward && self.oauth.facade.is_some() {
            audiences.extend(self.provider.client().map(|client| client.id.clone()));
        }
        audiences
    }
}
