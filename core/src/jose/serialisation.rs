//! The two ways to write an encrypted token: five parts with dots between them (RFC 7516 section 7.1), or a JSON
//! object (section 7.2) in its flattened or its general form.
//!
//! Deliberately absent: several recipients. Each of them knows the content key and could seal other claims under
//! it, which the rest would take for the maker's.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::jwe_error::{JweError, Part};
use super::members::{Members, MembersError};

/// How a token is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Five parts with dots between them.
    Compact,
    /// A JSON object.
    Json,
}

/// A token taken apart; nothing is decoded yet. The parts are base64url, the unprotected headers are JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Serialised<'a> {
    pub(super) form: Form,
    pub(super) protected: Option<&'a str>,
    /// The header for all recipients, and the recipient's own.
    pub(super) unprotected: [Option<&'a str>; 2],
    pub(super) encrypted_key: &'a str,
    pub(super) iv: &'a str,
    pub(super) ciphertext: &'a str,
    pub(super) tag: &'a str,
    pub(super) aad: Option<&'a str>,
}

impl<'a> Serialised<'a> {
    /// Takes `token` apart, from which white space has been removed.
    pub(super) fn parse(token: &'a str) -> Result<Self, JweError> {
        match token.as_bytes().first() {
            None => Err(JweError::Empty),
            Some(b'{') => Self::json(token),
            Some(_) => Self::compact(token),
        }
    }

    /// What the tag authenticates besides the ciphertext (RFC 7516 section 5.1 step 14), as it was received.
    pub(super) fn additional_data(&self) -> Cow<'a, str> {
        let protected = self.protected.unwrap_or_default();
        match self.aad {
            None => Cow::Borrowed(protected),
            Some(aad) => Cow::Owned(format!("{protected}.{aad}")),
        }
    }

    fn compact(token: &'a str) -> Result<Self, JweError> {
        let mut parts = token.split('.');
        let mut part = || parts.next();
        let (Some(protected), Some(encrypted_key), Some(iv), Some(ciphertext), Some(tag), None) =
            (part(), part(), part(), part(), part(), part())
        else {
            return Err(JweError::Parts { found: token.split('.').count() });
        };
        Ok(Self {
            form: Form::Compact,
            protected: Some(protected),
            unprotected: [None, None],
            encrypted_key,
            iv,
            ciphertext,
            tag,
            aad: None,
        })
    }

    /// Members that are not known are ignored, as section 7.2.1 wants it.
    fn json(token: &'a str) -> Result<Self, JweError> {
        let token = members(token)?;
        let recipient = match token.value("recipients") {
            None => None,
            Some(_) if token.value("header").or(token.value("encrypted_key")).is_some() => {
                return Err(JweError::TwoForms);
            }
            Some(recipients) => Some(only_recipient(recipients)?),
        };
        let recipient = recipient.as_ref().unwrap_or(&token);
        let needed = |members: &Members<'a>, part| {
            text(members, part)?.ok_or(JweError::MissingMember { name: part.member() })
        };
        Ok(Self {
            form: Form::Json,
            protected: text(&token, Part::Header)?,
            unprotected: [token.value("unprotected"), recipient.value("header")],
            encrypted_key: needed(recipient, Part::EncryptedKey)?,
            iv: needed(&token, Part::InitializationVector)?,
            ciphertext: needed(&token, Part::Ciphertext)?,
            tag: needed(&token, Part::Tag)?,
            aad: text(&token, Part::AdditionalData)?,
        })
    }
}

fn only_recipient(recipients: &str) -> Result<Members<'_>, JweError> {
    let recipients: Vec<&RawValue> = serde_json::from_str(recipients)
        .map_err(|_| JweError::Member { name: "recipients", wanted: "a list of objects" })?;
    match recipients.as_slice() {
        [recipient] => members(recipient.get()),
        others => Err(JweError::Recipients { found: others.len() }),
    }
}

fn members(json: &str) -> Result<Members<'_>, JweError> {
    Members::parse(json.as_bytes()).map_err(|error| match error {
        MembersError::NotObject => JweError::NotJson,
        MembersError::Duplicate(name) => JweError::DuplicateMember { name },
    })
}

/// Base64url needs no escapes of JSON, so a text with one is refused as a second spelling, and nothing is copied.
fn text<'a>(members: &Members<'a>, part: Part) -> Result<Option<&'a str>, JweError> {
    let Some(raw) = members.value(part.member()) else { return Ok(None) };
    let text = serde_json::from_str(raw);
    text.map(Some).map_err(|_| JweError::Member { name: part.member(), wanted: "a text without escapes" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAT: &str = r#"{"protected":"cA","encrypted_key":"aw","iv":"aQ","ciphertext":"Yw","tag":"dA"}"#;

    fn refused(token: &str) -> JweError {
        Serialised::parse(token).unwrap_err()
    }

    #[test]
    fn all_forms_are_taken_apart_alike() {
        let compact = Serialised::parse("cA.aw.aQ.Yw.dA").unwrap();
        let json = Serialised { form: Form::Json, ..Serialised::parse("cA.aw.aQ.Yw.dA").unwrap() };
        assert_eq!(compact.form, Form::Compact);
        assert_eq!(compact.additional_data(), "cA");
        let general = r#"{"tag":"dA","x":[{"iv":1}],"ciphertext":"Yw","iv":"aQ","protected":"cA",
            "recipients":[{"encrypted_key":"aw","iv":"ignored"}]}"#;
        for text in [FLAT, general] {
            assert_eq!(Serialised::parse(text).as_ref(), Ok(&json), "{text}");
        }
        let whole = r#"{"unprotected":{"a":1},"iv":"aQ","ciphertext":"Yw","tag":"dA","aad":"YWFk",
            "recipients":[{"encrypted_key":"aw","header":{"b":2}}]}"#;
        let whole = Serialised::parse(whole).unwrap();
        let unprotected = [Some(r#"{"a":1}"#), Some(r#"{"b":2}"#)];
        let expected = Serialised { protected: None, unprotected, aad: Some("YWFk"), ..json };
        assert_eq!(whole, expected);
        assert_eq!(whole.additional_data(), ".YWFk");
        assert_eq!(Serialised { protected: Some("cA"), ..expected }.additional_data(), "cA.YWFk");
    }

    #[test]
    fn other_shapes_than_five_parts_are_refused() {
        for (text, error) in [
            ("", JweError::Empty),
            ("abc", JweError::Parts { found: 1 }),
            ("a.b.c", JweError::Parts { found: 3 }),
            ("a.b.c.d", JweError::Parts { found: 4 }),
            ("a.b.c.d.e.f", JweError::Parts { found: 6 }),
            (".....", JweError::Parts { found: 6 }),
            ("[1]", JweError::Parts { found: 1 }),
        ] {
            assert_eq!(refused(text), error, "{text}");
        }
    }

    #[test]
    fn objects_that_say_something_else_or_twice_are_refused() {
        let missing = |name| JweError::MissingMember { name };
        let member = |name| JweError::Member { name, wanted: "a text without escapes" };
        let list = JweError::Member { name: "recipients", wanted: "a list of objects" };
        let with = |more: &str| FLAT.replace('}', &format!(",{more}}}"));
        let general = |recipients: &str| {
            format!(
                r#"{{"recipients":{recipients},"protected":"cA","iv":"aQ","ciphertext":"Yw","tag":"dA"}}"#
            )
        };
        let one = r#"{"encrypted_key":"aw"}"#;
        for (text, error) in [
            ("{".to_owned(), JweError::NotJson),
            ("{}{}".to_owned(), JweError::NotJson),
            ("{}".to_owned(), missing("encrypted_key")),
            (FLAT.replace("encrypted_key", "key"), missing("encrypted_key")),
            (FLAT.replace("\"iv", "\"IV"), missing("iv")),
            (FLAT.replace("ciphertext", "cipher"), missing("ciphertext")),
            (FLAT.replace("tag", "Tag"), missing("tag")),
            (FLAT.replace("\"dA\"", "null"), member("tag")),
            (FLAT.replace("\"cA\"", "{\"alg\":1}"), member("protected")),
            (FLAT.replace("\"Yw\"", "\"\\u0059w\""), member("ciphertext")),
            (with(r#""aad":1"#), member("aad")),
            (with(r#""tag":"dA""#), JweError::DuplicateMember { name: "tag".to_owned() }),
            (with(r#""x":1,"\u0078":1"#), JweError::DuplicateMember { name: "x".to_owned() }),
            (with(&format!(r#""recipients":[{one}]"#)), JweError::TwoForms),
            (with(r#""recipients":null"#), JweError::TwoForms),
            (general("[]"), JweError::Recipients { found: 0 }),
            (general(&format!("[{one},{one}]")), JweError::Recipients { found: 2 }),
            (general("null"), list.clone()),
            (general(one), list),
            (general("[7]"), JweError::NotJson),
            (general("[{}]"), missing("encrypted_key")),
            (
                general(r#"[{"encrypted_key":"aw","encrypted_key":"aw"}]"#),
                JweError::DuplicateMember { name: "encrypted_key".to_owned() },
            ),
        ] {
            assert_eq!(refused(&text), error, "{text}");
        }
    }
}
