//! JWE (RFC 7516) in compact serialisation, `A256KW` with `A256GCM` only.
//!
//! Deliberately absent: `zip` (RFC 7516 section 4.1.3) and the JSON serialisation (section 7.2); both are
//! recognised and refused by name.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use aes_kw::KwAes256;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::base64url;
pub use super::jwe_error::{JweError, Part};
use super::members::{Members, MembersError, excerpt};
use crate::secret::Secret;

/// No token is longer, in bytes, white space included.
pub const MAX_TOKEN_BYTES: usize = 64 * 1024;

const KEY_BYTES: usize = 32;
/// RFC 3394 section 2.2.1: a wrapped key is one block of 64 bits longer than the key.
const WRAPPED_KEY_BYTES: usize = KEY_BYTES + 8;
/// RFC 7518 section 5.3: an initialization vector of 96 bits and a tag of 128.
const IV_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

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
    /// The plaintext.
    pub plaintext: Secret<Vec<u8>>,
}

impl WrappingKey {
    /// The key that belongs to a secret phrase: its SHA-256 digest, whatever its length.
    pub fn derive(phrase: &str) -> Self {
        Self(Secret::new(Sha256::digest(phrase).into()))
    }

    fn cipher(&self) -> KwAes256 {
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
    let token: Zeroizing<String> =
        Zeroizing::new(token.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    let [header, wrapped, iv, ciphertext, tag] = parts(&token)?;
    let content_type = read_header(&decode(Part::Header, header)?)?;
    let wrapped: [u8; WRAPPED_KEY_BYTES] = exact(Part::EncryptedKey, wrapped)?;
    let iv: [u8; IV_BYTES] = exact(Part::InitializationVector, iv)?;
    let tag: [u8; TAG_BYTES] = exact(Part::Tag, tag)?;
    let ciphertext = decode(Part::Ciphertext, ciphertext)?;
    for key in keys {
        if let Some(plaintext) = key.decrypt(&wrapped, iv, header, &ciphertext, tag) {
            return Ok(Opened { content_type, plaintext });
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

fn seal_under(
    header: &str,
    key: &WrappingKey,
    plaintext: &[u8],
    content_key: &[u8; KEY_BYTES],
    iv: [u8; IV_BYTES],
) -> Result<String, JweError> {
    let header = base64url::encode(header.as_bytes());
    let mut wrapped = [0; WRAPPED_KEY_BYTES];
    key.cipher().wrap_key(content_key, &mut wrapped).map_err(|_| JweError::Unencryptable)?;
    let mut buffer = Zeroizing::new(plaintext.to_vec());
    let tag = Aes256Gcm::new(content_key.into())
        .encrypt_inout_detached(&Nonce::from(iv), header.as_bytes(), buffer.as_mut_slice().into())
        .map_err(|_| JweError::Unencryptable)?;
    let parts = [wrapped.as_slice(), &iv, &buffer, &tag].map(base64url::encode);
    let token = format!("{header}.{}", parts.join("."));
    if token.len() > MAX_TOKEN_BYTES { Err(JweError::TooLong) } else { Ok(token) }
}

impl WrappingKey {
    /// RFC 7516 section 5.2 steps 10 and 16. Which of the two failed is not told.
    fn decrypt(
        &self,
        wrapped: &[u8; WRAPPED_KEY_BYTES],
        iv: [u8; IV_BYTES],
        header: &str,
        ciphertext: &[u8],
        tag: [u8; TAG_BYTES],
    ) -> Option<Secret<Vec<u8>>> {
        let mut content_key = Zeroizing::new([0; KEY_BYTES]);
        self.cipher().unwrap_key(wrapped, content_key.as_mut_slice()).ok()?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        Aes256Gcm::new((&*content_key).into())
            .decrypt_inout_detached(
                &Nonce::from(iv),
                header.as_bytes(),
                buffer.as_mut_slice().into(),
                &Tag::from(tag),
            )
            .ok()?;
        Some(Secret::new(std::mem::take(&mut *buffer)))
    }
}

fn parts(token: &str) -> Result<[&str; 5], JweError> {
    match token.as_bytes().first() {
        None => return Err(JweError::Empty),
        Some(b'{') => return Err(JweError::JsonSerialisation),
        Some(_) => {}
    }
    let mut parts = [""; 5];
    let mut found = 0;
    for part in token.split('.') {
        if let Some(place) = parts.get_mut(found) {
            *place = part;
        }
        found += 1;
    }
    if found == parts.len() { Ok(parts) } else { Err(JweError::Parts { found }) }
}

fn decode(part: Part, text: &str) -> Result<Zeroizing<Vec<u8>>, JweError> {
    base64url::decode(text).map_err(|_| JweError::Base64url { part })
}

fn exact<const N: usize>(part: Part, text: &str) -> Result<[u8; N], JweError> {
    let bytes = decode(part, text)?;
    bytes.as_slice().try_into().map_err(|_| JweError::Length { part, found: bytes.len() })
}

/// Checks the protected header and returns its `cty`. Other members are ignored (RFC 7516 section 4).
fn read_header(header: &[u8]) -> Result<Option<String>, JweError> {
    let members = Members::parse(header).map_err(|error| match error {
        MembersError::NotObject => JweError::Header,
        MembersError::Duplicate(name) => JweError::DuplicateHeader { name },
    })?;
    let text = |name| {
        let parsed: Option<Result<String, _>> = members.value(name).map(serde_json::from_str);
        parsed.transpose().map_err(|_| JweError::Header)
    };
    if members.value("crit").is_some() {
        return Err(JweError::Critical);
    }
    let algorithm = text("alg")?.ok_or(JweError::Header)?;
    if algorithm != "A256KW" {
        return Err(JweError::Algorithm { found: excerpt(&algorithm) });
    }
    let encryption = text("enc")?.ok_or(JweError::Header)?;
    if encryption != "A256GCM" {
        return Err(JweError::Encryption { found: excerpt(&encryption) });
    }
    if members.value("zip").is_some() {
        return Err(JweError::Compressed);
    }
    text("cty")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT_KEY: [u8; KEY_BYTES] = [7; KEY_BYTES];
    const IV: [u8; IV_BYTES] = [9; IV_BYTES];

    fn sealed(header: &str) -> String {
        seal_under(header, &WrappingKey::derive("phrase"), b"plain", &CONTENT_KEY, IV).unwrap()
    }

    fn opened(token: &str) -> Result<(Option<String>, Vec<u8>), JweError> {
        let opened = open(&[WrappingKey::derive("other"), WrappingKey::derive("phrase")], token)?;
        Ok((opened.content_type, opened.plaintext.expose().clone()))
    }

    #[test]
    fn rfc_3394_section_4_6_wraps_256_bits_with_256_bits() {
        let key = WrappingKey(Secret::new(std::array::from_fn(|i| i as u8)));
        let data: [u8; 32] = std::array::from_fn(|i| if i < 16 { (i as u8) * 0x11 } else { (i as u8) - 16 });
        let expected = "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21";
        let mut wrapped = [0; WRAPPED_KEY_BYTES];
        key.cipher().wrap_key(&data, &mut wrapped).unwrap();
        assert_eq!(wrapped.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), expected);
        let mut unwrapped = [0; KEY_BYTES];
        key.cipher().unwrap_key(&wrapped, &mut unwrapped).unwrap();
        assert_eq!(unwrapped, data);
    }

    #[test]
    fn any_order_of_members_and_unknown_ones_are_accepted() {
        for (header, content_type) in [
            (r#"{"alg":"A256KW","enc":"A256GCM"}"#, None),
            (r#"{ "enc" : "A256GCM", "x":{"crit":[1]}, "typ":7, "kid":null, "alg":"\u0041256KW" }"#, None),
            (r#"{"cty":"json","enc":"A256GCM","alg":"A256KW"}"#, Some("json".to_owned())),
        ] {
            assert_eq!(opened(&sealed(header)), Ok((content_type, b"plain".to_vec())), "{header}");
        }
    }

    #[test]
    fn headers_outside_the_profile_are_refused() {
        let algorithm = |found: &str| JweError::Algorithm { found: found.to_owned() };
        let encryption = |found: &str| JweError::Encryption { found: found.to_owned() };
        for (header, error) in [
            (r#"{"alg":"dir","enc":"A256GCM"}"#, algorithm("dir")),
            (r#"{"alg":"none","enc":"A256GCM"}"#, algorithm("none")),
            (r#"{"alg":"a256kw","enc":"A256GCM"}"#, algorithm("a256kw")),
            (r#"{"alg":"A256GCMKW","enc":"A256GCM"}"#, algorithm("A256GCMKW")),
            (r#"{"alg":"RSA1_5","enc":"A256GCM"}"#, algorithm("RSA1_5")),
            (r#"{"alg":"A256KW","enc":"A128GCM"}"#, encryption("A128GCM")),
            (r#"{"alg":"A256KW","enc":"A256CBC-HS512"}"#, encryption("A256CBC-HS512")),
            (r#"{"alg":"A256KW"}"#, JweError::Header),
            (r#"{"enc":"A256GCM"}"#, JweError::Header),
            (r#"{"alg":["A256KW"],"enc":"A256GCM"}"#, JweError::Header),
            (r#"{"alg":"A256KW","enc":"A256GCM","cty":1}"#, JweError::Header),
            (r#"{"alg":"A256KW","enc":"A256GCM"} x"#, JweError::Header),
            ("", JweError::Header),
            (r#"{"alg":"A256KW","enc":"A256GCM","crit":["exp"],"exp":1}"#, JweError::Critical),
            (r#"{"alg":"A256KW","enc":"A256GCM","crit":null}"#, JweError::Critical),
            (r#"{"alg":"A256KW","enc":"A256GCM","zip":"DEF"}"#, JweError::Compressed),
            (
                r#"{"alg":"A256KW","enc":"A256GCM","enc":"A256GCM"}"#,
                JweError::DuplicateHeader { name: "enc".to_owned() },
            ),
        ] {
            assert_eq!(opened(&sealed(header)), Err(error), "{header}");
        }
    }

    #[test]
    fn parts_have_their_exact_lengths() {
        let token = sealed(r#"{"alg":"A256KW","enc":"A256GCM"}"#);
        let with = |index: usize, bytes: &[u8]| {
            let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
            parts[index] = base64url::encode(bytes);
            opened(&parts.join("."))
        };
        for (index, part, length) in [
            (1, Part::EncryptedKey, WRAPPED_KEY_BYTES),
            (2, Part::InitializationVector, IV_BYTES),
            (4, Part::Tag, TAG_BYTES),
        ] {
            for found in (0..80).filter(|found| *found != length) {
                assert_eq!(with(index, &vec![0; found]), Err(JweError::Length { part, found }));
            }
        }
        assert_eq!(with(3, b""), Err(JweError::Undecryptable));
    }

    #[test]
    fn shapes_other_than_five_parts_are_refused() {
        for (text, error) in [
            ("", JweError::Empty),
            (" \t\r\n", JweError::Empty),
            ("{\"protected\":\"\"}", JweError::JsonSerialisation),
            ("abc", JweError::Parts { found: 1 }),
            ("a.b.c", JweError::Parts { found: 3 }),
            ("a.b.c.d.e.f", JweError::Parts { found: 6 }),
            ("e30=.b.c.d.e", JweError::Base64url { part: Part::Header }),
            ("....", JweError::Header),
        ] {
            assert_eq!(opened(text).err(), Some(error), "{text}");
        }
        assert_eq!(opened(&"A".repeat(MAX_TOKEN_BYTES + 1)), Err(JweError::TooLong));
        assert_eq!(opened(&".".repeat(MAX_TOKEN_BYTES)), Err(JweError::Parts { found: MAX_TOKEN_BYTES + 1 }));
        let long = vec![b' '; MAX_TOKEN_BYTES];
        let sealed = seal_with(&WrappingKey::derive("p"), ContentType::Json, &long, &CONTENT_KEY, IV);
        assert_eq!(sealed, Err(JweError::TooLong));
    }
}
