//! What a caller says beside a statement.

use housekey_core::config::{self, Host, Sources};
use serde_json::json;

use super::{call, failure, parameter, refused, refuses, setting, structured, table};
use crate::driver::Scripted;

#[test]
fn parameters_are_bound_not_spliced() {
    let mut server = Scripted::new(&[]);
    server.script.push_back(table(&[json!([1])]));
    let query = "SELECT {a:UInt8}, {b:Array(String)}, '{c:String}' -- {d:String}";
    let given = json!({ "a": 1, "b": ["x'; DROP TABLE t"] });
    structured(&call(&mut server, None, "execute_query", json!({ "query": query, "parameters": given })));
    let asked = server.queries()[0];
    assert!(!super::sql(asked).contains("DROP"));
    assert_eq!(parameter(asked, "a"), Some("1"));
    assert_eq!(parameter(asked, "b"), Some(r"['x\'; DROP TABLE t']"));
}

#[test]
fn parameters_that_do_not_fit_the_statement_are_named() {
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    for tool in ["execute_query", "write_query", "explain_query"] {
        for (query, parameters, told) in [
            ("SELECT {a:UInt8}", json!({}), "asks for `a`"),
            ("SELECT {a:UInt8}", json!({ "A": 1 }), "asks for `a`"),
            ("SELECT 1", json!({ "a": 1 }), "does not mention the parameter `a`"),
            ("SELECT '{a:UInt8}'", json!({ "a": 1 }), "does not mention the parameter `a`"),
            ("SELECT {a:UInt8}", json!({ "a": 1, "b": 2 }), "does not mention the parameter `b`"),
            ("SELECT {a:UInt8}", json!({ "a": deep }), "nested"),
            ("SELECT 1", json!({ "a&user": 1 }), "is not the name of a parameter"),
            ("SELECT 1", json!([1]), "`parameters` must be an object"),
        ] {
            let mut server = Scripted::new(&[]);
            refuses(&mut server, tool, json!({ "query": query, "parameters": parameters }), told);
        }
    }
    let many: serde_json::Map<_, _> = (0..300).map(|at| (format!("p{at}"), json!(at))).collect();
    let mut server = Scripted::new(&[]);
    refuses(&mut server, "execute_query", json!({ "query": "SELECT 1", "parameters": many }), "may have 256");
}

#[test]
fn only_settings_that_the_operator_lists_are_there() {
    let mut server = Scripted::new(&[]);
    let asked = json!({ "query": "SELECT 1", "settings": { "max_threads": "3" } });
    refuses(&mut server, "execute_query", asked.clone(), "there is no argument \"settings\"");
    let variables = [
        ("TOOL_INPUT_SETTINGS", "max_threads,custom_tenant"),
        ("CLICKHOUSE_EXTRA_SETTINGS", "max_threads=8"),
    ];
    let mut server = Scripted::new(&variables);
    for (settings, told) in [
        (json!({ "readonly": "0" }), "`settings` may not have \"readonly\": `max_threads`, `custom_tenant`"),
        (json!({ "MAX_THREADS": "1" }), "may not have \"MAX_THREADS\""),
        (json!({ "max_threads": 1 }), "`settings.max_threads` must be a string"),
        (json!("max_threads"), "`settings` must be an object"),
    ] {
        refuses(&mut server, "execute_query", json!({ "query": "SELECT 1", "settings": settings }), told);
    }
    server.script.push_back(table(&[json!([1])]));
    structured(&call(&mut server, None, "execute_query", asked));
    assert_eq!(setting(server.queries()[0], "max_threads"), Some("3"), "instead of the operator's own");
    assert_eq!(server.queries()[0].settings.iter().filter(|setting| setting.name == "readonly").count(), 1);
}

#[test]
fn a_setting_that_the_caller_chose_and_the_server_refuses_is_theirs_to_hear() {
    for (code, told) in [
        (452, "Setting max_threads shouldn't be greater than 4"),
        (115, "Unknown setting 'max_threads'"),
        (164, "Cannot modify 'max_threads' setting in readonly mode"),
    ] {
        let variables =
            [("TOOL_INPUT_SETTINGS", "max_threads"), ("CLICKHOUSE_EXTRA_SETTINGS", "max_threads=2")];
        let mut server = Scripted::new(&variables);
        server.script.push_back(refused(code, told, true));
        let asked = json!({ "query": "SELECT 1", "settings": { "max_threads": "100" } });
        let text = failure(&call(&mut server, None, "execute_query", asked));
        assert!(text.contains("max_threads"), "{text}");
        assert_eq!(server.queries().len(), 1, "asking again would be of no use");
        server.script.push_back(table(&[json!([1])]));
        structured(&call(&mut server, None, "execute_query", json!({ "query": "SELECT 1" })));
        assert_eq!(setting(server.queries()[1], "max_threads"), Some("2"), "the operator's is still sent");
        assert_eq!(setting(server.queries()[1], "readonly"), Some("1"));
    }
}

#[test]
fn a_timeout_only_lowers_the_cap() {
    for (timeout, wanted) in
        [(json!(5), "5"), (json!(7.0), "7"), (json!(99_999), "600"), (json!(null), "600")]
    {
        let mut server = Scripted::new(&[]);
        server.script.push_back(table(&[json!([1])]));
        structured(&call(
            &mut server,
            None,
            "execute_query",
            json!({ "query": "SELECT 1", "timeout": timeout }),
        ));
        assert_eq!(setting(server.queries()[0], "max_execution_time"), Some(wanted));
    }
    for timeout in [json!(0), json!(-1), json!(0.5), json!("5"), json!([])] {
        let mut server = Scripted::new(&[]);
        let asked = json!({ "query": "SELECT 1", "timeout": timeout });
        refuses(&mut server, "execute_query", asked, "`timeout` must be a whole number of at least 1");
    }
}

/// Those of altinity-mcp, and those that Housekey decides itself.
#[test]
fn no_operator_can_leave_to_callers_what_guards_the_server() {
    for name in [
        "readonly",
        "allow_ddl",
        "allow_introspection_functions",
        "max_execution_time",
        "max_memory_usage",
        "max_result_rows",
        "max_result_bytes",
        "max_rows_to_read",
        "max_bytes_to_read",
        "password",
        "user",
        "database",
        "limit",
        "offset",
        "log_comment",
        "query_id",
        "replace_running_query",
        "profile",
        "dialect",
        "implicit_select",
        "output_format_json_quote_64bit_integers",
        "http_wait_end_of_query",
        "cancel_http_readonly_queries_on_client_close",
    ] {
        for name in [name.to_owned(), name.to_uppercase()] {
            let variables = vec![("TOOL_INPUT_SETTINGS".to_owned(), format!("max_threads,{name}"))];
            let sources = Sources { environment: variables, ..Sources::default() };
            let problem = config::load(Host::Native, &sources, &|_| Err(String::new())).err();
            let problem = problem.map(|problem| problem.to_string()).unwrap_or_default();
            assert!(problem.contains("TOOL_INPUT_SETTINGS") && problem.contains(&name), "{name}: {problem}");
        }
    }
}
