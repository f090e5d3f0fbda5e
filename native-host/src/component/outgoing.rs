//! What a guest asks of others: over pooled connections, to allowed hosts, and ended when its client leaves.
//!
//! What a guest leaves behind is ended by [`super::abandoned`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame};
use reqwest::Url;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::Outbound;
use super::abandoned::{Abandoned, Life, query_id};
use super::outbound::{Denied, Way};
use crate::clickhouse::OutgoingClients;
use crate::probe::Watch;
use crate::resolver::ForbiddenAddress;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer's head may take when the guest sets no limit.
const FIRST_BYTE: Duration = Duration::from_secs(600);
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
    public: reqwest::Client,
}

impl Outgoing {
    /// Sends by these clients what is allowed.
    pub(crate) fn new(clients: OutgoingClients, allowed: Outbound) -> reqwest::Result<Self> {
        // A redirect would lead past the list of hosts.
        let build = |client: reqwest::ClientBuilder| {
            client.redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT).build()
        };
        let OutgoingClients { own, named, unnamed, public } = clients;
        let for_tokens = if allowed.has_others() {
            Some(ForTokens { named: build(named)?, unnamed: build(unnamed)?, public: build(public)? })
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
            (Way::Public, Some(clients)) => Ok(&clients.public),
            (Way::Named | Way::Unnamed | Way::Public, None) => Err(Denied::NotOwn),
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
}
