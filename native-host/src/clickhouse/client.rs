//! A query and its answer, whichever protocol its server speaks.

use std::sync::Arc;
use std::time::Duration;

use housekey_core::clickhouse::{Exception, Protocol, QueryEvent, QueryRequest};
use housekey_core::config::Config;
use housekey_core::exchange::kill_instead;
use tokio::time::{Instant, sleep, timeout};

use super::http;
use super::native::{self, Bounds, Native};
use super::pool::PoolError;

/// How long the server gets to end a query over HTTP.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);
/// A query younger than this may still be on its way when a cancellation arrives on another connection.
const YOUNG: Duration = Duration::from_millis(500);

/// A client of any number of servers. Clones share its connections.
#[derive(Clone)]
pub struct Client(Arc<Ways>);

struct Ways {
    http: http::Http,
    native: Native,
}

impl Client {
    /// A client that trusts as configured.
    ///
    /// # Errors
    /// The files that the configuration names cannot be used.
    pub fn new(config: &Config) -> Result<Self, PoolError> {
        Self::with_bounds(config, Bounds::default())
    }

    /// The same with other bounds on its connections of the native protocol.
    ///
    /// # Errors
    /// The files that the configuration names cannot be used.
    pub fn with_bounds(config: &Config, bounds: Bounds) -> Result<Self, PoolError> {
        let (http, native) = (http::Http::new(config)?, Native::new(config, bounds)?);
        Ok(Self(Arc::new(Ways { http, native })))
    }

    /// Sends a query. Nothing happens before the first [`Answer::next`].
    pub fn send(&self, request: &QueryRequest) -> Answer {
        let way = match request.endpoint.scheme.protocol() {
            Protocol::Http => Way::Http(self.0.http.send(request)),
            Protocol::Tcp => Way::Native(self.0.native.send(request)),
        };
        Answer { way, client: self.clone(), cancellation: None, begun: Instant::now(), heard: false }
    }
}

/// The answer to a query, as it arrives. Dropping it closes its connection, unless the answer is at its end.
pub struct Answer {
    way: Way,
    client: Client,
    cancellation: Option<QueryRequest>,
    begun: Instant,
    /// The server has said something, so the query is no longer on its way.
    heard: bool,
}

enum Way {
    Http(http::Answer),
    Native(native::Answer),
}

/// Why a query may still run although it was to end.
#[derive(Debug, thiserror::Error)]
pub enum NotCancelled {
    /// The server was asked and refused.
    #[error("the server refuses with code {0}")]
    Refused(i32),
    /// The server was not asked, or did not answer.
    #[error("{0}")]
    Unasked(String),
    /// The connection of the query is gone. The server notices that by itself.
    #[error("its connection is gone, which is left to the server to notice")]
    Disconnected,
    /// The server did not end it in time.
    #[error("the server took longer than 10 seconds")]
    Late,
}

impl Answer {
    /// Names the query that ends this one where the protocol cannot, which is HTTP.
    #[must_use]
    pub fn cancelled_by(mut self, cancellation: Option<QueryRequest>) -> Self {
        self.cancellation = cancellation;
        self
    }

    /// The next event. After the last one, which core knows by its kind, there are only repeated failures.
    pub async fn next(&mut self) -> QueryEvent {
        let event = match &mut self.way {
            Way::Http(answer) => answer.next().await,
            Way::Native(answer) => answer.next().await,
        };
        self.heard |= !matches!(event, QueryEvent::Broken(_));
        event
    }

    /// Whether the server may know of the query, and still be at it.
    pub fn may_run(&self) -> bool {
        match &self.way {
            Way::Http(answer) => answer.may_run(),
            Way::Native(answer) => answer.may_run(),
        }
    }

    /// Reads what is left, if that is little: then the connection is used again, and nothing is left to cancel.
    pub async fn drain(&mut self, most_bytes: usize, patience: Duration) -> bool {
        match &mut self.way {
            Way::Http(answer) => answer.drain(most_bytes, patience).await,
            Way::Native(answer) => answer.drain(most_bytes, patience).await,
        }
    }

    /// Ends the query on its server. Over HTTP that takes another query, and the connection of this one.
    ///
    /// # Errors
    /// It may still run.
    pub async fn cancel(&mut self) -> Result<(), NotCancelled> {
        let answer = match &mut self.way {
            Way::Native(answer) => return answer.cancel().await,
            Way::Http(answer) => answer,
        };
        if !answer.may_run() {
            return Ok(());
        }
        answer.close();
        let Some(cancellation) = &self.cancellation else { return Err(NotCancelled::Disconnected) };
        let is_young = !self.heard && self.begun.elapsed() < YOUNG;
        let asked = self.client.ask_to_end(cancellation).await;
        if !is_young {
            return asked;
        }
        sleep(YOUNG).await;
        self.client.ask_to_end(cancellation).await
    }
}

impl Client {
    async fn ask_to_end(&self, cancellation: &QueryRequest) -> Result<(), NotCancelled> {
        let ended = async {
            match self.ask(cancellation).await {
                Err(Unended::Refused(exception)) => match kill_instead(cancellation, &exception) {
                    Some(kill) => self.ask(&kill).await,
                    None => Err(Unended::Refused(exception)),
                },
                other => other,
            }
        };
        match timeout(CANCEL_TIMEOUT, ended).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Unended::Refused(exception))) => Err(NotCancelled::Refused(exception.code)),
            Ok(Err(Unended::Unasked(reason))) => Err(NotCancelled::Unasked(reason)),
            Err(_) => Err(NotCancelled::Late),
        }
    }

    /// Runs a query whose rows are of no interest.
    async fn ask(&self, request: &QueryRequest) -> Result<(), Unended> {
        let mut answer = self.0.http.send(request);
        loop {
            match answer.next().await {
                QueryEvent::Header(_) | QueryEvent::Rows(_) | QueryEvent::Progress { .. } => {}
                QueryEvent::End => return Ok(()),
                QueryEvent::Exception(exception) => return Err(Unended::Refused(exception)),
                QueryEvent::Broken(reason) => return Err(Unended::Unasked(reason)),
                QueryEvent::RowTooLong => return Err(Unended::Unasked("a row is too long".to_owned())),
            }
        }
    }
}

/// Why a query did not come to its end.
enum Unended {
    Refused(Exception),
    Unasked(String),
}
