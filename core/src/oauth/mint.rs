//! The answer of the token endpoint (RFC 6749 section 5.1): Housekey's own tokens in mode `gating`, the identity
//! provider's in mode `forward`.
//!
//! Rules refuse here already, with `access_denied` and 403 as altinity-mcp does: RFC 6749 section 5.2 has 400 for its own
//! words, of which this is none, and a person learns at once what a client could not show them later. They are asked
//! again at every request, since the configuration may have changed.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use super::access_token::{AccessToken, RefreshToken};
use super::artifact::Carried;
use super::bearer::Person;
use super::error::{OAuthCode, OAuthError, json_answer};
use super::grant::{Grant, Origin, invalid};
use super::identify;
use super::keys::Keys;
use super::server::Server;
use super::token::Stop;
use super::upstream::{Tokens, Userinfo};
use crate::config::oauth::{Facade, Mode};
use crate::env::Env;
use crate::identity::Policy;
use crate::jose::unverified;
use crate::secret::Secret;

/// Bytes that a token may have. Servers and proxies refuse headers that are longer.
const LONGEST: usize = 8 << 10;
/// Bytes that a refresh token may have, which goes into a body: what [`super::keys`] opens.
const LONGEST_REFRESH: usize = 16 << 10;
/// Seconds that a forwarded token lives of which nobody says how long.
const UNSAID_LIFE: u64 = 3600;

/// Answers a grant by what the identity provider said.
pub(super) fn answer(
    env: &mut Env<'_>,
    server: &Server,
    grant: &Grant,
    tokens: &Tokens,
    userinfo: Userinfo,
) -> Result<Response<Bytes>, Stop> {
    let (facade, keys) = server.facade().ok_or_else(|| invalid("no tokens are issued here"))?;
    let asks = facade.offline_access;
    let theirs = tokens.refresh_token.clone().or_else(|| match &grant.origin {
        // A provider that does not rotate sends none, and the old one goes on.
        Origin::Earlier { upstream, .. } => upstream.clone(),
        Origin::Login(_) => None,
    });
    let theirs = theirs.filter(|_| asks);
    match server.mode() {
        Mode::Gating | Mode::Resource => {
            let (claims, note) = identify::person(env, server, grant, tokens, userinfo)?;
            Ok(own(env, server, (facade, keys), grant, claims, theirs, note)?)
        }
        Mode::Forward => forwarded(env, server, keys, grant, tokens, theirs),
    }
}

/// Answers a refresh of which the identity provider need not be asked.
pub(super) fn again(
    env: &mut Env<'_>,
    server: &Server,
    grant: &Grant,
) -> Result<Response<Bytes>, OAuthError> {
    let facade = server.facade().ok_or_else(|| invalid("no tokens are issued here"))?;
    let (claims, upstream) = match &grant.origin {
        Origin::Earlier { claims, upstream } => (claims.clone(), upstream.clone()),
        Origin::Login(_) => return Err(invalid("nobody has signed in")),
    };
    own(env, server, facade, grant, claims, upstream, None)
}

/// Tokens of Housekey's own.
fn own(
    env: &mut Env<'_>,
    server: &Server,
    (facade, keys): (&Facade, &Keys),
    grant: &Grant,
    claims: Map<String, Value>,
    upstream: Option<Secret<String>>,
    note: Option<String>,
) -> Result<Response<Bytes>, OAuthError> {
    let now = env.now.seconds();
    // No access token outlives its login.
    let exp = env.now.after(Duration::from_secs(facade.access_token_ttl)).seconds().min(grant.ends);
    admit(server, &claims, note)?;
    let access = AccessToken {
        iss: grant.issuer.clone(),
        aud: grant.resource.clone(),
        scope: grant.scope.clone(),
        client: grant.client.clone(),
        iat: now,
        exp,
        claims: claims.clone(),
    };
    let access = fitting(keys.access.seal(env.rng, &access), LONGEST)?;
    let refresh = sealed_refresh(env, keys, grant, claims, upstream)?;
    Ok(written(&access, exp.saturating_sub(now), &grant.scope, Some(refresh)))
}

/// The identity provider's token, for ClickHouse to judge. Housekey judges an ID token, too, wherever it knows whose it
/// should be: a login that somebody else began must not become this client's.
fn forwarded(
    env: &mut Env<'_>,
    server: &Server,
    keys: &Keys,
    grant: &Grant,
    tokens: &Tokens,
    upstream: Option<Secret<String>>,
) -> Result<Response<Bytes>, Stop> {
    let claims = identify::signed(env, server, grant, tokens)?;
    if let (Some(claims), Origin::Earlier { claims: old, .. }) = (&claims, &grant.origin)
        && ["iss", "sub"].iter().any(|name| old.get(*name).is_some_and(|old| claims.get(*name) != Some(old)))
    {
        // OpenID Connect Core 1.0 section 12.2.
        return Err(
            invalid("the identity provider names somebody else than at the login: sign in again").into()
        );
    }
    if let Some(claims) = claims.as_ref().filter(|_| server.oauth.knows_people()) {
        admit(server, claims, None)?;
    }
    let life =
        |token: &Secret<String>| unverified::expiry(token.expose()).map(|end| end.since(env.now).as_secs());
    // Altinity-mcp hands out the ID token where there is one, and ClickHouse servers are set up for its audience.
    let (token, expires_in) = match (&tokens.id_token, &tokens.access_token) {
        (Some(token), _) => (token, life(token).or(tokens.expires_in)),
        (None, Some(token)) => (token, tokens.expires_in.or_else(|| life(token))),
        (None, None) => return Err(invalid("the identity provider gives no token").into()),
    };
    let refresh = match upstream {
        None => None,
        some => {
            // Whose login it is has to be known at the next refresh, and nothing more.
            let before = match &grant.origin {
                Origin::Earlier { claims, .. } => claims.clone(),
                Origin::Login(_) => Map::new(),
            };
            let mut claims = claims.unwrap_or(before);
            claims.retain(|name, _| matches!(name.as_str(), "iss" | "sub"));
            Some(sealed_refresh(env, keys, grant, claims, some)?)
        }
    };
    Ok(written(token.expose(), expires_in.unwrap_or(UNSAID_LIFE), &grant.scope, refresh))
}

/// Whether the person is let in and is somebody, as every request with the token will ask again.
fn admit(server: &Server, claims: &Map<String, Value>, note: Option<String>) -> Result<(), OAuthError> {
    let person = Person { claims: claims.clone(), expires: None };
    let policy = Policy::new(&server.config, server.host);
    let nothing = Secret::from(String::new());
    match policy.person(&server.config, &server.oauth, &person, &nothing, None) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error.to_string();
            let ascii: String = text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
            let refusal = OAuthError::new(OAuthCode::AccessDenied, ascii.clone());
            Err(match note {
                Some(note) => refusal.because(format!("{ascii} ({note})")),
                None => refusal,
            })
        }
    }
}

fn sealed_refresh(
    env: &mut Env<'_>,
    keys: &Keys,
    grant: &Grant,
    claims: Map<String, Value>,
    upstream: Option<Secret<String>>,
) -> Result<String, OAuthError> {
    let token = RefreshToken {
        iss: grant.issuer.clone(),
        aud: grant.resource.clone(),
        // RFC 6749 section 6: as much as the one before it, though the access token got less.
        scope: grant.most_scope.clone(),
        client: grant.client.clone(),
        exp: grant.ends,
        claims,
        upstream: upstream.map(Carried::from),
    };
    fitting(keys.refresh.seal(env.rng, &token), LONGEST_REFRESH)
}

fn fitting(sealed: Option<String>, longest: usize) -> Result<String, OAuthError> {
    sealed.filter(|text| text.len() <= longest).ok_or_else(|| {
        OAuthError::new(
            OAuthCode::ServerError,
            "the identity provider says more of this person than a token can hold",
        )
        .because("the claims that `server.oauth` reads, or the refresh token, are too long for a token")
    })
}

fn written(token: &str, expires_in: u64, scope: &str, refresh: Option<String>) -> Response<Bytes> {
    let mut answer = Map::new();
    answer.insert("access_token".to_owned(), token.into());
    answer.insert("token_type".to_owned(), "Bearer".into());
    answer.insert("expires_in".to_owned(), expires_in.into());
    answer.insert("scope".to_owned(), scope.into());
    if let Some(refresh) = refresh {
        answer.insert("refresh_token".to_owned(), refresh.into());
    }
    json_answer(StatusCode::OK, Value::Object(answer).to_string())
}
