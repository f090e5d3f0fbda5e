//! Tests of [`super`], apart because of their length.

use serde_json::{Value, json};

use super::super::fuzzing::FixedBytes;
use super::*;

const MAX: usize = 1000;

fn keys(secrets: &[&str], purpose: &str) -> SealingKeys {
    let secrets: Vec<_> = secrets.iter().map(|secret| Secret::from(*secret)).collect();
    SealingKeys::new(&secrets, purpose).unwrap()
}

fn sealed(keys: &SealingKeys) -> String {
    keys.seal(&mut FixedBytes(7), b"plain").unwrap()
}

fn opened(keys: &SealingKeys, text: &str) -> Result<Vec<u8>, OpenError> {
    keys.open(text, MAX).map(|plain| plain.expose().clone())
}

#[test]
fn what_is_sealed_opens() {
    let keys = keys(&["secret"], "code");
    let text = sealed(&keys);
    let header = base64url::encode(br#"{"alg":"dir","enc":"A256GCM","kid":"v1","typ":"code"}"#);
    assert!(text.starts_with(&format!("{header}..BwcHBwcHBwcHBwcH.")), "{text}");
    assert_eq!(opened(&keys, &text), Ok(b"plain".to_vec()));
    assert_eq!(opened(&keys, &keys.seal(&mut FixedBytes(7), b"").unwrap()), Ok(Vec::new()));
    assert_ne!(text, keys.seal(&mut FixedBytes(8), b"plain").unwrap());
}

#[test]
fn the_form_is_that_of_rfc_7516() {
    // Opened by hand, with the key that RFC 5869 gives.
    let text = sealed(&keys(&["secret"], "code"));
    let parts: Vec<&str> = text.split('.').collect();
    let key = derive::derive(b"secret", "housekey seal v1 code").unwrap();
    let part = |index: usize| base64url::decode(parts[index]).unwrap().to_vec();
    let plain = a256gcm::decrypt(
        key.expose(),
        part(2).try_into().unwrap(),
        parts[0].as_bytes(),
        &part(3),
        part(4).try_into().unwrap(),
    );
    assert_eq!((parts.len(), parts[1]), (5, ""));
    assert_eq!(plain.unwrap().expose(), b"plain");
}

#[test]
fn secrets_are_replaced_without_a_gap() {
    let (old, new) = (keys(&["old"], "code"), keys(&["new"], "code"));
    let both = keys(&["new", "old"], "code");
    assert_eq!(opened(&both, &sealed(&old)), Ok(b"plain".to_vec()));
    assert_eq!(opened(&both, &sealed(&new)), Ok(b"plain".to_vec()));
    assert_eq!(opened(&new, &sealed(&both)), Ok(b"plain".to_vec()));
    assert_eq!(opened(&old, &sealed(&both)), Err(OpenError::WrongKey));
}

#[test]
fn purposes_are_apart() {
    let (code, state) = (keys(&["secret"], "code"), keys(&["secret"], "state"));
    assert_eq!(opened(&state, &sealed(&code)), Err(OpenError::Malformed));
    // The other's header does not help: the key is another, and so is what was authenticated.
    let (header, rest) = sealed(&code).split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let relabelled = format!("{}.{rest}", state.header);
    assert_ne!(header, state.header);
    assert_eq!(opened(&state, &relabelled), Err(OpenError::WrongKey));
    assert_eq!(opened(&code, &relabelled), Err(OpenError::Malformed));
}

#[test]
fn no_changed_text_opens() {
    let keys = keys(&["secret"], "code");
    let text = sealed(&keys);
    for place in 0..text.len() {
        for bit in 0..7 {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            assert!(opened(&keys, str::from_utf8(&bytes).unwrap()).is_err(), "{bit} at {place}");
        }
        assert!(opened(&keys, &text[..place]).is_err(), "{place}");
    }
    let parts: Vec<&str> = text.split('.').collect();
    let with = |index: usize, part: &str| {
        let mut changed = parts.clone();
        changed[index] = part;
        changed.join(".")
    };
    let header = |json: &str| base64url::encode(json.as_bytes());
    for changed in [
        String::new(),
        format!("{text}."),
        format!("{text}="),
        format!("{text}\n"),
        format!(" {text}"),
        with(0, ""),
        with(1, "AAAA"),
        with(2, ""),
        with(2, &parts[2][..12]),
        with(4, ""),
        with(4, &parts[4][..20]),
        with(0, &header(r#"{"enc":"A256GCM","alg":"dir","kid":"v1","typ":"code"}"#)),
        with(0, &header(r#"{"alg":"dir","enc":"A256GCM","kid":"v2","typ":"code"}"#)),
        with(0, &header(r#"{"alg":"none","enc":"A256GCM","kid":"v1","typ":"code"}"#)),
    ] {
        assert_eq!(opened(&keys, &changed), Err(OpenError::Malformed), "{changed}");
    }
    assert_eq!(opened(&keys, &with(3, "")), Err(OpenError::WrongKey));
    assert_eq!(opened(&keys, &with(4, "AAAAAAAAAAAAAAAAAAAAAA")), Err(OpenError::WrongKey));
    assert!(keys.open(&text, text.len()).is_ok());
    assert_eq!(keys.open(&text, text.len() - 1).err(), Some(OpenError::Malformed));
}

#[test]
fn values_come_back_as_they_were() {
    let keys = keys(&["secret"], "code");
    let value = json!({"a": [1, "x"], "b": null});
    let text = keys.seal_json(&mut FixedBytes(1), &value).unwrap();
    assert_eq!(keys.open_json::<Value>(&text, MAX), Ok(value));
    assert_eq!(keys.open_json::<Vec<u8>>(&text, MAX), Err(OpenError::Malformed));
    assert_eq!(keys.open_json::<Value>(&sealed(&keys), MAX), Err(OpenError::Malformed));
    let unwritable: std::collections::BTreeMap<Vec<u8>, u8> = [(vec![1], 1)].into();
    assert_eq!(keys.seal_json(&mut FixedBytes(1), &unwritable), Err(Unsealable));
}

#[test]
fn secrets_and_labels_are_checked() {
    let new = |secrets: &[&str], purpose| {
        let secrets: Vec<_> = secrets.iter().map(|secret| Secret::from(*secret)).collect();
        SealingKeys::new(&secrets, purpose).err()
    };
    assert_eq!(new(&["a"], "code.v2+x-1"), None);
    assert_eq!(new(&[], "code"), Some(SealingKeyError::NoSecret));
    assert_eq!(new(&["a", ""], "code"), Some(SealingKeyError::Empty { position: 2 }));
    for purpose in ["", "Code", "a b", "a\"", "\u{e9}", "a\n"] {
        assert_eq!(new(&["a"], purpose), Some(SealingKeyError::Purpose), "{purpose:?}");
    }
    assert!(!format!("{:?}", keys(&["hunter2"], "code")).contains("hunter2"));
}
