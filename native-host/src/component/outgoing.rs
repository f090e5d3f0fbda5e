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
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame};
use reqwest::Url;
use tokio::runtime::Handle;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::Outbound;
use super::outbound::{Denied, Way};
use crate::clickhouse::OutgoingClients;
use crate::probe::Watch;
use crate::resolver::ForbiddenAddress;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer's head may take when the guest sets no limit.
const FIRST_BYTE: Duration = Duration::from_secs(600);
/// How long the end of an abandoned query may take.
const CANCEL: Duration = Duration::from_secs(10);
/// A query younger than this may still be on its way when its end arrives, so that is asked for again.
const YOUNG: Duration = Duration::from_millis(500);
/// In which header ClickHouse says that it refuses a query, and why.
const EXCEPTION_CODE: &str = "x-clickhouse-exception-code";
/// Bytes that the body of a request may have: statements are shorter, and the guest has no more memory.
const LONGEST_BODY: usize = 64 << 20;

type SentAnswer = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

/// The way out, shared by all requests.
pub(crate) struct Outgoing {
    own: reqwest::Client,
    for_tokens: Option<ForTokens>,
    allowed: Outbound,
    watch: Option<Watch>,
}

/// Clients with nothing of the operator's. A connection to a server that the operator has named serves nobody else.
struct ForTokens {
    named: reqwest::Client,
    unnamed: reqwest::Client,
}

impl Outgoing {
    /// Sends by these clients what is allowed.
    pub(crate) fn new(clients: OutgoingClients, allowed: Outbound) -> reqwest::Result<Self> {
        // A redirect would lead past the list of hosts.
        let build = |client: reqwest::ClientBuilder| {
            client.redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT).build()
        };
        let OutgoingClients { own, named, unnamed } = clients;
        let for_tokens = if allowed.has_others() {
            Some(ForTokens { named: build(named)?, unnamed: build(unnamed)? })
        } else {
            // Reading the system's authorities takes a while, and nobody asks for them.
            None
        };
        Ok(Self { own: build(own)?, for_tokens, allowed, watch: None })
    }

    /// The same, where somebody has to hear of queries that the operator's server refuses.
    pub(crate) fn watched_by(self, watch: Option<Watch>) -> Self {
        Self { watch, ..self }
    }

    /// Who hears of them.
    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }

    /// Only the operator's server is the operator's to mend.
    fn report(&self, client: &reqwest::Client, headers: &HeaderMap) {
        let code = headers.get(EXCEPTION_CODE).and_then(|code| code.to_str().ok()?.parse().ok());
        if let (Some(watch), Some(code)) = (&self.watch, code)
            && std::ptr::eq(client, &raw const self.own)
        {
            watch.notice_code(code);
        }
    }

    /// The client for a URL, if it may be connected to.
    fn client(&self, to: &Url) -> Result<&reqwest::Client, Denied> {
        match (self.allowed.judge(to)?, &self.for_tokens) {
            (Way::Own, _) => Ok(&self.own),
            (Way::Named, Some(clients)) => Ok(&clients.named),
            (Way::Unnamed, Some(clients)) => Ok(&clients.unnamed),
            (Way::Named | Way::Unnamed, None) => Err(Denied::NotOwn),
        }
    }

    async fn send(&self, request: Request<WasiBody>, options: RequestOptions, life: Life) -> SentAnswer {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
        let client = self.client(&url).inspect_err(|denied| log_refusal(&url, denied))?;
        let body = Limited::new(body, LONGEST_BODY).collect().await.map_err(unread)?.to_bytes();
        let mut request = reqwest::Request::new(head.method, url.clone());
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
            if let Some(forbidden) = ForbiddenAddress::behind(&problem) {
                log_refusal(&url, forbidden);
                return Error::DestinationIpProhibited;
            }
            unsent(&problem)
        })?;
        let between = options.between_bytes_timeout.unwrap_or(FIRST_BYTE);
        self.report(client, answer.headers());
        let answer: Response<reqwest::Body> = answer.into();
        let answer = answer.map(|body| Received { body, abandoned, between, timer: None }.boxed_unsync());
        Ok((answer, Box::new(async { Ok(()) })))
    }
}

/// The way out of one request, if there is one.
pub(super) struct Hooks {
    outgoing: Option<Arc<Outgoing>>,
    life: Life,
}

impl Hooks {
    pub(super) fn new(outgoing: Option<Arc<Outgoing>>, life: Life) -> Self {
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
        let Some(outgoing) = self.outgoing.clone() else {
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        };
        let life = self.life.clone();
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
    let replaces = request.url().query_pairs().any(|(name, _)| name == REPLACE);
    if *request.method() != Method::POST || replaces {
        return None;
    }
    let query_id = query_id(request.url())?;
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

/// Tells the operator, who finds the query by its id.
fn log_refusal(to: &Url, why: &dyn std::fmt::Display) {
    let origin = to.origin().ascii_serialization();
    tracing::warn!(query_id = query_id(to), "the component may not connect to {origin}: {why}");
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotOwn | Denied::NotHost | Denied::NotListed => Self::HttpRequestDenied,
            Denied::Address(_) => Self::DestinationIpProhibited,
        }
    }
}

fn query_id(url: &Url) -> Option<String> {
    url.query_pairs().find(|(name, _)| name == "query_id").map(|(_, value)| value.into_owned())
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
    use housekey_core::config;

    use super::*;

    fn outgoing(port: u16, variables: &[(&str, &str)]) -> Outgoing {
        let port = port.to_string();
        let base = [
            ("MCP_TRANSPORT", "http"),
            ("CLICKHOUSE_HOST", "127.0.0.1"),
            ("CLICKHOUSE_PORT", &port),
            ("MCP_JWE_SECRET_KEY", "a secret key of some length, for tests"),
            ("MCP_JWT_SECRET_KEY", "another secret key of some length, for tests"),
        ];
        let environment = base.iter().chain(variables);
        let environment =
            environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sources = config::Sources { environment, ..config::Sources::default() };
        let loaded = config::load(config::Host::Native, &sources, &|_| Err(String::new()));
        let config = loaded.unwrap_or_else(|error| panic!("{error}")).config;
        let clients = OutgoingClients::new(&config.clickhouse.tls).unwrap();
        Outgoing::new(clients, Outbound::of(&config).unwrap()).unwrap()
    }

    const JWE: (&str, &str) = ("MCP_ALLOW_JWE_AUTH", "true");

    #[test]
    fn each_way_out_has_its_own_client() {
        let some = outgoing(8123, &[JWE, ("MCP_JWE_ALLOWED_HOSTS", "db.test,*.test")]);
        let none = outgoing(8123, &[]);
        let clients = some.for_tokens.as_ref().unwrap();
        for (to, client) in [
            ("http://127.0.0.1:8123/?query_id=1", Some(&some.own)),
            ("https://127.0.0.1:8123/", Some(&clients.named)),
            ("http://127.0.0.1:22/", None),
            ("http://db.test/", Some(&clients.named)),
            ("http://evil.test/", Some(&clients.unnamed)),
            ("http://example.com/", None),
        ] {
            let to = Url::parse(to).unwrap();
            let chosen = some.client(&to).ok().map(std::ptr::from_ref);
            assert_eq!(chosen, client.map(std::ptr::from_ref), "{to}");
            let own = std::ptr::eq(&raw const some.own, chosen.unwrap_or(std::ptr::null()));
            assert_eq!(none.client(&to).is_ok(), own, "{to}");
        }
    }

    #[tokio::test]
    async fn what_is_refused_is_never_connected_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let send = async |outgoing: &Outgoing, host: &str| {
            let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
            let to = format!("http://{host}:{port}/?query_id=q");
            let patience = Some(Duration::from_secs(10));
            let options = RequestOptions { first_byte_timeout: patience, ..RequestOptions::default() };
            let request = Request::post(to).body(body).unwrap();
            let sent = outgoing.send(request, options, Life::default()).await;
            sent.err().unwrap()
        };
        let elsewhere = port.wrapping_add(1).max(1);
        let (off, any) = (outgoing(elsewhere, &[]), outgoing(elsewhere, &[JWE]));
        let few = outgoing(elsewhere, &[JWE, ("MCP_JWE_ALLOWED_HOSTS", "*.test")]);
        let named = outgoing(elsewhere, &[JWE, ("MCP_JWE_ALLOWED_HOSTS", "*,localhost")]);
        for (outgoing, host, address) in [
            (&off, "127.0.0.1", false),
            (&off, "localhost", false),
            (&any, "127.0.0.1", true),
            (&any, "localhost", true),
            (&few, "localhost", false),
            (&named, "127.0.0.1", true),
        ] {
            let refused = send(outgoing, host).await;
            let prohibited = matches!(refused, Error::DestinationIpProhibited);
            let denied = matches!(refused, Error::HttpRequestDenied);
            assert_eq!((prohibited, denied), (address, !address), "{host}: {refused:?}");
        }
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        // Where it is named, somebody comes; here, he finds the door shut.
        listener.set_nonblocking(false).unwrap();
        let accepting = std::thread::spawn(move || listener.accept().map(drop));
        assert!(matches!(send(&named, "localhost").await, Error::ConnectionTerminated));
        accepting.join().unwrap().unwrap();
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
