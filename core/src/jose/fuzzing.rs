//! What fuzzers, and the tests that replay their corpus, ask of tokens.

use std::convert::Infallible;

use miniz_oxide::deflate::compress_to_vec;
use rand_core::{TryCryptoRng, TryRng};

use super::base64url;
use super::claims::Claims;
use super::jwe::{self, JweError, MAX_TOKEN_BYTES, WrappingKey};
use super::jws::{self, SigningKey};
pub use super::provider_fuzzing::{check_jwks, check_jwt, check_sealed};
use super::token::{self, LifePolicy, TokenError, TokenKeys};
use crate::secret::Secret;
use crate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);
const POLICY: LifePolicy =
    LifePolicy { leeway_seconds: 60, allow_non_expiring: true, max_lifetime_seconds: None };
const PHRASE: &str = "fuzzing";
const HEADER: &str = r#"{"alg":"A256KW","enc":"A256GCM"}"#;
const ZIPPED: &str = r#"{"alg":"A256KW","enc":"A256GCM","zip":"DEF"}"#;

/// Opens `input` as a token and, so that the ciphers do not keep fuzzers out, as headers and content of tokens that
/// are sealed properly: its first line as the protected header, its second as the unprotected one, the rest as content.
///
/// Nothing may panic. All serialisations and compressions of a token say the same, and no changed byte makes them say
/// anything else. Claims that were accepted survive being sealed again.
pub fn check(input: &str) {
    let phrase = [Secret::from(PHRASE)];
    let (Ok(plain), Ok(signing)) = (TokenKeys::new(&phrase, &[]), TokenKeys::new(&phrase, &phrase)) else {
        return;
    };
    let (header, rest) = input.split_once('\n').unwrap_or((HEADER, input));
    let (unprotected, content) = rest.split_once('\n').unwrap_or(("{}", rest));
    let signed = jws::sign(&SigningKey::derive(PHRASE), content.as_bytes()).unwrap_or_default();
    // The characters up to U+00FF stand for their bytes, so that every stream can be written.
    let stream: Vec<u8> = content.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
    for (keys, content, other) in [(&plain, content, signed.as_str()), (&signing, &signed, content)] {
        assert_survives(keys, input);
        let _ = said(keys, ZIPPED, &stream);
        let refused = said(keys, HEADER, other.as_bytes()).is_err();
        assert!(refused, "the server's way to sign, or not to, is not enforced");
        check_agreement(keys, header, unprotected, content.as_bytes());
        let bare = said(keys, HEADER, content.as_bytes());
        let zipped = said(keys, ZIPPED, &compress_to_vec(content.as_bytes(), 1));
        let long = Err(TokenError::Encryption(JweError::TooLong));
        assert!(bare == zipped || bare == long || zipped == long, "compression changed the content");
    }
}

/// What a token with this header and content says.
fn said(keys: &TokenKeys, header: &str, content: &[u8]) -> Result<Claims, TokenError> {
    outcome(keys, &jwe::seal_under(header, &key(), content, &[1; 32], [2; 12])?)
}

fn key() -> WrappingKey {
    WrappingKey::derive(PHRASE)
}

/// All serialisations of a token say the same, and with a byte changed nothing else.
fn check_agreement(keys: &TokenKeys, header: &str, unprotected: &str, content: &[u8]) {
    let protected = base64url::encode(header.as_bytes());
    let Ok([key, iv, ciphertext, tag]) = key().encrypt(protected.as_bytes(), content, &[1; 32], [2; 12])
    else {
        return;
    };
    let compact = format!("{protected}.{key}.{iv}.{ciphertext}.{tag}");
    let said = outcome(keys, &compact);
    assert_survives(keys, &compact);
    let rest = format!(r#""protected":"{protected}","iv":"{iv}","ciphertext":"{ciphertext}","tag":"{tag}""#);
    let flattened = format!(r#"{{"encrypted_key":"{key}",{rest}}}"#);
    let general = format!(r#"{{{rest},"recipients":[{{"encrypted_key":"{key}"}}]}}"#);
    for json in [&flattened, &general] {
        if json.len() <= MAX_TOKEN_BYTES {
            assert_eq!(outcome(keys, json), said, "the serialisations differ");
        }
    }
    for token in [&compact, &flattened, &general] {
        let changed = outcome(keys, &one_byte_changed(token));
        assert!(changed.is_err() || changed == said, "a changed byte is accepted");
    }
    let more = format!(r#"{{"unprotected":{unprotected},"encrypted_key":"{key}",{rest}}}"#);
    let with_more = outcome(keys, &more);
    assert!(with_more.is_err() || said.is_err() || with_more == said, "unprotected words change the claims");
}

/// The token with one bit changed; which one depends on all of it.
pub(super) fn one_byte_changed(token: &str) -> String {
    let sum = token.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    let place = sum.checked_rem(token.len()).unwrap_or_default();
    let mut bytes = token.as_bytes().to_vec();
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= 1 << (sum / 65_536 % 7);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a token says, dates aside.
fn outcome(keys: &TokenKeys, token: &str) -> Result<Claims, TokenError> {
    match token::read(keys, token) {
        Ok(read) => {
            assert_eq!((read.wrapping_key, read.signing_key), (1, keys.asks_for_signature().then_some(1)));
            Ok(read.claims)
        }
        Err(error) => {
            let reason = error.public_reason();
            let fits = reason.bytes().all(|byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~'));
            assert!(fits && !reason.is_empty() && reason.len() < 200, "{reason:?} is no error_description");
            Err(error)
        }
    }
}

/// Claims that are accepted come back when they are sealed again, and dates are all that `open` adds.
fn assert_survives(keys: &TokenKeys, token: &str) {
    let read = outcome(keys, token);
    let in_time = read.clone().and_then(|claims| POLICY.check(&claims, NOW).map(|()| claims));
    assert_eq!(token::open(keys, token, &POLICY, NOW), in_time);
    let Ok(claims) = read else { return };
    match token::seal(keys, &claims, &mut FixedBytes(3)) {
        Ok(token) => assert_eq!(outcome(keys, &token), Ok(claims)),
        // Escaping may have made it longer than a token may be.
        Err(error) => assert_eq!(error, TokenError::Encryption(JweError::TooLong)),
    }
}

/// Always the same byte: for repeatable tests, never for keys.
pub(super) struct FixedBytes(pub(super) u8);

impl TryRng for FixedBytes {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_ne_bytes([self.0; 4]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_ne_bytes([self.0; 8]))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(self.0);
        Ok(())
    }
}

impl TryCryptoRng for FixedBytes {}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_holds() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/jwe");
        let mut replayed = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            let input = std::fs::read(entry.unwrap().path()).unwrap();
            super::check(&String::from_utf8_lossy(&input));
            replayed += 1;
        }
        assert!(replayed > 0);
    }
}
