//! JWE (RFC 7516): `A256KW` with `A256GCM` only, in whatever form it is written.
//!
//! Whether the integrity check of a wrapped key and the tag of a text fit is decided by `aes-kw` and `aes-gcm`, which
//! compare in constant time; nothing here compares them.

use aes_gcm::KeyInit;
use aes_kw::KwAes256;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::a256gcm::{self, IV_BYTES, KEY_BYTES, TAG_BYTES};
use super::base64url;
use super::header::{self, Header};
use super::inflate::inflate;
pub use super::jwe_error::{JweError, Part};
pub use super::serialisation::Form;
use super::serialisation::Serialised;
use crate::secret::Secret;

/// No token is longer, in bytes, white space included.
pub const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// RFC 3394 section 2.2.1: a wrapped key is one block of 64 bits longer than the key.
const WRAPPED_KEY_BYTES: usize = KEY_BYTES + 8;

/// The key that wraps the content keys of tokens (RFC 7518 section 4.4).
#[derive(Clone, Debug)]
pub struct WrappingKey(Secret<[u8; KEY_BYTES]>);

/// What the plaintext is, as the `cty` member says it (RFC 7516 section 4.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// A nested token, `JWT`.
    Jwt,
    /// A JSON object, `JSON`.
    Json,
}

/// What was inside of a token.
#[derive(Debug)]
pub struct Opened {
    /// The header's `cty`, if it has one.
    pub content_type: Option<String>,
    /// The plaintext, no longer compressed.
    pub plaintext: Secret<Vec<u8>>,
    /// Whether it was compressed.
    pub compressed: bool,
    /// How the token was written.
    pub form: Form,
    /// Which of the keys opened it, counted from 0.
    pub key: usize,
}

impl WrappingKey {
    /// The key that belongs to a secret phrase: its SHA-256 digest, whatever its length.
    pub fn derive(phrase: &str) -> Self {
        Self(Secret::new(Sha256::digest(phrase).into()))
    }

    #[cfg(test)]
    pub(super) const fn of_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Secret::new(bytes))
    }

    pub(super) fn cipher(&self) -> KwAes256 {
        KwAes256::new(self.0.expose().into())
    }
}

impl ContentType {
    /// The value of `cty`, whose case counts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::Json => "JSON",
        }
    }
}

/// Opens `token` with the first of `keys` that fits (RFC 7516 section 5.2).
///
/// ASCII white space is removed first, wherever it is: tokens travel through shells, headers and mail. The header
/// is authenticated as it was received, so the order of its members does not matter.
pub fn open(keys: &[WrappingKey], token: &str) -> Result<Opened, JweError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(JweError::TooLong);
    }
    let mut compacted = Zeroizing::new(String::new());
    let token = if token.bytes().any(|byte| byte.is_ascii_whitespace()) {
        compacted.reserve_exact(token.len());
        token.split_ascii_whitespace().for_each(|word| compacted.push_str(word));
        compacted.as_str()
    } else {
        token
    };
    let parts = Serialised::parse(token)?;
    let protected = parts.protected.map(|text| decode(Part::Header, text)).transpose()?;
    let Header { content_type, compressed } =
        header::read(protected.as_ref().map(|it| it.as_slice()), parts.unprotected)?;
    let wrapped: [u8; WRAPPED_KEY_BYTES] = exact(Part::EncryptedKey, parts.encrypted_key)?;
    let iv: [u8; IV_BYTES] = exact(Part::InitializationVector, parts.iv)?;
    let tag: [u8; TAG_BYTES] = exact(Part::Tag, parts.tag)?;
    let ciphertext = decode(Part::Ciphertext, parts.ciphertext)?;
    parts.aad.map(|aad| decode(Part::AdditionalData, aad)).transpose()?;
    let additional = parts.additional_data();
    for (key, wrapping) in keys.iter().enumerate() {
        if let Some(plaintext) = wrapping.decrypt(&wrapped, iv, additional.as_bytes(), &ciphertext, tag) {
            let plaintext = if compressed { inflate(plaintext.expose())? } else { plaintext };
            return Ok(Opened { content_type, plaintext, compressed, form: parts.form, key });
        }
    }
    Err(JweError::Undecryptable)
}

/// Encrypts `plaintext` under a content key and an initialization vector drawn from `rng` (RFC 7516 section 5.1).
pub fn seal(
    key: &WrappingKey,
    content_type: ContentType,
    plaintext: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<String, JweError> {
    let mut content_key = Zeroizing::new([0; KEY_BYTES]);
    rng.fill_bytes(content_key.as_mut_slice());
    let mut iv = [0; IV_BYTES];
    rng.fill_bytes(&mut iv);
    seal_with(key, content_type, plaintext, &content_key, iv)
}

/// As [`seal`], with everything given. A content key and vector must not serve twice, so this stays inside.
pub(super) fn seal_with(
    key: &WrappingKey,
    content_type: ContentType,
    plaintext: &[u8],
    content_key: &[u8; KEY_BYTES],
    iv: [u8; IV_BYTES],
) -> Result<String, JweError> {
    // Sorted, as the tokens in use have it.
    let header =
        format!(r#"{{"alg":"A256KW","cty":"{}","enc":"A256GCM","typ":"JWE"}}"#, content_type.as_str());
    seal_under(&header, key, plaintext, content_key, iv)
}

/// As [`seal_with`], under any header.
pub(super) fn seal_under(
    header: &str,
    key: &WrappingKey,
    plaintext: &[u8],
    content_key: &[u8; KEY_BYTES],
    iv: [u8; IV_BYTES],
) -> Result<String, JweError> {
    let header = base64url::encode(header.as_bytes());
    let parts = key.encrypt(header.as_bytes(), plaintext, content_key, iv)?;
    let token = format!("{header}.{}", parts.join("."));
    if token.len() > MAX_TOKEN_BYTES { Err(JweError::TooLong) } else { Ok(token) }
}

impl WrappingKey {
    /// The encrypted key, the vector, the ciphertext and the tag (RFC 7516 section 5.1 steps 5 to 15).
    pub(super) fn encrypt(
        &self,
        additional_data: &[u8],
        plaintext: &[u8],
        content_key: &[u8; KEY_BYTES],
        iv: [u8; IV_BYTES],
    ) -> Result<[String; 4], JweError> {
        let mut wrapped = [0; WRAPPED_KEY_BYTES];
        self.cipher().wrap_key(content_key, &mut wrapped).map_err(|_| JweError::Unencryptable)?;
        let (ciphertext, tag) =
            a256gcm::encrypt(content_key, iv, additional_data, plaintext).ok_or(JweError::Unencryptable)?;
        Ok([wrapped.as_slice(), &iv, &ciphertext, &tag].map(base64url::encode))
    }

    /// RFC 7516 section 5.2 steps 10 and 16. Which of the two failed is not told.
    pub(super) fn decrypt(
        &self,
        wrapped: &[u8; WRAPPED_KEY_BYTES],
        iv: [u8; IV_BYTES],
        additional_data: &[u8],
        ciphertext: &[u8],
        tag: [u8; TAG_BYTES],
    ) -> Option<Secret<Vec<u8>>> {
        let mut content_key = Zeroizing::new([0; KEY_BYTES]);
        self.cipher().unwrap_key(wrapped, content_key.as_mut_slice()).ok()?;
        a256gcm::decrypt(&content_key, iv, additional_data, ciphertext, tag)
    }
}

fn decode(part: Part, text: &str) -> Result<Zeroizing<Vec<u8>>, JweError> {
    base64url::decode(text).map_err(|_| JweError::Base64url { part })
}

fn exact<const N: usize>(part: Part, text: &str) -> Result<[u8; N], JweError> {
    let bytes = decode(part, text)?;
    bytes.as_slice().try_into().map_err(|_| JweError::Length { part, found: bytes.len() })
}

#[cfg(test)]
#[path = "jwe_tests.rs"]
mod tests;
