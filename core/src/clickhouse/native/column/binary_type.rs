//! Types as codes: what stands before each value that brings its own type (ClickHouse documentation, "Data types
//! binary encoding specification"; codes compared with 26.9).

use std::sync::Arc;

use super::error::{ColumnError, TypeError};
use super::plan::Scope;
use super::source::Source;
use super::type_tree::{Aggregate, Element, Float, Integer, Type};
use crate::clickhouse::native::wire::Reader;

/// Reads a type.
pub(super) fn decode_type(
    source: &Source<'_, '_, '_>,
    reader: &mut Reader<'_>,
    scope: Scope,
) -> Result<Type, ColumnError> {
    let scope = Scope { depth: scope.depth.checked_sub(1).ok_or(TypeError::TooDeep)?, ..scope };
    let code = reader.u8()?;
    if let Some(plain) = plain(code) {
        return Ok(plain);
    }
    let longest = source.context.limits.name_bytes;
    let name = |reader: &mut Reader<'_>| reader.text("the name in a type", longest).map(String::from);
    let boxed = |reader: &mut Reader<'_>| decode_type(source, reader, scope).map(Box::new);
    let checked = |of: Option<Type>| of.ok_or(ColumnError::Type(TypeError::UnknownCode { code }));
    Ok(match code {
        0x12 => Type::DateTime { zone: Some(Arc::from(name(reader)?)) },
        0x13 => checked(digits(reader.u8()?).map(|scale| Type::DateTime64 { scale, zone: None }))?,
        0x14 => {
            let scale = digits(reader.u8()?);
            let zone = Some(Arc::from(name(reader)?));
            checked(scale.map(|scale| Type::DateTime64 { scale, zone }))?
        }
        0x16 => checked(Some(Type::FixedString(size(reader)?)))?,
        0x17 => decode_enum(source, reader, 1)?,
        0x18 => decode_enum(source, reader, 2)?,
        0x19..=0x1c => {
            let (precision, scale) = (usize::from(reader.u8()?), usize::from(reader.u8()?));
            checked(Type::decimal(precision, scale))?
        }
        0x1e => Type::Array(boxed(reader)?),
        0x1f => Type::Tuple(decode_elements(source, reader, false, scope)?),
        0x20 => Type::Tuple(decode_elements(source, reader, true, scope)?),
        0x22 => {
            // The unit, which the value does not show.
            reader.u8()?;
            Type::Interval
        }
        0x23 => Type::Nullable(boxed(reader)?),
        0x25 | 0x2e => decode_function(source, reader, code, scope)?,
        0x26 => Type::LowCardinality(boxed(reader)?),
        0x27 => Type::Map(boxed(reader)?, boxed(reader)?),
        0x2a => Type::Variant(decode_types(source, reader, scope)?),
        0x2b => {
            // How many types it keeps apart.
            reader.u8()?;
            Type::Dynamic
        }
        0x2c => Type::parse(&name(reader)?, scope.depth)?,
        0x2f => Type::Array(Box::new(Type::Tuple(decode_elements(source, reader, true, scope)?))),
        0x30 => decode_json(source, reader, scope)?,
        0x34 => checked(digits(reader.u8()?).map(|scale| Type::Time64 { scale }))?,
        0x36 => {
            let element = decode_type(source, reader, scope)?;
            let dimension = size(reader)?;
            let Type::Float(element) = element else { return checked(None) };
            Type::QBit { element, dimension }
        }
        _ => checked(None)?,
    })
}

/// Types that their code says all about.
fn plain(code: u8) -> Option<Type> {
    let integer = |width, signed| Type::Integer(Integer { width, signed });
    Some(match code {
        0x00 => Type::Nothing,
        0x01 => integer(1, false),
        0x02 => integer(2, false),
        0x03 => integer(4, false),
        0x04 => integer(8, false),
        0x05 => integer(16, false),
        0x06 => integer(32, false),
        0x07 => integer(1, true),
        0x08 => integer(2, true),
        0x09 => integer(4, true),
        0x0a => integer(8, true),
        0x0b => integer(16, true),
        0x0c => integer(32, true),
        0x0d => Type::Float(Float::Single),
        0x0e => Type::Float(Float::Double),
        0x0f => Type::Date,
        0x10 => Type::Date32,
        0x11 => Type::DateTime { zone: None },
        0x15 => Type::String,
        0x1d => Type::Uuid,
        0x28 => Type::Ipv4,
        0x29 => Type::Ipv6,
        0x2d => Type::Bool,
        0x31 => Type::Float(Float::Brain16),
        0x32 => Type::Time,
        _ => return None,
    })
}

fn digits(digits: u8) -> Option<usize> {
    (digits <= 9).then_some(usize::from(digits))
}

fn size(reader: &mut Reader<'_>) -> Result<usize, ColumnError> {
    match reader.count("elements of a type", 0x00ff_ffff)? {
        0 => Err(TypeError::unknown("a type without a size").into()),
        size => Ok(size),
    }
}

/// A count of things of which each takes at least one of the bytes that are left.
fn count(reader: &mut Reader<'_>, what: &'static str) -> Result<usize, ColumnError> {
    let most = reader.remaining();
    Ok(reader.count(what, most)?)
}

fn decode_types(
    source: &Source<'_, '_, '_>,
    reader: &mut Reader<'_>,
    scope: Scope,
) -> Result<Vec<Type>, ColumnError> {
    let count = count(reader, "members of a type")?;
    (0..count).map(|_| decode_type(source, reader, scope)).collect()
}

fn decode_elements(
    source: &Source<'_, '_, '_>,
    reader: &mut Reader<'_>,
    named: bool,
    scope: Scope,
) -> Result<Vec<Element>, ColumnError> {
    let longest = source.context.limits.name_bytes;
    let count = count(reader, "elements of a tuple")?;
    let mut elements = Vec::new();
    for _ in 0..count {
        let name =
            if named { Some(reader.text("the name of an element", longest)?.into_owned()) } else { None };
        elements.push(Element { name, of: decode_type(source, reader, scope)? });
    }
    Ok(elements)
}

fn decode_enum(
    source: &Source<'_, '_, '_>,
    reader: &mut Reader<'_>,
    width: usize,
) -> Result<Type, ColumnError> {
    let longest = source.context.limits.name_bytes;
    let count = count(reader, "names of an enum")?;
    let mut names = Vec::new();
    for _ in 0..count {
        let name = reader.text("the name in an enum", longest)?.into_owned();
        let number = match width {
            1 => i16::from(i8::from_le_bytes(reader.array()?)),
            _ => i16::from_le_bytes(reader.array()?),
        };
        names.push((number, name));
    }
    names.sort_by_key(|(number, _)| *number);
    Ok(Type::Enum { width, names: names.into() })
}

/// An aggregate function with its arguments, or the type that a simple one keeps.
fn decode_function(
    source: &Source<'_, '_, '_>,
    reader: &mut Reader<'_>,
    code: u8,
    scope: Scope,
) -> Result<Type, ColumnError> {
    let is_simple = code == 0x2e;
    // A state has a version.
    let is_versioned = !is_simple && reader.varuint()? > 0;
    let function = reader.text("the name of a function", source.context.limits.name_bytes)?.into_owned();
    if count(reader, "parameters of a function")? > 0 {
        // Parameters are values of their own kind, which are not read here.
        return Err(ColumnError::UndecodableState { function });
    }
    let mut arguments = decode_types(source, reader, scope)?;
    match arguments.pop() {
        Some(last) if is_simple => Ok(last),
        last => {
            arguments.extend(last);
            Ok(Type::Aggregate(Aggregate { function, parameters: 0, is_versioned, arguments }))
        }
    }
}

fn decode_json(
    source: &Source<'_, '_, '_>,
    reader: &mut Reader<'_>,
    scope: Scope,
) -> Result<Type, ColumnError> {
    let longest = source.context.limits.name_bytes;
    match reader.u8()? {
        0 => {}
        version => return Err(ColumnError::UnknownVersion { what: "JSON", version: version.into() }),
    }
    // How many paths, and how many types of each, it keeps apart.
    reader.varuint()?;
    reader.u8()?;
    let mut typed = Vec::new();
    for _ in 0..count(reader, "typed paths")? {
        let path = reader.text("a path", longest)?.into_owned();
        typed.push((path, decode_type(source, reader, scope)?));
    }
    typed.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
    for _ in ["paths", "patterns"] {
        for _ in 0..count(reader, "skipped paths")? {
            reader.bytes("a skipped path", longest)?;
        }
    }
    Ok(Type::Json { typed })
}
