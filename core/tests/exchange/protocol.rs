//! Eras, headers, statuses and codes.

use housekey_core::clickhouse::{Column, QueryEvent};
use serde_json::{Value, json};

use crate::driver::{Scripted, World, json, post, rows, stateless, stateless_body};

fn call(id: i64, server: &mut Scripted, method: &str, params: Value) -> http::Response<bytes::Bytes> {
    let body = stateless_body(id, method, params.clone());
    server.http(stateless(method, &params).body(body.as_str()).unwrap())
}

#[test]
fn discover_list_and_call_without_a_handshake() {
    let mut server = Scripted::new(&[]);
    let found = json(&call(1, &mut server, "server/discover", json!({})));
    assert_eq!(found["result"]["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(found["result"]["resultType"], "complete");
    assert_eq!(found["result"]["cacheScope"], "public");
    let listed = json(&call(2, &mut server, "tools/list", json!({})));
    assert_eq!(listed["result"]["tools"][0]["name"], "execute_query");
    assert!(listed["result"]["ttlMs"].is_u64());

    server.script.push_back(rows(&[1]));
    let params = json!({ "name": "execute_query", "arguments": { "query": "SELECT 1 AS n" } });
    let answer = call(3, &mut server, "tools/call", params);
    assert_eq!(answer.status(), 200);
    let answer = json(&answer);
    assert_eq!(answer["id"], 3);
    assert_eq!(answer["result"]["structuredContent"]["rows"], json!([[1]]));
    assert_eq!(answer["result"]["resultType"], "complete");
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), answer["result"]["structuredContent"]);
}

#[test]
fn removed_and_unknown_methods_are_404_without_a_handshake_and_200_with_one() {
    let mut server = Scripted::new(&[]);
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"] {
        let answer = call(1, &mut server, method, json!({}));
        assert_eq!(answer.status(), 404, "{method}");
        assert_eq!(json(&answer)["error"]["code"], -32601, "{method}");
    }
    let answer = server.http(post("2025-11-25", r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#));
    assert_eq!((answer.status().as_u16(), json(&answer)["error"]["code"].as_i64()), (200, Some(-32601)));
}

#[test]
fn incomplete_meta_outranks_a_mismatch_which_outranks_the_version() {
    let mut server = Scripted::new(&[]);
    let body = |version: &str, capabilities: bool| {
        let mut meta = json!({ "io.modelcontextprotocol/protocolVersion": version });
        if capabilities {
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        }
        json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/list", "params": { "_meta": meta } }).to_string()
    };
    let request = |header: &str| {
        http::Request::post("/")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", header)
            .header("mcp-method", "tools/list")
    };
    for (header, body, code) in [
        ("2025-11-25", body("2099-01-01", false), -32602),
        ("2025-11-25", body("2099-01-01", true), -32020),
        ("2099-01-01", body("2099-01-01", true), -32022),
        ("2025-11-25", body("2025-11-25", true), -32022),
    ] {
        let answer = server.http(request(header).body(body.as_str()).unwrap());
        assert_eq!(answer.status(), 400, "{body}");
        assert_eq!(json(&answer)["error"]["code"], code, "{body}");
        assert_eq!(json(&answer)["id"], 9);
    }
    let answer = server.http(request("2099-01-01").body(body("2099-01-01", true).as_str()).unwrap());
    assert_eq!(
        json(&answer)["error"]["data"],
        json!({ "supported": ["2026-07-28"], "requested": "2099-01-01" })
    );
}

#[test]
fn a_header_alone_selects_the_era() {
    let mut server = Scripted::new(&[]);
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let initialize =
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    for (version, body, status, code) in [
        ("2026-07-28", list, 400, Some(-32602)),
        ("2026-07-28", initialize, 400, Some(-32020)),
        ("2031-01-01", list, 400, Some(-32022)),
        ("2025-11-25", list, 200, None),
        ("", list, 200, None),
        ("2025-11-25", initialize, 200, None),
    ] {
        let answer = server.http(post(version, body));
        assert_eq!(answer.status().as_u16(), status, "{version} {body}");
        assert_eq!(json(&answer)["error"]["code"].as_i64(), code, "{version} {body}");
    }
}

#[test]
fn a_handshake_agrees_on_every_older_revision() {
    let mut server = Scripted::new(&[]);
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let body: &'static str = Box::leak(
            json!({ "jsonrpc": "2.0", "id": "a", "method": "initialize",
                    "params": { "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } })
            .to_string()
            .into_boxed_str(),
        );
        let answer = json(&server.http(post("", body)));
        assert_eq!(answer["result"]["protocolVersion"], version);
        assert_eq!(answer["id"], "a");
        let ping = json(&server.http(post(version, r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#)));
        assert_eq!(ping["result"], json!({}), "nothing but an empty object");
    }
}

#[test]
fn notifications_are_accepted_and_answered_with_nothing() {
    let mut server = Scripted::new(&[]);
    for version in ["", "2025-06-18", "2026-07-28"] {
        let answer = server.http(post(
            version,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        ));
        assert_eq!((answer.status().as_u16(), answer.body().len()), (202, 0), "{version}");
    }
}

#[test]
fn arrays_belong_to_2025_03_26() {
    let mut server = Scripted::new(&[]);
    let two = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"},
                  {"jsonrpc":"2.0","id":2,"method":"no/such"},{"jsonrpc":"2.0","id":3,"method":"initialize"},17,
                  {"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 1"}}}]"#;
    server.script.push_back(rows(&[1]));
    let answer = server.http(post("", two));
    assert_eq!(answer.status(), 200);
    let answer = json(&answer);
    let ids: Vec<_> = answer.as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!(2), json!(3), Value::Null, json!(4)]);
    assert_eq!(answer[1]["error"]["code"], -32601);
    assert_eq!(answer[2]["error"]["code"], -32600);
    assert_eq!(answer[4]["result"]["isError"], false);
    for (version, body, status) in [
        ("2025-06-18", two, 400),
        ("2026-07-28", two, 400),
        ("", "[]", 400),
        ("", r#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#, 202),
        (
            "",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}]"#,
            400,
        ),
    ] {
        assert_eq!(server.http(post(version, body)).status().as_u16(), status, "{version} {body}");
    }
}

#[test]
fn an_array_is_bounded_in_length_and_in_answers() {
    let mut server = Scripted::new(&[("CLICKHOUSE_MAX_RESULT_BYTES", "-1")]);
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let pings = |count| {
        leak(format!("[{}]", [r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#].repeat(count).join(",")))
    };
    assert_eq!(json(&server.http(post("", pings(100)))).as_array().unwrap().len(), 100);
    for many in [pings(101), pings(50_000), leak(format!("[{}1]", "1,".repeat(150_000)))] {
        assert_eq!(server.http(post("", many)).status(), 400);
    }
    let long = format!("[\"{}\"]", "x".repeat(1 << 20));
    let header = vec![Column { name: "s".into(), type_name: "String".into() }];
    let events = vec![QueryEvent::Header(header), QueryEvent::Rows([long].iter().collect()), QueryEvent::End];
    server.script.extend((0..5).map(|_| World::Rows(events.clone())));
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 1"}}}"#;
    let answer = json(&server.http(post("", leak(format!("[{}]", [call; 8].join(","))))));
    let refused = answer.as_array().unwrap().iter().filter(|one| one["error"]["code"] == -32600).count();
    assert!(refused >= 3, "an array must not multiply the caps of a call: {refused}");
}

#[test]
fn a_version_that_nobody_knows_is_refused_for_notifications_too() {
    let mut server = Scripted::new(&[]);
    let answer = server.http(post("1999-01-01", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#));
    assert_eq!((answer.status().as_u16(), json(&answer)["error"]["code"].as_i64()), (400, Some(-32022)));
}

#[test]
fn bodies_that_are_no_message_are_400() {
    let mut server = Scripted::new(&[]);
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("\"x\"", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32600),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"execute_query"}}"#,
            -32600,
        ),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, -32600),
    ] {
        let answer = server.http(post("", body));
        assert_eq!(
            (answer.status().as_u16(), json(&answer)["error"]["code"].as_i64()),
            (400, Some(code)),
            "{body}"
        );
    }
}

#[test]
fn bad_calls_have_the_shape_of_their_revision() {
    let mut server = Scripted::new(&[]);
    let unknown_tool = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#;
    let answer = json(&server.http(post("2025-11-25", unknown_tool)));
    assert_eq!(answer["error"]["code"], -32602);
    let no_query = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"sql":"SELECT 1"}}}"#;
    for (version, as_result) in [("2025-11-25", true), ("2025-06-18", false), ("2025-03-26", false)] {
        let answer = json(&server.http(post(version, no_query)));
        assert_eq!(answer["result"]["isError"] == json!(true), as_result, "{version} {answer}");
        assert_eq!(answer["error"]["code"] == json!(-32602), !as_result, "{version} {answer}");
    }
    assert!(server.asked.is_empty(), "nothing reached ClickHouse");
}

#[test]
fn paths_methods_and_types_have_their_statuses() {
    let mut server = Scripted::new(&[]);
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for (method, path, content_type, accept, status) in [
        ("POST", "/", "application/json", "*/*", 200),
        ("POST", "/mcp/", "application/json", "application/json", 200),
        ("POST", "/http", "application/json", "text/event-stream", 200),
        ("POST", "/nothing", "application/json", "*/*", 404),
        ("GET", "/mcp", "application/json", "*/*", 405),
        ("DELETE", "/", "application/json", "*/*", 405),
        ("POST", "/mcp", "application/json", "text/html", 406),
        ("POST", "/mcp", "text/plain", "*/*", 415),
        ("GET", "/livez", "", "*/*", 200),
        ("POST", "/livez", "", "*/*", 405),
    ] {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", content_type)
            .header("accept", accept)
            .body(ping)
            .unwrap();
        let answer = server.http(request);
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        let allow = answer.headers().get("allow").map(|allow| allow.to_str().unwrap());
        assert_eq!(allow.is_some(), status == 405, "{method} {path}");
    }
}

#[test]
fn strange_hosts_and_pages_are_refused_and_known_ones_may_read() {
    let mut server = Scripted::new(&[]);
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for (host, origin, status) in [
        ("localhost:1", None, 200),
        ("evil.example.com", None, 403),
        ("localhost", Some("http://evil.example.com"), 403),
        ("localhost", Some("null"), 403),
        ("localhost", Some("http://localhost:3000"), 200),
    ] {
        let mut request =
            http::Request::post("/").header("host", host).header("content-type", "application/json");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = server.http(request.body(ping).unwrap());
        assert_eq!(answer.status().as_u16(), status, "{host} {origin:?}");
        let readable = answer
            .headers()
            .get("access-control-allow-origin")
            .map(|origin| origin.to_str().unwrap().to_owned());
        assert_eq!(readable.as_deref(), origin.filter(|_| status == 200));
    }
    let preflight = http::Request::options("/mcp")
        .header("host", "localhost")
        .header("origin", "http://localhost:3000")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "mcp-param-x, authorization");
    let answer = server.http(preflight.body("").unwrap());
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.headers()["access-control-allow-headers"], "mcp-param-x, authorization");
    assert_eq!(answer.headers()["access-control-allow-origin"], "http://localhost:3000");
}
