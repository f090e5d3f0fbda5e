//! Tests of [`super`], apart because of their length.

use serde_json::Value;

use super::super::base64url;
use super::super::claims::ClaimError;
use super::super::fuzzing::FixedBytes;
use super::super::jwe::JweError;
use super::super::jws::JwsError;
use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);
const SECRETS: (&str, &str) = ("test-jwe-secret", "test-jwt-secret");

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/data/jose/altinity.json")).unwrap()
}

fn vector(name: &str) -> String {
    vectors()[name].as_str().unwrap().to_owned()
}

fn hex<const N: usize>(name: &str) -> [u8; N] {
    let text = vector(name);
    std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
}

fn keys(jwe: &[&str], jwt: &[&str]) -> TokenKeys {
    let secrets = |phrases: &[&str]| phrases.iter().map(|it| Secret::from(*it)).collect::<Vec<_>>();
    TokenKeys::new(&secrets(jwe), &secrets(jwt)).unwrap()
}

fn signing() -> TokenKeys {
    keys(&[SECRETS.0], &[SECRETS.1])
}

fn plain() -> TokenKeys {
    keys(&[SECRETS.0], &[])
}

fn vector_claims() -> Claims {
    Claims {
        host: Some("clickhouse.example.com".to_owned()),
        port: std::num::NonZero::new(8123),
        database: Some("my_database".to_owned()),
        username: Some("my_user".to_owned()),
        password: Some("my_password".into()),
        protocol: Some(super::super::claims::Protocol::Http),
        exp: Some(UnixTime::from_seconds(4_102_444_800)),
        ..Claims::default()
    }
}

fn opened(keys: &TokenKeys, token: &str) -> Result<Claims, TokenError> {
    open(keys, token, &LifePolicy::default(), NOW)
}

fn wrapped(content_type: ContentType, plaintext: &str) -> String {
    let key = WrappingKey::derive(SECRETS.0);
    jwe::seal_with(&key, content_type, plaintext.as_bytes(), &[1; 32], [2; 12]).unwrap()
}

#[test]
fn the_tokens_in_use_are_read() {
    assert_eq!(opened(&signing(), &vector("jwe_cty_JWT")), Ok(vector_claims()));
    assert_eq!(opened(&plain(), &vector("jwe_cty_JSON")), Ok(vector_claims()));
}

#[test]
fn the_tokens_in_use_are_written_byte_for_byte() {
    let json = vector_claims().to_json().unwrap();
    let inner = jws::sign(&SigningKey::derive(SECRETS.1), json.as_bytes()).unwrap();
    assert_eq!(inner.as_str(), vector("inner_jws"));
    let key = WrappingKey::derive(SECRETS.0);
    let (content_key, iv) = (hex("cek_hex"), hex("iv_hex"));
    let token = jwe::seal_with(&key, ContentType::Jwt, inner.as_bytes(), &content_key, iv);
    assert_eq!(token, Ok(vector("jwe_cty_JWT")));
    let token = jwe::seal_with(&key, ContentType::Json, json.as_bytes(), &content_key, iv);
    assert_eq!(token, Ok(vector("jwe_cty_JSON")));
    let gating = SigningKey::derive(&vector("signing_secret"));
    assert!(jws::verify(&[gating], &vector("gating_access_token")).is_ok());
}

#[test]
fn what_is_sealed_opens() {
    for keys in [signing(), plain()] {
        let token = seal(&keys, &vector_claims(), &mut FixedBytes(5)).unwrap();
        assert_eq!(opened(&keys, &token), Ok(vector_claims()));
        assert_ne!(seal(&keys, &vector_claims(), &mut FixedBytes(6)).unwrap(), token);
    }
}

#[test]
fn no_changed_character_is_accepted() {
    for (keys, name) in [(signing(), "jwe_cty_JWT"), (plain(), "jwe_cty_JSON")] {
        let token = vector(name);
        for position in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(opened(&keys, &changed).is_err(), "{name}: bit {bit} at {position}");
            }
        }
    }
}

#[test]
fn no_changed_bit_of_any_part_is_accepted() {
    let (keys, token) = (signing(), vector("jwe_cty_JWT"));
    let parts: Vec<&str> = token.split('.').collect();
    for (index, part) in parts.iter().enumerate() {
        let bytes = base64url::decode(part).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = base64url::encode(&changed);
            let mut parts = parts.clone();
            parts[index] = &changed;
            let error = opened(&keys, &parts.join(".")).unwrap_err();
            if index > 0 {
                assert_eq!(error, TokenError::Encryption(JweError::Undecryptable), "part {index}, bit {bit}");
            }
        }
    }
}

#[test]
fn no_changed_bit_of_the_signed_content_is_accepted() {
    let inner = vector("inner_jws");
    for position in 0..inner.len() {
        for bit in 0..7 {
            let mut bytes = inner.clone().into_bytes();
            bytes[position] ^= 1 << bit;
            let token = wrapped(ContentType::Jwt, &String::from_utf8(bytes).unwrap());
            assert!(opened(&signing(), &token).is_err(), "bit {bit} at {position}");
        }
    }
}

#[test]
fn no_truncation_is_accepted() {
    for (keys, name) in [(signing(), "jwe_cty_JWT"), (plain(), "jwe_cty_JSON")] {
        let token = vector(name);
        for length in 0..token.len() {
            assert!(opened(&keys, &token[..length]).is_err(), "{name}: the first {length}");
            assert!(opened(&keys, &token[token.len() - length..]).is_err(), "{name}: the last {length}");
        }
        assert!(opened(&keys, &format!("{token}A")).is_err());
    }
}

#[test]
fn white_space_does_not_matter() {
    let mut spread = String::from("\r\n\t ");
    for c in vector("jwe_cty_JWT").chars() {
        spread.push(c);
        spread.push_str(if c == '.' { "\r\n" } else { " " });
    }
    assert_eq!(opened(&signing(), &spread), Ok(vector_claims()));
    let foreign = format!("{}\u{a0}", vector("jwe_cty_JWT"));
    assert!(opened(&signing(), &foreign).is_err());
}

#[test]
fn all_secrets_open_and_only_the_first_seals() {
    let token = vector("jwe_cty_JWT");
    let both = keys(&["new", SECRETS.0], &["newer", SECRETS.1]);
    assert_eq!(opened(&both, &token), Ok(vector_claims()));
    let undecryptable = Err(TokenError::Encryption(JweError::Undecryptable));
    assert_eq!(opened(&keys(&["new"], &[SECRETS.1]), &token), undecryptable);
    let unsigned = Err(TokenError::Signature(JwsError::Signature));
    assert_eq!(opened(&keys(&[SECRETS.0], &["newer"]), &token), unsigned);
    // Encryption and signature each have their own secret.
    assert_eq!(opened(&keys(&[SECRETS.1], &[SECRETS.0]), &token), undecryptable);
    let made = seal(&both, &vector_claims(), &mut FixedBytes(1)).unwrap();
    assert_eq!(opened(&keys(&["new"], &["newer"]), &made), Ok(vector_claims()));
    assert_eq!(opened(&signing(), &made), undecryptable);
    assert_eq!(format!("{both:?}"), "TokenKeys { wrapping: 2, signing: 2 }");
}

#[test]
fn empty_secrets_make_no_keys() {
    let (full, empty) = (Secret::from("x"), Secret::from(""));
    let new = |jwe: &[Secret<String>], jwt: &[Secret<String>]| TokenKeys::new(jwe, jwt).err();
    assert_eq!(new(&[], &[]), Some(KeyError::NoJweSecret));
    assert_eq!(new(&[full.clone(), empty.clone()], &[]), Some(KeyError::EmptyJweSecret { position: 2 }));
    let jwt = Some(KeyError::EmptyJwtSecret { position: 1 });
    assert_eq!(new(std::slice::from_ref(&full), &[empty]), jwt);
    assert_eq!(new(&[full], &[]), None);
}

#[test]
fn a_signature_is_neither_skipped_nor_ignored() {
    let json = r#"{"username":"u","exp":4102444800}"#;
    let none = format!("{}.{}.", base64url::encode(br#"{"alg":"none"}"#), base64url::encode(json.as_bytes()));
    let unsigned = Err(TokenError::Unsigned);
    assert_eq!(opened(&signing(), &vector("jwe_cty_JSON")), unsigned);
    assert_eq!(opened(&signing(), &wrapped(ContentType::Jwt, json)), unsigned);
    assert_eq!(opened(&signing(), &wrapped(ContentType::Json, &vector("inner_jws"))), unsigned);
    assert_eq!(opened(&signing(), &wrapped(ContentType::Jwt, "")), unsigned);
    let algorithm = JwsError::Algorithm { found: "none".to_owned() };
    assert_eq!(opened(&signing(), &wrapped(ContentType::Jwt, &none)), Err(TokenError::Signature(algorithm)));
    // Without a signing secret, the reverse.
    assert_eq!(opened(&plain(), &vector("jwe_cty_JWT")), Err(TokenError::Unverifiable));
    let nested = wrapped(ContentType::Json, &vector("inner_jws"));
    assert_eq!(opened(&plain(), &nested), Err(TokenError::Unverifiable));
    assert!(opened(&plain(), &wrapped(ContentType::Jwt, json)).is_ok());
    let not_object = TokenError::Claims(ClaimError::NotObject);
    assert_eq!(opened(&plain(), &wrapped(ContentType::Json, "")), Err(not_object));
}

#[test]
fn only_the_content_counts_unless_plain_json_is_announced() {
    let json = r#"{"username":"u","exp":4102444800}"#;
    let key = WrappingKey::derive(SECRETS.0);
    let sealed = |cty: &str, plaintext: &str| {
        let header = format!(r#"{{"alg":"A256KW","enc":"A256GCM"{cty}}}"#);
        jwe::seal_under(&header, &key, plaintext.as_bytes(), &[1; 32], [2; 12]).unwrap()
    };
    let forged = jws::sign(&SigningKey::derive("other"), json.as_bytes()).unwrap();
    for cty in ["", "JWT", "jwt", "json", "application/jwt", "application/json", "JWT ", "x"] {
        let cty = if cty.is_empty() { String::new() } else { format!(r#","cty":"{cty}""#) };
        let nested = sealed(&cty, &vector("inner_jws"));
        assert_eq!(opened(&signing(), &nested), Ok(vector_claims()), "{cty}");
        assert_eq!(opened(&plain(), &nested), Err(TokenError::Unverifiable), "{cty}");
        let bare = sealed(&cty, json);
        assert_eq!(opened(&signing(), &bare), Err(TokenError::Unsigned), "{cty}");
        assert_eq!(opened(&plain(), &bare).unwrap().username.as_deref(), Some("u"), "{cty}");
        let signature = Err(TokenError::Signature(JwsError::Signature));
        assert_eq!(opened(&signing(), &sealed(&cty, &forged)), signature, "{cty}");
    }
}

#[test]
fn a_key_id_selects_nothing() {
    let both = keys(&["new", SECRETS.0], &["newer", SECRETS.1]);
    let header = base64url::encode(br#"{"alg":"HS256","kid":"1"}"#);
    let input = format!("{header}.{}", base64url::encode(br#"{"exp":4102444800}"#));
    let inner = jws::sign_input(&SigningKey::derive(SECRETS.1), &input);
    for kid in ["null", "1", "\"2\"", "\"new\"", "[\"new\"]"] {
        let header = format!(r#"{{"alg":"A256KW","enc":"A256GCM","kid":{kid}}}"#);
        for (phrase, wrapping_key) in [("new", 1), (SECRETS.0, 2)] {
            let key = WrappingKey::derive(phrase);
            let token = jwe::seal_under(&header, &key, inner.as_bytes(), &[1; 32], [2; 12]).unwrap();
            let read = read(&both, &token).unwrap();
            assert_eq!((read.wrapping_key, read.signing_key), (wrapping_key, Some(2)), "{kid}");
        }
    }
}

#[test]
fn reading_leaves_dates_alone() {
    let claims = Claims { exp: Some(UnixTime::from_seconds(1)), ..vector_claims() };
    for (keys, signing_key) in [(signing(), Some(1)), (plain(), None)] {
        let token = seal(&keys, &claims, &mut FixedBytes(5)).unwrap();
        let claims = claims.clone();
        let expected = Read { claims, form: Form::Compact, compressed: false, wrapping_key: 1, signing_key };
        assert_eq!(read(&keys, &token), Ok(expected));
        let expired = Err(TokenError::Expired { exp: UnixTime::from_seconds(1) });
        assert_eq!(opened(&keys, &token), expired);
    }
}

#[test]
fn claims_are_read_strictly() {
    for (json, error) in [
        (r#"{"secure":true}"#, ClaimError::Unknown { claim: "secure".to_owned() }),
        (r#"{"exp":1,"exp":4102444800}"#, ClaimError::Duplicate { claim: "exp".to_owned() }),
        (
            r#"{"client_id":"c","exp":4102444800}"#,
            ClaimError::OauthArtifact { claim: "client_id".to_owned() },
        ),
    ] {
        let token = wrapped(ContentType::Json, json);
        assert_eq!(opened(&plain(), &token), Err(TokenError::Claims(error)), "{json}");
    }
}

#[test]
fn dates_are_enforced() {
    type Row = (Option<i64>, Option<i64>, Option<i64>, LifePolicy, Option<&'static str>);
    let strict = LifePolicy::default();
    let lenient = LifePolicy { leeway_seconds: 30, ..strict };
    let eternal = LifePolicy { allow_non_expiring: true, ..strict };
    let short = LifePolicy { max_lifetime_seconds: Some(60), ..strict };
    let (expired, early) = (Some("the token has expired"), Some("the token is not valid yet"));
    let (endless, long) = (Some("the token never expires"), Some("the token's lifetime is too long"));
    // Seconds from now: exp, nbf, iat.
    let rows: [Row; 26] = [
        (Some(1), None, None, strict, None),
        (Some(0), None, None, strict, None),
        (Some(-1), None, None, strict, expired),
        (Some(-30), None, None, lenient, None),
        (Some(-31), None, None, lenient, expired),
        (Some(9), Some(0), Some(0), strict, None),
        (Some(9), Some(1), None, strict, early),
        (Some(9), None, Some(1), strict, early),
        (Some(99), Some(30), Some(30), lenient, None),
        (Some(99), Some(31), None, lenient, early),
        (Some(99), None, Some(31), lenient, early),
        (None, None, None, strict, endless),
        (None, None, None, eternal, None),
        (None, Some(1), None, eternal, early),
        (None, None, Some(1), eternal, early),
        (Some(-1), None, None, eternal, expired),
        (Some(60), None, None, short, None),
        (Some(61), None, None, short, long),
        (Some(50), None, Some(-10), short, None),
        (Some(51), None, Some(-10), short, long),
        (Some(50), None, Some(-11), short, long),
        (Some(-1), None, Some(-10), short, expired),
        (Some(90), None, None, LifePolicy { leeway_seconds: 30, ..short }, None),
        (Some(91), None, None, LifePolicy { leeway_seconds: 30, ..short }, long),
        (None, None, None, LifePolicy { allow_non_expiring: true, ..short }, long),
        (Some(9), None, None, LifePolicy { leeway_seconds: u64::MAX, ..strict }, None),
    ];
    for (exp, nbf, iat, policy, reason) in rows {
        let date = |offset: Option<i64>| {
            offset.map(|it| UnixTime::from_seconds(NOW.seconds().checked_add_signed(it).unwrap()))
        };
        let claims = Claims { exp: date(exp), nbf: date(nbf), iat: date(iat), ..Claims::default() };
        let token = seal(&signing(), &claims, &mut FixedBytes(1)).unwrap();
        // The rest of a second does not count.
        let now = UnixTime::from_millis(NOW.millis() + 999);
        let opened = open(&signing(), &token, &policy, now);
        assert_eq!(
            opened.err().map(|it| it.public_reason()).as_deref(),
            reason,
            "{exp:?} {nbf:?} {iat:?} {policy:?}"
        );
    }
}

#[test]
fn strangers_learn_nothing_from_failed_ciphers() {
    let token = vector("jwe_cty_JWT");
    let tail = format!("{}AAAA", &token[..token.len() - 4]);
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[1] = "AAAA";
    for (keys, token) in [
        (keys(&["other"], &[SECRETS.1]), token.as_str()),
        (keys(&[SECRETS.0], &["other"]), token.as_str()),
        (signing(), tail.as_str()),
        (signing(), parts.join(".").as_str()),
    ] {
        assert_eq!(opened(&keys, token).unwrap_err().public_reason(), "the token cannot be opened");
    }
}
