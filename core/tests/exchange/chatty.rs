//! A server whose tool asks, tells and changes things, as its arguments say.

use std::sync::Arc;

use housekey_core::env::Env;
use housekey_core::exchange::{Abilities, Offer};
use housekey_core::mcp::{
    Address, CallResult, Change, Definition, Hints, LogLevel, Notice, PromptDefinition, Questions,
    ResourceDefinition, ServerRequest,
};
use housekey_core::prompt::{Prompt, Prompts};
use housekey_core::resource::{Resource, Resources};
use housekey_core::tool::{Answered, Call, Moment, Table, Task, Tool, ToolState, ToolStep};
use serde_json::{Value, json};

use crate::driver::Scripted;

/// The tool, the resource and the prompt.
struct Chatty {
    tool: Definition,
    resource: ResourceDefinition,
    prompt: PromptDefinition,
}

/// A form that wants a name.
pub(crate) fn form() -> ServerRequest {
    let schema =
        json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    ServerRequest::form("Who?", schema)
}

impl Task for Chatty {
    fn start(&self, _env: &mut Env<'_>, call: &Call) -> ToolStep {
        let text = |name: &str| call.arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let state = json!({ "round": 1, "secret": "s3cret" });
        match text("what") {
            "name" => ToolStep::Ask(Questions::one("name", form()), state),
            "brought" => ToolStep::Ask(Questions::one("name", form()).or_brought_along(), state),
            "twice" => ToolStep::Ask(Questions::one("name", form()), json!({ "round": 0, "again": true })),
            "all" => ToolStep::Ask(
                Questions::new([
                    ("name", form()),
                    ("said", ServerRequest::sampling(json!({ "messages": [], "maxTokens": 50 }))),
                    ("roots", ServerRequest::roots()),
                ]),
                state,
            ),
            "nothing" => ToolStep::Ask(Questions::new([]), state),
            "log" => {
                let level = LogLevel::parse(text("level")).unwrap_or(LogLevel::Info);
                ToolStep::Tell(Notice::Log { level, logger: Some("l".into()), data: json!("d") }, state)
            }
            "progress" => {
                ToolStep::Tell(Notice::Progress { done: 1.0, total: Some(2.5), message: None }, json!("more"))
            }
            "change" => ToolStep::Tell(Notice::Changed(Change::Tools), state),
            "content" => ToolStep::Done(CallResult::Content {
                content: vec![
                    json!({ "type": "audio", "data": "AA==", "mimeType": "audio/wav" }),
                    json!({ "type": "resource_link", "uri": "test://a", "name": "a" }),
                ],
                structured: Some(json!({ "a": 1 })),
                is_error: true,
            }),
            // As a prompt and as a resource it asks, too.
            _ if call.arguments.contains_key("uri") || call.arguments.is_empty() => {
                ToolStep::Ask(Questions::one("name", form()), state)
            }
            _ => ToolStep::Done(CallResult::Structured("{}".into())),
        }
    }

    fn resume(&self, _env: &mut Env<'_>, call: &Call, state: ToolState, moment: Moment) -> ToolStep {
        let answers = match moment {
            Moment::Answered(Answered::Given(answers)) => answers,
            Moment::Answered(Answered::CannotAsk) => {
                return ToolStep::Done(CallResult::Failed("nobody can be asked".into()));
            }
            Moment::Told if state == json!("more") => {
                let same = Notice::Progress { done: 1.0, total: None, message: None };
                return ToolStep::Tell(same, json!("last"));
            }
            Moment::Queried(_) | Moment::Fetched(_) | Moment::Woken | Moment::Told => {
                return ToolStep::Done(CallResult::Structured(r#"{"told":true}"#.into()));
            }
        };
        if state["again"] == true && state["round"] == 0 {
            return ToolStep::Ask(Questions::one("name", form()), json!({ "round": 1, "again": true }));
        }
        let name = answers.accepted("name").and_then(|form| form.get("name").cloned());
        let result = match call.arguments.get("uri") {
            Some(uri) => json!({ "contents": [{ "uri": uri, "text": name }] }),
            None => json!({ "name": name, "round": state["round"], "messages": [] }),
        };
        ToolStep::Done(CallResult::Structured(result.to_string()))
    }
}

impl Tool for Chatty {
    fn definition(&self) -> &Definition {
        &self.tool
    }
}

impl Resource for Chatty {
    fn definition(&self) -> &ResourceDefinition {
        &self.resource
    }

    fn serves(&self, uri: &str) -> bool {
        uri == "test://asks"
    }
}

impl Prompt for Chatty {
    fn definition(&self) -> &PromptDefinition {
        &self.prompt
    }
}

/// The server, with these abilities and variables.
pub(crate) fn server(abilities: Abilities, variables: &[(&str, &str)]) -> Scripted {
    let chatty = || {
        Arc::new(Chatty {
            tool: Definition {
                name: "chat".into(),
                title: "Chat".into(),
                description: "Chats".into(),
                input_schema: json!({ "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": "Region" } } }),
                output_schema: None,
                hints: Hints { read_only: true, destructive: false, idempotent: true, open_world: false },
            },
            resource: ResourceDefinition {
                address: Address::Uri("test://asks".into()),
                name: "asks".into(),
                title: "Asks".into(),
                description: "Asks".into(),
                mime_type: "text/plain".into(),
            },
            prompt: PromptDefinition {
                name: "asks".into(),
                title: "Asks".into(),
                description: "Asks".into(),
                arguments: Vec::new(),
            },
        })
    };
    let offer = Offer {
        tools: Table::new(vec![chatty()]),
        resources: Resources::new(vec![chatty()]),
        prompts: Prompts::new(vec![chatty()]),
        abilities,
    };
    Scripted::with_offer(variables, offer)
}
