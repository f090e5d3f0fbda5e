//! `QBit`: vectors whose numbers are cut into bits, the highest bits of all numbers first.

use super::Column;
use super::error::ColumnError;
use super::number::push_json_float;
use super::scalar::Scalar;
use super::source::Source;
use super::type_tree::Float;
use super::write::Output;
use crate::clickhouse::native::wire::Reader;

/// The planes of all rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planes {
    element: Float,
    dimension: usize,
    untyped: bool,
    /// From the sign bit down; each has [`Planes::stride`] bytes for each row.
    planes: Vec<Vec<u8>>,
}

impl Planes {
    /// Reads the planes.
    pub(super) fn decode(
        source: &mut Source<'_, '_, '_>,
        rows: usize,
        element: Float,
        dimension: usize,
        untyped: bool,
    ) -> Result<Self, ColumnError> {
        let mut planes = Vec::new();
        for _ in 0..bits(element) {
            planes.push(source.take(rows, dimension.div_ceil(8))?.to_vec());
        }
        Ok(Self { element, dimension, untyped, planes })
    }

    /// Bytes that a row may well take as JSON.
    pub(super) fn usual_length(&self) -> usize {
        self.dimension.saturating_mul(12)
    }

    /// Appends a row as an array of numbers.
    pub(super) fn push_json(&self, row: usize, out: &mut Output<'_>) {
        out.text.push(b'[');
        for index in 0..self.dimension {
            if index > 0 {
                out.text.push(b',');
            }
            let number = self.number(row, index).to_le_bytes();
            let bytes = number.get(..bits(self.element) / 8).unwrap_or_default();
            push_json_float(bytes, self.element, self.untyped, out.text);
            if out.is_full() {
                return;
            }
        }
        out.text.push(b']');
    }

    /// The bits of a number, which stand in the same place of each plane: the last byte holds the first eight.
    fn number(&self, row: usize, index: usize) -> u64 {
        let stride = self.dimension.div_ceil(8);
        let place = row.saturating_mul(stride).saturating_add(stride.saturating_sub(1 + index / 8));
        self.planes.iter().fold(0, |number, plane| {
            let byte = plane.get(place).copied().unwrap_or_default();
            number << 1 | u64::from(byte >> (index % 8) & 1)
        })
    }
}

/// A single vector, whose numbers are whole: the column's one row.
pub(super) fn decode_value(
    reader: &mut Reader<'_>,
    element: Float,
    dimension: usize,
) -> Result<Column, ColumnError> {
    let count = usize::try_from(reader.varuint()?).unwrap_or(usize::MAX);
    Source::same_rows(u64::try_from(count).unwrap_or(u64::MAX), dimension)?;
    let mut numbers = Vec::new();
    for _ in 0..count {
        let scalar = Scalar::Float { float: element, untyped: true };
        numbers.push(Column::Fixed(scalar, reader.take(bits(element) / 8)?.to_vec()));
    }
    Ok(Column::Tuple(None, numbers))
}

fn bits(element: Float) -> usize {
    match element {
        Float::Brain16 => 16,
        Float::Single => 32,
        Float::Double => 64,
    }
}
