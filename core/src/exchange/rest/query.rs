//! The query of a URL as the arguments of a tool.

use serde_json::{Number, Value};

use super::{QueryError, RestError};
use crate::exchange::failure::Failure;
use crate::jsonrpc::Params;
use crate::transport::percent;

/// What a URL may say: an argument that is one value, or a setting by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    Number,
    Flag,
    Setting,
}

/// Each parameter that the query may have.
pub(super) fn known<'a>(schema: &'a Value, settings: &'a [String]) -> impl Iterator<Item = (&'a str, Kind)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let takes_settings = properties.is_some_and(|properties| properties.contains_key("settings"));
    let settings = settings.iter().filter(move |_| takes_settings).map(|name| (name.as_str(), Kind::Setting));
    let arguments = properties.into_iter().flatten().filter_map(|(name, property)| {
        let kind = match property.get("type").and_then(Value::as_str)? {
            "string" => Kind::Text,
            "integer" => Kind::Whole,
            "number" => Kind::Number,
            "boolean" => Kind::Flag,
            // No list and no object fits into a parameter.
            _ => return None,
        };
        Some((name.as_str(), kind))
    });
    arguments.chain(settings)
}

/// The arguments in a query, which is written as forms are (URL standard, section 5): `+` is a space.
pub(super) fn arguments(query: &str, schema: &Value, settings: &[String]) -> Result<Params, QueryError> {
    let (mut arguments, mut chosen) = (Params::new(), Params::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, text) = (decoded(name)?, decoded(text)?);
        let shown = || name.chars().take(64).collect::<String>();
        let Some((_, kind)) = known(schema, settings).find(|(known, _)| *known == name) else {
            return Err(QueryError::Unknown(shown()));
        };
        let value = value(kind, &text).map_err(|wanted| QueryError::Value { name: shown(), wanted })?;
        let taken = if kind == Kind::Setting { &mut chosen } else { &mut arguments };
        if taken.insert(name.clone(), value).is_some() {
            return Err(QueryError::Repeated(shown()));
        }
    }
    if !chosen.is_empty() {
        arguments.insert("settings".to_owned(), Value::Object(chosen));
    }
    Ok(arguments)
}

/// A query where none belongs.
pub(super) fn none(query: Option<&str>) -> Result<(), Failure> {
    match query.filter(|query| !query.is_empty()) {
        None => Ok(()),
        Some(query) => {
            let name = query.split(['=', '&']).next().unwrap_or_default();
            let shown = decoded(name).unwrap_or_default().chars().take(64).collect();
            Err(RestError::Query(QueryError::Unknown(shown)).into())
        }
    }
}

fn decoded(text: &str) -> Result<String, QueryError> {
    percent::decode(&text.replace('+', " ")).ok_or(QueryError::Encoding)
}

fn value(kind: Kind, text: &str) -> Result<Value, &'static str> {
    match kind {
        Kind::Text | Kind::Setting => Ok(text.into()),
        Kind::Whole => text.parse::<i64>().map(Value::from).map_err(|_| "a whole number"),
        Kind::Number => {
            let number = text.parse::<f64>().ok().and_then(Number::from_f64);
            number.map(Value::Number).ok_or("a number")
        }
        Kind::Flag => match text {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err("true or false"),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(query: &str) -> Result<Value, QueryError> {
        let schema = json!({ "type": "object", "properties": {
            "query": { "type": "string" },
            "limit": { "type": "integer" },
            "share": { "type": "number" },
            "deep": { "type": "boolean" },
            "settings": { "type": "object" },
            "parameters": { "type": "object" },
        } });
        arguments(query, &schema, &["max_threads".to_owned()]).map(Value::Object)
    }

    #[test]
    fn values_have_the_type_of_their_argument() {
        for (query, wanted) in [
            ("", json!({})),
            ("&&", json!({})),
            ("query=SELECT+1%2B1&limit=7", json!({ "query": "SELECT 1+1", "limit": 7 })),
            ("query=a=b&deep=true", json!({ "query": "a=b", "deep": true })),
            ("query", json!({ "query": "" })),
            ("%71uery=%C3%A9%26", json!({ "query": "é&" })),
            ("share=0.5&limit=-1", json!({ "share": 0.5, "limit": -1 })),
            ("max_threads=2", json!({ "settings": { "max_threads": "2" } })),
        ] {
            assert_eq!(read(query), Ok(wanted), "{query}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let value = |name: &str, wanted| QueryError::Value { name: name.to_owned(), wanted };
        for (query, wanted) in [
            ("sql=1", QueryError::Unknown("sql".into())),
            ("Query=1", QueryError::Unknown("Query".into())),
            ("settings={}", QueryError::Unknown("settings".into())),
            ("parameters={}", QueryError::Unknown("parameters".into())),
            ("readonly=0", QueryError::Unknown("readonly".into())),
            ("=1", QueryError::Unknown(String::new())),
            ("query=1&query=2", QueryError::Repeated("query".into())),
            ("query=1&%71uery=2", QueryError::Repeated("query".into())),
            ("max_threads=1&max_threads=1", QueryError::Repeated("max_threads".into())),
            ("limit=", value("limit", "a whole number")),
            ("limit=1.5", value("limit", "a whole number")),
            ("limit=99999999999999999999", value("limit", "a whole number")),
            ("share=NaN", value("share", "a number")),
            ("deep=1", value("deep", "true or false")),
            ("query=%", QueryError::Encoding),
            ("query=100%", QueryError::Encoding),
            ("query=%FF", QueryError::Encoding),
        ] {
            assert_eq!(read(query), Err(wanted), "{query}");
        }
    }

    #[test]
    fn settings_belong_to_tools_that_take_them() {
        let schema = json!({ "properties": { "query": { "type": "string" } } });
        let refused = arguments("max_threads=2", &schema, &["max_threads".to_owned()]);
        assert_eq!(refused, Err(QueryError::Unknown("max_threads".into())));
    }
}
