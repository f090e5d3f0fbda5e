//! The native driver as an [`App`]: head, body, steps, answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use housekey_core::exchange::{
    Admission, Admitted, Inbound, MOST_FACTS, Refusal, Reply, Route, Step, StreamWish, Subscription, admit,
    begin, unsettled,
};
use http::{HeaderValue, Method, Response, StatusCode, request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

use super::events::KEEP_ALIVE;
use super::in_session::Resumable;
use super::news::listen;
use super::sessions::Live;
use super::stream::{Driving, EventStream};
use super::{App, Body, in_session, places, sse};
use crate::drive::{Client, drive, learn};
use crate::host::Native;
use crate::talk::Outbox;

/// A body that takes longer to arrive is not waited for.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Messages that wait for a client that reads slowly; then the query waits, too.
const OUTBOX: usize = 16;

impl App for Native {
    async fn handle(&self, request: http::Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        // Only as far as core understands the path, for anything else in it may be a secret.
        let route = Route::parse(head.uri.path(), true);
        let mut record = Record::new(head.method.clone(), route);
        let admitted = match judge(self, &head).await {
            Ok(admitted) => admitted,
            Err(answer) => return record.close(whole(answer)),
        };
        record.subject = admitted.subject().map(str::to_owned);
        match admitted.stream_wish() {
            None => respond(self, admitted, body, record).await,
            Some(StreamWish::Events) => sse::open_stream(self, &admitted, &head.uri, record),
            Some(StreamWish::Message { .. }) => sse::take_message(self, admitted, body, record).await,
            Some(StreamWish::Listen { .. } | StreamWish::End { .. }) => {
                in_session::answer_wish(self, admitted, record)
            }
        }
    }

    fn drain(&self) {
        Self::drain(self);
    }

    async fn finished(&self) {
        self.background().finished().await;
    }
}

/// Judges the head of a request, and learns what that takes: the keys of a token's issuer, say.
pub(crate) async fn judge(native: &Native, head: &request::Parts) -> Result<Admitted, Response<Bytes>> {
    for _ in 0..MOST_FACTS {
        match native.step(|env| admit(env, native.service(), head)) {
            Admission::Answer(answer) => return Err(answer),
            Admission::Read(admitted) => return Ok(admitted),
            Admission::Learn(request) => learn(native, &request).await,
        }
    }
    Err(unsettled())
}

/// Answers what was admitted.
pub(super) async fn respond(
    native: &Native,
    admitted: Admitted,
    body: Incoming,
    record: Record,
) -> Response<Body> {
    let (admitted, session) = match joined(native, admitted) {
        Ok(joined) => joined,
        Err(refusal) => return record.close(whole(*refusal)),
    };
    let body = match read(body, &admitted).await {
        Ok(body) => body,
        Err(refusal) => return record.close(whole(refusal)),
    };
    let stream_head = admitted.stream_head();
    let accepted = session.is_some().then(|| admitted.accepted());
    let step = native.step(|env| begin(env, Inbound::Http(admitted, body)));
    if let (Some(session), Some(accepted)) = (session, accepted) {
        return session.answer(step, stream_head, accepted, record).await;
    }
    match step {
        Step::Done(Reply::Opened(answer, session)) => {
            record.close(whole(in_session::begin_session(native, answer, session)))
        }
        Step::Done(Reply::Listen(subscription)) => listening(native, *subscription, record),
        Step::Done(reply) => record.close(whole(http_reply(reply))),
        step @ (Step::Fetch(..) | Step::Query(..) | Step::Ask(..) | Step::Tell(..) | Step::Wait(..)) => {
            answer(native.clone(), step, stream_head, record).await
        }
    }
}

/// A request, and the session that it is part of.
type Joined = (Admitted, Option<Arc<Resumable>>);

/// The request as a part of the session that it names, if it names one.
fn joined(native: &Native, admitted: Admitted) -> Result<Joined, Box<Response<Bytes>>> {
    let Some(found) = admitted.session_id().map(|id| native.sessions().find(id)) else {
        return Ok((admitted, None));
    };
    let session = match found {
        Some(Live::Resumable(session)) => Some(session),
        // A session of the other transport is none of this.
        Some(Live::Lines(_)) | None => None,
    };
    let current = session.as_ref().map(|session| session.session());
    let admitted = native.step(|env| admitted.join(env, current))?;
    Ok((admitted, session))
}

/// Keeps a request open that listens.
fn listening(native: &Native, subscription: Subscription, record: Record) -> Response<Body> {
    let place = match subscription.principal().map(|who| native.listeners().take(&who)) {
        Some(Ok(place)) => place,
        Some(Err(full)) => return record.close(whole(subscription.refused(full == places::Full::Theirs))),
        None => return record.close(whole(subscription.refused(false))),
    };
    record.streamed();
    let (outbox, messages) = mpsc::channel(OUTBOX);
    let (head, native) = (subscription.head(), native.clone());
    let driving: Driving = Box::pin(async move {
        let _place = place;
        let outbox = Outbox::Channel(outbox);
        listen(&native, &subscription, &outbox, false).await;
        Reply::Lines { messages: Vec::new(), session: None }
    });
    head.map(|()| BodyExt::boxed(EventStream::new(None, messages, driving, None)))
}

/// Drives to the reply, or to the first message that precedes it: that one opens a stream of events. So does a long
/// silence, in which whoever stands between would take the connection for dead.
async fn answer(
    native: Native,
    step: Step,
    stream_head: Option<Response<()>>,
    record: Record,
) -> Response<Body> {
    let (outbox, mut messages) = mpsc::channel(OUTBOX);
    let mut driving: Driving = Box::pin(async move {
        let outbox = Outbox::Channel(outbox);
        let client = Client { outbox: &outbox, waiting: None, talk: None };
        drive(&native, step, &client).await
    });
    let silence = async {
        match &stream_head {
            Some(_) => sleep(KEEP_ALIVE).await,
            None => std::future::pending().await,
        }
    };
    let first = tokio::select! {
        // A message that is there at the end goes before the reply.
        biased;
        Some(first) = messages.recv() => Some(first),
        reply = &mut driving => {
            // Messages of this very poll are dropped: nothing was shown yet, so no progress is owed.
            return record.close(whole(http_reply(reply)));
        }
        () = silence => None,
    };
    // Core sends nothing ahead of the reply to a client that takes no stream.
    let head = stream_head.unwrap_or_default();
    head.map(|()| BodyExt::boxed(EventStream::new(first, messages, driving, Some(record))))
}

/// The body, within its bounds in size and time.
pub(super) async fn read(mut body: Incoming, admitted: &Admitted) -> Result<Bytes, Response<Bytes>> {
    let collect = async {
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err(admitted.broken_off()) };
            let Ok(chunk) = frame.into_data() else { continue };
            if bytes.len().saturating_add(chunk.len()) > admitted.max_body() {
                return Err(admitted.too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    };
    match timeout(BODY_TIMEOUT, collect).await {
        Ok(collected) => collected,
        Err(_) => Err(admitted.too_slow()),
    }
}

pub(super) fn http_reply(reply: Reply) -> Response<Bytes> {
    match reply {
        Reply::Http(answer) => answer,
        // Core answers in the kind in which it was asked, and these where they are taken.
        Reply::Lines { .. } | Reply::Cancel(_) | Reply::Opened(..) | Reply::Answer(..) | Reply::Listen(_) => {
            plain(StatusCode::INTERNAL_SERVER_ERROR, "there is no answer\n")
        }
    }
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from_static(text.as_bytes()));
    *answer.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, text);
    answer
}

pub(super) fn whole(answer: Response<Bytes>) -> Response<Body> {
    answer.map(|body| Full::new(body).map_err(|never| match never {}).boxed())
}

/// One request in the log. Dropped before it is closed, it says that nobody got an answer.
pub(super) struct Record {
    method: Method,
    route: Option<Route>,
    pub(super) subject: Option<String>,
    begun: Instant,
    closed: bool,
}

impl Record {
    pub(super) fn new(method: Method, route: Option<Route>) -> Self {
        Self { method, route, subject: None, begun: Instant::now(), closed: false }
    }

    #[cfg(test)]
    pub(super) fn for_tests() -> Self {
        Self::new(Method::POST, None)
    }

    pub(super) fn close(mut self, answer: Response<Body>) -> Response<Body> {
        match answer.extensions().get::<Refusal>() {
            Some(Refusal(reason)) => self.write(Some(answer.status()), &format!("refused: {reason}")),
            None => self.write(Some(answer.status()), "answered"),
        }
        answer
    }

    pub(super) fn streamed(mut self) {
        self.write(Some(StatusCode::OK), "streamed");
    }

    fn write(&mut self, status: Option<StatusCode>, outcome: &str) {
        self.closed = true;
        let route = self.route.as_ref().map_or_else(|| "other".to_owned(), ToString::to_string);
        let (method, status) = (self.method.as_str(), status.map(|status| status.as_u16()));
        let (millis, subject) = (self.begun.elapsed().as_millis(), self.subject.as_deref());
        if matches!(self.route, Some(Route::Live | Route::Health)) && status == Some(200) {
            debug!(method, route, status, millis, subject, "{outcome}");
        } else {
            info!(method, route, status, millis, subject, "{outcome}");
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.closed {
            self.write(None, "broken off before the answer");
        }
    }
}
