//! Tests of [`super`], apart because of their length.

use serde_json::{Value, json};

use super::super::test_provider::{jwks, keys, public, set, vectors};
use super::*;

fn parse(text: &str) -> Result<KeySet, JwksError> {
    KeySet::parse(text.as_bytes())
}

/// Why a set of this key alone has none; `None` if it has one.
fn skipped(key: &Value) -> Option<SkipReason> {
    let set = set(std::slice::from_ref(key));
    assert_eq!(set.len() + set.skipped().len(), 1);
    set.skipped().first().map(|skipped| skipped.reason.clone())
}

/// The key with members changed; `null` takes one away.
fn with(algorithm: Algorithm, changes: Value) -> Value {
    let mut key = public(algorithm);
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            key.as_object_mut().unwrap().remove(name);
        } else {
            key[name] = value.clone();
        }
    }
    key
}

#[test]
fn only_sets_are_read() {
    let twice = |name: &str| JwksError::Duplicate { name: name.to_owned() };
    for (text, error) in [
        ("", JwksError::NotSet),
        ("[]", JwksError::NotSet),
        ("null", JwksError::NotSet),
        ("{}", JwksError::NotSet),
        (r#"{"keys":{}}"#, JwksError::NotSet),
        (r#"{"keys":null}"#, JwksError::NotSet),
        (r#"{"keys":[}"#, JwksError::NotSet),
        (r#"{"keys":[]}{}"#, JwksError::NotSet),
        (r#"{"keys":[],"keys":[]}"#, twice("keys")),
        (r#"{"keys":[],"\u006beys":[]}"#, twice("keys")),
        (r#"{"keys":[],"a":1,"a":1}"#, twice("a")),
    ] {
        assert_eq!(parse(text).err(), Some(error), "{text}");
    }
    let many = |count| format!(r#"{{"keys":[{}]}}"#, vec!["1"; count].join(","));
    assert_eq!(parse(&many(MAX_KEYS)).unwrap().skipped().len(), MAX_KEYS);
    assert_eq!(
        parse(&many(MAX_KEYS + 1)).err(),
        Some(JwksError::TooMany { found: MAX_KEYS + 1, limit: MAX_KEYS })
    );
    let padded = |length: usize| format!("{}{}}}", r#"{"keys":[]"#, " ".repeat(length - 11));
    assert!(parse(&padded(MAX_SET_BYTES)).unwrap().is_empty());
    assert_eq!(parse(&padded(MAX_SET_BYTES + 1)).err(), Some(JwksError::TooLong { limit: MAX_SET_BYTES }));
}

#[test]
fn keys_that_cannot_verify_are_left_out_with_a_reason() {
    use Algorithm::{Ed25519, Es256, Es384, Es512, Rs256};
    let member = |name| Some(SkipReason::Member { name });
    let found = |text: &str| text.to_owned();
    let (modulus, y) = (public(Rs256)["n"].clone(), public(Es256)["y"].clone());
    let number = |bytes: &[u8]| json!(base64url::encode(bytes));
    // 2047 bits: the first of 2048 taken away, the second set.
    let mut short = base64url::decode(modulus.as_str().unwrap()).unwrap().to_vec();
    short[0] = 0x7f;
    let mut even = base64url::decode(modulus.as_str().unwrap()).unwrap().to_vec();
    *even.last_mut().unwrap() &= 0xfe;
    let bits_1024 = &short[..128];
    // One byte more, in front, is another number; a zero there is not.
    let padded = [&[0], base64url::decode(modulus.as_str().unwrap()).unwrap().as_slice()].concat();
    let mut long = vec![0xff; 1025];
    long[0] = 1;
    for (key, reason) in [
        (json!(1), Some(SkipReason::NotObject)),
        (json!({}), member("kty")),
        (json!({"kty": 1}), member("kty")),
        (json!({"kty": "oct", "k": "AAAA"}), Some(SkipReason::Type { found: found("oct") })),
        (json!({"kty": "AKP", "alg": "ML-DSA-44"}), Some(SkipReason::Type { found: found("AKP") })),
        (json!({"kty": "rsa"}), Some(SkipReason::Type { found: found("rsa") })),
        (with(Rs256, json!({"kid": 1})), member("kid")),
        (with(Rs256, json!({"use": "enc"})), Some(SkipReason::Use { found: found("enc") })),
        (with(Rs256, json!({"use": ["sig"]})), member("use")),
        (with(Rs256, json!({"use": null})), None),
        (with(Rs256, json!({"key_ops": ["verify"]})), None),
        (with(Rs256, json!({"use": null, "key_ops": ["sign"]})), Some(SkipReason::Operations)),
        (with(Rs256, json!({"key_ops": []})), Some(SkipReason::Operations)),
        (with(Rs256, json!({"key_ops": "verify"})), member("key_ops")),
        (with(Rs256, json!({"alg": "RS512"})), None),
        (with(Rs256, json!({"alg": "RSA-OAEP"})), Some(SkipReason::Algorithm { found: found("RSA-OAEP") })),
        (with(Rs256, json!({"alg": "HS256"})), Some(SkipReason::Algorithm { found: found("HS256") })),
        (with(Rs256, json!({"alg": "none"})), Some(SkipReason::Algorithm { found: found("none") })),
        (with(Rs256, json!({"alg": "ES256"})), Some(SkipReason::AlgorithmMisfit)),
        (with(Es256, json!({"alg": "ES384"})), Some(SkipReason::AlgorithmMisfit)),
        (with(Es256, json!({"alg": "EdDSA"})), Some(SkipReason::AlgorithmMisfit)),
        (with(Ed25519, json!({"alg": "Ed25519"})), None),
        (with(Rs256, json!({"d": "AAAA"})), Some(SkipReason::Private)),
        (with(Es256, json!({"d": 1})), Some(SkipReason::Private)),
        (with(Ed25519, json!({"d": ""})), Some(SkipReason::Private)),
        (with(Rs256, json!({"x5c": ["MIIB"], "x5t": "AAAA"})), None),
        (with(Rs256, json!({"n": null})), member("n")),
        (with(Rs256, json!({"n": "AAA="})), member("n")),
        (with(Rs256, json!({"n": ""})), Some(SkipReason::ModulusTooSmall { bits: 0 })),
        (with(Rs256, json!({"n": number(&short)})), Some(SkipReason::ModulusTooSmall { bits: 2047 })),
        (with(Rs256, json!({"n": number(bits_1024)})), Some(SkipReason::ModulusTooSmall { bits: 1023 })),
        (with(Rs256, json!({"n": number(&long)})), Some(SkipReason::ModulusTooLarge { bits: 8193 })),
        (with(Rs256, json!({"n": number(&long[1..])})), None),
        (with(Rs256, json!({"n": number(&even)})), Some(SkipReason::Modulus)),
        (with(Rs256, json!({"n": number(&padded)})), None),
        (with(Rs256, json!({"e": null})), member("e")),
        (with(Rs256, json!({"e": ""})), Some(SkipReason::Exponent)),
        (with(Rs256, json!({"e": number(&[0])})), Some(SkipReason::Exponent)),
        (with(Rs256, json!({"e": number(&[1])})), Some(SkipReason::Exponent)),
        (with(Rs256, json!({"e": number(&[0, 1])})), Some(SkipReason::Exponent)),
        (with(Rs256, json!({"e": number(&[2])})), Some(SkipReason::Exponent)),
        (with(Rs256, json!({"e": number(&[3])})), None),
        (with(Rs256, json!({"e": number(&[1, 0, 0, 0, 1])})), Some(SkipReason::Exponent)),
        (with(Es256, json!({"crv": null})), member("crv")),
        (with(Es256, json!({"crv": "secp256k1"})), Some(SkipReason::Curve { found: found("secp256k1") })),
        (with(Es256, json!({"crv": "Ed25519"})), Some(SkipReason::Curve { found: found("Ed25519") })),
        (with(Es256, json!({"crv": "P-384"})), Some(SkipReason::Coordinates)),
        (with(Es256, json!({"y": null})), member("y")),
        (with(Es256, json!({"x": y})), Some(SkipReason::NotOnCurve)),
        (with(Es256, json!({"x": number(&[0; 32]), "y": number(&[0; 32])})), Some(SkipReason::NotOnCurve)),
        (with(Es256, json!({"x": number(&[0xff; 32])})), Some(SkipReason::NotOnCurve)),
        (with(Es256, json!({"x": number(&[1; 31])})), Some(SkipReason::Coordinates)),
        (with(Es384, json!({"x": number(&[1; 48])})), Some(SkipReason::NotOnCurve)),
        (with(Es512, json!({"x": number(&[0; 66])})), Some(SkipReason::NotOnCurve)),
        (with(Es512, json!({"x": number(&[1; 65])})), Some(SkipReason::Coordinates)),
        (with(Ed25519, json!({"crv": "Ed448"})), Some(SkipReason::Curve { found: found("Ed448") })),
        (with(Ed25519, json!({"crv": "X25519"})), Some(SkipReason::Curve { found: found("X25519") })),
        (with(Ed25519, json!({"x": number(&[1; 31])})), Some(SkipReason::Coordinates)),
        (with(Ed25519, json!({"x": number(&[2; 32])})), Some(SkipReason::NotOnCurve)),
        (with(Ed25519, json!({"x": number(&[0; 32])})), Some(SkipReason::Weak)),
    ] {
        assert_eq!(skipped(&key), reason, "{key}");
    }
}

#[test]
fn a_key_says_each_member_once() {
    let key = public(Algorithm::Es256).to_string();
    let text = format!(r#"{{"keys":[{}]}}"#, key.replacen('{', r#"{"kty":"EC","#, 1));
    let set = parse(&text).unwrap();
    assert_eq!(set.skipped()[0].reason, SkipReason::Duplicate { name: "kty".to_owned() });
}

#[test]
fn the_rest_of_a_set_is_used_and_the_operator_is_told() {
    let list = [
        json!({"kty": "oct", "k": "AAAA", "kid": "mac"}),
        public(Algorithm::Es256),
        with(Algorithm::Rs256, json!({"use": "enc", "kid": null})),
    ];
    let set = set(&list);
    assert_eq!(set.len(), 1);
    let told: Vec<String> = set.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            r#"key 1 ("mac") is not used: its type "oct" is not supported"#,
            r#"key 3 is not used: its use is "enc", not signatures"#
        ]
    );
    // Both the key in use and the one that is not are in the set: fetching it again brings neither.
    assert!(set.has("p256") && set.has("mac"));
    assert!(!set.has("rsa") && !set.has(""));
}

#[test]
fn keys_are_found_by_name_and_algorithm() {
    let keys = keys();
    assert_eq!(keys.len(), 5);
    let ids = |key_id, algorithm| -> Vec<&str> {
        keys.find(key_id, algorithm).map(|key| key.id().unwrap()).collect()
    };
    assert_eq!(ids(None, Algorithm::Ps512), ["rsa"]);
    assert_eq!(ids(None, Algorithm::Es384), ["p384"]);
    assert_eq!(ids(Some("p384"), Algorithm::Es384), ["p384"]);
    assert_eq!(ids(Some("p384"), Algorithm::Es256), [""; 0]);
    assert_eq!(ids(Some("P384"), Algorithm::Es384), [""; 0]);
    // Providers name keys of several types alike (RFC 7517 section 4.5).
    let same = set(&[
        with(Algorithm::Rs256, json!({"kid": "k"})),
        with(Algorithm::Es256, json!({"kid": "k"})),
        with(Algorithm::Es256, json!({"kid": null})),
    ]);
    assert_eq!(same.find(Some("k"), Algorithm::Es256).count(), 1);
    assert_eq!(same.find(None, Algorithm::Es256).count(), 2);
}

#[test]
fn private_members_are_not_kept() {
    let secret = vectors()["signing"]["RSA"]["d"].as_str().unwrap().to_owned();
    let text = jwks().replacen('{', &format!(r#"{{"d":"{secret}","#), 1);
    let set = parse(&text.replace(r#""kty":"RSA""#, &format!(r#""kty":"RSA","d":"{secret}""#))).unwrap();
    assert_eq!(set.len(), 4);
    assert!(!format!("{set:?}").contains(&secret[..16]));
}
