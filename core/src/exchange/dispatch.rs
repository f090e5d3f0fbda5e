//! From a method to what answers it.

use std::sync::Arc;

use serde_json::Value;

use super::Session;
use super::begin::refuse;
use super::failure::Failure;
use super::library;
use super::running::{Next, Running, Scene, Shape};
use crate::env::Env;
use crate::jsonrpc::{self, Message, Params, RequestId};
use crate::mcp::{
    CallResult, Revision, discover_result, initialize_result, list_result, progress_token, trace_context,
};
use crate::tool::{Call, Task, catalogue};

/// Which rules a message is under.
pub(super) enum Era {
    /// A revision in which every request stands alone.
    Stateless(Revision),
    /// A revision with a handshake.
    Handshake(Revision),
}

impl Era {
    fn revision(&self) -> Revision {
        match self {
            Self::Stateless(revision) | Self::Handshake(revision) => *revision,
        }
    }
}

/// Answers a message, or begins the work that will.
pub(super) fn dispatch(env: &mut Env<'_>, scene: Scene, message: Message, era: &Era) -> Next {
    let (id, method, params) = match message {
        Message::Request { id, method, params } => (id, method, params),
        // Nothing that a client may notify over HTTP has an effect here: a cancelled request is known by its
        // closed connection, and an id alone would let one caller stop another's work.
        Message::Notification { .. } | Message::Response { .. } => {
            return scene.deliver(202, None, None);
        }
    };
    match (era, method.as_str()) {
        (Era::Handshake(_), "initialize") => initialize(scene, &id, &params),
        (Era::Handshake(revision), "ping") => scene.answer(&id, *revision, Ok("{}".into())),
        (Era::Stateless(revision), "server/discover") => {
            let result = discover_result(scene.capabilities());
            let result = scene.completed(&result.to_string(), true, *revision);
            scene.answer(&id, *revision, Ok(result))
        }
        (_, "tools/list") => list_tools(env, scene, id, &params, era.revision()),
        (_, "tools/call") => call_tool(env, scene, id, params, era.revision()),
        (_, of_library) if library::has(&scene.service, of_library) => {
            let asked = library::Asked { id, params, revision: era.revision() };
            library::answer(env, scene, of_library, asked)
        }
        (_, _) => refuse(scene, &Failure::NoSuchMethod(method), Some(&id), Some(era.revision())),
    }
}

fn initialize(scene: Scene, id: &RequestId, params: &Params) -> Next {
    let Some(requested) = params.get("protocolVersion").and_then(Value::as_str) else {
        let failure = Failure::Params("`protocolVersion` must be a string".into());
        return refuse(scene, &failure, Some(id), Some(Revision::LATEST_HANDSHAKE));
    };
    let (revision, result) = initialize_result(requested, scene.capabilities());
    // A client that introduces itself knows nothing yet.
    let session = Session { revision: Some(revision), ..Session::new(scene.caller.clone()) };
    let text = jsonrpc::result_text(id, &result.to_string());
    scene.deliver(200, Some(text), Some(session))
}

fn list_tools(env: &mut Env<'_>, scene: Scene, id: RequestId, params: &Params, revision: Revision) -> Next {
    if let Err(failure) = library::refuse_cursor(params) {
        return refuse(scene, &failure, Some(&id), Some(revision));
    }
    if catalogue::has_rules(&scene.service.config) {
        let task = catalogue::listing(&scene.service.tools, move |tools| {
            CallResult::Structured(list_result(tools.iter().copied(), revision).to_string())
        });
        let call = call(&scene, &id, params, Params::new());
        return Running::new(id, task, call, Shape::Tools { revision }, scene).start(env);
    }
    let result = list_result(scene.service.tools.definitions(&scene.caller.access), revision);
    let result = scene.completed(&result.to_string(), true, revision);
    scene.answer(&id, revision, Ok(result))
}

fn call_tool(env: &mut Env<'_>, scene: Scene, id: RequestId, mut params: Params, revision: Revision) -> Next {
    let Some(name) = params.get("name").and_then(Value::as_str) else {
        let failure = Failure::Params("`name` must be a string".into());
        return refuse(scene, &failure, Some(&id), Some(revision));
    };
    let task: Arc<dyn Task> = match scene.service.tools.find(name, &scene.caller.access) {
        Some(tool) => Arc::clone(tool) as Arc<dyn Task>,
        None if catalogue::may_be_made(&scene.service.config, name) => catalogue::calling(name),
        None => {
            let failure = Failure::NoSuchTool(name.to_owned());
            return refuse(scene, &failure, Some(&id), Some(revision));
        }
    };
    let progress_token = progress_token(&params);
    let arguments = match params.remove("arguments") {
        None => Params::new(),
        Some(Value::Object(arguments)) => arguments,
        Some(_) => {
            let failure = Failure::Params("`arguments` must be an object".into());
            return refuse(scene, &failure, Some(&id), Some(revision));
        }
    };
    let call = call(&scene, &id, &params, arguments);
    Running::new(id, task, call, Shape::Tool { revision, progress_token }, scene).start(env)
}

/// A call of the scene's caller that says what its message says of itself.
fn call(scene: &Scene, id: &RequestId, params: &Params, arguments: Params) -> Call {
    Call {
        id: id.clone(),
        arguments,
        access: Arc::clone(&scene.caller.access),
        config: Arc::clone(&scene.service.config),
        // What the message says of itself is nearer than what its envelope says.
        trace: trace_context(params).or_else(|| scene.trace.clone()),
        progress: progress_token(params).is_some() && scene.takes_messages(),
    }
}
