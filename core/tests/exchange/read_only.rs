//! Who may only read has no tool that writes: not by the operator's word, and not by a token's.

use std::sync::Arc;

use housekey_core::config::{self, Host, Sources};
use housekey_core::env::Env;
use housekey_core::exchange::Reply;
use housekey_core::jose::claims::Claims;
use housekey_core::mcp::{CallResult, Definition, Hints};
use housekey_core::tool::{Call, ExecuteQuery, Moment, Table, Task, Tool, ToolState, ToolStep};
use serde_json::{Value, json as value};

use crate::driver::{Scripted, json};
use crate::identity::{SECURE, person, token};

/// Does what a tool that writes does: it can be seen to have been called.
struct Writing(Definition);

impl Tool for Writing {
    fn definition(&self) -> &Definition {
        &self.0
    }
}

impl Task for Writing {
    fn start(&self, _env: &mut Env<'_>, _call: &Call) -> ToolStep {
        ToolStep::Done(CallResult::Structured(r#"{"written":true}"#.into()))
    }

    fn resume(&self, _env: &mut Env<'_>, _call: &Call, _state: ToolState, _moment: Moment) -> ToolStep {
        ToolStep::Done(CallResult::Failed("it never pauses".into()))
    }
}

pub(crate) fn tools() -> Table {
    let config = config::load(Host::Native, &Sources::default(), &|_| Err(String::new())).unwrap().config;
    let hints = Hints { read_only: false, destructive: false, idempotent: false, open_world: false };
    let definition = Definition {
        name: "write".into(),
        title: "Write".into(),
        description: "Writes".into(),
        input_schema: value!({ "type": "object" }),
        output_schema: None,
        hints,
    };
    Table::new(vec![Arc::new(Writing(definition)), Arc::new(ExecuteQuery::new(&config))])
}

fn ask(server: &mut Scripted, token: Option<&str>, method: &str, params: &Value) -> Value {
    let body = value!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let request =
        http::Request::post("/mcp").header("host", "localhost").header("content-type", "application/json");
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    json(&server.http(request.body(&*body).unwrap()))
}

fn listed(server: &mut Scripted, token: Option<&str>) -> Vec<String> {
    let answer = ask(server, token, "tools/list", &value!({}));
    let tools = answer["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_reader_neither_sees_nor_calls_what_writes() {
    let claims = |read_only| token(Claims { read_only, ..person("alice") });
    let operator = [("CLICKHOUSE_READ_ONLY", "true")];
    for (variables, token, reads_only) in [
        (SECURE.to_vec(), Some(claims(None)), false),
        (SECURE.to_vec(), Some(claims(Some(false))), false),
        (SECURE.to_vec(), Some(claims(Some(true))), true),
        ([SECURE, &operator].concat(), Some(claims(None)), true),
        ([SECURE, &operator].concat(), Some(claims(Some(false))), true),
        (vec![], None, false),
        (operator.to_vec(), None, true),
    ] {
        let mut server = Scripted::with_tools(&variables, tools());
        let token = token.as_deref();
        let wanted = if reads_only { vec!["execute_query"] } else { vec!["write", "execute_query"] };
        assert_eq!(listed(&mut server, token), wanted, "{variables:?}");
        let mut call = |name: &str| ask(&mut server, token, "tools/call", &value!({ "name": name }));
        let (written, unknown) = (call("write"), call("wrote"));
        assert_eq!(written.to_string().contains("written"), !reads_only, "{written}");
        if reads_only {
            let as_unknown = unknown.to_string().replace("wrote", "write");
            assert_eq!(written.to_string(), as_unknown, "the answer of a tool that is not there");
        }
    }
}

#[test]
fn a_session_of_lines_is_held_to_it_too() {
    let token = token(Claims { read_only: Some(true), ..person("alice") });
    let variables = [SECURE, &[("MCP_TOKEN", &*token), ("MCP_TRANSPORT", "stdio")]].concat();
    let mut server = Scripted::with_tools(&variables, tools());
    let service = server.service.clone();
    let mut session = service.open_session(&mut server.env()).unwrap();
    server.line(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#,
        &mut session,
    );
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write"}}"#;
    for line in [call.to_owned(), r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.to_owned()] {
        let Reply::Lines { messages, .. } = server.line(&line, &mut session) else { panic!("lines") };
        assert!(!messages[0].contains("written") && !messages[0].contains("\"Writes\""), "{messages:?}");
    }
}
