//! What the server hands out to get back unchanged and unread: JWE (RFC 7516) with `dir` and `A256GCM`, compact.
//!
//! The header is a constant of the purpose, so a sealed text is compared with it and never read: nothing in it is
//! chosen by who sends it. Deliberately absent: an expiry, which belongs into what is sealed, and details in errors, of
//! which only an attacker would learn.
//!
//! The initialization vector is random, so one secret must not seal more than 2^32 texts of one purpose (NIST SP
//! 800-38D section 8.3). At a hundred per second that is more than a year.

use rand_core::CryptoRng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::a256gcm::{self, IV_BYTES, TAG_BYTES};
use super::base64url;
use super::derive;
use crate::secret::Secret;

/// The keys of one purpose, derived from secrets. The first seals, all open, so that secrets can be replaced without
/// a gap.
#[derive(Clone, Debug)]
pub struct SealingKeys {
    /// The protected header, encoded.
    header: String,
    sealing: Secret<[u8; derive::KEY_BYTES]>,
    opening: Vec<Secret<[u8; derive::KEY_BYTES]>>,
}

/// Why secrets make no [`SealingKeys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealingKeyError {
    /// No secret to seal with.
    #[error("there is no secret to seal with")]
    NoSecret,
    /// A secret that anybody knows.
    #[error("sealing secret number {position} is empty")]
    Empty {
        /// Its place in the list, counted from 1.
        position: usize,
    },
    /// The label is empty or has other characters than lower-case letters, digits, `-`, `+` and `.`.
    #[error("the label of the purpose is not usable")]
    Purpose,
    /// See [`derive::Underivable`].
    #[error(transparent)]
    Underivable(#[from] derive::Underivable),
}

/// Why a text is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not of this purpose, not written as [`SealingKeys::seal`] writes, too long, or holds something else.
    #[error("not a sealed text of this purpose")]
    Malformed,
    /// No key opens it: it was sealed with another secret, or changed.
    #[error("no key opens the sealed text")]
    WrongKey,
}

/// What cannot be sealed: a value that is not JSON, or is longer than the cipher allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value cannot be sealed")]
pub struct Unsealable;

impl SealingKeys {
    /// Derives the keys of `purpose`, a label that no other use of the secrets may have.
    pub fn new(secrets: &[Secret<String>], purpose: &str) -> Result<Self, SealingKeyError> {
        let known = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'+' | b'.');
        if purpose.is_empty() || !purpose.bytes().all(known) {
            return Err(SealingKeyError::Purpose);
        }
        let header = format!(r#"{{"alg":"dir","enc":"A256GCM","kid":"v1","typ":"{purpose}"}}"#);
        let info = format!("housekey seal v1 {purpose}");
        let mut opening = Vec::with_capacity(secrets.len());
        for (index, secret) in secrets.iter().enumerate() {
            if secret.expose().is_empty() {
                return Err(SealingKeyError::Empty { position: index + 1 });
            }
            opening.push(derive::derive(secret.expose().as_bytes(), &info)?);
        }
        let sealing = opening.first().cloned().ok_or(SealingKeyError::NoSecret)?;
        Ok(Self { header: base64url::encode(header.as_bytes()), sealing, opening })
    }

    /// Seals `plaintext` with the first key (RFC 7516 section 5.1, RFC 7518 section 4.5).
    pub fn seal(&self, rng: &mut dyn CryptoRng, plaintext: &[u8]) -> Result<String, Unsealable> {
        let mut iv = [0; IV_BYTES];
        rng.fill_bytes(&mut iv);
        let (ciphertext, tag) =
            a256gcm::encrypt(self.sealing.expose(), iv, self.header.as_bytes(), plaintext)
                .ok_or(Unsealable)?;
        let [iv, ciphertext, tag] = [iv.as_slice(), &ciphertext, &tag].map(base64url::encode);
        Ok(format!("{}..{iv}.{ciphertext}.{tag}", self.header))
    }

    /// Opens a text of at most `max_len` bytes with the first key that fits (RFC 7516 section 5.2).
    pub fn open(&self, text: &str, max_len: usize) -> Result<Secret<Vec<u8>>, OpenError> {
        if text.len() > max_len {
            return Err(OpenError::Malformed);
        }
        // RFC 7518 section 4.5: the encrypted key is empty.
        let parts = text.strip_prefix(&self.header).and_then(|rest| rest.strip_prefix(".."));
        let mut parts = parts.ok_or(OpenError::Malformed)?.split('.');
        let (Some(iv), Some(ciphertext), Some(tag), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(OpenError::Malformed);
        };
        let iv: [u8; IV_BYTES] = exact(iv)?;
        let tag: [u8; TAG_BYTES] = exact(tag)?;
        let ciphertext = base64url::decode(ciphertext).map_err(|_| OpenError::Malformed)?;
        self.opening
            .iter()
            .find_map(|key| a256gcm::decrypt(key.expose(), iv, self.header.as_bytes(), &ciphertext, tag))
            .ok_or(OpenError::WrongKey)
    }

    /// Seals a value as JSON.
    pub fn seal_json<T: Serialize>(&self, rng: &mut dyn CryptoRng, value: &T) -> Result<String, Unsealable> {
        let json = Zeroizing::new(serde_json::to_vec(value).map_err(|_| Unsealable)?);
        self.seal(rng, &json)
    }

    /// Opens what [`SealingKeys::seal_json`] sealed. Of another type, as after an update, it is malformed.
    pub fn open_json<T: DeserializeOwned>(&self, text: &str, max_len: usize) -> Result<T, OpenError> {
        let json = self.open(text, max_len)?;
        serde_json::from_slice(json.expose()).map_err(|_| OpenError::Malformed)
    }
}

fn exact<const N: usize>(part: &str) -> Result<[u8; N], OpenError> {
    let bytes = base64url::decode(part).map_err(|_| OpenError::Malformed)?;
    bytes.as_slice().try_into().map_err(|_| OpenError::Malformed)
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
