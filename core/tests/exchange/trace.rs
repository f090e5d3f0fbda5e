//! Whose trace a query is part of, as ClickHouse is told.

use housekey_core::exchange::{Asked, Reply};
use housekey_core::jose::claims::Claims;
use housekey_core::secret::Secret;
use housekey_core::trace::TraceContext;
use serde_json::{Value, json};

use crate::bound::{asked, bound, plan};
use crate::driver::{Scripted, rows, stateless};
use crate::identity::{SECURE, person, token};

const OF_THE_HEADER: &str = "00-11111111111111111111111111111111-1111111111111111-01";
const OF_THE_MESSAGE: &str = "00-22222222222222222222222222222222-2222222222222222-01";

fn call(meta: &Value) -> Value {
    json!({ "name": "execute_query", "arguments": { "query": "SELECT 1" }, "_meta": meta })
}

/// The `_meta` of a stateless request, with more members.
fn stateless_meta(more: Value) -> Value {
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    meta.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
    meta
}

/// The `traceparent` and `tracestate` of each query.
fn traces(server: &Scripted) -> Vec<Option<(String, String)>> {
    let shown = |trace: &TraceContext| (trace.parent(), trace.state.clone());
    server.queries().iter().map(|query| query.trace.as_ref().map(shown)).collect()
}

fn told(parent: &str, state: &str) -> Option<(String, String)> {
    Some((parent.to_owned(), state.to_owned()))
}

#[test]
fn the_message_goes_before_the_header_and_the_header_before_nothing() {
    for (headers, meta, wanted) in [
        (vec![], json!({}), None),
        (vec![("traceparent", OF_THE_HEADER), ("tracestate", "a=1")], json!({}), told(OF_THE_HEADER, "a=1")),
        (vec![], json!({ "traceparent": OF_THE_MESSAGE, "tracestate": "b=2" }), told(OF_THE_MESSAGE, "b=2")),
        // A state belongs to its own parent.
        (
            vec![("traceparent", OF_THE_HEADER), ("tracestate", "a=1")],
            json!({ "traceparent": OF_THE_MESSAGE }),
            told(OF_THE_MESSAGE, ""),
        ),
        (vec![("traceparent", OF_THE_HEADER)], json!({ "traceparent": "00-mine" }), told(OF_THE_HEADER, "")),
        (vec![("traceparent", OF_THE_HEADER)], json!({ "traceparent": 7 }), told(OF_THE_HEADER, "")),
        (vec![("traceparent", "mine"), ("tracestate", "a=1")], json!({}), None),
        (vec![("traceparent", OF_THE_HEADER), ("traceparent", OF_THE_MESSAGE)], json!({}), None),
        (vec![("tracestate", "a=1")], json!({ "tracestate": "b=2" }), None),
    ] {
        let mut server = Scripted::new(&[]);
        server.script.push_back(rows(&[1]));
        let shown = format!("{headers:?} {meta}");
        let params = call(&stateless_meta(meta));
        let mut request = stateless("tools/call", &params);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
        let answer = server.http(request.body(message.as_str()).unwrap());
        assert_eq!((answer.status(), traces(&server)), (http::StatusCode::OK, vec![wanted]), "{shown}");
    }
}

#[test]
fn each_message_of_an_array_has_its_own() {
    let mut server = Scripted::new(&[]);
    server.script.extend([rows(&[1]), rows(&[2])]);
    let call =
        |id, meta| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call(&meta) });
    let messages = json!([call(1, json!({ "traceparent": OF_THE_MESSAGE })), call(2, json!({}))]).to_string();
    let request = http::Request::post("/mcp")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2025-03-26")
        .header("traceparent", OF_THE_HEADER);
    server.http(request.body(messages.as_str()).unwrap());
    assert_eq!(traces(&server), [told(OF_THE_MESSAGE, ""), told(OF_THE_HEADER, "")]);
}

#[test]
fn a_line_says_it_in_the_message() {
    let mut server = Scripted::new(&[("MCP_TRANSPORT", "stdio")]);
    server.script.push_back(rows(&[1]));
    let service = std::sync::Arc::clone(&server.service);
    let mut session = service.open_session(&mut server.env()).unwrap();
    let meta = stateless_meta(json!({ "traceparent": OF_THE_MESSAGE, "tracestate": "b=2" }));
    let line =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call(&meta) }).to_string();
    assert!(matches!(server.line(&line, &mut session), Reply::Lines { .. }));
    assert_eq!(traces(&server), [told(OF_THE_MESSAGE, "b=2")]);
}

/// A server of a token's own: whoever runs it has no part in the operator's traces.
fn elsewhere() -> Claims {
    Claims {
        host: Some("elsewhere.example.com".into()),
        username: Some("u".into()),
        password: Some(Secret::from("p")),
        ..Claims::default()
    }
}

#[test]
fn a_server_that_a_token_chose_is_not_told() {
    for (claims, wanted) in [(elsewhere(), None), (person("alice"), told(OF_THE_MESSAGE, ""))] {
        let mut server = Scripted::new(SECURE);
        server.script.push_back(rows(&[1]));
        let params = call(&stateless_meta(json!({ "traceparent": OF_THE_MESSAGE })));
        let request = stateless("tools/call", &params)
            .header("authorization", format!("Bearer {}", token(claims)))
            .header("traceparent", OF_THE_HEADER);
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
        server.http(request.body(message.as_str()).unwrap());
        assert_eq!(traces(&server), [wanted]);
    }
}

#[test]
fn a_guest_may_say_it_and_the_operators_server_alone_is_told() {
    let trace = TraceContext::parse(OF_THE_MESSAGE, ["b=2"]);
    for (claims, wanted) in [(person("alice"), trace.clone()), (elsewhere(), None)] {
        let mut server = Scripted::new(SECURE);
        let caller = bound(&mut server, &claims);
        let asked = Asked { trace: trace.clone(), ..asked("SELECT 1", &[]) };
        let bounded = plan(&mut server, &caller, &asked).unwrap();
        assert_eq!(bounded.request.trace, wanted);
        assert_eq!(bounded.cancellation().unwrap().trace, wanted);
    }
}
