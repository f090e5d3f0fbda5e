//! What `execute_query` asks of ClickHouse, and how it ends.

use housekey_core::clickhouse::{Column, Exception, QueryEvent, Row, RunAs};
use housekey_core::config::{self, Host, Sources};
use serde_json::{Value, json};

use crate::driver::{Scripted, World, json, post, rows};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT number AS n FROM numbers(9)","limit":2}}}"#;

fn setting<'a>(server: &'a Scripted, query: usize, name: &str) -> Option<&'a str> {
    server.queries()[query]
        .settings
        .iter()
        .find(|setting| setting.name == name)
        .map(|setting| setting.value.as_str())
}

fn result(server: &mut Scripted) -> Value {
    json(&server.http(post("2025-11-25", CALL)))["result"].clone()
}

fn refused(code: i32, message: &str) -> World {
    let message = message.to_owned();
    let exception = Exception { code, name: String::new(), message, before_execution: true };
    World::Rows(vec![QueryEvent::Exception(exception)])
}

#[test]
fn one_row_more_is_asked_for_so_that_the_cut_is_known() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(rows(&[0, 1, 2]));
    let cut = result(&mut server);
    assert_eq!(setting(&server, 0, "limit"), Some("3"));
    assert_eq!(setting(&server, 0, "readonly"), Some("1"));
    assert_eq!(setting(&server, 0, "max_execution_time"), Some("600"));
    assert_eq!(server.queries()[0].run_as, RunAs::Login);
    let wanted = json!({ "reason": "rows", "limit": 2, "returned_rows": 2 });
    assert_eq!(cut["structuredContent"]["truncated"], wanted);
    assert_eq!(cut["structuredContent"]["rows"], json!([[0], [1]]));

    server.script.push_back(rows(&[0, 1]));
    let whole = result(&mut server);
    assert!(whole["structuredContent"].get("truncated").is_none(), "exactly as many as asked is not cut");
}

#[test]
fn what_housekey_decides_is_no_extra_setting() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(rows(&[0]));
    result(&mut server);
    let sent = server.queries()[0].settings.clone();
    assert!(sent.len() > 5);
    for setting in sent {
        let variables = vec![("CLICKHOUSE_EXTRA_SETTINGS".to_owned(), format!("{}=1", setting.name))];
        let sources = Sources { environment: variables, ..Sources::default() };
        let problem = config::load(Host::Native, &sources, &|_| Err(String::new())).err();
        let problem = problem.map(|problem| problem.to_string()).unwrap_or_default();
        assert!(problem.contains(&*setting.name), "{}: {problem}", setting.name);
    }
}

#[test]
fn a_long_request_id_is_cut_for_the_log() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(rows(&[0]));
    let id = "x".repeat(100_000);
    let body: &'static str =
        Box::leak(CALL.replace("\"id\":1", &format!("\"id\":\"{id}\"")).into_boxed_str());
    assert_eq!(json(&server.http(post("2025-11-25", body)))["id"], id.as_str());
    assert!(setting(&server, 0, "log_comment").unwrap().len() < 300);
}

#[test]
fn the_byte_cap_cuts_between_rows() {
    let mut server = Scripted::new(&[("CLICKHOUSE_MAX_RESULT_BYTES", "40")]);
    let long = format!("[\"{}\"]", "x".repeat(30));
    let header = vec![Column { name: "s".into(), type_name: "String".into() }];
    let events =
        vec![QueryEvent::Header(header), QueryEvent::Row(Row(long.clone())), QueryEvent::Row(Row(long))];
    server.script.push_back(World::Rows(events));
    let cut = result(&mut server);
    let wanted = json!({ "reason": "bytes", "limit": 40, "returned_rows": 1 });
    assert_eq!(cut["structuredContent"]["truncated"], wanted);
}

#[test]
fn a_refused_setting_is_left_out_once_and_remembered() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(refused(452, "Setting limit shouldn't be greater than 1"));
    server.script.push_back(rows(&[0, 1, 2]));
    let cut = result(&mut server);
    assert_eq!(cut["structuredContent"]["truncated"]["returned_rows"], 2, "the cut is made here");
    assert_eq!(setting(&server, 1, "limit"), None);
    assert_eq!(setting(&server, 1, "readonly"), Some("1"));
    assert_ne!(server.queries()[0].query_id, server.queries()[1].query_id);

    server.script.push_back(rows(&[0]));
    result(&mut server);
    assert_eq!(server.queries().len(), 3, "the refusal is a fact");
    assert_eq!(setting(&server, 2, "limit"), None);
}

#[test]
fn a_read_only_profile_is_asked_for_nothing_that_it_forbids() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(refused(164, "Cannot modify 'readonly' setting in readonly mode"));
    server.script.push_back(rows(&[0]));
    result(&mut server);
    assert_eq!(setting(&server, 1, "readonly"), None);
    assert_eq!(setting(&server, 1, "limit"), Some("3"));

    let mut server = Scripted::new(&[]);
    server.script.push_back(refused(164, "Cannot modify 'limit' setting in readonly mode"));
    server.script.push_back(rows(&[0]));
    result(&mut server);
    assert!(server.queries()[1].settings.is_empty());
}

#[test]
fn readonly_is_never_left_out_for_another_reason() {
    for (code, message) in [
        (452, "Setting readonly should not be changed"),
        (115, "Unknown setting 'readonly'"),
        (395, "Cannot modify 'readonly' setting in readonly mode"),
        (164, "Cannot modify 'readonly' setting in readonly mode: while executing 'FUNCTION throwIf()'"),
    ] {
        let mut server = Scripted::new(&[]);
        server.script.push_back(refused(code, message));
        let failed = result(&mut server);
        assert_eq!(failed["isError"], true, "{message}");
        assert_eq!(server.queries().len(), 1, "{message}");
    }
}

#[test]
fn a_refusal_of_a_setting_that_was_not_sent_changes_nothing() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(refused(164, "Cannot modify 'max_threads' setting in readonly mode"));
    assert_eq!(result(&mut server)["isError"], true);
    assert_eq!(server.queries().len(), 1);
}

#[test]
fn clickhouse_errors_reach_the_model_as_such() {
    let mut server = Scripted::new(&[]);
    let exception = Exception {
        code: 60,
        name: "UNKNOWN_TABLE".into(),
        message: "Unknown table expression identifier 'x'".into(),
        before_execution: true,
    };
    server.script.push_back(World::Rows(vec![QueryEvent::Exception(exception)]));
    let failed = result(&mut server);
    assert_eq!(failed["isError"], true);
    let text = failed["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("60") && text.contains("UNKNOWN_TABLE") && text.contains("'x'"), "{text}");
    assert!(failed.get("structuredContent").is_none());
}

#[test]
fn writes_are_refused_before_clickhouse() {
    let mut server = Scripted::new(&[]);
    for sql in [
        "INSERT INTO t VALUES (1)",
        "DROP TABLE t",
        "SELECT 1; SELECT 2",
        "SELECT 1 INTO OUTFILE 'x'",
        "",
        "-- x",
    ] {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                           "params": { "name": "execute_query", "arguments": { "query": sql } } });
        let body: &'static str = Box::leak(body.to_string().into_boxed_str());
        let answer = json(&server.http(post("2025-11-25", body)));
        assert_eq!(answer["result"]["isError"], true, "{sql}");
    }
    assert!(server.asked.is_empty());
}

#[test]
fn a_dropped_format_clause_is_told() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(rows(&[1]));
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 1 FORMAT JSON;"}}}"#;
    let answer = json(&server.http(post("2025-11-25", body)));
    let notes = answer["result"]["structuredContent"]["notes"].to_string();
    assert!(notes.contains("FORMAT JSON"), "{notes}");
}

#[test]
fn a_zone_of_one_statement_is_refused_where_it_could_not_be_honoured() {
    const ZONED: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT now() SETTINGS session_timezone = 'Europe/Paris'"}}}"#;
    for (protocol, asked) in [("http", 1), ("tcp", 0)] {
        let mut server =
            Scripted::new(&[("CLICKHOUSE_PROTOCOL", protocol), ("TOOL_INPUT_SETTINGS", "session_timezone")]);
        server.script.push_back(rows(&[0]));
        let answer = json(&server.http(post("2025-11-25", ZONED)));
        assert_eq!(server.queries().len(), asked, "{answer}");
        assert_eq!(answer["result"]["isError"], json!(asked == 0), "{answer}");
    }
}
