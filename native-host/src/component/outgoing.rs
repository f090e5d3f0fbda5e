//! What a guest asks of others: over pooled connections, to allowed hosts, and ended when its client leaves.
//!
//! ClickHouse ends a plain read by itself when its connection closes. It does not end one that runs inside
//! `EXECUTE AS`, so the host remembers, for each query under way, its `query_id` and the headers that logged in, and
//! asks the server in the guest's place to replace it by `SELECT 1`. A query that the guest itself gave up is the
//! guest's to end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame};
use reqwest::Url;
use tokio::runtime::Handle;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::Outbound;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer's head may take when the guest sets no limit.
const FIRST_BYTE: Duration = Duration::from_secs(600);
/// How long the end of an abandoned query may take.
const CANCEL: Duration = Duration::from_secs(10);
/// A query younger than this may still be on its way when its end arrives, so that is asked for again.
const YOUNG: Duration = Duration::from_millis(500);
/// Bytes that the body of a request may have: statements are shorter, and the guest has no more memory.
const LONGEST_BODY: usize = 64 << 20;

type SentAnswer = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

/// The way out, shared by all requests.
pub(super) struct Outgoing {
    own: reqwest::Client,
    others: Option<reqwest::Client>,
    allowed: Outbound,
}

impl Outgoing {
    pub(super) fn new(
        own: reqwest::ClientBuilder,
        others: reqwest::ClientBuilder,
        allowed: Outbound,
    ) -> reqwest::Result<Self> {
        // A redirect would lead past the list of hosts.
        let build = |client: reqwest::ClientBuilder| {
            client.redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT).build()
        };
        let others = match &allowed {
            // Reading the system's authorities takes a while, and nobody asks for them.
            Outbound::Only(_) => None,
            Outbound::OwnAndOthers(_) => Some(build(others)?),
        };
        Ok(Self { own: build(own)?, others, allowed })
    }

    /// The client for an address, if it is allowed.
    fn client(&self, to: &Uri) -> Option<&reqwest::Client> {
        let is_own = |own: &[String]| origin(to).is_some_and(|origin| own.contains(&origin));
        match &self.allowed {
            Outbound::Only(own) | Outbound::OwnAndOthers(own) if is_own(own) => Some(&self.own),
            Outbound::Only(_) | Outbound::OwnAndOthers(_) => self.others.as_ref(),
        }
    }

    async fn send(&self, request: Request<WasiBody>, options: RequestOptions, life: Life) -> SentAnswer {
        let (head, body) = request.into_parts();
        let Some(client) = self.client(&head.uri) else {
            let to = head.uri.authority().map_or("", |to| to.as_str());
            tracing::warn!("the component may not connect to {to}");
            return Err(Error::HttpRequestDenied);
        };
        let url = Url::parse(&head.uri.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
        let body = Limited::new(body, LONGEST_BODY).collect().await.map_err(unread)?.to_bytes();
        let mut request = reqwest::Request::new(head.method, url);
        *request.headers_mut() = head.headers;
        for name in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING] {
            request.headers_mut().remove(name);
        }
        let mut abandoned = Abandoned::watch(client, &request, life);
        if !body.is_empty() {
            *request.body_mut() = Some(body.into());
        }
        let patience = options.first_byte_timeout.unwrap_or(FIRST_BYTE);
        let sent = tokio::time::timeout(patience, client.execute(request)).await;
        let answer = sent.map_err(|_| Error::ConnectionReadTimeout)?.map_err(|problem| {
            // What never arrived does not run.
            if problem.is_connect() {
                abandoned.query = None;
            }
            unsent(&problem)
        })?;
        let between = options.between_bytes_timeout.unwrap_or(FIRST_BYTE);
        let answer: Response<reqwest::Body> = answer.into();
        let answer = answer.map(|body| Received { body, abandoned, between, timer: None }.boxed_unsync());
        Ok((answer, Box::new(async { Ok(()) })))
    }
}

/// The way out of one request.
pub(super) struct Hooks {
    outgoing: Arc<Outgoing>,
    life: Life,
}

impl Hooks {
    pub(super) fn new(outgoing: Arc<Outgoing>, life: Life) -> Self {
        Self { outgoing, life }
    }
}

impl WasiHttpHooks for Hooks {
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = SentAnswer> + Send> {
        let (outgoing, life) = (Arc::clone(&self.outgoing), self.life.clone());
        Box::new(async move { outgoing.send(request, options.unwrap_or_default(), life).await })
    }
}

/// Whether a guest still runs. What it drops while it runs, it meant to drop.
#[derive(Clone, Default)]
pub(super) struct Life(Arc<AtomicBool>);

impl Life {
    /// The guest runs no more.
    pub(super) fn end(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Ends a query whose guest has gone, when dropped.
struct Abandoned {
    query: Option<RunningQuery>,
    life: Life,
}

struct RunningQuery {
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    query_id: String,
    begun: Instant,
    runtime: Handle,
}

impl RunningQuery {
    async fn end(&self) {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone());
        let query_id = &self.query_id;
        match request.body("SELECT 1").timeout(CANCEL).send().await {
            Ok(answer) if answer.status().is_success() => {
                tracing::debug!(query_id, "the query was cancelled")
            }
            Ok(answer) => tracing::warn!(query_id, "the query may still run: status {}", answer.status()),
            Err(problem) => tracing::warn!(query_id, "the query may still run: {}", problem.without_url()),
        }
    }
}

impl Abandoned {
    fn watch(client: &reqwest::Client, request: &reqwest::Request, life: Life) -> Self {
        let query = replacement(request).map(|(url, query_id)| {
            let mut headers = request.headers().clone();
            for name in [CONTENT_TYPE, CONTENT_ENCODING] {
                headers.remove(name);
            }
            RunningQuery {
                client: client.clone(),
                url,
                headers,
                query_id,
                begun: Instant::now(),
                runtime: Handle::current(),
            }
        });
        Self { query, life }
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        let Some(query) = self.query.take().filter(|_| self.life.is_over()) else { return };
        query.runtime.clone().spawn(async move {
            let young = query.begun.elapsed() < YOUNG;
            query.end().await;
            if young {
                tokio::time::sleep(YOUNG).await;
                query.end().await;
            }
        });
    }
}

/// Where to send what replaces this query, and its id; `None` when it is no query, or a replacement itself.
fn replacement(request: &reqwest::Request) -> Option<(Url, String)> {
    const REPLACE: &str = "replace_running_query";
    let find =
        |wanted: &str| request.url().query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value);
    if *request.method() != Method::POST || find(REPLACE).is_some() {
        return None;
    }
    let query_id = find("query_id")?.into_owned();
    let mut url = request.url().clone();
    url.query_pairs_mut().clear().append_pair("query_id", &query_id).append_pair(REPLACE, "1");
    Some((url, query_id))
}

/// An answer's body, which must not pause for too long.
struct Received {
    body: reqwest::Body,
    abandoned: Abandoned,
    between: Duration,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(None) => {
                self.abandoned.query = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(frame)) => {
                self.timer = None;
                Poll::Ready(Some(frame.map_err(|problem| unsent(&problem))))
            }
            Poll::Pending => {
                let between = self.between;
                let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(between)));
                timer.as_mut().poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }
}

/// `scheme://host:port` in lower case, with the scheme's own port where none is given.
fn origin(uri: &Uri) -> Option<String> {
    let scheme = uri.scheme_str()?;
    let port = uri.port_u16().or(match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })?;
    Some(format!("{scheme}://{}:{port}", uri.host()?).to_ascii_lowercase())
}

fn unread(problem: Box<dyn std::error::Error + Send + Sync>) -> Error {
    if problem.is::<LengthLimitError>() {
        return Error::HttpRequestBodySize(None);
    }
    problem.downcast::<Error>().map_or(Error::ConnectionTerminated, |known| *known)
}

fn unsent(problem: &reqwest::Error) -> Error {
    if problem.is_timeout() {
        Error::ConnectionTimeout
    } else if problem.is_connect() {
        Error::ConnectionRefused
    } else {
        Error::ConnectionTerminated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_origins_are_allowed_and_get_what_is_the_operators() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let own = vec!["https://db.example.com:8443".to_owned(), "http://[::1]:80".to_owned()];
        let builder = reqwest::Client::builder;
        let outgoing = |allowed| Outgoing::new(builder(), builder(), allowed).unwrap();
        let (only, any) = (outgoing(Outbound::Only(own.clone())), outgoing(Outbound::OwnAndOthers(own)));
        for (to, is_own) in [
            ("https://db.example.com:8443/?query_id=1", true),
            ("https://DB.example.com:8443/", true),
            ("https://db.example.com/", false),
            ("http://db.example.com:8443/", false),
            ("https://db.example.com.evil.test:8443/", false),
            ("http://[::1]/", true),
            ("http://169.254.169.254/", false),
        ] {
            let to: Uri = to.parse().unwrap();
            assert_eq!(only.client(&to).is_some(), is_own, "{to}");
            assert_eq!(std::ptr::eq(any.client(&to).unwrap(), &raw const any.own), is_own, "{to}");
        }
    }

    #[test]
    fn a_query_is_replaced_and_a_replacement_is_not() {
        let request = |method, url: &str| reqwest::Request::new(method, Url::parse(url).unwrap());
        let query = request(Method::POST, "http://db:8123/?database=x&query_id=a%20b&readonly=2");
        let (url, id) = replacement(&query).unwrap();
        assert_eq!(
            (url.as_str(), id.as_str()),
            ("http://db:8123/?query_id=a+b&replace_running_query=1", "a b")
        );
        for other in [
            request(Method::GET, "http://db:8123/?query_id=1"),
            request(Method::POST, "http://db:8123/?database=x"),
            request(Method::POST, url.as_str()),
        ] {
            assert!(replacement(&other).is_none(), "{}", other.url());
        }
    }
}
