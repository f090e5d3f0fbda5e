//! The definitions themselves, by the rules of clients that drop what they do not know (Copilot Studio, Foundry,
//! ChatGPT): one `type` each, no references and alternatives, objects with their properties, all hints explicit.

use serde_json::Value;

use crate::driver::{Scripted, json};

fn definitions(variables: &[(&str, &str)]) -> Vec<Value> {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
    let request = http::Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2025-11-25");
    let answer = json(&Scripted::new(variables).http(request.body(body).unwrap()));
    answer["result"]["tools"].as_array().unwrap().clone()
}

#[test]
fn tools_are_listed_in_the_order_of_their_use() {
    let names = |variables: &[(&str, &str)]| -> Vec<String> {
        let listed = definitions(variables);
        listed.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = [
        "execute_query",
        "write_query",
        "list_databases",
        "list_tables",
        "describe_table",
        "search_schema",
        "explain_query",
    ];
    assert_eq!(names(&[]), all);
    let reading: Vec<_> = all.into_iter().filter(|name| *name != "write_query").collect();
    assert_eq!(names(&[("CLICKHOUSE_READ_ONLY", "true")]), reading);
}

#[test]
fn schemas_are_flat_and_hints_explicit() {
    let settable =
        [("TOOL_INPUT_SETTINGS", "max_threads,custom_a"), ("CLICKHOUSE_ALLOW_DESTRUCTIVE", "true")];
    for variables in [&[][..], &settable] {
        for tool in definitions(variables) {
            let name = tool["name"].as_str().unwrap();
            for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
                assert!(tool["annotations"][hint].is_boolean(), "{name}: {hint}");
            }
            assert_eq!(tool["annotations"]["readOnlyHint"], name != "write_query");
            assert!(
                !tool["title"].as_str().unwrap().is_empty()
                    && tool["description"].as_str().unwrap().len() > 40
            );
            assert_eq!(tool["inputSchema"]["type"], "object");
            assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{name}");
            assert_eq!(tool["outputSchema"]["type"], "object");
            flat(&format!("{name}.input"), &tool["inputSchema"]);
            flat(&format!("{name}.output"), &tool["outputSchema"]);
            for (argument, schema) in tool["inputSchema"]["properties"].as_object().unwrap() {
                assert!(
                    schema["description"].as_str().is_some_and(|text| text.len() > 10),
                    "{name}.{argument}"
                );
            }
        }
    }
}

fn flat(path: &str, schema: &Value) {
    const KNOWN: [&str; 10] = [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "description",
        "enum",
        "default",
        "minimum",
        "maximum",
    ];
    let members = schema.as_object().unwrap_or_else(|| panic!("{path} is no object"));
    for member in members.keys() {
        assert!(KNOWN.contains(&member.as_str()), "{path} has {member}");
    }
    let kind = schema["type"].as_str().unwrap_or_else(|| panic!("{path} has not one type"));
    assert!(["object", "array", "string", "integer", "boolean"].contains(&kind), "{path}: {kind}");
    if kind == "object" {
        let properties =
            schema["properties"].as_object().unwrap_or_else(|| panic!("{path} has no properties"));
        let free = path.ends_with("input.parameters");
        assert_eq!(schema["additionalProperties"], free, "{path}");
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(properties.contains_key(required.as_str().unwrap()), "{path} requires {required}");
        }
        for (name, property) in properties {
            flat(&format!("{path}.{name}"), property);
        }
    }
    // A row of any table is an array of any values.
    if kind == "array" && !path.ends_with("rows[]") {
        flat(&format!("{path}[]"), &schema["items"]);
    }
}

#[test]
fn settings_are_in_a_schema_only_as_the_operator_lists_them() {
    for tool in definitions(&[]) {
        assert!(tool["inputSchema"]["properties"].get("settings").is_none());
    }
    let listed = definitions(&[("TOOL_INPUT_SETTINGS", "max_threads,custom_a")]);
    let settings = &listed[0]["inputSchema"]["properties"]["settings"];
    let names: Vec<_> = settings["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["custom_a", "max_threads"]);
    assert_eq!(settings["additionalProperties"], false);
    assert_eq!(settings["properties"]["max_threads"]["type"], "string");
}
