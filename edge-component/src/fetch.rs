//! Documents from elsewhere.

use bytes::Bytes;
use housekey_core::exchange::{FetchFailure, FetchRequest, NamedBy};
use housekey_core::facts::Document;
use http::{Method, StatusCode};

use crate::outgoing::{Chunk, send};
use crate::trouble::Trouble;
use crate::world::Deadline;

/// Fetches a document, without following redirects.
///
/// A component cannot see the address that a name leads to, so what a stranger named is fetched from listed hosts
/// only, and there is no list yet.
pub(crate) fn fetch(wanted: &FetchRequest) -> Result<Document, FetchFailure> {
    if wanted.named_by == NamedBy::Stranger {
        return Err(FetchFailure::Forbidden);
    }
    let request = http::Request::builder()
        .method(Method::GET)
        .uri(&wanted.url)
        .header("accept", "application/json, */*;q=0.1")
        .body(Bytes::new())
        .map_err(|_| FetchFailure::Unreachable)?;
    let seconds = wanted.deadline.as_secs().max(1);
    let deadline = Deadline::after_seconds(seconds);
    let mut answer = send(&request, seconds, &deadline, &mut || true).map_err(failure)?;
    if answer.head.status != StatusCode::OK {
        return Err(FetchFailure::Status(answer.head.status.as_u16()));
    }
    let mut body = Vec::new();
    loop {
        match answer.read(&deadline, 1000).map_err(failure)? {
            Chunk::NotYet => {}
            Chunk::End => break,
            Chunk::Data(bytes) if body.len().saturating_add(bytes.len()) > wanted.max_bytes => {
                return Err(FetchFailure::TooLarge(wanted.max_bytes));
            }
            Chunk::Data(bytes) => body.extend_from_slice(&bytes),
        }
    }
    let content_type = answer.head.headers.get(http::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Document { content_type, body: body.into() })
}

fn failure(trouble: Trouble) -> FetchFailure {
    match trouble {
        Trouble::Forbidden => FetchFailure::Forbidden,
        Trouble::TimedOut | Trouble::Unwanted => FetchFailure::TimedOut,
        Trouble::Malformed | Trouble::Unreachable(_) | Trouble::Broken(_) => FetchFailure::Unreachable,
    }
}
