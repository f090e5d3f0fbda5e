//! The component that queries through this host as an [`App`]: `--component housekey_hosted.wasm`.
//!
//! Core judges the head of a request here, outside of the sandbox, and what a guest is for is MCP and calls over REST:
//! signs of life and new tokens need a login or a key, which no guest has, and the schema the name of this server. A guest sees the message and what shapes its answer; it
//! sees neither the token nor where in the request that stood.

use housekey_core::exchange::Route;
use housekey_core::transport::headers::OF_MESSAGES;
use http::header::{HOST, HeaderValue};
use http::{Request, Uri, request};
use hyper::body::Incoming;

use super::answer::{Record, judge, respond, whole};
use super::{App, Body};
use crate::component::{Hosted, Means};
use crate::host::Native;

/// A component, and the host that authenticates and queries for it.
pub(crate) struct Lending {
    hosted: Hosted,
    native: Native,
}

impl Lending {
    /// Has the component answer MCP and calls over REST.
    pub(crate) fn new(hosted: Hosted, native: Native) -> Self {
        Self { hosted, native }
    }

    /// Has the log tell what is missing for people to be acted for.
    pub(super) fn begin_watch(&self) {
        self.native.watch().begin();
    }
}

impl App for Lending {
    async fn handle(&self, request: Request<Incoming>) -> http::Response<Body> {
        let (head, body) = request.into_parts();
        let mut record = Record::new(head.method.clone(), Route::parse(head.uri.path(), true));
        let admitted = match judge(&self.native, &head).await {
            Ok(admitted) => admitted,
            Err(answer) => return record.close(whole(answer)),
        };
        record.subject = admitted.subject().map(str::to_owned);
        let Some(bound) = admitted.bind() else { return respond(&self.native, admitted, body, record).await };
        let means = Means::lent(self.native.clone(), bound);
        record.close(
            self.hosted
                .handle(Request::from_parts(stripped(&head, admitted.bare_target()), body), means)
                .await,
        )
    }

    async fn finished(&self) {
        self.native.background().finished().await;
    }
}

/// The head of an admitted request without anything that proves who sent it, or says where to: only what core reads
/// to answer a message is left. What is not listed may be a secret.
fn stripped(head: &request::Parts, target: Uri) -> request::Parts {
    let (mut bare, ()) = Request::new(()).into_parts();
    bare.method = head.method.clone();
    bare.uri = target;
    for name in OF_MESSAGES {
        for value in head.headers.get_all(name) {
            bare.headers.append(name, value.clone());
        }
    }
    // A request has a host; this one's was judged by its true name.
    bare.headers.insert(HOST, HeaderValue::from_static("localhost"));
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_sees_no_credential() {
        let secret = "eyJhbGciOiJBMjU2S1ciLCJlbmMiOi.aaaa.bbbb.cccc.dddd";
        let (head, ()) = Request::post(format!("http://mcp.internal/{secret}/mcp?token={secret}"))
            .header("authorization", format!("Bearer {secret}"))
            .header("x-altinity-mcp-key", secret)
            .header("x-housekey-key", secret)
            .header("cookie", secret)
            .header("x-clickhouse-key", secret)
            .header("x-forwarded-for", "10.0.0.9")
            .header("host", "mcp.internal")
            .header("accept", "application/json")
            .header("accept", "text/event-stream")
            .header("content-type", "application/json")
            .header("origin", "http://localhost:1")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "execute_query")
            .body(())
            .unwrap()
            .into_parts();
        let bare = stripped(&head, Uri::from_static("/mcp"));
        let text = format!("{bare:?}");
        assert!(!text.contains("eyJ") && !text.contains("internal") && !text.contains("10.0.0.9"), "{text}");
        assert_eq!((bare.method.as_str(), bare.uri.to_string()), ("POST", "/mcp".to_owned()));
        assert_eq!(bare.headers.get_all("accept").iter().count(), 2);
        for name in ["content-type", "origin", "mcp-protocol-version", "mcp-method", "mcp-name"] {
            assert_eq!(bare.headers.get(name), head.headers.get(name), "{name}");
        }
    }
}
