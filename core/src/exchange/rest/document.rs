//! The schema of the REST interface (OpenAPI 3.1.0), made of what the tools say of themselves.

use serde_json::{Map, Value, json};

use super::query::{Kind, known};
use super::{BY_GET, Site};
use crate::exchange::service::Service;
use crate::identity::Caller;
use crate::mcp::Definition;

/// Characters that ChatGPT takes of what an operation does; it passes over operations that say more.
const LONGEST_DESCRIPTION: usize = 300;

/// The schema as a caller sees it, or as somebody does who has not said yet who they are: that one is shown what reads.
pub(in crate::exchange) fn document(service: &Service, caller: Option<&Caller>, site: &Site) -> String {
    let tools: Vec<&Definition> = match caller {
        Some(caller) => service.tools.definitions(&caller.access).collect(),
        None => service.tools.readers().collect(),
    };
    of_tools(service, &tools, site)
}

/// The schema of these tools.
pub(super) fn of_tools(service: &Service, tools: &[&Definition], site: &Site) -> String {
    let prefix = if site.below_token { "/{jwe_token}/openapi" } else { "/openapi" };
    let settings = &service.config.server.tool_input_settings;
    let is_taken = |id: &str| tools.iter().any(|tool| tool.name == id);
    let mut paths = Map::new();
    for tool in tools {
        let mut path = Map::new();
        if site.below_token {
            path.insert("parameters".into(), json!([token_parameter()]));
        }
        let mut id = tool.name.clone();
        if tool.name == BY_GET && tool.hints.read_only {
            path.insert(
                "get".into(),
                operation(tool, &id, &json!({ "parameters": parameters(tool, settings) })),
            );
            id.push_str("_by_post");
            while is_taken(&id) {
                id.push('_');
            }
        }
        let body = json!({ "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": tool.input_schema } },
        } });
        path.insert("post".into(), operation(tool, &id, &body));
        paths.insert(format!("{prefix}/{}", tool.name), Value::Object(path));
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Housekey for ClickHouse",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Answers questions from a ClickHouse database with the rights of the person who asks",
        },
        "servers": [{ "url": site.base }],
        "paths": paths,
        "components": { "schemas": { "Error": error_schema() }, "responses": error_responses() },
    });
    if service.keys.is_some()
        && !site.below_token
        && let Value::Object(members) = &mut document
    {
        members.insert("security".into(), json!([{ "token": [] }]));
        if let Some(Value::Object(components)) = members.get_mut("components") {
            let scheme = json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWE" });
            components.insert("securitySchemes".into(), json!({ "token": scheme }));
        }
    }
    document.to_string()
}

/// One operation: what all have in common, and what comes in by it.
fn operation(tool: &Definition, id: &str, input: &Value) -> Value {
    let mut operation = Map::new();
    operation.insert("operationId".into(), json!(id));
    operation.insert("summary".into(), json!(tool.title));
    operation.insert("description".into(), json!(shortened(&tool.description)));
    // Whether ChatGPT asks its user before each call.
    operation.insert("x-openai-isConsequential".into(), json!(!tool.hints.read_only));
    if let Value::Object(input) = input {
        operation.extend(input.clone());
    }
    operation.insert("responses".into(), responses(tool));
    Value::Object(operation)
}

fn parameters(tool: &Definition, settings: &[String]) -> Vec<Value> {
    let schema = &tool.input_schema;
    let is_required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|names| names.contains(&json!(name)))
    };
    let parameter = |(name, kind): (&str, Kind)| match kind {
        Kind::Text | Kind::Whole | Kind::Number | Kind::Flag => {
            let property = schema.get("properties").and_then(|properties| properties.get(name));
            let description = property.and_then(|property| property.get("description")).cloned();
            json!({
                "name": name,
                "in": "query",
                "required": is_required(name),
                "description": description.unwrap_or_default(),
                "schema": property,
            })
        }
        Kind::Setting => json!({
            "name": name,
            "in": "query",
            "required": false,
            "description": "A ClickHouse setting for this query",
            "schema": { "type": "string" },
        }),
    };
    known(schema, settings).map(parameter).collect()
}

/// The token in the path, marked for ChatGPT as a key that its user gives, as altinity-mcp marks it.
fn token_parameter() -> Value {
    json!({
        "name": "jwe_token",
        "in": "path",
        "required": true,
        "description": "The token that says who asks",
        "schema": { "type": "string" },
        "x-oai-meta": { "securityType": "user_api_key" },
    })
}

fn responses(tool: &Definition) -> Value {
    let schema = tool.output_schema.clone().unwrap_or_else(|| json!({ "type": "object" }));
    let mut responses = Map::new();
    let cut = json!({
        "description": "Whether the answer was cut, and by which cap; absent when it is whole",
        "schema": { "type": "string", "enum": ["rows", "bytes"] },
    });
    responses.insert(
        "200".into(),
        json!({
            "description": "The result",
            "headers": { "X-MCP-Truncated": cut },
            "content": { "application/json": { "schema": schema } },
        }),
    );
    for (status, name, _) in ERRORS {
        responses.insert(status.into(), json!({ "$ref": format!("#/components/responses/{name}") }));
    }
    Value::Object(responses)
}

/// Each status of an error, the name of its response, and what it means.
const ERRORS: [(&str, &str, &str); 12] = [
    (
        "400",
        "BadRequest",
        "The arguments do not fit, or the statement is refused by Housekey or by ClickHouse",
    ),
    ("401", "Unauthorized", "There is no token, or none that is good"),
    ("403", "Forbidden", "The person or the page may not do that"),
    ("404", "NotFound", "There is no such tool for this person"),
    ("405", "MethodNotAllowed", "The path takes the methods in Allow only"),
    ("406", "NotAcceptable", "Accept must allow application/json"),
    ("413", "TooLarge", "The body is too long"),
    ("415", "UnsupportedMediaType", "Content-Type must be application/json"),
    ("429", "TooMany", "A quota of the person is used up"),
    ("502", "BadGateway", "ClickHouse cannot be reached or broke off its answer"),
    ("503", "Unavailable", "ClickHouse has too much to do"),
    ("504", "GatewayTimeout", "The query took longer than it may"),
];

fn error_responses() -> Value {
    let response = |(status, name, description): (&str, &str, &str)| {
        let mut response = json!({
            "description": description,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
        });
        if let (Value::Object(members), "401") = (&mut response, status) {
            let challenge = json!({ "description": "RFC 6750", "schema": { "type": "string" } });
            members.insert("headers".into(), json!({ "WWW-Authenticate": challenge }));
        }
        (name.to_owned(), response)
    };
    Value::Object(ERRORS.into_iter().map(response).collect())
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "properties": { "error": { "type": "string", "description": "What went wrong, and what to change" } },
        "required": ["error"],
        "additionalProperties": false,
    })
}

/// As many whole sentences as fit, or else as many characters.
fn shortened(text: &str) -> String {
    let most = text.char_indices().nth(LONGEST_DESCRIPTION).map_or(text.len(), |(at, _)| at);
    let within = text.get(..most).unwrap_or(text);
    if within.len() == text.len() {
        return text.to_owned();
    }
    let end = within.rfind(". ").map(|at| at + 1);
    end.and_then(|end| within.get(..end)).unwrap_or(within).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_DESCRIPTION, shortened};

    #[test]
    fn descriptions_end_with_a_sentence_or_where_they_must() {
        let sentence = "Runs one statement. ";
        assert_eq!(shortened(sentence), sentence);
        let long = shortened(&sentence.repeat(50));
        assert!(long.ends_with("statement.") && long.len() <= LONGEST_DESCRIPTION);
        assert_eq!(shortened(&"é".repeat(1000)).chars().count(), LONGEST_DESCRIPTION);
    }
}
