//! Server-sent events as MCP uses them.

use std::time::Duration;

/// The head of an event stream. Proxies must neither buffer nor transform it.
pub fn head() -> http::Response<()> {
    let mut head = http::Response::new(());
    let headers = head.headers_mut();
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    head
}

/// One event with a JSON text, which has no line breaks, as its data.
pub fn event(json: &str) -> String {
    format!("event: message\ndata: {json}\n\n")
}

/// An event with an id, from which a stream can be taken up again (MCP 2025-11-25, transports, resumability).
pub fn numbered(id: &str, json: &str) -> String {
    format!("id: {id}\nevent: message\ndata: {json}\n\n")
}

/// The event without data that begins a stream which can be taken up again, and after which time its client may try.
pub fn priming(id: &str, retry: Duration) -> String {
    format!("id: {id}\nretry: {}\ndata: \n\n", retry.as_millis())
}

/// When a client that is sent away may come again.
pub fn retry(after: Duration) -> String {
    format!("retry: {}\n\n", after.as_millis())
}

/// A comment, which parsers pass over (HTML Living Standard, server-sent events, section 9.2.6).
pub const COMMENT: &[u8] = b": alive\n\n";
