//! Tools that rules make of views and tables: who sees which, what a call asks of ClickHouse, and what happens when
//! something is in the way.

use std::time::Duration;

use housekey_core::clickhouse::{Column, Exception, Parameter, QueryEvent, RunAs, Statement};
use housekey_core::exchange::Reply;
use housekey_core::facts::Facts;
use serde_json::{Value, json};

use crate::driver::{Scripted, World, json as body, stateless, stateless_body};
use crate::identity::{SECURE, person, token};

const RULES: &str = r#"{"server": {"tools": [
    {"type": "read", "name": "execute_query"},
    {"view_regexp": "^sales\\."},
    {"table_regexp": "^scratch\\.", "mode": "insert", "prefix": "add_"}
]}}"#;

fn server(variables: &[(&str, &str)]) -> Scripted {
    Scripted::new(&[&[("HOUSEKEY_CONFIG", RULES)], variables].concat())
}

/// An answer of these rows, all of whose columns are strings.
fn answer(rows: &[Value]) -> World {
    let width = rows.first().and_then(Value::as_array).map_or(1, Vec::len);
    let column = |at| Column { name: format!("c{at}"), type_name: "String".into() };
    let header = QueryEvent::Header((0..width).map(column).collect());
    let rows = rows.iter().map(|row| QueryEvent::Rows([row.to_string()].iter().collect()));
    World::Rows(std::iter::once(header).chain(rows).chain([QueryEvent::End]).collect())
}

fn view(name: &str, text: &str) -> Value {
    json!(["sales", name, "", text, 0])
}

const SINCE: &str = "CREATE VIEW sales.revenue AS SELECT 1 WHERE x >= {since:Date}";

fn exception(code: i32, message: &str) -> World {
    let exception =
        Exception { code, name: String::new(), message: message.to_owned(), before_execution: true };
    World::Rows(vec![QueryEvent::Exception(exception)])
}

/// A stateless request of somebody.
fn ask(server: &mut Scripted, email: Option<&str>, method: &str, params: Value) -> Value {
    let mut request = stateless(method, &params);
    if let Some(email) = email {
        request = request.header("authorization", format!("Bearer {}", token(person(email))));
    }
    let text = stateless_body(1, method, params);
    body(&server.http(request.body(text.as_str()).unwrap()))
}

fn list(server: &mut Scripted, email: Option<&str>) -> Value {
    ask(server, email, "tools/list", json!({}))["result"].clone()
}

fn call(server: &mut Scripted, email: Option<&str>, name: &str, arguments: Value) -> Value {
    ask(server, email, "tools/call", json!({ "name": name, "arguments": arguments }))
}

fn names(list: &Value) -> Vec<&str> {
    list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

fn sql(server: &Scripted, query: usize) -> &str {
    match &server.queries()[query].statement {
        Statement::ReadOnly(sql) => sql.text(),
        Statement::Writable(sql) => sql.text(),
    }
}

fn bound(server: &Scripted, query: usize) -> Vec<(&str, &str)> {
    let parameters = &server.queries()[query].parameters;
    parameters.iter().map(|parameter: &Parameter| (parameter.name(), parameter.as_written())).collect()
}

#[test]
fn everybody_sees_the_tools_of_their_own_grants() {
    let mut server = server(SECURE);
    for (email, found) in
        [("alice", vec![view("a", ""), view("revenue", SINCE)]), ("bob", vec![view("b", "")])]
    {
        server.script.push_back(answer(&found));
        server.script.push_back(answer(&[]));
        let listed = list(&mut server, Some(email));
        let wanted: &[&str] = if email == "alice" {
            &["execute_query", "sales_a", "sales_revenue"]
        } else {
            &["execute_query", "sales_b"]
        };
        assert_eq!(names(&listed), wanted);
    }
    let asked = server.queries();
    let person = |query: usize| match &asked[query].run_as {
        RunAs::ExecuteAs(user) => user.as_str(),
        other @ (RunAs::Login | RunAs::Interserver(_)) => panic!("{other:?}"),
    };
    assert_eq!([0, 1, 2, 3].map(person), ["alice", "alice", "bob", "bob"]);

    // What one was found to see is nothing to another.
    assert_eq!(names(&list(&mut server, Some("alice"))).len(), 3);
    let refused = call(&mut server, Some("bob"), "sales_revenue", json!({ "since": "2026-01-01" }));
    assert_eq!(refused["error"]["code"], -32602);
    assert_eq!(server.queries().len(), 4, "known");
}

#[test]
fn a_call_binds_its_arguments() {
    let mut server = server(&[]);
    server.script.push_back(answer(&[view("revenue", SINCE), json!(["sales", "a`b{x:UInt8}", "", "", 0])]));
    server.script.push_back(answer(&[]));
    server.script.push_back(answer(&[json!(["key", "1"])]));
    let hostile = "2026-01-01') UNION ALL SELECT 1 --";
    let result = call(&mut server, None, "sales_revenue", json!({ "since": hostile }));
    assert_eq!(result["result"]["structuredContent"]["rows"], json!([["key", "1"]]));
    assert_eq!(sql(&server, 2), "SELECT * FROM `sales`.`revenue`(`since` = {since:Date})");
    assert_eq!(bound(&server, 2), [("since", "2026-01-01')")]);
    let comment = server.queries()[2].settings.iter().find(|setting| setting.name == "log_comment").unwrap();
    assert!(comment.value.contains("\"tool\":\"sales_revenue\""), "{}", comment.value);

    server.script.push_back(answer(&[]));
    call(&mut server, None, "sales_a_b_x_uint8", json!({}));
    assert_eq!(sql(&server, 3), r"SELECT * FROM `sales`.`a\`b{x:UInt8}`");
    for (arguments, part) in [
        (json!({}), "`since` is missing"),
        (json!({ "since": null }), "`since` is missing"),
        (json!({ "since": [] }), "`since` must be a string"),
        (
            json!({ "since": "2026-01-01", "limit": 1 }),
            "there is no argument \"limit\": `since` is the only one",
        ),
    ] {
        let refused = call(&mut server, None, "sales_revenue", arguments);
        assert_eq!(refused["result"]["isError"], true);
        assert!(refused["result"]["content"][0]["text"].as_str().unwrap().contains(part), "{refused}");
    }
    assert_eq!(server.queries().len(), 4);
}

fn columns() -> World {
    answer(&[
        json!(["scratch", "notes", 1, "id", "UInt32", "", "Number"]),
        json!(["scratch", "notes", 2, "na`me", "String", "DEFAULT", ""]),
        json!(["scratch", "notes", 3, "text", "String", "DEFAULT", ""]),
        json!(["scratch", "notes", 4, "at", "Nullable(DateTime)", "", ""]),
    ])
}

#[test]
fn a_row_is_inserted_by_bound_values() {
    let mut server = server(SECURE);
    server.script.push_back(answer(&[]));
    server.script.push_back(answer(&[json!(["scratch", "notes", r#"{"title": "Note"}"#])]));
    server.script.push_back(columns());
    server.script.push_back(World::Rows(vec![QueryEvent::End]));
    let result =
        call(&mut server, Some("alice"), "add_scratch_notes", json!({ "id": 7, "text": "it's", "at": null }));
    let wanted = json!({ "status": "OK", "table": "`scratch`.`notes`", "columns": ["id", "text", "at"] });
    assert_eq!(result["result"]["structuredContent"], wanted);
    assert_eq!(
        sql(&server, 3),
        "INSERT INTO `scratch`.`notes` (`id`, `text`, `at`) SELECT {v1:UInt32}, {v2:String}, {v3:Nullable(DateTime)}"
    );
    assert_eq!(bound(&server, 3), [("v1", "7"), ("v2", "it's"), ("v3", "\\N")]);

    let listed = list(&mut server, Some("alice"));
    let tool = &listed["tools"][1];
    assert_eq!((&tool["name"], &tool["title"]), (&json!("add_scratch_notes"), &json!("Note")));
    assert_eq!(tool["inputSchema"]["required"], json!(["id"]));
    assert_eq!(tool["annotations"]["readOnlyHint"], false);
    let refused = call(&mut server, Some("alice"), "add_scratch_notes", json!({ "id": 4_294_967_296_u64 }));
    assert_eq!(refused["result"]["isError"], true);
    assert_eq!(server.queries().len(), 4);
}

#[test]
fn who_may_only_read_has_no_tool_that_writes() {
    let mut server = server(&[("CLICKHOUSE_READ_ONLY", "true")]);
    server.script.push_back(answer(&[view("a", "")]));
    assert_eq!(names(&list(&mut server, None)), ["execute_query", "sales_a"]);
    let refused = call(&mut server, None, "add_scratch_notes", json!({ "id": 1 }));
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    assert_eq!(server.queries().len(), 1, "no table was asked for");
}

#[test]
fn a_catalogue_lives_as_long_as_it_may_and_its_list_no_longer() {
    let mut server = server(&[("MCP_TOOLS_TTL", "100")]);
    let ask_again = |server: &mut Scripted, found: &[Value]| {
        server.script.push_back(answer(found));
        server.script.push_back(answer(&[]));
    };
    ask_again(&mut server, &[view("a", "")]);
    assert_eq!(list(&mut server, None)["ttlMs"], 100_000);
    server.now = server.now.after(Duration::from_secs(60));
    assert_eq!(list(&mut server, None)["ttlMs"], 40_000);
    server.now = server.now.after(Duration::from_secs(40));
    ask_again(&mut server, &[view("b", "")]);
    assert_eq!(names(&list(&mut server, None)), ["execute_query", "sales_b"]);
    assert_eq!(server.queries().len(), 4);

    // At the edge facts live for one request: each asks for itself.
    server.facts = Facts::default();
    ask_again(&mut server, &[view("b", "")]);
    server.script.push_back(answer(&[]));
    assert_eq!(call(&mut server, None, "sales_b", json!({}))["result"]["isError"], false);
}

#[test]
fn a_catalogue_never_outlives_the_token_it_was_made_under() {
    let mut server = server(&[SECURE, &[("MCP_TOOLS_TTL", "86400")]].concat());
    server.script.push_back(answer(&[view("a", "")]));
    server.script.push_back(answer(&[]));
    // The token of the fixture lives for an hour, the list for five minutes at most.
    assert_eq!(list(&mut server, Some("alice"))["ttlMs"], 300_000);
    server.now = server.now.after(Duration::from_secs(3590));
    assert_eq!(list(&mut server, Some("alice"))["ttlMs"], 10_000);
}

#[test]
fn without_a_catalogue_housekeys_own_tools_are_listed_and_a_call_says_why() {
    let mut server = server(&[]);
    server.script.push_back(exception(497, "alice: Not enough privileges"));
    assert_eq!(names(&list(&mut server, None)), ["execute_query"]);
    let words = server.facts.take_words();
    assert!(
        words.iter().any(|word| word.contains("could not be looked for") && word.contains("497")),
        "{words:?}"
    );
    let told = call(&mut server, None, "sales_a", json!({}));
    assert_eq!(told["result"]["isError"], true);
    let text = told["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("`sales_a` could not be found out") && text.contains("Not enough privileges"),
        "{text}"
    );
    assert_eq!(server.queries().len(), 1, "the failure is remembered");
    // But not for long.
    server.now = server.now.after(Duration::from_secs(10));
    server.script.push_back(answer(&[view("a", "")]));
    server.script.push_back(answer(&[]));
    assert_eq!(names(&list(&mut server, None)).len(), 2);
}

#[test]
fn nothing_is_asked_for_what_no_rule_could_have_made() {
    let mut server = server(&[]);
    for name in ["Execute_Query", "sales.revenue", "", &"x".repeat(65)] {
        assert_eq!(call(&mut server, None, name, json!({}))["error"]["code"], -32602, "{name}");
    }
    let mut plain = Scripted::new(&[]);
    assert_eq!(call(&mut plain, None, "sales_a", json!({}))["error"]["code"], -32602);
    assert!(names(&list(&mut plain, None)).contains(&"execute_query"));
    assert!(server.queries().is_empty() && plain.queries().is_empty());
}

#[test]
fn pages_follow_each_other_within_the_caps() {
    let mut server = server(&[("CLICKHOUSE_MAX_RESULT_ROWS", "2")]);
    server.script.push_back(answer(&[view("a", ""), view("b", ""), view("c", "")]));
    server.script.push_back(answer(&[view("c", ""), view("d'", "")]));
    server.script.push_back(answer(&[]));
    assert_eq!(
        names(&list(&mut server, None)),
        ["execute_query", "sales_a", "sales_b", "sales_c", "sales_d"]
    );
    assert_eq!(bound(&server, 0)[1..], [("database", ""), ("name", "")]);
    assert_eq!(bound(&server, 1)[1..], [("database", "sales"), ("name", "b")]);
    assert!(server.facts.take_words().is_empty());

    // A row that fits into no cap ends the search, and the operator hears of it.
    let mut server = self::server(&[("CLICKHOUSE_MAX_RESULT_BYTES", "100")]);
    server.script.push_back(answer(&[view("a", &"x".repeat(200))]));
    server.script.push_back(answer(&[]));
    assert_eq!(names(&list(&mut server, None)), ["execute_query"]);
    assert!(server.facts.take_words().iter().any(|word| word.contains("let them match less")));
}

#[test]
fn a_table_whose_columns_were_not_all_seen_has_no_tool() {
    let mut server = server(&[("CLICKHOUSE_MAX_RESULT_BYTES", "150")]);
    server.script.push_back(answer(&[]));
    server.script.push_back(answer(&[json!(["scratch", "a", ""]), json!(["scratch", "b", ""])]));
    server.script.push_back(answer(&[
        json!(["scratch", "a", 1, "id", "UInt8", "", ""]),
        json!(["scratch", "b", 1, "id", "UInt8", "", ""]),
        json!(["scratch", "b", 2, "x", "UInt8", "", "x".repeat(200)]),
    ]));
    server.script.push_back(answer(&[json!(["scratch", "b", 2, "x", "UInt8", "", "x".repeat(200)])]));
    assert_eq!(names(&list(&mut server, None)), ["execute_query", "add_scratch_a"]);
}

#[test]
fn a_stream_hears_of_other_tools_once() {
    let variables = [("MCP_TRANSPORT", "stdio"), ("MCP_TOOLS_TTL", "100")];
    let mut server = server(&variables);
    let opened = server.service.clone();
    let mut session = opened.open_session(&mut server.env()).unwrap();
    let lines = |server: &mut Scripted, session: &mut _, method: &str, params: Value| {
        let line = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let Reply::Lines { messages, .. } = server.line(&line, session) else { panic!("lines") };
        messages.iter().map(|text| serde_json::from_str::<Value>(text).unwrap()).collect::<Vec<_>>()
    };
    let hello = lines(&mut server, &mut session, "initialize", json!({ "protocolVersion": "2025-11-25" }));
    assert_eq!(hello[0]["result"]["capabilities"]["tools"], json!({ "listChanged": true }));

    let found = |server: &mut Scripted, views: &[Value]| {
        server.script.push_back(answer(views));
        server.script.push_back(answer(&[]));
    };
    found(&mut server, &[view("a", ""), view("b", "")]);
    assert_eq!(lines(&mut server, &mut session, "tools/list", json!({})).len(), 1);
    let mut call = |server: &mut Scripted| {
        server.script.push_back(answer(&[]));
        lines(server, &mut session, "tools/call", json!({ "name": "sales_a", "arguments": {} }))
    };
    assert_eq!(call(&mut server).len(), 1, "nothing has changed");
    server.now = server.now.after(Duration::from_secs(100));
    found(&mut server, &[view("a", "")]);
    let told = call(&mut server);
    assert_eq!(told[0]["result"]["isError"], false);
    assert_eq!(
        told[1],
        json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {} })
    );
    assert_eq!(call(&mut server).len(), 1, "told once");

    // A host that looks by itself finds it out without a call.
    let watch = session.watch(&opened).unwrap();
    assert!(watch.is_wanted());
    let look = |server: &mut Scripted, views: &[Value]| {
        server.now = watch.due(&server.env());
        found(server, views);
        let step = watch.look(&mut server.env());
        let Reply::Lines { messages, .. } = server.drive(step) else { panic!("lines") };
        messages
    };
    assert_eq!(look(&mut server, &[view("a", "")]), [""; 0]);
    assert!(look(&mut server, &[view("a", ""), view("c", "")])[0].contains("list_changed"));
    assert!(
        !opened.open_session(&mut server.env()).unwrap().watch(&opened).unwrap().is_wanted(),
        "told of none"
    );
    // A request without a handshake is told nothing that nobody asked for, on the same stream.
    server.now = server.now.after(Duration::from_secs(100));
    found(&mut server, &[view("a", "")]);
    server.script.push_back(answer(&[]));
    let stateless = stateless_body(1, "tools/call", json!({ "name": "sales_a", "arguments": {} }));
    let Reply::Lines { messages, .. } = server.line(&stateless, &mut session) else { panic!("lines") };
    assert_eq!(messages.len(), 1, "{messages:?}");

    // Without a handshake one can listen for it, and without a session one cannot hear.
    let text = ask(&mut server, None, "server/discover", json!({}));
    assert_eq!(text["result"]["capabilities"]["tools"], json!({ "listChanged": true }));
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    let text = body(&server.http(crate::driver::post("", hello)));
    assert_eq!(text["result"]["capabilities"]["tools"], json!({}));
}

/// MCP 2026-07-28, server/utilities/subscriptions.
#[test]
fn who_listens_hears_of_other_tools_without_calling_any() {
    let mut server = server(&[]);
    let text = json!({ "notifications": { "toolsListChanged": true, "promptsListChanged": true } });
    let text = stateless_body(7, "subscriptions/listen", text);
    let request = stateless("subscriptions/listen", &json!({})).body(text.as_str()).unwrap();
    let Reply::Listen(subscription) = server.reply(request, None) else { panic!("a subscription") };
    let acknowledged: Value = serde_json::from_str(&subscription.acknowledged()).unwrap();
    assert_eq!(
        acknowledged["params"]["notifications"],
        json!({ "toolsListChanged": true }),
        "and nothing else"
    );
    let watch = subscription.watch().unwrap();
    let mut look = |found: Option<&[Value]>| {
        match found {
            Some(found) => {
                server.script.push_back(answer(found));
                server.script.push_back(answer(&[]));
            }
            None => server.script.push_back(exception(516, "no")),
        }
        let step = watch.look(&mut server.env());
        let Reply::Lines { messages, .. } = server.drive(step) else { panic!("lines") };
        server.now = watch.due(&server.env());
        messages
    };
    assert_eq!(look(Some(&[view("a", "")])), [""; 0], "what there is when one begins to listen");
    assert_eq!(look(Some(&[view("a", "")])), [""; 0], "nothing has changed");
    assert_eq!(look(None), [""; 0], "that it is not known says nothing");
    let told = look(Some(&[view("a", ""), view("b", "")]));
    let told: Value = serde_json::from_str(&told[0]).unwrap();
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
    assert_eq!(look(Some(&[view("a", ""), view("b", "")])), [""; 0], "told once");
}

#[test]
fn an_array_of_messages_may_list_and_call() {
    let mut server = server(&[]);
    server.script.push_back(answer(&[view("a", "")]));
    server.script.push_back(answer(&[]));
    server.script.push_back(answer(&[json!(["x"])]));
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"sales_a"}}]"#;
    let answers = body(&server.http(crate::driver::post("2025-03-26", batch)));
    assert_eq!(names(&answers[0]["result"]), ["execute_query", "sales_a"]);
    assert_eq!(answers[1]["result"]["isError"], false, "{answers}");
}

#[test]
fn what_a_hostile_view_says_reaches_no_statement_unquoted() {
    let mut server = server(&[]);
    let texts = [
        "CREATE VIEW x AS SELECT {a:String) FROM url('http://x') --}",
        "CREATE VIEW x AS SELECT {a:Array(String); DROP TABLE x}",
        "CREATE VIEW x AS SELECT 'unclosed {a:String}",
        "CREATE VIEW x AS SELECT {t:Identifier}",
    ];
    let views: Vec<Value> =
        texts.iter().enumerate().map(|(at, text)| view(&format!("v{at}"), text)).collect();
    server.script.push_back(answer(&views));
    server.script.push_back(answer(&[]));
    assert_eq!(names(&list(&mut server, None)), ["execute_query"]);
    assert_eq!(server.facts.take_words().len(), texts.len(), "each is reported");
}

/// A request for the REST interface.
fn rest(server: &mut Scripted, email: Option<&str>, method: &str, path: &str, text: &str) -> (u16, Value) {
    let mut request = http::Request::builder().method(method).uri(path).header("host", "localhost:8080");
    if let Some(email) = email {
        request = request.header("authorization", format!("Bearer {}", token(person(email))));
    }
    let answer = server.http(request.header("content-type", "application/json").body(text).unwrap());
    (answer.status().as_u16(), body(&answer))
}

#[test]
fn made_tools_are_there_over_rest() {
    let mut server = server(&[SECURE, &[("MCP_OPENAPI", "http")]].concat());
    let (status, schema) = rest(&mut server, None, "GET", "/openapi", "");
    assert_eq!((status, server.queries().len()), (200, 0), "for strangers nothing is asked");
    assert!(schema["paths"].get("/openapi/sales_revenue").is_none());

    server.script.push_back(answer(&[view("revenue", SINCE)]));
    server.script.push_back(answer(&[]));
    let (status, schema) = rest(&mut server, Some("alice"), "GET", "/openapi", "");
    assert_eq!(status, 200);
    let path = &schema["paths"]["/openapi/sales_revenue"];
    assert!(path.get("get").is_none() && path["post"]["operationId"] == "sales_revenue", "{path}");
    let input = &path["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(input["required"], json!(["since"]));

    server.script.push_back(answer(&[json!(["key", "1"])]));
    let path = "/openapi/sales_revenue";
    let (status, rows) = rest(&mut server, Some("alice"), "POST", path, r#"{"since":"2026-01-01"}"#);
    assert_eq!((status, &rows["rows"]), (200, &json!([["key", "1"]])));
    assert_eq!(sql(&server, 2), "SELECT * FROM `sales`.`revenue`(`since` = {since:Date})");

    let (status, refused) = rest(&mut server, Some("alice"), "POST", path, "{}");
    assert_eq!(status, 400);
    assert!(refused["error"].as_str().unwrap().contains("`since` is missing"), "{refused}");
    assert_eq!(rest(&mut server, Some("alice"), "GET", path, "").0, 405);
    assert_eq!(rest(&mut server, Some("alice"), "POST", "/openapi/sales_other", "{}").0, 404);
    assert_eq!(rest(&mut server, None, "POST", path, "{}").0, 401);

    server.script.push_back(answer(&[]));
    server.script.push_back(answer(&[]));
    assert_eq!(rest(&mut server, Some("bob"), "POST", path, "{}").0, 404, "for bob there is none");
}
