//! Single values in binary form, which bring their type along or stand within one that does.

use std::collections::BTreeMap;

use super::Column;
use super::binary_type::decode_type;
use super::buffer::Buffer;
use super::error::ColumnError;
use super::object::{Nest, within};
use super::plan::{Scope, json_names};
use super::qbit;
use super::scalar::Scalar;
use super::source::Source;
use super::state::State;
use super::text::Text;
use super::type_tree::{Element, Type};
use super::write::Output;
use crate::clickhouse::native::wire::Reader;
use crate::clickhouse::value::copy_untyped;

/// Appends the JSON of a value that follows its type; nothing may follow it.
pub(super) fn push_tagged_json(
    source: &mut Source<'_, '_, '_>,
    bytes: &[u8],
    scope: Scope,
    out: &mut Buffer,
) -> Result<(), ColumnError> {
    let mut reader = Reader::whole(bytes);
    let value = decode_tagged(source, &mut reader, scope)?;
    reader.finish()?;
    push(source, &value, out)
}

/// Appends the JSON of an object that the server has written as text.
pub(super) fn push_untyped_json(text: &str, out: &mut String) -> Result<(), ColumnError> {
    copy_untyped(text, out).map_err(|_| ColumnError::BrokenObject)
}

fn push(source: &Source<'_, '_, '_>, value: &Column, out: &mut Buffer) -> Result<(), ColumnError> {
    let most = source.context.limits.bytes;
    let mut output = Output::new(out, most);
    value.push_json(0, &mut output);
    if output.is_full() { Err(ColumnError::TooManyBytes { most }) } else { Ok(()) }
}

/// A column with the one row that follows its type.
fn decode_tagged(
    source: &mut Source<'_, '_, '_>,
    reader: &mut Reader<'_>,
    scope: Scope,
) -> Result<Column, ColumnError> {
    let of = decode_type(source, reader, scope)?;
    decode_value(source, reader, &of, scope)
}

/// A column with one row.
fn decode_value(
    source: &mut Source<'_, '_, '_>,
    reader: &mut Reader<'_>,
    of: &Type,
    scope: Scope,
) -> Result<Column, ColumnError> {
    let scope = scope.deeper()?;
    source.spend(size_of::<Column>())?;
    Ok(match of {
        Type::Nothing => Column::Nothing,
        Type::String => text(reader.bytes("a string", reader.remaining())?),
        Type::Nullable(inner) => match reader.u8()? {
            0 => decode_value(source, reader, inner, scope)?,
            _ => Column::Nothing,
        },
        Type::LowCardinality(inner) => decode_value(source, reader, inner, scope)?,
        Type::Array(inner) => {
            // As JSON an array is the same as a tuple without names.
            let elements = (0..count(reader)?).map(|_| decode_value(source, reader, inner, scope));
            Column::Tuple(None, elements.collect::<Result<_, _>>()?)
        }
        Type::Tuple(elements) => {
            let decode = |element: &Element| decode_value(source, reader, &element.of, scope);
            Column::Tuple(json_names(of), elements.iter().map(decode).collect::<Result<_, _>>()?)
        }
        Type::Map(key, value) => decode_map(source, reader, key, value, scope)?,
        Type::Variant(members) | Type::Geometry(members) => match reader.u8()? {
            u8::MAX => Column::Nothing,
            number => {
                let member = members.get(usize::from(number)).ok_or(ColumnError::IndexBeyond)?;
                decode_value(source, reader, member, scope)?
            }
        },
        Type::Dynamic => decode_tagged(source, reader, scope)?,
        Type::Json { typed } => decode_object(source, reader, typed, scope)?,
        Type::QBit { element, dimension } => qbit::decode_value(reader, *element, *dimension)?,
        Type::Aggregate(aggregate) => text(State::parse(aggregate)?.take(reader)?),
        Type::Bool
        | Type::Integer(_)
        | Type::Float(_)
        | Type::Decimal { .. }
        | Type::Date
        | Type::Date32
        | Type::DateTime { .. }
        | Type::DateTime64 { .. }
        | Type::Time
        | Type::Time64 { .. }
        | Type::Interval
        | Type::Enum { .. }
        | Type::Uuid
        | Type::Ipv4
        | Type::Ipv6
        | Type::FixedString(_) => {
            let scalar = Scalar::of(of, true, source)?;
            let bytes = reader.take(scalar.width())?.to_vec();
            Column::Fixed(scalar, bytes)
        }
    })
}

fn decode_map(
    source: &mut Source<'_, '_, '_>,
    reader: &mut Reader<'_>,
    key: &Type,
    value: &Type,
    scope: Scope,
) -> Result<Column, ColumnError> {
    let longest = source.context.limits.bytes;
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for _ in 0..count(reader)? {
        let key = decode_value(source, reader, key, scope)?;
        let mut name = Buffer::default();
        key.push_key(0, &mut Output::new(&mut name, longest));
        name.push(b':');
        names.push(name.into_text());
        values.push(decode_value(source, reader, value, scope)?);
    }
    Ok(Column::Tuple(Some(names), values))
}

/// Pairs of a path and a value, of a declared type or with its own.
fn decode_object(
    source: &mut Source<'_, '_, '_>,
    reader: &mut Reader<'_>,
    typed: &[(String, Type)],
    scope: Scope,
) -> Result<Column, ColumnError> {
    let mut members = BTreeMap::new();
    for _ in 0..count(reader)? {
        let path = reader.text("a path", source.context.limits.name_bytes)?.into_owned();
        let scope = within(&path, scope)?;
        match typed.iter().find(|(declared, _)| *declared == path) {
            Some((_, of)) => {
                let value = decode_value(source, reader, of, scope)?;
                members.insert(path, value);
            }
            None => {
                let value = decode_tagged(source, reader, scope)?;
                if value != Column::Nothing {
                    members.insert(path, value);
                }
            }
        }
    }
    let mut json = Buffer::default();
    let mut output = Output::new(&mut json, source.context.limits.bytes);
    let mut nest = Nest::open(&mut output);
    for (path, value) in &members {
        nest.name(path);
        value.push_json(0, nest.out);
    }
    nest.close();
    if output.is_full() {
        return Err(ColumnError::TooManyBytes { most: source.context.limits.bytes });
    }
    source.spend(json.len())?;
    Ok(Column::Json(Text::of(vec![json.len()], json)))
}

/// How many elements follow; none takes less than a byte, but those that need none to be told apart.
fn count(reader: &mut Reader<'_>) -> Result<usize, ColumnError> {
    let most = reader.remaining();
    Ok(reader.count("elements of a value", most)?)
}

fn text(bytes: &[u8]) -> Column {
    Column::Text(Text::new(vec![bytes.len()], bytes.to_vec()))
}
