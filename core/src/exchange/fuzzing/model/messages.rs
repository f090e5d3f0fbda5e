//! Messages: most are ones that a client might send, and some are not.

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::tool::{PROMPT, TOOL, URI};
use crate::jsonrpc::RequestId;

const METHODS: &[&str] = &[
    "tools/call",
    "tools/call",
    "tools/call",
    "tools/call",
    "initialize",
    "initialize",
    "tools/list",
    "ping",
    "server/discover",
    "subscriptions/listen",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "logging/setLevel",
    "completion/complete",
    "no/such",
    "",
];

/// What a sender knows of what went before.
pub(super) struct Known<'a> {
    /// The ids of what the server asks them.
    pub(super) asked: Vec<RequestId>,
    /// The ids of their requests that run.
    pub(super) running: Vec<RequestId>,
    /// States that were given to be brought back.
    pub(super) states: &'a [String],
}

/// An introduction that is as it should be.
pub(super) fn hello(dice: &mut Dice<'_>) -> String {
    let version = dice.pick(&["2025-11-25", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]);
    let capabilities = json!({ "elicitation": {}, "sampling": {}, "roots": {} });
    let params = json!({
        "protocolVersion": version, "capabilities": capabilities, "clientInfo": { "name": "m", "version": "1" },
    });
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }).to_string()
}

/// The text of a message.
pub(super) fn text(dice: &mut Dice<'_>, known: &Known<'_>) -> String {
    match dice.roll(24) {
        0 => dice
            .pick(&["", "{", "nul", "[", "\u{fffd}", "{\"jsonrpc\":\"2.0\",\"jsonrpc\":\"2.0\"}"])
            .to_owned(),
        1 => {
            let count = dice.roll(5);
            let messages: Vec<Value> = (0..count).map(|_| message(dice, known)).collect();
            json!(messages).to_string()
        }
        _ => message(dice, known).to_string(),
    }
}

fn message(dice: &mut Dice<'_>, known: &Known<'_>) -> Value {
    match dice.roll(16) {
        0 => broken(dice),
        1 | 2 => notification(dice, &known.running),
        9 | 10 if !known.running.is_empty() => notification(dice, &known.running),
        3..=8 if !known.asked.is_empty() => response(dice, &known.asked),
        3 => response(dice, &known.asked),
        _ => request(dice, known.states),
    }
}

fn id(dice: &mut Dice<'_>) -> Value {
    match dice.roll(8) {
        0 => json!("a"),
        1 => json!("1"),
        2 => json!(-1),
        3 => json!(u32::MAX),
        number => json!(number),
    }
}

fn broken(dice: &mut Dice<'_>) -> Value {
    match dice.roll(10) {
        0 => Value::Null,
        1 => json!(7),
        2 => json!({}),
        3 => json!({ "jsonrpc": "1.0", "id": 1, "method": "ping" }),
        4 => json!({ "jsonrpc": "2.0", "id": null, "method": "ping" }),
        5 => json!({ "jsonrpc": "2.0", "id": { "a": 1 }, "method": "ping" }),
        6 => json!({ "jsonrpc": "2.0", "id": 1.5, "method": "ping" }),
        7 => json!({ "jsonrpc": "2.0", "id": 1, "method": 7 }),
        8 => json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1] }),
        _ => json!({ "id": 1, "method": "ping" }),
    }
}

fn notification(dice: &mut Dice<'_>, running: &[RequestId]) -> Value {
    let one = dice.index(running.len()).and_then(|at| running.get(at));
    let params = match dice.roll(6) {
        0 => json!({}),
        1 => json!({ "requestId": { "a": 1 } }),
        2 => json!({ "requestId": id(dice), "reason": "over" }),
        _ => json!({ "requestId": one.map_or_else(|| json!(1), RequestId::to_json), "reason": "over" }),
    };
    let method = match dice.roll(6) {
        0 => "notifications/initialized",
        1 => "notifications/roots/list_changed",
        2 => "tools/call",
        _ => "notifications/cancelled",
    };
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

fn response(dice: &mut Dice<'_>, asked: &[RequestId]) -> Value {
    let last = asked.len().saturating_sub(1);
    let at = if dice.roll(3) == 0 { dice.index(asked.len()).unwrap_or_default() } else { last };
    let id = asked.get(at).map_or_else(|| id(dice), RequestId::to_json);
    match dice.roll(6) {
        0 => json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -1, "message": "no" } }),
        1 => {
            json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "accept", "content": { "name": 7 } } })
        }
        2 => json!({ "jsonrpc": "2.0", "id": id, "result": 7 }),
        3 => json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "decline" } }),
        _ => {
            json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "accept", "content": { "name": "n" } } })
        }
    }
}

fn request(dice: &mut Dice<'_>, states: &[String]) -> Value {
    let method = dice.pick(METHODS);
    let id = id(dice);
    let mut params = params(dice, method, states);
    if dice.roll(2) == 0 {
        params.insert("_meta".into(), meta(dice));
    } else if dice.roll(3) == 0 {
        params.insert("_meta".into(), json!({ "progressToken": progress_token(dice) }));
    }
    let mut request = json!({ "jsonrpc": "2.0", "id": id, "method": method });
    if let Value::Object(members) = &mut request
        && dice.roll(16) > 0
    {
        members.insert("params".into(), Value::Object(params));
    }
    request
}

fn progress_token(dice: &mut Dice<'_>) -> Value {
    match dice.roll(4) {
        0 => json!("t"),
        1 => json!({ "a": 1 }),
        number => json!(number),
    }
}

/// What makes a request stand alone, or is meant to.
fn meta(dice: &mut Dice<'_>) -> Value {
    let mut meta = Map::new();
    let version =
        if dice.roll(12) == 0 { dice.pick(&["2099-01-01", "2025-11-25", "x"]) } else { "2026-07-28" };
    meta.insert("io.modelcontextprotocol/protocolVersion".into(), json!(version));
    if dice.roll(16) > 0 {
        meta.insert("io.modelcontextprotocol/clientCapabilities".into(), capabilities(dice));
    }
    if dice.roll(3) == 0 {
        meta.insert("progressToken".into(), progress_token(dice));
    }
    if dice.roll(3) == 0 {
        let level = dice.pick(&["debug", "info", "error", "no-such-level"]);
        meta.insert("io.modelcontextprotocol/logLevel".into(), json!(level));
    }
    Value::Object(meta)
}

fn capabilities(dice: &mut Dice<'_>) -> Value {
    match dice.roll(5) {
        0 => json!({}),
        1 => json!({ "elicitation": { "url": {} } }),
        2 => json!({ "sampling": {}, "roots": {} }),
        _ => json!({ "elicitation": {}, "sampling": {}, "roots": {} }),
    }
}

fn params(dice: &mut Dice<'_>, method: &str, states: &[String]) -> Map<String, Value> {
    let params = match method {
        "initialize" => {
            let version =
                dice.pick(&["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2026-07-28", "x"]);
            json!({ "protocolVersion": version, "capabilities": capabilities(dice), "clientInfo": { "name": "m", "version": "1" } })
        }
        "tools/call" => call(dice, states),
        "prompts/get" => {
            let params = json!({ "name": PROMPT, "arguments": { "plan": plan(dice) } });
            with_answers(dice, params, states)
        }
        "resources/read" => {
            let params = json!({ "uri": dice.pick(&[URI, "test://absent", ""]) });
            with_answers(dice, params, states)
        }
        "resources/subscribe" | "resources/unsubscribe" => {
            json!({ "uri": dice.pick(&[URI, "test://absent"]) })
        }
        "logging/setLevel" => json!({ "level": dice.pick(&["info", "emergency", "no-such-level"]) }),
        "completion/complete" => {
            json!({ "ref": { "type": "ref/prompt", "name": PROMPT }, "argument": { "name": "plan", "value": "" } })
        }
        "subscriptions/listen" => json!({ "notifications": {
            "toolsListChanged": dice.roll(2) == 0, "promptsListChanged": dice.roll(2) == 0,
            "resourceSubscriptions": if dice.roll(2) == 0 { json!([URI]) } else { Value::Null },
        } }),
        "tools/list" | "prompts/list" | "resources/list" => match dice.roll(4) {
            0 => json!({ "cursor": dice.pick(&["", "no-such-cursor"]) }),
            _ => json!({}),
        },
        _ => json!({}),
    };
    match params {
        Value::Object(params) => params,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn call(dice: &mut Dice<'_>, states: &[String]) -> Value {
    match dice.roll(8) {
        0 => json!({ "name": "no_such_tool", "arguments": {} }),
        1 => json!({ "name": TOOL, "arguments": 7 }),
        2 => {
            json!({ "name": "execute_query", "arguments": { "query": dice.pick(&["SELECT 1", "DROP TABLE t", "SELECT {a:UInt8}"]) } })
        }
        _ => {
            let params = json!({ "name": TOOL, "arguments": { "plan": plan(dice) } });
            with_answers(dice, params, states)
        }
    }
}

/// What the tool does, a letter a step.
fn plan(dice: &mut Dice<'_>) -> String {
    let length = dice.roll(8);
    (0..length).map(|_| dice.pick(&["p", "P", "l", "d", "a", "s", "m", "w", "f", "c", "r"])).collect()
}

/// A further round, sometimes: answers with the state that was given, another's, one that is changed, or none.
fn with_answers(dice: &mut Dice<'_>, mut params: Value, states: &[String]) -> Value {
    let Value::Object(members) = &mut params else { return params };
    if dice.roll(3) == 0 {
        let answers = match dice.roll(4) {
            0 => json!({ "name": { "action": "accept", "content": { "name": 7 } } }),
            1 => Value::Null,
            2 => json!({ "no-such-key": 7 }),
            _ => json!({ "name": { "action": "accept", "content": { "name": "n" } },
                         "said": { "role": "assistant", "content": { "type": "text", "text": "t" }, "model": "m" } }),
        };
        members.insert("inputResponses".into(), answers);
    }
    if let Some(state) = dice.index(states.len()).and_then(|at| states.get(at))
        && dice.roll(2) == 0
    {
        let state = if dice.roll(4) == 0 { format!("{state}x") } else { state.clone() };
        members.insert("requestState".into(), json!(state));
    }
    params
}
