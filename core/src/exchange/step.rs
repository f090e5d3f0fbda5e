//! The steps between a message and its reply: every reason to wait is a value that owns its own state.

use bytes::Bytes;

use super::cancellation::cancellation;
use super::oauth::Errand;
use super::running::Running;
use crate::clickhouse::{QueryEvent, QueryRequest, Rows};
use crate::env::Env;
use crate::fetch::{Document, FetchFailure, FetchRequest};
use crate::jsonrpc::RequestId;
use crate::mcp::{Answers, Change, Questions};
use crate::time::UnixTime;
use crate::tool::{Answered, Moment, ToolState};

/// What a host has to do next. There is no other reason to wait than these.
#[must_use = "a step that is dropped leaves its caller without an answer"]
pub enum Step {
    /// Fetch a document by HTTP, then [`AwaitFetch::resume`].
    Fetch(FetchRequest, AwaitFetch),
    /// Run a query on ClickHouse and feed its events to [`AwaitQuery::accept`].
    Query(Box<QueryRequest>, AwaitQuery),
    /// Send these requests to the client of the session, then [`AwaitAnswer::resume`] with what comes back;
    /// [`AwaitAnswer::decline`] where nothing does. Without a session core never asks.
    Ask(Vec<Question>, AwaitAnswer),
    /// Tell this, then [`AwaitTold::resume`].
    Tell(Word, AwaitTold),
    /// Come back at that moment with [`AwaitTime::resume`].
    Wait(UnixTime, AwaitTime),
    /// The message is dealt with.
    Done(Reply),
}

/// The end of an exchange.
#[derive(Debug)]
pub enum Reply {
    /// An HTTP answer.
    Http(http::Response<Bytes>),
    /// Messages for a line-based stream, and the session when the message changed it.
    Lines {
        /// JSON texts without line breaks, in order.
        messages: Vec<String>,
        /// The session from now on, when it is not the one that came in.
        session: Option<super::Session>,
    },
    /// The client takes back a request of the same session; the host cancels it if it still runs.
    Cancel(RequestId),
    /// An HTTP answer that begins a session, which the host keeps under its id.
    Opened(http::Response<Bytes>, super::Session),
    /// The client of a session answers a request of ours: its result, or the error object.
    Answer(RequestId, Result<serde_json::Value, serde_json::Value>),
    /// A request that stays open: the host tells it of changes until it ends.
    Listen(Box<super::Subscription>),
}

/// A request to the client of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its id, which the session never had before.
    pub id: RequestId,
    /// The JSON text, without line breaks.
    pub text: String,
}

/// Something to tell while a request runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// This JSON text to the client of the request, ahead of the reply.
    Client(String),
    /// This change to everybody who listens.
    Everybody(Change),
    /// Nothing more on the connection that carries the request's events: its client comes again for the rest.
    Reconnect(std::time::Duration),
}

/// Waits for a document.
pub struct AwaitFetch(pub(super) Waiting);

pub(super) enum Waiting {
    /// A task of MCP or REST.
    Task { running: Box<Running>, state: ToolState, request: Box<FetchRequest> },
    /// A request to an endpoint of OAuth.
    OAuth(Errand),
}

impl AwaitFetch {
    /// The request that waits, where it is one of JSON-RPC.
    pub fn request_id(&self) -> Option<&RequestId> {
        match &self.0 {
            Waiting::Task { running, .. } => Some(&running.id),
            Waiting::OAuth(_) => None,
        }
    }

    /// Goes on with the document or the reason why there is none.
    pub fn resume(self, env: &mut Env<'_>, fetched: Result<Document, FetchFailure>) -> Step {
        match self.0 {
            Waiting::Task { running, state, request } => {
                env.facts.learn(&request, &fetched, env.now);
                running.resume(env, state, Moment::Fetched(fetched))
            }
            Waiting::OAuth(errand) => errand.resume(env, fetched),
        }
    }
}

/// What the host does after it has passed on an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Read on.
    Continue,
    /// Send this JSON text to the client at once, then read on.
    Send(String),
    /// Read no further: call [`AwaitQuery::finish`].
    Stop,
}

/// Waits for the events of a query.
pub struct AwaitQuery {
    pub(super) running: Box<Running>,
    pub(super) state: ToolState,
    pub(super) rows: Rows,
    pub(super) cancellation: Option<Box<QueryRequest>>,
    pub(super) ended: bool,
}

impl AwaitQuery {
    pub(super) fn new(running: Box<Running>, state: ToolState, rows: Rows, request: &QueryRequest) -> Self {
        let cancellation = cancellation(request).map(Box::new);
        Self { running, state, rows, cancellation, ended: false }
    }

    /// The request that waits.
    pub fn request_id(&self) -> &RequestId {
        &self.running.id
    }

    /// Takes the next event of the answer and says whether more are wanted.
    pub fn accept(&mut self, env: &mut Env<'_>, event: QueryEvent) -> Flow {
        if let QueryEvent::Progress { read_rows, total_rows, .. } = event {
            let told = self.running.tell_progress(env.now, read_rows, total_rows);
            return told.map_or(Flow::Continue, Flow::Send);
        }
        self.ended = matches!(event, QueryEvent::End | QueryEvent::Exception(_));
        match self.rows.accept(event) {
            crate::clickhouse::Taken::More => Flow::Continue,
            crate::clickhouse::Taken::Enough => Flow::Stop,
        }
    }

    /// Goes on with what has come. Called once, after [`Flow::Stop`].
    pub fn finish(self, env: &mut Env<'_>) -> Step {
        self.running.resume(env, self.state, Moment::Queried(self.rows.outcome()))
    }

    /// Whether the server may still be at work although nothing more is wanted: the host then also runs
    /// [`AwaitQuery::cancellation`].
    pub fn left_running(&self) -> bool {
        !self.ended
    }

    /// The query that ends this one on the server: the same `query_id` with `replace_running_query`, under the
    /// same login, which needs no grant (`clickhouse.com`, setting `replace_running_query`).
    pub fn cancellation(&self) -> Option<&QueryRequest> {
        self.cancellation.as_deref()
    }
}

/// Waits for the client of a session.
pub struct AwaitAnswer {
    pub(super) running: Box<Running>,
    pub(super) state: ToolState,
    /// What is asked, and the id of each request with the key of its question.
    pub(super) questions: Questions,
    pub(super) keys: Vec<(RequestId, String)>,
}

impl AwaitAnswer {
    /// The request that waits.
    pub fn request_id(&self) -> &RequestId {
        &self.running.id
    }

    /// Goes on with the client's results. One that is missing, an error, or has not the shape of an answer makes the whole
    /// unanswered: a tool never goes on from half of it.
    pub fn resume(
        self,
        env: &mut Env<'_>,
        results: impl IntoIterator<Item = (RequestId, Result<serde_json::Value, serde_json::Value>)>,
    ) -> Step {
        let mut answers = Answers::default();
        for (id, result) in results {
            let key = self.keys.iter().find(|(asked, _)| *asked == id).map(|(_, key)| key);
            if let (Some(key), Ok(result)) = (key, result)
                && self.questions.requests.get(key).is_some_and(|request| request.is_answered_by(&result))
            {
                answers.0.insert(key.clone(), result);
            }
        }
        if answers.0.len() < self.questions.requests.len() {
            return self.decline(env);
        }
        self.running.resume(env, self.state, Moment::Answered(Answered::Given(answers)))
    }

    /// Goes on without an answer.
    pub fn decline(self, env: &mut Env<'_>) -> Step {
        self.running.resume(env, self.state, Moment::Answered(Answered::CannotAsk))
    }
}

/// Waits until something is told.
pub struct AwaitTold {
    pub(super) running: Box<Running>,
    pub(super) state: ToolState,
}

impl AwaitTold {
    /// The request that waits.
    pub fn request_id(&self) -> &RequestId {
        &self.running.id
    }

    /// Goes on.
    pub fn resume(self, env: &mut Env<'_>) -> Step {
        self.running.resume(env, self.state, Moment::Told)
    }
}

/// Waits for a moment.
pub struct AwaitTime {
    pub(super) running: Box<Running>,
    pub(super) state: ToolState,
}

impl AwaitTime {
    /// The request that waits.
    pub fn request_id(&self) -> &RequestId {
        &self.running.id
    }

    /// Goes on; `env.now` says how late it is.
    pub fn resume(self, env: &mut Env<'_>) -> Step {
        self.running.resume(env, self.state, Moment::Woken)
    }
}
