//! What fuzzers, and the tests that replay their corpus, ask of tokens.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use super::claims::Claims;
use super::jwe::{self, ContentType, JweError, WrappingKey};
use super::jws::{self, SigningKey};
use super::token::{self, LifePolicy, TokenError, TokenKeys};
use crate::secret::Secret;
use crate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);
const POLICY: LifePolicy =
    LifePolicy { leeway_seconds: 60, allow_non_expiring: true, max_lifetime_seconds: None };
const PHRASE: &str = "fuzzing";

/// Opens `input` as a token and, so that the ciphers do not keep fuzzers out, as the content of a token that is
/// sealed properly. Nothing may panic, and claims that were accepted must survive being sealed again.
pub fn check(input: &str) {
    let phrase = [Secret::from(PHRASE)];
    let (Ok(plain), Ok(signing)) = (TokenKeys::new(&phrase, &[]), TokenKeys::new(&phrase, &phrase)) else {
        return;
    };
    for keys in [&plain, &signing] {
        inspect(keys, input);
        for content_type in [ContentType::Json, ContentType::Jwt] {
            if let Ok(token) = wrapped(content_type, input.as_bytes()) {
                inspect(keys, &token);
            }
        }
    }
    if let Ok(signed) = jws::sign(&SigningKey::derive(PHRASE), input.as_bytes())
        && let Ok(token) = wrapped(ContentType::Jwt, signed.as_bytes())
    {
        inspect(&signing, &token);
        let opened = token::open(&plain, &token, &POLICY, NOW);
        assert_eq!(opened, Err(TokenError::Unverifiable), "a nested token passed without verification");
    }
}

fn wrapped(content_type: ContentType, content: &[u8]) -> Result<String, JweError> {
    jwe::seal_with(&WrappingKey::derive(PHRASE), content_type, content, &[1; 32], [2; 12])
}

fn inspect(keys: &TokenKeys, token: &str) {
    match token::open(keys, token, &POLICY, NOW) {
        Ok(claims) => assert_survives(keys, &claims),
        Err(error) => assert!(!error.public_reason().is_empty()),
    }
}

fn assert_survives(keys: &TokenKeys, claims: &Claims) {
    match token::seal(keys, claims, &mut FixedBytes(3)) {
        Ok(token) => assert_eq!(token::open(keys, &token, &POLICY, NOW).as_ref(), Ok(claims)),
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
