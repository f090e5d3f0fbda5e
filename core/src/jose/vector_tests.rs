//! Published vectors: those of the RFCs, and a selection of Wycheproof's.
//!
//! The cookbook (RFC 7520) wraps with `A128KW` and encrypts with `A128GCM`. Those must be refused here by name, so
//! what the vectors say about serialisation, additional data and compression is checked with ciphers of the test's own.

use aes_gcm::{AeadInOut, Aes128Gcm, KeyInit, Nonce, Tag};
use aes_kw::KwAes128;
use serde_json::{Value, json};

use super::base64url;
use super::inflate::inflate;
use super::jwe::{self, JweError, Part, WrappingKey};
use super::jws::{self, JwsError, SigningKey};
use super::serialisation::{Form, Serialised};

fn rfc() -> Value {
    serde_json::from_str(include_str!("../../tests/data/jose/rfc.json")).unwrap()
}

fn wycheproof() -> Value {
    serde_json::from_str(include_str!("../../tests/data/jose/wycheproof.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn base64<const N: usize>(value: &Value) -> [u8; N] {
    base64url::decode(text(value)).unwrap().as_slice().try_into().unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = text(value);
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex_of<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().unwrap()
}

/// What a token with 128-bit algorithms holds, and its content key.
fn opened_128(key: &Value, token: &str) -> (Vec<u8>, Vec<u8>) {
    let parts = Serialised::parse(token).unwrap();
    let bytes = |text: &str| base64url::decode(text).unwrap().to_vec();
    let mut cek = [0; 16];
    let wrapped = bytes(parts.encrypted_key);
    KwAes128::new(&base64::<16>(key).into()).unwrap_key(&wrapped, &mut cek).unwrap();
    let iv: [u8; 12] = bytes(parts.iv).try_into().unwrap();
    let tag: [u8; 16] = bytes(parts.tag).try_into().unwrap();
    let mut content = bytes(parts.ciphertext);
    let additional = parts.additional_data();
    Aes128Gcm::new(&cek.into())
        .decrypt_inout_detached(
            &Nonce::from(iv),
            additional.as_bytes(),
            content.as_mut_slice().into(),
            &Tag::from(tag),
        )
        .unwrap();
    (content, cek.to_vec())
}

/// The general and the flattened JSON serialisation of a vector, which is given in the first or compact.
fn json_forms(vector: &Value) -> [Value; 2] {
    let general = match vector["compact"].as_str() {
        None => vector["json"].clone(),
        Some(compact) => {
            let parts: Vec<&str> = compact.split('.').collect();
            json!({"protected": parts[0], "recipients": [{"encrypted_key": parts[1]}], "iv": parts[2],
                "ciphertext": parts[3], "tag": parts[4]})
        }
    };
    let mut flattened = general.clone();
    let members = flattened.as_object_mut().unwrap();
    let recipients = members.remove("recipients").unwrap();
    members.extend(recipients[0].as_object().unwrap().clone());
    [general, flattened]
}

#[test]
fn rfc_7520_sections_5_8_to_5_12() {
    let cookbook = &rfc()["rfc7520"];
    let refused = JweError::Algorithm { found: "A128KW".to_owned() };
    for section in ["5.8", "5.9", "5.10", "5.11", "5.12"] {
        let vector = &cookbook[section];
        let mut forms: Vec<(Form, String)> =
            json_forms(vector).iter().map(|json| (Form::Json, json.to_string())).collect();
        forms.extend(vector["compact"].as_str().map(|compact| (Form::Compact, compact.to_owned())));
        for (form, token) in forms {
            assert_eq!(Serialised::parse(&token).unwrap().form, form);
            let (content, cek) = opened_128(&cookbook["key"], &token);
            assert_eq!(cek, base64::<16>(&vector["cek"]), "section {section}");
            let plaintext = if section == "5.9" {
                assert_eq!(base64url::encode(&content), text(&vector["compressed"]));
                inflate(&content).unwrap().expose().clone()
            } else {
                content
            };
            assert_eq!(str::from_utf8(&plaintext), Ok(text(&cookbook["plaintext"])), "section {section}");
            assert_eq!(jwe::open(&[WrappingKey::derive("x")], &token).unwrap_err(), refused);
        }
    }
}

#[test]
fn rfc_7520_section_5_13_has_several_recipients() {
    let vector = &rfc()["rfc7520"]["5.13"];
    let open = |token: &Value| jwe::open(&[WrappingKey::derive("x")], &token.to_string()).unwrap_err();
    assert_eq!(open(&vector["json"]), JweError::Recipients { found: 3 });
    for (index, algorithm) in vector["algorithms"].as_array().unwrap().iter().enumerate() {
        let mut alone = vector["json"].clone();
        alone["recipients"] = json!([vector["json"]["recipients"][index]]);
        assert_eq!(open(&alone), JweError::Algorithm { found: text(algorithm).to_owned() });
    }
}

#[test]
fn rfc_7520_section_4_4_and_rfc_7517_appendix_a_3() {
    let rfc = rfc();
    let vector = &rfc["rfc7520"]["4.4"];
    let key = SigningKey::of_bytes(&base64::<32>(&vector["key"]));
    let payload = jws::verify(std::slice::from_ref(&key), text(&vector["compact"])).unwrap().payload;
    assert_eq!(str::from_utf8(&payload), Ok(text(&vector["payload"])));
    let keys = &rfc["rfc7517"]["A.3"]["keys"];
    assert_eq!(base64::<16>(&keys[0]["k"])[..3], [0x19, 0xac, 0x20]);
    let hmac = SigningKey::of_bytes(&base64::<64>(&keys[1]["k"]));
    let verified = jws::verify(&[key.clone(), hmac], text(&rfc["rfc7515"]["A.1"])).unwrap();
    assert_eq!(verified.key, 1);
    assert_eq!(jws::verify(&[key], text(&rfc["rfc7515"]["A.1"])), Err(JwsError::Signature));
}

#[test]
fn rfc_7516_appendix_a() {
    let rfc = &rfc()["rfc7516"];
    let vector = &rfc["A.1"];
    let (cek, iv) = (base64::<32>(&vector["cek"]), base64::<12>(&vector["iv"]));
    let protected = text(&vector["protected"]);
    let key = WrappingKey::derive("any");
    let [wrapped, sealed_iv, ciphertext, tag] =
        key.encrypt(protected.as_bytes(), text(&vector["plaintext"]).as_bytes(), &cek, iv).unwrap();
    assert_eq!(
        [sealed_iv.as_str(), &ciphertext, &tag],
        ["iv", "ciphertext", "tag"].map(|it| text(&vector[it]))
    );
    // Wrapped by us it is whole, and its `alg` is not ours.
    let token = format!("{protected}.{wrapped}.{sealed_iv}.{ciphertext}.{tag}");
    let algorithm = |found: &str| JweError::Algorithm { found: found.to_owned() };
    assert_eq!(jwe::open(std::slice::from_ref(&key), &token).unwrap_err(), algorithm("RSA-OAEP"));
    assert_eq!(jwe::open(&[key], text(&rfc["A.3"])).unwrap_err(), algorithm("A128KW"));
}

#[test]
fn rfc_3394_section_4_6() {
    let vector = &rfc()["rfc3394"]["4.6"];
    let key = WrappingKey::of_bytes(hex_of(&vector["key"]));
    let (data, mut wrapped, mut unwrapped) = (hex_of::<32>(&vector["data"]), [0; 40], [0; 32]);
    key.cipher().wrap_key(&data, &mut wrapped).unwrap();
    assert_eq!(wrapped, hex_of::<40>(&vector["wrapped"]));
    key.cipher().unwrap_key(&wrapped, &mut unwrapped).unwrap();
    assert_eq!(unwrapped, data);
}

#[test]
fn wycheproof_json_web_encryption() {
    let group = &wycheproof()["json_web_encryption"];
    let key = [WrappingKey::of_bytes(base64(&group["key"]))];
    for test in group["tests"].as_array().unwrap() {
        let opened = jwe::open(&key, text(&test["jwe"])).map(|opened| opened.plaintext.expose().clone());
        assert_eq!(opened.is_ok(), test["opens"].as_bool().unwrap(), "{test}");
        assert!(opened.is_err() || opened.as_deref() == Ok(text(&group["plaintext"]).as_bytes()), "{test}");
        // The other algorithms are sound, so they must be refused for what they are.
        if matches!(test["tcId"].as_u64(), Some(1 | 22 | 23 | 28 | 30)) {
            assert!(matches!(opened, Err(JweError::Encryption { .. })), "{test}");
        }
    }
    // What Wycheproof does to its first token, done to the one that we open.
    let valid = text(&group["tests"].as_array().unwrap().iter().find(|it| it["tcId"] == 29).unwrap()["jwe"]);
    let parts: Vec<&str> = valid.split('.').collect();
    let tag = parts[4];
    let with = |index: usize, part: &str| {
        let mut changed = parts.clone();
        changed[index] = part;
        changed.join(".")
    };
    let length = |part, found| JweError::Length { part, found };
    for (name, token, error) in [
        ("tag changed", with(4, &format!("X{}", &tag[1..])), JweError::Undecryptable),
        ("tag too long", with(4, &format!("{}AAAA", &tag[..20])), length(Part::Tag, 18)),
        (
            "tag shorter by 1",
            with(4, &base64url::encode(&base64url::decode(tag).unwrap()[..15])),
            length(Part::Tag, 15),
        ),
        ("tag shorter by 4", with(4, &tag[..16]), length(Part::Tag, 12)),
        ("tag missing", with(4, ""), length(Part::Tag, 0)),
        ("tag and dot missing", parts[..4].join("."), JweError::Parts { found: 4 }),
        ("ciphertext changed", with(3, "XNcT"), JweError::Undecryptable),
        ("ciphertext missing", with(3, ""), JweError::Undecryptable),
        ("vector changed", with(2, "XdL_tfX7vZyBAnYz"), JweError::Undecryptable),
        ("vector missing", with(2, ""), length(Part::InitializationVector, 0)),
        ("key changed", with(1, &format!("X{}", &parts[1][1..])), JweError::Undecryptable),
        ("key missing", with(1, ""), length(Part::EncryptedKey, 0)),
        ("header missing", with(0, ""), JweError::Header),
        ("header and dot missing", parts[1..].join("."), JweError::Parts { found: 4 }),
    ] {
        assert_eq!(jwe::open(&key, &token).unwrap_err(), error, "{name}");
    }
}

#[test]
fn wycheproof_json_web_signature() {
    let group = &wycheproof()["json_web_signature"];
    let key = [SigningKey::of_bytes(&base64::<32>(&group["key"]))];
    for test in group["tests"].as_array().unwrap() {
        let verified = jws::verify(&key, text(&test["jws"]));
        assert_eq!(verified.is_ok(), test["verifies"].as_bool().unwrap(), "{test}");
        assert!(verified.is_err() || verified.unwrap().payload.as_slice() == b"foo", "{test}");
    }
}

#[test]
fn wycheproof_aes_wrap() {
    let group = &wycheproof()["aes_wrap"];
    let key = WrappingKey::of_bytes(hex_of(&group["key"]));
    let (data, mut wrapped, mut unwrapped) = (hex_of::<32>(&group["data"]), [0; 40], [0; 32]);
    key.cipher().wrap_key(&data, &mut wrapped).unwrap();
    assert!(key.cipher().unwrap_key(&wrapped, &mut unwrapped).is_ok());
    assert_eq!(unwrapped, data);
    for test in group["invalid"].as_array().unwrap() {
        let changed = hex_of::<40>(&test["wrapped"]);
        assert_ne!(changed, wrapped);
        assert!(key.cipher().unwrap_key(&changed, &mut unwrapped).is_err(), "{test}");
    }
}

#[test]
fn wycheproof_aes_gcm() {
    let key = WrappingKey::derive("any");
    for test in wycheproof()["aes_gcm"].as_array().unwrap() {
        let (cek, iv) = (hex_of::<32>(&test["key"]), hex_of::<12>(&test["iv"]));
        let (additional, message) = (hex(&test["aad"]), hex(&test["msg"]));
        let (ciphertext, tag) = (hex(&test["ct"]), hex_of::<16>(&test["tag"]));
        let valid = test["valid"].as_bool().unwrap();
        let [wrapped, _, sealed, made] = key.encrypt(&additional, &message, &cek, iv).unwrap();
        assert_eq!(sealed, base64url::encode(&ciphertext), "{test}");
        assert_eq!(made == base64url::encode(&tag), valid, "{test}");
        let wrapped: [u8; 40] = base64url::decode(&wrapped).unwrap().as_slice().try_into().unwrap();
        let opened = key.decrypt(&wrapped, iv, &additional, &ciphertext, tag);
        assert_eq!(opened.map(|it| it.expose().clone()), valid.then_some(message), "{test}");
    }
}
