//! What clients say of themselves (RFC 7591 section 2), in the part that is used here, whether they register with it or
//! have it in a document.
//!
//! Read leniently: what is not known, or not used, is not looked at. A server that refused a grant type that it did not
//! know once shut out a client of many people.

use serde_json::Value;

use super::client::{Authentication, clean_name};
use super::client_url;
use super::error::{OAuthCode, OAuthError};
use crate::config::oauth::Facade;
use crate::jose::jwk::KeySet;
use crate::jsonrpc;

/// Its members that are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientMetadata {
    pub(super) name: Option<String>,
    pub(super) redirect_uris: Vec<String>,
    pub(super) method: Method,
    /// Whether it holds a secret, or asks for one.
    pub(super) shares_secret: bool,
    pub(super) application_type: Option<String>,
    /// `client_id`, in a document.
    pub(super) id: Option<String>,
    jwks: Option<String>,
    jwks_uri: Option<String>,
}

/// How it would prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    None,
    PrivateKeyJwt,
    Other,
}

fn refuse(reason: &str) -> OAuthError {
    OAuthError::new(OAuthCode::InvalidClientMetadata, reason)
}

impl ClientMetadata {
    /// Reads a JSON object. A member that stands there twice is refused, so that nobody reads the one and somebody else
    /// the other.
    pub(super) fn parse(json: &[u8]) -> Result<Self, OAuthError> {
        let Ok(Value::Object(members)) = jsonrpc::parse_unique(json) else {
            return Err(refuse("the client metadata is not a JSON object with each member once"));
        };
        let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let uris = match members.get("redirect_uris") {
            Some(Value::Array(uris)) => uris.iter().map(|uri| uri.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        let redirect_uris: Vec<String> = uris.ok_or_else(|| {
            OAuthError::new(OAuthCode::InvalidRedirectUri, "redirect_uris is needed: a list of URIs")
        })?;
        let named = text("token_endpoint_auth_method");
        Ok(Self {
            name: text("client_name").and_then(clean_name),
            redirect_uris,
            method: match named {
                None | Some("none") => Method::None,
                Some("private_key_jwt") => Method::PrivateKeyJwt,
                Some(_) => Method::Other,
            },
            shares_secret: members.contains_key("client_secret")
                || members.contains_key("client_secret_expires_at")
                || named.is_some_and(|method| method.starts_with("client_secret")),
            application_type: text("application_type")
                .filter(|kind| matches!(*kind, "native" | "web"))
                .map(str::to_owned),
            id: text("client_id").map(str::to_owned),
            jwks: members.get("jwks").filter(|keys| keys.is_object()).map(Value::to_string),
            jwks_uri: text("jwks_uri").map(str::to_owned),
        })
    }

    /// The keys with which it proves who it is. Those that it names by a URL are a stranger's address like that of a
    /// document.
    pub(super) fn keys(&self, facade: &Facade) -> Result<Authentication, OAuthError> {
        if let Some(keys) = &self.jwks {
            let set = KeySet::parse(keys.as_bytes()).map_err(|_| refuse("jwks is no key set"))?;
            if set.is_empty() {
                return Err(refuse("jwks has no public key that can be used"));
            }
            return Ok(Authentication::InlineKeys(keys.clone()));
        }
        let url = self.jwks_uri.as_ref().ok_or_else(|| refuse("private_key_jwt needs jwks or jwks_uri"))?;
        match client_url::check(url, facade) {
            Ok(_) => Ok(Authentication::KeysAt(url.clone())),
            Err(error) => Err(refuse("jwks_uri is no URL that is fetched here").because(error.to_string())),
        }
    }
}
