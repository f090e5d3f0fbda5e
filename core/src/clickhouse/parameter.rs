//! Query parameters: what `{name:Type}` in a statement stands for (ClickHouse documentation, "Queries with parameters").
//!
//! The server reads a value in the text form of the declared type, so a value can never become a part of the
//! statement, whatever it holds.

use serde_json::Value;
use thiserror::Error;

use crate::sql::quote_literal;

/// A parameter of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    name: String,
    text: String,
}

/// Why a parameter cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParameterError {
    /// The name could not stand in `{name:Type}`.
    #[error("{name:?} is not the name of a parameter: use letters, digits and `_`, and no digit first")]
    Name {
        /// The beginning of the name.
        name: String,
    },
    /// Deeper than any type that is worth a parameter.
    #[error("the value of the parameter `{name}` is nested more than {DEEPEST} deep")]
    TooDeep {
        /// The name.
        name: String,
    },
}

/// Arrays and objects within each other.
const DEEPEST: usize = 16;
/// Bytes that a name may have.
const LONGEST_NAME: usize = 128;

impl Parameter {
    /// A parameter with text for its value, also where the type is not a string: `12`, `2026-01-31`.
    ///
    /// # Errors
    ///
    /// [`ParameterError::Name`].
    pub fn text(name: &str, value: &str) -> Result<Self, ParameterError> {
        Ok(Self { name: checked(name)?, text: tab_separated(value) })
    }

    /// A parameter with a JSON value: null, a boolean, a number, a string, an array (`Array`, `Tuple`) or an object
    /// (`Map`).
    ///
    /// # Errors
    ///
    /// A [`ParameterError`].
    pub fn json(name: &str, value: &Value) -> Result<Self, ParameterError> {
        let name = checked(name)?;
        let text = match value {
            Value::Null => "\\N".to_owned(),
            Value::String(text) => tab_separated(text),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                let mut text = String::new();
                if !write_nested(value, DEEPEST, &mut text) {
                    return Err(ParameterError::TooDeep { name });
                }
                text
            }
        };
        Ok(Self { name, text })
    }

    /// A parameter that somebody else has written out, such as a component.
    ///
    /// # Errors
    ///
    /// [`ParameterError::Name`].
    pub fn written(name: &str, text: String) -> Result<Self, ParameterError> {
        Ok(Self { name: checked(name)?, text })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value as a line of tab-separated values has it, which is how every server reads a parameter (measured on
    /// 26.9 over both protocols: a line feed that is not escaped is refused).
    pub fn as_written(&self) -> &str {
        &self.text
    }
}

fn checked(name: &str) -> Result<String, ParameterError> {
    let fits = name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits {
        Ok(name.to_owned())
    } else {
        Err(ParameterError::Name { name: name.chars().take(64).collect() })
    }
}

/// A value inside of an array or a map. `false` when it is too deep.
fn write_nested(value: &Value, depth: usize, text: &mut String) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match value {
        Value::Null => text.push_str("NULL"),
        Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
        Value::String(inner) => text.push_str(&quote_literal(inner)),
        Value::Array(elements) => {
            text.push('[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                if !write_nested(element, depth, text) {
                    return false;
                }
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (at, (key, member)) in members.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&quote_literal(key));
                text.push(':');
                if !write_nested(member, depth, text) {
                    return false;
                }
            }
            text.push('}');
        }
    }
    true
}

/// Text as a line of tab-separated values has it.
pub(crate) fn tab_separated(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\0' => escaped.push_str("\\0"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_the_server_reads_them() {
        for (value, wanted) in [
            (json!(null), "\\N"),
            (json!(true), "true"),
            (json!(-12), "-12"),
            (json!(18_446_744_073_709_551_615_u64), "18446744073709551615"),
            (json!("it's a\ttab\\"), "it's a\\ttab\\\\"),
            (json!("\\N"), "\\\\N"),
            (json!(["a'b", "c\n", null]), r"['a\'b','c\n',NULL]"),
            (json!([[1, 2], []]), "[[1,2],[]]"),
            (json!({ "k'": [true] }), r"{'k\'':[true]}"),
        ] {
            assert_eq!(Parameter::json("p", &value).unwrap().as_written(), wanted, "{value}");
        }
        let deep = (0..DEEPEST).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(Parameter::json("p", &deep), Err(ParameterError::TooDeep { name: "p".into() }));
    }

    #[test]
    fn names_are_those_that_a_placeholder_can_have() {
        for name in ["", "1a", "a-b", "a b", "é", "a:String}", &"x".repeat(129)] {
            assert!(Parameter::text(name, "").is_err(), "{name:?}");
        }
        for name in ["a", "_1", "Since_2"] {
            assert_eq!(Parameter::text(name, "x").unwrap().name(), name);
        }
    }
}
