//! What the headers of a streamable HTTP request must say.

use base64ct::{Base64, Encoding};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};

use crate::jsonrpc::Params;
use crate::mcp::Revision;
use crate::trace::TraceContext;

/// The revision that a request declares (MCP, transports, protocol version header).
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The method of the request (MCP 2026-07-28, transports, standard headers).
pub const METHOD: &str = "mcp-method";
/// The name or URI that the request is about (MCP 2026-07-28, transports, standard headers).
pub const NAME: &str = "mcp-name";

/// The session that a request is part of (MCP 2025-11-25, transports, session management).
pub const SESSION: &str = "mcp-session-id";
/// The last event that a client has seen of a stream that broke off (MCP 2025-11-25, transports, resumability).
pub const LAST_EVENT: &str = "last-event-id";

/// The span that asks (W3C Trace Context section 3.2).
pub const TRACEPARENT: &str = "traceparent";
/// What else tracing systems say of it (W3C Trace Context section 3.3).
pub const TRACESTATE: &str = "tracestate";

/// The headers on which the answer to a message depends, once its sender is known, or what is logged of it.
pub const OF_MESSAGES: [&str; 9] = [
    "accept",
    "content-type",
    "content-length",
    "origin",
    PROTOCOL_VERSION,
    METHOD,
    NAME,
    TRACEPARENT,
    TRACESTATE,
];

/// Why the head of a POST does not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The client takes neither form of answer.
    #[error("Accept must allow application/json or text/event-stream")]
    NotAcceptable,
    /// The client takes no JSON.
    #[error("Accept must allow application/json")]
    NotJsonAcceptable,
    /// The client takes no event stream where there is nothing else.
    #[error("Accept must allow text/event-stream")]
    NotEventsAcceptable,
    /// The body is not declared to be JSON.
    #[error("Content-Type must be application/json")]
    UnsupportedMediaType,
    /// The declared length exceeds the limit.
    #[error("the body may have {0} bytes at most")]
    TooLarge(usize),
}

/// Why headers and body disagree: `-32020` (MCP 2026-07-28, transports).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MismatchError {
    /// A required header is missing.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// A header stands there twice.
    #[error("the header {0} must stand there once")]
    Repeated(&'static str),
    /// A header cannot be read.
    #[error("the header {0} cannot be decoded")]
    Undecodable(&'static str),
    /// A header says something other than the body.
    #[error("the header {0} does not match the body")]
    Different(&'static str),
}

/// Judges `Accept`, `Content-Type` and `Content-Length`.
pub fn check_head(headers: &HeaderMap, max_body: usize) -> Result<(), HeadError> {
    if !accepts_our_answers(headers) {
        return Err(HeadError::NotAcceptable);
    }
    if !declares_json(headers) {
        return Err(HeadError::UnsupportedMediaType);
    }
    check_length(headers, max_body)
}

/// The same where JSON is the only form of answer.
pub fn check_json_head(headers: &HeaderMap, max_body: usize) -> Result<(), HeadError> {
    check_json_is_taken(headers)?;
    if !declares_json(headers) {
        return Err(HeadError::UnsupportedMediaType);
    }
    check_length(headers, max_body)
}

/// Judges `Content-Type` alone.
pub fn check_json_type(headers: &HeaderMap) -> Result<(), HeadError> {
    if declares_json(headers) { Ok(()) } else { Err(HeadError::UnsupportedMediaType) }
}

/// Whether `Accept` lets an event stream be the answer.
pub fn may_take_events(headers: &HeaderMap) -> bool {
    accepts(headers, &["*/*", "text/*", "text/event-stream"])
}

/// Judges `Accept` where JSON is the only form of answer.
pub fn check_json_is_taken(headers: &HeaderMap) -> Result<(), HeadError> {
    if accepts(headers, &["*/*", "application/*", "application/json"]) {
        Ok(())
    } else {
        Err(HeadError::NotJsonAcceptable)
    }
}

/// Judges `Content-Length` alone.
pub fn check_length(headers: &HeaderMap, max_body: usize) -> Result<(), HeadError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > max_body)) {
        return Err(HeadError::TooLarge(max_body));
    }
    Ok(())
}

fn accepts_our_answers(headers: &HeaderMap) -> bool {
    accepts(headers, &["*/*", "application/*", "application/json", "text/*", "text/event-stream"])
}

/// Whether `Accept` has one of these ranges, or is not there.
fn accepts(headers: &HeaderMap, wanted: &[&str]) -> bool {
    let mut ranges = headers.get_all(ACCEPT).iter().peekable();
    if ranges.peek().is_none() {
        return true;
    }
    ranges.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|range| {
        let range = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        wanted.contains(&range.as_str())
    })
}

/// Whether the client says that it takes an event stream: only then may messages precede the reply.
pub fn takes_events(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let kind = range.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("text/event-stream")
        })
}

fn declares_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The declared revision as text, when there is exactly one.
pub fn declared_version(headers: &HeaderMap) -> Result<Option<&str>, MismatchError> {
    single(headers, PROTOCOL_VERSION)
}

/// Whether the header names a revision of the stateless kind, or one that nobody knows.
///
/// An unknown version is answered the stateless way, which lists what is supported; only the names of handshake
/// revisions lead to the older rules.
pub fn declares_stateless(version: Option<&str>) -> bool {
    version.is_some_and(|version| Revision::parse(version).is_none_or(Revision::is_stateless))
}

/// Compares the standard headers with the body of a stateless request.
pub fn check_standard(
    headers: &HeaderMap,
    version: &str,
    method: &str,
    params: &Params,
) -> Result<(), MismatchError> {
    require(headers, PROTOCOL_VERSION, version, false)?;
    require(headers, METHOD, method, false)?;
    let named = match method {
        "tools/call" | "prompts/get" => params.get("name"),
        "resources/read" => params.get("uri"),
        _ => return Ok(()),
    };
    match named.and_then(serde_json::Value::as_str) {
        Some(name) => require(headers, NAME, name, true),
        // A body without the name is at fault itself; the method says so.
        None => Ok(()),
    }
}

/// Where the request stands in a trace, if its headers say so.
pub fn trace_context(headers: &HeaderMap) -> Option<TraceContext> {
    let parent = single(headers, TRACEPARENT).ok()??;
    let states = headers.get_all(TRACESTATE).iter();
    // What is no text is no list either, and the lists of all headers are one.
    let states: Option<Vec<_>> = states.map(|value| std::str::from_utf8(value.as_bytes()).ok()).collect();
    TraceContext::parse(parent, states.unwrap_or_default())
}

fn require(
    headers: &HeaderMap,
    name: &'static str,
    wanted: &str,
    encoded: bool,
) -> Result<(), MismatchError> {
    let value = single(headers, name)?.ok_or(MismatchError::Missing(name))?;
    let matches = match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(base64) if encoded => {
            let bytes = Base64::decode_vec(base64).map_err(|_| MismatchError::Undecodable(name))?;
            let text = String::from_utf8(bytes).map_err(|_| MismatchError::Undecodable(name))?;
            text == wanted
        }
        _ => value == wanted,
    };
    if matches { Ok(()) } else { Err(MismatchError::Different(name)) }
}

fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, MismatchError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(MismatchError::Repeated(name));
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| MismatchError::Undecodable(name))?;
    Ok(Some(text.trim_matches([' ', '\t'])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(entries: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in entries {
            headers.append(*name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn the_head_is_judged_by_type_and_length() {
        let json = ("content-type", "application/json");
        for (entries, wanted) in [
            (vec![json], Ok(())),
            (vec![("content-type", "Application/JSON; charset=utf-8")], Ok(())),
            (vec![json, ("accept", "application/json, text/event-stream")], Ok(())),
            (vec![json, ("accept", "*/*;q=0.1")], Ok(())),
            (vec![json, ("accept", "text/html")], Err(HeadError::NotAcceptable)),
            (vec![("content-type", "text/plain")], Err(HeadError::UnsupportedMediaType)),
            (vec![], Err(HeadError::UnsupportedMediaType)),
            (vec![json, ("content-length", "100")], Ok(())),
            (vec![json, ("content-length", "101")], Err(HeadError::TooLarge(100))),
        ] {
            assert_eq!(check_head(&map(&entries), 100), wanted, "{entries:?}");
        }
    }

    #[test]
    fn events_are_taken_by_name_only() {
        for (accept, wanted) in [
            ("application/json, text/event-stream", true),
            ("TEXT/event-stream;q=0.5", true),
            ("*/*", false),
            ("application/json", false),
        ] {
            assert_eq!(takes_events(&map(&[("accept", accept)])), wanted, "{accept}");
        }
        assert!(!takes_events(&HeaderMap::new()));
    }

    #[test]
    fn standard_headers_must_say_what_the_body_says() {
        let params = json!({ "name": "execute_query" });
        let params = params.as_object().unwrap();
        let version = (PROTOCOL_VERSION, "2026-07-28");
        let method = (METHOD, "tools/call");
        for (entries, wanted) in [
            (vec![version, method, (NAME, " execute_query\t")], Ok(())),
            (vec![version, method, (NAME, "=?base64?ZXhlY3V0ZV9xdWVyeQ==?=")], Ok(())),
            (
                vec![version, method, (NAME, "=?base64?ZXhlY3V0ZV9xdWVyeQ?=")],
                Err(MismatchError::Undecodable(NAME)),
            ),
            (vec![version, method, (NAME, "=?base64?_w==?=")], Err(MismatchError::Undecodable(NAME))),
            (vec![version, method, (NAME, "=?base64?/w==?=")], Err(MismatchError::Undecodable(NAME))),
            (vec![version, method, (NAME, "=?base64?eA==")], Err(MismatchError::Different(NAME))),
            (vec![version, method, (NAME, "other")], Err(MismatchError::Different(NAME))),
            (vec![version, method], Err(MismatchError::Missing(NAME))),
            (
                vec![version, method, (NAME, "execute_query"), (NAME, "other")],
                Err(MismatchError::Repeated(NAME)),
            ),
            (
                vec![version, (METHOD, "TOOLS/CALL"), (NAME, "execute_query")],
                Err(MismatchError::Different(METHOD)),
            ),
            (vec![version], Err(MismatchError::Missing(METHOD))),
            (vec![method], Err(MismatchError::Missing(PROTOCOL_VERSION))),
            (vec![(PROTOCOL_VERSION, "2025-11-25"), method], Err(MismatchError::Different(PROTOCOL_VERSION))),
        ] {
            assert_eq!(
                check_standard(&map(&entries), "2026-07-28", "tools/call", params),
                wanted,
                "{entries:?}"
            );
        }
    }

    #[test]
    fn a_trace_has_one_parent_and_any_number_of_states() {
        let parent = (TRACEPARENT, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let other = (TRACEPARENT, "00-11111111111111111111111111111111-b7ad6b7169203331-01");
        let state = |entries: &[(&'static str, &str)]| trace_context(&map(entries)).map(|trace| trace.state);
        assert_eq!(state(&[parent, (TRACESTATE, "a=1"), (TRACESTATE, "b=2")]).as_deref(), Some("a=1,b=2"));
        assert_eq!(state(&[parent]).as_deref(), Some(""));
        assert_eq!(state(&[parent, (TRACESTATE, "A")]).as_deref(), Some(""));
        assert_eq!(state(&[parent, other, (TRACESTATE, "a=1")]), None);
        assert_eq!(state(&[(TRACESTATE, "a=1")]), None);
        let mut bytes = map(&[parent, (TRACESTATE, "a=1")]);
        bytes.append(TRACESTATE, http::HeaderValue::from_bytes(b"b=\xff").unwrap());
        assert_eq!(trace_context(&bytes).unwrap().state, "");
    }

    #[test]
    fn unknown_versions_are_answered_the_stateless_way() {
        for (version, stateless) in [
            (None, false),
            (Some("2025-11-25"), false),
            (Some("2026-07-28"), true),
            (Some("1999-01-01"), true),
        ] {
            assert_eq!(declares_stateless(version), stateless, "{version:?}");
        }
    }
}
