//! The steps between a message and its reply: every reason to wait is a value that owns its own state.

use std::time::Duration;

use bytes::Bytes;

use super::running::Running;
use crate::clickhouse::{QueryEvent, QueryRequest, Rows, Setting, Statement};
use crate::env::Env;
use crate::facts::Document;
use crate::jsonrpc::RequestId;
use crate::sql::ReadOnlySql;
use crate::time::UnixTime;
use crate::tool::{Answered, Moment, ToolState};

/// What a host has to do next. There is no other reason to wait than these.
#[must_use = "a step that is dropped leaves its caller without an answer"]
pub enum Step {
    /// Fetch a document by HTTP, then [`AwaitFetch::resume`].
    Fetch(FetchRequest, AwaitFetch),
    /// Run a query on ClickHouse and feed its events to [`AwaitQuery::accept`].
    Query(Box<QueryRequest>, AwaitQuery),
    /// Ask the client's user, on a stream that can; [`AwaitAnswer::decline`] where none can.
    Ask(ServerRequest, AwaitAnswer),
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
}

/// Who chose the address of a [`FetchRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The operator, in the configuration.
    Operator,
    /// A stranger: a host refuses private, loopback and link-local addresses after it has resolved the name.
    Stranger,
}

/// A GET for a document that anybody may repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// The absolute URL.
    pub url: String,
    /// What it is for, in a word or two, for logs.
    pub purpose: &'static str,
    /// Who chose the URL.
    pub named_by: NamedBy,
    /// A longer document is an error.
    pub max_bytes: usize,
    /// How long the whole fetch may take.
    pub deadline: Duration,
    /// Whether the document becomes a fact that equal fetches share, and for how long.
    pub remember: Option<Duration>,
}

/// Why a fetch gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchFailure {
    /// The host's rules or the runtime's do not allow this address.
    #[error("the address may not be fetched from here")]
    Forbidden,
    /// No connection, or it broke.
    #[error("the address could not be reached")]
    Unreachable,
    /// It took longer than the deadline.
    #[error("the answer took too long")]
    TimedOut,
    /// The document is larger than allowed.
    #[error("the document is larger than {0} bytes")]
    TooLarge(usize),
    /// An HTTP status other than 200.
    #[error("the answer had status {0}")]
    Status(u16),
}

/// Waits for a document.
pub struct AwaitFetch {
    pub(super) running: Box<Running>,
    pub(super) state: ToolState,
    pub(super) url: String,
    pub(super) remember: Option<Duration>,
}

impl AwaitFetch {
    /// The request that waits.
    pub fn request_id(&self) -> &RequestId {
        &self.running.id
    }

    /// Goes on with the document or the reason why there is none.
    pub fn resume(self, env: &mut Env<'_>, fetched: Result<Document, FetchFailure>) -> Step {
        if let (Some(span), Ok(document)) = (self.remember, &fetched) {
            env.facts.remember_document(&self.url, document.clone(), env.now, env.now.after(span));
        }
        self.running.resume(env, self.state, Moment::Fetched(fetched))
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

/// The query that ends another one on its server.
pub(super) fn cancellation(request: &QueryRequest) -> Option<QueryRequest> {
    let rules = crate::sql::Rules::internal();
    let statement = ReadOnlySql::parse("SELECT 1", &rules).ok()?;
    Some(QueryRequest {
        run_as: crate::clickhouse::RunAs::Login,
        statement: Statement::ReadOnly(statement),
        data: None,
        settings: vec![Setting::new("replace_running_query", "1")],
        deadline_seconds: 10,
        ..request.clone()
    })
}

/// A request from the server to the client, such as `elicitation/create`.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerRequest {
    /// The MCP method.
    pub method: &'static str,
    /// Its parameters.
    pub params: serde_json::Value,
}

/// Waits for the client's user.
pub struct AwaitAnswer {
    pub(super) running: Box<Running>,
    pub(super) state: ToolState,
}

impl AwaitAnswer {
    /// The request that waits.
    pub fn request_id(&self) -> &RequestId {
        &self.running.id
    }

    /// Goes on with the client's result.
    pub fn resume(self, env: &mut Env<'_>, result: serde_json::Value) -> Step {
        self.running.resume(env, self.state, Moment::Answered(Answered::Result(result)))
    }

    /// Goes on without an answer, where the stream has no way back to the client.
    pub fn decline(self, env: &mut Env<'_>) -> Step {
        self.running.resume(env, self.state, Moment::Answered(Answered::CannotAsk))
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
