//! The REST interface, for clients that speak OpenAPI instead of MCP, such as the actions of a GPT: the schema at
//! `/openapi`, and below it a path for each tool that the caller has.
//!
//! A call is the same task that `tools/call` begins, so it is checked, capped and run alike; only the answer differs.
//!
//! Deliberately absent: GET for anything but `execute_query`. What a link can do must not change anything.

mod answer;
mod document;
mod error;
mod gate;
mod query;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::begin::parse;
use super::failure::Failure;
use super::running::{Next, Running, Scene, Shape};
use super::step::{Reply, Step};
use crate::env::Env;
use crate::jsonrpc::{Params, RequestId};
use crate::mcp::CallResult;
use crate::tool::{Call, Task, catalogue};

pub(super) use answer::{Ending, answer, refusal};
pub(super) use document::document;
pub use error::{Blame, QueryError, RestError};
pub(super) use gate::{Site, is_switched_on, judge};

/// The tool that takes its arguments from the query of a GET, too.
pub(super) const BY_GET: &str = "execute_query";

/// A call of a tool, as far as the head of its request says.
pub(super) struct RestCall {
    pub(super) tool: String,
    /// The arguments that stand in the URL, and how they stand there; `None` where they are in the body.
    pub(super) in_url: Option<(Params, String)>,
}

/// Begins the work that will answer a call.
pub(super) fn call(env: &mut Env<'_>, scene: Scene, call: RestCall, body: &Bytes) -> Next {
    match begun(env, &scene, call, body) {
        Ok((id, task, call)) => {
            Running::new(id, task, call, Shape::Rest(Ending::default()), scene).start(env)
        }
        Err(failure) => Next::Step(Step::Done(Reply::Http(refusal(&failure, scene.origin())))),
    }
}

/// Begins the schema for a caller for whom rules may make tools.
pub(super) fn schema(env: &mut Env<'_>, scene: Scene, site: Site) -> Next {
    let service = Arc::clone(&scene.service);
    let task = catalogue::listing(&scene.service.tools, move |tools| {
        CallResult::Structured(document::of_tools(&service, tools, &site))
    });
    let id = RequestId::Text(env.random_id());
    let call = Call {
        id: id.clone(),
        arguments: Params::new(),
        access: Arc::clone(&scene.caller.access),
        config: Arc::clone(&scene.service.config),
        trace: scene.trace.clone(),
        progress: false,
        client: Default::default(),
    };
    Running::new(id, task, call, Shape::Rest(Ending::default()), scene).start(env)
}

type Begun = (RequestId, Arc<dyn Task>, Call);

fn begun(env: &mut Env<'_>, scene: &Scene, asked: RestCall, body: &Bytes) -> Result<Begun, Failure> {
    let access = &scene.caller.access;
    let RestCall { tool, in_url } = asked;
    let (task, reads_only): (Arc<dyn Task>, bool) = match scene.service.tools.find(&tool, access) {
        Some(found) => (Arc::clone(found) as Arc<dyn Task>, found.definition().hints.read_only),
        None if catalogue::may_be_made(&scene.service.config, &tool) => (catalogue::calling(&tool), false),
        None => return Err(RestError::NoSuchTool(tool).into()),
    };
    let arguments = match in_url {
        // The gate lets no other tool be called this way; should this one ever write, it has no GET.
        Some(_) if !reads_only => return Err(Failure::Method { allow: "POST" }),
        Some((arguments, _)) => arguments,
        None => match parse(body)? {
            // What the schema does not have is refused here, where clients go by the schema.
            Value::Object(arguments) => match arguments.iter().find(|(_, value)| value.is_null()) {
                Some((name, _)) => return Err(RestError::Null(name.chars().take(64).collect()).into()),
                None => arguments,
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(RestError::NotAnObject.into());
            }
        },
    };
    let id = RequestId::Text(env.random_id());
    let call = Call {
        id: id.clone(),
        arguments,
        access: Arc::clone(access),
        config: Arc::clone(&scene.service.config),
        trace: scene.trace.clone(),
        progress: false,
        client: Default::default(),
    };
    Ok((id, task, call))
}
