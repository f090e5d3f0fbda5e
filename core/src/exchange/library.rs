//! The methods of resources, prompts and completion.

use std::sync::Arc;

use serde_json::{Value, json};

use super::begin::refuse;
use super::failure::Failure;
use super::running::{Next, Running, Scene, Shape};
use super::service::Service;
use crate::completion::Completion;
use crate::env::Env;
use crate::jsonrpc::{Params, RequestId};
use crate::mcp::{
    PromptDefinition, Revision, completion_result, prompts_result, resources_result, templates_result,
    trace_context,
};
use crate::tool::{Call, Task};

/// A request for one of these methods.
pub(super) struct Asked {
    pub(super) id: RequestId,
    pub(super) params: Params,
    pub(super) revision: Revision,
}

/// Whether a method is one of these and belongs to a capability that is declared.
pub(super) fn has(service: &Service, method: &str) -> bool {
    let capabilities = service.capabilities();
    match method {
        "resources/list" | "resources/templates/list" | "resources/read" => capabilities.resources,
        "prompts/list" | "prompts/get" => capabilities.prompts,
        "completion/complete" => capabilities.completions(),
        _ => false,
    }
}

/// Answers a method that is one of these, or begins the work that will.
pub(super) fn answer(env: &mut Env<'_>, scene: Scene, method: &str, asked: Asked) -> Next {
    let begun = match method {
        "resources/list" => {
            list(&scene, &asked, |service| resources_result(service.resources.definitions(), asked.revision))
        }
        "resources/templates/list" => {
            list(&scene, &asked, |service| templates_result(service.resources.definitions(), asked.revision))
        }
        "prompts/list" => {
            list(&scene, &asked, |service| prompts_result(service.prompts.definitions(), asked.revision))
        }
        "resources/read" => read(&scene, &asked),
        "prompts/get" => prompt(&scene, &asked),
        _ => complete(&scene, &asked),
    };
    match begun {
        Ok(Begun::Done(result)) => scene.answer(&asked.id, asked.revision, Ok(result)),
        Ok(Begun::Task { task, arguments, cached }) => {
            let call = Call {
                id: asked.id.clone(),
                arguments,
                access: Arc::clone(&scene.caller.access),
                config: Arc::clone(&scene.service.config),
                // What the message says of itself is nearer than what its envelope says.
                trace: trace_context(&asked.params).or_else(|| scene.trace.clone()),
                progress: false,
            };
            let shape = Shape::Method { revision: asked.revision, cached };
            Running::new(asked.id, task, call, shape, scene).start(env)
        }
        Err(failure) => refuse(scene, &failure, Some(&asked.id), Some(asked.revision)),
    }
}

enum Begun {
    /// The text of the whole result.
    Done(String),
    /// Something to do first.
    Task { task: Arc<dyn Task>, arguments: Params, cached: bool },
}

/// A list that is the same for everybody and always fits: there is no second page.
fn list(scene: &Scene, asked: &Asked, result: impl FnOnce(&Service) -> Value) -> Result<Begun, Failure> {
    refuse_cursor(&asked.params)?;
    let result = result(&scene.service).to_string();
    Ok(Begun::Done(scene.completed(&result, true, asked.revision)))
}

/// No list of ours has pages, so no cursor is one of ours.
pub(super) fn refuse_cursor(params: &Params) -> Result<(), Failure> {
    match params.get("cursor") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(Failure::Params("the cursor is not one of this server's".into())),
    }
}

fn read(scene: &Scene, asked: &Asked) -> Result<Begun, Failure> {
    let uri = text(&asked.params, "uri")?;
    let entry = scene
        .service
        .resources
        .find(uri)
        .ok_or_else(|| Failure::NoSuchResource { uri: uri.to_owned(), revision: asked.revision })?;
    let task = Arc::clone(entry) as Arc<dyn Task>;
    Ok(Begun::Task { task, arguments: Params::from_iter([("uri".to_owned(), json!(uri))]), cached: true })
}

fn prompt(scene: &Scene, asked: &Asked) -> Result<Begun, Failure> {
    let entry = scene.find_prompt(text(&asked.params, "name")?)?;
    let arguments = arguments(entry.definition(), asked.params.get("arguments"))?;
    let task = Arc::clone(entry) as Arc<dyn Task>;
    Ok(Begun::Task { task, arguments, cached: false })
}

/// The arguments of a prompt: texts, each known, and all that are needed (MCP, server/prompts).
fn arguments(definition: &PromptDefinition, given: Option<&Value>) -> Result<Params, Failure> {
    let given = match given {
        None | Some(Value::Null) => Params::new(),
        Some(Value::Object(given)) => given.clone(),
        Some(_) => return Err(Failure::Params("`arguments` must be an object".into())),
    };
    let prompt = &definition.name;
    for (name, value) in &given {
        if !definition.arguments.iter().any(|argument| argument.name == *name) {
            let name: String = name.chars().take(64).collect();
            return Err(Failure::Params(format!("the prompt {prompt} has no argument {name:?}")));
        }
        if !value.is_string() {
            return Err(Failure::Params(format!("the argument `{name}` must be a string")));
        }
    }
    let is_blank = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default().trim().is_empty();
    match definition.arguments.iter().find(|argument| argument.required && is_blank(&argument.name)) {
        Some(missing) => {
            Err(Failure::Params(format!("the prompt {prompt} needs the argument `{}`", missing.name)))
        }
        None => Ok(given),
    }
}

fn complete(scene: &Scene, asked: &Asked) -> Result<Begun, Failure> {
    let wrong = |reason: &str| Failure::Params(reason.to_owned());
    let member = |object: &'static str, name: &'static str| {
        asked.params.get(object).and_then(|object| object.get(name)).and_then(Value::as_str)
    };
    let argument = member("argument", "name").ok_or_else(|| wrong("`argument.name` must be a string"))?;
    let value = member("argument", "value").ok_or_else(|| wrong("`argument.value` must be a string"))?;
    let context = match asked.params.get("context").and_then(|context| context.get("arguments")) {
        None | Some(Value::Null) => Params::new(),
        Some(Value::Object(known)) => known.clone(),
        Some(_) => return Err(wrong("`context.arguments` must be an object")),
    };
    let completion = match member("ref", "type") {
        Some("ref/prompt") => {
            let name = member("ref", "name").ok_or_else(|| wrong("`ref.name` must be a string"))?;
            let prompt = scene.find_prompt(name)?;
            let known = prompt.definition().arguments.iter().any(|known| known.name == argument);
            known.then(|| prompt.completion(argument))
        }
        Some("ref/resource") => {
            let uri = member("ref", "uri").ok_or_else(|| wrong("`ref.uri` must be a string"))?;
            let entry = scene.service.resources.find_listed(uri);
            let entry =
                entry.ok_or_else(|| wrong("`ref.uri` is not a resource or template of this server"))?;
            entry.completion(argument)
        }
        Some(_) | None => return Err(wrong("`ref.type` must be \"ref/prompt\" or \"ref/resource\"")),
    };
    match completion {
        None => Err(wrong("`argument.name` is not an argument of what `ref` names")),
        Some(Completion::Nothing) => {
            let result = completion_result(&[], Some(0), false);
            Ok(Begun::Done(scene.completed(&result, false, asked.revision)))
        }
        Some(Completion::By(task)) => {
            let arguments = Params::from_iter([
                ("value".to_owned(), json!(value)),
                ("context".to_owned(), Value::Object(context)),
            ]);
            Ok(Begun::Task { task, arguments, cached: false })
        }
    }
}

fn text<'a>(params: &'a Params, name: &str) -> Result<&'a str, Failure> {
    let text = params.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Failure::Params(format!("`{name}` must be a string")))
}

impl Scene {
    fn find_prompt(&self, name: &str) -> Result<&Arc<dyn crate::prompt::Prompt>, Failure> {
        let prompt = self.service.prompts.find(name);
        prompt.ok_or_else(|| Failure::NoSuchPrompt(name.to_owned()))
    }
}
