//! A block: columns of the same number of rows, as data travels in the native protocol.
//!
//! A block does not say how long it is, nor does a column. Decoding it is the only way past it.

use std::ops::Range;
use std::sync::Arc;

use super::column::{Buffer, Column, Forms, Output, Plan, Scope, Source, Type, Zones};
use super::revision::{Feature, Revision};
use super::wire::{Reader, WireError, Writer};
use crate::clickhouse::lines::{FULL, Lines};
use crate::clickhouse::query::{Column as Header, STATES};

#[doc(hidden)]
pub use super::column::fuzzing::check_block;
pub use super::column::{ColumnError, Outgoing, TypeError};

/// What a block is decoded with.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub struct Context {
    /// The dialect; revision 0 is that of `FORMAT Native` over HTTP.
    pub revision: Revision,
    /// What a block may take.
    pub limits: Limits,
    /// The zone of a `DateTime` whose type names none: the server's, or that of the setting `session_timezone`.
    pub time_zone: Arc<str>,
}

impl Context {
    /// A context. An unknown zone is an error of the column that needs it.
    pub fn new(revision: Revision, limits: Limits, time_zone: &str) -> Self {
        Self { revision, limits, time_zone: time_zone.into() }
    }
}

/// What a block may take. More ends in an error before it is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows.
    pub rows: usize,
    /// Columns; also members of a `Dynamic` column and paths of a `JSON` column.
    pub columns: usize,
    /// Bytes of decoded values.
    pub bytes: usize,
    /// How deep types, and values that bring their type along, may nest.
    pub depth: usize,
    /// Bytes of a column's name, of its type and of a path.
    pub name_bytes: usize,
}

impl Default for Limits {
    /// The server's own blocks have 65,409 rows unless a query sets otherwise.
    fn default() -> Self {
        Self { rows: 1 << 24, columns: 1 << 14, bytes: 256 << 20, depth: 100, name_bytes: 1 << 20 }
    }
}

/// Buckets that a block may list. A query that runs to its end has none.
const MOST_BUCKETS: usize = 1 << 16;

/// Bytes that are set aside for the row with which lines become enough.
const MOST_RESERVED: usize = 1 << 12;

/// A decoded block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    columns: Vec<Header>,
    values: Vec<Column>,
    rows: usize,
    /// Bytes that a row may well take as JSON, with its line feed.
    usual: usize,
}

/// Why a block cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The bytes end, or no server sends them.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A column.
    #[error("the column {column:?} of the type {type_name}: {error}")]
    Column {
        /// The column's name.
        column: String,
        /// Its type, as the server writes it; cut when it is long.
        type_name: String,
        /// What is wrong with it.
        error: ColumnError,
    },
    /// A column holds states of an aggregate function that only the server can read.
    #[error("the column {column:?} holds states of {type_name}, which only the server can read: {}", STATES)]
    UndecodableState {
        /// The column's name.
        column: String,
        /// Its type, as the server writes it; cut when it is long.
        type_name: String,
    },
    /// What describes a block has a field that is not known.
    #[error("a block is described by the unknown field {0}")]
    UnknownField(u64),
}

/// A row takes more bytes as JSON than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row takes more bytes than it may")]
pub struct RowTooLong;

/// Reads a block from bytes that arrive piece by piece.
///
/// Columns that have arrived are not read again; the one that has not is read from its start with every attempt, so
/// whoever waits heeds [`WireError::Incomplete`].
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq))]
pub struct Decoder {
    context: Context,
    zones: Zones,
    spent: usize,
    columns_left: usize,
    block: Option<Block>,
}

impl Decoder {
    /// Nothing has arrived yet.
    pub fn new(context: Context) -> Self {
        Self { context, zones: Zones::new(), spent: 0, columns_left: 0, block: None }
    }

    /// Goes on with what has arrived. Whatever the result is, the reader has passed what need not be shown again.
    pub fn advance(&mut self, reader: &mut Reader<'_>) -> Result<Block, BlockError> {
        let mut block = match self.block.take() {
            Some(block) => block,
            None => self.begin(reader)?,
        };
        while self.columns_left > 0 {
            if let Err(error) = self.add_column(&mut block, reader) {
                self.block = Some(block);
                return Err(error);
            }
            self.columns_left -= 1;
        }
        Ok(block)
    }

    fn begin(&mut self, reader: &mut Reader<'_>) -> Result<Block, BlockError> {
        let Context { revision, limits, .. } = &self.context;
        let mut attempt = reader.clone();
        decode_info(&mut attempt, *revision)?;
        self.columns_left = attempt.count("columns", limits.columns)?;
        let rows = attempt.count("rows of a block", limits.rows)?;
        *reader = attempt;
        Ok(Block { columns: Vec::new(), values: Vec::new(), rows, usual: 3 })
    }

    fn add_column(&mut self, block: &mut Block, reader: &mut Reader<'_>) -> Result<(), BlockError> {
        let longest = self.context.limits.name_bytes;
        let mut attempt = reader.clone();
        let name = attempt.text("the name of a column", longest)?.into_owned();
        let type_name = attempt.text("the type of a column", longest)?.into_owned();
        let column = Header { name, type_name };
        let mut source = Source {
            reader: &mut attempt,
            context: &self.context,
            spent: self.spent,
            zones: &mut self.zones,
        };
        match decode_column(&mut source, &column.type_name, block.rows) {
            Ok(values) => {
                block.usual = block.usual.saturating_add(values.usual_length(block.rows)).saturating_add(1);
                block.values.push(values);
            }
            Err(error) => return Err(blame(column, error)),
        }
        self.spent = source.spent;
        block.columns.push(column);
        *reader = attempt;
        Ok(())
    }
}

impl Block {
    /// Reads a block that has arrived as a whole. For one that comes in pieces a [`Decoder`] does not start over.
    pub fn decode(reader: &mut Reader<'_>, context: &Context) -> Result<Self, BlockError> {
        Decoder::new(context.clone()).advance(reader)
    }

    /// The columns' names and types.
    pub fn columns(&self) -> &[Header] {
        &self.columns
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The next of these rows, as many as are handed on together; they are taken from the range. A row is short on the
    /// wire and may still be long: one long string can stand for many. So each may take `longest` bytes.
    ///
    /// # Errors
    ///
    /// When the very next row is longer.
    pub fn lines(&self, rows: &mut Range<usize>, longest: usize) -> Result<Lines, RowTooLong> {
        let mut text = Buffer::with_capacity(self.usual.saturating_mul(rows.len()).min(FULL + MOST_RESERVED));
        let mut ends = Vec::with_capacity((text.room() / self.usual.max(1)).min(rows.len()));
        while rows.start < rows.end && text.len() < FULL {
            let start = text.len();
            if !self.push_row(rows.start, longest, &mut text) {
                text.truncate(start);
                break;
            }
            ends.push(text.len());
            rows.start += 1;
        }
        if ends.is_empty() && rows.start < rows.end {
            Err(RowTooLong)
        } else {
            Ok(Lines::new(text.into_text(), ends))
        }
    }

    /// Appends a row as a JSON array and a line feed. `false` when it is longer than it may be, and not whole.
    fn push_row(&self, row: usize, longest: usize, text: &mut Buffer) -> bool {
        let start = text.len();
        let mut output = Output::new(text, start.saturating_add(longest));
        let mut before = b'[';
        for column in &self.values {
            output.open(before);
            column.push_json(row, &mut output);
            if output.is_full() {
                return false;
            }
            before = b',';
        }
        if self.values.is_empty() {
            output.open(b'[');
        }
        output.open(b']');
        let fits = !output.is_full();
        output.open(b'\n');
        fits
    }

    /// Writes the block without columns that ends data.
    pub fn encode_end(writer: &mut Writer, revision: Revision) {
        encode_head(writer, revision, 0, 0);
    }

    /// Writes a block of columns by name, which all have `rows` rows.
    pub fn encode(writer: &mut Writer, revision: Revision, rows: usize, columns: &[(&str, Outgoing)]) {
        encode_head(writer, revision, columns.len(), rows);
        for (name, column) in columns {
            writer.text(name).text(&column.type_name());
            if revision.has(Feature::CustomSerialization) {
                writer.bool(false);
            }
            if rows > 0 {
                column.encode(writer, revision);
            }
        }
    }
}

fn decode_column(
    source: &mut Source<'_, '_, '_>,
    type_name: &str,
    rows: usize,
) -> Result<Column, ColumnError> {
    let depth = source.context.limits.depth;
    let of = Type::parse(type_name, depth)?;
    let has_forms = source.context.revision.has(Feature::CustomSerialization)
        && source.reader.bool("whether a column has a form of its own")?;
    let forms = if has_forms { Forms::decode(source, &of)? } else { Forms::default() };
    if rows == 0 {
        return Ok(Column::Empty);
    }
    Plan::decode(source, &of, &forms, Scope::column(depth))?.read(source, rows)
}

fn blame(column: Header, error: ColumnError) -> BlockError {
    let type_name = || column.type_name.chars().take(200).collect();
    if let ColumnError::Wire(error) = error {
        BlockError::Wire(error)
    } else if let ColumnError::UndecodableState { .. } = error {
        BlockError::UndecodableState { type_name: type_name(), column: column.name }
    } else {
        BlockError::Column { type_name: type_name(), column: column.name, error }
    }
}

/// Passes what describes the block: only servers that merge results care for it.
fn decode_info(reader: &mut Reader<'_>, revision: Revision) -> Result<(), BlockError> {
    if revision.number() == 0 {
        return Ok(());
    }
    loop {
        match reader.varuint()? {
            0 => return Ok(()),
            1 => {
                reader.bool("whether a block overflows")?;
            }
            2 => {
                reader.i32()?;
            }
            3 if revision.has(Feature::OutOfOrderBuckets) => {
                let count = reader.count("buckets", MOST_BUCKETS)?;
                reader.take(count.saturating_mul(size_of::<i32>()))?;
            }
            field => return Err(BlockError::UnknownField(field)),
        }
    }
}

fn encode_head(writer: &mut Writer, revision: Revision, columns: usize, rows: usize) {
    if revision.number() > 0 {
        writer.varuint(1).bool(false).varuint(2).i32(-1);
        if revision.has(Feature::OutOfOrderBuckets) {
            writer.varuint(3).length(0);
        }
        writer.varuint(0);
    }
    writer.length(columns).length(rows);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::native::error::Malformed;

    fn context(revision: u64) -> Context {
        Context::new(Revision::new(revision), Limits::default(), "UTC")
    }

    /// A block of revision 54492 with one column, whose bytes begin with its form.
    fn column(type_name: &str, rows: u64, bytes: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.varuint(0).varuint(1).varuint(rows).text("x").text(type_name).raw(bytes);
        writer.as_slice().to_vec()
    }

    fn decoded(bytes: &[u8], limits: Limits) -> Result<Vec<String>, BlockError> {
        let block = Block::decode(&mut Reader::whole(bytes), &Context { limits, ..context(54_492) })?;
        Ok(rows(&block))
    }

    fn rows(block: &Block) -> Vec<String> {
        let mut rows = 0..block.rows();
        let lines = std::iter::from_fn(|| {
            (!rows.is_empty()).then(|| block.lines(&mut rows, usize::MAX).expect("rows that fit"))
        });
        lines.flat_map(|lines| lines.iter().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    fn column_error(type_name: &str, rows: u64, bytes: &[u8]) -> ColumnError {
        match decoded(&column(type_name, rows, bytes), Limits::default()) {
            Err(BlockError::Column { error, .. }) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_encoded_reads_back() {
        let columns = [
            ("a", Outgoing::UInt8(vec![1, 255])),
            ("b", Outgoing::Int64(vec![-1, i64::MIN])),
            ("c", Outgoing::String(vec![b"".to_vec(), b"\xffz".to_vec()])),
            ("d", Outgoing::Nullable(vec![true, false], Box::new(Outgoing::UInt32(vec![0, 7])))),
            (
                "e",
                Outgoing::Array(vec![2, 0], Box::new(Outgoing::String(vec![b"x".to_vec(), b"y".to_vec()]))),
            ),
            ("f", Outgoing::Array(vec![0, 1], Box::new(Outgoing::Int16(vec![-2])))),
        ];
        for revision in [0, 54_058, 54_453, 54_454, 54_480, 54_491, 54_492] {
            let mut writer = Writer::new();
            Block::encode(&mut writer, Revision::new(revision), 2, &columns);
            let mut reader = Reader::whole(writer.as_slice());
            let block = Block::decode(&mut reader, &context(revision)).expect("a block");
            assert_eq!(reader.finish(), Ok(()));
            let expected = [
                r#"[1,"-1","",null,["x","y"],[]]"#,
                "[255,\"-9223372036854775808\",\"\u{fffd}z\",7,[],[-2]]",
            ];
            assert_eq!(rows(&block), expected);
            assert_eq!(block.columns().len(), 6);
        }
    }

    #[test]
    fn the_end_has_no_columns() {
        for revision in [54_058, 54_479, 54_480, 54_492] {
            let mut writer = Writer::new();
            Block::encode_end(&mut writer, Revision::new(revision));
            let mut reader = Reader::whole(writer.as_slice());
            let block = Block::decode(&mut reader, &context(revision)).expect("a block");
            assert_eq!((block.columns().len(), block.rows(), reader.finish()), (0, 0, Ok(())));
        }
    }

    #[test]
    fn forms_that_have_no_meaning_here_are_named() {
        assert_eq!(column_error("UInt8", 1, &[1, 2]), ColumnError::Detached);
        assert_eq!(column_error("UInt8", 1, &[1, 3]), ColumnError::Detached);
        assert_eq!(column_error("UInt8", 1, &[1, 5, 1, 2]), ColumnError::Detached);
        assert_eq!(column_error("UInt8", 1, &[1, 9]), ColumnError::UnknownForm { kind: 9 });
        assert_eq!(
            column_error("Array(UInt8)", 1, &[1, 1, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]),
            ColumnError::NotSparse
        );
    }

    #[test]
    fn states_that_only_the_server_can_read_are_told_with_advice() {
        let type_name = "AggregateFunction(uniqTheta, UInt64)";
        let error = decoded(&column(type_name, 1, &[0]), Limits::default()).expect_err("an error");
        let expected =
            BlockError::UndecodableState { column: "x".to_owned(), type_name: type_name.to_owned() };
        assert_eq!(error, expected);
        assert!(error.to_string().contains("finalizeAggregation()"));
    }

    #[test]
    fn lies_are_errors() {
        let wide = [1_u64.to_le_bytes(), 0_u64.to_le_bytes()].concat();
        assert_eq!(
            column_error("Array(UInt8)", 2, &[&[0], wide.as_slice()].concat()),
            ColumnError::EndsDecrease
        );
        let huge = [&[0], u64::MAX.to_le_bytes().as_slice()].concat();
        assert!(matches!(column_error("Array(UInt8)", 1, &huge), ColumnError::TooManyBytes { .. }));
        assert!(matches!(column_error("String", 1, &huge), ColumnError::TooManyBytes { .. }));
        let dictionary = [1_u64, 0x600, 1].map(u64::to_le_bytes).concat();
        let tail = [&[7], 1_u64.to_le_bytes().as_slice(), &[1]].concat();
        let bytes = [&[0], dictionary.as_slice(), &tail].concat();
        assert_eq!(column_error("LowCardinality(UInt8)", 1, &bytes), ColumnError::IndexBeyond);
        let variant = [&[0], 0_u64.to_le_bytes().as_slice(), &[2]].concat();
        assert_eq!(column_error("Variant(String, UInt8)", 1, &variant), ColumnError::IndexBeyond);
        assert_eq!(
            column_error("DateTime('Mars/Olympus')", 1, &[0, 0, 0, 0, 0]),
            ColumnError::UnknownTimeZone { name: "Mars/Olympus".to_owned() }
        );
        let unknown = decoded(&column("Wonder", 0, &[0]), Limits::default());
        assert!(matches!(
            unknown,
            Err(BlockError::Column { error: ColumnError::Type(TypeError::Unknown { .. }), .. })
        ));
    }

    #[test]
    fn limits_hold_before_anything_is_allocated() {
        let small = Limits { rows: 10, columns: 1, bytes: 100, depth: 4, name_bytes: 40 };
        let refused = |bytes: &[u8]| decoded(bytes, small).expect_err("an error");
        let many =
            |what, count, most| BlockError::from(WireError::from(Malformed::TooMany { what, count, most }));
        assert_eq!(refused(&column("UInt8", 11, &[0])), many("rows of a block", 11, 10));
        assert_eq!(refused(&[0, 2, 0]), many("columns", 2, 1));
        assert!(matches!(
            refused(&column("FixedString(11)", 10, &[0])),
            BlockError::Column { error: ColumnError::TooManyBytes { most: 100 }, .. }
        ));
        assert!(matches!(
            refused(&column("Array(Array(Array(Array(UInt8))))", 1, &[0])),
            BlockError::Column { error: ColumnError::Type(TypeError::TooDeep), .. }
        ));
        let long = format!("FixedString({}1)", "0".repeat(40));
        assert!(matches!(
            refused(&column(&long, 1, &[0])),
            BlockError::Wire(WireError::Malformed(Malformed::TooLong { longest: 40, .. }))
        ));
    }

    #[test]
    fn a_row_is_as_long_as_it_may_be() {
        // One long key stands for every element.
        let mut writer = Writer::new();
        writer.u8(0).u64(1).u64(1000).u64(0x600).u64(1).text(&"k".repeat(1000)).u64(1000).raw(&[0; 1000]);
        let bytes = column("Array(LowCardinality(String))", 1, writer.as_slice());
        let block = Block::decode(&mut Reader::whole(&bytes), &context(54_492)).expect("a block");
        let mut row = 0..1;
        assert_eq!(block.lines(&mut row, 1_003_002), Err(RowTooLong));
        assert_eq!(row, 0..1);
        let lines = block.lines(&mut row, 1_003_003).expect("a row");
        assert_eq!((row, lines.len(), lines.text().len()), (1..1, 1, 1_003_004));
        let mut text = Buffer::default();
        assert!(!block.push_row(0, 10_000, &mut text) && text.room() < 30_000);
    }

    #[test]
    fn rows_before_one_that_is_too_long_come_first() {
        let mut writer = Writer::new();
        writer.u8(0).u64(1).u64(2).u64(8).u64(9).raw(b"abcdefghi");
        let bytes = column("String", 4, writer.as_slice());
        let block = Block::decode(&mut Reader::whole(&bytes), &context(54_492)).expect("a block");
        let mut rows = 0..4;
        let lines = block.lines(&mut rows, 8).expect("two rows");
        assert_eq!((lines.text(), &rows), ("[\"a\"]\n[\"b\"]\n", &(2..4)));
        assert_eq!(block.lines(&mut rows, 8), Err(RowTooLong));
    }

    #[test]
    fn a_batch_is_bounded() {
        let bytes = column("UInt8", 100_000, &[&[0], [7; 100_000].as_slice()].concat());
        let block = Block::decode(&mut Reader::whole(&bytes), &context(54_492)).expect("a block");
        let mut rows = 0..block.rows();
        let lines = block.lines(&mut rows, 10).expect("rows");
        assert_eq!((lines.len(), lines.text().len(), rows.start), (FULL / 4, FULL, FULL / 4));
    }
}
