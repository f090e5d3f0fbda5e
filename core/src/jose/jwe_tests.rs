//! Tests of [`super`], apart because of their length.

use miniz_oxide::deflate::compress_to_vec;

use super::*;

const CONTENT_KEY: [u8; KEY_BYTES] = [7; KEY_BYTES];
const IV: [u8; IV_BYTES] = [9; IV_BYTES];
const HEADER: &str = r#"{"alg":"A256KW","enc":"A256GCM"}"#;

fn sealed(header: &str) -> String {
    seal_under(header, &WrappingKey::derive("phrase"), b"plain", &CONTENT_KEY, IV).unwrap()
}

fn opened(token: &str) -> Result<Opened, JweError> {
    open(&[WrappingKey::derive("other"), WrappingKey::derive("phrase")], token)
}

fn plaintext(token: &str) -> Result<Vec<u8>, JweError> {
    opened(token).map(|opened| opened.plaintext.expose().clone())
}

/// A token in the flattened JSON serialisation, sealed over `protected` and `aad` properly.
fn json(protected: Option<&str>, aad: Option<&[u8]>, more: &str, content: &[u8]) -> String {
    let protected = protected.map(|header| base64url::encode(header.as_bytes()));
    let aad = aad.map(base64url::encode);
    let mut additional = protected.clone().unwrap_or_default();
    additional.extend(aad.iter().map(|aad| format!(".{aad}")));
    let [key, iv, ciphertext, tag] =
        WrappingKey::derive("phrase").encrypt(additional.as_bytes(), content, &CONTENT_KEY, IV).unwrap();
    let mut members =
        format!(r#""encrypted_key":"{key}","iv":"{iv}","ciphertext":"{ciphertext}","tag":"{tag}""#);
    members.extend(protected.map(|text| format!(r#","protected":"{text}""#)));
    members.extend(aad.map(|text| format!(r#","aad":"{text}""#)));
    format!("{{{members}{more}}}")
}

#[test]
fn what_opened_is_told() {
    let token = opened(&sealed(HEADER)).unwrap();
    assert_eq!((token.key, token.form, token.compressed), (1, Form::Compact, false));
    assert_eq!(token.content_type, None);
    let header = r#"{"alg":"A256KW","enc":"A256GCM","cty":"x","zip":"DEF"}"#;
    let token = opened(&json(Some(header), None, "", &compress_to_vec(b"plain", 6))).unwrap();
    assert_eq!((token.key, token.form, token.compressed), (1, Form::Json, true));
    assert_eq!(token.content_type.as_deref(), Some("x"));
    assert_eq!(token.plaintext.expose(), b"plain");
}

#[test]
fn headers_may_stand_in_every_place() {
    let plain = || Ok(b"plain".to_vec());
    let unprotected = format!(r#","unprotected":{HEADER}"#);
    assert_eq!(plaintext(&json(Some(HEADER), None, "", b"plain")), plain());
    assert_eq!(plaintext(&json(None, None, &unprotected, b"plain")), plain());
    assert_eq!(plaintext(&json(None, Some(b"aad"), &unprotected, b"plain")), plain());
    assert_eq!(plaintext(&json(Some(HEADER), Some(b""), "", b"plain")), plain());
    let halves = r#","unprotected":{"kid":"k"},"header":{"alg":"A256KW"}"#;
    assert_eq!(plaintext(&json(Some(r#"{"enc":"A256GCM"}"#), None, halves, b"plain")), plain());
    let spread = json(Some(HEADER), Some(b"aad"), ",\"x\":[ 1 ]", b"plain").replace(',', ",\r\n\t ");
    assert_eq!(plaintext(&format!(" {spread}\n")), plain());
    let zip = r#","unprotected":{"zip":"DEF"}"#;
    let zipped = json(Some(HEADER), None, zip, &compress_to_vec(b"plain", 6));
    assert_eq!(plaintext(&zipped), Err(JweError::UnprotectedZip));
    let empty = json(Some(HEADER), None, "", b"plain").replace(&base64url::encode(HEADER.as_bytes()), "");
    assert_eq!(plaintext(&empty), Err(JweError::Header));
}

#[test]
fn all_that_is_authenticated_must_be_as_it_was() {
    let token = json(Some(HEADER), Some(b"aad"), "", b"plain");
    assert!(plaintext(&token).is_ok());
    let header = base64url::encode(HEADER.as_bytes());
    for (from, to) in [
        // Without `aad`, with another, with an empty one; and a header that says the same in other words.
        (r#","aad":"YWFk""#, ""),
        ("YWFk", "YWFl"),
        ("YWFk", ""),
        (header.as_str(), base64url::encode(br#"{"enc":"A256GCM","alg":"A256KW"}"#).as_str()),
        (header.as_str(), &base64url::encode(br#"{"alg": "A256KW","enc":"A256GCM"}"#)),
        (header.as_str(), &base64url::encode(br#"{"alg":"A256KW","enc":"A256GCM","kid":"k"}"#)),
    ] {
        let changed = token.replace(from, to);
        assert_ne!(changed, token);
        assert_eq!(plaintext(&changed).err(), Some(JweError::Undecryptable), "{from} {to}");
    }
    for (from, to) in [("YWFk", "YWF"), ("YWFk", "YWE="), ("YWFk", "YW+k")] {
        let error = JweError::Base64url { part: Part::AdditionalData };
        assert_eq!(plaintext(&token.replace(from, to)), Err(error));
    }
    let added = json(Some(HEADER), None, "", b"plain").replace('}', r#","aad":""}"#);
    assert_eq!(plaintext(&added), Err(JweError::Undecryptable));
}

#[test]
fn compression_is_undone_only_after_authentication() {
    let header = r#"{"alg":"A256KW","enc":"A256GCM","zip":"DEF"}"#;
    let key = WrappingKey::derive("phrase");
    let seal = |content: &[u8]| seal_under(header, &key, content, &CONTENT_KEY, IV).unwrap();
    let stream = compress_to_vec(b"plain", 6);
    assert_eq!(plaintext(&seal(&stream)), Ok(b"plain".to_vec()));
    assert_eq!(plaintext(&seal(b"plain")), Err(JweError::NotDeflate));
    assert_eq!(plaintext(&seal(&stream[..stream.len() - 1])), Err(JweError::NotDeflate));
    assert_eq!(plaintext(&seal(&[&stream[..], b"x"].concat())), Err(JweError::AfterDeflate));
    let bomb = seal(&compress_to_vec(&vec![b' '; 20_000_000], 9));
    assert_eq!(plaintext(&bomb), Err(JweError::InflatesTooFar { limit: 250_000 }));
    let forged = format!("{}AAAA", &bomb[..bomb.len() - 4]);
    assert!(matches!(plaintext(&forged), Err(JweError::Undecryptable | JweError::Base64url { .. })));
}

#[test]
fn parts_have_their_exact_lengths() {
    let token = sealed(HEADER);
    let with = |index: usize, bytes: &[u8]| {
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        parts[index] = base64url::encode(bytes);
        plaintext(&parts.join("."))
    };
    for (index, part, length) in [
        (1, Part::EncryptedKey, WRAPPED_KEY_BYTES),
        (2, Part::InitializationVector, IV_BYTES),
        (4, Part::Tag, TAG_BYTES),
    ] {
        for found in (0..80).filter(|found| *found != length) {
            assert_eq!(with(index, &vec![0; found]), Err(JweError::Length { part, found }));
        }
    }
    assert_eq!(with(3, b""), Err(JweError::Undecryptable));
}

#[test]
fn no_token_is_longer_than_the_limit() {
    for (text, error) in [
        (" \t\r\n", JweError::Empty),
        ("e30=.b.c.d.e", JweError::Base64url { part: Part::Header }),
        ("....", JweError::Header),
    ] {
        assert_eq!(plaintext(text).err(), Some(error), "{text}");
    }
    assert_eq!(plaintext(&"A".repeat(MAX_TOKEN_BYTES + 1)), Err(JweError::TooLong));
    assert_eq!(plaintext(&".".repeat(MAX_TOKEN_BYTES)), Err(JweError::Parts { found: MAX_TOKEN_BYTES + 1 }));
    let token = json(Some(HEADER), None, "", b"plain");
    let padded = |length: usize| format!("{}{token}", " ".repeat(length - token.len()));
    assert!(plaintext(&padded(MAX_TOKEN_BYTES)).is_ok());
    assert_eq!(plaintext(&padded(MAX_TOKEN_BYTES + 1)), Err(JweError::TooLong));
    let long = vec![b' '; MAX_TOKEN_BYTES];
    let sealed = seal_with(&WrappingKey::derive("p"), ContentType::Json, &long, &CONTENT_KEY, IV);
    assert_eq!(sealed, Err(JweError::TooLong));
}
