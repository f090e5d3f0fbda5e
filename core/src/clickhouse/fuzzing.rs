//! What must hold for any input of the decoders; fuzz targets and tests call these.
#![doc(hidden)]

use ::http::response::Parts;

use super::http::Response;
use super::query::{QueryEvent, ReadLimits};
use super::type_name::TypeName;
use super::value::encode_row;

/// Heads that an answer may have; a fuzzer's first byte picks one.
const HEADS: &[(u16, &[(&str, &str)])] = &[
    (200, &[FORMAT]),
    (200, &[FORMAT, TAG]),
    (200, &[TAG]),
    (200, &[("x-clickhouse-format", "CSV")]),
    (200, &[]),
    (500, &[("x-clickhouse-exception-code", "395"), ("x-clickhouse-query-id", "q"), FORMAT]),
    (404, &[("x-clickhouse-exception-code", "115")]),
    (502, &[]),
    (200, &[PROGRESS]),
    (200, &[PROGRESS, TAG]),
];
const PROGRESS: (&str, &str) = ("x-clickhouse-format", "JSONCompactEachRowWithProgress");
const FORMAT: (&str, &str) = ("x-clickhouse-format", "JSONCompactEachRowWithNamesAndTypes");
const TAG: (&str, &str) = ("x-clickhouse-exception-tag", "abcdefghijklmnop");

/// Decodes `data` behind a head and with a limit that its first bytes choose, in one piece and divided as its third
/// byte says: the events are the same, they end, and rows are JSON.
///
/// # Panics
///
/// When one of these does not hold.
pub fn check_http(data: &[u8]) {
    let [head, limit, division, body @ ..] = data else { return };
    let Some((status, headers)) = HEADS.get(usize::from(*head >> 1) % HEADS.len()) else { return };
    let complete = head & 1 == 1;
    let limits = ReadLimits { row_bytes: usize::from(*limit) * 16 };
    let Some(parts) = response_head(*status, headers) else { return };
    let whole = events(&parts, limits, &[body], complete);
    let pieces: Vec<&[u8]> = body.chunks(usize::from(*division).max(1)).collect();
    assert_eq!(
        whole,
        events(&parts, limits, &pieces, complete),
        "events depend on how the bytes are divided"
    );
    assert_well_formed(&whole);
}

/// Encodes the row behind the first line of `data` by the types in that line, divided by tabs: the result is JSON, or
/// an error.
///
/// # Panics
///
/// When it is not JSON.
pub fn check_row(data: &[u8]) {
    let (types, row) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => data.split_at(at),
        None => (data, [].as_slice()),
    };
    let types = String::from_utf8_lossy(types);
    let types: Vec<_> = types.split('\t').map(TypeName::parse).collect();
    let mut text = String::new();
    if encode_row(row.strip_prefix(b"\n").unwrap_or(row), &types, &mut text).is_ok() {
        let values = serde_json::from_str::<Vec<serde::de::IgnoredAny>>(&text).map(|values| values.len());
        assert_eq!(values.ok(), Some(types.len()), "not a row: {text}");
    }
}

/// The events of an answer that comes in these pieces, with all rows that follow each other in one.
pub(super) fn events(parts: &Parts, limits: ReadLimits, pieces: &[&[u8]], complete: bool) -> Vec<QueryEvent> {
    let mut response = Response::new(parts, limits);
    let mut events = Vec::new();
    for piece in pieces {
        response.receive(piece);
        events.extend(std::iter::from_fn(|| response.poll_event()));
    }
    response.finish(complete);
    events.extend(std::iter::from_fn(|| response.poll_event()));
    joined(events)
}

/// The same events with all rows that follow each other in one.
pub(super) fn joined(events: Vec<QueryEvent>) -> Vec<QueryEvent> {
    let mut joined: Vec<QueryEvent> = Vec::new();
    for event in events {
        match (joined.last_mut(), event) {
            (Some(QueryEvent::Rows(rows)), QueryEvent::Rows(more)) => rows.append(more),
            (_, event) => joined.push(event),
        }
    }
    joined
}

/// The head of an answer, if it is one.
pub(super) fn response_head(status: u16, headers: &[(&str, &str)]) -> Option<Parts> {
    let mut response = ::http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(()).ok().map(|response| response.into_parts().0)
}

fn assert_well_formed(events: &[QueryEvent]) {
    let Some((last, before)) = events.split_last() else { unreachable!("no events") };
    let is_middle = |event: &QueryEvent| {
        matches!(event, QueryEvent::Header(_) | QueryEvent::Rows(_) | QueryEvent::Progress { .. })
    };
    assert!(!is_middle(last) && before.iter().all(is_middle), "one event ends an answer: {events:?}");
    for event in events {
        let QueryEvent::Rows(rows) = event else { continue };
        assert!(!rows.is_empty(), "rows that are none");
        for row in rows.iter() {
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(row).is_ok(), "not JSON: {row}");
        }
    }
}
