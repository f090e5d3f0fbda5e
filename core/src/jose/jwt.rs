//! JWTs (RFC 7519) that an identity provider signs: a compact JWS (RFC 7515) under one of its public keys.
//!
//! [`parse`] reads what a token says about itself, [`Unverified::verify`] finds out who signed it, and
//! [`super::jwt_claims`] whether it is meant for us and now. Each step takes the result of the one before, so none can be
//! left out.
//!
//! Deliberately absent: keys and addresses of keys that the token brings along (`jwk`, `jku`, `x5c`, `x5u`), which are
//! its own word for itself; encrypted tokens; the JSON serialisations.

use serde_json::{Map, Value};

pub use super::algorithm::{Algorithm, AlgorithmError};
use super::base64url;
use super::jwk::KeySet;
use super::members::{Members, MembersError, excerpt};
use crate::jsonrpc;

/// No token is longer, in bytes.
pub const MAX_JWT_BYTES: usize = 16 * 1024;

/// Why a token is not accepted, before its claims are looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Longer than [`MAX_JWT_BYTES`].
    #[error("the token is longer than {MAX_JWT_BYTES} bytes")]
    TooLong,
    /// RFC 7515 section 7.1: three parts, separated by dots.
    #[error("a signed token has three parts")]
    Parts,
    /// RFC 7515 section 2: each part is unpadded base64url.
    #[error("a part of the token is not base64url")]
    Base64url,
    /// RFC 7515 section 4: the header is a JSON object.
    #[error("the header of the token is not a JSON object of the expected types")]
    Header,
    /// RFC 7515 section 4: header names are unique.
    #[error("the header of the token says {name:?} twice")]
    DuplicateHeader {
        /// The repeated name, cut to 64 characters.
        name: String,
    },
    /// RFC 7515 section 4.1.11: no extension is understood here, so none can be critical.
    #[error("the token asks for critical extensions")]
    Critical,
    /// RFC 7797 section 7: a JWT's payload is always encoded.
    #[error("the token says how its payload is encoded, which a JWT must not")]
    UnencodedPayload,
    /// Its algorithm is none that a provider may use.
    #[error(transparent)]
    Algorithm(#[from] AlgorithmError),
    /// The token names a key that the provider has not, or not any more: fetching its keys again may help.
    #[error("the provider has no key {key_id:?}")]
    UnknownKey {
        /// What the token calls it, cut to 64 characters.
        key_id: String,
    },
    /// No key is of the algorithm's type, or the one that is named is not.
    #[error("the provider has no key for {}", .algorithm.as_str())]
    NoFittingKey {
        /// The token's algorithm.
        algorithm: Algorithm,
    },
    /// RFC 7515 section 5.2: no key verifies the signature.
    #[error("no key of the provider verifies the token")]
    Signature,
    /// RFC 7519 section 7.2 step 10: the payload is a JSON object.
    #[error("the claims of the token are not a JSON object")]
    Claims,
    /// RFC 7519 section 4: claim names are unique, and so are the names inside of claims.
    #[error("a claim of the token is given twice")]
    DuplicateClaim,
}

/// What a token says about itself. Nobody vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `alg`.
    pub algorithm: Algorithm,
    /// `kid`.
    pub key_id: Option<String>,
    /// `typ`.
    pub typ: Option<String>,
}

/// A token that is written properly. Its claims cannot be had before it is verified.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    header: Header,
    /// RFC 7515 section 5.1 step 5: what is signed, as it was received.
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// A token that one of the provider's keys signed, as only [`Unverified::verify`] makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    typ: Option<String>,
    claims: Map<String, Value>,
}

/// Takes a token apart. White space is not removed: the header that carries it has none.
pub fn parse(text: &str) -> Result<Unverified<'_>, JwtError> {
    if text.len() > MAX_JWT_BYTES {
        return Err(JwtError::TooLong);
    }
    let (signed, signature) = text.rsplit_once('.').ok_or(JwtError::Parts)?;
    let (header, payload) = signed.split_once('.').ok_or(JwtError::Parts)?;
    if payload.contains('.') {
        return Err(JwtError::Parts);
    }
    let header = read_header(&decode(header)?)?;
    Ok(Unverified { header, signed, payload: decode(payload)?, signature: decode(signature)? })
}

impl Unverified<'_> {
    /// What the token says about itself.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Finds the key of `keys` that signed the token, by the rules of [`KeySet::find`].
    pub fn verify(&self, keys: &KeySet) -> Result<Verified, JwtError> {
        let Header { algorithm, key_id, typ } = &self.header;
        let mut tried = false;
        for key in keys.find(key_id.as_deref(), *algorithm) {
            if key.verify(*algorithm, self.signed.as_bytes(), &self.signature).is_ok() {
                return Ok(Verified { typ: typ.clone(), claims: read_claims(&self.payload)? });
            }
            tried = true;
        }
        match key_id {
            _ if tried => Err(JwtError::Signature),
            Some(key_id) if !keys.has(key_id) => Err(JwtError::UnknownKey { key_id: excerpt(key_id) }),
            Some(_) | None => Err(JwtError::NoFittingKey { algorithm: *algorithm }),
        }
    }
}

impl Verified {
    /// The header's `typ`, which the signature covers.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// What the provider says. Whether to us and now is another question: [`super::jwt_claims::accept`].
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The claims alone.
    pub fn into_claims(self) -> Map<String, Value> {
        self.claims
    }
}

fn decode(part: &str) -> Result<Vec<u8>, JwtError> {
    base64url::decode(part).map(|bytes| bytes.to_vec()).map_err(|_| JwtError::Base64url)
}

fn read_header(json: &[u8]) -> Result<Header, JwtError> {
    let members = Members::parse(json).map_err(|error| match error {
        MembersError::NotObject => JwtError::Header,
        MembersError::Duplicate(name) => JwtError::DuplicateHeader { name },
    })?;
    if members.value("crit").is_some() {
        return Err(JwtError::Critical);
    }
    if members.value("b64").is_some() {
        return Err(JwtError::UnencodedPayload);
    }
    let text = |name| -> Result<Option<String>, JwtError> {
        members.value(name).map(serde_json::from_str).transpose().map_err(|_| JwtError::Header)
    };
    let algorithm = Algorithm::parse(&text("alg")?.ok_or(JwtError::Header)?)?;
    Ok(Header { algorithm, key_id: text("kid")?, typ: text("typ")? })
}

fn read_claims(json: &[u8]) -> Result<Map<String, Value>, JwtError> {
    match jsonrpc::parse_unique(json) {
        Ok(Value::Object(claims)) => Ok(claims),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(JwtError::Claims)
        }
        Err(error) if error.is_data() => Err(JwtError::DuplicateClaim),
        Err(_) => Err(JwtError::Claims),
    }
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
