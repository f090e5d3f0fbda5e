//! Columns of states that only the server can read: the statement is asked again, for their text.

use housekey_core::clickhouse::{Column, Exception, QueryEvent, Statement};
use serde_json::{Value, json};

use crate::driver::{Scripted, World, json, post};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT k, s FROM t ORDER BY k FORMAT JSON"}}}"#;
const STATE: &str = "AggregateFunction(uniqTheta, UInt64)";

fn header(columns: &[(&str, &str)]) -> QueryEvent {
    let column = |(name, type_name): &(&str, &str)| Column {
        name: (*name).to_owned(),
        type_name: (*type_name).to_owned(),
    };
    QueryEvent::Header(columns.iter().map(column).collect())
}

fn broken() -> QueryEvent {
    QueryEvent::Broken("only the server can read it: wrap it in finalizeAggregation()".to_owned())
}

/// What the call comes to with these answers, and the statements that were asked.
fn result(answers: &[&[QueryEvent]]) -> (Value, Vec<String>) {
    let mut server = Scripted::new(&[("CLICKHOUSE_PROTOCOL", "tcp")]);
    server.script.extend(answers.iter().map(|events| World::Rows(events.to_vec())));
    let answer = json(&server.http(post("2025-11-25", CALL)))["result"].clone();
    let text = |statement: &Statement| match statement {
        Statement::ReadOnly(sql) => sql.text().to_owned(),
        Statement::Writable(_) => panic!("nothing here writes"),
    };
    (answer, server.queries().iter().map(|query| text(&query.statement)).collect())
}

#[test]
fn states_are_asked_for_as_text_and_keep_their_type() {
    let first = [header(&[("k", "UInt8"), ("s", STATE)]), broken()];
    let rows = || QueryEvent::Rows([r#"[1,"x"]"#].iter().collect());
    let second = [header(&[("k", "UInt8"), ("s", "String")]), rows(), QueryEvent::End];
    let (answer, asked) = result(&[&first, &second]);
    let body = "SELECT k, s FROM t ORDER BY k";
    let cast = format!("SELECT * REPLACE (CAST(`s`, 'String') AS `s`)\nFROM (\n{body}\n)");
    assert_eq!(asked, [body.to_owned(), cast]);
    let content = &answer["structuredContent"];
    assert_eq!(content["rows"], json!([[1, "x"]]));
    assert!(content["types"].to_string().contains(STATE), "{content}");
    assert!(content["notes"].to_string().contains("FORMAT JSON"), "{content}");
}

#[test]
fn what_cannot_be_asked_for_as_text_is_told_as_it_was() {
    let states = header(&[("k", "UInt8"), ("s", STATE)]);
    let first = [states.clone(), broken()];
    let exception = Exception::parse("Code: 70. DB::Exception: no such cast", None, true);
    let others = [header(&[("s", "String"), ("k", "UInt8")]), QueryEvent::End];
    let twice = [header(&[("s", STATE), ("s", STATE)]), broken()];
    let unnamed = [header(&[("s", "Dynamic")]), broken()];
    for (answers, asked) in [
        (&[&first[..], &[QueryEvent::Exception(exception)]][..], 2),
        // Values of other columns than those that were asked for.
        (&[&first, &others], 2),
        (&[&first, &first], 2),
        (&[&first, &[QueryEvent::End]], 2),
        (&[&twice], 1),
        (&[&unnamed], 1),
    ] {
        let (answer, statements) = result(answers);
        assert_eq!(statements.len(), asked, "{answer}");
        assert_eq!(answer["isError"], true, "{answer}");
        assert!(answer.to_string().contains("finalizeAggregation()"), "{answer}");
    }
    let hung_up = QueryEvent::Broken("it hung up".to_owned());
    let (answer, _) = result(&[&first, &[hung_up]]);
    assert!(answer.to_string().contains("it hung up"), "{answer}");
}
