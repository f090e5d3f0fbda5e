//! Queries by `wasi:http`, where the component itself holds the login.

use housekey_core::clickhouse::http::{Response, encode};
use housekey_core::clickhouse::{Exception, QueryEvent, QueryRequest};
use housekey_core::exchange::kill_instead;

pub(crate) use crate::fetch::fetch;
use crate::outgoing::{self, Chunk, send};
use crate::trouble::Trouble;
use crate::world::{Deadline, log};

/// What is left of an answer that is cut short is read up to here.
const DRAIN_BYTES: usize = 256 << 10;
const DRAIN_MILLIS: u64 = 100;
/// How often the deadline of a question is looked at.
const ASKING_MILLIS: u64 = 1000;

/// The answer to a query, as it arrives.
pub(crate) struct Answer {
    body: outgoing::Answer,
    decoder: Response,
    over: bool,
}

impl Answer {
    /// Sends a query and waits for the head of its answer.
    pub(crate) fn begin(
        request: &QueryRequest,
        deadline: &Deadline,
        still_wanted: &mut dyn FnMut() -> bool,
    ) -> Result<Self, Trouble> {
        let encoded = encode(request).map_err(|_| Trouble::Malformed)?;
        let body = send(&encoded, request.deadline_seconds, deadline, still_wanted)?;
        let decoder = Response::new(&body.head, request.limits);
        Ok(Self { body, decoder, over: false })
    }

    /// The next event, if it comes within so many milliseconds.
    pub(crate) fn next(
        &mut self,
        deadline: &Deadline,
        milliseconds: u64,
    ) -> Result<Option<QueryEvent>, Trouble> {
        loop {
            if let Some(event) = self.decoder.poll_event() {
                return Ok(Some(event));
            }
            if self.over {
                return Err(Trouble::Broken("it ended early".into()));
            }
            match self.body.read(deadline, milliseconds) {
                Ok(Chunk::Data(bytes)) => self.decoder.receive(&bytes),
                Ok(Chunk::NotYet) => return Ok(None),
                Ok(Chunk::End) => self.finish(true),
                Err(Trouble::Broken(_)) => self.finish(false),
                Err(trouble) => return Err(trouble),
            }
        }
    }

    fn finish(&mut self, complete: bool) {
        self.decoder.finish(complete);
        self.over = true;
    }

    /// Reads what is left, if that is little, and says whether the end has come.
    fn drain(mut self) -> bool {
        let deadline = Deadline::after_millis(DRAIN_MILLIS);
        let mut read = 0_usize;
        while read <= DRAIN_BYTES {
            match self.body.read(&deadline, DRAIN_MILLIS) {
                Ok(Chunk::Data(bytes)) => read = read.saturating_add(bytes.len()),
                Ok(Chunk::NotYet) => {}
                Ok(Chunk::End) => return true,
                Err(_) => return false,
            }
        }
        false
    }
}

/// A query of which nothing more is wanted.
pub(crate) struct Leftover {
    answer: Option<Answer>,
    cancellation: QueryRequest,
}

/// What is to be done about a query of which nothing more is wanted.
pub(crate) fn leave(answer: Option<Answer>, cancellation: &QueryRequest) -> Option<Leftover> {
    Some(Leftover { answer, cancellation: cancellation.clone() })
}

impl Leftover {
    /// Ends it. It often ends by itself in that moment, and a connection that is read to its end is used again.
    pub(crate) fn end(self) {
        let Self { answer, cancellation } = self;
        if !answer.is_some_and(Answer::drain) {
            abandon(&cancellation);
        }
    }
}

/// Ends a query on the server. How that went is of no consequence: the server's own limits hold as well.
pub(crate) fn abandon(cancellation: &QueryRequest) {
    let ended = match ask(cancellation) {
        Ok(Some(exception)) => match kill_instead(cancellation, &exception) {
            Some(kill) => ask(&kill),
            None => Ok(Some(exception)),
        },
        other => other,
    };
    let why = match ended {
        Ok(None) => return,
        Ok(Some(exception)) => format!("the server refuses with code {}", exception.code),
        Err(trouble) => trouble.for_operators(cancellation),
    };
    log(&format!("query {} may still run: {why}", cancellation.query_id));
}

/// Runs a query whose rows are of no interest; what the server refused it with, if it did.
fn ask(request: &QueryRequest) -> Result<Option<Exception>, Trouble> {
    let deadline = Deadline::after_seconds(request.deadline_seconds);
    let mut answer = Answer::begin(request, &deadline, &mut || true)?;
    loop {
        match answer.next(&deadline, ASKING_MILLIS)? {
            None | Some(QueryEvent::Header(_) | QueryEvent::Rows(_) | QueryEvent::Progress { .. }) => {}
            Some(QueryEvent::Exception(exception)) => return Ok(Some(exception)),
            Some(QueryEvent::End) => return Ok(None),
            Some(QueryEvent::Broken(reason)) => return Err(Trouble::Broken(reason)),
            Some(QueryEvent::RowTooLong) => return Err(Trouble::Broken("a row is too long".into())),
        }
    }
}
