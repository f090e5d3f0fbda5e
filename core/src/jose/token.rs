//! Access tokens as a whole: opened, verified, read and found to be in time, or refused for one named reason.

use std::fmt;

use rand_core::CryptoRng;

use super::claims::Claims;
pub use super::jwe::Form;
use super::jwe::{self, ContentType, Opened, WrappingKey};
use super::jws::{self, SigningKey};
pub use super::life::LifePolicy;
pub use super::token_error::TokenError;
use crate::secret::Secret;
use crate::time::UnixTime;

/// The keys of a server, derived once from its secret phrases.
///
/// The first of each kind makes tokens, all of them open tokens, so that secrets can be replaced without a gap.
#[derive(Clone)]
pub struct TokenKeys {
    sealing: WrappingKey,
    wrapping: Vec<WrappingKey>,
    signing: Vec<SigningKey>,
}

/// Why secret phrases make no [`TokenKeys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No phrase to encrypt with.
    #[error("there is no secret to open tokens with")]
    NoJweSecret,
    /// A phrase that anybody knows.
    #[error("encryption secret number {position} is empty")]
    EmptyJweSecret {
        /// Its place in the list, counted from 1.
        position: usize,
    },
    /// A phrase that anybody knows.
    #[error("signing secret number {position} is empty")]
    EmptyJwtSecret {
        /// Its place in the list, counted from 1.
        position: usize,
    },
}

impl TokenKeys {
    /// Derives the keys. Without `jwt_secrets`, tokens are plain JSON inside of their encryption.
    pub fn new(jwe_secrets: &[Secret<String>], jwt_secrets: &[Secret<String>]) -> Result<Self, KeyError> {
        if let Some(position) = empty(jwe_secrets) {
            return Err(KeyError::EmptyJweSecret { position });
        }
        if let Some(position) = empty(jwt_secrets) {
            return Err(KeyError::EmptyJwtSecret { position });
        }
        let wrapping: Vec<_> =
            jwe_secrets.iter().map(|phrase| WrappingKey::derive(phrase.expose())).collect();
        let sealing = wrapping.first().cloned().ok_or(KeyError::NoJweSecret)?;
        let signing = jwt_secrets.iter().map(|phrase| SigningKey::derive(phrase.expose())).collect();
        Ok(Self { sealing, wrapping, signing })
    }

    /// Whether tokens must hold a signature.
    pub fn asks_for_signature(&self) -> bool {
        !self.signing.is_empty()
    }
}

fn empty(secrets: &[Secret<String>]) -> Option<usize> {
    secrets.iter().position(|secret| secret.expose().is_empty()).map(|index| index + 1)
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKeys {{ wrapping: {}, signing: {} }}", self.wrapping.len(), self.signing.len())
    }
}

/// What a token says, and how it was made; whether it is in time is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What it says.
    pub claims: Claims,
    /// How it is written.
    pub form: Form,
    /// Whether its content was compressed.
    pub compressed: bool,
    /// Which of the encryption secrets opened it, counted from 1.
    pub wrapping_key: usize,
    /// Which of the signing secrets verified it, counted from 1; `None` if the server has none, and so asks for no
    /// signature.
    pub signing_key: Option<usize>,
}

/// Opens an access token and checks all that can be checked without asking anybody.
pub fn open(keys: &TokenKeys, token: &str, policy: &LifePolicy, now: UnixTime) -> Result<Claims, TokenError> {
    let claims = read(keys, token)?.claims;
    policy.check(&claims, now)?;
    Ok(claims)
}

/// Opens an access token and verifies it, but leaves its dates to [`LifePolicy::check`].
pub fn read(keys: &TokenKeys, token: &str) -> Result<Read, TokenError> {
    let opened = jwe::open(&keys.wrapping, token)?;
    let (claims, signing_key) = if keys.asks_for_signature() {
        let (claims, key) = signed(keys, &opened)?;
        (claims, Some(key + 1))
    } else {
        (unsigned(&opened)?, None)
    };
    let Opened { form, compressed, key, content_type: _, plaintext: _ } = opened;
    Ok(Read { claims, form, compressed, wrapping_key: key + 1, signing_key })
}

/// Makes an access token with the first keys: header and claims in the order of their names, signed if there is a
/// signing secret.
pub fn seal(keys: &TokenKeys, claims: &Claims, rng: &mut dyn CryptoRng) -> Result<String, TokenError> {
    let json = claims.to_json()?;
    let token = match keys.signing.first() {
        Some(key) => {
            let signed = jws::sign(key, json.as_bytes())?;
            jwe::seal(&keys.sealing, ContentType::Jwt, signed.as_bytes(), rng)?
        }
        None => jwe::seal(&keys.sealing, ContentType::Json, json.as_bytes(), rng)?,
    };
    Ok(token)
}

/// The claims of a nested token (RFC 7519 section 7.2 steps 8 and 9), and which key signed them.
///
/// A token that announces plain JSON is refused whatever it holds. Every other `cty`, or none, is what makers of
/// tokens happen to write for a nested one, and only the signature counts.
fn signed(keys: &TokenKeys, opened: &Opened) -> Result<(Claims, usize), TokenError> {
    let plaintext = opened.plaintext.expose();
    if opened.content_type.as_deref() == Some(ContentType::Json.as_str()) || !jws::is_compact(plaintext) {
        return Err(TokenError::Unsigned);
    }
    let text = str::from_utf8(plaintext).map_err(|_| TokenError::Unsigned)?;
    let verified = jws::verify(&keys.signing, text)?;
    Ok((Claims::parse(&verified.payload)?, verified.key))
}

/// The claims of a token that is encrypted only, whatever its `cty` says.
fn unsigned(opened: &Opened) -> Result<Claims, TokenError> {
    let plaintext = opened.plaintext.expose();
    if jws::is_compact(plaintext) {
        return Err(TokenError::Unverifiable);
    }
    Ok(Claims::parse(plaintext)?)
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
