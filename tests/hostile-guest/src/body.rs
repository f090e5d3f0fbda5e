//! The bodies of a request and its answer.

use crate::bindings::wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

/// What a stream takes at once.
const PORTION: usize = 4096;

/// The whole body; empty when there is none.
pub(crate) fn read(request: &IncomingRequest) -> Vec<u8> {
    let mut whole = Vec::new();
    let Ok(incoming) = request.consume() else { return whole };
    let Ok(stream) = incoming.stream() else { return whole };
    while let Ok(bytes) = stream.blocking_read(64 << 10) {
        whole.extend_from_slice(&bytes);
    }
    whole
}

/// Answers with these bytes. Nobody is left to hear of a failure.
pub(crate) fn answer(out: ResponseOutparam, bytes: &[u8]) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body();
    ResponseOutparam::set(out, Ok(response));
    let Ok(body) = body else { return };
    if let Ok(stream) = body.write() {
        let _ = bytes.chunks(PORTION).try_for_each(|portion| stream.blocking_write_and_flush(portion));
    }
    let _ = OutgoingBody::finish(body, None);
}
