//! One request: a store, a guest that runs in its own task, and the answer that keeps it alive.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::abandoned::Life;
use super::engine::Hosted;
use super::means::Means;
use super::store::{State, fresh};

/// The answer to a request, whose body may be a stream.
pub type Answer = Response<BoxBody<Bytes, io::Error>>;

impl Hosted {
    /// Answers a request with a fresh instance. Dropping the future, or the answer before its end, aborts the guest
    /// and what it has asked for.
    pub async fn handle(&self, request: Request<Incoming>, means: Means) -> Answer {
        let turn = match tokio::time::timeout(self.limits.time, Arc::clone(&self.turns).acquire_owned()).await
        {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("the component is busy: all {} instances are taken", self.limits.concurrent);
                return failed(StatusCode::SERVICE_UNAVAILABLE, "the server is busy");
            }
        };
        let life = Life::default();
        let (answer, answered) = oneshot::channel();
        let mut store = fresh(self, means, life.clone());
        let mut http = store.data_mut().http();
        // Whether the client came over TLS is not known here, and nothing depends on it.
        let prepared = http
            .new_incoming_request(Scheme::Http, request)
            .and_then(|request| Ok((request, http.new_response_outparam(answer)?)));
        let (incoming, out) = match prepared {
            Ok(prepared) => prepared,
            // A request without a Host, say.
            Err(problem) => {
                tracing::debug!("a request cannot be handed to the component: {problem:#}");
                return failed(StatusCode::BAD_REQUEST, "the request is malformed");
            }
        };
        let guest = Guest::start(self.pre.clone(), store, incoming, out, life, self.limits.time, turn);
        match answered.await {
            Ok(Ok(response)) => guest.answer(response),
            Ok(Err(code)) => {
                tracing::error!("the component gave up: {code}");
                failed(StatusCode::INTERNAL_SERVER_ERROR, "the component failed")
            }
            // The sender went with the store, so the guest has ended.
            Err(_) => guest.explain().await,
        }
    }
}

/// How a guest ended.
enum End {
    Returned,
    Trapped,
    TimedOut,
}

/// A guest at work. Dropping it aborts it.
struct Guest {
    task: Option<JoinHandle<End>>,
    life: Life,
}

impl Guest {
    #[allow(clippy::too_many_arguments, reason = "they are the parts of one call")]
    fn start(
        pre: ProxyPre<State>,
        mut store: wasmtime::Store<State>,
        incoming: wasmtime::component::Resource<wasmtime_wasi_http::p2::types::HostIncomingRequest>,
        out: wasmtime::component::Resource<wasmtime_wasi_http::p2::types::HostResponseOutparam>,
        life: Life,
        time: Duration,
        turn: OwnedSemaphorePermit,
    ) -> Self {
        let ending = life.clone();
        let task = tokio::spawn(async move {
            let run = async {
                let proxy = pre.instantiate_async(&mut store).await?;
                proxy.wasi_http_incoming_handler().call_handle(&mut store, incoming, out).await
            };
            let end = match tokio::time::timeout(time, run).await {
                Ok(Ok(())) => End::Returned,
                Ok(Err(problem)) => {
                    tracing::error!("the component trapped: {problem:?}");
                    End::Trapped
                }
                Err(_) => {
                    tracing::error!("the component was stopped after {} seconds", time.as_secs());
                    End::TimedOut
                }
            };
            // What the store still holds when it goes, nobody will read.
            ending.end();
            drop(store);
            drop(turn);
            end
        });
        Self { task: Some(task), life }
    }

    fn answer(self, response: Response<HyperOutgoingBody>) -> Answer {
        let left =
            response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        response.map(|body| BodyExt::boxed(Streamed { body: Mutex::new(body), left, guest: Some(self) }))
    }

    async fn explain(mut self) -> Answer {
        let end = match self.task.take() {
            Some(task) => task.await.unwrap_or(End::Trapped),
            None => End::Returned,
        };
        match end {
            End::TimedOut => failed(StatusCode::GATEWAY_TIMEOUT, "the component took too long"),
            End::Trapped => failed(StatusCode::INTERNAL_SERVER_ERROR, "the component failed"),
            End::Returned => {
                tracing::error!("the component returned without an answer");
                failed(StatusCode::INTERNAL_SERVER_ERROR, "the component failed")
            }
        }
    }

    /// Lets the guest run on alone, within its time.
    fn release(mut self) {
        self.task = None;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.life.end();
            task.abort();
        }
    }
}

/// The body of an answer. When it is complete, the guest may finish its work; when it is dropped before, it may not.
struct Streamed {
    /// A lock that is never taken: it makes the body shareable in name, as [`BoxBody`] asks.
    body: Mutex<HyperOutgoingBody>,
    /// Bytes that are still to come, where the head told.
    left: Option<u64>,
    guest: Option<Guest>,
}

impl Streamed {
    fn complete(&mut self) {
        if let Some(guest) = self.guest.take() {
            guest.release();
        }
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        match Pin::new(body).poll_frame(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.complete();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(problem))) => Poll::Ready(Some(Err(io::Error::other(problem)))),
            Poll::Ready(Some(Ok(frame))) => {
                let read = frame.data_ref().and_then(|data| u64::try_from(data.len()).ok()).unwrap_or(0);
                self.left = self.left.map(|left| left.saturating_sub(read));
                // hyper does not ask for an end that it can compute.
                if self.left == Some(0) {
                    self.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn failed(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::from(format!("{text}\n")).map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
