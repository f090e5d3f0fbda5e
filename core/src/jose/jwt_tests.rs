//! Tests of [`super`], apart because of their length.

use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::json;
use sha2::Sha256;

use super::super::test_provider::{jwks, key_id, keys, public, set, sign, sign_as, vectors};
use super::*;

const CLAIMS: &str = r#"{"iss":"https://idp","sub":"alice"}"#;

fn verified(text: &str, keys: &KeySet) -> Result<Verified, JwtError> {
    parse(text)?.verify(keys)
}

fn with_header(header: &str) -> Result<Verified, JwtError> {
    verified(&sign_as(Algorithm::Es256, header, CLAIMS), &keys())
}

#[test]
fn published_vectors_verify() {
    for vector in vectors()["rfc"].as_array().unwrap() {
        let (key, jws) = (&vector["key"], vector["jws"].as_str().unwrap());
        let keys = set(std::slice::from_ref(key));
        assert_eq!(keys.skipped(), []);
        // Some hold prose. That is found out only after the signature was found good.
        match verified(jws, &keys) {
            Ok(verified) => assert_eq!(verified.claims()["iss"], "joe", "{vector}"),
            Err(error) => assert_eq!(error, JwtError::Claims, "{vector}"),
        }
        let (input, signature) = jws.rsplit_once('.').unwrap();
        let other = format!("{input}.{}", signature.chars().rev().collect::<String>());
        let refused = verified(&other, &keys).unwrap_err();
        assert!(matches!(refused, JwtError::Signature | JwtError::Base64url), "{vector}");
    }
}

#[test]
fn wycheproof_json_web_signature_of_public_keys() {
    for test in vectors()["wycheproof"].as_array().unwrap() {
        let error = verified(test["jws"].as_str().unwrap(), &set(&[test["key"].clone()])).unwrap_err();
        // What they sign is `foo`, which is no set of claims.
        assert_eq!(error == JwtError::Claims, test["verifies"].as_bool().unwrap(), "{test}");
    }
}

#[test]
fn every_algorithm_verifies_with_its_own_key_only() {
    for algorithm in Algorithm::ALL {
        let token = sign(algorithm, CLAIMS);
        assert_eq!(verified(&token, &keys()).unwrap().claims()["sub"], "alice", "{algorithm:?}");
        let unnamed = sign_as(algorithm, &format!(r#"{{"alg":"{}"}}"#, algorithm.as_str()), CLAIMS);
        assert!(verified(&unnamed, &keys()).is_ok(), "{algorithm:?}");
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            // The header names one algorithm and the right key of another; nothing fits, or nothing verifies.
            let header = format!(r#"{{"alg":"{}","kid":"{}"}}"#, other.as_str(), key_id(algorithm));
            let error = verified(&sign_as(algorithm, &header, CLAIMS), &keys()).unwrap_err();
            let expected = if key_id(algorithm) == key_id(other) {
                JwtError::Signature
            } else {
                JwtError::NoFittingKey { algorithm: other }
            };
            assert_eq!(error, expected, "{algorithm:?} {other:?}");
        }
    }
    let header = r#"{"alg":"Ed25519","typ":"at+jwt"}"#;
    let token = verified(&sign_as(Algorithm::Ed25519, header, CLAIMS), &keys()).unwrap();
    assert_eq!(token.typ(), Some("at+jwt"));
}

#[test]
fn a_key_that_says_its_algorithm_verifies_no_other() {
    let mut key = public(Algorithm::Rs256);
    key["alg"] = json!("RS256");
    let keys = set(&[key]);
    assert!(verified(&sign(Algorithm::Rs256, CLAIMS), &keys).is_ok());
    for algorithm in [Algorithm::Ps256, Algorithm::Rs512] {
        assert_eq!(verified(&sign(algorithm, CLAIMS), &keys), Err(JwtError::NoFittingKey { algorithm }));
    }
}

#[test]
fn keys_are_chosen_by_their_names() {
    let mut other = public(Algorithm::Es256);
    other["kid"] = json!("other");
    // The same key under another name only: the name decides, not whether the signature would fit.
    let unknown = JwtError::UnknownKey { key_id: "p256".to_owned() };
    assert_eq!(verified(&sign(Algorithm::Es256, CLAIMS), &set(&[other.clone()])), Err(unknown));
    let swapped = sign_as(Algorithm::Es256, r#"{"alg":"ES256","kid":"wrong"}"#, CLAIMS);
    let mut wrong = vectors()["rfc"][1]["key"].clone();
    wrong["x"] = vectors()["wycheproof"][0]["key"]["x"].clone();
    wrong["y"] = vectors()["wycheproof"][0]["key"]["y"].clone();
    wrong["kid"] = json!("wrong");
    assert_eq!(verified(&swapped, &set(&[other, wrong])), Err(JwtError::Signature));
    let nameless = JwtError::UnknownKey { key_id: String::new() };
    assert_eq!(with_header(r#"{"alg":"ES256","kid":""}"#), Err(nameless));
    // Whoever sends the token chooses what an operator's log says.
    let long = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(9000));
    assert_eq!(with_header(&long), Err(JwtError::UnknownKey { key_id: "k".repeat(64) }));
    let twice = format!(r#"{{"alg":"ES256","{0}":1,"{0}":2}}"#, "n".repeat(4000));
    assert_eq!(with_header(&twice), Err(JwtError::DuplicateHeader { name: "n".repeat(64) }));
    let misnamed = JwtError::NoFittingKey { algorithm: Algorithm::Es256 };
    assert_eq!(with_header(r#"{"alg":"ES256","kid":"rsa"}"#), Err(misnamed));
    assert!(with_header(r#"{"alg":"ES256"}"#).is_ok());
}

#[test]
fn headers_outside_the_profile_are_refused() {
    let symmetric = |found: &str| JwtError::Algorithm(AlgorithmError::Symmetric { found: found.to_owned() });
    let unknown = |found: &str| JwtError::Algorithm(AlgorithmError::Unknown { found: found.to_owned() });
    for (header, error) in [
        (r#"{"alg":"none"}"#, JwtError::Algorithm(AlgorithmError::Unsecured)),
        (r#"{"alg":"NONE"}"#, JwtError::Algorithm(AlgorithmError::Unsecured)),
        (r#"{"alg":"HS256"}"#, symmetric("HS256")),
        (r#"{"alg":"HS512"}"#, symmetric("HS512")),
        (r#"{"alg":"es256"}"#, unknown("es256")),
        (r#"{"alg":"ES256K"}"#, unknown("ES256K")),
        (r#"{"alg":256}"#, JwtError::Header),
        (r#"{"alg":null}"#, JwtError::Header),
        (r#"{"typ":"JWT"}"#, JwtError::Header),
        (r#"["ES256"]"#, JwtError::Header),
        (r#"{"alg":"ES256"} {}"#, JwtError::Header),
        (r#"{"alg":"ES256","kid":1}"#, JwtError::Header),
        (r#"{"alg":"ES256","kid":null}"#, JwtError::Header),
        (r#"{"alg":"ES256","typ":["JWT"]}"#, JwtError::Header),
        ("", JwtError::Header),
        (r#"{"alg":"ES256","crit":["exp"],"exp":1}"#, JwtError::Critical),
        (r#"{"alg":"ES256","crit":[]}"#, JwtError::Critical),
        (r#"{"alg":"ES256","crit":["b64"],"b64":false}"#, JwtError::Critical),
        (r#"{"alg":"ES256","b64":false}"#, JwtError::UnencodedPayload),
        (r#"{"alg":"ES256","b64":true}"#, JwtError::UnencodedPayload),
        (r#"{"alg":"ES256","alg":"ES256"}"#, JwtError::DuplicateHeader { name: "alg".to_owned() }),
        (r#"{"alg":"ES256","\u0061lg":"none"}"#, JwtError::DuplicateHeader { name: "alg".to_owned() }),
        (r#"{"alg":"ES256","x":1,"x":2}"#, JwtError::DuplicateHeader { name: "x".to_owned() }),
    ] {
        // Signed properly, so that only the header can be the reason.
        assert_eq!(with_header(header), Err(error), "{header}");
    }
    // Names that are not known are ignored (RFC 7515 section 4).
    assert!(with_header(r#"{ "x": {"crit":[1]}, "cty":7, "alg":"\u0045S256" }"#).is_ok());
}

#[test]
fn a_public_key_is_no_secret_of_a_mac() {
    let modulus = public(Algorithm::Rs256)["n"].as_str().unwrap().to_owned();
    let secrets = [base64url::decode(&modulus).unwrap().to_vec(), modulus.into_bytes(), jwks().into_bytes()];
    for secret in secrets {
        for header in [r#"{"alg":"HS256","kid":"rsa"}"#, r#"{"alg":"RS256","kid":"rsa"}"#] {
            let [header, claims] = [header, CLAIMS].map(|json| base64url::encode(json.as_bytes()));
            let input = format!("{header}.{claims}");
            let mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap().chain_update(&input).finalize();
            let token = format!("{input}.{}", base64url::encode(&mac.into_bytes()));
            let error = verified(&token, &keys()).unwrap_err();
            assert!(
                matches!(error, JwtError::Signature | JwtError::Algorithm(AlgorithmError::Symmetric { .. })),
                "{error}"
            );
        }
    }
}

#[test]
fn keys_that_a_token_brings_along_are_not_used() {
    // Mallory's key, under the name of the provider's, in every place where a token may carry one.
    let mallory = vectors()["rfc"][1]["key"].clone();
    let keys = set(&[vectors()["wycheproof"][0]["key"].clone()]);
    for extra in [
        format!(r#","jwk":{mallory}"#),
        r#","jku":"https://mallory.example/jwks""#.to_owned(),
        r#","x5u":"https://mallory.example/x5c""#.to_owned(),
        r#","x5c":["MIIB"]"#.to_owned(),
    ] {
        let header = format!(r#"{{"alg":"ES256","kid":"kid-ec-sign"{extra}}}"#);
        let token = sign_as(Algorithm::Es256, &header, CLAIMS);
        assert_eq!(verified(&token, &keys), Err(JwtError::Signature), "{extra}");
    }
}

#[test]
fn a_signature_counts_whole_or_not_at_all() {
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::Ed25519,
    ] {
        let token = sign(algorithm, CLAIMS);
        let (input, signature) = token.rsplit_once('.').unwrap();
        let bytes = base64url::decode(signature).unwrap();
        let with = |bytes: &[u8]| verified(&format!("{input}.{}", base64url::encode(bytes)), &keys());
        assert!(with(&bytes).is_ok());
        // Each place once, with a bit that differs from place to place.
        for place in (0..bytes.len()).step_by(bytes.len() / 16) {
            let mut changed = bytes.to_vec();
            changed[place] ^= 1 << (place % 8);
            assert_eq!(with(&changed), Err(JwtError::Signature), "{algorithm:?} {place}");
        }
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert_eq!(with(&bytes[..length]), Err(JwtError::Signature), "{algorithm:?} {length}");
        }
        assert_eq!(with(&[&bytes[..], &[0]].concat()), Err(JwtError::Signature));
        assert_eq!(with(&[&[0], &bytes[..]].concat()), Err(JwtError::Signature));
        assert_eq!(with(&vec![0; bytes.len()]), Err(JwtError::Signature));
        assert_eq!(with(&vec![0xff; bytes.len()]), Err(JwtError::Signature));
    }
}

#[test]
fn an_ecdsa_signature_is_two_numbers_in_range() {
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let token = sign(Algorithm::Es256, CLAIMS);
    let (input, text) = token.rsplit_once('.').unwrap();
    let bytes = base64url::decode(text).unwrap();
    let (r, s) = bytes.split_at(32);
    let with = |bytes: &[u8]| verified(&format!("{input}.{}", base64url::encode(bytes)), &keys());
    for numbers in [
        [&[0; 32], s].concat(),
        [r, &[0; 32]].concat(),
        [r, &order].concat(),
        [&order, s].concat(),
        [s, r].concat(),
    ] {
        assert_eq!(with(&numbers), Err(JwtError::Signature));
    }
    let signature = p256::ecdsa::Signature::from_slice(&bytes).unwrap();
    assert_eq!(with(signature.to_der().as_bytes()), Err(JwtError::Signature));
    // The other `s` of the same signature: RFC 7518 section 3.4 does not choose.
    let mirrored = p256::ecdsa::Signature::from_scalars(signature.r(), -signature.s()).unwrap();
    assert_ne!(mirrored, signature);
    assert!(with(&mirrored.to_bytes()).is_ok());
}

#[test]
fn every_spoiled_part_is_refused() {
    let token = sign(Algorithm::Ed25519, CLAIMS);
    assert!(verified(&token, &keys()).is_ok());
    for place in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        assert!(verified(str::from_utf8(&bytes).unwrap(), &keys()).is_err(), "{place}");
        assert!(verified(&token[..place], &keys()).is_err(), "{place}");
    }
    let parts: Vec<&str> = token.split('.').collect();
    for (text, error) in [
        (String::new(), JwtError::Parts),
        (parts[..2].join("."), JwtError::Parts),
        (format!("{token}."), JwtError::Parts),
        (format!(".{token}"), JwtError::Parts),
        (format!("{token}="), JwtError::Base64url),
        (format!("{token}\n"), JwtError::Base64url),
        (format!(" {token}"), JwtError::Base64url),
        (format!("{}=.{}.{}", parts[0], parts[1], parts[2]), JwtError::Base64url),
        (format!("{}.{}+.{}", parts[0], parts[1], parts[2]), JwtError::Base64url),
        (format!("{}..{}", parts[0], parts[2]), JwtError::Signature),
        ("A".repeat(MAX_JWT_BYTES + 1), JwtError::TooLong),
        (".".repeat(MAX_JWT_BYTES), JwtError::Parts),
    ] {
        assert_eq!(verified(&text, &keys()), Err(error), "{text}");
    }
    // 64 bytes leave 4 bits of the last character unused: only one of 16 spellings is right.
    let (start, last) = token.split_at(token.len() - 1);
    let spellings = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars();
    for spelling in spellings.filter(|spelling| !last.starts_with(*spelling)) {
        assert!(verified(&format!("{start}{spelling}"), &keys()).is_err(), "{spelling}");
    }
}

#[test]
fn claims_are_one_object_with_unique_names() {
    for (claims, error) in [
        ("", JwtError::Claims),
        ("[]", JwtError::Claims),
        ("null", JwtError::Claims),
        ("{\"a\":1", JwtError::Claims),
        ("{}{}", JwtError::Claims),
        ("{\"exp\":1e999}", JwtError::Claims),
        (r#"{"sub":"a","sub":"b"}"#, JwtError::DuplicateClaim),
        (r#"{"sub":"a","\u0073ub":"b"}"#, JwtError::DuplicateClaim),
        (r#"{"realm":{"a":1,"a":2}}"#, JwtError::DuplicateClaim),
    ] {
        assert_eq!(verified(&sign(Algorithm::Es256, claims), &keys()), Err(error), "{claims}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
    assert_eq!(verified(&sign(Algorithm::Es256, &deep), &keys()), Err(JwtError::Claims));
}

#[test]
fn tokens_without_a_name_try_a_bounded_number_of_keys() {
    let stranger = vectors()["wycheproof"][0]["key"].clone();
    let right = public(Algorithm::Es256);
    let token = sign_as(Algorithm::Es256, r#"{"alg":"ES256"}"#, CLAIMS);
    for (strangers, outcome) in [(7, true), (8, false)] {
        let mut list = vec![stranger.clone(); strangers];
        list.push(right.clone());
        assert_eq!(verified(&token, &set(&list)).is_ok(), outcome, "{strangers}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(text in r"[\x00-\x7f\u{e9}]{0,64}", header in ".{0,64}", bytes in any::<[u8; 8]>()) {
        prop_assert!(verified(&text, &keys()).is_err());
        let _ = KeySet::parse(text.as_bytes());
        let parts = [header.as_bytes(), CLAIMS.as_bytes(), &bytes].map(base64url::encode);
        prop_assert!(verified(&parts.join("."), &keys()).is_err());
    }
}
