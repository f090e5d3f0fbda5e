//! Access and refresh tokens of Housekey's own, which only this server and its replicas read.
//!
//! They are sealed, so that whoever carries them sees neither the person's address nor the identity provider's tokens.
//! Clients treat tokens as opaque (RFC 6749 section 1.4).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::artifact::{Carried, Digest, has_passed};
use super::keys::Keys;
use crate::time::UnixTime;

/// An access token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccessToken {
    /// Who issued it.
    pub(crate) iss: String,
    /// The resource that it is for, as the client wrote it.
    pub(crate) aud: String,
    /// Its scopes, separated by blanks.
    pub(crate) scope: String,
    /// The client that it was issued to.
    pub(crate) client: Digest,
    /// When it was issued, in seconds.
    pub(crate) iat: u64,
    /// The second after which it is worth nothing.
    pub(crate) exp: u64,
    /// What the identity provider says of the person.
    pub(crate) claims: Map<String, Value>,
}

/// A refresh token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RefreshToken {
    /// Who issued it.
    pub(crate) iss: String,
    /// The resource, as in the access tokens that it is good for.
    pub(crate) aud: String,
    /// The most scopes that these may have.
    pub(crate) scope: String,
    /// The client that it was issued to.
    pub(crate) client: Digest,
    /// The second after which the whole family, and with it the login, is over.
    pub(crate) exp: u64,
    /// What the identity provider said of the person; where tokens are forwarded, only who it is (`iss`, `sub`).
    #[serde(default)]
    pub(crate) claims: Map<String, Value>,
    /// The identity provider's own refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upstream: Option<Carried>,
}

impl AccessToken {
    /// Opens a token that is still good.
    pub(crate) fn open(keys: &Keys, text: &str, now: UnixTime) -> Result<Self, Unusable> {
        let token: Self = keys.access.open(text).ok_or(Unusable::Unknown)?;
        if has_passed(token.exp, now) { Err(Unusable::Expired) } else { Ok(token) }
    }
}

/// Why a token of our own is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It is none of ours, or of another purpose.
    Unknown,
    /// Its time is over.
    Expired,
}
