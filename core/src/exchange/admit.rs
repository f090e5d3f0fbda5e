//! The judgement on the head of a request, before a byte of its body is read.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, VARY,
    WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Uri};

use super::failure::{Failure, Refusal, disclose};
use super::generator::{MAX_BODY, MintRight};
use super::health;
use super::rest::{self, RestCall, Site};
use super::route::Route;
use super::service::Service;
use crate::env::Env;
use crate::fetch::FetchRequest;
use crate::identity::{BearerError, Caller, Order, find_bearer};
use crate::jose::token::open;
use crate::oauth::{self, Endpoint, Server};
use crate::secret::Secret;
use crate::transport::headers::{check_head, takes_events};
use crate::transport::sse;

/// What becomes of a request.
#[must_use = "an admission is either the answer or the permission to read the body"]
pub enum Admission {
    /// The head alone settles it: a refusal, a preflight, a sign of life.
    Answer(Response<Bytes>),
    /// The body is wanted.
    Read(Admitted),
    /// A fact is needed first: the host fetches it, lets [`crate::facts::Facts::learn`] have it, and admits the same
    /// head again.
    Learn(Box<FetchRequest>),
}

/// The proof that a head has passed: Host and Origin, path and method, identity, types and declared length.
///
/// Only [`admit`] makes one, and [`super::begin`] takes nothing else over HTTP, so no path leads past the checks.
pub struct Admitted {
    pub(super) service: Arc<Service>,
    pub(super) route: Route,
    pub(super) headers: HeaderMap,
    pub(super) purpose: Purpose,
    pub(super) origin: Option<String>,
}

/// What a head has proved, and so what its body may ask for.
pub(super) enum Purpose {
    /// MCP as this caller.
    Mcp(Caller),
    /// A call of a tool over REST as this caller.
    Rest(Caller, Box<RestCall>),
    /// The schema of what this caller may call over REST; one who has not said who they are may ask, too.
    Schema(Option<Caller>, Site),
    /// A look at ClickHouse as everybody is there.
    Health(Caller),
    /// A token.
    Mint(MintRight),
    /// An endpoint of OAuth.
    OAuth(Box<oauth::Request>),
}

impl Admitted {
    /// The most bytes that a host reads of the body before it gives up with [`Admitted::too_large`].
    pub fn max_body(&self) -> usize {
        let configured = self.service.config.server.max_body_bytes;
        match &self.purpose {
            Purpose::Mcp(_) => configured,
            Purpose::Rest(_, call) if call.in_url.is_none() => configured,
            Purpose::Mint(_) => configured.min(MAX_BODY),
            Purpose::OAuth(request) if request.method == Method::POST => super::oauth::MAX_BODY,
            Purpose::OAuth(_) => 0,
            Purpose::Rest(_, _) | Purpose::Schema(_, _) | Purpose::Health(_) => 0,
        }
    }

    /// The path as logs may show it.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Whom the caller's token names, or who has a token made, for logs.
    pub fn subject(&self) -> Option<&str> {
        match &self.purpose {
            Purpose::Mcp(caller)
            | Purpose::Rest(caller, _)
            | Purpose::Schema(Some(caller), _)
            | Purpose::Health(caller) => caller.access.subject.as_deref(),
            Purpose::Schema(None, _) | Purpose::OAuth(_) => None,
            Purpose::Mint(right) => Some(right.holder()),
        }
    }

    /// The head of the event stream that carries messages before the reply, for a client that takes one.
    pub fn stream_head(&self) -> Option<Response<()>> {
        if !matches!(self.purpose, Purpose::Mcp(_)) || !takes_events(&self.headers) {
            return None;
        }
        let mut head = sse::head();
        allow_origin(head.headers_mut(), self.origin.as_deref());
        Some(head)
    }

    /// The answer to a body that turned out longer than allowed.
    pub fn too_large(&self) -> Response<Bytes> {
        self.refuse(&Failure::BodyTooLarge(self.max_body()))
    }

    /// The answer to a body that is not there in time.
    pub fn too_slow(&self) -> Response<Bytes> {
        self.refuse(&Failure::BodyTooSlow)
    }

    /// The answer to a body that ended too early.
    pub fn broken_off(&self) -> Response<Bytes> {
        self.refuse(&Failure::BodyBroken)
    }

    /// The target of the request without anything that proves who sent it, for a guest that answers it.
    pub fn bare_target(&self) -> Uri {
        let Purpose::Rest(_, call) = &self.purpose else { return Uri::from_static("/mcp") };
        let RestCall { tool, in_url } = &**call;
        let query = in_url.as_ref().map(|(_, query)| format!("?{query}")).unwrap_or_default();
        // Both are parts of a URI that was read as one.
        let target = format!("/openapi/{tool}{query}").parse();
        target.unwrap_or_else(|_| Uri::from_static("/openapi/"))
    }

    fn refuse(&self, failure: &Failure) -> Response<Bytes> {
        let origin = self.origin.as_deref();
        match &self.purpose {
            Purpose::Rest(_, _) | Purpose::Schema(_, _) => rest::refusal(failure, origin),
            Purpose::Mcp(_) | Purpose::Health(_) | Purpose::Mint(_) | Purpose::OAuth(_) => {
                failure_answer(failure, origin)
            }
        }
    }
}

/// Facts that the judgement of one head may take: a discovery document in either of its places, and keys, twice.
pub const MOST_FACTS: usize = 6;

/// The answer to a request that needs more facts than [`MOST_FACTS`].
pub fn unsettled() -> Response<Bytes> {
    failure_answer(&Failure::Unsettled, None)
}

/// Judges a request by its head alone.
pub fn admit(env: &mut Env<'_>, service: &Arc<Service>, head: &Parts) -> Admission {
    if let Some((server, endpoint)) = service.oauth_endpoint(head.uri.path()) {
        return admit_oauth(service, server, endpoint, head);
    }
    let route = Route::parse(head.uri.path(), service.keys.is_some());
    let over_rest = route.as_ref().is_some_and(|route| rest::is_switched_on(&service.config, route));
    let refuse = |failure: &Failure, origin: Option<&str>| {
        Admission::Answer(if over_rest {
            rest::refusal(failure, origin)
        } else {
            failure_answer(failure, origin)
        })
    };
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    let origin = match service.guard.check(&head.headers, authority) {
        Ok(origin) => origin,
        Err(error) => return refuse(&Failure::Guard(error), None),
    };
    // A preflight carries no credentials, so it comes before authentication (Fetch standard, CORS protocol).
    if head.method == Method::OPTIONS {
        return Admission::Answer(preflight(head, origin.as_deref()));
    }
    match judge(env, service, head, route) {
        Ok(Judged::Alive) => Admission::Answer(health::alive(env.now, origin.as_deref())),
        Ok(Judged::Healthy) => Admission::Answer(health::per_request(env.now, origin.as_deref())),
        Ok(Judged::Read(route, purpose)) => Admission::Read(Admitted {
            service: Arc::clone(service),
            route,
            headers: head.headers.clone(),
            purpose,
            origin,
        }),
        Ok(Judged::Answer(answer)) => Admission::Answer(answer),
        Err(Unsettled::Learn(request)) => Admission::Learn(request),
        Err(Unsettled::Failure(failure)) => refuse(&failure, origin.as_deref()),
    }
}

/// Judges a request to an endpoint of OAuth. Clients of any origin may have tokens, and they come without cookies; what a
/// browser shows is protected by what it seals.
fn admit_oauth(service: &Arc<Service>, server: &Server, endpoint: Endpoint, head: &Parts) -> Admission {
    let is_open = super::oauth::is_open(&endpoint);
    let finish = |mut answer: Response<Bytes>| {
        if is_open {
            super::oauth::open(answer.headers_mut());
        }
        Admission::Answer(answer)
    };
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    if let Err(error) = service.guard.check_host(&head.headers, authority) {
        return Admission::Answer(failure_answer(&Failure::Guard(error), None));
    }
    if head.method == Method::OPTIONS {
        return finish(preflight(head, None));
    }
    match super::oauth::judge(server, head, endpoint) {
        Ok(Judged::Read(route, purpose)) => Admission::Read(Admitted {
            service: Arc::clone(service),
            route,
            headers: head.headers.clone(),
            purpose,
            origin: None,
        }),
        Ok(Judged::Answer(answer)) => Admission::Answer(answer),
        Ok(Judged::Alive | Judged::Healthy) => Admission::Answer(failure_answer(&Failure::NoSuchPath, None)),
        Err(failure) => finish(failure_answer(&failure, None)),
    }
}

pub(super) enum Judged {
    Alive,
    Healthy,
    Answer(Response<Bytes>),
    Read(Route, Purpose),
}

/// Why a head is not judged yet, or not let in.
pub(super) enum Unsettled {
    /// It is refused.
    Failure(Failure),
    /// A fact is needed first.
    Learn(Box<FetchRequest>),
}

impl From<Failure> for Unsettled {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// The order of MCP 2026-07-28's transports: path and method, authentication, then types and length.
fn judge(
    env: &mut Env<'_>,
    service: &Arc<Service>,
    head: &Parts,
    route: Option<Route>,
) -> Result<Judged, Unsettled> {
    let route = route.ok_or(Failure::NoSuchPath)?;
    let is_get = head.method == Method::GET;
    match &route {
        Route::Live if is_get => Ok(Judged::Alive),
        Route::Health if is_get => Ok(match &service.anonymous {
            Some(everybody) => Judged::Read(route, Purpose::Health(everybody.clone())),
            None => Judged::Healthy,
        }),
        Route::Live | Route::Health => Err(Failure::Method { allow: "GET" }.into()),
        Route::Mcp { .. } if head.method != Method::POST => Err(Failure::Method { allow: "POST" }.into()),
        Route::Mcp { token } => {
            let caller = authenticate(env, service, head, token.as_ref(), Order::Mcp)?;
            check_head(&head.headers, service.config.server.max_body_bytes).map_err(Failure::Head)?;
            Ok(Judged::Read(route, Purpose::Mcp(caller)))
        }
        Route::OpenApi { token, path } => {
            let purpose = rest::judge(env, service, head, token.as_ref(), path)?;
            Ok(Judged::Read(route, purpose))
        }
        Route::Generator => {
            let right = service.generator.judge(env.now, head)?;
            Ok(Judged::Read(route, Purpose::Mint(right)))
        }
        Route::OAuth => Err(Failure::NoSuchPath.into()),
    }
}

/// Who sent a request.
pub(super) fn authenticate(
    env: &mut Env<'_>,
    service: &Service,
    head: &Parts,
    path_token: Option<&Secret<String>>,
    order: Order,
) -> Result<Caller, Unsettled> {
    if let Some(everybody) = &service.anonymous {
        return Ok(everybody.clone());
    }
    let path_token = path_token.map(|token| token.expose().as_str());
    let order = if service.oauth.is_some() { Order::BesideOauth } else { order };
    let claims = match &service.keys {
        None => None,
        Some(keys) => match find_bearer(&head.headers, path_token, order) {
            Ok(token) => Some(open(keys, token.expose(), &service.life, env.now).map_err(Failure::Token)?),
            Err(BearerError::Missing) if service.oauth.is_some() => None,
            Err(error) => return Err(Failure::Bearer(error).into()),
        },
    };
    match (&service.oauth, claims) {
        // A token that names nobody says how much may be asked, and one of OAuth's who asks.
        (Some(server), Some(claims)) if !service.policy.names_somebody(&service.config, &claims) => {
            super::oauth::authenticate(env, service, server, head, Some(&claims))
        }
        (Some(server), None) => super::oauth::authenticate(env, service, server, head, None),
        (_, Some(claims)) => Ok(service.policy.caller(&service.config, &claims).map_err(Failure::Policy)?),
        (None, None) => Err(Failure::Bearer(BearerError::Missing).into()),
    }
}

fn preflight(head: &Parts, origin: Option<&str>) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert("access-control-allow-methods", HeaderValue::from_static("GET, POST, OPTIONS"));
    let wanted = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let usual = HeaderValue::from_static(
        "authorization, content-type, accept, mcp-protocol-version, mcp-method, mcp-name, x-altinity-mcp-key, \
         x-housekey-key",
    );
    headers.insert("access-control-allow-headers", wanted.unwrap_or(usual));
    headers.insert("access-control-max-age", HeaderValue::from_static("86400"));
    headers.append(VARY, HeaderValue::from_static("access-control-request-headers"));
    allow_origin(headers, origin);
    answer
}

/// Lets the page of an admitted origin read the answer.
fn allow_origin(headers: &mut HeaderMap, origin: Option<&str>) {
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) {
        headers.insert("access-control-allow-origin", origin);
        let exposed =
            HeaderValue::from_static("mcp-session-id, www-authenticate, retry-after, x-mcp-truncated");
        headers.insert("access-control-expose-headers", exposed);
    }
}

/// The answer to a request that is refused by its head.
pub(super) fn failure_answer(failure: &Failure, origin: Option<&str>) -> Response<Bytes> {
    let disclosure = disclose(failure);
    let mut text = disclosure.text;
    text.push('\n');
    let mut answer = Response::new(Bytes::from(text));
    *answer.status_mut() =
        StatusCode::from_u16(disclosure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.extensions_mut().insert(Refusal::of(failure));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some(challenge) = disclosure.challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(allow) = disclosure.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(seconds) = disclosure.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    allow_origin(headers, origin);
    answer
}

/// An answer with a JSON text, or 202 without one.
pub(super) fn json_answer(status: u16, text: Option<String>, origin: Option<&str>) -> Response<Bytes> {
    let status =
        if text.is_none() { StatusCode::ACCEPTED } else { StatusCode::from_u16(status).unwrap_or_default() };
    let mut answer = Response::new(Bytes::from(text.unwrap_or_default()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    if status != StatusCode::ACCEPTED {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store"));
    allow_origin(headers, origin);
    answer
}
