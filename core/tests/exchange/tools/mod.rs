//! Housekey's own tools, one after another: what each asks of ClickHouse, what it answers, what it refuses.

mod arguments;
mod browse;
mod explained;
mod schema;
mod writing;

use housekey_core::clickhouse::{Column, Exception, QueryEvent, QueryRequest, Statement};
use serde_json::{Value, json as value};

use crate::driver::{Scripted, World, json};

/// The result of a call.
fn call(server: &mut Scripted, token: Option<&str>, name: &str, arguments: Value) -> Value {
    let params = value!({ "name": name, "arguments": arguments });
    let body = value!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let request = http::Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2025-11-25");
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    json(&server.http(request.body(&*body).unwrap()))["result"].clone()
}

/// What a call that goes well comes to.
fn structured(result: &Value) -> &Value {
    assert_eq!(result["isError"], false, "{result}");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"]);
    &result["structuredContent"]
}

/// The words of a call that fails.
fn failure(result: &Value) -> String {
    assert_eq!(result["isError"], true, "{result}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

/// Refuses the call without a word to ClickHouse.
fn refuses(server: &mut Scripted, name: &str, arguments: Value, told: &str) {
    let result = call(server, None, name, arguments.clone());
    assert!(failure(&result).contains(told), "{name} {arguments}: {result}");
    assert!(server.queries().is_empty(), "{name} {arguments} was sent");
}

/// An answer of these rows; the columns have no names, for no tool looks at them.
fn table(rows: &[Value]) -> World {
    let columns = rows.first().and_then(Value::as_array).map_or(0, Vec::len);
    named(&vec!["c"; columns], rows)
}

fn named(columns: &[&str], rows: &[Value]) -> World {
    let column = |name: &&str| Column { name: (*name).to_owned(), type_name: "String".into() };
    let mut events = vec![QueryEvent::Header(columns.iter().map(column).collect())];
    events.extend(rows.iter().map(|row| QueryEvent::Rows([row.to_string()].iter().collect())));
    events.push(QueryEvent::End);
    World::Rows(events)
}

fn refused(code: i32, message: &str, before_execution: bool) -> World {
    let exception = Exception { code, name: String::new(), message: message.to_owned(), before_execution };
    World::Rows(vec![QueryEvent::Exception(exception)])
}

fn sql(request: &QueryRequest) -> &str {
    match &request.statement {
        Statement::ReadOnly(sql) => sql.text(),
        Statement::Writable(sql) => sql.text(),
    }
}

fn parameter<'a>(request: &'a QueryRequest, name: &str) -> Option<&'a str> {
    let found = request.parameters.iter().find(|parameter| parameter.name() == name)?;
    Some(found.as_written())
}

fn setting<'a>(request: &'a QueryRequest, name: &str) -> Option<&'a str> {
    let found: Vec<_> = request.settings.iter().filter(|setting| setting.name == name).collect();
    assert!(found.len() < 2, "{found:?}");
    found.first().map(|setting| setting.value.as_str())
}
