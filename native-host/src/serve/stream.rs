//! A stream of server-sent events that drives its own request: who drops the stream stops the request.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use housekey_core::exchange::Reply;
use housekey_core::transport::sse;
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::answer::Record;

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
}

impl EventStream {
    pub(super) fn new(
        first: String,
        messages: mpsc::Receiver<String>,
        driving: Driving,
        record: Record,
    ) -> Self {
        let driving = Mutex::new(Some(driving));
        Self { first: Some(first), messages, driving, last: None, record: Some(record) }
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
        self.next(context).map(|event| event.map(|text| Ok(Frame::data(Bytes::from(text)))))
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
        let stream = EventStream::new("1".into(), messages, driving, Record::for_tests());
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
        let stream = EventStream::new("1".into(), messages, driving, Record::for_tests());
        assert!(!stream.is_end_stream());
        assert_eq!(stream.collect().await.unwrap().to_bytes(), sse::event("1"));
    }
}
