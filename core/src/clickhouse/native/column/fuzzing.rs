//! What must hold for any bytes that claim to be a block; the fuzz target and tests call this.

use crate::clickhouse::native::block::{Block, BlockError, Context, Decoder, Limits};
use crate::clickhouse::native::revision::Revision;
use crate::clickhouse::native::wire::{Reader, WireError, Writer};

/// Dialects that differ in how columns are written; a fuzzer's first byte picks one.
const REVISIONS: [u64; 6] = [0, 54_058, 54_453, 54_472, 54_485, 54_492];

/// Small, so that a fuzzer sees them at work.
const LIMITS: Limits = Limits { rows: 1 << 10, columns: 64, bytes: 1 << 16, depth: 20, name_bytes: 1 << 10 };

const LONGEST_ROW: usize = 1 << 16;

/// Decodes a block with one column, or, if the second byte is 255, whatever the rest is.
///
/// The first byte chooses the revision and the second is the number of rows; a type follows up to a line feed, then
/// the column from its form on. Rows are JSON, and the result is the same when the bytes come one by one.
///
/// # Panics
///
/// When one of these does not hold.
pub fn check_block(data: &[u8]) {
    let [revision, rows, rest @ ..] = data else { return };
    let number = REVISIONS.get(usize::from(*revision) % REVISIONS.len()).copied().unwrap_or_default();
    let revision = Revision::new(number);
    let bytes = match rows {
        255 => rest.to_vec(),
        rows => one_column(revision, *rows, rest),
    };
    check(&bytes, &Context::new(revision, LIMITS, "Europe/Paris"));
}

fn one_column(revision: Revision, rows: u8, rest: &[u8]) -> Vec<u8> {
    let (type_name, column) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(at) => rest.split_at(at),
        None => (rest, [].as_slice()),
    };
    let mut writer = Writer::new();
    if revision.number() > 0 {
        writer.varuint(0);
    }
    writer.varuint(1).varuint(rows.into()).text("x").bytes(type_name);
    writer.raw(column.strip_prefix(b"\n").unwrap_or(column));
    writer.as_slice().to_vec()
}

/// Checks one block's bytes.
pub(super) fn check(bytes: &[u8], context: &Context) {
    let mut reader = Reader::new(bytes);
    let whole = Block::decode(&mut reader, context);
    if let Ok(block) = &whole {
        check_rows(block);
    }
    let (pieces, read) = decode_in_pieces(bytes, context);
    match (&whole, &pieces) {
        (Ok(_), _) => assert!(whole == pieces && read == reader.position(), "pieces make another block"),
        // How much is missing depends on what is there.
        (Err(BlockError::Wire(WireError::Incomplete { missing })), Err(pieces)) => {
            assert!(*missing > 0, "nothing is missing");
            assert!(matches!(pieces, BlockError::Wire(WireError::Incomplete { .. })), "{pieces}");
        }
        (Err(whole), pieces) => assert_eq!(Some(whole), pieces.as_ref().err()),
    }
}

fn decode_in_pieces(bytes: &[u8], context: &Context) -> (Result<Block, BlockError>, usize) {
    let mut decoder = Decoder::new(context.clone());
    let mut passed = 0;
    let mut arrived = 0;
    loop {
        let mut reader = Reader::new(bytes.get(passed..arrived).unwrap_or_default());
        let result = decoder.advance(&mut reader);
        passed += reader.position();
        match result {
            Err(BlockError::Wire(WireError::Incomplete { missing })) if arrived < bytes.len() => {
                arrived = arrived.saturating_add(missing).min(bytes.len());
            }
            result => return (result, passed),
        }
    }
}

fn check_rows(block: &Block) {
    let mut rows = 0..block.rows();
    while !rows.is_empty() {
        let before = rows.start;
        let Ok(lines) = block.lines(&mut rows, LONGEST_ROW) else {
            assert_eq!(rows.start, before, "a row that is too long is passed");
            rows.start += 1;
            continue;
        };
        assert!(!lines.is_empty() && lines.len() == rows.start - before, "rows are lost");
        for row in lines.iter() {
            assert!(row.len() <= LONGEST_ROW, "a row is too long");
            let values = serde_json::from_str::<Vec<serde::de::IgnoredAny>>(row).map(|values| values.len());
            assert_eq!(values.ok(), Some(block.columns().len()), "not a row: {row}");
        }
    }
}
