//! A server whose tool does what its argument says, a letter a step; its prompt and its resource ask.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::Config;
use crate::env::Env;
use crate::exchange::{Abilities, Offer};
use crate::fetch::FetchRequest;
use crate::mcp::{
    Address, CallResult, Change, Definition, Hints, LogLevel, Notice, PromptArgument, PromptDefinition,
    Questions, ResourceDefinition, ServerRequest, read_result,
};
use crate::prompt::{Prompt, Prompts};
use crate::resource::{Resource, Resources};
use crate::tool::{Answered, Call, ExecuteQuery, Moment, Table, Task, Tool, ToolState, ToolStep};

pub(super) const TOOL: &str = "act";
pub(super) const PROMPT: &str = "act_prompt";
pub(super) const URI: &str = "test://a";

/// All of it, and the product's tool that reads.
pub(super) fn offer(config: &Config) -> Offer {
    let tools: Vec<Arc<dyn Tool>> = vec![Arc::new(Act::new()), Arc::new(ExecuteQuery::new(config))];
    Offer {
        tools: Table::new(tools),
        resources: Resources::new(vec![Arc::new(Act::new())]),
        prompts: Prompts::new(vec![Arc::new(Act::new())]),
        abilities: Abilities::ALL,
    }
}

struct Act {
    tool: Definition,
    resource: ResourceDefinition,
    prompt: PromptDefinition,
}

impl Act {
    fn new() -> Self {
        let plan = PromptArgument {
            name: "plan".into(),
            title: "Plan".into(),
            description: "Letters".into(),
            required: false,
        };
        Self {
            tool: Definition {
                name: TOOL.into(),
                title: "Act".into(),
                description: "Does what it is told".into(),
                input_schema: json!({ "type": "object", "properties": { "plan": { "type": "string" } } }),
                output_schema: None,
                hints: Hints { read_only: true, destructive: false, idempotent: true, open_world: false },
            },
            resource: ResourceDefinition {
                address: Address::Uri(URI.into()),
                name: "a".into(),
                title: "A".into(),
                description: "A text".into(),
                mime_type: "text/plain".into(),
            },
            prompt: PromptDefinition {
                name: PROMPT.into(),
                title: "Act".into(),
                description: "Does what it is told".into(),
                arguments: vec![plan],
            },
        }
    }

    /// The step at a place of the plan.
    fn at(env: &Env<'_>, call: &Call, place: u64) -> ToolStep {
        let text = |name: &str| call.arguments.get(name).and_then(Value::as_str);
        // What is read asks once.
        let plan = text("plan").unwrap_or(if text("uri").is_some() { "a" } else { "" });
        let letter = usize::try_from(place).ok().and_then(|place| plan.chars().nth(place));
        let next = json!(place + 1);
        let done = 10.0 * f64::from(u32::try_from(place).unwrap_or_default());
        let log = |level| Notice::Log { level, logger: None, data: json!("said") };
        match letter {
            Some('p') => ToolStep::Tell(Notice::Progress { done, total: None, message: None }, next),
            Some('P') => {
                ToolStep::Tell(Notice::Progress { done: 0.0, total: Some(1.0), message: None }, next)
            }
            Some('l') => ToolStep::Tell(log(LogLevel::Error), next),
            Some('d') => ToolStep::Tell(log(LogLevel::Debug), next),
            Some('c') => ToolStep::Tell(Notice::Changed(Change::Tools), next),
            Some('r') => ToolStep::Tell(Notice::Reconnect(Duration::from_millis(5)), next),
            Some('a') => ToolStep::Ask(Questions::one("name", form()), next),
            Some('s') => ToolStep::Ask(Questions::one("said", sampling()).or_brought_along(), next),
            Some('m') => {
                let questions = [("name", form()), ("said", sampling()), ("roots", ServerRequest::roots())];
                ToolStep::Ask(Questions::new(questions), next)
            }
            Some('w') => ToolStep::Wait(env.now.after(Duration::from_millis(50)), next),
            Some('f') => {
                ToolStep::Fetch(FetchRequest::get("https://documents.example/a", "a document"), next)
            }
            _ => ToolStep::Done(end(call, "done")),
        }
    }
}

/// The result, in the shape of what was asked for.
fn end(call: &Call, said: &str) -> CallResult {
    if let Some(uri) = call.arguments.get("uri").and_then(Value::as_str) {
        return CallResult::Structured(read_result(uri, "text/plain", said));
    }
    let block = json!({ "type": "text", "text": said });
    CallResult::Content { content: vec![block], structured: None, is_error: false }
}

fn form() -> ServerRequest {
    let schema =
        json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    ServerRequest::form("Who?", schema)
}

fn sampling() -> ServerRequest {
    ServerRequest::sampling(json!({ "messages": [], "maxTokens": 5 }))
}

impl Task for Act {
    fn start(&self, env: &mut Env<'_>, call: &Call) -> ToolStep {
        Self::at(env, call, 0)
    }

    fn resume(&self, env: &mut Env<'_>, call: &Call, state: ToolState, moment: Moment) -> ToolStep {
        match moment {
            Moment::Answered(Answered::CannotAsk) => ToolStep::Done(end(call, "nobody answered")),
            Moment::Answered(Answered::Given(_))
            | Moment::Queried(_)
            | Moment::Fetched(_)
            | Moment::Told
            | Moment::Woken => Self::at(env, call, state.as_u64().unwrap_or(u64::MAX)),
        }
    }
}

impl Tool for Act {
    fn definition(&self) -> &Definition {
        &self.tool
    }
}

impl Resource for Act {
    fn definition(&self) -> &ResourceDefinition {
        &self.resource
    }

    fn serves(&self, uri: &str) -> bool {
        uri == URI
    }
}

impl Prompt for Act {
    fn definition(&self) -> &PromptDefinition {
        &self.prompt
    }
}
