//! What a client gets once it is known who signed in, and what of that is the same for codes and refresh tokens.

use serde_json::{Map, Value};

use super::artifact::Digest;
use super::error::{OAuthCode, OAuthError};
use crate::secret::Secret;

/// A grant that waits for the identity provider's word.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(super) issuer: String,
    /// The resource byte for byte as it was asked for (RFC 8707): clients compare.
    pub(super) resource: String,
    pub(super) client: Digest,
    /// The scopes of the access token.
    pub(super) scope: String,
    /// The most scopes that any later one may have.
    pub(super) most_scope: String,
    /// The second in which the login is over.
    pub(super) ends: u64,
    pub(super) origin: Origin,
}

/// Where a grant comes from.
#[derive(Clone)]
pub(crate) enum Origin {
    /// A login just now, begun with this nonce.
    Login(Secret<String>),
    /// An earlier one.
    Earlier {
        /// What the identity provider said of the person.
        claims: Map<String, Value>,
        /// Its refresh token.
        upstream: Option<Secret<String>>,
    },
}

/// That nothing comes of a grant.
pub(super) fn invalid(description: &str) -> OAuthError {
    OAuthError::new(OAuthCode::InvalidGrant, description)
}

/// A resource that a client names again has to be the one of its grant (RFC 8707 section 2.2). Clients differ in a slash
/// at its end from one request to the next.
pub(super) fn check_resource(granted: &str, named: Option<&str>) -> Result<(), OAuthError> {
    match named {
        Some(named) if named.trim_end_matches('/') != granted.trim_end_matches('/') => Err(OAuthError::new(
            OAuthCode::InvalidTarget,
            "resource is another than the one that was authorized",
        )),
        _ => Ok(()),
    }
}
