//! The methods of resources, prompts and completion.

use std::sync::Arc;

use serde_json::{Value, json};

use super::begin::refuse;
use super::dispatch::Era;
use super::failure::Failure;
use super::pages;
use super::round_trip::Trip;
use super::running::{Next, Running, Scene, Shape};
use super::service::Service;
use crate::completion::Completion;
use crate::env::Env;
use crate::jsonrpc::{Params, RequestId};
use crate::mcp::{
    Address, PromptDefinition, ResourceDefinition, Revision, completion_result, prompts_result,
    resources_result, templates_result, trace_context,
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
pub(super) fn answer(env: &mut Env<'_>, scene: Scene, method: &str, mut asked: Asked, era: &Era) -> Next {
    let (trip, resumed) = match (era, method) {
        (Era::Stateless(_), "resources/read" | "prompts/get") => {
            match Trip::begin(env, &scene, method, &mut asked.params) {
                Ok((trip, resumed)) => (Some(trip), resumed),
                Err(failure) => return refuse(scene, &failure, Some(&asked.id), Some(asked.revision)),
            }
        }
        (Era::Stateless(_) | Era::Handshake(_), _) => (None, None),
    };
    let begun = match method {
        "resources/list" => resources(&scene, &asked, method, false),
        "resources/templates/list" => resources(&scene, &asked, method, true),
        "prompts/list" => prompts(&scene, &asked, method),
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
                client: scene.client(era, &asked.params),
            };
            let shape = Shape::Method { revision: asked.revision, cached };
            Running::new(asked.id, task, call, shape, scene).of_message(trip, None).start_from(env, resumed)
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

/// A page of the resources, or of the families of them.
fn resources(scene: &Scene, asked: &Asked, method: &str, of_families: bool) -> Result<Begun, Failure> {
    let wanted = |entry: &&ResourceDefinition| matches!(entry.address, Address::Template(_)) == of_families;
    let entries: Vec<&ResourceDefinition> = scene.service.resources.definitions().filter(wanted).collect();
    let addresses = entries.iter().map(|entry| {
        let (Address::Uri(address) | Address::Template(address)) = &entry.address;
        address.as_str()
    });
    let page = pages::page(method, addresses, pages::cursor(&asked.params)?)?;
    let entries = page.of(&entries).iter().copied();
    let result = match of_families {
        true => templates_result(entries, asked.revision),
        false => resources_result(entries, asked.revision),
    };
    Ok(list(scene, asked, &page, result))
}

/// A page of the prompts.
fn prompts(scene: &Scene, asked: &Asked, method: &str) -> Result<Begun, Failure> {
    let entries: Vec<&PromptDefinition> = scene.service.prompts.definitions().collect();
    let names = entries.iter().map(|entry| entry.name.as_str());
    let page = pages::page(method, names, pages::cursor(&asked.params)?)?;
    let result = prompts_result(page.of(&entries).iter().copied(), asked.revision);
    Ok(list(scene, asked, &page, result))
}

fn list(scene: &Scene, asked: &Asked, page: &pages::Page, mut result: Value) -> Begun {
    page.mark(&mut result);
    Begun::Done(scene.completed(&result.to_string(), true, asked.revision))
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
