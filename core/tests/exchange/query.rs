//! What `execute_query` asks of ClickHouse, and how it ends.

use housekey_core::clickhouse::{Column, Exception, QueryEvent, RunAs};
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
    let comment = setting(&server, 0, "log_comment").unwrap();
    assert!(comment.len() < 300);
    let comment: Value = serde_json::from_str(comment).unwrap();
    assert_eq!((&comment["client"], &comment["tool"]), (&json!("housekey"), &json!("execute_query")));
    assert_eq!(comment["query_id"], json!(server.queries()[0].query_id));
}

#[test]
fn the_byte_cap_cuts_between_rows() {
    let mut server = Scripted::new(&[("CLICKHOUSE_MAX_RESULT_BYTES", "40")]);
    let long = format!("[\"{}\"]", "x".repeat(30));
    let header = vec![Column { name: "s".into(), type_name: "String".into() }];
    let events = vec![QueryEvent::Header(header), QueryEvent::Rows([&long, &long].iter().collect())];
    server.script.push_back(World::Rows(events));
    let cut = result(&mut server);
    let wanted = json!({ "reason": "bytes", "limit": 40, "returned_rows": 1 });
    assert_eq!(cut["structuredContent"]["truncated"], wanted);
}

/// What a profile says of settings: name, whether it is fixed, bounds.
fn constraints(found: &[(&str, u8, Option<&str>, Option<&str>)]) -> World {
    let column = |name: &str| Column { name: name.into(), type_name: "String".into() };
    let header = ["name", "readonly", "min", "max"].map(column).to_vec();
    let rows = found.iter().map(|row| QueryEvent::Rows([json!(row).to_string()].iter().collect()));
    World::Rows([QueryEvent::Header(header)].into_iter().chain(rows).chain([QueryEvent::End]).collect())
}

/// What the next query would send, as it says itself.
fn names(server: &Scripted, query: usize) -> Vec<String> {
    server.queries()[query].settings.iter().map(|setting| setting.name.clone().into_owned()).collect()
}

#[test]
fn a_refused_setting_is_left_out_once_and_remembered() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(refused(452, "Setting limit shouldn't be greater than 1"));
    server.script.push_back(refused(497, "no table for you"));
    server.script.push_back(rows(&[0, 1, 2]));
    let cut = result(&mut server);
    assert_eq!(cut["structuredContent"]["truncated"]["returned_rows"], 2, "the cut is made here");
    assert_eq!(setting(&server, 2, "limit"), None);
    assert_eq!(setting(&server, 2, "readonly"), Some("1"));
    assert_ne!(server.queries()[0].query_id, server.queries()[2].query_id);

    server.script.push_back(rows(&[0]));
    result(&mut server);
    assert_eq!(server.queries().len(), 4, "the refusal is a fact");
    assert_eq!(setting(&server, 3, "limit"), None);

    // What cannot be asked is learned one by one.
    server.script.push_back(refused(452, "Setting log_comment should not be changed"));
    server.script.push_back(rows(&[0]));
    result(&mut server);
    assert_eq!(server.queries().len(), 6);
    assert_eq!(setting(&server, 5, "log_comment"), None);
}

#[test]
fn a_profile_is_asked_once_for_all_that_it_forbids() {
    let mut server = Scripted::new(&[("CLICKHOUSE_EXTRA_SETTINGS", "max_threads=8,max_memory_usage=1000")]);
    server.script.push_back(refused(452, "Setting limit shouldn't be greater than 1"));
    let first: Vec<_> = {
        server.script.push_back(constraints(&[
            ("max_execution_time", 0, None, Some("30")),
            ("log_comment", 1, None, None),
            ("max_threads", 0, Some("1"), Some("4")),
            ("max_memory_usage", 0, None, Some("2000")),
            ("output_format_json_quote_decimals", 1, None, None),
            ("output_format_json_quote_64bit_integers", 0, None, None),
            ("cancel_http_readonly_queries_on_client_close", 0, None, None),
        ]));
        server.script.push_back(rows(&[0, 1, 2]));
        result(&mut server);
        names(&server, 0)
    };
    assert_eq!(server.queries().len(), 3, "refused, asked, answered");
    // The question is one that nothing can be refused of, and that does not make settings read-only.
    let question = server.queries()[1];
    assert!(names(&server, 1).is_empty());
    let asked: Vec<_> = first.iter().filter(|name| !["limit", "readonly"].contains(&&***name)).collect();
    let listed = question.parameters[0].as_written();
    assert!(asked.iter().all(|name| listed.contains(&***name)), "{asked:?} {listed}");
    assert!(!listed.contains("readonly'"), "{listed}");
    // What is fixed or unheard of is left out, what is bounded is lowered where less is stricter.
    assert_eq!(setting(&server, 2, "max_execution_time"), Some("30"));
    assert_eq!(server.queries()[2].deadline_seconds, 605, "our own limit is still ours");
    assert_eq!(
        names(&server, 2),
        [
            "max_execution_time",
            "output_format_json_quote_64bit_integers",
            "max_memory_usage",
            "cancel_http_readonly_queries_on_client_close",
            "readonly",
        ]
    );
    assert_eq!(server.queries()[2].refused, ["max_threads"]);
    // It is a fact: nothing is refused any more, whatever value another call has.
    server.script.push_back(rows(&[0]));
    result(&mut server);
    assert_eq!(names(&server, 3), names(&server, 2));
    assert!(server.queries()[0].refused.is_empty());
}

#[test]
fn under_execute_as_the_gateway_is_asked_for_its_own_profile() {
    let mut server = Scripted::new(&[crate::identity::SECURE].concat());
    let call = |server: &mut Scripted| {
        let token = crate::identity::token(crate::identity::person("alice"));
        let request = http::Request::post("/mcp")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2025-11-25")
            .header("authorization", format!("Bearer {token}"));
        json(&server.http(request.body(CALL).unwrap()))["result"].clone()
    };
    server.script.push_back(refused(452, "Setting max_execution_time shouldn't be greater than 9"));
    server.script.push_back(constraints(&[("log_comment", 1, None, None)]));
    server.script.push_back(rows(&[0]));
    assert_eq!(call(&mut server)["isError"], false);
    let queries = server.queries();
    assert!(matches!(queries[0].run_as, RunAs::ExecuteAs(_)));
    assert_eq!(queries[1].run_as, RunAs::Login);
    assert!(matches!(queries[2].run_as, RunAs::ExecuteAs(_)));
    assert!(names(&server, 2) == ["max_execution_time"] || names(&server, 2).is_empty());
    assert_eq!(setting(&server, 2, "max_execution_time"), None, "the answer does not list it");
    // The person's bound on `limit` is told by the refusal, for every value at once.
    server.script.push_back(refused(452, "Setting limit shouldn't be greater than 2"));
    server.script.push_back(rows(&[0, 1, 2]));
    let cut = call(&mut server);
    assert_eq!(cut["structuredContent"]["truncated"]["returned_rows"], 2, "{cut}");
    assert_eq!(server.queries().len(), 5);
    assert_eq!(server.queries()[4].inner.limit, None);
    assert!(server.queries()[4].inner.readonly);
}

#[test]
fn a_server_without_the_format_that_tells_of_progress_is_asked_for_the_other() {
    let mut server = Scripted::new(&[]);
    let body = CALL.replace("\"arguments\"", "\"_meta\":{\"progressToken\":1},\"arguments\"");
    let call = |server: &mut Scripted, accept: &str| {
        let (mut head, ()) = post("2025-11-25", "").map(drop).into_parts();
        head.headers.insert("accept", accept.parse().unwrap());
        server.http(http::Request::from_parts(head, &*body))
    };
    server.script.push_back(rows(&[0]));
    call(&mut server, "application/json");
    assert!(!server.queries()[0].progress, "there is no way to tell of it");
    server.script.push_back(refused(73, "Unknown format JSONCompactEachRowWithProgress"));
    server.script.push_back(rows(&[0]));
    server.script.push_back(rows(&[0]));
    for _ in 0..2 {
        call(&mut server, "application/json, text/event-stream");
    }
    let progress: Vec<_> = server.queries().iter().map(|query| query.progress).collect();
    assert_eq!(progress, [false, true, false, false], "asked for, refused, and remembered");
}

#[test]
fn a_timeout_of_no_tool_is_told_to_the_operator() {
    let warnings = |timeouts| crate::driver::service(&[("MCP_TOOL_TIMEOUTS", timeouts)], None).warnings();
    assert!(warnings("execute_query=3").is_empty());
    let told = warnings("execute_query=3,exceute_query=4");
    assert!(matches!(&told[..], [one] if one.contains("exceute_query")), "{told:?}");
}

#[test]
fn a_query_out_of_time_is_told_whose_limit_it_was() {
    let late = || World::Rows(vec![QueryEvent::late(9)]);
    let timed_out = || refused(159, "Timeout exceeded: elapsed 7001.4 ms, maximum: 7000.000 ms");
    for (variables, world, sent, deadline, wanted) in [
        (&[][..], timed_out(), Some("600"), 605, "that of the ClickHouse user's profile"),
        (
            &[("CLICKHOUSE_MAX_EXECUTION_TIME", "7")],
            timed_out(),
            Some("7"),
            12,
            "7 s is the server's own for every",
        ),
        (
            &[("MCP_TOOL_TIMEOUTS", "execute_query=7,list_tables=1")],
            timed_out(),
            Some("7"),
            12,
            "for `execute_query`",
        ),
        (&[("MCP_TOOL_TIMEOUTS", "execute_query=7")], late(), Some("7"), 12, "for `execute_query`"),
        (
            // Left to the profile, it must not be raised: the limit is kept by us alone.
            &[("MCP_TOOL_TIMEOUTS", "execute_query=7"), ("CLICKHOUSE_MAX_EXECUTION_TIME", "0")],
            late(),
            None,
            7,
            "for `execute_query`",
        ),
        (
            &[("MCP_TOOL_TIMEOUTS", "execute_query=900")],
            late(),
            Some("600"),
            605,
            "600 s is the server's own for every",
        ),
    ] {
        let mut server = Scripted::new(variables);
        server.script.push_back(world);
        let told = result(&mut server);
        let text = told["content"][0]["text"].as_str().unwrap().to_owned();
        assert_eq!(told["isError"], true);
        assert!(text.contains(wanted) && text.contains("filter by"), "{text}");
        assert_eq!(setting(&server, 0, "max_execution_time"), sent);
        assert_eq!(server.queries()[0].deadline_seconds, deadline);
    }
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
    assert!(server.queries()[1].progress && !server.queries()[0].progress, "closing is all that ends it");
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
