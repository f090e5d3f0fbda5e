//! `explain_query`.

use serde_json::json;

use super::{call, failure, named, refused, refuses, sql, structured, table};
use crate::driver::Scripted;

#[test]
fn each_kind_is_an_explain_of_the_checked_select() {
    for (kind, wanted) in [
        (json!(null), "EXPLAIN PLAN SELECT {a:UInt8}"),
        (json!("plan"), "EXPLAIN PLAN SELECT {a:UInt8}"),
        (json!("pipeline"), "EXPLAIN PIPELINE SELECT {a:UInt8}"),
        (json!("syntax"), "EXPLAIN SYNTAX SELECT {a:UInt8}"),
        (json!("estimate"), "EXPLAIN ESTIMATE SELECT {a:UInt8}"),
        (json!("indexes"), "EXPLAIN PLAN indexes = 1 SELECT {a:UInt8}"),
        (json!("query_tree"), "EXPLAIN QUERY TREE SELECT {a:UInt8}"),
        (json!("ast"), "EXPLAIN AST SELECT {a:UInt8}"),
    ] {
        let mut server = Scripted::new(&[]);
        server.script.push_back(table(&[json!(["Expression"]), json!(["  ReadFrom\nSource"])]));
        let asked = json!({ "query": "SELECT {a:UInt8};", "kind": kind, "parameters": { "a": 1 } });
        let result = call(&mut server, None, "explain_query", asked);
        assert_eq!(structured(&result)["lines"], json!(["Expression", "  ReadFrom", "Source"]));
        assert_eq!(structured(&result)["kind"], kind.as_str().unwrap_or("plan"));
        assert_eq!(sql(server.queries()[0]), wanted);
    }
}

#[test]
fn an_estimate_names_its_columns_and_a_cut_is_told() {
    let mut server = Scripted::new(&[("CLICKHOUSE_MAX_RESULT_ROWS", "1")]);
    let row = json!(["sales", "orders", "1", "240"]);
    server.script.push_back(named(&["database", "table", "parts", "rows"], &[row.clone(), row]));
    let result = call(&mut server, None, "explain_query", json!({ "query": "SELECT 1", "kind": "estimate" }));
    assert_eq!(structured(&result)["lines"], json!(["database=sales table=orders parts=1 rows=240"]));
    assert_eq!(structured(&result)["truncated"]["reason"], "rows");
}

#[test]
fn nothing_else_is_explained() {
    for (arguments, told) in [
        (json!({ "query": "EXPLAIN SELECT 1" }), "only a SELECT can be explained"),
        (json!({ "query": "SHOW TABLES" }), "only a SELECT can be explained"),
        (json!({ "query": "INSERT INTO t SELECT 1" }), "this tool reads"),
        (json!({ "query": "SELECT 1; DROP TABLE t" }), "only one statement"),
        (json!({ "query": "indexes = 1 SELECT 1" }), "this tool reads"),
        (json!({ "query": "SELECT 1", "kind": "PLAN" }), "`kind` is none of `plan`, `pipeline`"),
        (json!({ "query": "SELECT 1", "kind": "plan DROP" }), "`kind` is none of"),
        (json!({ "query": "SELECT 1", "kind": 1 }), "`kind` must be a string"),
        (json!({ "query": "SELECT 1", "limit": 1 }), "there is no argument \"limit\""),
        (json!({}), "`query` is missing: the SELECT to explain"),
    ] {
        refuses(&mut Scripted::new(&[]), "explain_query", arguments, told);
    }
    let mut server = Scripted::new(&[]);
    server.script.push_back(refused(60, "Table default.x does not exist", true));
    let text = failure(&call(&mut server, None, "explain_query", json!({ "query": "SELECT * FROM x" })));
    assert!(text.contains("Code 60"), "{text}");
}
