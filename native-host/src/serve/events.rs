//! Bodies of event streams that live longer than one request: what is written into a channel by a task of their own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::Body;

/// The time after which a silent stream says that it is alive, before proxies take it for dead.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Events that wait for a connection that takes them slowly.
const PENDING: usize = 4;

/// Takes the events of one connection. Closed, its client has gone.
pub(super) struct Events(mpsc::Sender<Bytes>);

/// The body that sends them.
pub(super) struct EventBody(mpsc::Receiver<Bytes>);

/// A stream that is open, and where its events go.
pub(super) fn open(head: Response<()>) -> (Response<Body>, Events) {
    let (sender, receiver) = mpsc::channel(PENDING);
    (head.map(|()| EventBody(receiver).boxed()), Events(sender))
}

impl Events {
    /// Sends an event; `false` once the client has gone.
    pub(super) async fn send(&self, event: impl Into<Bytes>) -> bool {
        self.0.send(event.into()).await.is_ok()
    }

    /// Comes back once the client has gone.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }
}

impl hyper::body::Body for EventBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}
