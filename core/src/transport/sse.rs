//! Server-sent events as MCP uses them.

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
