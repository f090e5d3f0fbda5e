//! A column's type with every parameter that its bytes or its text depend on.
//!
//! Unlike [`crate::clickhouse::TypeName`], which only has to know how values look in JSON, this one must be exact:
//! a block has no lengths, so a type that is not understood cannot be passed over.

use std::sync::Arc;

use super::error::TypeError;
use crate::clickhouse::type_name::{split_arguments, split_element, unquote};

/// A ClickHouse type. `SimpleAggregateFunction(f, T)` is `T`, `Nested(…)` an array of tuples, and the geometric
/// names are the tuples and arrays that they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// One byte, 0 or 1.
    Bool,
    /// An integer of any width.
    Integer(Integer),
    /// A number whose decimal form is the shortest that reads back.
    Float(Float),
    /// A scaled integer.
    Decimal {
        /// Bytes of the integer.
        width: usize,
        /// Digits behind the point.
        scale: usize,
    },
    /// `u16` days since 1970.
    Date,
    /// `i32` days since 1970.
    Date32,
    /// `u32` seconds since 1970.
    DateTime {
        /// The zone in the type; the server's when absent.
        zone: Option<Arc<str>>,
    },
    /// `i64` ticks since 1970.
    DateTime64 {
        /// Digits of a second.
        scale: usize,
        /// The zone in the type; the server's when absent.
        zone: Option<Arc<str>>,
    },
    /// `i32` seconds.
    Time,
    /// `i64` ticks.
    Time64 {
        /// Digits of a second.
        scale: usize,
    },
    /// An `i64` count of a unit of time.
    Interval,
    /// Names of numbers.
    Enum {
        /// Bytes of the number: 1 or 2.
        width: usize,
        /// The names, sorted by number.
        names: Arc<[(i16, String)]>,
    },
    /// Sixteen bytes.
    Uuid,
    /// `u32`.
    Ipv4,
    /// Sixteen bytes.
    Ipv6,
    /// Bytes.
    String,
    /// So many bytes.
    FixedString(usize),
    /// No value at all.
    Nothing,
    /// A value or null.
    Nullable(Box<Type>),
    /// The same values by number.
    LowCardinality(Box<Type>),
    /// Values of one type.
    Array(Box<Type>),
    /// A value of each type.
    Tuple(Vec<Element>),
    /// Pairs.
    Map(Box<Type>, Box<Type>),
    /// A value of one of the types, in the order of their names, or null.
    Variant(Vec<Type>),
    /// A variant of the six geometric types.
    Geometry(Vec<Type>),
    /// A value of any type.
    Dynamic,
    /// An object.
    Json {
        /// Paths whose type is declared, sorted by path.
        typed: Vec<(String, Type)>,
    },
    /// A vector whose bits are stored in planes.
    QBit {
        /// What its elements are.
        element: Float,
        /// How many there are.
        dimension: usize,
    },
    /// A state of an aggregate function, whose layout only that function knows.
    Aggregate(Aggregate),
}

/// An integer's width and sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Integer {
    /// Bytes: 1, 2, 4, 8, 16 or 32.
    pub(crate) width: usize,
    /// Whether negative numbers exist.
    pub(crate) signed: bool,
}

/// A floating point type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Float {
    /// The upper half of an IEEE 754 binary32.
    Brain16,
    /// IEEE 754 binary32.
    Single,
    /// IEEE 754 binary64.
    Double,
}

/// An element of a tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name; a tuple has names for all elements or for none.
    pub(crate) name: Option<String>,
    /// Its type.
    pub(crate) of: Type,
}

/// An aggregate function and what it was applied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aggregate {
    /// The function with its combinators: `sumIf`.
    pub(crate) function: String,
    /// How many parameters it has: one in `quantile(0.5)`.
    pub(crate) parameters: usize,
    /// Whether its state is written in a later form than its first.
    pub(crate) is_versioned: bool,
    /// The types of its arguments.
    pub(crate) arguments: Vec<Type>,
}

/// Longest value of `FixedString(N)` and most elements of `QBit(T, N)` that ClickHouse allows.
const LARGEST_FIXED: usize = 0x00ff_ffff;

/// Most digits of a second.
const FINEST: usize = 9;

impl Type {
    /// Parses a type as a block names it. `depth` bounds how deep types may nest.
    pub(crate) fn parse(text: &str, depth: usize) -> Result<Self, TypeError> {
        let depth = depth.checked_sub(1).ok_or(TypeError::TooDeep)?;
        let (name, inner) = split_call(text.trim())?;
        let arguments = inner.map(split_arguments).unwrap_or_default();
        let parsed = match parse_plain(name) {
            Some(plain) if arguments.is_empty() => Some(plain),
            _ => parse_parametric(name, &arguments, text, depth)?,
        };
        parsed.ok_or_else(|| TypeError::unknown(text))
    }

    /// An interval in one of ClickHouse's units.
    pub(crate) fn interval(unit: &str) -> Option<Self> {
        const UNITS: [&str; 11] = [
            "Nanosecond",
            "Microsecond",
            "Millisecond",
            "Second",
            "Minute",
            "Hour",
            "Day",
            "Week",
            "Month",
            "Quarter",
            "Year",
        ];
        UNITS.contains(&unit).then_some(Self::Interval)
    }

    /// A decimal of so many digits in all, of which `scale` stand behind the point.
    pub(crate) fn decimal(precision: usize, scale: usize) -> Option<Self> {
        let width = match precision {
            1..=9 => 4,
            10..=18 => 8,
            19..=38 => 16,
            39..=76 => 32,
            _ => return None,
        };
        (scale <= precision).then_some(Self::Decimal { width, scale })
    }

    /// What a name stands for that ClickHouse gives to a composite type.
    pub(crate) fn alias(name: &str) -> Option<Self> {
        let float = || Element { name: None, of: Self::Float(Float::Double) };
        let point = Self::Tuple(vec![float(), float()]);
        let array = |of: Self| Self::Array(Box::new(of));
        Some(match name {
            "Point" => point,
            "Ring" | "LineString" | "MultiPoint" => array(point),
            "Polygon" | "MultiLineString" => array(array(point)),
            "MultiPolygon" => array(array(array(point))),
            // The members of a variant stand in the order of their names.
            "Geometry" => Self::Geometry(
                ["LineString", "MultiLineString", "MultiPolygon", "Point", "Polygon", "Ring"]
                    .into_iter()
                    .filter_map(Self::alias)
                    .collect(),
            ),
            _ => return None,
        })
    }
}

/// Types whose name says all.
fn parse_plain(name: &str) -> Option<Type> {
    let integer = |width, signed| Type::Integer(Integer { width, signed });
    Some(match name {
        "Bool" => Type::Bool,
        "UInt8" => integer(1, false),
        "UInt16" => integer(2, false),
        "UInt32" => integer(4, false),
        "UInt64" => integer(8, false),
        "UInt128" => integer(16, false),
        "UInt256" => integer(32, false),
        "Int8" => integer(1, true),
        "Int16" => integer(2, true),
        "Int32" => integer(4, true),
        "Int64" => integer(8, true),
        "Int128" => integer(16, true),
        "Int256" => integer(32, true),
        "BFloat16" => Type::Float(Float::Brain16),
        "Float32" => Type::Float(Float::Single),
        "Float64" => Type::Float(Float::Double),
        "Date" => Type::Date,
        "Date32" => Type::Date32,
        "DateTime" | "DateTime32" => Type::DateTime { zone: None },
        "Time" => Type::Time,
        "UUID" => Type::Uuid,
        "IPv4" => Type::Ipv4,
        "IPv6" => Type::Ipv6,
        "String" => Type::String,
        "Nothing" => Type::Nothing,
        "Dynamic" => Type::Dynamic,
        "JSON" => Type::Json { typed: Vec::new() },
        "Tuple" => Type::Tuple(Vec::new()),
        _ => return name.strip_prefix("Interval").and_then(Type::interval).or_else(|| Type::alias(name)),
    })
}

/// Types with parameters in parentheses.
fn parse_parametric(
    name: &str,
    arguments: &[&str],
    text: &str,
    depth: usize,
) -> Result<Option<Type>, TypeError> {
    let boxed = |text: &str| Type::parse(text, depth).map(Box::new);
    Ok(Some(match (name, arguments) {
        ("Nullable", [inner]) => Type::Nullable(boxed(inner)?),
        ("LowCardinality", [inner]) => Type::LowCardinality(boxed(inner)?),
        ("Array", [inner]) => Type::Array(boxed(inner)?),
        ("Map", [key, value]) => Type::Map(boxed(key)?, boxed(value)?),
        ("Tuple", _) => Type::Tuple(parse_elements(arguments, depth)?),
        ("Nested", _) => Type::Array(Box::new(Type::Tuple(parse_elements(arguments, depth)?))),
        ("Variant", [_, ..]) => {
            Type::Variant(arguments.iter().map(|text| Type::parse(text, depth)).collect::<Result<_, _>>()?)
        }
        ("SimpleAggregateFunction", [_, value]) => Type::parse(value, depth)?,
        ("AggregateFunction", _) => Type::Aggregate(parse_aggregate(arguments, text, depth)?),
        ("JSON" | "Object", _) => parse_json(arguments, depth)?,
        ("Dynamic", [_]) => Type::Dynamic,
        ("DateTime" | "DateTime32", [zone]) => Type::DateTime { zone: Some(parse_zone(zone)?) },
        ("FixedString", [size]) => return Ok(parse_size(size).map(Type::FixedString)),
        ("QBit", [element, dimension]) => return Ok(parse_qbit(element, dimension)),
        ("Enum8", _) => parse_enum(arguments, 1)?,
        ("Enum16", _) => parse_enum(arguments, 2)?,
        _ => return parse_scaled(name, arguments),
    }))
}

/// Types with a number of digits.
fn parse_scaled(name: &str, arguments: &[&str]) -> Result<Option<Type>, TypeError> {
    let Some(first) = arguments.first().and_then(|digits| digits.trim().parse::<usize>().ok()) else {
        return Ok(None);
    };
    let digits = |digits: usize| (digits <= FINEST).then_some(digits);
    Ok(match (name, arguments) {
        ("Decimal", [_, scale]) => scale.trim().parse().ok().and_then(|scale| Type::decimal(first, scale)),
        ("Decimal32", [_]) => Type::decimal(9, first),
        ("Decimal64", [_]) => Type::decimal(18, first),
        ("Decimal128", [_]) => Type::decimal(38, first),
        ("Decimal256", [_]) => Type::decimal(76, first),
        ("Time64", [_]) => digits(first).map(|scale| Type::Time64 { scale }),
        ("DateTime64", [_]) => digits(first).map(|scale| Type::DateTime64 { scale, zone: None }),
        ("DateTime64", [_, zone]) => {
            let zone = Some(parse_zone(zone)?);
            digits(first).map(|scale| Type::DateTime64 { scale, zone })
        }
        _ => None,
    })
}

fn parse_size(text: &str) -> Option<usize> {
    text.trim().parse().ok().filter(|size| (1..=LARGEST_FIXED).contains(size))
}

fn parse_qbit(element: &str, dimension: &str) -> Option<Type> {
    match (parse_plain(element.trim())?, parse_size(dimension)?) {
        (Type::Float(element), dimension) => Some(Type::QBit { element, dimension }),
        _ => None,
    }
}

fn parse_zone(quoted: &str) -> Result<Arc<str>, TypeError> {
    let quoted = quoted.trim();
    if quoted.starts_with('\'') { Ok(unquote(quoted).into()) } else { Err(TypeError::unknown(quoted)) }
}

fn parse_elements(arguments: &[&str], depth: usize) -> Result<Vec<Element>, TypeError> {
    let parse = |text: &&str| {
        let (name, rest) = split_element(text.trim());
        Ok(Element { name, of: Type::parse(rest, depth)? })
    };
    arguments.iter().map(parse).collect()
}

/// `'name' = number` for each name.
fn parse_enum(arguments: &[&str], width: usize) -> Result<Type, TypeError> {
    let parse = |text: &&str| {
        let (quoted, number) = text.rsplit_once('=')?;
        let number = number.trim().parse::<i16>().ok()?;
        let quoted = quoted.trim();
        quoted.starts_with('\'').then(|| (number, unquote(quoted)))
    };
    let names = arguments.iter().map(parse).collect::<Option<Vec<_>>>();
    let mut names = names.ok_or_else(|| TypeError::unknown("Enum"))?;
    names.sort_by_key(|(number, _)| *number);
    Ok(Type::Enum { width, names: names.into() })
}

/// `[version,] function[(parameters)], argument, …`
fn parse_aggregate(arguments: &[&str], text: &str, depth: usize) -> Result<Aggregate, TypeError> {
    let is_version = |text: &&&str| text.trim().bytes().all(|byte| byte.is_ascii_digit());
    let version = arguments.first().filter(is_version);
    let is_versioned = version.is_some_and(|version| version.trim() != "0");
    let arguments = arguments.get(usize::from(version.is_some())..);
    let Some((function, arguments)) = arguments.unwrap_or_default().split_first() else {
        return Err(TypeError::unknown(text));
    };
    let (function, parameters) = split_call(function.trim())?;
    let (function, parameters) =
        (function.to_owned(), parameters.map_or(0, |all| split_arguments(all).len()));
    let arguments = arguments.iter().map(|text| Type::parse(text, depth)).collect::<Result<_, _>>()?;
    Ok(Aggregate { function, parameters, is_versioned, arguments })
}

/// `path Type` declares a path; limits and what is skipped concern only how values are stored.
fn parse_json(arguments: &[&str], depth: usize) -> Result<Type, TypeError> {
    let mut typed = Vec::new();
    for text in arguments {
        let text = text.trim();
        if text.starts_with("SKIP ") || text.starts_with("max_dynamic_") || *text == *"'json'" {
            continue;
        }
        match split_element(text) {
            (Some(path), rest) => typed.push((path, Type::parse(rest, depth)?)),
            (None, _) => return Err(TypeError::unknown(text)),
        }
    }
    typed.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
    Ok(Type::Json { typed })
}

/// `name(inner)` or `name`.
fn split_call(text: &str) -> Result<(&str, Option<&str>), TypeError> {
    match text.split_once('(') {
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(inner) => Ok((name.trim_end(), Some(inner))),
            None => Err(TypeError::unknown(text)),
        },
        None => Ok((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Type, TypeError> {
        Type::parse(text, 20)
    }

    #[test]
    fn parameters_are_read() {
        let uint8 = || Type::Integer(Integer { width: 1, signed: false });
        let named = |name: &str, of| Element { name: Some(name.to_owned()), of };
        let table: &[(&str, Type)] = &[
            ("Decimal(76, 20)", Type::Decimal { width: 32, scale: 20 }),
            ("Decimal(9, 9)", Type::Decimal { width: 4, scale: 9 }),
            (
                "DateTime64(3, 'Asia/Kolkata')",
                Type::DateTime64 { scale: 3, zone: Some("Asia/Kolkata".into()) },
            ),
            ("DateTime('UTC')", Type::DateTime { zone: Some("UTC".into()) }),
            (
                "Enum8('b' = -2, 'a\\'=,)' = 1)",
                Type::Enum { width: 1, names: vec![(-2, "b".into()), (1, "a'=,)".into())].into() },
            ),
            ("FixedString(3)", Type::FixedString(3)),
            ("Tuple()", Type::Tuple(Vec::new())),
            ("Tuple(`a b` UInt8, c Bool)", Type::Tuple(vec![named("a b", uint8()), named("c", Type::Bool)])),
            ("SimpleAggregateFunction(max, UInt8)", uint8()),
            ("QBit(BFloat16, 5)", Type::QBit { element: Float::Brain16, dimension: 5 }),
            ("IntervalQuarter", Type::Interval),
            (
                "JSON(max_dynamic_paths=2, b.c UInt8, `a\\`` Bool, SKIP q, SKIP REGEXP 'x')",
                Type::Json { typed: vec![("a`".into(), Type::Bool), ("b.c".into(), uint8())] },
            ),
            ("Dynamic(max_types=3)", Type::Dynamic),
            (
                "AggregateFunction(1, quantiles(0.5, 0.9), UInt8)",
                Type::Aggregate(Aggregate {
                    function: "quantiles".into(),
                    parameters: 2,
                    is_versioned: true,
                    arguments: vec![uint8()],
                }),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text).as_ref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "Wonder",
            "UInt8(1)",
            "Array",
            "Array()",
            "Array(UInt8",
            "Array(UInt8, UInt8)",
            "Decimal(0, 0)",
            "Decimal(77, 1)",
            "Decimal(5, 6)",
            "DateTime64(10)",
            "DateTime(UTC)",
            "FixedString(0)",
            "FixedString(16777216)",
            "FixedString(99999999999999999999)",
            "QBit(UInt8, 2)",
            "Enum8('a')",
            "Enum8('a' = 99999)",
            "Variant()",
            "AggregateFunction()",
            "IntervalFortnight",
            "JSON(a)",
            "Set",
        ] {
            assert!(matches!(parse(text), Err(TypeError::Unknown { .. })), "{text}: {:?}", parse(text));
        }
        let deep = format!("{}UInt8{}", "Array(".repeat(10_000), ")".repeat(10_000));
        assert_eq!(parse(&deep), Err(TypeError::TooDeep));
    }
}
