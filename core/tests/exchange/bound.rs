//! A guest that lies: whatever it says, the host asks ClickHouse as the caller it has bound, within the caller's limits.

use std::sync::Arc;

use housekey_core::clickhouse::{
    Column, Credential, Exception, FORMAT_SETTINGS, Outcome, QueryEvent, RunAs, Statement,
};
use housekey_core::exchange::{Admission, Asked, AskedError, Bound, Bounded, admit, kill_instead};
use housekey_core::jose::claims::Claims;
use serde_json::json;

use crate::driver::{Scripted, World, post};
use crate::identity::{SECURE, person, token};

const COMMENT: &str = r#"{"client":"housekey","tool":"execute_query","request":"r1","subject":null}"#;

pub(crate) fn asked(sql: &str, settings: &[(&str, &str)]) -> Asked {
    let comment = Some(("log_comment", COMMENT));
    let comment = comment.filter(|_| !settings.iter().any(|(name, _)| *name == "log_comment"));
    let settings = settings.iter().copied().chain(comment);
    Asked {
        parameters: Vec::new(),
        sql: sql.to_owned(),
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        rows: None,
        row_bytes: u64::MAX,
        seconds: u64::MAX,
        trace: None,
        progress: false,
    }
}

/// The caller of a request with this token.
pub(crate) fn bound(server: &mut Scripted, claims: &Claims) -> Bound {
    let request = http::Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", token(claims.clone())));
    let (head, ()) = request.body(()).unwrap().into_parts();
    let service = Arc::clone(&server.service);
    match admit(&mut server.env(), &service, &head) {
        Admission::Read(admitted) => admitted.bind().unwrap(),
        Admission::Learn(_) => panic!("nothing has to be learned"),
        Admission::Answer(answer) => panic!("{answer:?}"),
    }
}

fn operator() -> Scripted {
    let own = [
        ("CLICKHOUSE_MAX_RESULT_ROWS", "500"),
        ("CLICKHOUSE_MAX_EXECUTION_TIME", "60"),
        ("CLICKHOUSE_MAX_QUERY_LENGTH", "2000"),
        ("TOOL_INPUT_SETTINGS", "max_threads"),
    ];
    Scripted::new(&[SECURE, &own].concat())
}

pub(crate) fn plan(server: &mut Scripted, bound: &Bound, asked: &Asked) -> Result<Bounded, AskedError> {
    bound.plan(&mut server.env(), asked)
}

fn setting<'a>(bounded: &'a Bounded, name: &str) -> Option<&'a str> {
    let found: Vec<_> = bounded.request.settings.iter().filter(|setting| setting.name == name).collect();
    assert!(found.len() < 2, "{found:?}");
    found.first().map(|setting| setting.value.as_str())
}

#[test]
fn settings_that_would_change_who_asks_or_what_they_may_are_refused() {
    let mut server = operator();
    let alice = bound(&mut server, &person("alice"));
    for name in [
        "user",
        "password",
        "role",
        "quota_key",
        "database",
        "profile",
        "query_id",
        "query",
        "session_id",
        "readonly",
        "replace_running_query",
        "allow_ddl",
        "max_memory_usage",
        "max_result_rows",
        "dialect",
        "implicit_select",
        "cancel_http_readonly_queries_on_client_close",
        "LIMIT",
        "Log_comment",
        "MAX_THREADS",
        "x-clickhouse-user",
        "",
    ] {
        let refusal = plan(&mut server, &alice, &asked("SELECT 1", &[(name, "0")])).err();
        assert_eq!(refusal, Some(AskedError::Setting { name: name.to_owned() }));
    }
}

#[test]
fn values_that_would_lift_a_cap_or_change_the_format_are_refused() {
    let mut server = operator();
    let alice = bound(&mut server, &person("alice"));
    let long = "x".repeat(5000);
    for (name, value) in [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "18446744073709551616"),
        ("limit", "1&user=bob"),
        ("max_execution_time", "0"),
        ("max_execution_time", "1e9"),
        ("output_format_json_quote_64bit_integers", "0"),
        ("http_write_exception_in_output_format", "1"),
        ("max_threads", &long),
    ] {
        let refusal = plan(&mut server, &alice, &asked("SELECT 1", &[(name, value)])).err();
        assert_eq!(refusal, Some(AskedError::Value { name: name.to_owned() }), "{value:.30}");
    }
    let twice = asked("SELECT 1", &[("limit", "5"), ("limit", "6")]);
    assert_eq!(plan(&mut server, &alice, &twice).err(), Some(AskedError::Repeated { name: "limit".into() }));
    let none = Asked { rows: Some(0), ..asked("SELECT 1", &[]) };
    assert_eq!(plan(&mut server, &alice, &none).err(), Some(AskedError::NoRows));
}

#[test]
fn statements_are_checked_by_the_operators_rules() {
    let mut server = operator();
    let alice = bound(&mut server, &person("alice"));
    let long = format!("SELECT '{}'", "x".repeat(2100));
    for sql in [
        "",
        "DROP TABLE t",
        "INSERT INTO t VALUES (1)",
        "SELECT 1; DROP TABLE t",
        "EXECUTE AS bob SELECT 1",
        "EXECUTE AS 'admin' DROP TABLE t",
        "SET readonly = 0",
        "KILL QUERY WHERE query_id = 'x'",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS log_comment = 'x'",
        "SELECT 1 SETTINGS max_memory_usage = 0",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "GRANT ALL ON *.* TO alice",
        "SYSTEM SHUTDOWN",
        "SELECT 1) SETTINGS readonly=0 --",
        &long,
    ] {
        let refusal = plan(&mut server, &alice, &asked(sql, &[])).err();
        assert!(matches!(refusal, Some(AskedError::Statement(_))), "{sql:.40}: {refusal:?}");
    }
    assert!(plan(&mut server, &alice, &asked("SELECT 1 SETTINGS max_threads = 1", &[])).is_ok());
}

const WRITES: &str = r#"{"client":"housekey","tool":"write_query","request":"r1"}"#;

#[test]
fn a_write_is_taken_from_a_tool_that_writes_only() {
    let mut server = operator();
    let alice = bound(&mut server, &person("alice"));
    let reader = bound(&mut server, &Claims { read_only: Some(true), ..person("alice") });
    let insert = "INSERT INTO t SELECT {a:Int8}";
    let bounded = plan(&mut server, &alice, &asked(insert, &[("log_comment", WRITES)])).unwrap();
    assert!(matches!(&bounded.request.statement, Statement::Writable(sql) if sql.text() == insert));
    assert!(!bounded.request.inner.readonly && bounded.request.inner.limit.is_none());
    let RunAs::ExecuteAs(user) = &bounded.request.run_as else { panic!("{:?}", bounded.request.run_as) };
    assert_eq!(user.as_str(), "alice");
    // What reads is still held to it.
    let read = plan(&mut server, &alice, &asked("SELECT 1", &[("log_comment", WRITES)])).unwrap();
    assert!(matches!(read.request.statement, Statement::ReadOnly(_)) && read.request.inner.readonly);
    for tool in ["execute_query", "list_tables", "explain_query"] {
        let comment = WRITES.replace("write_query", tool);
        let refusal = plan(&mut server, &alice, &asked(insert, &[("log_comment", &comment)])).err();
        assert!(matches!(refusal, Some(AskedError::Statement(_))), "{tool}: {refusal:?}");
    }
    let refusal = plan(&mut server, &reader, &asked(insert, &[("log_comment", WRITES)])).err();
    assert_eq!(refusal, Some(AskedError::Tool), "who may only read has no such tool");
    for sql in
        ["DROP TABLE t", "GRANT SELECT ON t TO alice", "SET readonly = 0", "EXECUTE AS bob SELECT 1", ""]
    {
        let refusal = plan(&mut server, &alice, &asked(sql, &[("log_comment", WRITES)])).err();
        assert!(matches!(refusal, Some(AskedError::Statement(_))), "{sql}: {refusal:?}");
    }
    let rows = asked("INSERT INTO t VALUES (1)", &[("log_comment", WRITES)]);
    let refusal = plan(&mut server, &alice, &rows).err();
    assert!(matches!(refusal, Some(AskedError::Unsendable(told)) if told.contains("SELECT")), "{refusal:?}");
}

#[test]
fn caps_only_ever_narrow() {
    let mut server = operator();
    let claims = Claims {
        limit: std::num::NonZero::new(50),
        max_execution_time: std::num::NonZero::new(9),
        ..person("alice")
    };
    let alice = bound(&mut server, &claims);
    // What the guest says of rows and seconds, and what comes of it; the caps of the token are 50 rows and 9 seconds.
    for (rows, limit, time, seconds, wanted_rows, wanted_time, wanted_wait) in [
        (None, None, None, u64::MAX, 51, 9, 14),
        (Some(10_000), Some("99999"), Some("99999"), u64::MAX, 51, 9, 14),
        (Some(7), None, None, u64::MAX, 7, 9, 14),
        (None, Some("8"), Some("3"), u64::MAX, 8, 3, 8),
        (Some(4), Some("8"), Some("3"), 2, 4, 3, 2),
        (Some(1), None, None, 0, 1, 9, 0),
    ] {
        let settings: Vec<_> = [("limit", limit), ("max_execution_time", time)]
            .into_iter()
            .filter_map(|(n, v)| Some((n, v?)))
            .collect();
        let asked = Asked { rows, seconds, ..asked("SELECT 1", &settings) };
        let bounded = plan(&mut server, &alice, &asked).unwrap();
        assert_eq!(bounded.request.inner.limit, Some(wanted_rows));
        assert_eq!(bounded.limits.rows, Some(wanted_rows - 1));
        assert_eq!(setting(&bounded, "max_execution_time"), Some(wanted_time.to_string().as_str()));
        assert_eq!(bounded.request.deadline_seconds, wanted_wait);
    }
    let tiny = Asked { row_bytes: 10, ..asked("SELECT 1", &[]) };
    assert_eq!(plan(&mut server, &alice, &tiny).unwrap().request.limits.row_bytes, 10);
    let huge = Asked { row_bytes: u64::MAX, ..asked("SELECT 1", &[]) };
    assert!(plan(&mut server, &alice, &huge).unwrap().request.limits.row_bytes <= 16 << 20);
}

#[test]
fn who_asks_and_under_which_id_is_the_hosts() {
    let mut server = operator();
    let alice = bound(&mut server, &person("alice"));
    let forged = r#"{"client":"curl","tool":"execute_query","request":"r7","subject":"bob","user":"bob","query_id":"forged"}"#;
    let formats: Vec<_> = FORMAT_SETTINGS.iter().copied().chain([("max_threads", "3")]).collect();
    let asked_twice = asked("SELECT 1", &[&formats[..], &[("log_comment", forged)]].concat());
    let one = plan(&mut server, &alice, &asked_twice).unwrap();
    let two = plan(&mut server, &alice, &asked_twice).unwrap();
    assert_ne!(one.request.query_id, two.request.query_id);
    assert_eq!(one.cancellation().unwrap().query_id, one.request.query_id);
    let comment: serde_json::Value = serde_json::from_str(setting(&one, "log_comment").unwrap()).unwrap();
    assert_eq!(
        comment,
        json!({
            "client": "housekey", "tool": "execute_query", "request": "r7", "subject": "alice",
            "query_id": one.request.query_id,
        })
    );
    let RunAs::ExecuteAs(user) = &one.request.run_as else { panic!("{:?}", one.request.run_as) };
    assert_eq!(user.as_str(), "alice");
    assert!(one.request.inner.readonly);
    assert!(matches!(&one.request.statement, Statement::ReadOnly(sql) if sql.text() == "SELECT 1"));
    assert_eq!(setting(&one, "max_threads"), Some("3"));
    for (comment, refusal) in [
        ("", AskedError::Comment),
        ("[]", AskedError::Comment),
        (r#"{"tool":"execute_query"}"#, AskedError::Comment),
        (r#"{"tool":"execute_query","request":{}}"#, AskedError::Comment),
        (r#"{"tool":"drop_everything","request":1}"#, AskedError::Tool),
    ] {
        let asked = asked("SELECT 1", &[("log_comment", comment)]);
        assert_eq!(plan(&mut server, &alice, &asked).err(), Some(refusal), "{comment}");
    }
    let silent = Asked { settings: Vec::new(), ..asked("SELECT 1", &[]) };
    assert_eq!(plan(&mut server, &alice, &silent).err(), Some(AskedError::Comment));
}

#[test]
fn a_login_of_the_callers_own_reads_only() {
    let mut server = operator();
    let claims = Claims {
        username: Some("carol".into()),
        password: Some("a password of carol's".into()),
        ..person("carol")
    };
    let carol = bound(&mut server, &claims);
    let bounded = plan(&mut server, &carol, &asked("SELECT 1", &[])).unwrap();
    assert_eq!(setting(&bounded, "readonly"), Some("1"));
    assert_eq!(setting(&bounded, "limit"), Some("501"));
    let Credential::Password { username, .. } = &bounded.request.credential else { panic!("no password") };
    assert_eq!((username.as_str(), &bounded.request.run_as), ("carol", &RunAs::Login));
}

fn refused(code: i32, message: &str) -> Exception {
    Exception { code, name: "X".into(), message: message.into(), before_execution: true }
}

#[test]
fn refusals_of_settings_are_the_hosts_to_learn() {
    let mut server = operator();
    let alice = bound(&mut server, &person("alice"));
    let question = asked("SELECT 1", &[("max_threads", "100")]);
    let bounded = plan(&mut server, &alice, &question).unwrap();
    // What is refused of the guest's own settings costs the operator's nothing.
    for message in
        ["Setting max_threads shouldn't be greater than 4", "Setting something_else should not be changed"]
    {
        assert_eq!(bounded.learn(&mut server.env(), &refused(452, message)), None);
    }
    let comment = refused(452, "Setting log_comment should not be changed");
    let learned = bounded.learn(&mut server.env(), &comment).unwrap();
    let anew = plan(&mut server, &alice, &question).unwrap();
    assert_eq!(setting(&anew, "log_comment"), None);
    assert!(anew.request.inner.readonly);
    assert_eq!(anew.learn(&mut server.env(), &comment), None);
    // What else the gateway's profile forbids is asked as the gateway, once.
    let (inspection, _) = anew.inspection(&mut server.env(), &learned).unwrap();
    assert_eq!((&inspection.run_as, &inspection.settings), (&RunAs::Login, &Vec::new()));
    anew.inspected(&mut server.env(), &Outcome::NoResult);
    assert!(anew.inspection(&mut server.env(), &learned).is_none());
}

#[test]
fn progress_is_for_guests_that_ask_for_it() {
    let mut server = operator();
    let alice = bound(&mut server, &person("alice"));
    let own = Claims { username: Some("carol".into()), password: Some("pw".into()), ..person("carol") };
    let carol = bound(&mut server, &own);
    let asking = Asked { progress: true, ..asked("SELECT 1", &[]) };
    assert!(!plan(&mut server, &carol, &asked("SELECT 1", &[])).unwrap().request.progress);
    assert!(plan(&mut server, &carol, &asking).unwrap().request.progress);
    // Under EXECUTE AS a closed connection ends a read in no other way.
    assert!(plan(&mut server, &alice, &asked("SELECT 1", &[])).unwrap().request.progress);
}

#[test]
fn a_query_that_cannot_be_replaced_is_killed() {
    let mut server = operator();
    let alice = bound(&mut server, &person("alice"));
    let bounded = plan(&mut server, &alice, &asked("SELECT 1", &[])).unwrap();
    let (id, cancellation) = (bounded.request.query_id.clone(), bounded.cancellation().unwrap());
    assert_eq!((&cancellation.query_id, &cancellation.run_as), (&id, &RunAs::Login));
    for exception in [
        refused(164, "Cannot modify 'replace_running_query' setting in readonly mode"),
        refused(452, "Setting replace_running_query should not be changed"),
        refused(115, "Unknown setting 'replace_running_query'"),
    ] {
        let kill = kill_instead(&cancellation, &exception).unwrap();
        let Statement::Writable(sql) = &kill.statement else { panic!("a read") };
        assert_eq!(sql.text(), format!("KILL QUERY WHERE query_id = '{id}' ASYNC"));
        assert_ne!(kill.query_id, id, "it would wait for itself");
        assert!(kill.settings.is_empty() && kill.run_as == RunAs::Login);
        assert!(kill_instead(&kill, &exception).is_none(), "once");
    }
    for exception in [
        refused(164, "Cannot modify 'limit' setting in readonly mode"),
        refused(497, "Not enough privileges"),
        Exception {
            before_execution: false,
            ..refused(452, "Setting replace_running_query should not be changed")
        },
    ] {
        assert!(kill_instead(&cancellation, &exception).is_none(), "{exception:?}");
    }
}

#[test]
fn a_guest_hears_neither_of_the_wrapper_nor_how_to_begin_anew() {
    let mut server = operator();
    let alice = bound(&mut server, &person("alice"));
    let bounded = plan(&mut server, &alice, &asked("SELECT 1", &[])).unwrap();
    let exception = refused(
        497,
        "gateway: Not enough privileges. To execute this query, it's necessary to have the grant IMPERSONATE ON alice",
    );
    let QueryEvent::Exception(told) = bounded.told(QueryEvent::Exception(exception)) else {
        panic!("no exception")
    };
    assert!(told.message.contains("alice") && !told.message.contains("gateway:"), "{told:?}");
    assert!(!told.before_execution);
    let end = QueryEvent::Broken("it broke".into());
    assert_eq!(bounded.told(end.clone()), end);
}

#[test]
fn only_messages_are_a_guests_to_answer() {
    // With tokens a sign of life needs no look at ClickHouse and is answered on the head.
    let mut server = Scripted::new(&[]);
    let (head, ()) = http::Request::get("/health").header("host", "localhost").body(()).unwrap().into_parts();
    let service = Arc::clone(&server.service);
    match admit(&mut server.env(), &service, &head) {
        Admission::Read(admitted) => assert!(admitted.bind().is_none()),
        Admission::Learn(_) => panic!("nothing has to be learned"),
        Admission::Answer(answer) => panic!("{answer:?}"),
    }
}

/// Which tools the rules make of what the caller sees, only the guest has looked up: what it sends under their names is
/// held to the form in which such tools speak, and to the rules.
#[test]
fn under_the_name_of_a_made_tool_nothing_is_written_but_bound_values_into_what_a_rule_matches() {
    const RULES: &str = r#"{"server": {"blocked_query_clauses": ["WHERE", "SELECT"], "tools": [
        {"view_regexp": "^sales[.]"}, {"table_regexp": "^scratch[.]notes$", "mode": "insert"}
    ]}}"#;
    let mut server = Scripted::new(&[SECURE, &[("HOUSEKEY_CONFIG", RULES)]].concat());
    let alice = bound(&mut server, &person("alice"));
    let comment = |tool: &str| format!(r#"{{"tool":"{tool}","request":"r1"}}"#);
    let made = comment("scratch_notes");
    let insert = "INSERT INTO `scratch`.`notes` (`id`) SELECT {v1:UInt32}";
    let planned = plan(&mut server, &alice, &asked(insert, &[("log_comment", &made)])).unwrap();
    assert!(matches!(planned.request.statement, Statement::Writable(_)));
    let read = "SELECT * FROM `sales`.`v`(`a` = {a:String})";
    assert!(
        plan(&mut server, &alice, &asked(read, &[("log_comment", &made)])).is_ok(),
        "callers' clauses are blocked"
    );
    for sql in [
        "INSERT INTO `scratch`.`other` (`id`) SELECT {v1:UInt32}",
        "INSERT INTO `scratch`.`notes` (`id`) SELECT id FROM `hr`.`salaries`",
        "INSERT INTO `scratch`.`notes` (`id`) VALUES (1)",
        "DROP TABLE `scratch`.`notes`",
        "SELECT * FROM `hr`.`v`",
        "SELECT * FROM `sales`.`v` WHERE 1",
    ] {
        let refusal = plan(&mut server, &alice, &asked(sql, &[("log_comment", &made)])).err();
        assert!(matches!(refusal, Some(AskedError::Statement(_))), "{sql}: {refusal:?}");
    }
    for (tool, known) in [("tools/list", true), ("Scratch_Notes", false), ("execute_query", true)] {
        let refusal = plan(&mut server, &alice, &asked(read, &[("log_comment", &comment(tool))])).err();
        assert_eq!(refusal.is_none(), known, "{tool}: {refusal:?}");
    }
    let refusal = plan(&mut server, &alice, &asked(insert, &[("log_comment", &comment("tools/list"))])).err();
    assert!(matches!(refusal, Some(AskedError::Statement(_))), "{refusal:?}");

    let reader = Claims { read_only: Some(true), ..person("alice") };
    let reader = bound(&mut server, &reader);
    let refusal = plan(&mut server, &reader, &asked(insert, &[("log_comment", &made)])).err();
    assert!(matches!(refusal, Some(AskedError::Statement(_))), "{refusal:?}");
    let mut plain = operator();
    let alice = bound(&mut plain, &person("alice"));
    let refusal = plan(&mut plain, &alice, &asked("SELECT 1", &[("log_comment", &made)])).err();
    assert_eq!(refusal, Some(AskedError::Tool), "without rules no tool is made");
}

#[test]
fn methods_that_ask_are_planned_like_tools() {
    let mut server = operator();
    let alice = bound(&mut server, &person("alice"));
    let comment = |tool: &str| COMMENT.replace("execute_query", tool);
    for (tool, known) in [
        ("resources/read", true),
        ("completion/complete", true),
        ("resources/list", false),
        ("prompts/get", false),
        ("resources", false),
        ("", false),
    ] {
        let planned = plan(&mut server, &alice, &asked("SELECT 1", &[("log_comment", &comment(tool))]));
        assert_eq!(planned.as_ref().err(), (!known).then_some(&AskedError::Tool), "{tool}");
        if let Ok(bounded) = planned {
            assert!(setting(&bounded, "log_comment").unwrap().contains(tool));
            assert!(matches!(&bounded.request.run_as, RunAs::ExecuteAs(user) if user.as_str() == "alice"));
        }
    }
}

#[test]
fn what_the_operator_blocks_is_blocked_for_callers_not_for_what_browses() {
    let blocked = [("BLOCKED_QUERY_CLAUSES", "WHERE,ORDER BY")];
    let mut server = Scripted::new(&[SECURE, &blocked].concat());
    let alice = bound(&mut server, &person("alice"));
    let comment = COMMENT.replace("execute_query", "list_tables");
    for (sql, lets) in [
        ("SELECT name FROM system.tables WHERE database = {d:String} ORDER BY name", true),
        ("SELECT name FROM sales.orders WHERE 1", false),
        ("SELECT name FROM system.tables, sales.orders WHERE 1", false),
        ("SELECT name FROM system.tables WHERE name IN (SELECT customer FROM sales.orders)", false),
    ] {
        let planned = plan(&mut server, &alice, &asked(sql, &[("log_comment", &comment)]));
        assert_eq!(planned.is_ok(), lets, "{sql}");
    }
}

/// What browses really sends is what passes for it.
#[test]
fn what_browses_reads_the_catalogue_alone() {
    let mut server = Scripted::new(&[]);
    let nothing = || {
        let header = vec![Column { name: "a".into(), type_name: "String".into() }];
        World::Rows(vec![QueryEvent::Header(header), QueryEvent::End])
    };
    for (method, params) in [
        ("tools/call", json!({ "name": "list_databases", "arguments": {} })),
        ("tools/call", json!({ "name": "list_tables", "arguments": {} })),
        (
            "tools/call",
            json!({ "name": "list_tables", "arguments": { "database": "d", "like": "a", "not_like": "b", "include_columns": true } }),
        ),
        ("tools/call", json!({ "name": "search_schema", "arguments": { "words": "a b" } })),
        ("tools/call", json!({ "name": "describe_table", "arguments": { "database": "d", "table": "t" } })),
        ("resources/read", json!({ "uri": "clickhouse://schema" })),
        ("resources/read", json!({ "uri": "clickhouse://table/d/t" })),
    ] {
        server.script.extend([nothing(), nothing(), nothing()]);
        let before = server.queries().len();
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        server.http(post("2025-11-25", Box::leak(body.into_boxed_str())));
        assert!(server.queries().len() > before, "{method} {params}");
        for query in server.queries().iter().skip(before) {
            let Statement::ReadOnly(sql) = &query.statement else { panic!("it only reads") };
            assert!(housekey_core::sql::reads_catalogue(sql.text()), "{}", sql.text());
        }
    }
}
