//! The way back to the client: one answer, or an event stream that ends with it.
//!
//! What `wasi:http` lets a component notice of a client that leaves: nothing before the answer has begun, and after
//! that a stream that no longer takes bytes. So an answer that takes longer than [`PATIENCE`] becomes a stream, as MCP
//! lets any answer be, and the query of a client that has left by then, or leaves later, is cancelled within
//! [`TICK`]. Only a client that does not take streams is never missed on stock runtimes: its query runs to its end or
//! its limits. Hosts that drop the instance with its connection, as Housekey's own does, cancel in every case.

use bytes::Bytes;
use housekey_core::transport::sse;
use http::{HeaderMap, Response, StatusCode};

use crate::bindings::wasi::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use crate::bindings::wasi::io::streams::OutputStream;
use crate::convert;
use crate::world::Deadline;

/// Milliseconds between two looks at whether a client with an open stream is still there.
pub(crate) const TICK: u64 = 250;
/// Milliseconds after which an answer that is still awaited becomes a stream.
pub(crate) const PATIENCE: u64 = 2000;
/// Milliseconds after which a silent stream says that it is alive.
const KEEP_ALIVE: u64 = 15_000;
/// Seconds for which a client may take no byte before it counts as gone.
const LONGEST_PAUSE: u64 = 60;
/// A comment (HTML Living Standard, server-sent events, section 9.2.6): parsers pass over it.
const COMMENT: &[u8] = b": working\n\n";

/// The client has closed the connection.
#[derive(Debug)]
pub(crate) struct Gone;

/// Where the answer goes.
pub(crate) struct Client {
    way: Way,
    stream_head: Option<Response<()>>,
    /// Since when nothing was sent.
    silent: Deadline,
}

enum Way {
    /// Nothing has been sent.
    Waiting(ResponseOutparam),
    /// An event stream is open.
    Streaming(Body),
    /// A stream that failed.
    Failed,
}

/// A body being written. The stream is a child of the body and has to go first.
struct Body {
    stream: OutputStream,
    body: OutgoingBody,
}

impl Client {
    /// A client that has heard nothing yet.
    pub(crate) fn new(out: ResponseOutparam) -> Self {
        Self { way: Way::Waiting(out), stream_head: None, silent: Deadline::after_millis(KEEP_ALIVE) }
    }

    /// From now on its answer may be a stream with this head, if there is one.
    pub(crate) fn allow_stream(&mut self, head: Option<Response<()>>) {
        self.stream_head = head;
    }

    /// Sends a message ahead of the answer, as an event of a stream that the first one opens.
    pub(crate) fn send(&mut self, message: &str) -> Result<(), Gone> {
        self.send_bytes(sse::event(message).as_bytes())
    }

    /// Opens the stream for an answer that takes its time, and says whether the client is still there.
    pub(crate) fn keep_waiting(&mut self) -> Result<(), Gone> {
        match &self.way {
            Way::Waiting(_) if self.stream_head.is_some() => self.send_bytes(COMMENT),
            Way::Waiting(_) => Ok(()),
            // Proxies take a stream for dead that is silent for long.
            Way::Streaming(_) if self.silent.is_over() => self.send_bytes(COMMENT),
            Way::Streaming(_) | Way::Failed => self.is_there(),
        }
    }

    /// Whether the client is not known to have left.
    pub(crate) fn is_there(&self) -> Result<(), Gone> {
        match &self.way {
            Way::Waiting(_) => Ok(()),
            Way::Streaming(body) => body.stream.check_write().map(|_| ()).map_err(|_| Gone),
            Way::Failed => Err(Gone),
        }
    }

    fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let body = match std::mem::replace(&mut self.way, Way::Failed) {
            Way::Failed => return Err(Gone),
            Way::Streaming(body) => body,
            Way::Waiting(out) => {
                // Without leave to stream core sends nothing ahead; should it, the answer's end is all there is.
                let Some(head) = self.stream_head.take() else {
                    self.way = Way::Waiting(out);
                    return Ok(());
                };
                let (head, ()) = head.into_parts();
                open(out, head.status, &head.headers, None).ok_or(Gone)?
            }
        };
        body.write(bytes)?;
        body.flush()?;
        self.silent = Deadline::after_millis(KEEP_ALIVE);
        self.way = Way::Streaming(body);
        Ok(())
    }

    /// Ends the exchange. Nobody is left to hear of a failure.
    pub(crate) fn reply(self, answer: Response<Bytes>) {
        let (head, content) = answer.into_parts();
        let body = match self.way {
            Way::Failed => None,
            Way::Waiting(out) => {
                let length = convert::has_body(head.status).then_some(content.len());
                open(out, head.status, &head.headers, length)
                    .filter(|body| content.is_empty() || body.write(&content).is_ok())
            }
            // The status is long gone; the text says what happened in any case.
            Way::Streaming(body) => {
                let text = String::from_utf8_lossy(&content);
                Some(body).filter(|body| text.is_empty() || body.write(sse::event(&text).as_bytes()).is_ok())
            }
        };
        if let Some(body) = body {
            body.finish();
        }
    }
}

impl Body {
    /// Writes all of it, in portions that the runtime takes.
    fn write(&self, bytes: &[u8]) -> Result<(), Gone> {
        write_all(&self.stream, bytes, &Deadline::after_seconds(LONGEST_PAUSE))
    }

    fn flush(&self) -> Result<(), Gone> {
        self.stream.flush().map_err(|_| Gone)
    }

    fn finish(self) {
        let Self { stream, body } = self;
        drop(stream);
        // It fails when the client is gone or a length was announced and not kept; there is nobody to tell.
        drop(OutgoingBody::finish(body, None));
    }
}

/// Writes all of it before the deadline, in portions that the runtime takes.
pub(crate) fn write_all(stream: &OutputStream, mut bytes: &[u8], deadline: &Deadline) -> Result<(), Gone> {
    while !bytes.is_empty() {
        let room = usize::try_from(stream.check_write().map_err(|_| Gone)?).unwrap_or(usize::MAX);
        let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        if now.is_empty() {
            if !deadline.wait_for(&stream.subscribe()) {
                return Err(Gone);
            }
            continue;
        }
        stream.write(now).map_err(|_| Gone)?;
        bytes = later;
    }
    Ok(())
}

/// Begins an answer; `None` when the runtime refuses it, which it then has to explain itself.
fn open(
    out: ResponseOutparam,
    status: StatusCode,
    headers: &HeaderMap,
    length: Option<usize>,
) -> Option<Body> {
    // Core's heads hold nothing that a runtime forbids; should one do so all the same, the answer goes without.
    let fields = Fields::from_list(&convert::fields(headers, length)).unwrap_or_else(|_| Fields::new());
    let response = OutgoingResponse::new(fields);
    let body = response.set_status_code(status.as_u16()).and_then(|()| response.body());
    // The stream is taken before the answer is handed over, as the runtimes' own examples do.
    let opened = body.ok().and_then(|body| Some(Body { stream: body.write().ok()?, body }));
    ResponseOutparam::set(out, Ok(response));
    opened
}
