//! What a type takes as an argument: its JSON Schema, and how a JSON value becomes the text that ClickHouse reads.
//!
//! What the server would bend without a word, such as 300 for a `UInt8` (measured on 26.9), is refused here.

use serde_json::{Value, json};

use crate::clickhouse::{quoted_length, split_arguments, tab_separated, unquote};
use crate::sql::{TypeText, quote_literal};

/// How deep types may nest.
const DEEPEST: usize = 16;
/// Values of an enumeration that a schema lists; of one with more, the server decides.
const MOST_CHOICES: usize = 200;

/// What a type takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Integer {
        signed: bool,
        bits: u32,
    },
    Float,
    Decimal,
    Text,
    Date,
    DateTime {
        fraction: bool,
    },
    Uuid,
    Choice(Vec<String>),
    Array(Box<Kind>),
    Map(Box<Kind>, Box<Kind>),
    Nullable(Box<Kind>),
    /// Tuples and what is made of them, in ClickHouse's own notation.
    Written,
    /// Any JSON.
    Json,
}

impl Kind {
    /// The kind of a type; `None` where no value can be given for it.
    pub(super) fn of(type_text: &TypeText) -> Option<Self> {
        parse(type_text.as_str(), DEEPEST)
    }

    /// Whether null is a value of it.
    pub(super) fn is_nullable(&self) -> bool {
        matches!(self, Self::Nullable(_))
    }

    /// Its JSON Schema. Models and clients choke on unions, so it has one type, and null is left out.
    pub(super) fn schema(&self) -> Value {
        match self {
            Self::Bool => json!({ "type": "boolean" }),
            Self::Integer { signed, bits } => match (signed, bits) {
                (_, 33..) => json!({ "type": "string" }),
                (true, bits) => {
                    let half = 1_i64 << (bits - 1);
                    json!({ "type": "integer", "minimum": -half, "maximum": half - 1 })
                }
                (false, bits) => json!({ "type": "integer", "minimum": 0, "maximum": (1_i64 << bits) - 1 }),
            },
            Self::Float => json!({ "type": "number" }),
            Self::Decimal | Self::Text | Self::Written | Self::Json => json!({ "type": "string" }),
            Self::Date => json!({ "type": "string", "format": "date" }),
            Self::DateTime { .. } => json!({ "type": "string", "format": "date-time" }),
            Self::Uuid => json!({ "type": "string", "format": "uuid" }),
            Self::Choice(choices) => json!({ "type": "string", "enum": choices }),
            Self::Array(element) => json!({ "type": "array", "items": element.schema() }),
            Self::Map(..) => json!({ "type": "object", "properties": {}, "additionalProperties": true }),
            Self::Nullable(inner) => inner.schema(),
        }
    }

    /// What its schema cannot say, for the description.
    pub(super) fn note(&self) -> Option<&'static str> {
        match self {
            Self::Integer { bits: 33.., .. } => Some("a whole number, as text so that no digit is lost"),
            Self::Decimal => Some("a decimal number, as text so that no digit is lost"),
            Self::Written => Some("in ClickHouse's notation, such as (1,'a')"),
            Self::Json => Some("JSON, as text"),
            Self::Nullable(inner) => inner.note(),
            Self::Bool
            | Self::Integer { .. }
            | Self::Float
            | Self::Text
            | Self::Date
            | Self::DateTime { .. }
            | Self::Uuid
            | Self::Choice(_)
            | Self::Array(_)
            | Self::Map(..) => None,
        }
    }

    /// A JSON value as the text of a query parameter. The error continues the sentence "`name` …".
    pub(super) fn written(&self, value: &Value) -> Result<String, String> {
        match (self, value) {
            (Self::Nullable(_), Value::Null) => Ok("\\N".to_owned()),
            (Self::Nullable(inner), _) => inner.written(value),
            _ => self.write(value, Place::Whole),
        }
    }

    fn write(&self, value: &Value, place: Place) -> Result<String, String> {
        match self {
            Self::Nullable(_) if value.is_null() => Ok("NULL".to_owned()),
            Self::Nullable(inner) => inner.write(value, place),
            Self::Bool => boolean(value).map(str::to_owned).ok_or_else(|| "must be true or false".to_owned()),
            Self::Integer { signed, bits } => integer(value, *signed, *bits),
            Self::Float => float(value).ok_or_else(|| "must be a number".to_owned()),
            Self::Decimal => {
                decimal(value).ok_or_else(|| "must be a decimal number such as \"12.50\"".to_owned())
            }
            Self::Text | Self::Uuid => Ok(place.quoted(&scalar(value)?)),
            Self::Date => {
                let text = scalar(value)?;
                Ok(place.quoted(text.split(['T', ' ']).next().unwrap_or_default()))
            }
            Self::DateTime { fraction } => Ok(place.quoted(&moment(&scalar(value)?, *fraction))),
            Self::Choice(choices) => {
                let text = scalar(value)?;
                if choices.contains(&text) {
                    return Ok(place.quoted(&text));
                }
                let some: Vec<&str> = choices.iter().take(20).map(String::as_str).collect();
                let more = if choices.len() > some.len() { " and others" } else { "" };
                Err(format!("must be one of {}{more}", json!(some)))
            }
            Self::Array(element) => {
                let Value::Array(elements) = value else { return Err("must be an array".to_owned()) };
                let elements: Result<Vec<String>, String> = elements
                    .iter()
                    .map(|value| {
                        element
                            .write(value, Place::Within)
                            .map_err(|problem| format!("has an element that {problem}"))
                    })
                    .collect();
                Ok(format!("[{}]", elements?.join(",")))
            }
            Self::Map(key, element) => {
                let Value::Object(members) = value else { return Err("must be an object".to_owned()) };
                let members: Result<Vec<String>, String> = members
                    .iter()
                    .map(|(name, value)| {
                        let name = key
                            .write(&Value::String(name.clone()), Place::Within)
                            .map_err(|problem| format!("has a key that {problem}"))?;
                        let value = element
                            .write(value, Place::Within)
                            .map_err(|problem| format!("has a value that {problem}"))?;
                        Ok(format!("{name}:{value}"))
                    })
                    .collect();
                Ok(format!("{{{}}}", members?.join(",")))
            }
            Self::Written => match value {
                Value::String(text) if !text.chars().any(char::is_control) => Ok(text.clone()),
                Value::String(_) => Err("must not have line breaks or other control characters".to_owned()),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    Err("must be a string in ClickHouse's notation, such as \"(1,'a')\"".to_owned())
                }
            },
            Self::Json => Ok(place.quoted(&match value {
                Value::String(text) => text.clone(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            })),
        }
    }
}

/// Whether a value is the whole parameter, or an element of one.
#[derive(Clone, Copy)]
enum Place {
    Whole,
    Within,
}

impl Place {
    fn quoted(self, text: &str) -> String {
        match self {
            Self::Whole => tab_separated(text),
            Self::Within => quote_literal(text),
        }
    }
}

fn parse(text: &str, depth: usize) -> Option<Kind> {
    let depth = depth.checked_sub(1)?;
    let text = text.trim();
    let (name, arguments) = match text.split_once('(') {
        Some((name, rest)) => (name.trim_end(), split_arguments(rest.strip_suffix(')')?)),
        None => (text, Vec::new()),
    };
    let inner = |at: usize| arguments.get(at).and_then(|text| parse(text, depth)).map(Box::new);
    let integer = |signed, bits| Some(Kind::Integer { signed, bits });
    Some(match name.to_ascii_lowercase().as_str() {
        "bool" | "boolean" => Kind::Bool,
        "int8" | "tinyint" => return integer(true, 8),
        "int16" | "smallint" => return integer(true, 16),
        "int32" | "int" | "integer" => return integer(true, 32),
        "int64" | "bigint" => return integer(true, 64),
        "int128" => return integer(true, 128),
        "int256" => return integer(true, 256),
        "uint8" => return integer(false, 8),
        "uint16" => return integer(false, 16),
        "uint32" => return integer(false, 32),
        "uint64" => return integer(false, 64),
        "uint128" => return integer(false, 128),
        "uint256" => return integer(false, 256),
        name if name.starts_with("interval") => return integer(true, 64),
        "float32" | "float64" | "bfloat16" | "float" | "double" | "real" => Kind::Float,
        "dec" | "numeric" => Kind::Decimal,
        name if name.starts_with("decimal") => Kind::Decimal,
        "date" | "date32" => Kind::Date,
        "datetime" | "datetime32" | "timestamp" => Kind::DateTime { fraction: false },
        "datetime64" => Kind::DateTime { fraction: true },
        "uuid" => Kind::Uuid,
        "enum" | "enum8" | "enum16" => choices(&arguments),
        "nullable" => Kind::Nullable(inner(0)?),
        "lowcardinality" => return arguments.first().and_then(|text| parse(text, depth)),
        "simpleaggregatefunction" => return arguments.last().and_then(|text| parse(text, depth)),
        "array" => Kind::Array(inner(0)?),
        "map" => Kind::Map(inner(0)?, inner(1)?),
        "tuple" | "nested" | "variant" | "point" | "ring" | "polygon" | "multipolygon" | "linestring"
        | "multilinestring" | "multipoint" | "geometry" | "qbit" => Kind::Written,
        "json" | "object" | "dynamic" => Kind::Json,
        // A table's name is no value, and the state of an aggregate function has no text.
        "identifier" | "aggregatefunction" | "nothing" => return None,
        _ => Kind::Text,
    })
}

fn choices(arguments: &[&str]) -> Kind {
    // `'name' = 1`, of which the number is optional.
    let choices: Vec<String> = arguments
        .iter()
        .map(|text| text.trim())
        .filter(|text| text.starts_with('\''))
        .filter_map(|text| text.get(..quoted_length(text)))
        .map(unquote)
        .collect();
    match choices.len() {
        1..=MOST_CHOICES if choices.len() == arguments.len() => Kind::Choice(choices),
        _ => Kind::Text,
    }
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err("must not be null".to_owned()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err("must be a string".to_owned()),
    }
}

fn boolean(value: &Value) -> Option<&'static str> {
    match value {
        Value::Bool(true) => Some("true"),
        Value::Bool(false) => Some("false"),
        Value::Number(number) if number.as_u64() == Some(1) => Some("true"),
        Value::Number(number) if number.as_u64() == Some(0) => Some("false"),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some("true"),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some("false"),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A whole number that fits, as digits.
fn integer(value: &Value, signed: bool, bits: u32) -> Result<String, String> {
    let text = match value {
        Value::Number(number) if number.is_f64() => whole(number.as_f64()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let refused = || match bits {
        ..=32 => "must be a whole number".to_owned(),
        _ => "must be a whole number, or the text of one".to_owned(),
    };
    let text = text.ok_or_else(refused)?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    let digits = Some(digits.trim_start_matches('0')).filter(|digits| !digits.is_empty()).unwrap_or("0");
    let negative = negative && digits != "0";
    let largest = largest(signed, negative, bits);
    if digits.len() > largest.len() || (digits.len() == largest.len() && digits > largest.as_str()) {
        let kind = if signed { "Int" } else { "UInt" };
        return Err(format!("is a number that does not fit into {kind}{bits}"));
    }
    Ok(if negative { format!("-{digits}") } else { digits.to_owned() })
}

/// The digits of the largest number, or of the smallest without its sign.
fn largest(signed: bool, negative: bool, bits: u32) -> String {
    match (signed, negative, bits) {
        (false, true, _) => "0".to_owned(),
        (true, false, 256) => {
            "57896044618658097711785492504343953926634992332820282019728792003956564819967".to_owned()
        }
        (true, true, 256) => {
            "57896044618658097711785492504343953926634992332820282019728792003956564819968".to_owned()
        }
        (false, false, 256) => {
            "115792089237316195423570985008687907853269984665640564039457584007913129639935".to_owned()
        }
        (false, false, bits) => (u128::MAX >> 128_u32.saturating_sub(bits)).to_string(),
        (true, false, bits) => (u128::MAX >> 129_u32.saturating_sub(bits)).to_string(),
        (true, true, bits) => ((u128::MAX >> 129_u32.saturating_sub(bits)) + 1).to_string(),
    }
}

/// Some clients know no integers: `10.0` is one, as far as a double can tell.
fn whole(number: Option<f64>) -> Option<String> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = number.filter(|number| number.fract() == 0.0 && number.abs() <= EXACT)?;
    Some(format!("{number:.0}"))
}

fn float(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => {
            let text = text.trim();
            let special = ["nan", "inf", "-inf"].into_iter().find(|name| text.eq_ignore_ascii_case(name));
            special.map(str::to_owned).or_else(|| is_decimal(text).then(|| text.to_owned()))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn decimal(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.trim()).filter(|text| is_decimal(text)).map(str::to_owned),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Digits, a sign and a point before them, an exponent after them.
fn is_decimal(text: &str) -> bool {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    let unsigned = |text: &str| text.strip_prefix(['-', '+']).unwrap_or(text).to_owned();
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let number = unsigned(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let exponent = exponent.map(unsigned);
    (!whole.is_empty() || !fraction.is_empty())
        && are_digits(whole)
        && are_digits(fraction)
        && exponent.is_none_or(|digits| !digits.is_empty() && digits.len() < 5 && are_digits(&digits))
}

/// A date and a time. With an offset from UTC it becomes seconds since 1970, which the server reads in any time zone; one
/// without is in the zone of the type, or else of the server.
fn moment(text: &str, fraction: bool) -> String {
    let text = text.trim();
    if let Ok(moment) = text.parse::<jiff::Timestamp>()
        && moment.as_second() >= 0
    {
        let mut seconds = format!("{:010}", moment.as_second());
        if fraction && moment.subsec_nanosecond() != 0 {
            let digits = format!("{:09}", moment.subsec_nanosecond());
            seconds.push('.');
            seconds.push_str(digits.trim_end_matches('0'));
        }
        return seconds;
    }
    text.replacen('T', " ", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        Kind::of(&TypeText::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn types_have_flat_schemas() {
        for (text, schema) in [
            ("Int8", json!({ "type": "integer", "minimum": -128, "maximum": 127 })),
            ("UInt32", json!({ "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32 })),
            ("Int64", json!({ "type": "string" })),
            ("UInt256", json!({ "type": "string" })),
            ("Float64", json!({ "type": "number" })),
            ("Decimal(10, 2)", json!({ "type": "string" })),
            ("Bool", json!({ "type": "boolean" })),
            ("String", json!({ "type": "string" })),
            ("FixedString(3)", json!({ "type": "string" })),
            ("Date32", json!({ "type": "string", "format": "date" })),
            ("DateTime64(3, 'UTC')", json!({ "type": "string", "format": "date-time" })),
            ("UUID", json!({ "type": "string", "format": "uuid" })),
            ("Enum8('a' = 1, 'it\\'s' = 2)", json!({ "type": "string", "enum": ["a", "it's"] })),
            ("Nullable(Int8)", json!({ "type": "integer", "minimum": -128, "maximum": 127 })),
            ("LowCardinality(Nullable(String))", json!({ "type": "string" })),
            (
                "Array(Array(Float32))",
                json!({ "type": "array", "items": { "type": "array", "items": { "type": "number" } } }),
            ),
            (
                "Map(String, UInt8)",
                json!({ "type": "object", "properties": {}, "additionalProperties": true }),
            ),
            ("Tuple(Int8, String)", json!({ "type": "string" })),
            ("SimpleAggregateFunction(sum, Float64)", json!({ "type": "number" })),
            ("JSON", json!({ "type": "string" })),
            (
                "INTEGER",
                json!({ "type": "integer", "minimum": -2_147_483_648_i64, "maximum": 2_147_483_647 }),
            ),
            ("Wonder(3)", json!({ "type": "string" })),
        ] {
            assert_eq!(kind(text).schema(), schema, "{text}");
        }
        for text in ["Identifier", "AggregateFunction(sum, UInt64)", "Array(Nothing)", "Array", "Map(String)"]
        {
            assert_eq!(Kind::of(&TypeText::parse(text).unwrap()), None, "{text}");
        }
        let deep = format!("{}Int8{}", "Array(".repeat(20), ")".repeat(20));
        assert_eq!(Kind::of(&TypeText::parse(&deep).unwrap()), None);
    }

    #[test]
    fn values_are_written_as_the_server_reads_them() {
        for (text, value, wanted) in [
            ("Int8", json!(-128), "-128"),
            ("Int8", json!("7"), "7"),
            ("Int32", json!(10.0), "10"),
            ("UInt64", json!(18_446_744_073_709_551_615_u64), "18446744073709551615"),
            ("UInt64", json!("18446744073709551615"), "18446744073709551615"),
            ("Int64", json!("-9223372036854775808"), "-9223372036854775808"),
            ("Int64", json!("+0007"), "7"),
            ("Int64", json!("-0"), "0"),
            (
                "Int128",
                json!("170141183460469231731687303715884105727"),
                "170141183460469231731687303715884105727",
            ),
            ("Float64", json!(1.5), "1.5"),
            ("Float64", json!("-Inf"), "-inf"),
            ("Float64", json!("1e10"), "1e10"),
            ("Decimal(9, 2)", json!("12.50"), "12.50"),
            ("Decimal(9, 2)", json!(3), "3"),
            ("Bool", json!(1), "true"),
            ("Bool", json!("FALSE"), "false"),
            ("String", json!("it's\ta\\b\n{x:String}"), "it's\\ta\\\\b\\n{x:String}"),
            ("String", json!("\\N"), "\\\\N"),
            ("String", json!(5), "5"),
            ("Nullable(String)", json!(null), "\\N"),
            ("Nullable(String)", json!("NULL"), "NULL"),
            ("Date", json!("2026-01-31"), "2026-01-31"),
            ("Date", json!("2026-01-31T10:00:00Z"), "2026-01-31"),
            ("DateTime", json!("2026-01-31 10:00:00"), "2026-01-31 10:00:00"),
            ("DateTime", json!("2026-01-31T10:00:00"), "2026-01-31 10:00:00"),
            ("DateTime", json!("2023-11-14T22:13:20.5Z"), "1700000000"),
            ("DateTime64(3)", json!("2023-11-14T23:13:20.5+01:00"), "1700000000.5"),
            ("DateTime", json!("1970-01-01T00:01:40Z"), "0000000100"),
            ("Enum8('a' = 1)", json!("a"), "a"),
            ("Array(String)", json!(["a'b", "c\n", "]"]), r"['a\'b','c\n',']']"),
            ("Array(UInt64)", json!(["18446744073709551615", 1]), "[18446744073709551615,1]"),
            ("Array(Nullable(Int8))", json!([null, 1]), "[NULL,1]"),
            ("Array(Date)", json!(["2026-01-31"]), "['2026-01-31']"),
            ("Array(Bool)", json!([true]), "[true]"),
            ("Array(Float64)", json!(["nan", 1]), "[nan,1]"),
            ("Map(String, Array(UInt8))", json!({ "k'": [1] }), r"{'k\'':[1]}"),
            ("Map(UInt64, String)", json!({ "7": "x" }), "{7:'x'}"),
            ("Tuple(Int8, String)", json!("(1,'x')"), "(1,'x')"),
            ("JSON", json!({ "a": "b\n" }), r#"{"a":"b\\n"}"#),
        ] {
            assert_eq!(kind(text).written(&value).as_deref(), Ok(wanted), "{text} {value}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_before_the_server_bends_it() {
        for (text, value, wanted) in [
            ("UInt8", json!(300), "is a number that does not fit into UInt8"),
            ("UInt8", json!(-1), "is a number that does not fit into UInt8"),
            ("Int8", json!("128"), "is a number that does not fit into Int8"),
            ("Int64", json!("9223372036854775808"), "does not fit into Int64"),
            ("Int128", json!("170141183460469231731687303715884105728"), "does not fit into Int128"),
            (
                "UInt256",
                json!("115792089237316195423570985008687907853269984665640564039457584007913129639936"),
                "does not fit",
            ),
            ("Int32", json!(1.5), "must be a whole number"),
            ("Int64", json!("1; DROP"), "must be a whole number, or the text of one"),
            ("Int64", json!(1e300), "must be a whole number"),
            ("Int64", json!(""), "must be a whole number"),
            ("Float64", json!("1,5"), "must be a number"),
            ("Decimal(9, 2)", json!("1.2.3"), "must be a decimal number"),
            ("Decimal(9, 2)", json!("."), "must be a decimal number"),
            ("Bool", json!("maybe"), "must be true or false"),
            ("String", json!(null), "must not be null"),
            ("String", json!({}), "must be a string"),
            ("Enum8('a' = 1)", json!("b"), r#"must be one of ["a"]"#),
            ("Array(Int8)", json!("[1]"), "must be an array"),
            ("Array(Int8)", json!([1, "x"]), "has an element that must be a whole number"),
            ("Map(UInt8, String)", json!({ "x": "y" }), "has a key that must be a whole number"),
            ("Map(String, UInt8)", json!({ "x": 256 }), "has a value that is a number that does not fit"),
            ("Tuple(Int8)", json!("(1)\n"), "control characters"),
            ("Tuple(Int8)", json!([1]), "in ClickHouse's notation"),
        ] {
            let problem = kind(text).written(&value).unwrap_err();
            assert!(problem.contains(wanted), "{text} {value}: {problem}");
        }
    }
}
