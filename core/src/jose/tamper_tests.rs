//! What happens to tokens on their way, by accident or by somebody's hand: every part changed, cut, padded, replaced,
//! moved and spelled in other ways, in every serialisation and in the signed text inside.

use std::num::NonZero;

use super::base64url;
use super::claims::{ClaimError, Claims};
use super::fuzzing::FixedBytes;
use super::jwe::{self, ContentType, JweError, WrappingKey};
use super::jws::{self, JwsError, SigningKey};
use super::token::{Read, TokenError, TokenKeys, read, seal};
use crate::secret::Secret;
use crate::time::UnixTime;

const PHRASES: [&str; 2] = ["outer", "inner"];
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn keys(signing: bool) -> TokenKeys {
    let [jwe, jwt] = PHRASES.map(|phrase| [Secret::from(phrase)]);
    TokenKeys::new(&jwe, if signing { &jwt } else { &[] }).unwrap()
}

fn claims(user: &str, port: u16) -> Claims {
    Claims {
        username: Some(user.to_owned()),
        password: Some("hunter2".into()),
        port: NonZero::new(port),
        exp: Some(UnixTime::from_seconds(4_102_444_800)),
        ..Claims::default()
    }
}

fn parts(token: &str) -> Vec<String> {
    token.split('.').map(str::to_owned).collect()
}

/// The same five parts in every serialisation.
fn written(parts: &[String]) -> [String; 3] {
    let [protected, key, iv, ciphertext, tag] = parts else {
        return [parts.join("."), "{".into(), "{".into()];
    };
    let rest = format!(r#""protected":"{protected}","iv":"{iv}","ciphertext":"{ciphertext}","tag":"{tag}""#);
    [
        parts.join("."),
        format!(r#"{{{rest},"encrypted_key":"{key}"}}"#),
        format!(r#"{{{rest},"recipients":[{{"encrypted_key":"{key}"}}]}}"#),
    ]
}

/// Every way to spoil one of `parts`, with a name; `other` are the parts of another good token.
fn spoiled(parts: &[String], other: &[String]) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let mut add = |name: String, text: String| {
            if text != *part {
                let mut changed = parts.to_vec();
                changed[index] = text;
                all.push((format!("part {index} {name}"), changed));
            }
        };
        for cut in 1..=part.len() {
            add(format!("cut by {cut}"), part[..part.len() - cut].to_owned());
            add(format!("without its first {cut}"), part[cut..].to_owned());
        }
        for tail in ["=", "==", "A", "AA", "AAA", "AAAA", "\0", "\u{e9}", "\u{a0}", "%3D", "\\u0041", "\\n"] {
            add(format!("followed by {tail:?}"), format!("{part}{tail}"));
            add(format!("after {tail:?}"), format!("{tail}{part}"));
        }
        let middle = part.len() / 2;
        for byte in ["\0", "\u{7f}", "\u{200b}", "\u{ff0d}", "+", "/", "*", "\"", "\\"] {
            add(format!("with {byte:?} inside"), format!("{}{byte}{}", &part[..middle], &part[middle..]));
        }
        add("in the standard alphabet".to_owned(), part.replace('-', "+").replace('_', "/"));
        // All spellings of the last character but the right one: among them those that differ in unused bits only.
        for last in ALPHABET.chars() {
            add(format!("ending in {last}"), format!("{}{last}", &part[..part.len() - 1]));
        }
        for (place, stranger) in other.iter().enumerate() {
            add(format!("replaced by part {place} of another"), stranger.clone());
        }
        for (place, sibling) in parts.iter().enumerate().skip(index + 1) {
            let mut changed = parts.to_vec();
            changed[index].clone_from(sibling);
            changed[place].clone_from(part);
            all.push((format!("parts {index} and {place} swapped"), changed));
        }
    }
    all.retain(|(_, changed)| changed != parts && changed != other);
    all
}

#[test]
fn no_spoiled_part_opens_in_any_serialisation() {
    for signing in [true, false] {
        let keys = keys(signing);
        let alice = seal(&keys, &claims("alice", 1), &mut FixedBytes(250)).unwrap();
        let bob = seal(&keys, &claims("bob", 2), &mut FixedBytes(9)).unwrap();
        let (alice, bob) = (parts(&alice), parts(&bob));
        // The header is the same in both, which is no harm: it is bound to each by its tag.
        assert_eq!(alice[0], bob[0]);
        for (form, token) in written(&alice).iter().enumerate() {
            assert_eq!(read(&keys, token).unwrap().claims, claims("alice", 1), "form {form}");
        }
        for (name, changed) in spoiled(&alice, &bob) {
            for (form, token) in written(&changed).iter().enumerate() {
                assert!(read(&keys, token).is_err(), "form {form}, signing {signing}: {name}");
            }
        }
    }
}

#[test]
fn no_changed_byte_of_json_opens_to_other_claims() {
    for signing in [true, false] {
        let keys = keys(signing);
        let token = seal(&keys, &claims("alice", 1), &mut FixedBytes(250)).unwrap();
        let [_, flattened, general] = written(&parts(&token));
        for token in [flattened, general] {
            for position in 0..token.len() {
                for bit in 0..7 {
                    let mut bytes = token.clone().into_bytes();
                    bytes[position] ^= 1 << bit;
                    let changed = String::from_utf8(bytes).unwrap();
                    let read = read(&keys, &changed).map(|read| read.claims);
                    assert!(
                        read.is_err() || read == Ok(claims("alice", 1)),
                        "bit {bit} at {position} of {token}"
                    );
                }
                assert!(read(&keys, &token[..position]).is_err(), "the first {position} of {token}");
            }
        }
    }
}

/// A token with this text inside, encrypted properly.
fn wrapped(inner: &str) -> String {
    jwe::seal_with(&WrappingKey::derive(PHRASES[0]), ContentType::Jwt, inner.as_bytes(), &[7; 32], [9; 12])
        .unwrap()
}

#[test]
fn no_spoiled_part_of_the_signed_text_is_accepted() {
    let key = SigningKey::derive(PHRASES[1]);
    let sign = |user| jws::sign(&key, claims(user, 1).to_json().unwrap().as_bytes()).unwrap();
    let (alice, bob) = (parts(&sign("alice")), parts(&sign("bob")));
    assert!(read(&keys(true), &wrapped(&alice.join("."))).is_ok());
    for (name, changed) in spoiled(&alice, &bob) {
        let error = read(&keys(true), &wrapped(&changed.join("."))).unwrap_err();
        assert!(matches!(error, TokenError::Signature(_) | TokenError::Unsigned), "{name}: {error:?}");
    }
    // White space is removed around the encryption, not inside of it.
    for inner in [format!("{}\n", alice.join(".")), format!(" {}", alice.join("."))] {
        assert_eq!(read(&keys(true), &wrapped(&inner)), Err(TokenError::Unsigned));
    }
}

#[test]
fn a_header_in_other_words_belongs_to_another_token() {
    let keys = keys(false);
    let token = parts(&seal(&keys, &claims("alice", 1), &mut FixedBytes(250)).unwrap());
    let undecryptable = || Err(TokenError::Encryption(JweError::Undecryptable));
    for header in [
        r#"{"enc":"A256GCM","alg":"A256KW","cty":"JSON","typ":"JWE"}"#,
        r#"{"alg":"A256KW","cty":"JSON","enc":"A256GCM","typ":"JWE"} "#,
        r#"{"alg": "A256KW","cty":"JSON","enc":"A256GCM","typ":"JWE"}"#,
        r#"{"alg":"\u0041256KW","cty":"JSON","enc":"A256GCM","typ":"JWE"}"#,
        r#"{"alg":"A256KW","cty":"JWT","enc":"A256GCM","typ":"JWE"}"#,
        r#"{"alg":"A256KW","cty":"JSON","enc":"A256GCM"}"#,
        r#"{"alg":"A256KW","cty":"JSON","enc":"A256GCM","typ":"JWE","zip":"DEF"}"#,
    ] {
        let mut changed = token.clone();
        changed[0] = base64url::encode(header.as_bytes());
        for text in written(&changed) {
            assert_eq!(read(&keys, &text), undecryptable(), "{header}");
        }
    }
    // Members cannot be moved out of the protection either.
    let mut halved = token.clone();
    halved[0] = base64url::encode(br#"{"alg":"A256KW","cty":"JSON","typ":"JWE"}"#);
    let [_, flattened, general] = written(&halved);
    for text in [flattened, general] {
        let moved = text.replacen('{', r#"{"unprotected":{"enc":"A256GCM"},"#, 1);
        assert_eq!(read(&keys, &moved), undecryptable());
    }
}

#[test]
fn unprotected_words_change_nothing_that_counts() {
    for signing in [true, false] {
        let keys = keys(signing);
        let token = parts(&seal(&keys, &claims("alice", 1), &mut FixedBytes(250)).unwrap());
        let [_, flattened, _] = written(&token);
        let with = |more: &str| read(&keys, &flattened.replacen('{', &format!("{{{more},"), 1));
        let error = |more: &str| with(more).unwrap_err();
        for more in
            [r#""x":{"alg":"none"}"#, r#""unprotected":{"kid":"0"}"#, r#""header":{"jku":"https://x"}"#]
        {
            assert_eq!(with(more).map(|read: Read| read.claims), Ok(claims("alice", 1)), "{more}");
        }
        for (more, refused) in [
            (r#""unprotected":{"cty":"JWT"}"#, JweError::HeaderInTwoPlaces { name: "cty".into() }),
            (r#""header":{"alg":"dir"}"#, JweError::HeaderInTwoPlaces { name: "alg".into() }),
            (r#""header":{"crit":["b64"],"b64":false}"#, JweError::Critical),
            (r#""unprotected":{"zip":"DEF"}"#, JweError::UnprotectedZip),
            (r#""aad":"YQ""#, JweError::Undecryptable),
            (r#""tag":"AAAA""#, JweError::DuplicateMember { name: "tag".into() }),
            (r#""\u0069v":"AAAA""#, JweError::DuplicateMember { name: "iv".into() }),
            (r#""recipients":[{"encrypted_key":"AAAA"}]"#, JweError::TwoForms),
            (r#""unprotected":{"a":1,"\u0061":1}"#, JweError::DuplicateHeader { name: "a".into() }),
        ] {
            assert_eq!(error(more), TokenError::Encryption(refused), "{more}");
        }
    }
}

#[test]
fn names_that_stand_twice_are_refused_at_every_depth_that_counts() {
    let key = SigningKey::derive(PHRASES[1]);
    let signed = |header: &str, payload: &str| {
        let [header, payload] = [header, payload].map(|text| base64url::encode(text.as_bytes()));
        wrapped(&jws::sign_input(&key, &format!("{header}.{payload}")))
    };
    let (plain, twice) = (r#"{"alg":"HS256"}"#, r#"{"alg":"HS256","\u0061lg":"HS256"}"#);
    let exp = r#""exp":4102444800"#;
    assert!(read(&keys(true), &signed(plain, &format!("{{{exp}}}"))).is_ok());
    let name = || "alg".to_owned();
    assert_eq!(
        read(&keys(true), &signed(twice, &format!("{{{exp}}}"))),
        Err(TokenError::Signature(JwsError::DuplicateHeader { name: name() }))
    );
    for claims in [format!("{{{exp},{exp}}}"), format!(r#"{{{exp},"\u0065xp":1}}"#)] {
        let error = TokenError::Claims(ClaimError::Duplicate { claim: "exp".to_owned() });
        assert_eq!(read(&keys(true), &signed(plain, &claims)), Err(error));
    }
    let header = r#"{"alg":"A256KW","enc":"A256GCM","\u0061lg":"A256KW"}"#;
    let outer = jwe::seal_under(header, &WrappingKey::derive(PHRASES[0]), b"{}", &[7; 32], [9; 12]).unwrap();
    assert_eq!(
        read(&keys(false), &outer),
        Err(TokenError::Encryption(JweError::DuplicateHeader { name: name() }))
    );
}
