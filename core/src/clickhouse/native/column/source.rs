//! What is at hand while a column is decoded: its bytes, its bounds, and the zones that its type names.

use std::collections::BTreeMap;

use super::error::ColumnError;
use super::zone::Zone;
use crate::clickhouse::native::block::Context;
use crate::clickhouse::native::error::Malformed;
use crate::clickhouse::native::revision::Feature;
use crate::clickhouse::native::wire::Reader;

/// Where a column is read from.
pub(crate) struct Source<'r, 'a, 'c> {
    pub(crate) reader: &'r mut Reader<'a>,
    pub(crate) context: &'c Context,
    /// Bytes that were taken for the block so far.
    pub(crate) spent: usize,
    pub(crate) zones: &'c mut Zones,
}

/// The zones that a block has named so far.
pub(crate) type Zones = BTreeMap<String, Zone>;

impl<'a> Source<'_, 'a, '_> {
    /// Counts memory that is about to be taken.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), ColumnError> {
        let most = self.context.limits.bytes;
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > most { Err(ColumnError::TooManyBytes { most }) } else { Ok(()) }
    }

    /// The next `count` values of `width` bytes, counted as spent.
    pub(super) fn take(&mut self, count: usize, width: usize) -> Result<&'a [u8], ColumnError> {
        let most = self.context.limits.bytes;
        let bytes = count.checked_mul(width).ok_or(ColumnError::TooManyBytes { most })?;
        self.spend(bytes)?;
        Ok(self.reader.take(bytes)?)
    }

    /// `count` numbers of 64 bits as indexes; a larger one than an address can be is wrong for every purpose.
    pub(super) fn ends(&mut self, count: usize) -> Result<Vec<usize>, ColumnError> {
        let bytes = self.take(count, size_of::<u64>())?;
        let mut before = 0;
        let mut ends = Vec::with_capacity(count);
        for end in bytes.as_chunks::<8>().0 {
            let end = usize::try_from(u64::from_le_bytes(*end)).map_err(|_| ColumnError::IndexBeyond)?;
            if end < before {
                return Err(ColumnError::EndsDecrease);
            }
            before = end;
            ends.push(end);
        }
        Ok(ends)
    }

    /// A count of things that each take at least one byte of what follows.
    pub(super) fn count(&mut self, what: &'static str) -> Result<usize, ColumnError> {
        let most = self.context.limits.bytes;
        Ok(self.reader.count(what, most)?)
    }

    /// A name or the text of a type.
    pub(super) fn name(&mut self, what: &'static str) -> Result<String, ColumnError> {
        let longest = self.context.limits.name_bytes;
        let name = self.reader.text(what, longest)?.into_owned();
        self.spend(name.len())?;
        Ok(name)
    }

    /// The zone that a type names, or the default one.
    pub(super) fn zone(&mut self, name: Option<&str>) -> Result<Zone, ColumnError> {
        let name = name.unwrap_or(&self.context.time_zone);
        if let Some(zone) = self.zones.get(name) {
            return Ok(zone.clone());
        }
        let zone = Zone::parse(name)?;
        self.zones.insert(name.to_owned(), zone.clone());
        Ok(zone)
    }

    /// Whether strings come as their ends, then all their bytes.
    pub(super) fn has_offset_strings(&self) -> bool {
        self.context.revision.has(Feature::StringsWithOffsets)
    }

    /// Numbers of 1, 2, 4 or 8 bytes that point to one of `values` values.
    pub(super) fn indexes(
        &mut self,
        count: usize,
        width: usize,
        values: usize,
    ) -> Result<Vec<u32>, ColumnError> {
        let bytes = self.take(count, width)?;
        self.spend(count.saturating_mul(size_of::<u32>()))?;
        let indexes: Vec<u32> = match width {
            1 => bytes.iter().map(|byte| u32::from(*byte)).collect(),
            2 => bytes.as_chunks().0.iter().map(|index| u32::from(u16::from_le_bytes(*index))).collect(),
            4 => bytes.as_chunks().0.iter().map(|index| u32::from_le_bytes(*index)).collect(),
            _ => {
                let narrow = |index: &[u8; 8]| u32::try_from(u64::from_le_bytes(*index)).ok();
                let indexes = bytes.as_chunks().0.iter().map(narrow).collect::<Option<_>>();
                indexes.ok_or(ColumnError::IndexBeyond)?
            }
        };
        match indexes.iter().max() {
            Some(most) if usize::try_from(*most).is_ok_and(|most| most >= values) => {
                Err(ColumnError::IndexBeyond)
            }
            _ => Ok(indexes),
        }
    }

    /// How many bytes an index has whose width is written as 0, 1, 2 or 3.
    pub(super) fn index_width(code: u64) -> Result<usize, ColumnError> {
        match code {
            0 => Ok(1),
            1 => Ok(2),
            2 => Ok(4),
            3 => Ok(8),
            width => Err(ColumnError::IndexWidth { width }),
        }
    }

    /// A number of rows that must be that of the block.
    pub(super) fn same_rows(found: u64, expected: usize) -> Result<(), ColumnError> {
        if usize::try_from(found).is_ok_and(|found| found == expected) {
            Ok(())
        } else {
            Err(ColumnError::RowsDiffer { found, expected })
        }
    }

    /// A count of `what` that a small limit bounds.
    pub(super) fn few(&mut self, what: &'static str) -> Result<usize, ColumnError> {
        let count = self.reader.varuint()?;
        let most = self.context.limits.columns;
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(Malformed::TooMany { what, count, most }.into()),
        }
    }
}
