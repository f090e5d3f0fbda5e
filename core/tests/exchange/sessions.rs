//! Sessions, what is told in them, and requests that listen.

use bytes::Bytes;
use housekey_core::exchange::{Abilities, Admission, Reply, Session, StreamWish, Word, admit};
use housekey_core::jsonrpc::RequestId;
use housekey_core::mcp::Change;
use serde_json::{Value, json};

use crate::chatty::server;
use crate::driver::{Scripted, json, stateless};
use crate::identity::{SECURE, person, token};

const SEALED: &[(&str, &str)] = &[("MCP_SEALING_SECRET", "a-secret-of-thirty-two-characters")];

fn request(session: Option<&str>, body: &Value) -> http::Request<String> {
    let builder = http::Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    let builder = match session {
        Some(session) => builder.header("mcp-session-id", session),
        None => builder,
    };
    builder.body(body.to_string()).unwrap()
}

fn send(server: &mut Scripted, session: Option<&Session>, body: &Value) -> Reply {
    let (head, body) = request(session.and_then(Session::id), body).into_parts();
    server.reply(http::Request::from_parts(head, body.as_str()), session.cloned())
}

fn answer(reply: Reply) -> http::Response<Bytes> {
    let Reply::Http(answer) = reply else { panic!("an answer, not {reply:?}") };
    answer
}

fn initialize(server: &mut Scripted, version: &str) -> (Session, Value) {
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize",
                        "params": { "protocolVersion": version, "capabilities": { "elicitation": {} } } });
    let Reply::Opened(answer, session) = send(server, None, &hello) else { panic!("a session") };
    assert_eq!(answer.headers()["mcp-session-id"], session.id().unwrap());
    (session, json(&answer))
}

fn message(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 2, "method": method, "params": params })
}

#[test]
fn a_session_is_begun_needed_and_ended() {
    let mut server = server(Abilities::ALL, &[]);
    let (session, hello) = initialize(&mut server, "2025-11-25");
    let id = session.id().unwrap().to_owned();
    assert!(id.len() >= 32 && id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "{id}");
    assert_ne!(initialize(&mut server, "2025-11-25").0.id(), session.id());
    let declared = &hello["result"]["capabilities"];
    assert_eq!(declared["resources"], json!({ "listChanged": true, "subscribe": true }));
    assert_eq!((&declared["tools"], &declared["logging"]), (&json!({ "listChanged": true }), &json!({})));

    let list = message("tools/list", json!({}));
    assert_eq!(answer(send(&mut server, Some(&session), &list)).status(), 200);
    assert_eq!(answer(send(&mut server, None, &list)).status(), 400, "MCP 2025-11-25, transports: missing");
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(answer(send(&mut server, None, &initialized)).status(), 400);
    assert_eq!(answer(send(&mut server, Some(&session), &initialized)).status(), 202);
    let (head, body) = request(Some("nonsense"), &list).into_parts();
    let unknown = server.reply(http::Request::from_parts(head, body.as_str()), None);
    assert_eq!(answer(unknown).status(), 404, "MCP 2025-11-25, transports: unknown");

    let wish = |server: &mut Scripted, method: &str, accept: &str| {
        let request = http::Request::builder()
            .method(method)
            .uri("/mcp")
            .header("host", "localhost")
            .header("accept", accept)
            .header("mcp-session-id", "x")
            .header("last-event-id", "3-4")
            .body("")
            .unwrap();
        server.wish(request)
    };
    let listen = StreamWish::Listen { session: "x".into(), after: Some("3-4".into()) };
    assert_eq!(wish(&mut server, "GET", "text/event-stream"), Ok(Some(listen)));
    assert_eq!(wish(&mut server, "GET", "application/json"), Err(406));
    assert_eq!(wish(&mut server, "DELETE", "*/*"), Ok(Some(StreamWish::End { session: "x".into() })));
    assert_eq!(wish(&mut server, "PUT", "*/*"), Err(405));
    let bare = http::Request::get("/mcp").header("host", "localhost").body("").unwrap();
    assert_eq!(server.wish(bare), Err(400));
}

#[test]
fn stateless_requests_know_of_no_session() {
    let mut server = server(Abilities::ALL, &[]);
    let body = crate::driver::stateless_body(1, "tools/list", json!({}));
    let request =
        stateless("tools/list", &json!({})).header("mcp-session-id", "nonsense").body(body.as_str()).unwrap();
    let answer = server.http(request);
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().get("mcp-session-id").is_none());
}

#[test]
fn a_session_is_its_callers_alone() {
    let mut server = server(Abilities::ALL, SECURE);
    let head = |token: &str, session: Option<&str>| {
        let builder = http::Request::post("/mcp")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"));
        match session {
            Some(session) => builder.header("mcp-session-id", session),
            None => builder,
        }
    };
    let (alice, bob) = (token(person("alice")), token(person("bob")));
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    let Reply::Opened(_, session) = server.reply(head(&alice, None).body(hello).unwrap(), None) else {
        panic!("a session")
    };
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for (token, wanted) in [(&alice, 200), (&bob, 404), (&"eyJ".to_owned(), 401)] {
        let request = head(token, session.id()).body(ping).unwrap();
        assert_eq!(answer(server.reply(request, Some(session.clone()))).status(), wanted);
    }
    // One that has ended, or that nobody had, looks the same.
    let request = head(&alice, session.id()).body(ping).unwrap();
    assert_eq!(answer(server.reply(request, None)).status(), 404);
}

#[test]
fn a_session_keeps_levels_and_subscriptions() {
    let mut server = server(Abilities::ALL, &[]);
    let (session, _) = initialize(&mut server, "2025-11-25");
    let service = server.service.clone();
    let mut ask = |method: &str, params: Value| {
        let reply = answer(send(&mut server, Some(&session), &message(method, params)));
        assert_eq!(reply.status(), 200);
        json(&reply)
    };
    let log = |ask: &mut dyn FnMut(&str, Value) -> Value, level: &str| {
        ask("tools/call", json!({ "name": "chat", "arguments": { "what": "log", "level": level } }));
    };
    let changed = |uri: &str| session.notice(&service, &Change::Resource { uri: uri.into() });
    assert_eq!(changed("test://asks"), None);
    assert_eq!(ask("resources/subscribe", json!({ "uri": "test://asks" }))["result"], json!({}));
    assert!(changed("test://asks").unwrap().contains("notifications/resources/updated"));
    assert_eq!(changed("test://other"), None);
    assert_eq!(ask("resources/subscribe", json!({ "uri": "test://other" }))["error"]["code"], -32002);
    assert_eq!(ask("resources/unsubscribe", json!({ "uri": "test://asks" }))["result"], json!({}));
    assert_eq!(changed("test://asks"), None);
    assert!(session.notice(&service, &Change::Prompts).unwrap().contains("prompts/list_changed"));

    log(&mut ask, "debug");
    assert_eq!(ask("logging/setLevel", json!({ "level": "warning" }))["result"], json!({}));
    assert_eq!(ask("logging/setLevel", json!({ "level": "loud" }))["error"]["code"], -32602);
    log(&mut ask, "info");
    log(&mut ask, "error");
    let levels: Vec<Value> = server
        .sent
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).unwrap()["params"]["level"].clone())
        .collect();
    assert_eq!(levels, ["debug", "error"]);
}

#[test]
fn without_sessions_nothing_is_promised_that_needs_one() {
    let mut server = Scripted::new(&[]);
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let hello = message("initialize", json!({ "protocolVersion": version }));
        let reply = answer(send(&mut server, None, &hello));
        assert!(reply.headers().get("mcp-session-id").is_none());
        let declared = json(&reply)["result"]["capabilities"].clone();
        assert!(declared.get("logging").is_none(), "{declared}");
        for name in ["tools", "resources", "prompts"] {
            assert_eq!(declared[name], json!({}), "{version} {name}");
        }
        for method in
            ["logging/setLevel", "resources/subscribe", "resources/unsubscribe", "subscriptions/listen"]
        {
            let reply = json(&answer(send(&mut server, None, &message(method, json!({})))));
            assert_eq!(reply["error"]["code"], -32601, "{method}");
        }
    }
    for method in ["GET", "DELETE"] {
        let request = http::Request::builder().method(method).uri("/mcp").header("host", "localhost");
        let reply = server.http(request.body("").unwrap());
        assert_eq!((reply.status().as_u16(), &reply.headers()["allow"]), (405, &"POST".parse().unwrap()));
    }
}

#[test]
fn responses_and_cancellations_find_their_session() {
    let mut server = server(Abilities::ALL, &[]);
    let (session, _) = initialize(&mut server, "2025-06-18");
    let response = json!({ "jsonrpc": "2.0", "id": 7, "result": { "action": "decline" } });
    let Reply::Answer(id, Ok(result)) = send(&mut server, Some(&session), &response) else {
        panic!("the client's answer")
    };
    assert_eq!((id, &result["action"]), (RequestId::Number(7), &json!("decline")));
    let cancelled =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "a" } });
    assert!(matches!(send(&mut server, Some(&session), &cancelled), Reply::Cancel(RequestId::Text(_))));
    // Without a session an id could be anybody's.
    let mut product = Scripted::new(&[]);
    for body in [response, cancelled] {
        assert_eq!(answer(send(&mut product, None, &body)).status(), 202);
    }
}

#[test]
fn what_a_tool_tells_reaches_whom_it_is_for() {
    let mut server = server(Abilities::ALL, SEALED);
    let mut call = |arguments: Value, meta: Value| {
        let mut params = json!({ "name": "chat", "arguments": arguments });
        params["_meta"] = meta;
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
        json(&server.http(stateless("tools/call", &params).body(body.as_str()).unwrap()))
    };
    let level = |level: &str| json!({ "io.modelcontextprotocol/logLevel": level });
    call(json!({ "what": "log" }), json!({}));
    call(json!({ "what": "log" }), level("warning"));
    call(json!({ "what": "log" }), level("info"));
    assert_eq!(call(json!({ "what": "log" }), level("loud"))["error"]["code"], -32602);
    call(json!({ "what": "progress" }), json!({}));
    call(json!({ "what": "progress" }), json!({ "progressToken": 7 }));
    call(json!({ "what": "change" }), json!({}));
    let sent: Vec<Value> = server.sent.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(sent.len(), 2, "one of the log, one of progress that rises: {sent:?}");
    assert_eq!(sent[0]["params"], json!({ "level": "info", "logger": "l", "data": "d" }));
    assert_eq!(sent[1]["params"], json!({ "progressToken": 7, "progress": 1, "total": 2.5 }));
    assert_eq!(server.told, [Word::Everybody(Change::Tools)]);
}

#[test]
fn content_is_written_as_each_revision_knows_it() {
    let mut server = server(Abilities::default(), &[]);
    for (version, first, second) in [
        ("2024-11-05", "resource", "text"),
        ("2025-03-26", "audio", "text"),
        ("2025-06-18", "audio", "resource_link"),
    ] {
        let body = message("tools/call", json!({ "name": "chat", "arguments": { "what": "content" } }));
        let (mut head, body) = request(None, &body).into_parts();
        head.headers.insert("mcp-protocol-version", version.parse().unwrap());
        let result = json(&server.http(http::Request::from_parts(head, body.as_str())))["result"].clone();
        assert_eq!(
            (&result["content"][0]["type"], &result["content"][1]["type"]),
            (&json!(first), &json!(second))
        );
        assert_eq!(result["isError"], true);
    }
}

#[test]
fn headers_of_parameters_are_compared() {
    let mut server = server(Abilities::default(), SEALED);
    let params = json!({ "name": "chat", "arguments": { "what": "x", "region": "eu" } });
    let body = crate::driver::stateless_body(1, "tools/call", params.clone());
    for (header, status, code) in
        [(Some("eu"), 200, None), (Some("us"), 400, Some(-32020)), (None, 400, Some(-32020))]
    {
        let builder = stateless("tools/call", &params);
        let builder = match header {
            Some(value) => builder.header("mcp-param-region", value),
            None => builder,
        };
        let answer = server.http(builder.body(body.as_str()).unwrap());
        assert_eq!(
            (answer.status().as_u16(), json(&answer)["error"]["code"].as_i64()),
            (status, code),
            "{header:?}"
        );
    }
}

fn listen(server: &mut Scripted, id: Value, wanted: Value, accept: &str) -> Reply {
    let mut params = json!({ "notifications": wanted });
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body =
        json!({ "jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params }).to_string();
    let (mut head, ()) = stateless("subscriptions/listen", &params).body(()).unwrap().into_parts();
    head.headers.insert("accept", accept.parse().unwrap());
    server.reply(http::Request::from_parts(head, body.as_str()), None)
}

const BOTH: &str = "application/json, text/event-stream";

#[test]
fn who_listens_hears_of_what_they_asked_for_and_nothing_else() {
    let mut server = server(Abilities::ALL, &[]);
    let wanted = json!({ "toolsListChanged": true, "promptsListChanged": false,
                         "resourceSubscriptions": ["test://asks", "test://absent"] });
    for id in [json!(7), json!("7")] {
        let Reply::Listen(subscription) = listen(&mut server, id.clone(), wanted.clone(), BOTH) else {
            panic!("a subscription")
        };
        assert_eq!(subscription.head().headers()["content-type"], "text/event-stream");
        let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let tag =
            |message: &Value| message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone();
        let first = read(subscription.acknowledged());
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(
            first["params"]["notifications"],
            json!({ "toolsListChanged": true, "resourceSubscriptions": ["test://asks"] })
        );
        assert_eq!(tag(&first), id);
        let told = read(subscription.notice(&Change::Tools).unwrap());
        assert_eq!(
            (told["method"].as_str(), tag(&told)),
            (Some("notifications/tools/list_changed"), id.clone())
        );
        let told = read(subscription.notice(&Change::Resource { uri: "test://asks".into() }).unwrap());
        assert_eq!(told["params"]["uri"], "test://asks");
        for other in [Change::Prompts, Change::Resources, Change::Resource { uri: "test://b".into() }] {
            assert_eq!(subscription.notice(&other), None);
        }
        let [end, cancelled] = &subscription.ended(true)[..] else { panic!("two messages") };
        let end = read(end.clone());
        assert_eq!((&end["id"], &end["result"]["resultType"]), (&id, &json!("complete")));
        assert_eq!(read(cancelled.clone())["params"]["requestId"], id);
        assert_eq!(subscription.ended(false).len(), 1);
    }
}

#[test]
fn listening_needs_something_to_hear_and_a_stream() {
    let mut product = Scripted::new(&[]);
    let unknown = answer(listen(&mut product, json!(1), json!({ "toolsListChanged": true }), BOTH));
    assert_eq!((unknown.status().as_u16(), json(&unknown)["error"]["code"].as_i64()), (404, Some(-32601)));
    let mut server = server(Abilities::ALL, &[]);
    let deaf = answer(listen(&mut server, json!(1), json!({}), "application/json"));
    assert_eq!(deaf.status(), 406);
    for wrong in [json!(null), json!({ "toolsListChanged": 1 }), json!({ "resourceSubscriptions": "x" })] {
        assert_eq!(json(&answer(listen(&mut server, json!(1), wrong, BOTH)))["error"]["code"], -32602);
    }
}

#[test]
fn the_older_transport_has_a_stream_and_messages_to_it() {
    let mut server = Scripted::new(&[]);
    let get = |path: &str| http::Request::get(path).header("host", "localhost").body("").unwrap();
    assert_eq!(server.wish(get("/sse")), Ok(Some(StreamWish::Events)));
    assert_eq!(server.wish(get("/mcp")), Err(405));
    let post = |path: &str, kind: &str| {
        http::Request::post(path).header("host", "localhost").header("content-type", kind).body("").unwrap()
    };
    let named = StreamWish::Message { session: "abc".into() };
    for query in ["sessionId=abc", "session_id=abc", "x=1&sessionid=abc"] {
        assert_eq!(server.wish(post(&format!("/sse?{query}"), "application/json")), Ok(Some(named.clone())));
    }
    assert_eq!(server.wish(post("/sse?sessionId=abc", "text/plain")), Err(415));
    assert_eq!(server.wish(post("/sse", "application/json")), Ok(None), "streamable HTTP beside it");
    let foreign = http::Request::get("/sse").header("host", "evil.example.com").body("").unwrap();
    assert_eq!(server.wish(foreign), Err(403));

    // A message is a line of the stream's session.
    let service = server.service.clone();
    let (head, ()) = http::Request::get("/sse").header("host", "localhost").body(()).unwrap().into_parts();
    let Admission::Read(opened) = admit(&mut server.env(), &service, &head) else { panic!("admitted") };
    let session = opened.open_session(&mut server.env()).unwrap();
    let path = format!("/sse?sessionId={}", session.id().unwrap());
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05"}}"#;
    let request = || {
        let builder = http::Request::post(path.as_str()).header("host", "localhost");
        builder.header("content-type", "application/json").body(hello).unwrap()
    };
    let Reply::Lines { messages, session: Some(_) } = server.reply(request(), Some(session)) else {
        panic!("a line is answered with lines")
    };
    assert!(messages[0].contains("2024-11-05"));
    assert_eq!(answer(server.reply(request(), None)).status(), 404, "it has ended");
}

#[test]
fn a_component_has_no_streams_and_promises_none() {
    let rules = r#"{"server": {"tools": [{"view_regexp": "^sales\\."}]}}"#;
    let mut edge = Scripted::at_edge(&[("HOUSEKEY_CONFIG", rules)]);
    let get = http::Request::get("/sse").header("host", "localhost").body("").unwrap();
    let refused = edge.http(get);
    assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (405, &"POST".parse().unwrap()));
    assert!(String::from_utf8_lossy(refused.body()).contains("streamable HTTP"));
    let post = http::Request::post("/sse?sessionId=x").header("host", "localhost").body("").unwrap();
    assert_eq!(edge.http(post).status(), 404);
    let body = crate::driver::stateless_body(1, "server/discover", json!({}));
    let request = stateless("server/discover", &json!({})).body(body.as_str()).unwrap();
    assert_eq!(json(&edge.http(request))["result"]["capabilities"]["tools"], json!({}));
    let unknown = answer(listen(&mut edge, json!(1), json!({ "toolsListChanged": true }), BOTH));
    assert_eq!((unknown.status().as_u16(), json(&unknown)["error"]["code"].as_i64()), (404, Some(-32601)));
}
