//! Sessions of streamable HTTP (MCP 2025-11-25, transports), for servers that have them: requests of one session find each
//! other, a call can ask its client, and a stream that broke can be taken up again.
//!
//! A connection that closes takes nothing back here: clients say so if they mean it (MCP 2025-11-25, transports).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use housekey_core::exchange::{Admitted, Reply, Session, Step, StreamWish};
use housekey_core::jsonrpc::RequestId;
use housekey_core::transport::sse;
use http::{Response, StatusCode};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tracing::info;

use super::Body;
use super::answer::{Record, http_reply, plain, whole};
use super::events::{Events, KEEP_ALIVE, open};
use super::news::tell_session;
use super::places::{Full, Place};
use super::replay::{Next, Reader, Replay, parse_event_id};
use super::sessions::Live;
use crate::drive::{Client, drive, request_of};
use crate::host::Native;
use crate::talk::{Outbox, Talk};

/// Requests of one session that run at once.
const MOST_RUNNING: usize = 64;
/// Streams of one session that are kept after their end.
const MOST_KEPT: usize = 32;
/// The silence after which a session is over.
const SILENCE: Duration = Duration::from_secs(30 * 60);
/// When a client may try again whose connection broke.
const RETRY: Duration = Duration::from_secs(1);
/// How long a new stream waits for its first message before it is one.
const PATIENCE: Duration = KEEP_ALIVE;

/// A task and the request that it waits for.
pub(super) type Work = (Arc<Mutex<RequestId>>, AbortHandle);

/// A session that is found by its id.
pub(super) struct Resumable {
    native: Native,
    session: Mutex<Session>,
    talk: Talk,
    /// The stream of what belongs to no request.
    general: Arc<Replay>,
    streams: Mutex<BTreeMap<u64, Arc<Replay>>>,
    /// What can be taken back, by the request that each task waits for at the moment.
    table: Mutex<BTreeMap<u64, Work>>,
    running: Mutex<JoinSet<()>>,
    used: Mutex<Instant>,
    next: Mutex<u64>,
    _place: Place,
}

/// Begins the session that an answer names, or has the client come later.
pub(super) fn begin_session(native: &Native, answer: Response<Bytes>, session: Session) -> Response<Bytes> {
    native.sessions().sweep();
    let (Some(id), Some(who)) = (session.id().map(str::to_owned), session.principal(native.service())) else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "there is no session\n");
    };
    let place = match native.sessions().places().take(&who) {
        Ok(place) => place,
        Err(full) => {
            let status = match full {
                Full::Theirs => StatusCode::TOO_MANY_REQUESTS,
                Full::All => StatusCode::SERVICE_UNAVAILABLE,
            };
            let mut refusal = plain(status, "too many sessions are open: end one with DELETE\n");
            refusal.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("5"));
            return refusal;
        }
    };
    let general = Arc::new(Replay::new(0));
    let resumable = Arc::new(Resumable {
        native: native.clone(),
        session: Mutex::new(session),
        talk: Talk::default(),
        general: Arc::clone(&general),
        streams: Mutex::default(),
        table: Mutex::default(),
        running: Mutex::default(),
        used: Mutex::new(Instant::now()),
        next: Mutex::new(0),
        _place: place,
    });
    let (native_of_teller, weak) = (native.clone(), Arc::downgrade(&resumable));
    lock(&resumable.running).spawn(async move {
        let current = || weak.upgrade().map(|session| session.session());
        tell_session(&native_of_teller, current, &Outbox::Replay(general)).await;
    });
    native.sessions().insert(&id, Live::Resumable(resumable));
    answer
}

/// Does what a request wants of a session's streams.
pub(super) fn answer_wish(native: &Native, admitted: Admitted, record: Record) -> Response<Body> {
    let found = admitted.session_id().and_then(|id| native.sessions().find(id));
    let wish = admitted.stream_wish().cloned();
    let session = found.as_ref().map(Live::session);
    let admitted = match native.step(|env| admitted.join(env, session)) {
        Ok(admitted) => admitted,
        Err(refusal) => return record.close(whole(*refusal)),
    };
    match (wish, found) {
        (Some(StreamWish::End { session }), Some(live)) => {
            native.sessions().remove(&session);
            live.stop();
            record.close(whole(admitted.ended()))
        }
        (Some(StreamWish::Listen { after, .. }), Some(Live::Resumable(session))) => {
            session.touch();
            let place = after.as_deref().map(|after| parse_event_id(after).and_then(|at| session.stream(at)));
            let (replay, after) = match place {
                None => (Arc::clone(&session.general), None),
                Some(Some((replay, number))) => (replay, Some(number)),
                // What is gone cannot be told again.
                Some(None) => {
                    return record.close(whole(plain(StatusCode::NOT_FOUND, "there is no such event\n")));
                }
            };
            let reader = replay.read(after, true);
            let (answer, events) = open(admitted.events_head());
            tokio::spawn(pump(native.clone(), session, replay, reader, events));
            record.close(answer)
        }
        _ => record.close(whole(admitted.busy())),
    }
}

impl Resumable {
    pub(super) fn session(&self) -> Session {
        lock(&self.session).clone()
    }

    pub(super) fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    pub(super) fn is_silent(&self) -> bool {
        lock(&self.used).elapsed() > SILENCE && lock(&self.table).is_empty()
    }

    /// Ends it, with all that runs in it.
    pub(super) fn stop(&self) {
        self.general.end();
        lock(&self.running).abort_all();
        lock(&self.streams).values().for_each(|stream| stream.end());
    }

    fn stream(&self, (stream, number): (u64, u64)) -> Option<(Arc<Replay>, u64)> {
        let replay = match stream {
            0 => Arc::clone(&self.general),
            _ => lock(&self.streams).get(&stream).cloned()?,
        };
        Some((replay, number))
    }

    /// A stream for the messages of one request. Of those that have ended, the oldest are forgotten.
    fn new_stream(&self) -> (u64, Arc<Replay>) {
        let id = {
            let mut next = lock(&self.next);
            *next += 1;
            *next
        };
        let replay = Arc::new(Replay::new(id));
        let mut streams = lock(&self.streams);
        let ended: Vec<u64> =
            streams.iter().filter(|(_, stream)| stream.is_done()).map(|(id, _)| *id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(MOST_KEPT)) {
            streams.remove(id);
        }
        streams.insert(id, Arc::clone(&replay));
        (id, replay)
    }

    /// Answers a request of this session.
    pub(super) async fn answer(
        self: &Arc<Self>,
        step: Step,
        stream_head: Option<Response<()>>,
        accepted: Response<Bytes>,
        record: Record,
    ) -> Response<Body> {
        self.touch();
        let Some(id) = request_of(&step).cloned() else {
            let replay = Arc::new(Replay::new(0));
            let client = Client { outbox: &Outbox::Replay(replay), waiting: None, talk: None };
            return match drive(&self.native, step, &client).await {
                Reply::Cancel(id) => {
                    self.cancel(&id);
                    record.close(whole(accepted))
                }
                Reply::Answer(id, result) => {
                    self.talk.answer(&id, result);
                    record.close(whole(accepted))
                }
                Reply::Opened(answer, session) => {
                    record.close(whole(begin_session(&self.native, answer, session)))
                }
                reply @ (Reply::Http(_) | Reply::Lines { .. } | Reply::Listen(_)) => {
                    record.close(whole(http_reply(reply)))
                }
            };
        };
        if lock(&self.table).len() >= MOST_RUNNING {
            let mut refusal = plain(StatusCode::TOO_MANY_REQUESTS, "too many requests run in this session\n");
            refusal.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
            return record.close(whole(refusal));
        }
        let (number, replay) = self.new_stream();
        let mut answer = self.run(number, &replay, id, step);
        let silence = async {
            match &stream_head {
                Some(_) => sleep(PATIENCE).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // What was told before the answer goes before it.
            biased;
            () = replay.begun() => {}
            answered = &mut answer => {
                lock(&self.streams).remove(&number);
                return match answered {
                    Ok(answer) => record.close(whole(answer)),
                    // Taken back: no response is sent (MCP, utilities/cancellation), and HTTP needs one.
                    Err(_) => record.close(whole(accepted)),
                };
            }
            () = silence => {}
        }
        let reader = replay.read_first();
        let (answer, events) = open(stream_head.unwrap_or_default());
        tokio::spawn(pump(self.native.clone(), Arc::clone(self), replay, reader, events));
        record.close(answer)
    }

    /// Runs a request, whether or not anybody is there to hear the answer. It comes as the last event of a stream if there
    /// is one, else as it is.
    fn run(
        self: &Arc<Self>,
        number: u64,
        replay: &Arc<Replay>,
        id: RequestId,
        step: Step,
    ) -> oneshot::Receiver<Response<Bytes>> {
        let (sender, receiver) = oneshot::channel();
        let waiting = Arc::new(Mutex::new(id));
        let (session, replay, current) = (Arc::clone(self), Arc::clone(replay), Arc::clone(&waiting));
        let mut running = lock(&self.running);
        // What came too late is not begun: nobody would stop it.
        if self.general.is_done() {
            return receiver;
        }
        while running.try_join_next().is_some() {}
        let mut table = lock(&self.table);
        let handle = running.spawn(async move {
            // However this ends, nobody waits for more.
            let _end = End { session: &session, replay: &replay, number };
            let outbox = Outbox::Replay(Arc::clone(&replay));
            let client = Client { outbox: &outbox, waiting: Some(&current), talk: Some(&session.talk) };
            let answer = http_reply(drive(&session.native, step, &client).await);
            let text = String::from_utf8_lossy(answer.body()).into_owned();
            if replay.finish(text).is_err() {
                let _ = sender.send(answer);
            }
            session.touch();
        });
        table.insert(number, (waiting, handle));
        receiver
    }

    fn cancel(&self, id: &RequestId) {
        lock(&self.table).retain(|_, (waiting, handle)| {
            let is_meant = *lock(waiting) == *id;
            if is_meant {
                handle.abort();
                info!(request = id.for_log(), "cancelled by the client");
            }
            !is_meant
        });
    }
}

/// The end of a request of a session.
struct End<'a> {
    session: &'a Resumable,
    replay: &'a Replay,
    number: u64,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.replay.end();
        lock(&self.session.table).remove(&self.number);
    }
}

/// Sends the events of a stream to one connection.
async fn pump(
    native: Native,
    session: Arc<Resumable>,
    replay: Arc<Replay>,
    mut reader: Reader,
    events: Events,
) {
    if session.session().primes_streams()
        && !events.send(sse::priming(&replay.event_id(reader.at()), RETRY)).await
    {
        return;
    }
    loop {
        let event = tokio::select! {
            next = replay.next(&mut reader) => match next {
                Next::Event(number, text) => Bytes::from(sse::numbered(&replay.event_id(number), &text)),
                Next::Part(pause) => {
                    if let Some(pause) = pause {
                        events.send(sse::retry(pause)).await;
                    }
                    return;
                }
                Next::End => return,
            },
            () = sleep(KEEP_ALIVE) => Bytes::from_static(sse::COMMENT),
            () = events.closed() => return,
            () = native.draining() => return,
        };
        session.touch();
        if !events.send(event).await {
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
