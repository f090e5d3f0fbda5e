//! Blocks that a server sent, and the rows that it gave for the same queries over HTTP.

use super::fuzzing::check;
use crate::clickhouse::native::block::{Block, BlockError, Context, Decoder, Limits};
use crate::clickhouse::native::revision::Revision;
use crate::clickhouse::native::wire::{Reader, WireError};

const RECORDED: &str = include_str!("../../../../tests/data/native/blocks/recorded.txt");

struct Record {
    query: &'static str,
    context: Context,
    bytes: Vec<u8>,
    rows: Vec<&'static str>,
}

fn records() -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for part in RECORDED.split("\n> ").skip(1) {
        let mut lines = part.lines();
        let query = lines.next().expect("a query");
        let rows: Vec<_> = part.lines().filter_map(|line| line.strip_prefix("= ")).collect();
        let zone = part.lines().find_map(|line| line.strip_prefix("@ ")).unwrap_or("Etc/UTC");
        let blocks = lines.filter(|line| !line.starts_with(['=', '@']));
        for (revision, hex) in blocks.map(|line| line.split_once(' ').expect("revision and bytes")) {
            let bytes = (0..hex.len()).step_by(2);
            let bytes = bytes.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect();
            let revision = Revision::new(revision.parse().expect("a revision"));
            let context = Context::new(revision, Limits::default(), zone);
            records.push(Record { query, context, bytes, rows: rows.clone() });
        }
    }
    assert!(records.len() > 100, "{}", records.len());
    records
}

fn rows(blocks: &[Block]) -> Vec<String> {
    let mut rows = Vec::new();
    for block in blocks {
        let mut left = 0..block.rows();
        while !left.is_empty() {
            let lines = block.lines(&mut left, usize::MAX).expect("rows that fit");
            rows.extend(lines.iter().map(str::to_owned));
        }
    }
    rows
}

#[test]
fn rows_are_those_of_the_http_interface() {
    for Record { query, context, bytes, rows: expected } in records() {
        let mut reader = Reader::whole(&bytes);
        let mut blocks = Vec::new();
        while reader.remaining() > 0 {
            match Block::decode(&mut reader, &context) {
                Ok(block) => blocks.push(block),
                Err(error) => panic!("{query} at {}: {error}", context.revision),
            }
        }
        assert_eq!(rows(&blocks), expected, "{query} at {}", context.revision);
    }
}

#[test]
fn every_cut_is_incomplete_and_every_piece_is_taken_up() {
    for Record { query, context, bytes, rows: expected } in records() {
        if bytes.len() > 300 {
            continue;
        }
        for cut in 0..bytes.len() {
            let mut blocks = Vec::new();
            let mut decoder = Decoder::new(context.clone());
            let mut passed = 0;
            for end in [cut, bytes.len()] {
                loop {
                    let mut reader = Reader::new(&bytes[passed..end]);
                    let result = decoder.advance(&mut reader);
                    passed += reader.position();
                    match result {
                        Ok(block) => {
                            blocks.push(block);
                            decoder = Decoder::new(context.clone());
                        }
                        Err(BlockError::Wire(WireError::Incomplete { missing })) => {
                            // No more than what is there is ever asked for.
                            assert!(
                                missing > 0 && (end == bytes.len() || end + missing <= bytes.len()),
                                "{query}"
                            );
                            break;
                        }
                        Err(error) => panic!("{query} cut at {cut}: {error}"),
                    }
                    if passed == end {
                        break;
                    }
                }
            }
            assert_eq!(rows(&blocks), expected, "{query} cut at {cut}");
        }
    }
}

#[test]
fn damaged_blocks_are_errors_or_other_rows() {
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits")
    };
    for Record { mut context, bytes, .. } in records() {
        context.limits =
            Limits { rows: 1 << 12, columns: 256, bytes: 1 << 20, depth: 40, name_bytes: 1 << 12 };
        for _ in 0..3 {
            let mut damaged = bytes.clone();
            for _ in 0..=random() % 3 {
                let at = random() % damaged.len();
                damaged[at] = [0, 1, 0x7f, 0x80, 0xff, damaged[at] ^ 1][random() % 6];
            }
            check(&damaged, &context);
        }
    }
}
