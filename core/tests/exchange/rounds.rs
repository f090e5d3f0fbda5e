//! Requests that take several rounds (MCP 2026-07-28, basic/utilities/mrtr).

use std::time::Duration;

use housekey_core::exchange::Abilities;
use serde_json::{Value, json};

use crate::chatty::server;
use crate::driver::{Scripted, json, stateless};

const SEALED: &[(&str, &str)] = &[("MCP_SEALING_SECRET", "a-secret-of-thirty-two-characters")];

/// A stateless request of a client that declares these capabilities, with its status.
fn ask(server: &mut Scripted, method: &str, mut params: Value, capabilities: Value) -> (u16, Value) {
    let name = params.get("uri").or_else(|| params.get("name")).and_then(Value::as_str).unwrap_or_default();
    let builder = match params.get("uri") {
        Some(_) => stateless(method, &json!({})).header("mcp-name", name.to_owned()),
        None => stateless(method, &params),
    };
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let answer = server.http(builder.body(body.as_str()).unwrap());
    (answer.status().as_u16(), json(&answer))
}

fn forms() -> Value {
    json!({ "elicitation": {} })
}

fn call(what: &str) -> Value {
    json!({ "name": "chat", "arguments": { "what": what } })
}

fn named(name: &str) -> Value {
    json!({ "name": { "action": "accept", "content": { "name": name } } })
}

fn retried(mut params: Value, asked: &Value, responses: Value) -> Value {
    params["inputResponses"] = responses;
    params["requestState"] = asked["result"]["requestState"].clone();
    params
}

#[test]
fn a_tool_goes_on_with_what_the_next_request_brings() {
    let mut server = server(Abilities::default(), SEALED);
    let (status, asked) = ask(&mut server, "tools/call", call("name"), forms());
    assert_eq!(status, 200);
    let result = &asked["result"];
    assert_eq!(result["resultType"], "input_required");
    assert_eq!(result["inputRequests"]["name"]["method"], "elicitation/create");
    assert!(result.get("ttlMs").is_none() && result.get("content").is_none());
    let state = result["requestState"].as_str().unwrap();
    assert!(!state.contains("s3cret") && state.is_ascii());
    let (_, done) = ask(&mut server, "tools/call", retried(call("name"), &asked, named("Ada")), forms());
    assert_eq!(done["result"]["resultType"], "complete");
    assert_eq!(done["result"]["structuredContent"]["name"], "Ada");
}

#[test]
fn what_is_missing_or_misshapen_is_asked_again_and_what_is_unknown_passed_over() {
    let mut server = server(Abilities::default(), SEALED);
    let (_, asked) = ask(&mut server, "tools/call", call("name"), forms());
    for responses in [
        json!({}),
        json!({ "other": { "action": "accept", "content": { "name": "x" } } }),
        json!({ "name": 42 }),
        json!({ "name": null }),
        json!({ "name": { "action": "accept", "content": { "name": 42 } } }),
        json!({ "name": { "action": "accept" } }),
    ] {
        let again = retried(call("name"), &asked, responses.clone());
        let (_, again) = ask(&mut server, "tools/call", again, forms());
        assert_eq!(again["result"]["resultType"], "input_required", "{responses}");
        let (_, done) = ask(&mut server, "tools/call", retried(call("name"), &again, named("B")), forms());
        assert_eq!(done["result"]["structuredContent"]["name"], "B");
    }
    let mut more = named("C");
    more["other"] = json!({ "action": "accept" });
    let (_, done) = ask(&mut server, "tools/call", retried(call("name"), &asked, more), forms());
    assert_eq!(done["result"]["structuredContent"]["name"], "C");
    let declined = json!({ "name": { "action": "decline" } });
    let (_, done) = ask(&mut server, "tools/call", retried(call("name"), &asked, declined), forms());
    assert_eq!(done["result"]["structuredContent"]["name"], Value::Null);
    for (responses, state) in [(json!(null), true), (json!([]), true), (json!({}), false)] {
        let mut wrong = retried(call("name"), &asked, responses);
        if !state {
            wrong["requestState"] = json!(7);
        }
        let (_, wrong) = ask(&mut server, "tools/call", wrong, forms());
        assert_eq!(wrong["error"]["code"], -32602);
    }
}

#[test]
fn several_questions_are_put_together_and_answers_are_kept() {
    let mut server = server(Abilities::default(), SEALED);
    let all = json!({ "elicitation": {}, "sampling": {}, "roots": {} });
    let (_, asked) = ask(&mut server, "tools/call", call("all"), all.clone());
    assert_eq!(asked["result"]["inputRequests"].as_object().unwrap().len(), 3);
    let (_, rest) = ask(&mut server, "tools/call", retried(call("all"), &asked, named("Ada")), all.clone());
    let open: Vec<&String> = rest["result"]["inputRequests"].as_object().unwrap().keys().collect();
    assert_eq!(open, ["roots", "said"]);
    let said = json!({ "role": "assistant", "content": { "type": "text", "text": "hi" }, "model": "m" });
    let responses = json!({ "said": said, "roots": { "roots": [] } });
    let (_, done) = ask(&mut server, "tools/call", retried(call("all"), &rest, responses), all);
    assert_eq!(done["result"]["structuredContent"]["name"], "Ada");
}

#[test]
fn rounds_follow_each_other_and_may_ask_nothing() {
    let mut server = server(Abilities::default(), SEALED);
    let (_, first) = ask(&mut server, "tools/call", call("twice"), forms());
    let (_, second) = ask(&mut server, "tools/call", retried(call("twice"), &first, named("A")), forms());
    assert_eq!(second["result"]["resultType"], "input_required");
    assert_ne!(second["result"]["requestState"], first["result"]["requestState"]);
    let (_, done) = ask(&mut server, "tools/call", retried(call("twice"), &second, named("B")), forms());
    assert_eq!(done["result"]["structuredContent"], json!({ "name": "B", "round": 1, "messages": [] }));
    let (_, nothing) = ask(&mut server, "tools/call", call("nothing"), json!({}));
    assert!(nothing["result"].get("inputRequests").is_none());
    let mut again = call("nothing");
    again["requestState"] = nothing["result"]["requestState"].clone();
    let (_, done) = ask(&mut server, "tools/call", again, json!({}));
    assert_eq!(done["result"]["resultType"], "complete");
}

#[test]
fn answers_that_come_along_count_only_where_the_tool_lets_them() {
    let mut server = server(Abilities::default(), SEALED);
    for (what, wanted) in [("brought", "complete"), ("name", "input_required")] {
        let mut first = call(what);
        first["inputResponses"] = named("Ada");
        let (_, answer) = ask(&mut server, "tools/call", first, forms());
        assert_eq!(answer["result"]["resultType"], wanted);
    }
}

#[test]
fn a_state_is_good_for_one_request_of_one_person_for_ten_minutes() {
    let mut server = server(Abilities::default(), SEALED);
    let (_, asked) = ask(&mut server, "tools/call", call("name"), forms());
    let good = retried(call("name"), &asked, named("Ada"));
    let refused = |server: &mut Scripted, method: &str, params: Value| {
        let (status, answer) = ask(server, method, params, forms());
        assert_eq!((status, answer["error"]["code"].as_i64()), (200, Some(-32602)), "{answer}");
        assert!(!answer.to_string().contains("s3cret"));
    };
    let mut tampered = good.clone();
    tampered["requestState"] = json!(format!("{}-TAMPERED", good["requestState"].as_str().unwrap()));
    refused(&mut server, "tools/call", tampered);
    let mut other = good.clone();
    other["arguments"] = json!({ "what": "name", "more": 1 });
    refused(&mut server, "tools/call", other);
    let mut method = good.clone();
    method["name"] = json!("asks");
    refused(&mut server, "prompts/get", method);
    // The members' order is the client's own.
    let mut reordered = good.clone();
    reordered["arguments"] = serde_json::from_str(r#"{"what":"name"}"#).unwrap();
    assert_eq!(ask(&mut server, "tools/call", reordered, forms()).1["result"]["resultType"], "complete");
    server.now = server.now.after(Duration::from_secs(601));
    refused(&mut server, "tools/call", good.clone());
    // A replica takes it, too.
    let mut replica = crate::chatty::server(Abilities::default(), &[SEALED[0], ("MCP_PORT", "8081")]);
    assert_eq!(ask(&mut replica, "tools/call", good.clone(), forms()).1["result"]["resultType"], "complete");
    // Another process with another secret.
    let mut other = crate::chatty::server(
        Abilities::default(),
        &[("MCP_SEALING_SECRET", "another-secret-of-some-length-here")],
    );
    refused(&mut other, "tools/call", good.clone());
    // Somebody else, for whom the login is another.
    let mut other = crate::chatty::server(Abilities::default(), &[SEALED[0], ("CLICKHOUSE_USERNAME", "bob")]);
    refused(&mut other, "tools/call", good);
}

#[test]
fn what_a_client_has_not_declared_is_named_and_not_asked() {
    let mut server = server(Abilities::default(), SEALED);
    let (status, answer) = ask(&mut server, "tools/call", call("all"), forms());
    assert_eq!((status, answer["error"]["code"].as_i64()), (400, Some(-32021)));
    assert_eq!(answer["error"]["data"]["requiredCapabilities"], json!({ "sampling": {}, "roots": {} }));
    let (status, answer) =
        ask(&mut server, "tools/call", call("name"), json!({ "elicitation": { "url": {} } }));
    assert_eq!(
        (status, answer["error"]["data"]["requiredCapabilities"].clone()),
        (400, json!({ "elicitation": {} }))
    );
}

#[test]
fn prompts_and_resources_may_ask_and_lists_never_do() {
    let mut server = server(Abilities::default(), SEALED);
    for (method, params) in
        [("prompts/get", json!({ "name": "asks" })), ("resources/read", json!({ "uri": "test://asks" }))]
    {
        let (_, asked) = ask(&mut server, method, params.clone(), forms());
        assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
        let (_, done) = ask(&mut server, method, retried(params, &asked, named("Ada")), forms());
        assert_eq!(done["result"]["resultType"], "complete");
        // Nobody may keep what answers have made.
        let ttl = done["result"].get("ttlMs").and_then(Value::as_u64);
        assert_eq!(ttl, (method == "resources/read").then_some(0));
    }
    for method in ["tools/list", "prompts/list", "resources/list"] {
        let params = json!({ "inputResponses": {}, "requestState": "x" });
        assert_eq!(ask(&mut server, method, params, forms()).1["result"]["resultType"], "complete");
    }
}

#[test]
fn without_a_secret_nobody_is_asked() {
    let mut server = server(Abilities::default(), &[]);
    let (_, answer) = ask(&mut server, "tools/call", call("name"), forms());
    assert_eq!(answer["result"]["isError"], true);
    let mut made_up = call("name");
    made_up["requestState"] = json!("x");
    assert_eq!(ask(&mut server, "tools/call", made_up, forms()).1["error"]["code"], -32602);
}

#[test]
fn a_person_confirms_what_takes_something_away() {
    let mut server = Scripted::new(&[SEALED[0], ("CLICKHOUSE_ALLOW_DESTRUCTIVE", "true")]);
    let drop = json!({ "name": "write_query", "arguments": { "query": "DROP TABLE t" } });
    let (_, asked) = ask(&mut server, "tools/call", drop.clone(), forms());
    let request = &asked["result"]["inputRequests"]["confirm"];
    assert!(request["params"]["message"].as_str().unwrap().contains("DROP TABLE t"), "{asked}");
    for no in [
        json!({ "action": "decline" }),
        json!({ "action": "cancel" }),
        json!({ "action": "accept", "content": { "confirm": false } }),
    ] {
        let (_, answer) =
            ask(&mut server, "tools/call", retried(drop.clone(), &asked, json!({ "confirm": no })), forms());
        assert_eq!(answer["result"]["isError"], true);
    }
    assert!(server.asked.is_empty(), "nothing was run");
    let other = json!({ "name": "write_query", "arguments": { "query": "DROP TABLE u" } });
    let yes = json!({ "confirm": { "action": "accept", "content": { "confirm": true } } });
    let (_, answer) = ask(&mut server, "tools/call", retried(other, &asked, yes.clone()), forms());
    assert_eq!(answer["error"]["code"], -32602, "another statement was not confirmed");
    assert!(server.asked.is_empty());
    server.script.push_back(crate::driver::World::Rows(vec![housekey_core::clickhouse::QueryEvent::End]));
    let (_, answer) = ask(&mut server, "tools/call", retried(drop.clone(), &asked, yes), forms());
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    // Who cannot be asked, and what takes nothing away, is as it was.
    for (params, capabilities) in [
        (drop, json!({})),
        (
            json!({ "name": "write_query", "arguments": { "query": "CREATE TABLE t (a UInt8) ENGINE = Memory" } }),
            forms(),
        ),
    ] {
        server.script.push_back(crate::driver::World::Rows(vec![housekey_core::clickhouse::QueryEvent::End]));
        assert_eq!(ask(&mut server, "tools/call", params, capabilities).1["result"]["isError"], false);
    }
    let mut careful = Scripted::new(SEALED);
    let drop = json!({ "name": "write_query", "arguments": { "query": "DROP TABLE t" } });
    let (_, answer) = ask(&mut careful, "tools/call", drop, forms());
    assert_eq!(
        answer["result"]["isError"], true,
        "what the operator has not allowed is not asked for either"
    );
}
