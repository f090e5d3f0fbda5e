//! JWS (RFC 7515) in compact serialisation, `HS256` only.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::base64url;
use super::members::{Members, MembersError, excerpt};
use crate::secret::Secret;

/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// A key that signs and verifies.
#[derive(Clone, Debug)]
pub struct SigningKey(Secret<Vec<u8>>);

/// Why a signed text is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// RFC 7515 section 7.1: three parts, separated by dots.
    #[error("a signed token has three parts")]
    Parts,
    /// RFC 7515 section 2: each part is unpadded base64url.
    #[error("a part of the signed token is not base64url")]
    Base64url,
    /// RFC 7515 section 4: the header is a JSON object.
    #[error("the header of the signed token is not a JSON object of the expected types")]
    Header,
    /// RFC 7515 section 4: header names are unique.
    #[error("the header of the signed token says {name:?} twice")]
    DuplicateHeader {
        /// The repeated name.
        name: String,
    },
    /// RFC 7515 section 4.1.11: no extension is understood here, so none can be critical.
    #[error("the signed token asks for critical extensions")]
    Critical,
    /// RFC 8725 section 3.1: the algorithm is ours to choose, `none` is not among the choices.
    #[error("the signed token has algorithm {found:?} instead of HS256")]
    Algorithm {
        /// What the header says.
        found: String,
    },
    /// RFC 7515 section 5.2: no key verifies the signature.
    #[error("no signing key verifies the token")]
    Signature,
}

impl SigningKey {
    /// The key that belongs to a secret phrase: its SHA-256 digest, whatever its length.
    pub fn derive(phrase: &str) -> Self {
        Self(Secret::new(Sha256::digest(phrase).to_vec()))
    }

    #[cfg(test)]
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self(Secret::new(bytes.to_vec()))
    }

    /// HMAC with SHA-256 (RFC 7518 section 3.2), ready to take the signing input.
    fn mac(&self) -> Option<Hmac<Sha256>> {
        Hmac::new_from_slice(self.0.expose()).ok()
    }
}

/// Whether `bytes` have the shape of a compact JWS: three dot-separated parts of base64url characters.
///
/// JSON never has it, so this tells a nested token from plain claims without trying to verify it.
pub fn is_compact(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    text.split('.').count() == 3 && text.split('.').all(base64url::is_alphabet)
}

/// What a signed text says, and who signed it.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified {
    /// The payload.
    pub payload: Zeroizing<Vec<u8>>,
    /// Which of the keys verified it, counted from 0.
    pub key: usize,
}

/// The payload of `text`, if one of `keys` verifies it (RFC 7515 section 5.2). The signature is compared by `hmac`, in
/// constant time.
pub fn verify(keys: &[SigningKey], text: &str) -> Result<Verified, JwsError> {
    let mut parts = text.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(JwsError::Parts);
    };
    check_header(&decode(header)?)?;
    let (claimed, payload_bytes) = (decode(signature)?, decode(payload)?);
    for (key, signing) in keys.iter().enumerate() {
        let Some(mac) = signing.mac() else { continue };
        let mac = mac.chain_update(header).chain_update(".").chain_update(payload);
        if mac.verify_slice(&claimed).is_ok() {
            return Ok(Verified { payload: payload_bytes, key });
        }
    }
    Err(JwsError::Signature)
}

/// Signs `payload` under the header `{"alg":"HS256","typ":"JWT"}` (RFC 7515 section 5.1).
pub fn sign(key: &SigningKey, payload: &[u8]) -> Result<Zeroizing<String>, JwsError> {
    let payload = Zeroizing::new(base64url::encode(payload));
    let mac = key.mac().ok_or(JwsError::Signature)?;
    let mac = mac.chain_update(HEADER).chain_update(".").chain_update(payload.as_bytes());
    let signature = base64url::encode(&mac.finalize().into_bytes());
    Ok(Zeroizing::new(format!("{HEADER}.{}.{signature}", payload.as_str())))
}

/// Signs a text of header and payload as they are, also those that are refused when read.
#[cfg(test)]
pub(super) fn sign_input(key: &SigningKey, input: &str) -> String {
    let mac = key.mac().unwrap().chain_update(input).finalize().into_bytes();
    format!("{input}.{}", base64url::encode(&mac))
}

fn decode(part: &str) -> Result<Zeroizing<Vec<u8>>, JwsError> {
    base64url::decode(part).map_err(|_| JwsError::Base64url)
}

fn check_header(header: &[u8]) -> Result<(), JwsError> {
    let members = Members::parse(header).map_err(|error| match error {
        MembersError::NotObject => JwsError::Header,
        MembersError::Duplicate(name) => JwsError::DuplicateHeader { name },
    })?;
    if members.value("crit").is_some() {
        return Err(JwsError::Critical);
    }
    let algorithm: String =
        members.value("alg").and_then(|raw| serde_json::from_str(raw).ok()).ok_or(JwsError::Header)?;
    if algorithm != "HS256" {
        return Err(JwsError::Algorithm { found: excerpt(&algorithm) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515 appendix A.1: the key as a JWK's `k`, and the signed text.
    const A1_KEY: &str =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const A1: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn a1_key() -> SigningKey {
        SigningKey::of_bytes(&base64url::decode(A1_KEY).unwrap())
    }

    #[test]
    fn rfc_7515_appendix_a_1() {
        let verified = verify(&[SigningKey::derive("other"), a1_key()], A1).unwrap();
        assert!(verified.payload.starts_with(b"{\"iss\":\"joe\",\r\n"));
        assert_eq!(verified.key, 1);
        assert_eq!(verify(&[SigningKey::derive("other")], A1), Err(JwsError::Signature));
        assert_eq!(verify(&[], A1), Err(JwsError::Signature));
    }

    #[test]
    fn what_is_signed_verifies() {
        let key = SigningKey::derive("phrase");
        let signed = sign(&key, b"{}").unwrap();
        assert!(is_compact(signed.as_bytes()));
        assert_eq!(verify(&[key], &signed).unwrap().payload.as_slice(), b"{}");
    }

    #[test]
    fn headers_outside_the_profile_are_refused() {
        let key = SigningKey::derive("phrase");
        let algorithm = |found: &str| JwsError::Algorithm { found: found.to_owned() };
        let table = [
            (r#"{"alg":"none"}"#, algorithm("none")),
            (r#"{"alg":"hs256"}"#, algorithm("hs256")),
            (r#"{"alg":"HS512"}"#, algorithm("HS512")),
            (r#"{"alg":"RS256"}"#, algorithm("RS256")),
            (r#"{"alg":256}"#, JwsError::Header),
            (r#"{"typ":"JWT"}"#, JwsError::Header),
            (r#"["HS256"]"#, JwsError::Header),
            (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, JwsError::Critical),
            (r#"{"alg":"HS256","crit":[]}"#, JwsError::Critical),
            (r#"{"alg":"HS256","alg":"none"}"#, JwsError::DuplicateHeader { name: "alg".to_owned() }),
        ];
        for (header, error) in table {
            // Signed properly, so that only the header can be the reason.
            let input = format!("{}.e30", base64url::encode(header.as_bytes()));
            let text = sign_input(&key, &input);
            assert_eq!(verify(std::slice::from_ref(&key), &text), Err(error), "{header}");
        }
    }

    #[test]
    fn a_signature_counts_whole_or_not_at_all() {
        let (start, signature) = A1.rsplit_once('.').unwrap();
        let bytes = base64url::decode(signature).unwrap();
        for length in 0..bytes.len() {
            let text = format!("{start}.{}", base64url::encode(&bytes[..length]));
            assert_eq!(verify(&[a1_key()], &text), Err(JwsError::Signature), "{length}");
        }
        let longer = format!("{start}.{}", base64url::encode(&[bytes.as_slice(), &[0]].concat()));
        assert_eq!(verify(&[a1_key()], &longer), Err(JwsError::Signature));
        assert_eq!(verify(&[a1_key()], start), Err(JwsError::Parts));
        assert_eq!(verify(&[a1_key()], &format!("{A1}.")), Err(JwsError::Parts));
        assert_eq!(verify(&[a1_key()], &format!("{A1}=")), Err(JwsError::Base64url));
    }

    #[test]
    fn json_is_not_taken_for_a_signed_text() {
        for (bytes, expected) in [
            (&b"a.b.c"[..], true),
            (b"..", true),
            (br#"{"host":"a.b.c"}"#, false),
            (b"a.b", false),
            (b"a.b.c.d", false),
            (b"a.b.\xff", false),
            (b"", false),
        ] {
            assert_eq!(is_compact(bytes), expected);
        }
    }
}
