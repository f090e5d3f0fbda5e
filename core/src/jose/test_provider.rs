//! An identity provider of the tests' own: it signs whatever it is told, with the published keys of the RFCs.

use p256::ecdsa::signature::{RandomizedSigner, SignatureEncoding, Signer};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rsa::{BoxedUint, pkcs1v15, pss};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use super::base64url;
use super::jwk::KeySet;
use super::jwt::Algorithm;

/// The vectors of `tests/data/jose/provider.json`.
pub(crate) fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/data/jose/provider.json")).unwrap()
}

fn decode(text: &Value) -> Vec<u8> {
    base64url::decode(text.as_str().unwrap()).unwrap().to_vec()
}

/// A seed for P-384, of which no RFC has a key for signatures.
const P384: [u8; 48] = [7; 48];

fn rsa_key() -> rsa::PrivateKey {
    let key = &vectors()["signing"]["RSA"];
    let number = |name: &str| BoxedUint::from_be_slice_vartime(&decode(&key[name]));
    rsa::PrivateKey::from_components(number("n"), number("e"), number("d"), vec![number("p"), number("q")])
        .unwrap()
}

/// The signature of `input` alone.
fn signature(algorithm: Algorithm, input: &str) -> Vec<u8> {
    let keys = &vectors()["signing"];
    let message = input.as_bytes();
    let rng = &mut StdRng::seed_from_u64(1);
    match algorithm {
        Algorithm::Rs256 => {
            pkcs1v15::SigningKey::<Sha256>::new(rsa_key()).sign_with_rng(rng, message).to_vec()
        }
        Algorithm::Rs384 => {
            pkcs1v15::SigningKey::<Sha384>::new(rsa_key()).sign_with_rng(rng, message).to_vec()
        }
        Algorithm::Rs512 => {
            pkcs1v15::SigningKey::<Sha512>::new(rsa_key()).sign_with_rng(rng, message).to_vec()
        }
        Algorithm::Ps256 => pss::SigningKey::<Sha256>::new(rsa_key()).sign_with_rng(rng, message).to_vec(),
        Algorithm::Ps384 => pss::SigningKey::<Sha384>::new(rsa_key()).sign_with_rng(rng, message).to_vec(),
        Algorithm::Ps512 => pss::SigningKey::<Sha512>::new(rsa_key()).sign_with_rng(rng, message).to_vec(),
        Algorithm::Es256 => {
            let signature: p256::ecdsa::Signature =
                p256::ecdsa::SigningKey::from_slice(&decode(&keys["P-256"])).unwrap().sign(message);
            signature.to_vec()
        }
        Algorithm::Es384 => {
            let signature: p384::ecdsa::Signature =
                p384::ecdsa::SigningKey::from_slice(&P384).unwrap().sign(message);
            signature.to_vec()
        }
        Algorithm::Es512 => {
            let signature: p521::ecdsa::Signature =
                p521::ecdsa::SigningKey::from_slice(&decode(&keys["P-521"])).unwrap().sign(message);
            signature.to_vec()
        }
        Algorithm::Ed25519 => {
            let seed: [u8; 32] = decode(&keys["Ed25519"]).try_into().unwrap();
            ed25519_dalek::SigningKey::from_bytes(&seed).sign(message).to_bytes().to_vec()
        }
    }
}

/// A token of any header and claims, signed as `algorithm` says whatever the header does.
pub(crate) fn sign_as(algorithm: Algorithm, header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|json| base64url::encode(json.as_bytes()));
    let input = format!("{header}.{claims}");
    format!("{input}.{}", base64url::encode(&signature(algorithm, &input)))
}

/// A token of any claims, under a header of the algorithm and of the key's name.
pub(crate) fn sign(algorithm: Algorithm, claims: &str) -> String {
    let key_id = key_id(algorithm);
    sign_as(algorithm, &format!(r#"{{"alg":"{}","kid":"{key_id}"}}"#, algorithm.as_str()), claims)
}

/// The name of the key that signs by this algorithm.
pub(crate) const fn key_id(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512 => "rsa",
        Algorithm::Es256 => "p256",
        Algorithm::Es384 => "p384",
        Algorithm::Es512 => "p521",
        Algorithm::Ed25519 => "ed",
    }
}

/// The public half of that key as a JWK, without `alg`.
pub(crate) fn public(algorithm: Algorithm) -> Value {
    let rfc = &vectors()["rfc"];
    let mut key = match key_id(algorithm) {
        "rsa" => rfc[0]["key"].clone(),
        "p256" => rfc[1]["key"].clone(),
        "p521" => rfc[2]["key"].clone(),
        "ed" => rfc[6]["key"].clone(),
        _ => {
            let point =
                p384::ecdsa::SigningKey::from_slice(&P384).unwrap().verifying_key().to_sec1_point(false);
            let bytes = point.as_bytes();
            let [x, y] = [&bytes[1..49], &bytes[49..]].map(base64url::encode);
            json!({"kty": "EC", "crv": "P-384", "x": x, "y": y})
        }
    };
    key["kid"] = json!(key_id(algorithm));
    key["use"] = json!("sig");
    key
}

/// The document of all keys.
pub(crate) fn jwks() -> String {
    let all = [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::Ed25519]
        .map(public);
    json!({ "keys": all }).to_string()
}

/// The same, read.
pub(crate) fn keys() -> KeySet {
    KeySet::parse(jwks().as_bytes()).unwrap()
}

/// A set of these keys alone.
pub(crate) fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}
