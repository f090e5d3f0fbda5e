//! The tools that show what there is.

use serde_json::{Value, json};

use super::{call, failure, parameter, refused, refuses, sql, structured, table};
use crate::driver::Scripted;

const OLD: &str = "Missing columns: 'comment' while processing query";

fn orders(name: &str) -> Value {
    json!(["sales", name, "MergeTree", "", "240", "9223372036854775808", "id", "id", ""])
}

#[test]
fn databases() {
    let mut server = Scripted::new(&[]);
    server
        .script
        .push_back(table(&[json!(["hr", "Atomic", "people", "1"]), json!(["sales", "Atomic", "", "3"])]));
    let result = call(&mut server, None, "list_databases", json!({}));
    let wanted = json!({ "databases": [
        { "name": "hr", "engine": "Atomic", "comment": "people", "tables": 1 },
        { "name": "sales", "engine": "Atomic", "tables": 3 },
    ] });
    assert_eq!(structured(&result), &wanted);
    refuses(&mut Scripted::new(&[]), "list_databases", json!({ "database": "x" }), "this tool takes none");
    let mut server = Scripted::new(&[("CLICKHOUSE_MAX_RESULT_ROWS", "1")]);
    server.script.push_back(table(&[json!(["a", "Atomic", "", "1"]), json!(["b", "Atomic", "", "1"])]));
    let result = call(&mut server, None, "list_databases", json!({}));
    assert_eq!(structured(&result)["truncated"]["returned_rows"], 1);
}

#[test]
fn an_old_server_is_asked_for_what_it_has() {
    for (tool, arguments, before, after) in [
        ("list_databases", json!({}), vec![], vec![json!(["a", "Atomic", "", "1"])]),
        ("list_tables", json!({}), vec![json!(["1"])], vec![orders("orders")]),
        (
            "search_schema",
            json!({ "words": "a" }),
            vec![],
            vec![json!(["table", "a", "b", "", "Log", "", "1"])],
        ),
    ] {
        let mut server = Scripted::new(&[]);
        for row in &before {
            server.script.push_back(table(std::slice::from_ref(row)));
        }
        server.script.push_back(refused(47, OLD, true));
        server.script.push_back(table(&after));
        structured(&call(&mut server, None, tool, arguments.clone()));
        let asked = server.queries();
        let (new, old) = (sql(asked[before.len()]), sql(asked[before.len() + 1]));
        assert!(new.contains("comment") && old.contains("''") && old.len() < new.len(), "{old}");
        // No third form: then it is an error like others.
        let mut server = Scripted::new(&[]);
        for row in &before {
            server.script.push_back(table(std::slice::from_ref(row)));
        }
        server.script.push_back(refused(47, OLD, true));
        server.script.push_back(refused(47, OLD, true));
        assert!(failure(&call(&mut server, None, tool, arguments)).contains("Code 47"));
    }
}

#[test]
fn a_page_of_tables_and_the_next() {
    let mut server = Scripted::new(&[]);
    let filters = json!({ "database": "sales", "like": "o%", "not_like": "%' OR 1", "page_size": 2 });
    server.script.push_back(table(&[json!(["3"])]));
    server.script.push_back(table(&[orders("o1"), orders("o2"), orders("o3")]));
    let first = call(&mut server, None, "list_tables", filters.clone());
    let first = structured(&first);
    let wanted = json!({
        "database": "sales", "name": "o1", "engine": "MergeTree", "total_rows": 240,
        "total_bytes": 9_223_372_036_854_775_808_u64, "sorting_key": "id", "primary_key": "id",
    });
    assert_eq!((&first["tables"][0], &first["total_tables"]), (&wanted, &json!(3)));
    assert_eq!(first["tables"].as_array().unwrap().len(), 2);
    for query in server.queries() {
        assert!(!sql(query).contains("OR 1") && !sql(query).contains("o%"), "{}", sql(query));
        assert_eq!(parameter(query, "like"), Some("o%"));
        assert_eq!(parameter(query, "not_like"), Some("%' OR 1"));
        assert_eq!(parameter(query, "database"), Some("sales"));
    }
    let mut next = filters.clone();
    next["cursor"] = first["next_cursor"].clone();
    server.script.push_back(table(&[json!(["3"])]));
    server.script.push_back(table(&[orders("o3")]));
    let second = call(&mut server, None, "list_tables", next.clone());
    assert!(structured(&second).get("next_cursor").is_none());
    assert_eq!(structured(&second)["tables"][0]["name"], "o3");
    let asked = server.queries()[3];
    assert_eq!(
        (parameter(asked, "after_database"), parameter(asked, "after_name")),
        (Some("sales"), Some("o2"))
    );
    for (filter, value) in [("database", json!("hr")), ("like", json!("x%")), ("not_like", json!(null))] {
        let mut other = next.clone();
        other[filter] = value;
        let told = format!("with another `{filter}`");
        refuses(&mut Scripted::new(&[]), "list_tables", other, &told);
    }
    // The size of a page and whether columns are wanted may change on the way.
    next["page_size"] = json!(500);
    server.script.push_back(table(&[json!(["3"])]));
    server.script.push_back(table(&[orders("o3")]));
    structured(&call(&mut server, None, "list_tables", next));
}

#[test]
fn wrong_arguments_of_a_list_are_named() {
    for (arguments, told) in [
        (json!({ "page_size": 501 }), "may be 500 at most"),
        (json!({ "page_size": 0 }), "`page_size` must be a whole number"),
        (json!({ "cursor": "AAAA" }), "`cursor` is not one of this tool's"),
        (json!({ "include_columns": "yes" }), "`include_columns` must be true or false"),
        (json!({ "like": 7 }), "`like` must be a string"),
        (json!({ "pattern": "x" }), "there is no argument \"pattern\""),
    ] {
        refuses(&mut Scripted::new(&[]), "list_tables", arguments, told);
    }
}

#[test]
fn the_servers_own_databases_are_listed_by_name_only() {
    for (arguments, own) in [(json!({}), false), (json!({ "database": "system" }), true)] {
        let mut server = Scripted::new(&[]);
        server.script.push_back(table(&[json!(["0"])]));
        server.script.push_back(table(&[]));
        let result = call(&mut server, None, "list_tables", arguments);
        assert_eq!(structured(&result), &json!({ "tables": [], "total_tables": 0 }));
        for query in server.queries() {
            assert_eq!(sql(query).contains("NOT IN ('system'"), !own);
        }
    }
}

#[test]
fn a_cut_page_ends_earlier_and_loses_nothing() {
    let columns =
        |name: &str| json!(["sales", name, ["id"], ["UInt64"], ["DEFAULT"], ["1"], ["the order's number"]]);
    let bytes = orders("o1").to_string().len() * 2 + columns("o1").to_string().len() / 2;
    let mut server = Scripted::new(&[("CLICKHOUSE_MAX_RESULT_BYTES", &bytes.to_string())]);
    // The cap cuts the tables to two, then their columns to one.
    server.script.push_back(table(&[json!(["3"])]));
    server.script.push_back(table(&[orders("o1"), orders("o2"), orders("o3")]));
    server.script.push_back(table(&[columns("o1"), columns("o2"), columns("o3")]));
    let asked = json!({ "include_columns": true });
    let result = call(&mut server, None, "list_tables", asked.clone());
    let result = structured(&result);
    let names: Vec<_> = result["tables"].as_array().unwrap().iter().map(|table| &table["name"]).collect();
    let fit = bytes / columns("o1").to_string().len();
    assert!(names.len() == fit.min(2) && !names.is_empty(), "{names:?}, {fit} fit");
    let wanted = json!([{
        "name": "id", "type": "UInt64", "default_kind": "DEFAULT", "default_expression": "1",
        "comment": "the order's number",
    }]);
    assert_eq!(result["tables"][0]["columns"], wanted);
    let mut next = asked;
    next["cursor"] = result["next_cursor"].clone();
    let last = names.last().unwrap().as_str().unwrap().to_owned();
    server.script.push_back(table(&[json!(["3"])]));
    server.script.push_back(table(&[orders("o3")]));
    server.script.push_back(table(&[columns("o3")]));
    structured(&call(&mut server, None, "list_tables", next));
    let queries = server.queries();
    assert_eq!(
        parameter(queries[4], "after_name"),
        Some(&*last),
        "the next page begins where this one ended"
    );
    assert_eq!(parameter(queries[5], "last_name"), Some("o3"));

    let mut server = Scripted::new(&[("CLICKHOUSE_MAX_RESULT_BYTES", "20")]);
    server.script.push_back(table(&[json!(["3"])]));
    server.script.push_back(table(&[orders("o1")]));
    let text = failure(&call(&mut server, None, "list_tables", json!({})));
    assert!(text.contains("cap of 20 bytes"), "{text}");
}

#[test]
fn a_table_with_its_columns() {
    let mut server = Scripted::new(&[]);
    let found =
        json!(["sales", "orders", "MergeTree", "all", "240", "9", "id", "id", "d", "s", "CREATE TABLE …"]);
    server.script.push_back(table(&[found]));
    server.script.push_back(table(&[
        json!(["id", "UInt64", "", "", "", 1, 1, 0, 0]),
        json!(["d", "Date", "DEFAULT", "today()", "day", 0, 0, 1, 0]),
        json!(["n", "String", "", "", "", 0, 0, 0, 0]),
    ]));
    let asked = json!({ "table": "orders", "database": "sales", "include_create": true });
    let result = call(&mut server, None, "describe_table", asked);
    let wanted = json!({
        "database": "sales", "name": "orders", "engine": "MergeTree", "comment": "all", "total_rows": 240,
        "total_bytes": 9, "sorting_key": "id", "primary_key": "id", "partition_key": "d", "sampling_key": "s",
        "create": "CREATE TABLE …",
        "columns": [
            { "name": "id", "type": "UInt64", "keys": ["primary", "sorting"] },
            {
                "name": "d", "type": "Date", "default_kind": "DEFAULT", "default_expression": "today()",
                "comment": "day", "keys": ["partition"],
            },
            { "name": "n", "type": "String" },
        ],
    });
    assert_eq!(structured(&result), &wanted);
}

#[test]
fn a_table_without_a_database_is_in_the_default_one() {
    for (database, wanted) in
        [(json!(null), "database = currentDatabase()"), (json!("hr"), "{database:String}")]
    {
        let mut server = Scripted::new(&[("CLICKHOUSE_DATABASE", "sales")]);
        server.script.push_back(table(&[]));
        server.script.push_back(table(&[]));
        let asked = json!({ "table": "orders", "database": database });
        failure(&call(&mut server, None, "describe_table", asked));
        let query = server.queries()[0];
        assert!(sql(query).contains(wanted), "{}", sql(query));
        assert!(!sql(query).contains("create_table_query"));
        assert_eq!(query.database.as_deref(), Some("sales"));
    }
}

#[test]
fn a_table_that_is_not_there_has_near_names_that_are() {
    for (wanted, names, told) in [
        ("orderz", vec![["sales", "orders"], ["hr", "salaries"]], "near it are sales.orders."),
        ("sales.orders", vec![["sales", "orders"]], "near it are sales.orders."),
        (
            "ORDERS",
            vec![["sales", "orders"], ["sales", "orders_2"]],
            "near it are sales.orders, sales.orders_2.",
        ),
        ("zzz", vec![["sales", "orders"]], "use list_tables or search_schema"),
        ("x'; DROP TABLE t", vec![], "There is no table x'; DROP TABLE t in the database sales"),
    ] {
        let mut server = Scripted::new(&[]);
        server.script.push_back(table(&[]));
        server.script.push_back(table(&names.iter().map(|name| json!(name)).collect::<Vec<_>>()));
        let asked = json!({ "table": wanted, "database": "sales" });
        let text = failure(&call(&mut server, None, "describe_table", asked));
        assert!(text.contains(told), "{text}");
        for query in server.queries() {
            assert!(!sql(query).contains(wanted), "{}", sql(query));
        }
    }
    for (arguments, told) in [
        (json!({}), "`table` is missing"),
        (json!({ "table": "" }), "`table` is empty"),
        (json!({ "table": "t", "include_create": 1 }), "`include_create` must be true or false"),
    ] {
        refuses(&mut Scripted::new(&[]), "describe_table", arguments, told);
    }
}

#[test]
fn words_are_searched_as_one_bound_array() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(table(&[
        json!(["table", "sales", "orders", "", "MergeTree", "all orders", "2"]),
        json!(["column", "sales", "orders", "id", "UInt64", "", "1"]),
        json!(["column", "sales", "orders", "x", "UInt64", "", "1"]),
    ]));
    let asked = json!({ "words": " order  it's ", "limit": 2, "database": "sales" });
    let result = call(&mut server, None, "search_schema", asked);
    let wanted = json!([
        {
            "kind": "table", "database": "sales", "table": "orders", "type": "MergeTree", "comment": "all orders",
            "words": 2,
        },
        { "kind": "column", "database": "sales", "table": "orders", "column": "id", "type": "UInt64", "words": 1 },
    ]);
    assert_eq!(structured(&result)["matches"], wanted);
    assert_eq!(structured(&result)["truncated"]["reason"], "rows");
    let query = server.queries()[0];
    assert_eq!(parameter(query, "words"), Some(r"['order','it\'s']"));
    assert_eq!((parameter(query, "finds"), parameter(query, "database")), (Some("3"), Some("sales")));
    let many = vec!["w"; 17].join(" ");
    for (arguments, told) in [
        (json!({ "words": "  " }), "`words` has 0 words"),
        (json!({ "words": many }), "`words` has 17 words"),
        (json!({ "words": ["a"] }), "`words` must be a string"),
        (json!({ "words": "a", "limit": 201 }), "may be 200 at most"),
    ] {
        refuses(&mut Scripted::new(&[]), "search_schema", arguments, told);
    }
}
