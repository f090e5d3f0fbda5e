//! HTTP+SSE (MCP 2024-11-05, transports), beside streamable HTTP: a GET opens the stream and with it the session, a POST to
//! the address that the first event names brings a message, and all answers come on the stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use housekey_core::exchange::{Admitted, Inbound, begin};
use housekey_core::transport::sse;
use http::{Response, Uri};
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::Body;
use super::answer::{Record, read, whole};
use super::events::{Events, KEEP_ALIVE, open};
use super::lines::Lines;
use super::news::until;
use super::places::Full;
use super::sessions::Live;
use crate::host::Native;

/// Messages that wait for a client that reads slowly.
const OUTBOX: usize = 64;
/// How long a client may read nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens a stream and the session that lives as long as it.
pub(super) fn open_stream(
    native: &Native,
    admitted: &Admitted,
    target: &Uri,
    record: Record,
) -> Response<Body> {
    let Some(session) = native.step(|env| admitted.open_session(env)) else {
        return record.close(whole(admitted.busy()));
    };
    let (Some(id), Some(who)) = (session.id().map(str::to_owned), session.principal(native.service())) else {
        return record.close(whole(admitted.busy()));
    };
    let place = match native.sessions().places().take(&who) {
        Ok(place) => place,
        Err(Full::Theirs) => return record.close(whole(admitted.too_many_streams())),
        Err(Full::All) => return record.close(whole(admitted.busy())),
    };
    let expires = session.expires();
    let (outbox, messages) = mpsc::channel(OUTBOX);
    let lines = Lines::begin(native.clone(), session, outbox, Some(PATIENCE), Some(place));
    native.sessions().insert(&id, Live::Lines(Arc::clone(&lines)));
    let (answer, events) = open(admitted.events_head());
    // The path as the client wrote it, so that what a proxy routes by stays as it is.
    let endpoint = format!("event: endpoint\ndata: {}?sessionId={id}\n\n", target.path());
    let stream = Stream { native: native.clone(), id, lines, events };
    tokio::spawn(async move {
        tokio::select! {
            () = stream.run(endpoint, messages) => {}
            () = stream.events.closed() => debug!("a client has closed its event stream"),
            () = stream.lines.given_up() => debug!("a client reads its event stream no longer"),
            // The token that opened it lets nobody go on for longer.
            () = until(expires) => debug!("the token of an event stream has expired"),
            () = stream.native.draining() => {}
        }
    });
    record.close(answer)
}

/// A stream that is open. Dropped, its session ends, and what runs in it.
struct Stream {
    native: Native,
    id: String,
    lines: Arc<Lines>,
    events: Events,
}

impl Stream {
    async fn run(&self, endpoint: String, mut messages: mpsc::Receiver<String>) {
        if !self.events.send(endpoint).await {
            return;
        }
        loop {
            let event = tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => Bytes::from(sse::event(&message)),
                    None => return,
                },
                () = sleep(KEEP_ALIVE) => Bytes::from_static(sse::COMMENT),
            };
            match timeout(PATIENCE, self.events.send(event)).await {
                Ok(true) => {}
                Ok(false) | Err(_) => return,
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.native.sessions().remove(&self.id);
        self.lines.stop();
    }
}

/// Takes a message to a session whose stream is open.
pub(super) async fn take_message(
    native: &Native,
    admitted: Admitted,
    body: Incoming,
    record: Record,
) -> Response<Body> {
    let found = admitted.session_id().and_then(|id| native.sessions().find(id));
    let lines = match &found {
        Some(Live::Lines(lines)) => Some(lines),
        Some(Live::Resumable(_)) | None => None,
    };
    let session = lines.map(|lines| lines.session());
    let admitted = match native.step(|env| admitted.join(env, session)) {
        Ok(admitted) => admitted,
        Err(refusal) => return record.close(whole(*refusal)),
    };
    let Some(lines) = lines else { return record.close(whole(admitted.busy())) };
    let body = match read(body, &admitted).await {
        Ok(body) => body,
        Err(refusal) => return record.close(whole(refusal)),
    };
    let mut accepted = admitted.accepted();
    *accepted.body_mut() = Bytes::from_static(b"Accepted");
    // The body came later than the head: a handshake that was answered in between counts.
    let admitted = match native.step(|env| admitted.join(env, Some(lines.session()))) {
        Ok(admitted) => admitted,
        Err(refusal) => return record.close(whole(*refusal)),
    };
    if body.len() > admitted.max_body() {
        return record.close(whole(admitted.too_large()));
    }
    let step = native.step(|env| begin(env, Inbound::Http(admitted, body)));
    lines.settle(step).await;
    record.close(whole(accepted))
}
