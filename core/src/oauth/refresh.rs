//! The grant of a refresh token (RFC 6749 section 6).
//!
//! Each use gives a new one of the same family. Without a store the old one cannot be taken back, so it works until the
//! family ends, with the login that began it (OAuth 2.1 section 4.3.1 would have it die at its first use). It is bound to
//! its client, who is judged anew, as the person is: by today's rules, and by the identity provider where it gave a
//! refresh token of its own.

use super::access_token::RefreshToken;
use super::artifact::{Digest, has_passed};
use super::error::{OAuthCode, OAuthError};
use super::form::Form;
use super::grant::{Grant, Origin, check_resource, invalid};
use super::server::Server;
use crate::config::oauth::Mode;
use crate::env::Env;
use crate::secret::Secret;

/// Judges a refresh token.
pub(super) fn check(
    env: &Env<'_>,
    server: &Server,
    form: &Form,
    client: Digest,
) -> Result<Grant, OAuthError> {
    let (facade, keys) = server.facade().ok_or_else(|| invalid("no tokens are issued here"))?;
    if server.mode() == Mode::Forward && !facade.offline_access {
        return Err(OAuthError::new(
            OAuthCode::UnsupportedGrantType,
            "this server issues no refresh tokens: sign in again",
        ));
    }
    let unknown = || invalid("the refresh token is not one of this server: sign in again");
    let token: RefreshToken = keys.refresh.open(form.need("refresh_token")?).ok_or_else(unknown)?;
    if token.client != client {
        return Err(invalid("the refresh token was issued to another client"));
    }
    if has_passed(token.exp, env.now) {
        return Err(invalid("the login is over: sign in again"));
    }
    check_resource(&token.aud, form.get("resource"))?;
    let scope = match form.get("scope") {
        None => token.scope.clone(),
        Some(asked) => narrowed(&token.scope, asked)?,
    };
    Ok(Grant {
        issuer: token.iss,
        resource: token.aud,
        client,
        scope,
        most_scope: token.scope,
        ends: token.exp,
        origin: Origin::Earlier { claims: token.claims, upstream: token.upstream.map(Secret::from) },
    })
}

/// The identity provider's refresh token, if it has to be asked.
pub(super) fn upstream<'a>(
    server: &Server,
    grant: &'a Grant,
) -> Result<Option<&'a Secret<String>>, OAuthError> {
    let asks = server.facade().is_some_and(|(facade, _)| facade.offline_access);
    let theirs = match &grant.origin {
        Origin::Earlier { upstream, .. } if asks => upstream.as_ref(),
        Origin::Earlier { .. } | Origin::Login(_) => None,
    };
    if theirs.is_none() && server.mode() == Mode::Forward {
        return Err(invalid("the identity provider gave no refresh token: sign in again"));
    }
    Ok(theirs)
}

/// RFC 6749 section 6: no scope that was not granted.
fn narrowed(granted: &str, asked: &str) -> Result<String, OAuthError> {
    let has = |wanted: &str| granted.split_whitespace().any(|scope| scope == wanted);
    if !asked.split_whitespace().all(has) {
        return Err(OAuthError::new(OAuthCode::InvalidScope, "scope has more than was granted"));
    }
    let fewer: Vec<&str> = granted
        .split_whitespace()
        .filter(|scope| asked.split_whitespace().any(|one| one == *scope))
        .collect();
    Ok(fewer.join(" "))
}
