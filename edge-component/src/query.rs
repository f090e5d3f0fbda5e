//! One query: the request goes out, the answer comes back as events, and what is left on the server is ended.

use housekey_core::clickhouse::http::{Response, encode};
use housekey_core::clickhouse::{QueryEvent, QueryRequest};
use housekey_core::exchange::{AwaitQuery, Flow, Step};
use housekey_core::facts::Facts;

use crate::client::{Client, Gone, PATIENCE, TICK};
use crate::outgoing::{Answer, Chunk, Trouble, send};
use crate::world::{Deadline, log, with_env};

/// What is left of an answer that is cut short is read up to here.
const DRAIN_BYTES: usize = 256 << 10;
const DRAIN_MILLIS: u64 = 100;

/// What a query came to.
pub(crate) enum Queried {
    /// The next step, and what may still run on the server.
    Next(Step, Client, Option<Leftover>),
    /// The client has left; what ended the query on the server has been done.
    Abandoned,
}

/// A query of which nothing more is wanted.
pub(crate) struct Leftover {
    answer: Option<Answer>,
    cancellation: QueryRequest,
}

impl Leftover {
    /// Ends it. It often ends by itself in that moment, and a connection that is read to its end is used again.
    pub(crate) fn end(self) {
        let Self { answer, cancellation } = self;
        if !answer.is_some_and(|answer| drain(answer)) {
            cancel(&cancellation);
        }
    }
}

/// Runs a query to its end, to the deadline, or until nothing more is wanted.
pub(crate) fn run(
    facts: &Facts,
    mut client: Client,
    request: &QueryRequest,
    mut waiting: AwaitQuery,
) -> Queried {
    let (sent, answer) = match converse(facts, &mut client, request, &mut waiting) {
        Ok(answer) => (true, Some(answer)),
        Err(Ended::Gone) => {
            if let Some(cancellation) = waiting.cancellation() {
                cancel(cancellation);
            }
            return Queried::Abandoned;
        }
        Err(Ended::Trouble(trouble)) => {
            log(&format!("query {}: {}", request.query_id, for_operators(&trouble, request)));
            let event = QueryEvent::Broken(for_clients(&trouble, request));
            // Whatever it answers, nothing can follow.
            let _ = with_env(facts, |env| waiting.accept(env, event));
            (!matches!(trouble, Trouble::Malformed | Trouble::Forbidden | Trouble::Unreachable(_)), None)
        }
    };
    let leftover = waiting.cancellation().filter(|_| sent && waiting.left_running()).cloned();
    let leftover = leftover.map(|cancellation| Leftover { answer, cancellation });
    Queried::Next(with_env(facts, |env| waiting.finish(env)), client, leftover)
}

/// Ends a query on the server. How that went is of no consequence: the server's own limits hold as well.
fn cancel(cancellation: &QueryRequest) {
    let Ok(request) = encode(cancellation) else { return };
    let seconds = cancellation.deadline_seconds;
    let deadline = Deadline::after_seconds(seconds);
    if let Err(trouble) = send(&request, seconds, &deadline, &mut || true) {
        log(&format!(
            "query {} may still run: {}",
            cancellation.query_id,
            for_operators(&trouble, cancellation)
        ));
    }
}

/// Reads what is left, if that is little, and says whether the end has come.
fn drain(mut answer: Answer) -> bool {
    let deadline = Deadline::after_millis(DRAIN_MILLIS);
    let mut read = 0_usize;
    while read <= DRAIN_BYTES {
        match answer.read(&deadline, DRAIN_MILLIS) {
            Ok(Chunk::Data(bytes)) => read = read.saturating_add(bytes.len()),
            Ok(Chunk::NotYet) => {}
            Ok(Chunk::End) => return true,
            Err(_) => return false,
        }
    }
    false
}

/// Why a conversation ended before core had enough.
enum Ended {
    Gone,
    Trouble(Trouble),
}

impl From<Gone> for Ended {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unwanted => Self::Gone,
            other => Self::Trouble(other),
        }
    }
}

fn converse(
    facts: &Facts,
    client: &mut Client,
    request: &QueryRequest,
    waiting: &mut AwaitQuery,
) -> Result<Answer, Ended> {
    let encoded = encode(request).map_err(|_| Ended::Trouble(Trouble::Malformed))?;
    let deadline = Deadline::after_seconds(request.deadline_seconds);
    let patience = Deadline::after_millis(PATIENCE);
    let mut still_there = || {
        let there = if patience.is_over() { client.keep_waiting() } else { client.is_there() };
        there.is_ok()
    };
    let mut answer = send(&encoded, request.deadline_seconds, &deadline, &mut still_there)?;
    let mut decoder = Response::new(&answer.head, request.limits);
    let mut over = false;
    loop {
        while let Some(event) = decoder.poll_event() {
            match with_env(facts, |env| waiting.accept(env, event)) {
                Flow::Continue => {}
                Flow::Send(message) => client.send(&message)?,
                Flow::Stop => return Ok(answer),
            }
        }
        if over {
            return Err(Ended::Trouble(Trouble::Broken("it ended early".into())));
        }
        match answer.read(&deadline, TICK) {
            Ok(Chunk::Data(bytes)) => decoder.receive(&bytes),
            Ok(Chunk::NotYet) if patience.is_over() => client.keep_waiting()?,
            Ok(Chunk::NotYet) => client.is_there()?,
            Ok(Chunk::End) => {
                decoder.finish(true);
                over = true;
            }
            Err(Trouble::Broken(_)) => {
                decoder.finish(false);
                over = true;
            }
            Err(trouble) => return Err(trouble.into()),
        }
    }
}

/// What clients hear: whether ClickHouse could be reached and whether it was in time, as with the native host.
fn for_clients(trouble: &Trouble, request: &QueryRequest) -> String {
    match trouble {
        Trouble::Malformed => "the query cannot be sent to ClickHouse as it is".into(),
        Trouble::Forbidden | Trouble::Unreachable(_) => "ClickHouse could not be reached".into(),
        Trouble::Unwanted | Trouble::TimedOut => {
            format!("ClickHouse did not answer within {} seconds", request.deadline_seconds)
        }
        Trouble::Broken(_) => "ClickHouse broke off its answer".into(),
    }
}

fn for_operators(trouble: &Trouble, request: &QueryRequest) -> String {
    let to = &request.endpoint;
    match trouble {
        Trouble::Malformed => "it cannot be written as a request".into(),
        Trouble::Forbidden => format!("the runtime allows no connection to {to}"),
        Trouble::Unreachable(reason) => format!("{to} could not be reached: {reason}"),
        Trouble::Unwanted => "the client has left".into(),
        Trouble::TimedOut => {
            format!("{to} gave no complete answer within {} seconds", request.deadline_seconds)
        }
        Trouble::Broken(reason) => format!("the connection to {to} broke: {reason}"),
    }
}
