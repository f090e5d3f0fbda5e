//! One query: the request goes out, the answer comes back as events, and what is left on the server is ended.

use housekey_core::clickhouse::QueryRequest;
use housekey_core::exchange::{AwaitQuery, Flow, Step};
use housekey_core::facts::Facts;

use crate::client::{Client, Gone, PATIENCE, TICK};
use crate::trouble::Trouble;
use crate::way::{Answer, Leftover, abandon, leave};
use crate::world::{Deadline, log, with_env};

/// What a query came to.
pub(crate) enum Queried {
    /// The next step, and what may still run on the server.
    Next(Step, Client, Option<Leftover>),
    /// The client has left; what ended the query on the server has been done.
    Abandoned,
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
                abandon(cancellation);
            }
            return Queried::Abandoned;
        }
        Err(Ended::Trouble(trouble)) => {
            log(&format!("query {}: {}", request.query_id, trouble.for_operators(request)));
            let event = trouble.for_clients(request);
            // Whatever it answers, nothing can follow.
            let _ = with_env(facts, |env| waiting.accept(env, event));
            (trouble.may_run(), None)
        }
    };
    let cancellation = waiting.cancellation().filter(|_| sent && waiting.left_running());
    let leftover = cancellation.and_then(|cancellation| leave(answer, cancellation));
    Queried::Next(with_env(facts, |env| waiting.finish(env)), client, leftover)
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
    let deadline = Deadline::after_seconds(request.deadline_seconds);
    let patience = Deadline::after_millis(PATIENCE);
    let mut still_there = || {
        let there = if patience.is_over() { client.keep_waiting() } else { client.is_there() };
        there.is_ok()
    };
    let mut answer = Answer::begin(request, &deadline, &mut still_there)?;
    // However much comes, such as progress ten times a second, the client is looked after.
    let mut look = Deadline::after_millis(TICK);
    loop {
        let event = answer.next(&deadline, TICK)?;
        if event.is_none() || look.is_over() {
            if patience.is_over() { client.keep_waiting() } else { client.is_there() }?;
            look = Deadline::after_millis(TICK);
        }
        match event.map(|event| with_env(facts, |env| waiting.accept(env, event))) {
            None | Some(Flow::Continue) => {}
            Some(Flow::Send(message)) => client.send(&message)?,
            Some(Flow::Stop) => return Ok(answer),
        }
    }
}
