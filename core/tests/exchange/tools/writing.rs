//! `write_query`: who has it, what it runs, and that nothing is written twice.

use housekey_core::clickhouse::{QueryEvent, Statement, http as codec};
use housekey_core::jose::claims::Claims;
use housekey_core::sql::Inner;
use serde_json::{Value, json};

use super::{call, failure, refused, refuses, setting, structured, table};
use crate::driver::{Scripted, World};
use crate::identity::{SECURE, person, token};

const INSERT: &str = "INSERT INTO notes SELECT {id:UInt32}";

fn insert() -> Value {
    json!({ "query": INSERT, "parameters": { "id": 7 } })
}

fn nothing() -> World {
    World::Rows(vec![QueryEvent::End])
}

#[test]
fn a_write_answers_with_a_status_and_is_neither_cut_nor_held_read_only() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(nothing());
    let result = call(&mut server, None, "write_query", insert());
    let wanted = json!({ "columns": ["status"], "types": ["String"], "rows": [["OK"]], "count": 1 });
    assert_eq!(structured(&result), &wanted);
    let asked = server.queries()[0];
    assert!(matches!(asked.statement, Statement::Writable(_)));
    assert_eq!(asked.inner, Inner::default());
    assert_eq!((setting(asked, "readonly"), setting(asked, "limit")), (None, None));
    let comment: Value = serde_json::from_str(setting(asked, "log_comment").unwrap()).unwrap();
    assert_eq!(comment["tool"], "write_query");
}

#[test]
fn what_reads_is_run_as_a_read() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(table(&[json!([1]), json!([2])]));
    let result =
        call(&mut server, None, "write_query", json!({ "query": "SELECT 1 FORMAT CSV", "limit": 1 }));
    assert_eq!(structured(&result)["truncated"]["returned_rows"], 1);
    assert_eq!(structured(&result)["notes"].as_array().unwrap().len(), 1);
    let asked = server.queries()[0];
    assert!(matches!(asked.statement, Statement::ReadOnly(_)));
    assert_eq!(setting(asked, "readonly"), Some("1"));
    for query in [
        "(SELECT 1)",
        "WITH 1 AS a SELECT a",
        "FROM t SELECT a",
        "SHOW TABLES",
        "DESCRIBE t",
        "EXISTS t",
        "EXPLAIN SELECT 1",
    ] {
        let mut server = Scripted::new(&[]);
        server.script.push_back(table(&[json!([1])]));
        structured(&call(&mut server, None, "write_query", json!({ "query": query })));
        assert!(matches!(server.queries()[0].statement, Statement::ReadOnly(_)), "{query}");
    }
}

#[test]
fn a_write_that_broke_off_may_have_been_done() {
    for (query, unknown) in [(INSERT.replace("{id:UInt32}", "1"), true), ("SELECT 1".to_owned(), false)] {
        let mut server = Scripted::new(&[]);
        server.script.push_back(World::Rows(vec![QueryEvent::Broken("the connection broke".into())]));
        let text = failure(&call(&mut server, None, "write_query", json!({ "query": query })));
        assert_eq!(text.contains("look before you repeat it"), unknown, "{text}");
    }
}

#[test]
fn what_no_statement_may_do_is_refused_before_it_leaves() {
    for (query, told) in [
        ("SET readonly = 0", "every call stands alone"),
        ("USE hr", "every call stands alone"),
        ("EXECUTE AS bob INSERT INTO notes SELECT 1", "EXECUTE AS is refused"),
        ("INSERT INTO notes SELECT 1; DROP TABLE notes", "only one statement"),
        ("INSERT INTO notes SELECT 1 SETTINGS readonly = 0", "`readonly` is fixed"),
        ("INSERT INTO notes SELECT 1 SETTINGS max_threads = 1", "`max_threads` may not be changed"),
        ("INSERT INTO notes SELECT * FROM url('http://x', 'CSV')", "`url` is not allowed"),
        ("SELECT 1 INTO OUTFILE 'x'", "INTO OUTFILE is refused"),
        ("DROP TABLE notes", "`clickhouse.allow_destructive`"),
        ("TRUNCATE notes", "`clickhouse.allow_destructive`"),
        ("ALTER TABLE notes DROP PARTITION 1", "`clickhouse.allow_destructive`"),
        ("DELETE FROM notes WHERE 1", "`clickhouse.allow_destructive`"),
        ("", "`query` is empty"),
    ] {
        refuses(&mut Scripted::new(&[]), "write_query", json!({ "query": query }), told);
        let refusal = call(&mut Scripted::new(&[]), None, "execute_query", json!({ "query": query }));
        assert_eq!(refusal["isError"], true, "{query}");
    }
    let mut server = Scripted::new(&[("CLICKHOUSE_ALLOW_DESTRUCTIVE", "true")]);
    server.script.push_back(nothing());
    structured(&call(&mut server, None, "write_query", json!({ "query": "DROP TABLE notes" })));
}

#[test]
fn who_may_only_read_has_no_such_tool() {
    let reader = token(Claims { read_only: Some(true), ..person("alice") });
    let writer = token(person("alice"));
    for (variables, token, is_there) in [
        (SECURE.to_vec(), writer.clone(), true),
        (SECURE.to_vec(), reader, false),
        ([SECURE, &[("CLICKHOUSE_READ_ONLY", "true")]].concat(), writer, false),
    ] {
        let mut server = Scripted::new(&variables);
        if is_there {
            server.script.push_back(nothing());
        }
        let result = call(&mut server, Some(&token), "write_query", insert());
        assert_eq!(result["isError"] == false, is_there, "{result}");
        assert_eq!(server.queries().len(), usize::from(is_there));
    }
}

#[test]
fn a_write_runs_as_the_person_or_not_at_all() {
    let mut server = Scripted::new(SECURE);
    let alice = token(person("alice"));
    server.script.push_back(nothing());
    structured(&call(&mut server, Some(&alice), "write_query", insert()));
    let sent = codec::encode(server.queries()[0]).unwrap();
    assert_eq!(&sent.body()[..], format!("EXECUTE AS 'alice' {INSERT}").as_bytes());
    assert!(sent.uri().query().unwrap().contains("param_id=7"));
    for (query, told) in [
        ("INSERT INTO notes VALUES (1)", "INSERT INTO table (a, b) SELECT"),
        ("INSERT INTO notes FORMAT CSV\n1\n", "INSERT INTO table (a, b) SELECT"),
        ("GRANT SELECT ON *.* TO alice", "who may do what"),
        ("CREATE USER mallory", "who may do what"),
        ("SET ROLE ALL", "no session to change"),
    ] {
        let text = failure(&call(&mut server, Some(&alice), "write_query", json!({ "query": query })));
        assert!(text.contains(told), "{query}: {text}");
    }
    assert_eq!(server.queries().len(), 1);
}

#[test]
fn rows_in_the_statement_go_where_the_server_reads_them() {
    let values = json!({ "query": "INSERT INTO notes VALUES (1), ({id:UInt32})", "parameters": { "id": 2 } });
    let mut server = Scripted::new(&[]);
    server.script.push_back(nothing());
    structured(&call(&mut server, None, "write_query", values.clone()));
    let mut server = Scripted::new(&[("CLICKHOUSE_PROTOCOL", "tcp")]);
    refuses(&mut server, "write_query", values, "INSERT INTO table (a, b) SELECT");
}

#[test]
fn a_write_is_sent_again_only_if_it_cannot_have_run() {
    let setting_refused = "Setting log_comment should not be changed";
    for (answer, sent) in [
        (refused(452, setting_refused, true), 2),
        (refused(452, setting_refused, false), 1),
        (refused(164, "Cannot modify 'log_comment' setting in readonly mode", false), 1),
        (refused(241, "Memory limit exceeded", true), 1),
        (World::Rows(vec![QueryEvent::Broken("the connection broke".into())]), 1),
    ] {
        let mut server = Scripted::new(&[]);
        server.script.push_back(answer);
        // The profile may be asked for its constraints in between.
        for _ in 0..3 {
            server.script.push_back(nothing());
        }
        call(&mut server, None, "write_query", insert());
        let writes: Vec<_> = server
            .queries()
            .into_iter()
            .filter(|query| matches!(query.statement, Statement::Writable(_)))
            .collect();
        assert_eq!(writes.len(), sent);
        assert!(sent == 1 || setting(writes[1], "log_comment").is_none());
    }
}
