//! A session whose messages come one by one and are answered on one stream that all of them share: that of stdio, and one
//! of HTTP+SSE. Requests run beside each other, and each can be taken back by its id.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use housekey_core::exchange::{Inbound, Reply, Session, Step, begin};
use housekey_core::jsonrpc::RequestId;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::in_session::Work;
use super::news::{listen, tell_session};
use super::places::{Full, Place};
use crate::drive::{Client, drive, request_of};
use crate::host::Native;
use crate::talk::{Outbox, Talk};

/// Requests that run at once; a client that sends more waits until one has ended.
const MOST_RUNNING: usize = 256;

/// A session and what runs in it.
pub(super) struct Lines {
    native: Native,
    session: Mutex<Session>,
    outbox: mpsc::Sender<String>,
    /// How long a client may leave a message unread before it counts as gone.
    patience: Option<Duration>,
    gone: watch::Sender<bool>,
    talk: Talk,
    room: Arc<Semaphore>,
    running: Mutex<JoinSet<()>>,
    /// What can be taken back, by the request that each task waits for at the moment.
    table: Mutex<BTreeMap<u64, Work>>,
    next: Mutex<u64>,
    /// A place among those who have a session open.
    _place: Option<Place>,
}

impl Lines {
    /// Begins a session whose messages go to `outbox`.
    pub(super) fn begin(
        native: Native,
        session: Session,
        outbox: mpsc::Sender<String>,
        patience: Option<Duration>,
        place: Option<Place>,
    ) -> Arc<Self> {
        let lines = Arc::new(Self {
            native,
            session: Mutex::new(session),
            outbox,
            patience,
            gone: watch::Sender::new(false),
            talk: Talk::default(),
            room: Arc::new(Semaphore::new(MOST_RUNNING)),
            running: Mutex::default(),
            table: Mutex::default(),
            next: Mutex::new(0),
            _place: place,
        });
        let teller = {
            // What tells a session of changes does not keep it alive.
            let (native, session, outbox) =
                (lines.native.clone(), Arc::downgrade(&lines), lines.outbox.clone());
            async move {
                let current = || session.upgrade().map(|lines| lines.session());
                tell_session(&native, current, &Outbox::Channel(outbox)).await;
            }
        };
        lock(&lines.running).spawn(teller);
        lines
    }

    /// The session as it is now.
    pub(super) fn session(&self) -> Session {
        lock(&self.session).clone()
    }

    /// Takes a message. What needs no waiting is answered before this returns, so that a handshake counts from then on.
    pub(super) async fn take(self: &Arc<Self>, line: Bytes) {
        let inbound = Inbound::Line(Arc::clone(self.native.service()), line, self.session());
        let step = self.native.step(|env| begin(env, inbound));
        self.settle(step).await;
    }

    /// Sees to it that a message is answered.
    pub(super) async fn settle(self: &Arc<Self>, step: Step) {
        let Some(id) = request_of(&step).cloned() else {
            let outbox = Outbox::Channel(self.outbox.clone());
            let client = Client { outbox: &outbox, waiting: None, talk: None };
            let reply = drive(&self.native, step, &client).await;
            return self.reply(reply).await;
        };
        let waiting = Arc::new(Mutex::new(id));
        let (lines, current) = (Arc::clone(self), Arc::clone(&waiting));
        let work = async move {
            let outbox = Outbox::Channel(lines.outbox.clone());
            let client = Client { outbox: &outbox, waiting: Some(&current), talk: Some(&lines.talk) };
            let reply = drive(&lines.native, step, &client).await;
            lines.reply(reply).await;
        };
        self.spawn(waiting, work).await;
    }

    /// Runs work that can be taken back, once there is room.
    async fn spawn(
        self: &Arc<Self>,
        waiting: Arc<Mutex<RequestId>>,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else { return };
        let number = {
            let mut next = lock(&self.next);
            *next += 1;
            *next
        };
        let lines = Arc::downgrade(self);
        let mut running = lock(&self.running);
        // What came too late is not begun: nobody would stop it.
        if *self.gone.borrow() {
            return;
        }
        while let Some(ended) = running.try_join_next() {
            if ended.is_err_and(|error| error.is_panic()) {
                warn!("a request ended without an answer");
            }
        }
        let mut table = lock(&self.table);
        let handle = running.spawn(async move {
            work.await;
            if let Some(lines) = lines.upgrade() {
                lock(&lines.table).remove(&number);
            }
            drop(permit);
        });
        table.insert(number, (waiting, handle));
    }

    async fn reply(self: &Arc<Self>, reply: Reply) {
        match reply {
            Reply::Lines { messages, session } => {
                if let Some(session) = session {
                    *lock(&self.session) = session;
                }
                for message in messages {
                    self.send(message).await;
                }
            }
            Reply::Cancel(id) => self.cancel(&id),
            Reply::Answer(id, result) => self.talk.answer(&id, result),
            Reply::Listen(subscription) => {
                let place = subscription.principal().ok_or(Full::Theirs);
                let place = place.and_then(|who| self.native.listeners().take(&who));
                let id = subscription.id().clone();
                let (lines, outbox) = (Arc::clone(self), Outbox::Channel(self.outbox.clone()));
                let work = async move {
                    match place {
                        Ok(_place) => listen(&lines.native, &subscription, &outbox, true).await,
                        // Nothing is listened to, and that is over: the client may ask again.
                        Err(_) => {
                            for message in subscription.ended(true) {
                                lines.send(message).await;
                            }
                        }
                    }
                };
                Box::pin(self.spawn(Arc::new(Mutex::new(id)), work)).await;
            }
            // Core answers in the kind in which it was asked.
            Reply::Http(_) | Reply::Opened(..) => warn!("an answer for HTTP came to a line-based stream"),
        }
    }

    /// Dropping the driver cancels its query; no response is sent (MCP, utilities/cancellation).
    fn cancel(&self, id: &RequestId) {
        let mut found = false;
        // A client that uses an id twice takes back both.
        lock(&self.table).retain(|_, (waiting, handle)| {
            let is_meant = *lock(waiting) == *id;
            if is_meant {
                handle.abort();
                found = true;
            }
            !is_meant
        });
        if found {
            info!(request = id.for_log(), "cancelled by the client");
        } else {
            debug!(request = id.for_log(), "cancelled too late, or never begun");
        }
    }

    /// Sends a message. A closed channel means a closed stream, which whoever owns it notices.
    pub(super) async fn send(&self, message: String) {
        let sent = self.outbox.send(message);
        match self.patience {
            None => drop(sent.await),
            Some(patience) => {
                if timeout(patience, sent).await.is_err() {
                    self.gone.send_replace(true);
                }
            }
        }
    }

    /// Comes back once the client reads nothing any more.
    pub(super) async fn given_up(&self) {
        let mut gone = self.gone.subscribe();
        let _ = gone.wait_for(|gone| *gone).await;
    }

    /// Stops what runs, without waiting.
    pub(super) fn stop(&self) {
        self.gone.send_replace(true);
        lock(&self.running).abort_all();
    }

    /// Stops what runs, and waits until it has stopped.
    pub(super) async fn stopped(&self) {
        self.gone.send_replace(true);
        let mut running = std::mem::take(&mut *lock(&self.running));
        running.shutdown().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
