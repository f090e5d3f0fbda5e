//! Proof Key for Code Exchange (RFC 7636), the server's half: whether who redeems a code is who asked for it.
//!
//! Deliberately absent: `plain`, which proves nothing to whoever has seen the request (OAuth 2.1 section 7.5).

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::Digest as _;
use subtle::ConstantTimeEq as _;

/// Whether a text may be a verifier (RFC 7636 section 4.1). A shorter one could be guessed from its challenge.
pub(super) fn is_verifier(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(fits)
}

/// Whether a verifier belongs to an S256 challenge (RFC 7636 section 4.6).
pub(super) fn fits(verifier: &str, challenge: &str) -> bool {
    let digest = Base64UrlUnpadded::encode_string(&sha2::Sha256::digest(verifier.as_bytes()));
    is_verifier(verifier) && bool::from(digest.as_bytes().ct_eq(challenge.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_fits_its_own_challenge_only() {
        // RFC 7636 appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(fits(verifier, challenge));
        for other in ["", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK", challenge] {
            assert!(!fits(other, challenge), "{other}");
        }
        assert!(!fits(verifier, verifier), "`plain` is not taken");
        assert!(!fits(verifier, &format!("{challenge}=")) && !fits(verifier, ""));
    }

    #[test]
    fn verifiers_have_the_length_and_the_letters_of_the_standard() {
        for (text, is) in [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            ("~".repeat(128), true),
            ("a".repeat(129), false),
            (format!("{} ", "a".repeat(43)), false),
            (format!("{}+", "a".repeat(43)), false),
            ("\u{e9}".repeat(30), false),
        ] {
            assert_eq!(is_verifier(&text), is, "{text}");
        }
    }
}
