//! Opaque tokens: the identity provider is asked what they are (RFC 7662).
//!
//! What it says is remembered for a moment, by the digest of the token, and never longer than the token lives.

use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Value};

use super::artifact::Digest;
use super::bearer::{Person, TokenRefusal, Unproved};
use super::form::Form;
use super::server::Server;
use super::site::Site;
use super::upstream::{Lack, document};
use crate::config::oauth::UpstreamClient;
use crate::env::Env;
use crate::fetch::{FetchRequest, Remember};
use crate::secret::Secret;
use crate::time::UnixTime;

/// How long an answer is remembered: a token that is revoked works no longer than this.
const LIVES: Duration = Duration::from_secs(60);
/// How long a stream of a token without an end lives.
const LONGEST_STREAM: Duration = Duration::from_secs(3600);
/// Bytes that a token may have to be asked about.
const LONGEST: usize = 4096;

/// Who a token speaks for.
pub(super) fn ask(env: &Env<'_>, server: &Server, site: &Site, token: &str) -> Result<Person, Unproved> {
    let (Some(url), Some(client)) = (&server.oauth.upstream.introspection_url, server.provider.client())
    else {
        return Err(TokenRefusal::Unknown.into());
    };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.len() > LONGEST || !token.bytes().all(is_token) {
        return Err(TokenRefusal::Unknown.into());
    }
    let form = Form::write(&[("token", token), ("token_type_hint", "access_token")]);
    let remember = Remember {
        key: format!("introspection {url} {}", Digest::of(token).as_str()),
        lives: LIVES,
        heeds_cache_control: true,
    };
    let request = FetchRequest {
        any_status: false,
        authorization: Some(basic(client)),
        remember: Some(remember),
        ..FetchRequest::post(url, "the identity provider's introspection", Secret::from(form))
    };
    let answer = document(env, request)?;
    let claims: Map<String, Value> = serde_json::from_slice(&answer.body).map_err(|_| {
        Lack::Unavailable("the identity provider's introspection is not a JSON object".to_owned())
    })?;
    accept(server, site, claims, env.now)
}

fn accept(
    server: &Server,
    site: &Site,
    mut claims: Map<String, Value>,
    now: UnixTime,
) -> Result<Person, Unproved> {
    if claims.get("active") != Some(&Value::Bool(true)) {
        return Err(TokenRefusal::Inactive.into());
    }
    let seconds = |name: &str| claims.get(name).and_then(Value::as_u64);
    // Streams end with their tokens, so a token whose end nobody tells is taken to have one.
    let expires = seconds("exp").map_or_else(|| now.after(LONGEST_STREAM), UnixTime::from_seconds);
    if expires <= now {
        return Err(TokenRefusal::Expired.into());
    }
    if seconds("nbf").is_some_and(|start| start > now.seconds()) {
        return Err(TokenRefusal::Inactive.into());
    }
    if let Some(issuer) = claims.get("iss")
        && !issuer.as_str().is_some_and(|issuer| server.issuers().iter().any(|ours| ours == issuer))
    {
        return Err(TokenRefusal::Unknown.into());
    }
    // Without an audience nothing says that the token was meant for this server (MCP authorization, token handling).
    let audiences = server.audiences(site);
    let is_ours = |value: &Value| {
        let ours = |text: &str| {
            audiences.iter().any(|ours| ours.trim_end_matches('/') == text.trim_end_matches('/'))
        };
        value.as_str().is_some_and(ours)
    };
    let is_for_us = match claims.get("aud") {
        Some(Value::Array(items)) => items.iter().any(is_ours),
        Some(one) => is_ours(one),
        None => false,
    };
    if !is_for_us {
        return Err(TokenRefusal::Audience.into());
    }
    claims.remove("active");
    Ok(Person { claims, expires: Some(expires) })
}

/// A client's id and secret as `Authorization` has them (RFC 6749 section 2.3.1: each form-encoded first).
pub(crate) fn basic(client: &UpstreamClient) -> Secret<String> {
    let escaped = |text: &str| Form::write(&[("", text)]).trim_start_matches('=').to_owned();
    let secret = client.secret.as_ref().map_or("", |secret| secret.expose().as_str());
    let pair = Secret::from(format!("{}:{}", escaped(&client.id), escaped(secret)));
    Secret::from(format!("Basic {}", Base64::encode_string(pair.expose().as_bytes())))
}
