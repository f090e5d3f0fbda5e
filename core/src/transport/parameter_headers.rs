//! Arguments that are headers, too: `x-mcp-header` in a tool's schema and `Mcp-Param-*` (MCP 2026-07-28, transports, custom
//! headers from tool parameters). An intermediary may have routed on such a header, so it must say what the body says.

use base64ct::{Base64, Encoding};
use http::HeaderMap;
use serde_json::{Map, Value};

/// How deep a schema is looked into. Each level is one of the operator's own making.
const MOST_LEVELS: usize = 16;

/// Why a header and its argument disagree: `-32020`. The name is the annotation's, which the server has written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The argument is there, and the header is not.
    #[error("the header Mcp-Param-{0} is missing")]
    Missing(String),
    /// The header is there, and the argument is not.
    #[error("the header Mcp-Param-{0} has no argument in the body")]
    Unwanted(String),
    /// The header stands there twice.
    #[error("the header Mcp-Param-{0} must stand there once")]
    Repeated(String),
    /// The header cannot be read.
    #[error("the header Mcp-Param-{0} cannot be decoded")]
    Undecodable(String),
    /// The header says something else.
    #[error("the header Mcp-Param-{0} does not match the body")]
    Different(String),
}

/// Compares the headers of a call with its arguments. Headers that no annotation names are passed over.
pub fn check_parameters(
    headers: &HeaderMap,
    schema: &Value,
    arguments: Option<&Map<String, Value>>,
) -> Result<(), ParameterError> {
    check_level(headers, schema, arguments, MOST_LEVELS)
}

fn check_level(
    headers: &HeaderMap,
    schema: &Value,
    arguments: Option<&Map<String, Value>>,
    levels: usize,
) -> Result<(), ParameterError> {
    let Some(Value::Object(properties)) = schema.get("properties") else { return Ok(()) };
    for (name, property) in properties {
        let argument = arguments.and_then(|arguments| arguments.get(name)).filter(|value| !value.is_null());
        if let Some(annotation) = property.get("x-mcp-header").and_then(Value::as_str) {
            check_one(headers, annotation, argument)?;
        }
        if levels > 0 {
            check_level(headers, property, argument.and_then(Value::as_object), levels - 1)?;
        }
    }
    Ok(())
}

fn check_one(headers: &HeaderMap, annotation: &str, argument: Option<&Value>) -> Result<(), ParameterError> {
    let name = || annotation.to_owned();
    let mut values = headers.get_all(format!("mcp-param-{annotation}").to_ascii_lowercase()).iter();
    let (value, argument) = match (values.next(), argument) {
        (None, None) => return Ok(()),
        (None, Some(_)) => return Err(ParameterError::Missing(name())),
        (Some(_), None) => return Err(ParameterError::Unwanted(name())),
        (Some(value), Some(argument)) => (value, argument),
    };
    if values.next().is_some() {
        return Err(ParameterError::Repeated(name()));
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| ParameterError::Undecodable(name()))?;
    let text = decoded(text.trim_matches([' ', '\t'])).ok_or_else(|| ParameterError::Undecodable(name()))?;
    let matches = match argument {
        Value::String(argument) => *argument == text,
        Value::Bool(argument) => text == if *argument { "true" } else { "false" },
        Value::Number(number) => is_number(&text, number),
        // Nothing else can be annotated.
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    if matches { Ok(()) } else { Err(ParameterError::Different(name())) }
}

/// What a header stands for: base64 between its markers, strictly, or itself.
fn decoded(text: &str) -> Option<String> {
    match text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(base64) => String::from_utf8(Base64::decode_vec(base64).ok()?).ok(),
        None => Some(text.to_owned()),
    }
}

/// Numbers are compared as numbers: `42` is `42.0`.
fn is_number(text: &str, number: &serde_json::Number) -> bool {
    let Ok(Value::Number(said)) = serde_json::from_str(text) else { return false };
    match (said.as_i64(), number.as_i64()) {
        (Some(said), Some(number)) => said == number,
        _ => said.as_f64().is_some_and(|said| number.as_f64().is_some_and(|number| (said - number) == 0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn headers_must_say_what_the_arguments_say() {
        let schema = json!({ "type": "object", "properties": {
            "region": { "type": "string", "x-mcp-header": "Region" },
            "size": { "type": "integer", "x-mcp-header": "Size" },
            "dry": { "type": "boolean", "x-mcp-header": "Dry" },
            "in": { "type": "object", "properties": { "zone": { "type": "string", "x-mcp-header": "Zone" } } },
        } });
        let check = |entries: &[(&str, &str)], arguments: Value| {
            let mut headers = HeaderMap::new();
            for (name, value) in entries {
                let name: http::HeaderName = name.parse().unwrap();
                headers.append(name, value.parse().unwrap());
            }
            check_parameters(&headers, &schema, arguments.as_object())
        };
        let region = json!({ "region": "Größe" });
        let named = |error: fn(String) -> ParameterError, name: &str| Err(error(name.to_owned()));
        for (entries, arguments, wanted) in [
            (vec![], json!({}), Ok(())),
            (vec![], json!({ "region": null }), Ok(())),
            (vec![("mcp-param-other", "x")], json!({ "more": 1 }), Ok(())),
            (vec![("MCP-PARAM-REGION", " a ")], json!({ "region": "a" }), Ok(())),
            (vec![("mcp-param-region", "=?base64?R3LDtsOfZQ==?=")], region.clone(), Ok(())),
            (vec![("mcp-param-region", "=?base64?eA==")], json!({ "region": "=?base64?eA==" }), Ok(())),
            (vec![("mcp-param-size", "42.0")], json!({ "size": 42 }), Ok(())),
            (vec![("mcp-param-dry", "true")], json!({ "dry": true }), Ok(())),
            (vec![("mcp-param-zone", "z")], json!({ "in": { "zone": "z" } }), Ok(())),
            (vec![], region.clone(), named(ParameterError::Missing, "Region")),
            (vec![], json!({ "in": { "zone": "z" } }), named(ParameterError::Missing, "Zone")),
            (vec![("mcp-param-region", "a")], json!({}), named(ParameterError::Unwanted, "Region")),
            (
                vec![("mcp-param-region", "a")],
                json!({ "region": "A" }),
                named(ParameterError::Different, "Region"),
            ),
            (
                vec![("mcp-param-region", "=?base64?R3LDtsOfZQ?=")],
                region.clone(),
                named(ParameterError::Undecodable, "Region"),
            ),
            (
                vec![("mcp-param-region", "=?base64?R3LDtsOfZQ__?=")],
                region.clone(),
                named(ParameterError::Undecodable, "Region"),
            ),
            (
                vec![("mcp-param-region", "a"), ("mcp-param-region", "a")],
                json!({ "region": "a" }),
                named(ParameterError::Repeated, "Region"),
            ),
            (
                vec![("mcp-param-dry", "True")],
                json!({ "dry": true }),
                named(ParameterError::Different, "Dry"),
            ),
            (vec![("mcp-param-size", "43")], json!({ "size": 42 }), named(ParameterError::Different, "Size")),
        ] {
            assert_eq!(check(&entries, arguments.clone()), wanted, "{entries:?} {arguments}");
        }
    }
}
