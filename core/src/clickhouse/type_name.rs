//! The type of a column, as far as its values look different in JSON.

/// A ClickHouse type, reduced to what decides the JSON form of its values.
///
/// `LowCardinality(T)` and `SimpleAggregateFunction(f, T)` look like `T`, `Nested(…)` like an array of named
/// tuples, and so they are parsed to these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeName {
    /// `Bool`.
    Bool,
    /// An integer of at most 32 bits: a JSON number.
    Integer,
    /// An integer of 64 bits or more, or an interval, which is an `Int64` underneath: a JSON string.
    WideInteger,
    /// `Float32`, `Float64`, `BFloat16`: a JSON number, or `"nan"`, `"inf"`, `"-inf"`.
    Float,
    /// A decimal of any width: a JSON string.
    Decimal,
    /// Text, and everything that is written as text: dates, times, UUIDs, addresses, enums, aggregate states.
    Text,
    /// `Nothing`: only ever null.
    Nothing,
    /// `Nullable(T)`.
    Nullable(Box<TypeName>),
    /// `Array(T)`.
    Array(Box<TypeName>),
    /// A tuple: an array, or an object when the elements have names.
    Tuple(Vec<Element>),
    /// `Map(K, V)`: an object; keys are strings whatever `K` is.
    Map(Box<TypeName>, Box<TypeName>),
    /// `Variant(…)`: a value of one of these.
    Variant(Vec<TypeName>),
    /// Points, rings, polygons, lines and `QBit`: floats in arrays of any depth.
    Coordinates,
    /// `Dynamic`, `JSON` and `Object`: the type of a value is not known.
    Untyped,
    /// A type that this version does not know, or text that is not a type; treated like [`TypeName::Untyped`].
    Other,
}

/// An element of a tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its name; tuples have names for all elements or for none.
    pub name: Option<String>,
    /// Its type.
    pub type_name: TypeName,
}

/// How deep types may nest; what lies deeper is [`TypeName::Other`].
const DEEPEST: usize = 48;

impl TypeName {
    /// Parses a type as ClickHouse writes it in the second line of an answer. Never fails: see
    /// [`TypeName::Other`].
    pub fn parse(text: &str) -> Self {
        parse_type(text, DEEPEST)
    }

    /// Whether a value of this type may come as a JSON string that is text.
    pub(crate) fn may_be_text(&self) -> bool {
        match self {
            Self::Text | Self::Variant(_) | Self::Untyped | Self::Other => true,
            Self::Nullable(inner) => inner.may_be_text(),
            Self::Bool
            | Self::Integer
            | Self::WideInteger
            | Self::Float
            | Self::Decimal
            | Self::Nothing
            | Self::Array(_)
            | Self::Tuple(_)
            | Self::Map(_, _)
            | Self::Coordinates => false,
        }
    }
}

fn parse_type(text: &str, depth: usize) -> TypeName {
    let text = text.trim();
    let Some(depth) = depth.checked_sub(1) else { return TypeName::Other };
    let (name, arguments) = match text.split_once('(') {
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(inner) => (name.trim_end(), split_arguments(inner)),
            None => return TypeName::Other,
        },
        None => (text, Vec::new()),
    };
    let first = || arguments.first().map_or(TypeName::Other, |text| parse_type(text, depth));
    match name {
        "Bool" => TypeName::Bool,
        "Int8" | "Int16" | "Int32" | "UInt8" | "UInt16" | "UInt32" => TypeName::Integer,
        "Int64" | "UInt64" | "Int128" | "UInt128" | "Int256" | "UInt256" => TypeName::WideInteger,
        "Float32" | "Float64" | "BFloat16" => TypeName::Float,
        "Decimal" | "Decimal32" | "Decimal64" | "Decimal128" | "Decimal256" | "Decimal512" => {
            TypeName::Decimal
        }
        "String" | "FixedString" | "Date" | "Date32" | "DateTime" | "DateTime32" | "DateTime64" | "Time"
        | "Time64" | "UUID" | "IPv4" | "IPv6" | "Enum" | "Enum8" | "Enum16" | "AggregateFunction" => {
            TypeName::Text
        }
        "Nothing" => TypeName::Nothing,
        "Point" | "Ring" | "Polygon" | "MultiPolygon" | "LineString" | "MultiLineString" | "MultiPoint"
        | "Geometry" | "QBit" => TypeName::Coordinates,
        "Nullable" => TypeName::Nullable(Box::new(first())),
        "LowCardinality" => first(),
        "SimpleAggregateFunction" => arguments.last().map_or(TypeName::Other, |text| parse_type(text, depth)),
        "Array" => TypeName::Array(Box::new(first())),
        "Tuple" => TypeName::Tuple(parse_elements(&arguments, depth)),
        "Nested" => TypeName::Array(Box::new(TypeName::Tuple(parse_elements(&arguments, depth)))),
        "Map" => match arguments.as_slice() {
            [key, value] => {
                TypeName::Map(Box::new(parse_type(key, depth)), Box::new(parse_type(value, depth)))
            }
            _ => TypeName::Other,
        },
        "Variant" => TypeName::Variant(arguments.iter().map(|text| parse_type(text, depth)).collect()),
        "Dynamic" | "JSON" | "Object" => TypeName::Untyped,
        _ if name.starts_with("Interval") => TypeName::WideInteger,
        _ => TypeName::Other,
    }
}

fn parse_elements(arguments: &[&str], depth: usize) -> Vec<Element> {
    arguments
        .iter()
        .map(|text| {
            let (name, rest) = split_element(text.trim());
            Element { name, type_name: parse_type(rest, depth) }
        })
        .collect()
}

/// `` `quoted name` T ``, `name T` or `T`.
pub(super) fn split_element(text: &str) -> (Option<String>, &str) {
    if text.starts_with('`') {
        let end = quoted_length(text);
        let (quoted, rest) = text.split_at(end);
        return (Some(unquote(quoted)), rest);
    }
    match text.find([' ', '(']) {
        Some(at) if text.get(at..).is_some_and(|rest| rest.starts_with(' ')) => {
            let (name, rest) = text.split_at(at);
            (Some(name.to_owned()), rest)
        }
        _ => (None, text),
    }
}

/// A type with `String` wherever it has states of an aggregate function; `None` when it has none.
pub(crate) fn states_as_text(text: &str) -> Option<String> {
    const STATE: &str = "AggregateFunction";
    let mut plain = String::with_capacity(text.len());
    let mut at = 0;
    let mut found = false;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let length = match c {
            '\'' | '`' | '"' => quoted_length(rest),
            c if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        let word = rest.get(..length).unwrap_or(rest);
        at += word.len();
        let arguments = text.get(at..).unwrap_or_default();
        if word == STATE && arguments.starts_with('(') {
            found = true;
            plain.push_str("String");
            at += parenthesised_length(arguments);
        } else {
            plain.push_str(word);
        }
    }
    found.then_some(plain)
}

/// The length of what `text` begins with, from one parenthesis to the one that closes it.
fn parenthesised_length(text: &str) -> usize {
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        match c {
            '\'' | '`' | '"' => {
                at += text.get(at..).map_or(1, quoted_length);
                continue;
            }
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        at += c.len_utf8();
        if open == 0 {
            break;
        }
    }
    at
}

/// Splits at the commas that lie in no parentheses, brackets or quotes.
pub(crate) fn split_arguments(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut open = 0_usize;
    let mut start = 0;
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        match c {
            '\'' | '`' | '"' => {
                at += text.get(at..).map_or(1, quoted_length);
                continue;
            }
            '(' | '[' => open += 1,
            ')' | ']' => open = open.saturating_sub(1),
            ',' if open == 0 => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    let last = text.get(start..).unwrap_or_default();
    if !last.trim().is_empty() || !parts.is_empty() {
        parts.push(last);
    }
    parts
}

/// The length of the quoted text that `text` begins with, its quotes included. Backslashes escape, and a doubled
/// quote is a quote.
pub(crate) fn quoted_length(text: &str) -> usize {
    let mut chars = text.char_indices();
    let Some((_, quote)) = chars.next() else { return 0 };
    let mut chars = chars.peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return at + quote.len_utf8(),
            }
        }
    }
    text.len()
}

/// The text within quotes, its escapes undone.
pub(crate) fn unquote(quoted: &str) -> String {
    let mut chars = quoted.chars();
    let quote = chars.next();
    let mut out = String::with_capacity(quoted.len());
    while let Some(c) = chars.next() {
        if c == '\\' {
            out.extend(chars.next().map(unescape));
        } else if Some(c) == quote {
            // A doubled quote is one; a single one is the end.
            out.extend(chars.next());
        } else {
            out.push(c);
        }
    }
    out
}

fn unescape(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '0' => '\0',
        'b' => '\u{8}',
        'f' => '\u{c}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::TypeName::*;
    use super::*;

    fn tuple(elements: &[(&str, TypeName)]) -> TypeName {
        let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Tuple(
            elements
                .iter()
                .map(|(label, type_name)| Element { name: name(label), type_name: type_name.clone() })
                .collect(),
        )
    }

    #[test]
    fn types_are_parsed() {
        let array = |inner: TypeName| Array(Box::new(inner));
        let table: &[(&str, TypeName)] = &[
            ("UInt8", Integer),
            ("Int64", WideInteger),
            ("UInt256", WideInteger),
            ("IntervalNanosecond", WideInteger),
            ("Decimal(76, 20)", Decimal),
            ("BFloat16", Float),
            ("DateTime64(3, 'Europe/Paris')", Text),
            ("Enum8('a' = 1, 'b\\'c,)(' = 2)", Text),
            ("AggregateFunction(sum, UInt64)", Text),
            ("Nullable(Int64)", Nullable(Box::new(WideInteger))),
            ("LowCardinality(Nullable(String))", Nullable(Box::new(Text))),
            ("SimpleAggregateFunction(groupArrayArray(10), Array(Int64))", array(WideInteger)),
            ("Array(Array(Float64))", array(array(Float))),
            ("Map(Int64, Array(UInt64))", Map(Box::new(WideInteger), Box::new(array(WideInteger)))),
            ("Tuple()", tuple(&[])),
            ("Tuple(UInt8, Int64)", tuple(&[("", Integer), ("", WideInteger)])),
            (
                "Tuple(`a b` Int64, `c\\`d\"e` UInt8, f Enum8('x y' = 1), `g``h` Map(String, Int8))",
                tuple(&[
                    ("a b", WideInteger),
                    ("c`d\"e", Integer),
                    ("f", Text),
                    ("g`h", Map(Box::new(Text), Box::new(Integer))),
                ]),
            ),
            ("Nested(a Int64, b String)", array(tuple(&[("a", WideInteger), ("b", Text)]))),
            ("Variant(Int64, String)", Variant(vec![WideInteger, Text])),
            ("JSON(max_dynamic_paths=2, `a.b` UInt64, SKIP q)", Untyped),
            ("Dynamic(max_types=3)", Untyped),
            ("QBit(BFloat16, 2)", Coordinates),
            ("MultiPolygon", Coordinates),
            ("Wonder(Int64)", Other),
            ("Array(Int64", Other),
            ("Array", array(Other)),
            ("Map(Int64)", Other),
            ("", Other),
            ("Enum8('", Other),
        ];
        for (text, expected) in table {
            assert_eq!(TypeName::parse(text), *expected, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}Int64{}", "Array(".repeat(10_000), ")".repeat(10_000));
        assert!(matches!(TypeName::parse(&deep), Array(_)));
        TypeName::parse(&"(".repeat(100_000));
        TypeName::parse(&"Tuple(`".repeat(10_000));
    }

    #[test]
    fn states_become_text_wherever_they_are() {
        for (text, expected) in [
            ("UInt8", None),
            ("AggregateFunction(uniq, UInt64)", Some("String")),
            ("Array(AggregateFunction(1, sumMap, Array(UInt8), Array(UInt8)))", Some("Array(String)")),
            (
                "Tuple(a AggregateFunction(quantiles(0.5, 0.9), UInt8), `b )` Enum8('(' = 1, '\\\'' = 2))",
                Some("Tuple(a String, `b )` Enum8('(' = 1, '\\\'' = 2))"),
            ),
            ("Map(String, AggregateFunction(groupConcat(')'), String))", Some("Map(String, String)")),
            ("SimpleAggregateFunction(sum, UInt64)", None),
            ("Enum8('AggregateFunction(uniq, UInt8)' = 1)", None),
            ("Tuple(AggregateFunction UInt8)", None),
            ("AggregateFunction(", Some("String")),
            ("AggregateFunction(')", Some("String")),
            ("", None),
        ] {
            assert_eq!(states_as_text(text).as_deref(), expected, "{text}");
        }
    }
}
