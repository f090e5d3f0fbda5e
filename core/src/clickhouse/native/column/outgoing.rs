//! Columns that are sent: those of external tables and of rows to insert.

use crate::clickhouse::native::revision::{Feature, Revision};
use crate::clickhouse::native::wire::Writer;

/// A column to send.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// `UInt8`.
    UInt8(Vec<u8>),
    /// `UInt16`.
    UInt16(Vec<u16>),
    /// `UInt32`.
    UInt32(Vec<u32>),
    /// `UInt64`.
    UInt64(Vec<u64>),
    /// `Int8`.
    Int8(Vec<i8>),
    /// `Int16`.
    Int16(Vec<i16>),
    /// `Int32`.
    Int32(Vec<i32>),
    /// `Int64`.
    Int64(Vec<i64>),
    /// `Bool`.
    Bool(Vec<bool>),
    /// `Float64`.
    Float64(Vec<f64>),
    /// `String`, which may hold any bytes.
    String(Vec<Vec<u8>>),
    /// Which rows are null, and the values, of which those of null rows do not matter.
    Nullable(Vec<bool>, Box<Outgoing>),
    /// How many elements each row has, and the elements of all.
    Array(Vec<usize>, Box<Outgoing>),
    /// A column for each element, without names.
    Tuple(Vec<Outgoing>),
    /// How many pairs each row has, and the keys and the values of all.
    Map(Vec<usize>, Box<Outgoing>, Box<Outgoing>),
}

impl Outgoing {
    /// The type, as the server knows it.
    pub(crate) fn type_name(&self) -> String {
        match self {
            Self::UInt8(_) => "UInt8".to_owned(),
            Self::UInt16(_) => "UInt16".to_owned(),
            Self::UInt32(_) => "UInt32".to_owned(),
            Self::UInt64(_) => "UInt64".to_owned(),
            Self::Int8(_) => "Int8".to_owned(),
            Self::Int16(_) => "Int16".to_owned(),
            Self::Int32(_) => "Int32".to_owned(),
            Self::Int64(_) => "Int64".to_owned(),
            Self::String(_) => "String".to_owned(),
            Self::Bool(_) => "Bool".to_owned(),
            Self::Float64(_) => "Float64".to_owned(),
            Self::Nullable(_, values) => format!("Nullable({})", values.type_name()),
            Self::Array(_, elements) => format!("Array({})", elements.type_name()),
            Self::Tuple(columns) => {
                let names: Vec<_> = columns.iter().map(Self::type_name).collect();
                format!("Tuple({})", names.join(", "))
            }
            Self::Map(_, keys, values) => format!("Map({}, {})", keys.type_name(), values.type_name()),
        }
    }

    /// Writes the values.
    pub(crate) fn encode(&self, writer: &mut Writer, revision: Revision) {
        match self {
            Self::UInt8(values) => {
                writer.raw(values);
            }
            Self::UInt16(values) => raw(writer, values.iter().map(|value| value.to_le_bytes())),
            Self::UInt32(values) => raw(writer, values.iter().map(|value| value.to_le_bytes())),
            Self::UInt64(values) => raw(writer, values.iter().map(|value| value.to_le_bytes())),
            Self::Int8(values) => raw(writer, values.iter().map(|value| value.to_le_bytes())),
            Self::Int16(values) => raw(writer, values.iter().map(|value| value.to_le_bytes())),
            Self::Int32(values) => raw(writer, values.iter().map(|value| value.to_le_bytes())),
            Self::Int64(values) => raw(writer, values.iter().map(|value| value.to_le_bytes())),
            Self::Bool(values) => raw(writer, values.iter().map(|value| [u8::from(*value)])),
            Self::Float64(values) => raw(writer, values.iter().map(|value| value.to_le_bytes())),
            Self::String(values) if revision.has(Feature::StringsWithOffsets) => {
                ends(writer, values.iter().map(Vec::len));
                raw(writer, values);
            }
            Self::String(values) => values.iter().for_each(|value| {
                writer.bytes(value);
            }),
            Self::Nullable(nulls, values) => {
                raw(writer, nulls.iter().map(|null| [u8::from(*null)]));
                values.encode(writer, revision);
            }
            Self::Array(lengths, elements) => {
                ends(writer, lengths.iter().copied());
                elements.encode(writer, revision);
            }
            Self::Tuple(columns) => columns.iter().for_each(|column| column.encode(writer, revision)),
            Self::Map(lengths, keys, values) => {
                ends(writer, lengths.iter().copied());
                keys.encode(writer, revision);
                values.encode(writer, revision);
            }
        }
    }
}

fn raw(writer: &mut Writer, values: impl IntoIterator<Item = impl AsRef<[u8]>>) {
    for value in values {
        writer.raw(value.as_ref());
    }
}

fn ends(writer: &mut Writer, lengths: impl Iterator<Item = usize>) {
    let mut end = 0_u64;
    for length in lengths {
        end = end.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        writer.u64(end);
    }
}
