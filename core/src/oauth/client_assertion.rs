//! How a client proves at the token endpoint who it is: by an assertion that it signed (RFC 7523 section 2.2, OpenID
//! Connect Core 1.0 section 9, `private_key_jwt`).
//!
//! A client that registered as one that proves itself has to: if its word were enough, everybody could say it. One that is
//! known by a document and has all answers sent to that document's own host may leave the assertion out, and is a public
//! client then. A client that says it does not prove itself (`none`) may bring an assertion or a secret all the same, as
//! some do that were never given one: neither is looked at, because nothing follows from either. What protects public
//! clients is PKCE, and for a refresh token nothing but that nobody else has it.
//!
//! Deliberately absent: a memory of `jti`. An assertion could be used again until it expires, ten minutes at most; whoever
//! has stolen one still needs the client's code and its verifier, or a refresh token.

use std::time::Duration;

use serde_json::Value;

use super::LEEWAY;
use super::client::{Authentication, Client, ClientError};
use super::client_url;
use super::error::{OAuthCode, OAuthError};
use super::form::Form;
use super::server::Server;
use super::upstream::{Lack, key_set};
use crate::env::Env;
use crate::jose::jwt::{self, JwtError};
use crate::jose::jwt_claims::{RuleError, Rules, accept};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far an assertion's end may lie ahead.
const LIVES: Duration = Duration::from_secs(600);
const LONGEST_KEYS: usize = 64 << 10;
const KEYS: &str = "a client's key set";
const MISSING: &str = "the client is registered with private_key_jwt and brings no client_assertion";

/// Lets a client pass that has proved who it is, or does not need to. `audiences` are the names of this authorization
/// server: its issuer and the URLs of its token endpoint.
pub(crate) fn authenticate(
    env: &Env<'_>,
    server: &Server,
    client: &Client,
    form: &Form,
    audiences: &[&str],
) -> Result<(), ClientError> {
    let refuse = |reason: &str| OAuthError::new(OAuthCode::InvalidClient, reason);
    if client.authentication == Authentication::None {
        return Ok(());
    }
    let Some(assertion) = form.get("client_assertion") else {
        return if is_known_without(client) { Ok(()) } else { Err(refuse(MISSING).into()) };
    };

    if form.get("client_assertion_type") != Some(TYPE) {
        return Err(refuse("client_assertion_type is another than jwt-bearer").into());
    }
    let token = jwt::parse(assertion)
        .map_err(|error| refuse("client_assertion is no signed token").because(error.to_string()))?;
    let keys = match &client.authentication {
        Authentication::None => return Ok(()),
        Authentication::InlineKeys(keys) => env
            .facts
            .key_set(keys.as_bytes(), env.now)
            .map_err(|_| refuse("the client has no usable keys"))?,
        Authentication::KeysAt(url) => {
            let Some((facade, _)) = server.facade() else {
                return Err(refuse("there are no clients here").into());
            };
            // Judged once more: the operator may have changed the list since the client registered.
            let url = client_url::check(url, facade).map_err(|error| {
                refuse("the keys of the client are not fetched from here").because(error.to_string())
            })?;
            let request = url.request(KEYS, LONGEST_KEYS);
            url.heed_failure(env, &request, "the keys of the client cannot be had")?;
            match key_set(env, request, token.header().key_id.as_deref()) {
                Err(Lack::Unavailable(reason)) => {
                    return Err(refuse("the client has no usable keys").because(reason).into());
                }
                other => other?,
            }
        }
    };
    let verified = token.verify(&keys).map_err(|error| {
        // What it names is the client's word.
        let reason = if matches!(error, JwtError::UnknownKey { .. }) {
            "the assertion names a key that the client does not have".to_owned()
        } else {
            error.to_string()
        };
        refuse("no key of the client verifies client_assertion").because(reason)
    })?;
    // RFC 7523 section 3. Algorithms are those of public keys alone, so a key cannot be taken for a shared secret.
    let rules = Rules {
        issuers: &[client.id.as_str()],
        audiences,
        ignore_trailing_slash: true,
        authorized_party: None,
        nonce: None,
        leeway_seconds: LEEWAY,
    };
    let accepted = accept(verified, &rules, env.now).map_err(|error| {
        refuse("client_assertion is not for this server, or not for now").because(rule_name(&error))
    })?;
    let text = |claim: &str| accepted.claims().get(claim).and_then(Value::as_str);
    if text("sub") != Some(client.id.as_str()) {
        return Err(refuse("client_assertion speaks for another client").into());
    }
    if text("jti").is_none_or(str::is_empty) {
        return Err(refuse("client_assertion has no jti").into());
    }
    if accepted.expires() > env.now.after(LIVES + Duration::from_secs(LEEWAY)) {
        return Err(refuse("client_assertion is valid for more than ten minutes").into());
    }
    Ok(())
}

/// Whether a client that says it signs is let through unsigned: ChatGPT's document says so, and its requests bring no
/// assertion. All its answers go to web servers below the host that publishes the document, and each code is bound to a
/// verifier, so that nobody else gets anything for a code by leaving the assertion out. A refresh token is bound to nothing
/// that its client alone could show: one that leaks from such a client is good for whoever has it until its login ends. With
/// an assertion asked for at refreshes alone, ChatGPT's logins would end with their first access token. Where one comes, it
/// has to be good.
fn is_known_without(client: &Client) -> bool {
    !client.redirect_uris.is_empty() && client.redirect_uris.iter().all(|uri| client.is_at_home(uri))
}

/// What is wrong, without the values that the client wrote.
fn rule_name(error: &RuleError) -> String {
    if matches!(error, RuleError::Issuer { .. }) {
        "the assertion's issuer is not the client".to_owned()
    } else if matches!(error, RuleError::Audience { .. }) {
        "the assertion's audience is not this server".to_owned()
    } else {
        error.to_string()
    }
}

#[cfg(test)]
#[path = "client_assertion_tests.rs"]
mod tests;
