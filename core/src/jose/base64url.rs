//! Base64url without padding, as RFC 7515 section 2 defines it, in constant time and with one spelling per value.

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

/// The text is not what [`encode`] would have written for any bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not unpadded base64url in its canonical spelling")]
pub struct NotBase64url;

/// Decodes `text`.
///
/// Refused are padding, characters outside the URL-safe alphabet (also line breaks), a length that no bytes have,
/// and non-zero trailing bits (RFC 4648 section 3.5): a value must not have two spellings, else a token that was
/// changed could still be accepted.
pub fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, NotBase64url> {
    Base64UrlUnpadded::decode_vec(text).map(Zeroizing::new).map_err(|_| NotBase64url)
}

/// Encodes `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Whether `text` is made of the characters that [`encode`] uses; nothing is said about its length.
pub fn is_alphabet(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4648_section_10_vectors_without_padding() {
        let vectors = [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, text) in vectors {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).unwrap().as_slice(), plain.as_bytes());
        }
        assert_eq!(decode("-_-_").unwrap().as_slice(), [0xfb, 0xff, 0xbf]);
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "Zg==",
            "Zm8=",
            "Zh",
            "Zm9",
            "Z",
            "Zm9vY",
            "Zm9v\n",
            " Zm9v",
            "Zm 9v",
            "+/+/",
            "Zm9.",
            "Zm9\u{e9}",
            "Zm9v=",
            "=",
        ] {
            assert_eq!(decode(text), Err(NotBase64url), "{text:?}");
        }
    }

    #[test]
    fn each_byte_pair_has_exactly_one_spelling() {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut accepted = 0;
        for first in ALPHABET {
            for second in ALPHABET {
                let text = String::from_utf8(vec![*first, *second]).unwrap();
                if let Ok(bytes) = decode(&text) {
                    assert_eq!(encode(&bytes), text);
                    accepted += 1;
                }
            }
        }
        assert_eq!(accepted, 256);
    }
}
