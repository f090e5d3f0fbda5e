//! A request in progress: what it is about, and where its answer goes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Session;
use super::begin::{Batch, Told, next_of_batch, refuse};
use super::failure::Failure;
use super::health;
use super::progress::Progress;
use super::rest::{self, Ending};
use super::service::Service;
use super::step::{AwaitAnswer, AwaitFetch, AwaitQuery, AwaitTime, Reply, Step, Waiting};
use crate::clickhouse::Rows;
use crate::env::Env;
use crate::identity::Caller;
use crate::jsonrpc::{self, RequestId};
use crate::mcp::{CallResult, Capabilities, Revision, result_meta};
use crate::time::UnixTime;
use crate::tool::{Call, Moment, Task, ToolState, ToolStep, catalogue};
use crate::trace::TraceContext;

/// How long clients may keep what they were told of lists and resources.
const LISTS_LIVE: Duration = Duration::from_secs(300);

/// A request that has been understood and may pause.
pub(super) struct Running {
    pub(super) id: RequestId,
    pub(super) task: Arc<dyn Task>,
    pub(super) call: Call,
    pub(super) shape: Shape,
    pub(super) scene: Scene,
    progress: Progress,
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
    /// The result of a tool in the shape of a revision.
    Tool { revision: Revision, progress_token: Option<Value> },
    /// The result of another method in the shape of a revision, which is the text that the task ends with; whether
    /// clients may keep it.
    Method { revision: Revision, cached: bool },
    /// The list of tools in the shape of a revision, where rules make some of them.
    Tools { revision: Revision },
    /// The answer over REST.
    Rest(Ending),
    /// The answer of `/health`.
    Health,
}

/// Where a message came from and where its answer goes.
pub(super) struct Scene {
    pub(super) service: Arc<Service>,
    pub(super) caller: Caller,
    pub(super) surface: Surface,
    /// Where the headers say that it stands in a trace.
    pub(super) trace: Option<TraceContext>,
    /// The batch that the message is an element of.
    pub(super) batch: Option<Batch>,
}

/// The kind of stream.
pub(super) enum Surface {
    /// An HTTP exchange; the origin may read the answer, and messages may precede it if the client takes events.
    Http { origin: Option<String>, takes_events: bool },
    /// A line of a stream: what its client was told of, and messages that go with the reply.
    Line { told: Told, notices: Vec<String> },
}

impl Running {
    /// A request before its work begins.
    pub(super) fn new(id: RequestId, task: Arc<dyn Task>, call: Call, shape: Shape, scene: Scene) -> Self {
        Self { id, task, call, shape, scene, progress: Progress::default() }
    }

    /// Begins the work.
    pub(super) fn start(self, env: &mut Env<'_>) -> Next {
        let step = self.task.start(env, &self.call);
        Box::new(self).advance(env, step)
    }

    /// Goes on after a pause.
    pub(super) fn resume(mut self: Box<Self>, env: &mut Env<'_>, state: ToolState, moment: Moment) -> Step {
        if let Shape::Rest(ending) = &mut self.shape {
            ending.heard(env.now, &moment);
        }
        let step = self.task.resume(env, &self.call, state, moment);
        self.advance(env, step).settle(env)
    }

    fn advance(mut self: Box<Self>, env: &mut Env<'_>, mut step: ToolStep) -> Next {
        loop {
            match step {
                ToolStep::Fetch(request, state) => {
                    // A fact that is fresh makes the pause unnecessary.
                    if let Some(learned) = env.facts.learned(&request, env.now) {
                        step = self.task.resume(env, &self.call, state, Moment::Fetched(learned.outcome));
                        continue;
                    }
                    let waiting = Waiting::Task { running: self, state, request: Box::new(request.clone()) };
                    return Next::Step(Step::Fetch(request, AwaitFetch(waiting)));
                }
                ToolStep::Query(request, limits, state) => {
                    self.progress.begin_query();
                    if let Shape::Rest(ending) = &mut self.shape {
                        ending.asked(env.now, &request);
                    }
                    let waiting = AwaitQuery::new(self, state, Rows::new(limits), &request);
                    return Next::Step(Step::Query(request, waiting));
                }
                ToolStep::Ask(request, state) => {
                    return Next::Step(Step::Ask(request, AwaitAnswer { running: self, state }));
                }
                ToolStep::Wait(until, state) => {
                    return Next::Step(Step::Wait(until, AwaitTime { running: self, state }));
                }
                ToolStep::HandOver(task) => {
                    step = task.start(env, &self.call);
                    self.task = task;
                }
                ToolStep::Done(result) => return self.complete(env, &result),
            }
        }
    }

    fn complete(self, env: &mut Env<'_>, result: &CallResult) -> Next {
        let Self { id, shape, mut scene, call, .. } = self;
        match shape {
            Shape::Rest(ending) => Next::Step(Step::Done(Reply::Http(rest::answer(&scene, ending, result)))),
            Shape::Health => Next::Step(Step::Done(Reply::Http(health::answer(&scene, env.now, result)))),
            Shape::Tools { revision } => {
                let known = catalogue::known(env, &call.config, &call.access);
                let lives = known.as_ref().map_or(Duration::ZERO, |known| known.expires().since(env.now));
                if let (Surface::Line { told, .. }, Some(known)) = (&scene.surface, &known) {
                    told.note(known.digest());
                }
                let answer = match result {
                    CallResult::Structured(text) => Ok(scene.completed_for(text, Some(lives), revision)),
                    CallResult::Failed(reason)
                    | CallResult::BadArguments(reason)
                    | CallResult::Absent(reason) => Err(Failure::NotDone(reason.clone())),
                };
                scene.answer(&id, revision, answer)
            }
            Shape::Tool { revision, .. } => {
                scene.tell_of_changes(env, &call);
                let answer = match result {
                    CallResult::BadArguments(reason) if !revision.reports_bad_arguments_as_results() => {
                        Err(Failure::Params(reason.clone()))
                    }
                    CallResult::Absent(name) => Err(Failure::NoSuchTool(name.clone())),
                    CallResult::BadArguments(_) | CallResult::Structured(_) | CallResult::Failed(_) => {
                        Ok(result.to_json_text(revision))
                    }
                };
                scene.answer(&id, revision, answer)
            }
            Shape::Method { revision, cached } => {
                let answer = match result {
                    CallResult::Structured(text) => Ok(scene.completed(text, cached, revision)),
                    CallResult::Failed(reason) => Err(Failure::NotDone(reason.clone())),
                    CallResult::BadArguments(reason) => Err(Failure::Params(reason.clone())),
                    CallResult::Absent(uri) => Err(Failure::NoSuchResource { uri: uri.clone(), revision }),
                };
                scene.answer(&id, revision, answer)
            }
        }
    }

    /// A progress notification, when the client asked for them and one is due.
    pub(super) fn tell_progress(
        &mut self,
        now: UnixTime,
        read_rows: u64,
        total_rows: Option<u64>,
    ) -> Option<String> {
        let Shape::Tool { revision, progress_token: Some(token) } = &self.shape else { return None };
        if !self.call.progress {
            return None;
        }
        let due = self.progress.due(now, read_rows, total_rows)?;
        let mut params = json!({ "progressToken": token, "progress": due.rows });
        if let Value::Object(members) = &mut params {
            if let Some(total) = due.total {
                members.insert("total".into(), json!(total));
            }
            if revision.has_progress_message() {
                members.insert("message".into(), json!(due.message()));
            }
        }
        Some(jsonrpc::notification_text("notifications/progress", &params))
    }
}

impl Scene {
    /// Whether messages can precede the answer.
    pub(super) fn takes_messages(&self) -> bool {
        match self.surface {
            Surface::Http { takes_events, .. } => takes_events,
            Surface::Line { .. } => true,
        }
    }

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

    /// Ends a request with its result, or with what went wrong.
    pub(super) fn answer(self, id: &RequestId, revision: Revision, answer: Result<String, Failure>) -> Next {
        match answer {
            Ok(result) => {
                let text = jsonrpc::result_text(id, &result);
                self.deliver(200, Some(text), None)
            }
            Err(failure) => refuse(self, &failure, Some(id), Some(revision)),
        }
    }

    /// The text of a result object with what every stateless result carries and, for what may be cached, how long and
    /// by whom.
    pub(super) fn completed(&self, result: &str, cached: bool, revision: Revision) -> String {
        self.completed_for(result, cached.then_some(LISTS_LIVE), revision)
    }

    /// The same for what may be cached no longer than this.
    pub(super) fn completed_for(&self, result: &str, cached: Option<Duration>, revision: Revision) -> String {
        let object = result.strip_suffix('}').filter(|_| revision.has_result_type());
        let Some(object) = object else { return result.to_owned() };
        let mut text = object.to_owned();
        if !object.trim_end().ends_with('{') {
            text.push(',');
        }
        text.push_str(&format!("\"resultType\":\"complete\",\"_meta\":{}", result_meta()));
        if let Some(span) = cached {
            let ms = span.min(LISTS_LIVE).as_millis();
            // Behind authentication a shared cache must not serve one caller what another was told.
            let scope = if self.service.config.has_authentication() { "private" } else { "public" };
            text.push_str(&format!(",\"ttlMs\":{ms},\"cacheScope\":\"{scope}\""));
        }
        text.push('}');
        text
    }

    /// What is declared to this client.
    pub(super) fn capabilities(&self) -> Capabilities {
        Capabilities { tools_change: self.tells_of_changes(), ..self.service.capabilities() }
    }

    /// Whether a client can hear that the tools have changed: on a stream, where rules make tools.
    pub(super) fn tells_of_changes(&self) -> bool {
        matches!(self.surface, Surface::Line { .. }) && catalogue::has_rules(&self.service.config)
    }

    /// Lets the client know when it was told of other tools than there are now. Nothing is asked for it: the tools
    /// have been looked at for the call itself, or not.
    fn tell_of_changes(&mut self, env: &Env<'_>, call: &Call) {
        if !self.tells_of_changes() {
            return;
        }
        if let (Surface::Line { told, notices }, Some(known)) =
            (&mut self.surface, catalogue::known(env, &call.config, &call.access))
            && told.is_news(known.digest())
        {
            notices.push(jsonrpc::notification_text("notifications/tools/list_changed", &json!({})));
        }
    }

    /// The origin whose page may read the answer.
    pub(super) fn origin(&self) -> Option<&str> {
        match &self.surface {
            Surface::Http { origin, .. } => origin.as_deref(),
            Surface::Line { .. } => None,
        }
    }

    /// The reply that carries a text, or that there is none to carry.
    pub(super) fn reply(&self, status: u16, text: Option<String>, session: Option<Session>) -> Reply {
        match &self.surface {
            Surface::Line { notices, .. } => {
                Reply::Lines { messages: text.into_iter().chain(notices.iter().cloned()).collect(), session }
            }
            Surface::Http { origin, .. } => {
                Reply::Http(super::admit::json_answer(status, text, origin.as_deref()))
            }
        }
    }
}
