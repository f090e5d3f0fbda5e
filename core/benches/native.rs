//! Rows out of a native block, type by type and mixed, against the same rows out of an answer over HTTP.
//!
//! Bytes are those of the block for `native` and those of the answer for `http`; rows are the same for both.

#![expect(clippy::expect_used, clippy::cast_possible_truncation, reason = "a bench that cannot run may stop")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use housekey_core::clickhouse::http::Response;
use housekey_core::clickhouse::native::block::{Block, Context, Limits};
use housekey_core::clickhouse::native::{Reader, Revision, Writer};
use housekey_core::clickhouse::{Lines, QueryEvent, ReadLimits};

/// What the server puts into a block.
const ROWS: u64 = 65_409;

const ROW_BYTES: usize = 1 << 20;

/// A column's type and its data.
type Column = (&'static str, Vec<u8>);

/// What a block of a few columns that people often have together is made of.
const MIXED: &[&str] = &[
    "UInt64",
    "Int32",
    "Float64",
    "Decimal(18, 4)",
    "DateTime",
    "DateTime64(3, 'Europe/Paris')",
    "Date",
    "UUID",
    "IPv6",
    "String",
    "LowCardinality(String)",
    "Nullable(String)",
    "Array(UInt32)",
];

/// Numbers without a pattern, of every length.
fn scattered(row: u64) -> u64 {
    row.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17)
}

fn fixed<const N: usize>(value: impl Fn(u64) -> [u8; N]) -> Vec<u8> {
    (0..ROWS).flat_map(value).collect()
}

/// Numbers of so many bytes, of which the highest are few so that lengths differ.
fn numbers<const N: usize>() -> Vec<u8> {
    fixed(|row| {
        let mut bytes = [0; N];
        for (at, eight) in bytes.chunks_mut(8).enumerate() {
            let number = scattered(row.wrapping_mul(31) + at as u64).to_le_bytes();
            eight.iter_mut().zip(number).for_each(|(byte, digit)| *byte = digit);
        }
        bytes
    })
}

fn strings(rows: u64, value: impl Fn(u64) -> String) -> Vec<u8> {
    let (mut ends, mut bytes) = (Vec::new(), Vec::new());
    for row in 0..rows {
        bytes.extend_from_slice(value(row).as_bytes());
        ends.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    }
    [ends, bytes].concat()
}

/// What `write` writes, then the rest.
fn behind(write: impl Fn(&mut Writer), rest: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = Writer::new();
    write(&mut writer);
    [writer.as_slice().to_vec(), rest.concat()].concat()
}

fn name(row: u64) -> String {
    format!("a name of some length, number {row}")
}

fn low_cardinality() -> Vec<u8> {
    behind(
        |writer| {
            writer.u64(1).u64(0x600).u64(5);
            for key in ["", "north", "south", "east", "west"] {
                writer.text(key);
            }
            writer.u64(ROWS);
        },
        &[fixed(|row| [(row % 5) as u8])],
    )
}

/// Every second row a number, the others text: two members behind the numbers of both.
fn members(head: impl Fn(&mut Writer), text: u8, number: u8) -> Vec<u8> {
    let texts = ROWS.div_ceil(2);
    let numbers = (0..ROWS / 2).flat_map(|row| scattered(row).to_le_bytes()).collect();
    let which = fixed(|row| [if row % 2 == 0 { text } else { number }]);
    behind(head, &[which, strings(texts, name), numbers])
}

/// Two paths, each of one type, and none that are no column.
fn objects() -> Vec<u8> {
    let of_one_type = |writer: &mut Writer, name: &str| {
        writer.u64(2).varuint(1).text(name).u64(0);
    };
    behind(
        |writer| {
            writer.u64(2).varuint(2).text("id").text("name");
            of_one_type(writer, "UInt64");
            of_one_type(writer, "String");
        },
        &[
            fixed(|_| [1]),
            numbers::<8>(),
            fixed(|_| [1]),
            strings(ROWS, name),
            fixed(|_| 0_u64.to_le_bytes()),
        ],
    )
}

/// One column for each type that there is.
fn columns() -> Vec<Column> {
    let ends = |each: u64| fixed(move |row| ((row + 1) * each).to_le_bytes());
    let elements: Vec<u8> = (0..3 * ROWS).flat_map(|value| (scattered(value) as u32).to_le_bytes()).collect();
    let doubles = || fixed(|row| (scattered(row) as f64 / 1e15).to_le_bytes());
    let seconds = || fixed(|row| (1_700_000_000 + row as u32 * 61).to_le_bytes());
    vec![
        ("Bool", fixed(|row| [(row % 2) as u8])),
        ("UInt8", numbers::<1>()),
        ("UInt16", numbers::<2>()),
        ("UInt32", numbers::<4>()),
        ("UInt64", numbers::<8>()),
        ("UInt128", numbers::<16>()),
        ("UInt256", numbers::<32>()),
        ("Int8", numbers::<1>()),
        ("Int16", numbers::<2>()),
        ("Int32", numbers::<4>()),
        ("Int64", numbers::<8>()),
        ("Int128", numbers::<16>()),
        ("Int256", numbers::<32>()),
        ("BFloat16", fixed(|row| ((scattered(row) as u16) & 0x7eff).to_le_bytes())),
        ("Float32", fixed(|row| (scattered(row) as f32 / 1e12).to_le_bytes())),
        ("Float64", doubles()),
        ("Decimal(9, 2)", fixed(|row| (scattered(row) as i32 / 1000).to_le_bytes())),
        ("Decimal(18, 4)", fixed(|row| (scattered(row) as i64 / 1000).to_le_bytes())),
        ("Decimal(38, 6)", fixed(|row| (i128::from(scattered(row) as i64) * 1000).to_le_bytes())),
        (
            "Decimal(76, 8)",
            fixed(|row| {
                let mut bytes = [0; 32];
                bytes[..8].copy_from_slice(&scattered(row).to_le_bytes());
                bytes
            }),
        ),
        ("String", strings(ROWS, name)),
        (
            "FixedString(16)",
            fixed(|row| u128::from(scattered(row) | 0x2020).to_le_bytes().map(|b| b & 0x3f | 0x40)),
        ),
        ("Date", fixed(|row| (row as u16).to_le_bytes())),
        ("Date32", fixed(|row| (row as i32).to_le_bytes())),
        ("DateTime", seconds()),
        ("DateTime('Europe/Paris')", seconds()),
        ("DateTime64(3, 'Europe/Paris')", fixed(|row| (1_700_000_000_123 + row * 61_007).to_le_bytes())),
        ("Time", fixed(|row| (row as i32).to_le_bytes())),
        ("Time64(6)", fixed(|row| (row * 1_000_003).to_le_bytes())),
        ("UUID", numbers::<16>()),
        ("IPv4", numbers::<4>()),
        ("IPv6", fixed(|row| (u128::from(scattered(row)) << 64 | 0x1020).to_le_bytes())),
        ("Enum8('north' = 1, 'south' = 2)", fixed(|row| [1 + (row % 2) as u8])),
        ("Enum16('north' = 1, 'south' = 2)", fixed(|row| [1 + (row % 2) as u8, 0])),
        ("Nullable(Int32)", [fixed(|row| [u8::from(row % 3 == 0)]), numbers::<4>()].concat()),
        (
            "Nullable(String)",
            [fixed(|row| [u8::from(row % 3 == 0)]), strings(ROWS, |row| format!("né {row}\n"))].concat(),
        ),
        ("LowCardinality(String)", low_cardinality()),
        ("Array(UInt32)", [ends(3), elements].concat()),
        ("Tuple(UInt32, String)", [numbers::<4>(), strings(ROWS, name)].concat()),
        ("Map(String, UInt64)", [ends(1), strings(ROWS, name), numbers::<8>()].concat()),
        ("Point", [doubles(), doubles()].concat()),
        ("Variant(String, UInt64)", members(|writer| _ = writer.u64(0), 0, 1)),
        // The shared member comes first by name and has no rows.
        (
            "Dynamic",
            members(|writer| _ = writer.u64(2).varuint(2).text("String").text("UInt64").u64(0), 1, 2),
        ),
        ("JSON", objects()),
        (
            "QBit(Float32, 8)",
            (0..32).flat_map(|plane| fixed(move |row| [scattered(row + plane) as u8 & 0x3f])).collect(),
        ),
    ]
}

fn block(columns: &[&Column]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.varuint(0).length(columns.len()).varuint(ROWS);
    for (type_name, data) in columns {
        writer.text("column").text(type_name).bool(false).raw(data);
    }
    writer.as_slice().to_vec()
}

fn native_rows(bytes: &[u8], context: &Context, mut take: impl FnMut(Lines)) {
    let block = Block::decode(&mut Reader::whole(bytes), context).expect("a block");
    let mut rows = 0..block.rows();
    while !rows.is_empty() {
        take(block.lines(&mut rows, ROW_BYTES).expect("rows"));
    }
}

/// The answer over HTTP that has the same rows.
fn answer(columns: &[&Column], bytes: &[u8], context: &Context) -> String {
    let names: Vec<_> = columns.iter().map(|_| "\"column\"").collect();
    let types: Vec<_> = columns.iter().map(|(type_name, _)| format!("{type_name:?}")).collect();
    let mut text = format!("[{}]\n[{}]\n", names.join(","), types.join(","));
    native_rows(bytes, context, |lines| text.push_str(lines.text()));
    text
}

fn http_rows(answer: &str) -> usize {
    let head = http::Response::builder().header("x-clickhouse-format", "JSONCompactEachRowWithNamesAndTypes");
    let head = head.body(()).expect("a head").into_parts().0;
    let mut response = Response::new(&head, ReadLimits { row_bytes: ROW_BYTES });
    let mut rows = 0;
    // As a socket delivers it.
    for piece in answer.as_bytes().chunks(1 << 16) {
        response.receive(piece);
        while let Some(event) = response.poll_event() {
            if let QueryEvent::Rows(lines) = black_box(event) {
                rows += lines.len();
            }
        }
    }
    rows
}

fn decoding(criterion: &mut Criterion) {
    let context = Context::new(Revision::NEWEST, Limits::default(), "Etc/UTC");
    let columns = columns();
    let mixed = columns.iter().filter(|column| MIXED.contains(&column.0)).collect();
    let mut group = criterion.benchmark_group("rows");
    group.sample_size(10);
    for (name, columns) in
        [("mixed", mixed)].into_iter().chain(columns.iter().map(|column| (column.0, vec![column])))
    {
        let bytes = block(&columns);
        let answer = answer(&columns, &bytes, &context);
        assert_eq!(http_rows(&answer) as u64, ROWS, "{name}");
        let throughput = |bytes| Throughput::ElementsAndBytes { elements: ROWS, bytes };
        group.throughput(throughput(bytes.len() as u64));
        group.bench_with_input(BenchmarkId::new("native", name), &bytes, |bencher, bytes| {
            bencher.iter(|| {
                let mut rows = 0;
                native_rows(bytes, &context, |lines| rows += black_box(lines).len());
                rows
            });
        });
        group.throughput(throughput(answer.len() as u64));
        group.bench_with_input(BenchmarkId::new("http", name), &answer, |bencher, answer| {
            bencher.iter(|| http_rows(answer));
        });
    }
    group.finish();
}

criterion_group!(benches, decoding);
criterion_main!(benches);
