//! A stream of server-sent events that drives its own request: who drops the stream stops the request.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use housekey_core::exchange::Reply;
use housekey_core::transport::sse;
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep};

use super::answer::Record;
use super::events::KEEP_ALIVE;

/// A request on its way to its reply.
pub(super) type Driving = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// The events of one request: messages, then the reply.
pub(super) struct EventStream {
    first: Option<String>,
    messages: mpsc::Receiver<String>,
    /// The lock makes the stream `Sync`, as bodies have to be; nobody ever waits for it.
    driving: Mutex<Option<Driving>>,
    last: Option<Reply>,
    record: Option<Record>,
    /// When it says again that it is alive.
    alive: Pin<Box<Sleep>>,
    pause: Duration,
    /// Whether something was sent.
    begun: bool,
}

impl EventStream {
    pub(super) fn new(
        first: Option<String>,
        messages: mpsc::Receiver<String>,
        driving: Driving,
        record: Option<Record>,
    ) -> Self {
        let driving = Mutex::new(Some(driving));
        let (alive, pause) = (Box::pin(sleep(KEEP_ALIVE)), KEEP_ALIVE);
        Self { first, messages, driving, last: None, record, alive, pause, begun: false }
    }

    /// The next event, or a sign of life where none comes for long.
    fn next_or_alive(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Poll::Ready(event) = self.next(context) {
            self.begun = true;
            self.alive.as_mut().reset(Instant::now() + self.pause);
            return Poll::Ready(event.map(Bytes::from));
        }
        // A stream that was opened for the silence before it says so at once.
        if !self.begun || self.alive.as_mut().poll(context).is_ready() {
            self.begun = true;
            self.alive.as_mut().reset(Instant::now() + self.pause);
            // Registers for the next one, too.
            let _ = self.alive.as_mut().poll(context);
            return Poll::Ready(Some(Bytes::from_static(sse::COMMENT)));
        }
        Poll::Pending
    }

    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<String>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(sse::event(&first)));
        }
        let driving = self.driving.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(future) = driving
            && let Poll::Ready(reply) = future.as_mut().poll(context)
        {
            *driving = None;
            self.last = Some(reply);
        }
        match self.messages.poll_recv(context) {
            Poll::Ready(Some(message)) => return Poll::Ready(Some(sse::event(&message))),
            Poll::Pending => return Poll::Pending,
            // The driver is done, and with it its end of the channel.
            Poll::Ready(None) => {}
        }
        if let Some(record) = self.record.take() {
            record.streamed();
        }
        Poll::Ready(self.last.take().and_then(last_event))
    }
}

/// The reply's text as an event. Its status and headers have no place in a stream that has begun.
fn last_event(reply: Reply) -> Option<String> {
    let Reply::Http(answer) = reply else { return None };
    let text = std::str::from_utf8(answer.body()).ok().filter(|text| !text.is_empty())?;
    Some(sse::event(text))
}

impl hyper::body::Body for EventStream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.next_or_alive(context).map(|event| event.map(|text| Ok(Frame::data(text))))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use hyper::body::Body;

    use super::*;

    #[tokio::test]
    async fn messages_come_before_the_reply() {
        let (outbox, messages) = mpsc::channel(1);
        let driving: Driving = Box::pin(async move {
            for message in ["2", "3", "4"] {
                outbox.send(message.to_owned()).await.unwrap();
            }
            Reply::Http(http::Response::new(Bytes::from_static(b"5")))
        });
        let stream = EventStream::new(Some("1".into()), messages, driving, Some(Record::for_tests()));
        let body = stream.collect().await.unwrap().to_bytes();
        let wanted: String = ["1", "2", "3", "4", "5"].map(sse::event).concat();
        assert_eq!(body, wanted);
    }

    #[tokio::test]
    async fn a_reply_without_text_is_no_event() {
        let (outbox, messages) = mpsc::channel(1);
        let driving: Driving = Box::pin(async move {
            drop(outbox);
            Reply::Http(http::Response::new(Bytes::new()))
        });
        let stream = EventStream::new(Some("1".into()), messages, driving, Some(Record::for_tests()));
        assert!(!stream.is_end_stream());
        assert_eq!(stream.collect().await.unwrap().to_bytes(), sse::event("1"));
    }

    #[tokio::test]
    async fn a_silent_stream_says_that_it_is_alive() {
        let (outbox, messages) = mpsc::channel(1);
        let driving: Driving = Box::pin(async move {
            sleep(Duration::from_millis(1000)).await;
            drop(outbox);
            Reply::Http(http::Response::new(Bytes::from_static(b"5")))
        });
        // Opened for the silence before it, the stream says so at once.
        let mut stream = EventStream::new(None, messages, driving, Some(Record::for_tests()));
        stream.pause = Duration::from_millis(300);
        let body = stream.collect().await.unwrap().to_bytes();
        let alive = std::str::from_utf8(sse::COMMENT).unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.starts_with(&alive.repeat(2)) && text.ends_with(&sse::event("5")), "{text}");
    }
}
