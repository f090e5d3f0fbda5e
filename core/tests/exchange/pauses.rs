//! Every reason to wait, through a table of tools that has them all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use housekey_core::clickhouse::{Column, QueryEvent};
use housekey_core::env::Env;
use housekey_core::exchange::Reply;
use housekey_core::fetch::{Document, FetchFailure, FetchRequest};
use housekey_core::jsonrpc::RequestId;
use housekey_core::mcp::{CallResult, Definition, Hints, Questions, ServerRequest};
use housekey_core::tool::{Answered, Call, Moment, Table, Task, Tool, ToolState, ToolStep};
use serde_json::json;

use crate::driver::{Asked, Scripted, World, json, post};

/// Fetches, asks or waits as its argument says, and tells what came.
struct Pausing(Definition);

impl Tool for Pausing {
    fn definition(&self) -> &Definition {
        &self.0
    }
}

impl Task for Pausing {
    fn start(&self, env: &mut Env<'_>, call: &Call) -> ToolStep {
        let state = json!({ "kept": 7 });
        match call.arguments.get("what").and_then(|what| what.as_str()) {
            Some("fetch") => ToolStep::Fetch(
                FetchRequest::document("https://idp.example.com/keys", "a test", Duration::from_secs(60)),
                state,
            ),
            Some("ask") => ToolStep::Ask(
                Questions::one("who", ServerRequest::form("?", json!({ "type": "object" }))),
                state,
            ),
            _ => ToolStep::Wait(env.now.after(Duration::from_secs(5)), state),
        }
    }

    fn resume(&self, _env: &mut Env<'_>, _call: &Call, state: ToolState, moment: Moment) -> ToolStep {
        assert_eq!(state, json!({ "kept": 7 }), "a pause keeps the state");
        let told = match moment {
            Moment::Fetched(Ok(document)) => json!({ "bytes": document.body.len() }),
            Moment::Fetched(Err(error)) => return ToolStep::Done(CallResult::Failed(error.to_string())),
            Moment::Answered(Answered::Given(answers)) => json!({ "answer": answers.get("who") }),
            Moment::Answered(Answered::CannotAsk) => json!({ "answer": null }),
            Moment::Woken => json!({ "woken": true }),
            Moment::Queried(_) | Moment::Told => json!({}),
        };
        ToolStep::Done(CallResult::Structured(told.to_string()))
    }
}

fn server() -> Scripted {
    let hints = Hints { read_only: true, destructive: false, idempotent: true, open_world: false };
    let definition = Definition {
        name: "pause".into(),
        title: "Pause".into(),
        description: "Pauses".into(),
        input_schema: json!({ "type": "object" }),
        output_schema: None,
        hints,
    };
    Scripted::with_tools(&[], Table::new(vec![Arc::new(Pausing(definition))]))
}

fn call(what: &str) -> http::Request<&'static str> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                       "params": { "name": "pause", "arguments": { "what": what } } });
    post("2025-11-25", Box::leak(body.to_string().into_boxed_str()))
}

#[test]
fn a_fetched_document_becomes_a_fact() {
    let mut server = server();
    let document =
        Document { status: 200, content_type: None, cache_control: None, body: Bytes::from_static(b"{}") };
    server.script.push_back(World::Document(Ok(document)));
    for _ in 0..2 {
        let answer = json(&server.http(call("fetch")));
        assert_eq!(answer["result"]["structuredContent"], json!({ "bytes": 2 }));
    }
    let [Asked::Fetch(request)] = &server.asked[..] else { panic!("one fetch: the second call knew it") };
    assert_eq!(request.purpose, "a test");
    server.now = server.now.after(Duration::from_secs(61));
    server.script.push_back(World::Document(Err(FetchFailure::Status(503))));
    assert_eq!(json(&server.http(call("fetch")))["result"]["isError"], true);
}

#[test]
fn a_question_is_answered_or_declined() {
    let mut server = server();
    let service = server.service.clone();
    let mut session = service.open_session(&mut server.env()).unwrap();
    let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}}}}"#;
    server.line(hello, &mut session);
    let ask = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pause","arguments":{"what":"ask"}}}"#;
    let mut answered = |answer: Option<serde_json::Value>| {
        server.script.push_back(World::Answer(answer));
        let Reply::Lines { messages, .. } = server.line(ask, &mut session) else { panic!("lines") };
        let answer: serde_json::Value = serde_json::from_str(&messages[0]).unwrap();
        answer["result"]["structuredContent"]["answer"].clone()
    };
    let accepted = json!({ "action": "accept", "content": {} });
    assert_eq!(answered(Some(accepted.clone())), accepted);
    assert!(answered(None).is_null());
    assert!(answered(Some(json!({ "action": "accept" }))).is_null(), "not the shape of an answer");
    let [Asked::Ask(first), Asked::Ask(second), Asked::Ask(_)] = &server.asked[..] else {
        panic!("three questions")
    };
    assert_ne!(first[0].id, second[0].id);
    let text: serde_json::Value = serde_json::from_str(&first[0].text).unwrap();
    assert_eq!((&text["method"], &text["params"]["message"]), (&json!("elicitation/create"), &json!("?")));
    // Over HTTP without a session nobody can be asked, and nobody is.
    let answer = json(&server.http(call("ask")));
    assert!(answer["result"]["structuredContent"]["answer"].is_null());
    assert_eq!(server.asked.len(), 3);
}

#[test]
fn a_wait_ends_at_its_moment() {
    let mut server = server();
    let until = server.now.after(Duration::from_secs(5));
    server.script.push_back(World::Moment);
    let answer = json(&server.http(call("wait")));
    assert_eq!(answer["result"]["structuredContent"]["woken"], true);
    assert!(matches!(server.asked[..], [Asked::Wait(at)] if at == until));
}

#[test]
fn progress_is_sent_when_asked_for_and_only_ever_rises() {
    let mut server = Scripted::new(&[]);
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 1"},"_meta":{"progressToken":"t"}}}"#;
    let progress = |read_rows| QueryEvent::Progress { read_rows, read_bytes: 0, total_rows: Some(10) };
    let header = vec![Column { name: "n".into(), type_name: "UInt8".into() }];
    let events = vec![
        progress(1),
        QueryEvent::Header(header),
        progress(1),
        progress(5),
        QueryEvent::Rows(["[1]"].iter().collect()),
        QueryEvent::End,
    ];
    server.script.push_back(World::Rows(events.clone()));
    server.http(post("2025-06-18", body));
    assert!(server.sent.is_empty(), "the client takes no events");
    let (mut head, body) = post("2025-06-18", body).into_parts();
    head.headers.insert("accept", "application/json, text/event-stream".parse().unwrap());
    server.script.push_back(World::Rows(events));
    server.http(http::Request::from_parts(head, body));
    let sent: Vec<serde_json::Value> =
        server.sent.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(sent.len(), 2);
    assert_eq!(
        sent[1]["params"],
        json!({ "progressToken": "t", "progress": 5, "total": 10, "message": "5 of 10 rows read" })
    );
}

#[test]
fn a_cancelled_request_is_named_to_the_host() {
    let mut server = Scripted::new(&[]);
    let service = server.service.clone();
    let mut session = service.open_session(&mut server.env()).unwrap();
    for (params, wanted) in [
        (r#"{"requestId":3}"#, Some(RequestId::Number(3))),
        (r#"{"requestId":"3"}"#, Some(RequestId::Text("3".into()))),
        (r#"{"requestId":null}"#, None),
        ("{}", None),
    ] {
        let line = format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#);
        let reply = server.line(&line, &mut session);
        let nothing = matches!(&reply, Reply::Lines { messages, .. } if messages.is_empty());
        let Reply::Cancel(id) = reply else {
            assert!(nothing && wanted.is_none());
            continue;
        };
        assert_eq!(Some(id), wanted);
    }
}
