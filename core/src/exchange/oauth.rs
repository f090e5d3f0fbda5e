//! OAuth in an exchange: its endpoints, and the bearer tokens of all others.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Response};

use super::admit::{Judged, Purpose, Unsettled};
use super::failure::{Failure, Refusal};
use super::route::Route;
use super::service::Service;
use super::step::{AwaitFetch, Reply, Step, Waiting};
use crate::env::Env;
use crate::fetch::{Document, FetchFailure};
use crate::identity::{BearerError, Caller};
use crate::jose::claims::Claims;
use crate::oauth::bearer::{self, Proved, TokenRefusal, Unproved};
use crate::oauth::{Endpoint, Lack, Request, Server, Site, Turn, Visit, json_answer, metadata};
use crate::transport::headers::check_length;

/// Bytes that the body of a request to an endpoint may have.
pub(super) const MAX_BODY: usize = 64 << 10;

/// Where a client whose token is missing or not good finds out how to get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The URL of the protected resource's metadata (RFC 9728 section 5.1).
    pub resource_metadata: String,
    /// The scopes that a token needs, separated by blanks.
    pub scope: String,
}

/// What is wrong with a request for want of an OAuth token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OAuthTrouble {
    /// There is no token.
    Missing,
    /// There are two, or one that is no text.
    Malformed(&'static str),
    /// It is not let in.
    Refused(TokenRefusal),
    /// Whether it may be let in cannot be found out now. The text is for the operator.
    Unavailable(String),
}

impl OAuthTrouble {
    /// What the operator is told beyond what the client is.
    pub(super) fn detail(&self) -> Option<String> {
        match self {
            Self::Missing | Self::Malformed(_) => None,
            Self::Unavailable(reason) => Some(reason.clone()),
            Self::Refused(refusal) => {
                let detail = std::error::Error::source(refusal)?;
                Some(format!("{refusal}: {detail}"))
            }
        }
    }
}

/// A request to an endpoint that waits for something from elsewhere.
pub(super) struct Errand {
    service: Arc<Service>,
    visit: Box<Visit>,
    is_open: bool,
}

impl Errand {
    /// Goes on with what was fetched.
    pub(super) fn resume(self, env: &mut Env<'_>, fetched: Result<Document, FetchFailure>) -> Step {
        let Self { service, visit, is_open } = self;
        match &service.oauth {
            Some(server) => {
                let turn = visit.resume(env, server, fetched);
                step(&service, turn, is_open)
            }
            None => Step::Done(Reply::Http(Response::default())),
        }
    }
}

/// Judges the head of a request to an endpoint. Metadata needs nothing more than that.
pub(super) fn judge(server: &Server, head: &Parts, endpoint: Endpoint) -> Result<Judged, Failure> {
    let config = &server.config;
    let site = Site::of(config, &server.oauth, head);
    let reads = matches!(head.method, Method::GET | Method::HEAD);
    let document = match &endpoint {
        Endpoint::ResourceMetadata(place) => Some(metadata::resource_metadata(server, &site, place)),
        Endpoint::ServerMetadata | Endpoint::OpenIdConfiguration => {
            let as_openid = endpoint == Endpoint::OpenIdConfiguration;
            server.facade().map(|(facade, _)| metadata::server_metadata(server, facade, &site, as_openid))
        }
        Endpoint::Jwks => Some(r#"{"keys":[]}"#.to_owned()),
        Endpoint::Register | Endpoint::Authorize | Endpoint::Callback | Endpoint::Token => None,
    };
    if let Some(text) = document {
        if !reads {
            return Err(Failure::Method { allow: "GET" });
        }
        let mut answer = json_answer(http::StatusCode::OK, text);
        // It depends on the name by which the server was reached, and on its configuration.
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
        open(answer.headers_mut());
        return Ok(Judged::Answer(answer));
    }
    let (allow, fits) = match endpoint {
        Endpoint::Register | Endpoint::Token => ("POST", head.method == Method::POST),
        Endpoint::Callback => ("GET", head.method == Method::GET),
        Endpoint::Authorize
        | Endpoint::ResourceMetadata(_)
        | Endpoint::ServerMetadata
        | Endpoint::OpenIdConfiguration
        | Endpoint::Jwks => ("GET, POST", matches!(head.method, Method::GET | Method::POST)),
    };
    if !fits {
        return Err(Failure::Method { allow });
    }
    check_length(&head.headers, MAX_BODY).map_err(Failure::Head)?;
    let request = Request {
        endpoint,
        site,
        method: head.method.clone(),
        headers: head.headers.clone(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: Bytes::new(),
    };
    Ok(Judged::Read(Route::OAuth, Purpose::OAuth(Box::new(request))))
}

/// Whether pages of any origin may ask an endpoint and read its answer: what is there for clients without cookies.
pub(super) fn is_open(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::ResourceMetadata(_)
        | Endpoint::ServerMetadata
        | Endpoint::OpenIdConfiguration
        | Endpoint::Jwks
        | Endpoint::Register
        | Endpoint::Token => true,
        Endpoint::Authorize | Endpoint::Callback => false,
    }
}

/// Lets pages of any origin read an answer.
pub(super) fn open(headers: &mut HeaderMap) {
    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    headers
        .insert("access-control-expose-headers", HeaderValue::from_static("www-authenticate, retry-after"));
}

/// Begins the answer of an endpoint that needs more than its head.
pub(super) fn begin(env: &mut Env<'_>, service: &Arc<Service>, request: Request) -> Step {
    let Some(server) = &service.oauth else { return Step::Done(Reply::Http(Response::default())) };
    let is_open = is_open(&request.endpoint);
    let turn = Visit::new(request).go(env, server);
    step(service, turn, is_open)
}

fn step(service: &Arc<Service>, turn: Turn, is_open: bool) -> Step {
    match turn {
        Turn::Fetch(request, visit) => {
            let errand = Errand { service: Arc::clone(service), visit, is_open };
            Step::Fetch(request, AwaitFetch(Waiting::OAuth(errand)))
        }
        Turn::Done(mut answer, reason) => {
            if let Some(reason) = reason {
                answer.extensions_mut().insert(Refusal(reason));
            }
            if is_open {
                open(answer.headers_mut());
            }
            Step::Done(Reply::Http(answer))
        }
    }
}

/// Who sent a request, by the OAuth token that it carries, under what a JWE token beside it says.
pub(super) fn authenticate(
    env: &mut Env<'_>,
    service: &Service,
    server: &Server,
    head: &Parts,
    narrowing: Option<&Claims>,
) -> Result<Caller, Unsettled> {
    let site = Site::of(&service.config, &server.oauth, head);
    let trouble = |trouble| {
        let challenge = Challenge {
            resource_metadata: site.resource_metadata_url(place_of(head.uri.path())),
            scope: metadata::scopes(server).join(" "),
        };
        Unsettled::Failure(Failure::OAuth(trouble, Box::new(challenge)))
    };
    let token = bearer::find(&head.headers).map_err(|error| match error {
        BearerError::Missing => trouble(OAuthTrouble::Missing),
        BearerError::Malformed(name) => trouble(OAuthTrouble::Malformed(name)),
    })?;
    let proved = bearer::judge(env, server, &site, token.expose()).map_err(|unproved| match unproved {
        Unproved::Refused(refusal) => trouble(OAuthTrouble::Refused(refusal)),
        Unproved::Lacks(Lack::Learn(request)) => Unsettled::Learn(request),
        Unproved::Lacks(Lack::Unavailable(reason)) => trouble(OAuthTrouble::Unavailable(reason)),
    })?;
    let policy = &service.policy;
    let caller = match proved {
        Proved::Person(person) => policy.person(&service.config, &server.oauth, &person, &token, narrowing),
        Proved::ForClickHouse { expires } => {
            policy.forwarded(&service.config, &server.oauth, &token, expires, narrowing)
        }
    };
    caller.map_err(|error| Unsettled::Failure(Failure::Policy(error)))
}

/// At which of MCP's paths a request came, for the challenge.
fn place_of(path: &str) -> &str {
    match path.trim_end_matches('/') {
        place @ ("/mcp" | "/http" | "/sse") => place,
        _ => "",
    }
}
