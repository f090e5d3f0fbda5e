//! The decoder on recorded answers of ClickHouse 26.9.2.1 (`tests/data/clickhouse`) and on made-up ones.

use super::Response;
use crate::clickhouse::fuzzing::{check_http, check_row, events, response_head};
use crate::clickhouse::{Constraint, Exception, QueryEvent, ReadLimits, RefusedSetting};

const LIMITS: ReadLimits = ReadLimits { row_bytes: 100_000 };
const FORMAT: (&str, &str) = ("x-clickhouse-format", "jsoncompacteachrowwithnamesandtypes");
const PROGRESS: (&str, &str) = ("x-clickhouse-format", "JSONCompactEachRowWithProgress");
const TAG: (&str, &str) = ("X-ClickHouse-Exception-Tag", "abcdefghijklmnop");

/// The events of a recorded answer, the same wherever it is split.
fn recorded(name: &str) -> Vec<QueryEvent> {
    let path = format!("{}/tests/data/clickhouse/{name}.http", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let at = file.windows(4).position(|window| window == b"\r\n\r\n").expect("head");
    let (head, body) = (std::str::from_utf8(&file[..at]).expect("head is text"), &file[at + 4..]);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    decoded(status.expect("status"), &headers, body, !name.ends_with(".cut"), LIMITS)
}

fn decoded(
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
    complete: bool,
    limits: ReadLimits,
) -> Vec<QueryEvent> {
    let parts = response_head(status, headers).expect("head");
    let whole = events(&parts, limits, &[body], complete);
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(whole, events(&parts, limits, &bytes, complete), "byte by byte");
    for at in 0..body.len() {
        let (before, after) = body.split_at(at);
        assert_eq!(whole, events(&parts, limits, &[before, after], complete), "split at {at}");
    }
    for seed in 1..50_u32 {
        let pieces = random_pieces(body, seed);
        assert_eq!(whole, events(&parts, limits, &pieces, complete), "seed {seed}");
    }
    whole
}

fn random_pieces(mut body: &[u8], seed: u32) -> Vec<&[u8]> {
    let mut state = seed;
    let mut pieces = Vec::new();
    while !body.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (piece, rest) = body.split_at(((state >> 24) as usize % 40).min(body.len()));
        pieces.push(piece);
        body = rest;
    }
    pieces
}

fn rows(events: &[QueryEvent]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| if let QueryEvent::Rows(rows) = event { Some(rows.iter()) } else { None })
        .flatten()
        .collect()
}

fn exception(events: &[QueryEvent]) -> &Exception {
    match events.last() {
        Some(QueryEvent::Exception(exception)) => exception,
        other => panic!("not an exception: {other:?}"),
    }
}

fn broken(events: &[QueryEvent]) -> &str {
    match events.last() {
        Some(QueryEvent::Broken(text)) => text,
        other => panic!("not broken: {other:?}"),
    }
}

#[test]
fn values_are_the_same_with_and_without_the_format_settings() {
    let quoted = recorded("values-quoted");
    assert_eq!(rows(&quoted).len(), 1);
    assert_eq!(quoted.last(), Some(&QueryEvent::End));
    assert_eq!(rows(&quoted), rows(&recorded("values-plain")));
    let row: Vec<serde_json::Value> = serde_json::from_str(rows(&quoted)[0]).expect("JSON");
    let expected = ["-9223372036854775808", "18446744073709551615", "-1", "5"];
    assert_eq!(row[6..10], expected.map(serde_json::Value::from));
}

#[test]
fn values_without_a_type_stay_as_sent() {
    assert_eq!(
        rows(&recorded("denormals-quoted")),
        [r#"["nan","inf","-inf","nan","inf",{"n":"nan"},[["nan"]],"nan","nan",["nan",1]]"#]
    );
    assert_eq!(
        rows(&recorded("untyped-plain")),
        [concat!(
            r#"[5,"x",null,1.5,"18446744073709551615","[1,2]","9007199254740993","#,
            r#"{"a":1,"b":{"c":[1,2,"9007199254740993"]},"d":1.5,"e":"x/y"},{"a":1,"z":2},"#,
            r#"{"a":[{"b":1}]},{"a":{"b":5}},{"x":true}]"#
        )]
    );
}

#[test]
fn an_answer_may_have_no_rows_or_no_result() {
    assert!(matches!(recorded("empty").as_slice(), [QueryEvent::Header(_), QueryEvent::End]));
    assert_eq!(recorded("no-result"), [QueryEvent::End]);
    assert_eq!(decoded(200, &[FORMAT], b"", true, LIMITS), [QueryEvent::End]);
}

/// What came of it, without how far the server was on the way.
fn without_progress(events: Vec<QueryEvent>) -> Vec<QueryEvent> {
    events.into_iter().filter(|event| !matches!(event, QueryEvent::Progress { .. })).collect()
}

#[test]
fn progress_changes_nothing_about_columns_and_values() {
    let names = recorded("progress-values-names");
    assert_eq!((names.len(), names.last()), (3, Some(&QueryEvent::End)));
    let with_progress = recorded("progress-values");
    assert_eq!(with_progress.len(), 4);
    assert_eq!(without_progress(with_progress), names);
    // Without the settings NaN is null, and what has no type stays as sent, as it is in the other format.
    let plain = without_progress(recorded("progress-values-plain"));
    assert_eq!(
        rows(&plain),
        [rows(&names)[0].replace(r#""nan","inf""#, "null,null").replace(r#"{"a":"1"}"#, r#"{"a":1}"#)]
    );
    assert!(matches!(
        without_progress(recorded("progress-empty")).as_slice(),
        [QueryEvent::Header(_), QueryEvent::End]
    ));
    let totals = without_progress(recorded("progress-totals"));
    assert_eq!(rows(&totals), [r#"[0,"2"]"#, r#"[1,"2"]"#]);
    assert_eq!(totals.len(), 3, "totals and extremes are passed over: {totals:?}");
    assert_eq!(recorded("progress-no-result"), [QueryEvent::End]);
}

#[test]
fn progress_comes_before_the_columns_while_the_statement_runs() {
    for (file, row) in [("progress", r#"["45",0]"#), ("progress-execute-as", r#"["alice","45",0]"#)] {
        let events = recorded(file);
        assert_eq!(rows(&events), [row]);
        let told: Vec<_> = events
            .iter()
            .map_while(|event| {
                let QueryEvent::Progress { read_rows, total_rows, .. } = event else { return None };
                Some((*read_rows, *total_rows))
            })
            .collect();
        assert!(told.len() >= 4, "{told:?}");
        assert!(told.is_sorted() && told.iter().all(|(_, total)| *total == Some(10)), "{told:?}");
        assert!(matches!(events[told.len()], QueryEvent::Header(_)));
    }
    for (file, code) in
        [("progress-throw.cut", 395), ("progress-throw-as-line", 395), ("progress-time-out.cut", 159)]
    {
        let events = recorded(file);
        let exception = exception(&events);
        assert_eq!((exception.code, exception.before_execution), (code, false), "{file}");
        assert!(!exception.name.is_empty() && !exception.message.contains("version"), "{exception:?}");
    }
    assert_eq!(exception(&recorded("progress-unknown-format")).code, 73);
}

#[test]
fn answers_with_progress_that_break_off_are_broken() {
    let body = b"{\"progress\":{\"read_rows\":\"1\"}}\n{\"meta\":[{\"name\":\"a\",\"type\":\"UInt8\"}]}\n{\"row\":[1]}\n";
    for end in 0..body.len() {
        let events = decoded(200, &[PROGRESS], &body[..end], false, LIMITS);
        assert_eq!(broken(&events), "the connection ended before the end of the answer", "{end}");
    }
    // A proxy may hide that it broke off; progress alone is no answer, other than nothing at all.
    let ends: Vec<_> = (0..=body.len())
        .filter(|end| decoded(200, &[PROGRESS], &body[..*end], true, LIMITS).last() == Some(&QueryEvent::End))
        .collect();
    assert_eq!(ends, [0, body.len() - 12, body.len()]);
}

#[test]
fn lines_that_are_none_are_broken_and_exceptions_among_them_are_found() {
    let start = "{\"meta\":[{\"name\":\"a\",\"type\":\"UInt8\"}]}\n";
    for (body, expected) in [
        ("{\"row\":[1]}\n".to_owned(), "not where it belongs"),
        ("{\"totals\":[1]}\n".to_owned(), "not where it belongs"),
        (format!("{start}{start}"), "not where it belongs"),
        (format!("{start}{{\"row\":[1,2]}}\n"), "cannot be read"),
        (format!("{start}{{\"row\":[1]\n"), "cannot be read"),
        (format!("{start}[1]\n"), "not a row"),
        ("[\"a\"]\n[\"UInt8\"]\n[1]\n".to_owned(), "not a row"),
        (format!("{start}\n"), "not a row"),
    ] {
        let events = decoded(200, &[PROGRESS], body.as_bytes(), true, LIMITS);
        assert!(broken(&events).contains(expected), "{body}: {events:?}");
    }
    let bare = "Code: 395. DB::Exception: m. (NAME) (version 25.8)";
    let block =
        format!("\r\n__exception__\r\nabcdefghijklmnop\r\n{bare}\n50 abcdefghijklmnop\r\n__exception__\r\n");
    for end in [
        block.clone(),
        format!("{{\"row\":[2{block}"),
        format!("{{\"progress\":{{\"read_rows\":\"1{block}"),
        format!("{bare}\n"),
        format!("{{\"row\":[2{bare}\n"),
        format!("{{\"exception\":\"{bare}\"}}\n"),
    ] {
        let body = format!("{start}{{\"row\":[1]}}\n{end}");
        for complete in [true, false] {
            let events = decoded(200, &[PROGRESS, TAG], body.as_bytes(), complete, LIMITS);
            let exception = exception(&events);
            assert_eq!((exception.code, exception.message.as_str()), (395, "m"), "{body}");
            assert_eq!(rows(&events), ["[1]"], "{body}");
        }
    }
    // A row may be as long as in the other format, and no longer.
    let limits = ReadLimits { row_bytes: 5 };
    let start = start.replace("UInt8", "String");
    let end = |row: &str| {
        decoded(200, &[PROGRESS], format!("{start}{{\"row\":{row}}}\n").as_bytes(), true, limits).pop()
    };
    assert_eq!(end("[\"a\"]"), Some(QueryEvent::End));
    assert_eq!(end("[\"ab\"]"), Some(QueryEvent::RowTooLong));
    let refused = [("x-clickhouse-exception-code", "395"), ("x-clickhouse-query-id", "q")];
    let parts = response_head(500, &refused).expect("head");
    let body = format!("{start}{{\"row\":[\"a\"]}}\n{{\"exception\":\"{bare}\"}}\n");
    assert_eq!(exception(&events(&parts, LIMITS, &[body.as_bytes()], true)).message, "m");
}

#[test]
fn refusals_before_the_statement_are_told_from_later_ones() {
    let name = |name: &str| name.to_owned();
    let table = [
        ("unknown-setting", 115, true, Some(RefusedSetting::Unknown(name("nosuch")))),
        ("unknown-setting-hint", 115, true, Some(RefusedSetting::Unknown(name("max_thread")))),
        ("unknown-setting-in-sql", 115, true, Some(RefusedSetting::Unknown(name("nosuch")))),
        (
            "constrained",
            452,
            true,
            Some(RefusedSetting::Constrained(name("max_threads"), Constraint::AtMost(name("4")))),
        ),
        ("read-only-profile", 164, true, Some(RefusedSetting::ReadOnlyProfile(name("max_threads")))),
        ("read-only-2-profile", 164, true, Some(RefusedSetting::ReadOnlyProfile(name("readonly")))),
        ("wrong-password", 516, true, None),
        ("unknown-table", 60, false, None),
        ("throw-early", 395, false, None),
        ("custom-code", 452, false, None),
        ("throw-in-stream.cut", 395, false, None),
        ("throw-after-rows.cut", 395, false, None),
        ("throw-as-row", 395, false, None),
        ("throw-after-progress", 395, false, None),
    ];
    for (file, code, before_execution, refused) in table {
        let events = recorded(file);
        let exception = exception(&events);
        assert_eq!((exception.code, exception.before_execution), (code, before_execution), "{file}");
        assert_eq!(exception.refused_setting(), refused, "{file}");
        assert!(!exception.name.is_empty() && !exception.message.contains("version"), "{exception:?}");
    }
    assert!(rows(&recorded("throw-after-rows.cut")).len() > 5);
}

#[test]
fn exceptions_are_found_in_every_form() {
    let start = "[\"a\",\"b\"]\n[\"UInt8\",\"String\"]\n[1,\"x\"]\n";
    let bare = "Code: 395. DB::Exception: m. (NAME) (version 25.8)";
    let block =
        format!("\r\n__exception__\r\nabcdefghijklmnop\r\n{bare}\n50 abcdefghijklmnop\r\n__exception__\r\n");
    let table = [
        format!("{start}{block}"),
        format!("{start}[2,\"cut{block}"),
        format!("{start}{bare}\n"),
        format!("{start}{bare}"),
        format!("{start}[2,\"cut{bare}\n"),
        format!("{start}[2,\"cut{bare}"),
        format!("{start}[\"{bare}\"]\n"),
        format!("{start}Code: 395, e.displayText() = DB::Exception: m (version 20.3)\n"),
    ];
    for body in &table {
        for complete in [true, false] {
            let events = decoded(200, &[FORMAT, TAG], body.as_bytes(), complete, LIMITS);
            let exception = exception(&events);
            assert_eq!((exception.code, exception.message.as_str()), (395, "m"), "{body}");
            assert_eq!(rows(&events), ["[1,\"x\"]"], "{body}");
        }
    }
    let other_tag = format!("{start}{}", block.replace("abcd", "bcde"));
    assert!(broken(&decoded(200, &[FORMAT, TAG], other_tag.as_bytes(), false, LIMITS)).contains("another"));
    // Within refusals: behind rows that were not sent, and longer than what is kept.
    let refused = [("x-clickhouse-exception-code", "395"), ("x-clickhouse-query-id", "q")];
    let long = format!("{}{bare}\n", start.repeat(5000));
    for body in [format!("{start}{bare}\n"), format!("{start}[\"{bare}\"]\n"), long] {
        let parts = response_head(500, &refused).expect("head");
        let events = events(&parts, LIMITS, &[body.as_bytes()], true);
        assert_eq!(exception(&events).message, "m");
        assert_eq!(events.len(), 1);
    }
}

#[test]
fn text_of_a_row_is_never_an_exception() {
    let body = "[\"a\"]\n[\"String\"]\n[\"Code: 1. DB::Exception: x\"]\n[\"\\r\\n__exception__\\r\\n\"]\n";
    let events = decoded(200, &[FORMAT, TAG], body.as_bytes(), true, LIMITS);
    assert_eq!(rows(&events).len(), 2);
    assert_eq!(events.last(), Some(&QueryEvent::End));
}

#[test]
fn answers_that_break_off_are_broken() {
    let body = b"[\"a\"]\n[\"UInt8\"]\n[1]\n[2]\n";
    for end in 0..body.len() {
        let events = decoded(200, &[FORMAT], &body[..end], false, LIMITS);
        assert_eq!(broken(&events), "the connection ended before the end of the answer", "{end}");
    }
    // A proxy may hide that it broke off; then only whole lines pass.
    let ends: Vec<_> = (0..=body.len())
        .filter(|end| decoded(200, &[FORMAT], &body[..*end], true, LIMITS).last() == Some(&QueryEvent::End))
        .collect();
    assert_eq!(ends, [0, 16, 20, 24]);
}

#[test]
fn what_is_not_an_answer_is_broken() {
    let html = b"<html>\r\n<h1>Bad gateway</h1>\n nginx</html>";
    type Case = (u16, &'static [(&'static str, &'static str)], &'static [u8], &'static str);
    let table: &[Case] = &[
        (502, &[], html, "status 502, which is not an answer of ClickHouse: Bad gateway nginx"),
        (200, &[], html, "status 200, which is not an answer of ClickHouse: Bad gateway nginx"),
        (302, &[("location", "https://x/")], b"", "status 302, a redirect, which is not followed"),
        (401, &[], b"", "status 401, which is not an answer of ClickHouse"),
        (204, &[], b"", "status 204"),
        (200, &[("x-clickhouse-format", "CSV")], b"1\n", "the answer is in the format CSV"),
        (200, &[FORMAT, ("content-encoding", "gzip")], b"\x1f\x8b", "compressed"),
        (200, &[FORMAT], b"[\"a\"]\n[\"UInt8\",\"UInt8\"]\n", "do not match"),
        (200, &[FORMAT], b"[1]\n", "names of the columns"),
        (200, &[FORMAT], b"[\"a\"]\n[\"UInt8\"]\n[1,2]\n", "cannot be read"),
        (200, &[FORMAT], b"[\"a\"]\n[\"UInt8\"]\n\n", "not a row"),
        (200, &[FORMAT], html, "not a row"),
    ];
    for (status, headers, body, expected) in table {
        let events = decoded(*status, headers, body, true, LIMITS);
        assert!(broken(&events).contains(expected), "{events:?}");
    }
    let long = decoded(502, &[], "é".repeat(1000).as_bytes(), true, LIMITS);
    assert_eq!(broken(&long).matches('é').count(), 200);
}

#[test]
fn long_rows_end_the_answer() {
    let limits = ReadLimits { row_bytes: 5 };
    let start = "[\"a name\"]\n[\"String\"]\n[\"a\"]\n";
    let end = |body: &str| decoded(200, &[FORMAT], body.as_bytes(), true, limits).pop();
    assert_eq!(end(&format!("{start}[\"\"]\n")), Some(QueryEvent::End));
    assert_eq!(end(&format!("{start}[\"ab\"]\n[\"b\"]\n")), Some(QueryEvent::RowTooLong));
    assert_eq!(end(&format!("{start}[\"abcdef")), Some(QueryEvent::RowTooLong));
    let exception = format!("{start}Code: 395. DB::Exception: long enough");
    assert!(matches!(end(&exception), Some(QueryEvent::Exception(_))));
    let mut response = Response::new(&response_head(200, &[FORMAT]).expect("head"), limits);
    response.receive("[\"".repeat(1 << 20).as_bytes());
    assert!(matches!(response.poll_event(), Some(QueryEvent::Broken(_))));
    assert_eq!(response.poll_event(), None);
}

#[test]
fn fuzz_properties_hold_on_the_corpus_and_on_its_mutations() {
    for (folder, check) in [("clickhouse_http", check_http as fn(&[u8])), ("clickhouse_row", check_row)] {
        let path = format!("{}/fuzz/corpus/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(path).expect("corpus") {
            let seed = std::fs::read(entry.expect("entry").path()).expect("seed");
            check(&seed);
            let mut state = 1_u32;
            for _ in 0..2000 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let mut mutated = seed.clone();
                let at = (state >> 8) as usize % mutated.len();
                match state >> 30 {
                    0 => mutated.truncate(at),
                    1 => mutated[at] = (state >> 4) as u8,
                    2 => mutated.extend_from_slice(&seed[at..]),
                    _ => drop(mutated.remove(at)),
                }
                check(&mutated);
            }
        }
    }
}
