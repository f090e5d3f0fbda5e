//! Strings of a column, laid end to end.

use std::borrow::Cow;
use std::ops::Range;

use super::buffer::Buffer;
use super::error::ColumnError;
use super::json_text::{is_plain, lossy, push_json_string};
use super::source::Source;
use crate::clickhouse::native::wire::WireError;

/// Strings by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    ends: Vec<usize>,
    bytes: Bytes,
}

/// All the bytes. What is found out about them at once, no value has to be asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bytes {
    /// ASCII that stands in JSON as it is.
    Plain(Vec<u8>),
    Valid(String),
    Raw(Vec<u8>),
}

impl Text {
    /// Strings that end at these places, which do not decrease and lie within the bytes.
    pub(super) fn new(ends: Vec<usize>, bytes: Vec<u8>) -> Self {
        let bytes = if is_plain(&bytes) {
            Bytes::Plain(bytes)
        } else {
            String::from_utf8(bytes).map_or_else(|error| Bytes::Raw(error.into_bytes()), Bytes::Valid)
        };
        Self { ends, bytes }
    }

    /// The texts that end at these places.
    pub(super) fn of(ends: Vec<usize>, text: Buffer) -> Self {
        Self { ends, bytes: Bytes::Valid(text.into_text()) }
    }

    /// Reads the ends of all strings, then their bytes.
    pub(super) fn decode_with_offsets(
        source: &mut Source<'_, '_, '_>,
        rows: usize,
    ) -> Result<Self, ColumnError> {
        let ends = source.ends(rows)?;
        let bytes = source.take(ends.last().copied().unwrap_or(0), 1)?;
        Ok(Self::new(ends, bytes.to_vec()))
    }

    /// Reads each string behind its length.
    ///
    /// Lengths are walked first: when the block has not arrived as a whole, that is soon known, and when it has, no
    /// buffer has to grow.
    pub(super) fn decode(source: &mut Source<'_, '_, '_>, rows: usize) -> Result<Self, ColumnError> {
        let most = source.context.limits.bytes;
        let mut walker = source.reader.clone();
        for row in 0..rows {
            if let Err(error) = walker.bytes("a string", most) {
                return Err(wait_for_others(error, rows - row - 1).into());
            }
        }
        let walked = walker.position().saturating_sub(source.reader.position());
        source.spend(walked.saturating_add(rows.saturating_mul(size_of::<usize>())))?;
        let mut ends = Vec::with_capacity(rows);
        let mut bytes = Vec::with_capacity(walked.saturating_sub(rows));
        for _ in 0..rows {
            bytes.extend_from_slice(source.reader.bytes("a string", most)?);
            ends.push(bytes.len());
        }
        Ok(Self::new(ends, bytes))
    }

    /// How many strings there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of a string that is neither short nor long among these.
    pub(super) fn usual_length(&self) -> usize {
        self.ends.last().copied().unwrap_or(0).div_ceil(self.ends.len().max(1))
    }

    /// Adds the empty string.
    pub(super) fn push_empty(&mut self) {
        let end = self.ends.last().copied().unwrap_or(0);
        self.ends.push(end);
    }

    /// A row's bytes.
    pub(super) fn bytes(&self, row: usize) -> &[u8] {
        let all = match &self.bytes {
            Bytes::Valid(text) => text.as_bytes(),
            Bytes::Plain(bytes) | Bytes::Raw(bytes) => bytes,
        };
        all.get(self.range(row)).unwrap_or_default()
    }

    /// A row's text, with U+FFFD where its bytes are not UTF-8.
    #[inline]
    pub(super) fn text(&self, row: usize) -> Cow<'_, str> {
        match &self.bytes {
            // Two strings may each end within a character that both together have.
            Bytes::Valid(text) => {
                text.get(self.range(row)).map_or_else(|| lossy(self.bytes(row)), Cow::Borrowed)
            }
            Bytes::Plain(_) | Bytes::Raw(_) => lossy(self.bytes(row)),
        }
    }

    /// Appends a row's text as a JSON string.
    #[inline]
    pub(super) fn push_json(&self, row: usize, out: &mut Buffer) {
        let Bytes::Plain(bytes) = &self.bytes else { return push_json_string(&self.text(row), out) };
        out.push(b'"');
        let range = self.range(row);
        let length = range.len();
        match bytes.get(range.start..).and_then(<[u8]>::first_chunk::<16>) {
            Some(short) if length <= 16 => out.push_start(short, length),
            _ => out.push_ascii(bytes.get(range).unwrap_or_default()),
        }
        out.push(b'"');
    }

    #[inline]
    fn range(&self, row: usize) -> Range<usize> {
        range(&self.ends, row)
    }
}

/// Each string that has not been looked at takes another byte at least.
fn wait_for_others(error: WireError, others: usize) -> WireError {
    match error {
        WireError::Incomplete { missing } => {
            WireError::Incomplete { missing: missing.saturating_add(others) }
        }
        malformed @ WireError::Malformed(_) => malformed,
    }
}

/// From the end of the row before to the row's own end.
#[inline]
pub(super) fn range(ends: &[usize], row: usize) -> Range<usize> {
    let start = row.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    start..ends.get(row).copied().unwrap_or(start)
}
