//! Rows out of a native block, against the same rows out of an answer over HTTP.

#![expect(clippy::expect_used, clippy::cast_possible_truncation, reason = "a bench that cannot run may stop")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use housekey_core::clickhouse::http::Response;
use housekey_core::clickhouse::native::block::{Block, Context, Limits};
use housekey_core::clickhouse::native::{Reader, Revision, Writer};
use housekey_core::clickhouse::{QueryEvent, ReadLimits};

/// What the server puts into a block.
const ROWS: usize = 65_409;

const ROW_BYTES: usize = 1 << 20;

/// A column's type and its data.
type Column = (&'static str, Vec<u8>);

fn fixed<const N: usize>(value: impl Fn(u64) -> [u8; N]) -> Vec<u8> {
    (0..ROWS as u64).flat_map(value).collect()
}

/// Numbers without a pattern.
fn scattered(row: u64) -> u64 {
    row.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17)
}

fn strings(value: impl Fn(u64) -> String) -> Vec<u8> {
    let (mut ends, mut bytes) = (Vec::new(), Vec::new());
    for row in 0..ROWS as u64 {
        bytes.extend_from_slice(value(row).as_bytes());
        ends.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    }
    [ends, bytes].concat()
}

fn low_cardinality() -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u64(1).u64(0x600).u64(5);
    for key in ["", "north", "south", "east", "west"] {
        writer.text(key);
    }
    writer.u64(ROWS as u64);
    (0..ROWS).for_each(|row| {
        writer.u8((row % 5) as u8);
    });
    writer.as_slice().to_vec()
}

fn columns() -> Vec<Column> {
    let array = [fixed(|row| ((row + 1) * 3).to_le_bytes()), {
        (0..3 * ROWS as u64).flat_map(|value| (scattered(value) as u32).to_le_bytes()).collect()
    }];
    vec![
        ("UInt64", fixed(|row| scattered(row).to_le_bytes())),
        ("Int32", fixed(|row| (scattered(row) as i32).to_le_bytes())),
        ("Float64", fixed(|row| (scattered(row) as f64 / 1e15).to_le_bytes())),
        ("Decimal(18, 4)", fixed(|row| (scattered(row) as i64 / 1000).to_le_bytes())),
        ("DateTime", fixed(|row| (1_700_000_000 + row as u32 * 61).to_le_bytes())),
        ("DateTime64(3, 'Europe/Paris')", fixed(|row| (1_700_000_000_123 + row * 61_007).to_le_bytes())),
        ("Date", fixed(|row| (row as u16).to_le_bytes())),
        ("UUID", fixed(|row| (u128::from(scattered(row)) << 64 | u128::from(row)).to_le_bytes())),
        ("IPv6", fixed(|row| (u128::from(scattered(row)) << 64 | 0x1020).to_le_bytes())),
        ("String", strings(|row| format!("a name of some length, number {row}"))),
        ("LowCardinality(String)", low_cardinality()),
        (
            "Nullable(String)",
            [fixed(|row| [u8::from(row % 3 == 0)]), strings(|row| format!("né {row}\n"))].concat(),
        ),
        ("Array(UInt32)", array.concat()),
    ]
}

fn block(columns: &[Column]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.varuint(0).length(columns.len()).length(ROWS);
    for (type_name, data) in columns {
        writer.text("column").text(type_name).bool(false).raw(data);
    }
    writer.as_slice().to_vec()
}

fn native_rows(bytes: &[u8], context: &Context, mut take: impl FnMut(String)) {
    let block = Block::decode(&mut Reader::whole(bytes), context).expect("a block");
    for row in 0..block.rows() {
        let mut text = String::new();
        block.row_json(row, ROW_BYTES, &mut text).expect("a row");
        take(text);
    }
}

/// The answer over HTTP that has the same rows.
fn answer(columns: &[Column], bytes: &[u8], context: &Context) -> String {
    let names: Vec<_> = columns.iter().map(|_| "\"column\"").collect();
    let types: Vec<_> = columns.iter().map(|(type_name, _)| format!("{type_name:?}")).collect();
    let mut text = format!("[{}]\n[{}]\n", names.join(","), types.join(","));
    native_rows(bytes, context, |row| writeln!(text, "{row}").expect("a line"));
    text
}

fn http_rows(answer: &str) -> usize {
    let head = http::Response::builder().header("x-clickhouse-format", "JSONCompactEachRowWithNamesAndTypes");
    let head = head.body(()).expect("a head").into_parts().0;
    let mut response = Response::new(&head, ReadLimits { row_bytes: ROW_BYTES });
    let mut bytes = 0;
    // As a socket delivers it.
    for piece in answer.as_bytes().chunks(1 << 16) {
        response.receive(piece);
        while let Some(event) = response.poll_event() {
            if let QueryEvent::Row(row) = black_box(event) {
                bytes += row.0.len();
            }
        }
    }
    bytes
}

fn decoding(criterion: &mut Criterion) {
    let context = Context::new(Revision::NEWEST, Limits::default(), "Etc/UTC");
    let columns = columns();
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    let each = columns.iter().map(|column| (column.0, std::slice::from_ref(column)));
    for (name, columns) in [("mixed", columns.as_slice())].into_iter().chain(each) {
        let bytes = block(columns);
        let answer = answer(columns, &bytes, &context);
        group.bench_with_input(BenchmarkId::new("native", name), &bytes, |bencher, bytes| {
            bencher.iter(|| {
                let mut length = 0;
                native_rows(bytes, &context, |row| length += black_box(row).len());
                length
            });
        });
        group.bench_with_input(BenchmarkId::new("http", name), &answer, |bencher, answer| {
            bencher.iter(|| http_rows(answer));
        });
    }
    group.finish();
}

criterion_group!(benches, decoding);
criterion_main!(benches);
