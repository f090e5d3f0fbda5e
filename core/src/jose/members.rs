//! The members of a JSON object, each name once, each value still as it was written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Names and raw values, sorted by name; both borrow as far as they can, so that secrets are not copied about.
#[derive(Default)]
pub(crate) struct Members<'a>(BTreeMap<String, &'a RawValue>);

/// Why a text is not a usable JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MembersError {
    /// It is not UTF-8, not JSON, or not an object.
    NotObject,
    /// The name, cut to a bounded length, occurs more than once.
    Duplicate(String),
}

impl<'a> Members<'a> {
    /// Parses one object. Header and claim names must be unique (RFC 7515 section 4, RFC 7519 section 4); of the two
    /// courses that these leave open, refusing is the one under which all readers of a token agree.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, MembersError> {
        let text = str::from_utf8(bytes).map_err(|_| MembersError::NotObject)?;
        let unchecked: Unchecked<'a> = serde_json::from_str(text).map_err(|_| MembersError::NotObject)?;
        match unchecked.repeated {
            Some(name) => Err(MembersError::Duplicate(excerpt(&name))),
            None => Ok(Self(unchecked.members)),
        }
    }

    /// The raw value of one member.
    pub(crate) fn value(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|raw| raw.get())
    }

    /// All members in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, raw)| (name.as_str(), raw.get()))
    }
}

/// At most the first 64 characters of a text that a stranger chose, for use in an error.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

struct Unchecked<'a> {
    members: BTreeMap<String, &'a RawValue>,
    repeated: Option<String>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Unchecked<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UncheckedVisitor)
    }
}

struct UncheckedVisitor;

impl<'de> Visitor<'de> for UncheckedVisitor {
    type Value = Unchecked<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut read = Unchecked { members: BTreeMap::new(), repeated: None };
        while let Some((name, raw)) = map.next_entry::<String, &'de RawValue>()? {
            match read.members.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(raw);
                }
                Entry::Occupied(place) => {
                    read.repeated.get_or_insert_with(|| place.key().clone());
                }
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_object_with_unique_names_is_accepted() {
        let members = Members::parse(b" {\"b\" : [1, 2] ,\"a\":\"x\"} ").ok().unwrap();
        assert_eq!(members.iter().collect::<Vec<_>>(), [("a", "\"x\""), ("b", "[1, 2]")]);
        assert_eq!(members.value("b"), Some("[1, 2]"));
        assert_eq!(members.value("c"), None);
        let refused = [
            ("", MembersError::NotObject),
            ("[]", MembersError::NotObject),
            ("\"a\"", MembersError::NotObject),
            ("null", MembersError::NotObject),
            ("{\"a\":1", MembersError::NotObject),
            ("{\"a\":1,}", MembersError::NotObject),
            ("{\"a\":1}{}", MembersError::NotObject),
            ("\u{feff}{}", MembersError::NotObject),
            ("{\"a\":1,\"a\":1}", MembersError::Duplicate("a".to_owned())),
            ("{\"a\":1,\"\\u0061\":1}", MembersError::Duplicate("a".to_owned())),
        ];
        for (text, error) in refused {
            assert_eq!(Members::parse(text.as_bytes()).err(), Some(error), "{text}");
        }
        assert_eq!(Members::parse(b"{\"\xff\":1}").err(), Some(MembersError::NotObject));
    }
}
