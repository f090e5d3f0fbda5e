//! Requests to others, by `wasi:http`.

use bytes::Bytes;
use http::response::Parts;

use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use crate::bindings::wasi::io::streams::{InputStream, StreamError};
use crate::client::write_all;
use crate::convert;
use crate::trouble::Trouble;
use crate::world::{Deadline, Glance};

/// Bytes that are read at once.
const CHUNK: u64 = 64 * 1024;
/// Seconds that a connection may take to come about.
const CONNECT_SECONDS: u64 = 10;

/// What a look at an answer's body gave.
pub(crate) enum Chunk {
    /// Bytes.
    Data(Vec<u8>),
    /// Nothing within the time given.
    NotYet,
    /// The body is complete.
    End,
}

/// An answer whose head has come. The fields are ordered so that children go before their parents.
pub(crate) struct Answer {
    pub(crate) head: Parts,
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
}

/// Sends a request and waits for the head of its answer. Dropping the answer drops the connection.
pub(crate) fn send(
    request: &http::Request<Bytes>,
    seconds: u64,
    deadline: &Deadline,
    still_wanted: &mut dyn FnMut() -> bool,
) -> Result<Answer, Trouble> {
    let outgoing = outgoing(request).ok_or(Trouble::Malformed)?;
    let body = outgoing.body().map_err(|()| Trouble::Malformed)?;
    let future = outgoing_handler::handle(outgoing, Some(options(seconds))).map_err(trouble)?;
    // Some runtimes begin to connect only now, and take more of the body as it travels.
    if let Ok(stream) = body.write() {
        // A connection that fails meanwhile is reported by the future.
        let written = write_all(&stream, request.body(), deadline);
        drop(stream);
        if written.is_ok() {
            OutgoingBody::finish(body, None).map_err(trouble)?;
        }
    }
    let response = wait(&future, deadline, still_wanted)?;
    let fields = response.headers();
    let head = convert::response_head(response.status(), fields.entries());
    drop(fields);
    let head = head.map_err(|bad| Trouble::Broken(bad.0.into()))?;
    let body = response.consume().map_err(|()| Trouble::Broken("the answer has no body".into()))?;
    let stream = body.stream().map_err(|()| Trouble::Broken("the answer has no body".into()))?;
    Ok(Answer { head, stream, _body: body, _response: response })
}

impl Answer {
    /// The next bytes of the body, after at most so many milliseconds.
    pub(crate) fn read(&mut self, deadline: &Deadline, milliseconds: u64) -> Result<Chunk, Trouble> {
        let readable = self.stream.subscribe();
        let glance = deadline.glance_at(&readable, milliseconds);
        drop(readable);
        match glance {
            Glance::Over => Err(Trouble::TimedOut),
            Glance::NotYet => Ok(Chunk::NotYet),
            Glance::Ready => match self.stream.read(CHUNK) {
                Ok(bytes) if bytes.is_empty() => Ok(Chunk::NotYet),
                Ok(bytes) => Ok(Chunk::Data(bytes)),
                Err(StreamError::Closed) => Ok(Chunk::End),
                Err(StreamError::LastOperationFailed(error)) => Err(Trouble::Broken(error.to_debug_string())),
            },
        }
    }
}

/// Milliseconds between two questions whether the answer is still wanted.
const TICK: u64 = crate::client::TICK;

fn wait(
    future: &FutureIncomingResponse,
    deadline: &Deadline,
    still_wanted: &mut dyn FnMut() -> bool,
) -> Result<IncomingResponse, Trouble> {
    loop {
        let ready = future.subscribe();
        let glance = deadline.glance_at(&ready, TICK);
        drop(ready);
        match glance {
            Glance::Over => return Err(Trouble::TimedOut),
            Glance::NotYet if !still_wanted() => return Err(Trouble::Unwanted),
            Glance::NotYet => {}
            Glance::Ready => match future.get() {
                Some(Ok(answer)) => return answer.map_err(trouble),
                Some(Err(())) => return Err(Trouble::Broken("the answer was taken already".into())),
                None => {}
            },
        }
    }
}

fn outgoing(request: &http::Request<Bytes>) -> Option<OutgoingRequest> {
    let uri = request.uri();
    let length = (!request.body().is_empty()).then_some(request.body().len());
    let fields = Fields::from_list(&convert::fields(request.headers(), length)).ok()?;
    let outgoing = OutgoingRequest::new(fields);
    let method = match request.method().as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    let scheme = match uri.scheme_str()? {
        "https" => Scheme::Https,
        _ => Scheme::Http,
    };
    outgoing.set_method(&method).ok()?;
    outgoing.set_scheme(Some(&scheme)).ok()?;
    outgoing.set_authority(Some(uri.authority()?.as_str())).ok()?;
    outgoing.set_path_with_query(uri.path_and_query().map(http::uri::PathAndQuery::as_str)).ok()?;
    Some(outgoing)
}

/// Timeouts for the runtime, which may be stricter by itself; one that knows none of them is held by the deadline.
fn options(seconds: u64) -> RequestOptions {
    const SECOND: u64 = 1_000_000_000;
    let options = RequestOptions::new();
    let whole = Some(seconds.saturating_mul(SECOND));
    let _ = options.set_connect_timeout(Some(seconds.min(CONNECT_SECONDS).saturating_mul(SECOND)));
    let _ = options.set_first_byte_timeout(whole);
    let _ = options.set_between_bytes_timeout(whole);
    options
}

fn trouble(code: ErrorCode) -> Trouble {
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => Trouble::Forbidden,
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => Trouble::TimedOut,
        ErrorCode::ConnectionTerminated
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseIncomplete
        | ErrorCode::HttpProtocolError => Trouble::Broken(code.to_string()),
        other => Trouble::Unreachable(other.to_string()),
    }
}
