//! One query over HTTP, as the events that core wants to hear.
//!
//! What the network says goes to the log with the query's id. Clients hear whether ClickHouse could be reached and
//! whether it was in time, but neither names nor addresses.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use housekey_core::clickhouse::http::{Response, encode};
use housekey_core::clickhouse::{QueryEvent, QueryRequest, ReadLimits};
use housekey_core::config::Config;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use super::UNREACHABLE;
use super::pool::{NoWay, Pool, PoolError};

/// A client of any number of servers.
pub(super) struct Http {
    pool: Pool,
}

impl Http {
    pub(super) fn new(config: &Config) -> Result<Self, PoolError> {
        Ok(Self { pool: Pool::new(config)? })
    }

    /// Sends a query. Nothing happens before the first [`Answer::next`].
    pub(super) fn send(&self, request: &QueryRequest) -> Answer {
        let query_id = request.query_id.clone();
        let phase = match self.exchange(request) {
            Ok(sending) => Phase::Sending(sending),
            Err(error) => {
                warn!(query_id, "the query cannot be sent: {error}");
                Phase::Failed(error.told())
            }
        };
        Answer {
            phase,
            query_id,
            limits: request.limits,
            seconds: request.deadline_seconds,
            until: Instant::now() + Duration::from_secs(request.deadline_seconds),
            reached: false,
        }
    }

    fn exchange(&self, request: &QueryRequest) -> Result<Sending, Unsent> {
        let encoded = encode(request).map_err(|error| Unsent::Malformed(error.to_string()))?;
        let encoded =
            reqwest::Request::try_from(encoded).map_err(|error| Unsent::Malformed(chain(&error)))?;
        let client = self.pool.client(request, encoded.url())?;
        Ok(Box::pin(async move { client.execute(encoded).await }))
    }
}

/// Why nothing is sent. The text is for the operator.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    NoWay(#[from] NoWay),
}

impl Unsent {
    /// What clients hear. An address that is forbidden looks like one that is silent.
    fn told(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "the query cannot be sent to ClickHouse as it is",
            Self::NoWay(NoWay::Address(_)) => UNREACHABLE,
            Self::NoWay(NoWay::Tls(_)) => "TLS cannot be had as the token wants it",
        }
    }
}

type Sending = Pin<Box<dyn Future<Output = reqwest::Result<reqwest::Response>> + Send>>;

/// The answer to a query, as it arrives. Dropping it closes the connection, unless the answer is at its end.
pub(super) struct Answer {
    phase: Phase,
    query_id: String,
    limits: ReadLimits,
    seconds: u64,
    until: Instant,
    reached: bool,
}

enum Phase {
    Failed(&'static str),
    Sending(Sending),
    Reading { body: reqwest::Body, decoder: Box<Response> },
    Over { decoder: Option<Box<Response>>, complete: bool },
}

impl Answer {
    /// The next event. After the last one, which core knows by its kind, there are only repeated failures.
    pub(super) async fn next(&mut self) -> QueryEvent {
        loop {
            if let Some(event) = self.poll_decoder() {
                return event;
            }
            match &mut self.phase {
                Phase::Failed(reason) => return QueryEvent::Broken((*reason).to_owned()),
                Phase::Over { .. } => return QueryEvent::Broken("ClickHouse broke off its answer".into()),
                Phase::Sending(sending) => match timeout_at(self.until, sending).await {
                    Ok(Ok(response)) => {
                        let (head, body) = http::Response::from(response).into_parts();
                        let decoder = Box::new(Response::new(&head, self.limits));
                        self.reached = true;
                        self.phase = Phase::Reading { body, decoder };
                    }
                    Ok(Err(error)) => {
                        warn!(query_id = self.query_id, "ClickHouse did not answer: {}", chain(&error));
                        self.reached = !error.is_connect();
                        self.phase = Phase::Over { decoder: None, complete: false };
                        return QueryEvent::Broken(if self.reached {
                            "ClickHouse closed the connection without an answer".into()
                        } else {
                            UNREACHABLE.into()
                        });
                    }
                    Err(_) => return self.late(),
                },
                Phase::Reading { body, decoder } => {
                    match timeout_at(self.until, next_chunk(body)).await {
                        Ok(Some(Ok(chunk))) => decoder.receive(&chunk),
                        Ok(None) => self.over(true),
                        Ok(Some(Err(error))) => {
                            // ClickHouse closes like this after an exception in the middle of an answer.
                            debug!(query_id = self.query_id, "the answer broke off: {}", chain(&error));
                            self.over(false);
                        }
                        Err(_) => return self.late(),
                    }
                }
            }
        }
    }

    /// Whether the server may know of the query: a connection was made, and no answer says otherwise.
    pub(super) fn may_run(&self) -> bool {
        match &self.phase {
            Phase::Failed(_) => false,
            Phase::Sending(_) | Phase::Reading { .. } => true,
            Phase::Over { .. } => self.reached,
        }
    }

    /// Reads what is left, if that is little: then the connection is used again, and nothing is left to cancel.
    pub(super) async fn drain(&mut self, most_bytes: usize, patience: Duration) -> bool {
        let Phase::Reading { body, .. } = &mut self.phase else {
            return matches!(self.phase, Phase::Over { complete: true, .. });
        };
        let until = Instant::now() + patience;
        let mut read = 0_usize;
        while read <= most_bytes {
            match timeout_at(until, next_chunk(body)).await {
                Ok(Some(Ok(chunk))) => read = read.saturating_add(chunk.len()),
                Ok(None) => {
                    self.phase = Phase::Over { decoder: None, complete: true };
                    return true;
                }
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
        false
    }

    /// Gives up the answer and its connection.
    pub(super) fn close(&mut self) {
        self.phase = Phase::Over { decoder: None, complete: false };
    }

    fn poll_decoder(&mut self) -> Option<QueryEvent> {
        match &mut self.phase {
            Phase::Reading { decoder, .. } | Phase::Over { decoder: Some(decoder), .. } => {
                decoder.poll_event()
            }
            Phase::Failed(_) | Phase::Sending(_) | Phase::Over { decoder: None, .. } => None,
        }
    }

    fn over(&mut self, complete: bool) {
        let over = Phase::Over { decoder: None, complete };
        if let Phase::Reading { mut decoder, .. } = std::mem::replace(&mut self.phase, over) {
            decoder.finish(complete);
            self.phase = Phase::Over { decoder: Some(decoder), complete };
        }
    }

    fn late(&mut self) -> QueryEvent {
        warn!(query_id = self.query_id, "ClickHouse did not answer within {} seconds", self.seconds);
        self.reached = true;
        self.phase = Phase::Over { decoder: None, complete: false };
        QueryEvent::late(self.seconds)
    }
}

/// The next bytes of a body; trailers are passed over.
async fn next_chunk(body: &mut reqwest::Body) -> Option<reqwest::Result<Bytes>> {
    loop {
        match body.frame().await? {
            Ok(frame) => {
                if let Ok(chunk) = frame.into_data() {
                    return Some(Ok(chunk));
                }
            }
            Err(error) => return Some(Err(error)),
        }
    }
}

/// An error with its causes, without the URL: a query may be part of it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if text.is_empty() { "no cause is known".to_owned() } else { text }
}
