//! The registration endpoint (RFC 7591).
//!
//! Nothing is stored: the client id is the registration, sealed, so that anybody may register and nobody fills anything.
//!
//! A client that asks for a secret is registered with `none` in its place, as RFC 7591 section 3.2.1 lets servers do and
//! the answer says. A secret that anybody can have issued proves nothing, and clients go by the answer. Likewise redirect
//! URIs that cannot be had here are left out, since clients register the same ones with all servers: nothing is ever sent
//! to one that the answer does not name.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::client::{Authentication, Registration};
use super::client_metadata::{ClientMetadata, Method};
use super::error::{OAuthCode, OAuthError, json_answer};
use super::metadata::{grant_types, scopes};
use super::redirect_uri;
use super::server::Server;
use super::visit::{Look, Request};
use crate::env::Env;

/// Bytes that a client id may have: it stands in URLs, beside a state of the client's own.
const LONGEST_ID: usize = 6 << 10;

pub(super) fn answer(env: &mut Env<'_>, server: &Server, request: &Request) -> Look {
    match register(env, server, &request.body) {
        Ok(text) => Look::Answer(json_answer(StatusCode::CREATED, text), None),
        Err(error) => error.into(),
    }
}

pub(super) fn register(env: &mut Env<'_>, server: &Server, body: &[u8]) -> Result<String, OAuthError> {
    let refuse = |reason: &str| OAuthError::new(OAuthCode::InvalidClientMetadata, reason);
    let Some((facade, keys)) = server.facade() else { return Err(refuse("nobody registers here")) };
    let metadata = ClientMetadata::parse(body)?;
    let refuse_uri = |reason: String| OAuthError::new(OAuthCode::InvalidRedirectUri, reason);
    if metadata.redirect_uris.is_empty() || metadata.redirect_uris.len() > redirect_uri::MOST {
        return Err(refuse_uri(format!("redirect_uris has 1 to {} entries", redirect_uri::MOST)));
    }
    let authentication = match metadata.method {
        Method::None | Method::Other => Authentication::None,
        Method::PrivateKeyJwt => metadata.keys(facade)?,
    };
    let schemes = &facade.redirect_schemes;
    let reason = metadata.redirect_uris.iter().find_map(|uri| redirect_uri::check(uri, schemes).err());
    let redirect_uris = redirect_uri::usable(metadata.redirect_uris, schemes);
    if let Some(reason) = reason.filter(|_| redirect_uris.is_empty()) {
        return Err(refuse_uri(format!("none of redirect_uris can be used here: {reason}")));
    }
    let method = if authentication == Authentication::None { "none" } else { "private_key_jwt" };
    let registration = Registration {
        redirect_uris,
        name: metadata.name,
        authentication,
        application_type: metadata.application_type,
        issued: env.now.seconds(),
    };
    let id = keys.client.seal(env.rng, &registration).filter(|id| id.len() <= LONGEST_ID);
    let id =
        id.ok_or_else(|| refuse("the client metadata is too long: register fewer redirect URIs or keys"))?;
    let mut answer = Map::new();
    let mut add = |name: &str, value: Value| {
        answer.insert(name.to_owned(), value);
    };
    add("client_id", json!(id));
    add("client_id_issued_at", json!(registration.issued));
    if let Some(name) = &registration.name {
        add("client_name", json!(name));
    }
    add("redirect_uris", json!(registration.redirect_uris));
    add("grant_types", json!(grant_types(server, facade)));
    add("response_types", json!(["code"]));
    add("token_endpoint_auth_method", json!(method));
    if let Some(kind) = &registration.application_type {
        add("application_type", json!(kind));
    }
    match &registration.authentication {
        Authentication::None => {}
        Authentication::InlineKeys(text) => {
            add("jwks", serde_json::from_str(text).unwrap_or_default());
        }
        Authentication::KeysAt(url) => add("jwks_uri", json!(url)),
    }
    add("scope", json!(scopes(server).join(" ")));
    Ok(Value::Object(answer).to_string())
}
