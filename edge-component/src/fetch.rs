//! Documents from elsewhere.

use bytes::Bytes;
use housekey_core::fetch::{Document, FetchFailure, FetchRequest, NamedBy};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{Method, StatusCode};

use crate::outgoing::{Chunk, send};
use crate::trouble::Trouble;
use crate::world::Deadline;

/// Fetches a document, without following redirects.
///
/// A component cannot see the address that a name leads to, so what a stranger named is fetched from listed hosts
/// only.
pub(crate) fn fetch(wanted: &FetchRequest) -> Result<Document, FetchFailure> {
    if wanted.named_by == (NamedBy::Stranger { listed: false }) {
        return Err(FetchFailure::Forbidden);
    }
    let mut request =
        http::Request::builder().uri(&wanted.url).header("accept", "application/json, */*;q=0.1");
    if let Some(value) = &wanted.authorization {
        request = request.header(AUTHORIZATION, value.expose());
    }
    let request = match &wanted.form {
        None => request.method(Method::GET).body(Bytes::new()),
        Some(form) => request
            .method(Method::POST)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(form.expose().clone())),
    };
    let request = request.map_err(|_| FetchFailure::Unreachable)?;
    let seconds = wanted.deadline.as_secs().max(1);
    let deadline = Deadline::after_seconds(seconds);
    let mut answer = send(&request, seconds, &deadline, &mut || true).map_err(failure)?;
    if answer.head.status != StatusCode::OK && !wanted.any_status {
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
    let header = |name| Some(answer.head.headers.get(name)?.to_str().ok()?.to_owned());
    Ok(Document {
        status: answer.head.status.as_u16(),
        content_type: header(CONTENT_TYPE),
        cache_control: header(CACHE_CONTROL),
        body: body.into(),
    })
}

fn failure(trouble: Trouble) -> FetchFailure {
    match trouble {
        Trouble::Forbidden => FetchFailure::Forbidden,
        Trouble::TimedOut | Trouble::Unwanted => FetchFailure::TimedOut,
        Trouble::Malformed | Trouble::Unreachable(_) | Trouble::Broken(_) => FetchFailure::Unreachable,
    }
}
