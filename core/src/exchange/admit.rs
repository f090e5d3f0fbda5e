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
use super::principal::principal;
use super::rest::{self, RestCall, Site};
use super::route::Route;
use super::service::Service;
use super::session::Session;
use crate::env::Env;
use crate::fetch::FetchRequest;
use crate::identity::{BearerError, Caller, Order, find_bearer};
use crate::jose::token::open;
use crate::oauth::{self, Endpoint, Server};
use crate::secret::Secret;
use crate::transport::headers::{
    HeadError, LAST_EVENT, SESSION, check_head, check_json_type, check_length, declared_version,
    declares_stateless, may_take_events, takes_events,
};
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
    /// The session that the request is part of, once the host has found it and its caller is the same.
    pub(super) session: Option<Box<Session>>,
}

/// What a request wants of something that outlives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamWish {
    /// The stream of HTTP+SSE, which begins a session (MCP 2024-11-05, transports).
    Events,
    /// A message to the session of such a stream.
    Message {
        /// Which.
        session: String,
    },
    /// A stream of a session's messages, or the rest of one that broke off (MCP 2025-11-25, transports).
    Listen {
        /// The session.
        session: String,
        /// The last event that the client has seen.
        after: Option<String>,
    },
    /// The end of a session.
    End {
        /// Which.
        session: String,
    },
}

/// What a head has proved, and so what its body may ask for.
pub(super) enum Purpose {
    /// MCP as this caller.
    Mcp(Caller),
    /// A stream, or a session, of this caller.
    Stream(Caller, StreamWish),
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
            Purpose::Mcp(_) | Purpose::Stream(_, StreamWish::Message { .. }) => configured,
            Purpose::Rest(_, call) if call.in_url.is_none() => configured,
            Purpose::Mint(_) => configured.min(MAX_BODY),
            Purpose::OAuth(request) if request.method == Method::POST => super::oauth::MAX_BODY,
            Purpose::OAuth(_) => 0,
            Purpose::Rest(_, _) | Purpose::Schema(_, _) | Purpose::Health(_) | Purpose::Stream(_, _) => 0,
        }
    }

    /// What the request wants of something that outlives it; the host does it.
    pub fn stream_wish(&self) -> Option<&StreamWish> {
        match &self.purpose {
            Purpose::Stream(_, wish) => Some(wish),
            Purpose::Mcp(_)
            | Purpose::Rest(_, _)
            | Purpose::Schema(_, _)
            | Purpose::Health(_)
            | Purpose::Mint(_)
            | Purpose::OAuth(_) => None,
        }
    }

    /// The session that the request names. Stateless requests have none, whatever they name (MCP 2026-07-28, transports).
    pub fn session_id(&self) -> Option<&str> {
        match &self.purpose {
            Purpose::Stream(_, StreamWish::Events) => None,
            Purpose::Stream(
                _,
                StreamWish::Message { session }
                | StreamWish::Listen { session, .. }
                | StreamWish::End { session },
            ) => Some(session),
            Purpose::Mcp(_) if self.service.abilities.sessions => {
                let version = declared_version(&self.headers).ok()?;
                let named = self.headers.get(SESSION)?.to_str().ok()?;
                (!declares_stateless(version)).then_some(named)
            }
            Purpose::Mcp(_)
            | Purpose::Rest(_, _)
            | Purpose::Schema(_, _)
            | Purpose::Health(_)
            | Purpose::Mint(_)
            | Purpose::OAuth(_) => None,
        }
    }

    /// Makes the request part of the session that it names. One who has not opened the session is told that there is none:
    /// to know its id is no credential (MCP, security best practices).
    ///
    /// # Errors
    /// The answer to whom the session does not belong.
    pub fn join(mut self, env: &Env<'_>, session: Option<Session>) -> Result<Self, Box<Response<Bytes>>> {
        let (Purpose::Mcp(caller) | Purpose::Stream(caller, _)) = &self.purpose else {
            return Err(Box::new(self.refuse(&Failure::UnknownSession)));
        };
        let who = |caller: &Caller| principal(&self.service.config, &caller.access);
        let session = session.filter(|session| {
            let is_theirs = who(caller).is_some_and(|who_asks| who(&session.caller) == Some(who_asks));
            is_theirs && session.caller.expires.is_none_or(|expires| env.now <= expires)
        });
        match session {
            Some(session) => {
                self.session = Some(Box::new(session));
                Ok(self)
            }
            None => Err(Box::new(self.refuse(&Failure::UnknownSession))),
        }
    }

    /// Begins the session of a stream of HTTP+SSE, with an id that nobody can guess.
    pub fn open_session(&self, env: &mut Env<'_>) -> Option<Session> {
        let Purpose::Stream(caller, StreamWish::Events) = &self.purpose else { return None };
        let id = format!("{}{}", env.random_id(), env.random_id());
        Some(Session::new(caller.clone(), Some(id)))
    }

    /// The service that admitted it.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// The answer to a message that needs none.
    pub fn accepted(&self) -> Response<Bytes> {
        json_answer(202, None, self.origin.as_deref())
    }

    /// The answer to who ended a session.
    pub fn ended(&self) -> Response<Bytes> {
        let mut answer = json_answer(202, None, self.origin.as_deref());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        answer
    }

    /// The head of a stream that the request opens.
    pub fn events_head(&self) -> Response<()> {
        stream_head(self.origin.as_deref())
    }

    /// The answer to somebody who has too many streams open already.
    pub fn too_many_streams(&self) -> Response<Bytes> {
        self.refuse(&Failure::TooManyStreams)
    }

    /// The answer while all together have too many streams open.
    pub fn busy(&self) -> Response<Bytes> {
        self.refuse(&Failure::Busy)
    }

    /// The path as logs may show it.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Whom the caller's token names, or who has a token made, for logs.
    pub fn subject(&self) -> Option<&str> {
        match &self.purpose {
            Purpose::Mcp(caller)
            | Purpose::Stream(caller, _)
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
        Some(self.events_head())
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
            Purpose::Mcp(_)
            | Purpose::Stream(_, _)
            | Purpose::Health(_)
            | Purpose::Mint(_)
            | Purpose::OAuth(_) => failure_answer(failure, origin),
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
            session: None,
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
            session: None,
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
        Route::Mcp { token, .. } => {
            let asked = asked_of_streams(service, head, &route)?;
            let caller = authenticate(env, service, head, token.as_ref(), Order::Mcp)?;
            if let Some(wish) = asked {
                let wish = wish.read(head)?;
                if matches!(wish, StreamWish::Message { .. }) {
                    check_json_type(&head.headers).map_err(Failure::Head)?;
                    check_length(&head.headers, service.config.server.max_body_bytes)
                        .map_err(Failure::Head)?;
                }
                return Ok(Judged::Read(route, Purpose::Stream(caller, wish)));
            }
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

/// What the method and the path want of streams, before it is known who asks; `None` for a message of its own.
enum AskedOfStreams {
    Events,
    Message(String),
    Listen,
    End,
}

fn asked_of_streams(
    service: &Service,
    head: &Parts,
    route: &Route,
) -> Result<Option<AskedOfStreams>, Failure> {
    let is_older = matches!(route, Route::Mcp { events: true, .. });
    let (streams, sessions) = (service.streams, service.streams && service.abilities.sessions);
    match head.method {
        Method::POST if is_older => match named_session(head.uri.query()) {
            Some(_) if !streams => Err(Failure::UnknownSession),
            named => Ok(named.map(AskedOfStreams::Message)),
        },
        Method::POST => Ok(None),
        Method::GET if is_older && streams => Ok(Some(AskedOfStreams::Events)),
        Method::GET if is_older => Err(Failure::NoStreams),
        Method::GET if sessions => Ok(Some(AskedOfStreams::Listen)),
        Method::DELETE if sessions && !is_older => Ok(Some(AskedOfStreams::End)),
        _ if is_older && streams => Err(Failure::Method { allow: "GET, POST" }),
        _ if sessions => Err(Failure::Method { allow: "GET, POST, DELETE" }),
        _ => Err(Failure::Method { allow: "POST" }),
    }
}

impl AskedOfStreams {
    /// The wish, from the headers of somebody who was let in.
    fn read(self, head: &Parts) -> Result<StreamWish, Failure> {
        let session = || {
            let named = head.headers.get(SESSION).ok_or(Failure::NoSession)?;
            named.to_str().map(str::to_owned).map_err(|_| Failure::UnknownSession)
        };
        let takes_events = || match may_take_events(&head.headers) {
            true => Ok(()),
            false => Err(Failure::Head(HeadError::NotEventsAcceptable)),
        };
        Ok(match self {
            Self::Events => {
                takes_events()?;
                StreamWish::Events
            }
            Self::Message(session) => StreamWish::Message { session },
            Self::Listen => {
                takes_events()?;
                let after = head.headers.get(LAST_EVENT).and_then(|last| last.to_str().ok());
                StreamWish::Listen { session: session()?, after: after.map(str::to_owned) }
            }
            Self::End => StreamWish::End { session: session()? },
        })
    }
}

/// The session that the query of a URL names, however a client writes the name.
fn named_session(query: Option<&str>) -> Option<String> {
    query?.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        matches!(name, "sessionId" | "session_id" | "sessionid").then(|| value.to_owned())
    })
}

/// Names the session that an answer begins.
pub(super) fn name_session(answer: &mut Response<Bytes>, session: &Session) {
    if let Some(id) = session.id().and_then(|id| HeaderValue::from_str(id).ok()) {
        answer.headers_mut().insert(SESSION, id);
    }
}

/// The head of an event stream.
pub(super) fn stream_head(origin: Option<&str>) -> Response<()> {
    let mut head = sse::head();
    allow_origin(head.headers_mut(), origin);
    head
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
    headers.insert("access-control-allow-methods", HeaderValue::from_static("GET, POST, DELETE, OPTIONS"));
    let wanted = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let usual = HeaderValue::from_static(
        "authorization, content-type, accept, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id, \
         last-event-id, x-altinity-mcp-key, x-housekey-key",
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
