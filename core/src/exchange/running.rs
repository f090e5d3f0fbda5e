//! A request in progress: what it is about, and where its answer goes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::begin::{Batch, next_of_batch};
use super::failure::Failure;
use super::health;
use super::service::Service;
use super::step::{AwaitAnswer, AwaitFetch, AwaitQuery, AwaitTime, Reply, Step};
use super::{Session, begin::failure_text};
use crate::clickhouse::Rows;
use crate::env::Env;
use crate::identity::Caller;
use crate::jsonrpc::{self, RequestId};
use crate::mcp::{CallResult, Revision};
use crate::tool::{Call, Moment, Task, ToolState, ToolStep};

/// A request that has been understood and may pause.
pub(super) struct Running {
    pub(super) id: RequestId,
    pub(super) task: Arc<dyn Task>,
    pub(super) call: Call,
    pub(super) shape: Shape,
    pub(super) scene: Scene,
}

/// What comes after a message has been dealt with as far as it can be.
///
/// The elements of a batch follow each other in a loop, not by calls within calls: a stranger chooses how many there
/// are, and the stack is finite.
pub(super) enum Next {
    /// The host's turn.
    Step(Step),
    /// The next element of the batch that the scene holds.
    Element(Scene),
}

impl Next {
    /// Goes on until it is the host's turn.
    pub(super) fn settle(mut self, env: &mut Env<'_>) -> Step {
        loop {
            match self {
                Self::Step(step) => return step,
                Self::Element(scene) => self = next_of_batch(env, scene),
            }
        }
    }
}

/// What the answer looks like.
pub(super) enum Shape {
    /// A JSON-RPC response in the shape of a revision.
    Rpc { revision: Revision, progress_token: Option<Value> },
    /// The answer of `/health`.
    Health,
}

/// Where a message came from and where its answer goes.
pub(super) struct Scene {
    pub(super) service: Arc<Service>,
    pub(super) caller: Caller,
    pub(super) surface: Surface,
    /// The batch that the message is an element of.
    pub(super) batch: Option<Batch>,
}

/// The kind of stream.
pub(super) enum Surface {
    /// An HTTP exchange; the origin may read the answer, and messages may precede it if the client takes events.
    Http { origin: Option<String>, takes_events: bool },
    /// A line of a stream.
    Line,
}

impl Running {
    /// Begins the work.
    pub(super) fn start(self, env: &mut Env<'_>) -> Next {
        let step = self.task.start(env, &self.call);
        Box::new(self).advance(env, step)
    }

    /// Goes on after a pause.
    pub(super) fn resume(self: Box<Self>, env: &mut Env<'_>, state: ToolState, moment: Moment) -> Step {
        let step = self.task.resume(env, &self.call, state, moment);
        self.advance(env, step).settle(env)
    }

    fn advance(self: Box<Self>, env: &mut Env<'_>, mut step: ToolStep) -> Next {
        loop {
            match step {
                ToolStep::Fetch(request, state) => {
                    // A fact that is fresh makes the pause unnecessary.
                    if request.remember.is_some()
                        && let Some(document) = env.facts.document(&request.url, env.now)
                    {
                        step = self.task.resume(env, &self.call, state, Moment::Fetched(Ok(document)));
                        continue;
                    }
                    let (url, remember) = (request.url.clone(), request.remember);
                    let waiting = AwaitFetch { running: self, state, url, remember };
                    return Next::Step(Step::Fetch(request, waiting));
                }
                ToolStep::Query(request, limits, state) => {
                    let waiting = AwaitQuery::new(self, state, Rows::new(limits), &request);
                    return Next::Step(Step::Query(request, waiting));
                }
                ToolStep::Ask(request, state) => {
                    return Next::Step(Step::Ask(request, AwaitAnswer { running: self, state }));
                }
                ToolStep::Wait(until, state) => {
                    return Next::Step(Step::Wait(until, AwaitTime { running: self, state }));
                }
                ToolStep::Done(result) => return self.complete(env, &result),
            }
        }
    }

    fn complete(self, env: &mut Env<'_>, result: &CallResult) -> Next {
        let Self { id, shape, scene, .. } = self;
        match shape {
            Shape::Health => Next::Step(Step::Done(Reply::Http(health::answer(&scene, env.now, result)))),
            Shape::Rpc { revision, .. } => match result {
                CallResult::BadArguments(reason) if !revision.reports_bad_arguments_as_results() => {
                    let failure = Failure::Params(reason.clone());
                    let (status, text) = failure_text(&failure, Some(&id), Some(revision));
                    scene.deliver(status, Some(text), None)
                }
                CallResult::BadArguments(_) | CallResult::Structured(_) | CallResult::Failed(_) => {
                    let text = jsonrpc::result_text(&id, &result.to_json_text(revision));
                    scene.deliver(200, Some(text), None)
                }
            },
        }
    }

    /// A progress notification, when the client asked for them.
    pub(super) fn progress(&self, read_rows: u64, total_rows: Option<u64>) -> Option<String> {
        let Shape::Rpc { revision, progress_token: Some(token) } = &self.shape else { return None };
        if matches!(self.scene.surface, Surface::Http { takes_events: false, .. }) {
            return None;
        }
        let mut params = json!({ "progressToken": token, "progress": read_rows });
        if let Value::Object(members) = &mut params {
            if let Some(total) = total_rows.filter(|total| *total >= read_rows) {
                members.insert("total".into(), json!(total));
            }
            if revision.has_progress_message() {
                members.insert("message".into(), json!(format!("{read_rows} rows read")));
            }
        }
        Some(jsonrpc::notification_text("notifications/progress", &params))
    }
}

impl Scene {
    /// Ends a message with its answer, or goes on with the batch that it is part of.
    pub(super) fn deliver(mut self, status: u16, text: Option<String>, session: Option<Session>) -> Next {
        match &mut self.batch {
            Some(batch) => {
                batch.take(text);
                Next::Element(self)
            }
            None => Next::Step(Step::Done(self.reply(status, text, session))),
        }
    }

    /// The reply that carries a text, or that there is none to carry.
    pub(super) fn reply(&self, status: u16, text: Option<String>, session: Option<Session>) -> Reply {
        match &self.surface {
            Surface::Line => Reply::Lines { messages: text.into_iter().collect(), session },
            Surface::Http { origin, .. } => {
                Reply::Http(super::admit::json_answer(status, text, origin.as_deref()))
            }
        }
    }
}
