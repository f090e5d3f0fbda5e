//! What fuzzers call with keys and tokens of providers, and with texts that the server sealed.

use ed25519_dalek::{Signer, SigningKey};

use super::base64url;
use super::fuzzing::{FixedBytes, one_byte_changed};
use super::jwk::{KeySet, MAX_KEYS, MAX_TRIED};
use super::jwt::{self, Algorithm, MAX_JWT_BYTES};
use super::jwt_claims::{Accepted, RuleError, Rules, accept};
use super::seal::{OpenError, SealingKeys};
use crate::secret::Secret;
use crate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);
/// The key of RFC 8037 appendix A.1, which anybody knows, so that claims behind a signature are reached too.
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const ISSUER: &str = "https://idp.example";
const AUDIENCE: &str = "https://mcp.example/";

/// Reads `input` as a set of keys. Nothing may panic, and no key may verify a signature that nobody made.
pub fn check_jwks(input: &[u8]) {
    let Ok(keys) = KeySet::parse(input) else { return };
    assert!(keys.len() + keys.skipped().len() <= MAX_KEYS, "there are more keys than may be");
    for skipped in keys.skipped() {
        assert!(skipped.to_string().len() < 2000, "the operator is told too much");
    }
    for algorithm in Algorithm::ALL {
        assert!(keys.find(None, algorithm).count() <= MAX_TRIED, "too many keys are tried");
        for key in keys.find(None, algorithm) {
            assert!(key.id().is_none_or(|id| keys.has(id)), "a key is not known by its name");
            for signature in [&[0; 64][..], &[0; 256], &[1; 96], &[0; 132], &[]] {
                assert!(key.verify(algorithm, input, signature).is_err(), "nobody signed this");
            }
        }
    }
}

/// Reads the first line of `input` as a set of keys and the rest as a token; then the first line of the rest as a
/// header and what follows as claims, signed properly.
///
/// Nothing may panic, no changed byte may verify, and what the rules accept they must have looked at.
pub fn check_jwt(input: &str) {
    let (keys, token) = input.split_once('\n').unwrap_or((KEYS, input));
    check_token(&KeySet::parse(keys.as_bytes()).unwrap_or_default(), token);
    let (header, claims) = token.split_once('\n').unwrap_or((r#"{"alg":"EdDSA"}"#, token));
    if let (Some(token), Ok(keys)) = (signed(header, claims), KeySet::parse(KEYS.as_bytes())) {
        check_token(&keys, &token);
    }
}

fn check_token(keys: &KeySet, token: &str) {
    let unverified = match jwt::parse(token) {
        Ok(unverified) => unverified,
        Err(error) => return assert!(!error.to_string().is_empty(), "errors say something"),
    };
    let Ok(verified) = unverified.verify(keys) else { return };
    let changed = one_byte_changed(token);
    let again = jwt::parse(&changed).and_then(|unverified| unverified.verify(keys));
    assert!(changed == token || again.is_err(), "a changed byte is accepted");
    let rules = Rules {
        issuers: &[ISSUER],
        audiences: &[AUDIENCE],
        ignore_trailing_slash: true,
        authorized_party: None,
        nonce: None,
        leeway_seconds: 0,
    };
    let strict = Rules { ignore_trailing_slash: false, authorized_party: Some(AUDIENCE), ..rules };
    let tolerant = accept(verified.clone(), &rules, NOW);
    assert!(accept(verified, &strict, NOW).is_err() || tolerant.is_ok(), "more rules accept more");
    check_accepted(tolerant);
}

fn check_accepted(outcome: Result<Accepted, RuleError>) {
    match outcome {
        Ok(accepted) => {
            let is =
                |claim, value: &str| accepted.claims().get(claim).and_then(|it| it.as_str()) == Some(value);
            assert!(accepted.issuer() == ISSUER && is("iss", ISSUER), "another issuer is accepted");
            assert!(accepted.expires() > NOW, "an expired token is accepted");
            assert!(accepted.claims().contains_key("aud"), "a token for nobody is accepted");
        }
        Err(error) => assert!(!error.to_string().is_empty(), "errors say something"),
    }
}

/// A token of this header and these claims; `None` if it would be longer than a token may be.
fn signed(header: &str, claims: &str) -> Option<String> {
    let seed = base64url::decode(SEED).ok()?;
    let key = SigningKey::from_bytes(seed.as_slice().try_into().ok()?);
    let [header, claims] = [header, claims].map(|text| base64url::encode(text.as_bytes()));
    let input = format!("{header}.{claims}");
    let signature = base64url::encode(&key.sign(input.as_bytes()).to_bytes());
    Some(format!("{input}.{signature}")).filter(|token| token.len() <= MAX_JWT_BYTES)
}

/// Opens `input`, and seals it. Only what was sealed opens, for its purpose alone, and unchanged.
pub fn check_sealed(input: &str) {
    let secrets = [Secret::from("fuzzing"), Secret::from("older")];
    let (Ok(keys), Ok(others)) = (SealingKeys::new(&secrets, "code"), SealingKeys::new(&secrets, "state"))
    else {
        return;
    };
    let _ = keys.open(input, input.len());
    let Ok(text) = keys.seal(&mut FixedBytes(3), input.as_bytes()) else { return };
    let opened = keys.open(&text, text.len());
    assert!(opened.is_ok_and(|plain| plain.expose() == input.as_bytes()), "what was sealed does not open");
    assert_eq!(keys.open(&text, text.len() - 1).err(), Some(OpenError::Malformed));
    assert!(others.open(&text, text.len()).is_err(), "another purpose opens it");
    assert!(keys.open(&one_byte_changed(&text), text.len() * 2).is_err(), "a changed byte is accepted");
    let _ = keys.open_json::<serde_json::Value>(&text, text.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let seeds: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
        assert!(!seeds.is_empty());
        seeds.into_iter().map(|seed| std::fs::read(seed.unwrap().path()).unwrap()).collect()
    }

    #[test]
    fn the_corpora_hold() {
        corpus("jwks").iter().for_each(|seed| check_jwks(seed));
        corpus("jwt").iter().for_each(|seed| check_jwt(str::from_utf8(seed).unwrap()));
        corpus("sealed").iter().for_each(|seed| check_sealed(str::from_utf8(seed).unwrap()));
    }

    /// Seeds that are refused at the door would teach a fuzzer nothing.
    #[test]
    fn some_seeds_pass_every_check() {
        let keys = KeySet::parse(KEYS.as_bytes()).unwrap();
        let accepted = corpus("jwt").into_iter().filter(|seed| {
            let mut lines = str::from_utf8(seed).unwrap().splitn(3, '\n').skip(1);
            let (Some(header), Some(claims)) = (lines.next(), lines.next()) else { return false };
            let token = signed(header, claims).unwrap();
            jwt::parse(&token).and_then(|unverified| unverified.verify(&keys)).is_ok()
        });
        assert!(accepted.count() > 1);
        assert_eq!(
            corpus("jwks").iter().filter(|seed| KeySet::parse(seed).is_ok_and(|it| it.len() > 6)).count(),
            1
        );
    }
}
