//! A request in progress: what it is about, and where its answer goes.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};

use super::Session;
use super::begin::{Batch, next_of_batch, refuse};
use super::failure::Failure;
use super::health;
use super::progress::Progress;
use super::rest::{self, Ending};
use super::round_trip::{Onward, Resumed, Trip};
use super::service::Service;
use super::step::{
    AwaitAnswer, AwaitFetch, AwaitQuery, AwaitTime, AwaitTold, Question, Reply, Step, Waiting, Word,
};
use super::watch::Watch;
use crate::clickhouse::Rows;
use crate::env::Env;
use crate::identity::Caller;
use crate::jsonrpc::{self, RequestId};
use crate::mcp::{
    Answers, CallResult, Capabilities, Change, LogLevel, Notice, Questions, Revision, result_meta,
};
use crate::time::UnixTime;
use crate::tool::{Answered, Call, Moment, Task, ToolState, ToolStep, catalogue};
use crate::trace::TraceContext;

/// What a client is told of a task that ended in a way that its method has no place for.
const WRONG_KIND: &str = "the server made no answer of the kind that was asked for";
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
    /// What a further round would have to repeat, for a request that may have one.
    trip: Option<Trip>,
    /// The least level of the log that the client hears; `None` for none of it.
    hears: Option<LogLevel>,
    /// Whether another task has taken the call over, which a further round would not know.
    handed_over: bool,
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
    /// Whether there are other tools than before, for somebody who listens.
    Watch { watch: Watch },
}

/// How a question reaches the client.
enum Way {
    /// Not at all.
    None,
    /// It need not: these are the answers.
    Known(Answers),
    /// As a request of its own, while this one waits.
    Session(Session),
    /// As the result of this request, for the client to come again.
    NextRound,
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
    /// An HTTP exchange; the origin may read the answer, messages may precede it if the client takes events, and it is part
    /// of a session where the server has them.
    Http { origin: Option<String>, takes_events: bool, headers: HeaderMap, session: Option<Session> },
    /// A line of a stream: its session, and messages that go with the reply.
    Line { session: Session, notices: Vec<String> },
}

impl Running {
    /// A request before its work begins.
    pub(super) fn new(id: RequestId, task: Arc<dyn Task>, call: Call, shape: Shape, scene: Scene) -> Self {
        let progress = Progress::default();
        Self { id, task, call, shape, scene, progress, trip: None, hears: None, handed_over: false }
    }

    /// The same for a request that may take several rounds, and whose client hears this of the log.
    pub(super) fn of_message(self, trip: Option<Trip>, hears: Option<LogLevel>) -> Self {
        Self { trip, hears, ..self }
    }

    /// Begins the work.
    pub(super) fn start(self, env: &mut Env<'_>) -> Next {
        let step = self.task.start(env, &self.call);
        Box::new(self).advance(env, step)
    }

    /// Begins the work, or goes on where an earlier round ended.
    pub(super) fn start_from(self, env: &mut Env<'_>, resumed: Option<Resumed>) -> Next {
        match resumed.map(Resumed::onward) {
            None => self.start(env),
            Some(Onward::Resume(state, answers)) => {
                let answered = Moment::Answered(Answered::Given(answers));
                let step = self.task.resume(env, &self.call, state, answered);
                Box::new(self).advance(env, step)
            }
            Some(Onward::Again(questions, answers, state)) => {
                match self.asking(env, &questions, &answers, state) {
                    Ok(result) => self.end_with(Ok(result)),
                    Err(failure) => self.end_with(Err(failure)),
                }
            }
        }
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
                    if let Some(remember) = &request.remember
                        && let Some(learned) = env.facts.learned(&remember.key, env.now)
                    {
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
                ToolStep::Ask(questions, state) => match self.way(&questions) {
                    Way::None => {
                        let answered = Moment::Answered(Answered::CannotAsk);
                        step = self.task.resume(env, &self.call, state, answered);
                    }
                    Way::Known(answers) => {
                        let answered = Moment::Answered(Answered::Given(answers));
                        step = self.task.resume(env, &self.call, state, answered);
                    }
                    Way::Session(session) => return self.ask(&session, questions, state),
                    Way::NextRound => {
                        let asking = self.asking(env, &questions, &Answers::default(), state);
                        return self.end_with(asking);
                    }
                },
                ToolStep::Tell(notice, state) => match self.word(notice) {
                    Some(word) => {
                        return Next::Step(Step::Tell(word, AwaitTold { running: self, state }));
                    }
                    None => step = self.task.resume(env, &self.call, state, Moment::Told),
                },
                ToolStep::Wait(until, state) => {
                    return Next::Step(Step::Wait(until, AwaitTime { running: self, state }));
                }
                ToolStep::HandOver(task) => {
                    self.handed_over = true;
                    step = task.start(env, &self.call);
                    self.task = task;
                }
                ToolStep::Done(result) => return self.complete(env, &result),
            }
        }
    }

    /// The way to whoever is asked.
    fn way(&self, questions: &Questions) -> Way {
        let brought = self.trip.as_ref().and_then(|trip| trip.brought_along(questions));
        match (&self.trip, brought) {
            (Some(_), Some(answers)) => Way::Known(answers),
            (Some(_), None) if self.handed_over || self.scene.service.sealing.is_none() => Way::None,
            (Some(_), None) => Way::NextRound,
            (None, _) if questions.requests.is_empty() => Way::Known(Answers::default()),
            (None, _) if self.call.client.lacks(questions).is_some() => Way::None,
            (None, _) => self.scene.way_back().map_or(Way::None, |session| Way::Session(session.clone())),
        }
    }

    fn ask(self: Box<Self>, session: &Session, questions: Questions, state: ToolState) -> Next {
        let mut keys = Vec::with_capacity(questions.requests.len());
        let mut asked = Vec::with_capacity(questions.requests.len());
        for (key, request) in &questions.requests {
            let id = session.next_id();
            let text = jsonrpc::request_text(&id, request.method, &request.params);
            keys.push((id.clone(), key.clone()));
            asked.push(Question { id, text });
        }
        Next::Step(Step::Ask(asked, AwaitAnswer { running: self, state, questions, keys }))
    }

    /// The result that asks, for the client to come again.
    fn asking(
        &self,
        env: &mut Env<'_>,
        questions: &Questions,
        answers: &Answers,
        state: ToolState,
    ) -> Result<String, Failure> {
        // MCP 2026-07-28, multi round-trip requests: only what the client has declared may be asked of it.
        if let Some(required) = self.call.client.lacks(questions) {
            return Err(Failure::MissingCapability { required });
        }
        let trip = self.trip.as_ref();
        let asking = trip.and_then(|trip| trip.asking(env, &self.scene, questions, answers, state));
        asking.ok_or_else(|| Failure::NotDone("what has to be asked is too long".into()))
    }

    /// Ends with a result that is whole, or with what went wrong.
    fn end_with(self, answer: Result<String, Failure>) -> Next {
        match &self.shape {
            Shape::Tool { revision, .. } | Shape::Method { revision, .. } | Shape::Tools { revision } => {
                let revision = *revision;
                self.scene.answer(&self.id, revision, answer)
            }
            Shape::Rest(_) | Shape::Health | Shape::Watch { .. } => {
                self.scene.answer(&self.id, Revision::LATEST, answer)
            }
        }
    }

    /// What is told of a notice; `None` for what nobody wants to hear.
    fn word(&mut self, notice: Notice) -> Option<Word> {
        match notice {
            Notice::Log { level, logger, data } => {
                let is_heard = self.hears.is_some_and(|least| level >= least);
                if !is_heard || !self.scene.takes_messages() {
                    return None;
                }
                let mut params = json!({ "level": level.as_str(), "data": data });
                if let (Value::Object(members), Some(logger)) = (&mut params, logger) {
                    members.insert("logger".into(), json!(logger));
                }
                Some(Word::Client(jsonrpc::notification_text("notifications/message", &params)))
            }
            Notice::Progress { done, total, message } => {
                let Shape::Tool { revision, progress_token: Some(token) } = &self.shape else { return None };
                if !self.call.progress || !self.progress.rises_to(done) {
                    return None;
                }
                let mut params = json!({ "progressToken": token, "progress": number(done) });
                if let Value::Object(members) = &mut params {
                    members.extend(total.map(|total| ("total".to_owned(), number(total))));
                    let message = message.filter(|_| revision.has_progress_message());
                    members.extend(message.map(|message| ("message".to_owned(), json!(message))));
                }
                Some(Word::Client(jsonrpc::notification_text("notifications/progress", &params)))
            }
            Notice::Changed(change) => Some(Word::Everybody(change)),
            Notice::Reconnect(pause) => {
                let is_resumable = matches!(&self.scene.surface, Surface::Http { session: Some(_), .. });
                (is_resumable && self.scene.takes_messages()).then_some(Word::Reconnect(pause))
            }
        }
    }

    fn complete(self, env: &mut Env<'_>, result: &CallResult) -> Next {
        let Self { id, shape, mut scene, call, trip, .. } = self;
        match shape {
            Shape::Rest(ending) => Next::Step(Step::Done(Reply::Http(rest::answer(&scene, ending, result)))),
            Shape::Health => Next::Step(Step::Done(Reply::Http(health::answer(&scene, env.now, result)))),
            Shape::Watch { watch } => {
                let messages = watch.found(env).into_iter().collect();
                Next::Step(Step::Done(Reply::Lines { messages, session: None }))
            }
            Shape::Tools { revision } => {
                let known = catalogue::known(env, &call.config, &call.access);
                let lives = known.as_ref().map_or(Duration::ZERO, |known| known.expires().since(env.now));
                // Who asks without a handshake hears of changes by listening (MCP 2026-07-28, subscriptions).
                if let (Some(session), Some(known), false) =
                    (scene.session(), &known, revision.is_stateless())
                {
                    session.shared.told.note(known.digest());
                }
                let answer = match result {
                    CallResult::Structured(text) => Ok(scene.completed_for(text, Some(lives), revision)),
                    CallResult::BadArguments(reason) => Err(Failure::Params(reason.clone())),
                    CallResult::Failed(reason) | CallResult::Absent(reason) => {
                        Err(Failure::NotDone(reason.clone()))
                    }
                    CallResult::Content { .. } => Err(Failure::NotDone(WRONG_KIND.into())),
                };
                scene.answer(&id, revision, answer)
            }
            Shape::Tool { revision, .. } => {
                if !revision.is_stateless() {
                    scene.tell_of_changes(env, &call);
                }
                let answer = match result {
                    CallResult::BadArguments(reason) if !revision.reports_bad_arguments_as_results() => {
                        Err(Failure::Params(reason.clone()))
                    }
                    CallResult::Absent(name) => Err(Failure::NoSuchTool(name.clone())),
                    CallResult::BadArguments(_)
                    | CallResult::Structured(_)
                    | CallResult::Failed(_)
                    | CallResult::Content { .. } => Ok(result.to_json_text(revision)),
                };
                scene.answer(&id, revision, answer)
            }
            Shape::Method { revision, cached } => {
                let goes_on = trip.is_some_and(|trip| trip.goes_on);
                let lives = cached.then_some(if goes_on { Duration::ZERO } else { LISTS_LIVE });
                let answer = match result {
                    CallResult::Structured(text) => Ok(scene.completed_for(text, lives, revision)),
                    CallResult::Content { .. } => Err(Failure::NotDone(WRONG_KIND.into())),
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

    /// What is declared to this client. With a handshake it hears of changes only where a session has a way to it; without
    /// one, where it can listen.
    pub(super) fn capabilities(&self, stateless: bool) -> Capabilities {
        let has_way = match &self.surface {
            Surface::Line { .. } => true,
            Surface::Http { .. } if stateless => self.service.streams,
            Surface::Http { .. } => self.service.abilities.sessions,
        };
        let Capabilities { resources, prompts, news, logging } = self.service.capabilities();
        let news = if has_way { news } else { Default::default() };
        Capabilities { resources, prompts, news, logging: logging && (has_way || stateless) }
    }

    /// The session that the message is part of.
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.surface {
            Surface::Http { session, .. } => session.as_ref(),
            Surface::Line { session, .. } => Some(session),
        }
    }

    /// Whether a session is needed, and this is none.
    pub(super) fn lacks_session(&self) -> bool {
        self.service.abilities.sessions && self.session().is_none()
    }

    /// The session whose client can be asked while its request runs.
    pub(super) fn way_back(&self) -> Option<&Session> {
        self.session().filter(|_| self.takes_messages())
    }

    /// Lets the client know when it was told of other tools than there are now. Nothing is asked for it: the tools
    /// have been looked at for the call itself, or not.
    fn tell_of_changes(&mut self, env: &Env<'_>, call: &Call) {
        if !catalogue::has_rules(&call.config) {
            return;
        }
        if let (Surface::Line { session, notices }, Some(known)) =
            (&mut self.surface, catalogue::known(env, &call.config, &call.access))
            && !known.has_failed()
            && session.shared.told.is_news(known.digest())
        {
            notices.push(Change::Tools.to_text(None));
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
                let mut answer = super::admit::json_answer(status, text, origin.as_deref());
                match session {
                    Some(session) => {
                        super::admit::name_session(&mut answer, &session);
                        Reply::Opened(answer, session)
                    }
                    None => Reply::Http(answer),
                }
            }
        }
    }
}

/// A number as short as it can be.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "what has no fraction and fits is not changed")]
    let whole = value as i64;
    #[expect(clippy::cast_precision_loss, reason = "what is changed is not taken")]
    if whole as f64 == value { json!(whole) } else { json!(value) }
}
