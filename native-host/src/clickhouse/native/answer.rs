//! The answer to one query over the native protocol, as the events that core wants to hear.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use housekey_core::clickhouse::QueryEvent;
use housekey_core::clickhouse::native::{Ending, Query, State};
use tokio::runtime::Handle;
use tokio::task::coop;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, warn};

use super::super::NotCancelled;
use super::dial::{Dialler, Target};
use super::failure::{BROKEN_OFF, NO_ANSWER, NoSession};
use super::key::Key;
use super::pool::{Lease, Pool};

/// How long the server may take to stop. It looks for the question every 100 ms while it works on a query.
const STOP_TIME: Duration = Duration::from_secs(10);
/// Bytes of a cancelled answer that are read for the sake of the connection. More is cheaper to throw away.
const STOP_BYTES: usize = 64 << 20;

type Preparing = Pin<Box<dyn Future<Output = Result<Lease, NoSession>> + Send>>;

/// An answer as it arrives. Dropping it closes the connection, by which the server notices that nobody listens,
/// unless the answer is at its end.
pub(crate) struct Answer {
    phase: Phase,
    query_id: String,
    seconds: u64,
    until: Instant,
    heard: bool,
}

enum Phase {
    /// A place, a connection and the login are awaited. Nothing of the query has been sent.
    Preparing(Preparing),
    Running(Lease),
    /// The caller was told that it took too long, and the server works on.
    Late(Lease),
    Over {
        may_run: bool,
        /// What is told from now on.
        event: QueryEvent,
    },
}

/// Waits for a place, takes a kept connection or makes a new one, and begins the query on it.
pub(super) async fn prepare(
    pool: Arc<Pool>,
    dialler: Arc<Dialler>,
    key: Key,
    target: Target,
    query: Query,
) -> Result<Lease, NoSession> {
    let place = pool.enter(key).await.ok_or(NoSession::NoPool)?;
    let session = match place.kept().await {
        Some(session) => session,
        None => {
            place.make_room();
            dialler.dial(&target).await?
        }
    };
    let mut lease = place.lease(session);
    match lease.session().start(&query) {
        Ok(()) => Ok(lease),
        Err(error) => {
            lease.give_back();
            Err(error.into())
        }
    }
}

impl Answer {
    pub(super) fn new(preparing: Preparing, query_id: String, seconds: u64) -> Self {
        let until = Instant::now() + Duration::from_secs(seconds);
        Self { phase: Phase::Preparing(preparing), query_id, seconds, until, heard: false }
    }

    pub(super) fn unsent(query_id: String, told: &'static str) -> Self {
        let event = QueryEvent::Broken(told.to_owned());
        let phase = Phase::Over { may_run: false, event };
        Self { phase, query_id, seconds: 0, until: Instant::now(), heard: false }
    }

    /// The next event. After the last one, which core knows by its kind, there are only repeated failures.
    pub(crate) async fn next(&mut self) -> QueryEvent {
        loop {
            match &mut self.phase {
                Phase::Preparing(preparing) => match timeout_at(self.until, preparing).await {
                    Ok(Ok(lease)) => self.phase = Phase::Running(lease),
                    Ok(Err(error)) => {
                        warn!(query_id = self.query_id, "the query was not sent: {error}");
                        return self.over(false, error.told());
                    }
                    Err(_) => return self.late(),
                },
                Phase::Running(lease) => {
                    // A block holds many rows, and none of them waits for the network.
                    coop::consume_budget().await;
                    if let Some(event) = lease.session().poll_event() {
                        return self.take(event);
                    }
                    match lease.session().state() {
                        State::Running => {}
                        State::Greeting
                        | State::Ready
                        | State::Cancelling
                        | State::Pinging
                        | State::Closed => {
                            return self.over(false, QueryEvent::Broken(BROKEN_OFF.to_owned()));
                        }
                    }
                    if timeout_at(self.until, lease.session().pump()).await.is_err() {
                        return self.late();
                    }
                }
                Phase::Late(_) => return QueryEvent::late(self.seconds),
                Phase::Over { event, .. } => return event.clone(),
            }
        }
    }

    /// Whether the server may know of the query, and still be at it.
    pub(crate) fn may_run(&self) -> bool {
        match &self.phase {
            Phase::Preparing(_) => false,
            Phase::Running(_) | Phase::Late(_) => true,
            Phase::Over { may_run, .. } => *may_run,
        }
    }

    /// Reads what is left, if that is little: then the connection is used again, and nothing is left to cancel.
    pub(crate) async fn drain(&mut self, most_bytes: usize, patience: Duration) -> bool {
        let lease = match &mut self.phase {
            Phase::Preparing(_) | Phase::Late(_) => return false,
            Phase::Over { may_run, .. } => return !*may_run,
            Phase::Running(lease) => lease,
        };
        let drained = timeout(patience, lease.session().run_out(most_bytes)).await;
        let is_over = matches!(drained, Ok(true));
        if is_over {
            self.let_go();
        }
        is_over
    }

    /// Asks the server to stop, on the same connection, and waits until it has.
    pub(crate) async fn cancel(&mut self) -> Result<(), NotCancelled> {
        let lease = match &mut self.phase {
            Phase::Preparing(_) => {
                self.let_go();
                return Ok(());
            }
            Phase::Over { may_run: false, .. } => return Ok(()),
            Phase::Over { may_run: true, .. } => return Err(NotCancelled::Disconnected),
            Phase::Running(lease) | Phase::Late(lease) => lease,
        };
        lease.session().cancel();
        let stopped = timeout(STOP_TIME, lease.session().run_out(STOP_BYTES)).await;
        let hung_up = lease.session().ending().is_some_and(|ending| *ending != Ending::SessionUncertain);
        self.let_go();
        match stopped {
            Ok(_) if hung_up => Err(NotCancelled::Disconnected),
            // It was asked, and too much was on the way already: the connection is closed on top.
            Ok(_) => Ok(()),
            Err(_) => Err(NotCancelled::Late),
        }
    }

    fn take(&mut self, event: QueryEvent) -> QueryEvent {
        match &event {
            QueryEvent::Header(_) | QueryEvent::Rows(_) | QueryEvent::Progress { .. } => {
                self.heard = true;
                event
            }
            QueryEvent::RowTooLong | QueryEvent::Exception(_) | QueryEvent::End => {
                self.let_go();
                event
            }
            QueryEvent::Broken(_) => self.broken(event),
        }
    }

    /// The connection ended below the query, or what came was not its answer.
    fn broken(&mut self, event: QueryEvent) -> QueryEvent {
        let ending = match &mut self.phase {
            Phase::Running(lease) => lease.session().ending().cloned(),
            Phase::Preparing(_) | Phase::Late(_) | Phase::Over { .. } => None,
        };
        if let Some(ending) = &ending {
            warn!(query_id = self.query_id, "the query has no whole answer: {ending}");
        }
        match ending {
            Some(Ending::HungUp) if self.heard => self.over(true, QueryEvent::Broken(BROKEN_OFF.to_owned())),
            Some(Ending::HungUp) => self.over(true, QueryEvent::Broken(NO_ANSWER.to_owned())),
            Some(Ending::Native(_)) => self.over(true, event),
            Some(Ending::InterserverRefused | Ending::Refused(_) | Ending::SessionUncertain) => {
                self.over(false, event)
            }
            // The query came to nothing, as with rows that do not fit, and the connection is none the worse for it.
            None => {
                self.let_go();
                event
            }
        }
    }

    /// Gives the connection back as soon as it is fit for another query.
    fn let_go(&mut self) {
        let event = QueryEvent::Broken(BROKEN_OFF.to_owned());
        let over = Phase::Over { may_run: false, event };
        let (Phase::Running(mut lease) | Phase::Late(mut lease)) = std::mem::replace(&mut self.phase, over)
        else {
            return;
        };
        match lease.session().state() {
            State::Ready => lease.give_back(),
            // What is left is the rest of a row that was too long, or whether the server still listens.
            State::Cancelling | State::Pinging => {
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(async move {
                        let _ = timeout(STOP_TIME, lease.session().run_out(STOP_BYTES)).await;
                        lease.give_back();
                    });
                }
            }
            State::Greeting | State::Running | State::Closed => {
                debug!(query_id = self.query_id, "the connection is not used again");
            }
        }
    }

    fn late(&mut self) -> QueryEvent {
        warn!(query_id = self.query_id, "ClickHouse did not answer within {} seconds", self.seconds);
        let event = QueryEvent::late(self.seconds);
        let over = Phase::Over { may_run: false, event: event.clone() };
        if let Phase::Running(lease) = std::mem::replace(&mut self.phase, over) {
            self.phase = Phase::Late(lease);
        }
        event
    }

    fn over(&mut self, may_run: bool, event: QueryEvent) -> QueryEvent {
        self.phase = Phase::Over { may_run, event: event.clone() };
        event
    }
}
