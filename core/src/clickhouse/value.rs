//! A row as ClickHouse writes it, turned into Housekey's encoding by the types of its columns.
//!
//! The server is asked for nearly this encoding with [`FORMAT_SETTINGS`], but a profile may refuse them or set
//! others, and what a client is told must not depend on that. So every value is mapped by its type, with two
//! limits: without the settings NaN and infinities arrive as null and stay null; and within `Dynamic`, `JSON` and
//! a `Variant` that holds narrow and wide numbers no type tells, so values stay as sent, only that integers which
//! a double cannot hold (beyond ±2^53) become strings.

use super::json::{JsonError, Scanner, is_number};
use super::type_name::{Element, TypeName};

/// Settings that make ClickHouse write rows as Housekey passes them on, and errors where they can be told from
/// rows (ClickHouse documentation, "Format settings"; measured on 26.9).
pub const FORMAT_SETTINGS: &[(&str, &str)] = &[
    ("output_format_json_quote_64bit_integers", "1"),
    ("output_format_json_quote_decimals", "1"),
    ("output_format_json_quote_denormals", "1"),
    ("output_format_json_escape_forward_slashes", "0"),
    ("http_write_exception_in_output_format", "0"),
    ("enable_http_compression", "0"),
];

/// How deep arrays and objects of a row may nest; serde_json reads 127 levels.
const DEEPEST: usize = 100;

static UNTYPED: TypeName = TypeName::Untyped;

/// Appends the encoding of the row that `line` holds: a JSON array with a value for every type.
pub(super) fn encode_row(line: &[u8], types: &[TypeName], out: &mut String) -> Result<(), JsonError> {
    let text = String::from_utf8_lossy(line);
    let mut scanner = Scanner::new(&text);
    scanner.expect(b'[')?;
    out.push('[');
    for (index, type_name) in types.iter().enumerate() {
        if index > 0 {
            scanner.expect(b',')?;
            out.push(',');
        }
        encode_value(&mut scanner, type_name, out, DEEPEST)?;
    }
    scanner.expect(b']')?;
    scanner.expect_end()?;
    out.push(']');
    Ok(())
}

/// Copies one JSON value of no known type.
pub(super) fn copy_untyped(text: &str, out: &mut String) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(text);
    encode_value(&mut scanner, &UNTYPED, out, DEEPEST)?;
    scanner.expect_end()
}

fn encode_value(
    scanner: &mut Scanner<'_>,
    type_name: &TypeName,
    out: &mut String,
    depth: usize,
) -> Result<(), JsonError> {
    let depth = depth.checked_sub(1).ok_or_else(|| scanner.too_deep())?;
    match scanner.peek() {
        Some(b'"') => encode_string(scanner, type_name, out),
        Some(b'[') => encode_array(scanner, composite(type_name, is_array), out, depth),
        Some(b'{') => encode_object(scanner, composite(type_name, is_object), out, depth),
        _ => encode_word(scanner, type_name, out),
    }
}

fn encode_word(scanner: &mut Scanner<'_>, type_name: &TypeName, out: &mut String) -> Result<(), JsonError> {
    let malformed = scanner.malformed();
    let quoted = match scanner.word() {
        word @ ("null" | "true" | "false") => {
            out.push_str(word);
            return Ok(());
        }
        // `QBit` writes these bare whatever the settings are.
        "nan" | "-nan" => "nan",
        "inf" | "+inf" => "inf",
        "-inf" => "-inf",
        word if is_number(word) => {
            if !is_quoted(type_name, word) {
                out.push_str(word);
                return Ok(());
            }
            word
        }
        _ => return Err(malformed),
    };
    out.push('"');
    out.push_str(quoted);
    out.push('"');
    Ok(())
}

/// Copies a string, without its quotes when it holds a number that Housekey does not quote: a profile may set
/// `output_format_json_quote_64bit_floats`.
fn encode_string(scanner: &mut Scanner<'_>, type_name: &TypeName, out: &mut String) -> Result<(), JsonError> {
    let start = out.len();
    scanner.copy_string(out)?;
    if matches!(unwrapped(type_name), TypeName::Integer | TypeName::Float | TypeName::Coordinates) {
        let number = out.get(start + 1..out.len() - 1).filter(|inner| is_number(inner)).map(str::to_owned);
        if let Some(number) = number {
            out.truncate(start);
            out.push_str(&number);
        } else if out.get(start..) == Some("\"-nan\"") {
            // What processors make of 0/0; the sign of NaN means nothing.
            out.remove(start + 1);
        }
    }
    Ok(())
}

fn encode_array(
    scanner: &mut Scanner<'_>,
    type_name: &TypeName,
    out: &mut String,
    depth: usize,
) -> Result<(), JsonError> {
    scanner.expect(b'[')?;
    out.push('[');
    let mut index = 0;
    while !scanner.passes(b']') {
        if index > 0 {
            scanner.expect(b',')?;
            out.push(',');
        }
        let element = element_type(type_name, index);
        encode_value(scanner, element, out, depth)?;
        index += 1;
    }
    out.push(']');
    Ok(())
}

fn encode_object(
    scanner: &mut Scanner<'_>,
    type_name: &TypeName,
    out: &mut String,
    depth: usize,
) -> Result<(), JsonError> {
    scanner.expect(b'{')?;
    out.push('{');
    let mut elements = if let TypeName::Tuple(elements) = type_name { elements.iter() } else { [].iter() };
    let mut is_first = true;
    while !scanner.passes(b'}') {
        if !is_first {
            scanner.expect(b',')?;
            out.push(',');
        }
        is_first = false;
        let key_start = out.len();
        scanner.copy_string(out)?;
        scanner.expect(b':')?;
        let member = if let TypeName::Map(_, value) = type_name {
            value
        } else {
            // The server keeps the order and may leave out nulls, so what was passed over does not come again.
            let key = out.get(key_start..).unwrap_or_default();
            elements.find(|element| is_key(key, element)).map_or(&UNTYPED, |element| &element.type_name)
        };
        out.push(':');
        encode_value(scanner, member, out, depth)?;
    }
    out.push('}');
    Ok(())
}

fn element_type(type_name: &TypeName, index: usize) -> &TypeName {
    if let TypeName::Array(inner) = type_name {
        inner
    } else if let TypeName::Tuple(elements) = type_name {
        elements.get(index).map_or(&UNTYPED, |element| &element.type_name)
    } else if matches!(type_name, TypeName::Coordinates) {
        type_name
    } else {
        &UNTYPED
    }
}

/// Whether a JSON string, quotes included, is the name of an element.
fn is_key(quoted: &str, element: &Element) -> bool {
    let Some(name) = &element.name else { return false };
    if quoted.contains('\\') {
        serde_json::from_str::<String>(quoted).is_ok_and(|key| key == *name)
    } else {
        quoted.get(1..quoted.len() - 1) == Some(name)
    }
}

/// Whether a number of this type is written as a string.
fn is_quoted(type_name: &TypeName, number: &str) -> bool {
    match unwrapped(type_name) {
        TypeName::WideInteger | TypeName::Decimal => true,
        TypeName::Bool
        | TypeName::Integer
        | TypeName::Float
        | TypeName::Coordinates
        | TypeName::Text
        | TypeName::Nothing => false,
        TypeName::Variant(members) if has_only_wide_numbers(members) => true,
        TypeName::Variant(_)
        | TypeName::Untyped
        | TypeName::Other
        | TypeName::Nullable(_)
        | TypeName::Array(_)
        | TypeName::Tuple(_)
        | TypeName::Map(_, _) => is_beyond_double(number),
    }
}

fn has_only_wide_numbers(members: &[TypeName]) -> bool {
    let is_wide = |member: &TypeName| matches!(member, TypeName::WideInteger | TypeName::Decimal);
    let may_be_narrow = |member: &TypeName| {
        matches!(member, TypeName::Integer | TypeName::Float | TypeName::Untyped | TypeName::Other)
    };
    members.iter().any(is_wide) && !members.iter().any(may_be_narrow)
}

/// Whether a number is an integer outside ±2^53 (9007199254740992), which a double may not hold.
fn is_beyond_double(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let is_integer = digits.bytes().all(|b| b.is_ascii_digit());
    is_integer && (digits.len() > 16 || (digits.len() == 16 && digits > "9007199254740992"))
}

/// The type of an array or object: of a variant the one member that fits, and [`UNTYPED`] when none or several do.
fn composite(type_name: &TypeName, fits: fn(&TypeName) -> bool) -> &TypeName {
    let type_name = unwrapped(type_name);
    let TypeName::Variant(members) = type_name else { return type_name };
    let mut fitting = members.iter().map(unwrapped).filter(|member| fits(member));
    match (fitting.next(), fitting.next()) {
        (Some(member), None) => member,
        _ => &UNTYPED,
    }
}

fn is_array(type_name: &TypeName) -> bool {
    matches!(
        type_name,
        TypeName::Array(_)
            | TypeName::Tuple(_)
            | TypeName::Coordinates
            | TypeName::Variant(_)
            | TypeName::Untyped
            | TypeName::Other
    )
}

fn is_object(type_name: &TypeName) -> bool {
    matches!(
        type_name,
        TypeName::Map(_, _) | TypeName::Tuple(_) | TypeName::Variant(_) | TypeName::Untyped | TypeName::Other
    )
}

fn unwrapped(type_name: &TypeName) -> &TypeName {
    let mut type_name = type_name;
    while let TypeName::Nullable(inner) = type_name {
        type_name = inner;
    }
    type_name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(type_name: &str, value: &[u8]) -> Result<String, JsonError> {
        let line = [b"[", value, b"]"].concat();
        let mut row = String::new();
        encode_row(&line, &[TypeName::parse(type_name)], &mut row)?;
        serde_json::from_str::<serde_json::Value>(&row).expect("valid JSON");
        Ok(row)
    }

    #[test]
    fn values_are_encoded_by_type() {
        let table: &[(&str, &str, &str)] = &[
            ("Int64", "5", r#"["5"]"#),
            ("Int64", r#""5""#, r#"["5"]"#),
            ("Nullable(UInt256)", "null", "[null]"),
            ("IntervalDay", "3", r#"["3"]"#),
            ("UInt32", "4294967295", "[4294967295]"),
            ("Decimal(9, 2)", "1.5", r#"["1.5"]"#),
            ("Float64", "1e300", "[1e300]"),
            ("Float64", "-0", "[-0]"),
            ("Float64", "123456789012345678901", "[123456789012345678901]"),
            ("Float64", r#""0.1""#, "[0.1]"),
            ("Float64", r#""nan""#, r#"["nan"]"#),
            ("Float64", "nan", r#"["nan"]"#),
            ("Float64", r#""-nan""#, r#"["nan"]"#),
            ("Array(Float32)", r#"["-nan","-inf"]"#, r#"[["nan","-inf"]]"#),
            ("String", r#""-nan""#, r#"["-nan"]"#),
            ("Float32", "-inf", r#"["-inf"]"#),
            ("QBit(Float64, 2)", "[nan, 1]", r#"[["nan",1]]"#),
            ("MultiPolygon", "[[[[1,20000000000000000]]]]", "[[[[[1,20000000000000000]]]]]"),
            ("String", r#""12""#, r#"["12"]"#),
            ("String", r#""a\/b""#, r#"["a/b"]"#),
            ("Bool", "true", "[true]"),
            ("Array(Nullable(Int64))", "[1, null ,2]", r#"[["1",null,"2"]]"#),
            ("Array(Int64)", "[]", "[[]]"),
            ("Map(Int64, UInt64)", r#"{"1":2}"#, r#"[{"1":"2"}]"#),
            ("Map(String, Array(Int64))", r#"{"a":[1],"a":[]}"#, r#"[{"a":["1"],"a":[]}]"#),
            ("Tuple(UInt8, Int64)", "[1,2]", r#"[[1,"2"]]"#),
            ("Tuple(a UInt8, b Int64)", r#"{"a":1,"b":2}"#, r#"[{"a":1,"b":"2"}]"#),
            ("Tuple(a UInt8, b Int64)", r#"{"b":2}"#, r#"[{"b":"2"}]"#),
            ("Tuple(a UInt8, b Int64)", "[1,2]", r#"[[1,"2"]]"#),
            ("Tuple(`a\"b` Int64)", r#"{"a\"b":2}"#, r#"[{"a\"b":"2"}]"#),
            ("Nested(a Int64)", r#"[{"a":1}]"#, r#"[[{"a":"1"}]]"#),
            ("Variant(Int64, String)", "5", r#"["5"]"#),
            ("Variant(Array(Int64), String)", "[1]", r#"[["1"]]"#),
            ("Variant(Int64, UInt8)", "5", "[5]"),
            ("Dynamic", "9007199254740992", "[9007199254740992]"),
            ("Dynamic", "-9007199254740993", r#"["-9007199254740993"]"#),
            (
                "JSON",
                r#"{"a":{"b":[18446744073709551615,1.5]}}"#,
                r#"[{"a":{"b":["18446744073709551615",1.5]}}]"#,
            ),
            ("Wonder", "12345678901234567", r#"["12345678901234567"]"#),
        ];
        for (type_name, value, expected) in table {
            assert_eq!(encoded(type_name, value.as_bytes()).as_deref(), Ok(*expected), "{type_name} {value}");
        }
    }

    #[test]
    fn wrong_bytes_become_replacement_characters() {
        assert_eq!(
            encoded("String", b"\"\xffA\xed\xa0\x80\"").as_deref(),
            Ok("[\"\u{fffd}A\u{fffd}\u{fffd}\u{fffd}\"]")
        );
        assert_eq!(
            encoded("Map(String, String)", b"{\"\xff\":\"\xc3(\"}").as_deref(),
            Ok("[{\"\u{fffd}\":\"\u{fffd}(\"}]")
        );
    }

    #[test]
    fn malformed_rows_are_errors() {
        for value in [
            "",
            "1,2",
            "1 2",
            "[1",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{1:2}",
            "{\"a\":1,}",
            "01",
            "nul",
            "'a'",
            "1]",
        ] {
            assert!(encoded("Int64", value.as_bytes()).is_err(), "{value}");
        }
        let deep = "[".repeat(1_000_000);
        assert!(matches!(encoded("Array(Int64)", deep.as_bytes()), Err(JsonError::TooDeep { .. })));
        let fits = format!("{}{}", "[".repeat(DEEPEST - 1), "]".repeat(DEEPEST - 1));
        assert!(encoded("JSON", fits.as_bytes()).is_ok());
        let mut row = String::new();
        assert_eq!((encode_row(b"[]", &[], &mut row), row.as_str()), (Ok(()), "[]"));
        assert!(encode_row(b"[1]", &[], &mut row).is_err());
    }
}
