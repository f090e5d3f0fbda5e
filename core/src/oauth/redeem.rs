//! The grant of a code (RFC 6749 section 4.1.3): whether who brings it is who it was given to.

use std::time::Duration;

use super::artifact::{Code, Digest, has_passed};
use super::error::{OAuthCode, OAuthError};
use super::form::Form;
use super::grant::{Grant, Origin, check_resource, invalid};
use super::pkce;
use super::server::Server;
use crate::env::Env;
use crate::secret::Secret;

/// Judges a code. What is wrong with it is said in the order in which a thief would fail: whoever did not get it is told
/// nothing of what it is bound to.
pub(super) fn check(
    env: &Env<'_>,
    server: &Server,
    form: &Form,
    client: Digest,
) -> Result<(Code, Grant), OAuthError> {
    let (facade, keys) = server.facade().ok_or_else(|| invalid("no codes are issued here"))?;
    let unknown = || invalid("the code is not one of this server: sign in again");
    let code: Code = keys.code.open(form.need("code")?).ok_or_else(unknown)?;
    let asked = &code.pending.asked;
    if asked.client != client {
        return Err(invalid("the code was issued to another client"));
    }
    if has_passed(code.expires, env.now) {
        return Err(invalid("the code has expired: sign in again"));
    }
    // OAuth 2.1 section 10.2 leaves it out, and clients of OAuth 2.0 have to send it.
    if form.get("redirect_uri").is_some_and(|uri| uri != asked.redirect_uri) {
        return Err(invalid("redirect_uri is another than the one that was authorized"));
    }
    let verifier = form.need("code_verifier")?;
    if !pkce::is_verifier(verifier) {
        return Err(OAuthError::new(
            OAuthCode::InvalidRequest,
            "code_verifier must have 43 to 128 letters, digits, - . _ or ~",
        ));
    }
    if !pkce::fits(verifier, &asked.challenge) {
        return Err(invalid("code_verifier does not fit the code_challenge"));
    }
    check_resource(&asked.resource, form.get("resource"))?;
    let ends = env.now.after(Duration::from_secs(facade.refresh_token_ttl)).seconds();
    let grant = Grant {
        issuer: asked.issuer.clone(),
        resource: asked.resource.clone(),
        client,
        scope: asked.scope.clone(),
        most_scope: asked.scope.clone(),
        ends,
        origin: Origin::Login(Secret::from(code.pending.nonce.as_str())),
    };
    Ok((code, grant))
}
