//! One key per purpose out of one secret: HKDF with SHA-256 (RFC 5869).
//!
//! Keys of different purposes say nothing about each other, so a text that was sealed for one cannot be opened for
//! another. Deliberately absent: a password hash. What is derived is as hard to guess as the secret is.

use hkdf::Hkdf;
use sha2::Sha256;

use crate::secret::Secret;

/// The length of a derived key, in bytes.
pub const KEY_BYTES: usize = 32;

/// The key cannot be derived. It always can at this length: the limit of RFC 5869 section 2.3 is far above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key can be derived")]
pub struct Underivable;

/// The key that belongs to a secret for the purpose that `info` says. Without a salt: the secret is the operator's
/// own and is used nowhere else (RFC 5869 section 3.1).
pub fn derive(secret: &[u8], info: &str) -> Result<Secret<[u8; KEY_BYTES]>, Underivable> {
    expand(None, secret, info.as_bytes())
}

fn expand<const N: usize>(
    salt: Option<&[u8]>,
    secret: &[u8],
    info: &[u8],
) -> Result<Secret<[u8; N]>, Underivable> {
    let mut key = zeroize::Zeroizing::new([0; N]);
    Hkdf::<Sha256>::new(salt, secret).expand(info, key.as_mut_slice()).map_err(|_| Underivable)?;
    Ok(Secret::new(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    fn range(from: u8, to: u8) -> Vec<u8> {
        (from..=to).collect()
    }

    #[test]
    fn rfc_5869_appendix_a_1() {
        let okm = expand::<42>(Some(&range(0, 0x0c)), &[0x0b; 22], &range(0xf0, 0xf9)).unwrap();
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(okm.expose().as_slice(), hex(expected));
    }

    #[test]
    fn rfc_5869_appendix_a_2() {
        let okm = expand::<82>(Some(&range(0x60, 0xaf)), &range(0, 0x4f), &range(0xb0, 0xff)).unwrap();
        let expected = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
            59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87";
        assert_eq!(okm.expose().as_slice(), hex(expected));
    }

    #[test]
    fn rfc_5869_appendix_a_3() {
        let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8";
        let okm = expand::<42>(None, &[0x0b; 22], b"").unwrap();
        assert_eq!(okm.expose().as_slice(), hex(expected));
        // The first block of it is what a key of ours would be.
        assert_eq!(derive(&[0x0b; 22], "").unwrap().expose().as_slice(), hex(&expected[..64]));
    }

    #[test]
    fn secrets_and_purposes_have_keys_of_their_own() {
        let key = |secret: &str, info: &str| derive(secret.as_bytes(), info).unwrap();
        assert_eq!(key("a", "b"), key("a", "b"));
        assert_ne!(key("a", "b"), key("a", "c"));
        assert_ne!(key("a", "b"), key("b", "b"));
        assert_eq!(expand::<8161>(None, b"a", b"").err(), Some(Underivable));
    }
}
