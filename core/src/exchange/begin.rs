//! From an admitted body, or a line, to the first step: which era it belongs to, and what it asks.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

use super::admit::{Admitted, Purpose, StreamWish, failure_answer, json_answer};
use super::dispatch::{Era, dispatch};
use super::failure::{Failure, disclose};
use super::generator::mint;
use super::health;
use super::rest;
use super::running::{Next, Scene, Surface};
use super::service::Service;
use super::session::Session;
use super::step::{Reply, Step};
use crate::env::Env;
use crate::jsonrpc::{self, ErrorObject, Malformed, Message, RequestId};
use crate::mcp::{Meta, Revision};
use crate::tool::catalogue;
use crate::transport::headers::{
    self, MismatchError, check_standard, declared_version, declares_stateless, takes_events, trace_context,
};

/// What came in.
pub enum Inbound {
    /// A request over HTTP whose head was admitted, and its body.
    Http(Admitted, Bytes),
    /// A line of a stream, without its line break, and the session of that stream.
    Line(Arc<Service>, Bytes, Session),
}

/// Messages that an array may have.
const MOST_ELEMENTS: usize = 100;
/// Bytes of answers after which the rest of an array is refused: an array must not multiply the caps of a call.
const MOST_ANSWER_BYTES: usize = 4 << 20;

/// The elements of an array of messages.
pub(super) struct Batch {
    done: Vec<String>,
    bytes: usize,
    rest: VecDeque<Value>,
    revision: Revision,
}

impl Batch {
    /// Takes the answer of an element, if it has one.
    pub(super) fn take(&mut self, answer: Option<String>) {
        self.bytes += answer.as_ref().map_or(0, String::len);
        self.done.extend(answer);
    }
}

/// Takes a message and says what has to be done first.
pub fn begin(env: &mut Env<'_>, inbound: Inbound) -> Step {
    match inbound {
        Inbound::Http(admitted, body) => begin_http(env, admitted, &body),
        Inbound::Line(service, line, session) => begin_line(env, service, &line, session),
    }
    .settle(env)
}

fn begin_http(env: &mut Env<'_>, admitted: Admitted, body: &Bytes) -> Next {
    if body.len() > admitted.max_body() {
        return Next::Step(Step::Done(Reply::Http(admitted.too_large())));
    }
    let Admitted { service, route: _, headers, purpose, origin, session } = admitted;
    // A message of the older transport is a line of its stream, once it is known which.
    if let (Purpose::Stream(_, StreamWish::Message { .. }), Some(session)) = (&purpose, &session) {
        return begin_line(env, service, body, Session::clone(session));
    }
    let scene = |caller, origin| Scene {
        service: Arc::clone(&service),
        caller,
        trace: trace_context(&headers),
        surface: Surface::Http {
            origin,
            takes_events: takes_events(&headers),
            headers,
            session: session.map(|session| *session),
        },
        batch: None,
    };
    let scene = match purpose {
        Purpose::Mcp(caller) => scene(caller, origin),
        Purpose::Stream(..) => {
            let answer = failure_answer(&Failure::UnknownSession, origin.as_deref());
            return Next::Step(Step::Done(Reply::Http(answer)));
        }
        Purpose::Rest(caller, call) => return rest::call(env, scene(caller, origin), *call, body),
        // What rules make is for callers: a stranger's query would run as nobody.
        Purpose::Schema(Some(caller), site) if catalogue::has_rules(&service.config) => {
            return rest::schema(env, scene(caller, origin), site);
        }
        Purpose::Schema(caller, site) => {
            let text = rest::document(&service, caller.as_ref(), &site);
            let answer = json_answer(200, Some(text), origin.as_deref());
            return Next::Step(Step::Done(Reply::Http(answer)));
        }
        Purpose::Health(caller) => return health::check(env, scene(caller, origin)),
        Purpose::OAuth(mut request) => {
            request.body = body.clone();
            return Next::Step(super::oauth::begin(env, &service, *request));
        }
        Purpose::Mint(right) => {
            let origin = origin.as_deref();
            let answer = match mint(env, &service, &right, body) {
                Ok(token) => json_answer(200, Some(json!({ "token": token }).to_string()), origin),
                Err(error) => failure_answer(&Failure::Generator(error), origin),
            };
            return Next::Step(Step::Done(Reply::Http(answer)));
        }
    };
    let value = match parse(body) {
        Ok(value) => value,
        Err(failure) => return refuse(scene, &failure, None, None),
    };
    match post(value, &scene) {
        Ok(Post::One(message, era)) => {
            if let Some(reply) = of_session(&scene, &message) {
                return Next::Step(Step::Done(reply));
            }
            dispatch(env, scene, message, &era)
        }
        Ok(Post::Batch(batch)) => Next::Element(Scene { batch: Some(batch), ..scene }),
        Err((failure, id)) => refuse(scene, &failure, id.as_ref(), None),
    }
}

pub(super) fn parse(text: &[u8]) -> Result<Value, Failure> {
    if !jsonrpc::fits_in_memory(text) {
        return Err(Failure::TooManyValues);
    }
    jsonrpc::parse_unique(text).map_err(|error| match error.is_data() {
        true => Failure::Malformed("an object has the same member twice"),
        false => Failure::NotJson,
    })
}

enum Post {
    One(Message, Era),
    Batch(Batch),
}

/// Which era a posted body belongs to. The order of the checks is that of MCP 2026-07-28, transports: `_meta`, then
/// headers against body, then the version.
fn post(value: Value, scene: &Scene) -> Result<Post, (Failure, Option<RequestId>)> {
    let none = HeaderMap::new();
    let headers = match &scene.surface {
        Surface::Http { headers, .. } => headers,
        Surface::Line { .. } => &none,
    };
    let declared = declared_version(headers).map_err(|error| (Failure::Mismatch(error), None))?;
    // What a session has agreed on is not for a header to change.
    let agreed = scene.session().and_then(|session| session.revision);
    let handshake = agreed.or_else(|| declared.and_then(Revision::parse)).unwrap_or(Revision::WITHOUT_HEADER);
    if let Value::Array(elements) = value {
        let revision = handshake;
        let stateless = declares_stateless(declared) || elements.iter().any(speaks_stateless);
        if !stateless && scene.lacks_session() {
            return Err((Failure::NoSession, None));
        }
        return batch(elements, revision, stateless).map(Post::Batch).map_err(|failure| (failure, None));
    }
    let message =
        Message::parse(value).map_err(|Malformed { id, reason }| (Failure::Malformed(reason), id))?;
    let handshake = Era::Handshake(handshake);
    let stateless = declares_stateless(declared);
    let unknown = declared.filter(|version| Revision::parse(version).is_none());
    let Message::Request { id, method, params } = &message else {
        if let Some(requested) = unknown {
            return Err((Failure::Version { requested: requested.to_owned() }, None));
        }
        return match message {
            // No request of ours can be open over stateless HTTP.
            Message::Response { id, .. } if stateless => {
                Err((Failure::Malformed("no response is awaited here"), Some(id)))
            }
            _ if !stateless && scene.lacks_session() => Err((Failure::NoSession, None)),
            Message::Response { .. } | Message::Notification { .. } | Message::Request { .. } => {
                Ok(Post::One(message, handshake))
            }
        };
    };
    if !Meta::is_present(params) {
        if !stateless {
            return match method.as_str() {
                "initialize" => Ok(Post::One(message, handshake)),
                // MCP 2025-11-25, transports, session management.
                _ if scene.lacks_session() => Err((Failure::NoSession, None)),
                _ => Ok(Post::One(message, handshake)),
            };
        }
        // A version that nobody knows is told what is supported; a known one lacks its `_meta`.
        if let Some(requested) = unknown {
            return Err((Failure::Version { requested: requested.to_owned() }, Some(id.clone())));
        }
        if method == "initialize" {
            let mismatch = MismatchError::Different(headers::PROTOCOL_VERSION);
            return Err((Failure::Mismatch(mismatch), Some(id.clone())));
        }
    }
    let era = stateless_era(params)
        .and_then(|(meta, era)| {
            check_standard(headers, &meta.protocol_version, method, params).map_err(Failure::Mismatch)?;
            era
        })
        .map_err(|failure| (failure, Some(id.clone())))?;
    Ok(Post::One(message, era))
}

/// The `_meta` of a stateless request, and the era if its version is supported.
fn stateless_era(params: &jsonrpc::Params) -> Result<(Meta, Result<Era, Failure>), Failure> {
    let meta = Meta::parse(params).map_err(Failure::Meta)?;
    let era = match Revision::parse(&meta.protocol_version) {
        Some(revision) if revision.is_stateless() => Ok(Era::Stateless(revision)),
        _ => Err(Failure::Version { requested: meta.protocol_version.clone() }),
    };
    Ok((meta, era))
}

/// What a message to a session is that no method answers: a response to a request of ours, or a request taken back.
fn of_session(scene: &Scene, message: &Message) -> Option<Reply> {
    scene.session()?;
    match message {
        Message::Response { id, result } => Some(Reply::Answer(id.clone(), result.clone())),
        Message::Notification { method, params } if method == "notifications/cancelled" => {
            params.get("requestId").and_then(RequestId::parse).map(Reply::Cancel)
        }
        Message::Notification { .. } | Message::Request { .. } => None,
    }
}

fn begin_line(env: &mut Env<'_>, service: Arc<Service>, line: &[u8], session: Session) -> Next {
    let (caller, revision) = (session.caller.clone(), session.revision);
    let expired = caller.expires.is_some_and(|expires| env.now > expires);
    let surface = Surface::Line { session, notices: Vec::new() };
    let scene = Scene { service, caller, surface, trace: None, batch: None };
    if line.iter().all(u8::is_ascii_whitespace) {
        return Next::Step(Step::Done(scene.reply(200, None, None)));
    }
    let value = match parse(line) {
        Ok(value) => value,
        Err(failure) => return refuse(scene, &failure, None, None),
    };
    if let Value::Array(elements) = value {
        let stateless = elements.iter().any(speaks_stateless);
        let wanted = if expired {
            Err(Failure::SessionExpired)
        } else {
            revision.ok_or(Failure::NoHandshake).and_then(|revision| batch(elements, revision, stateless))
        };
        return match wanted {
            Ok(batch) => Next::Element(Scene { batch: Some(batch), ..scene }),
            Err(failure) => refuse(scene, &failure, None, None),
        };
    }
    let message = match Message::parse(value) {
        Ok(message) => message,
        Err(Malformed { id, reason }) => {
            return refuse(scene, &Failure::Malformed(reason), id.as_ref(), None);
        }
    };
    if let Some(reply) = of_session(&scene, &message) {
        return Next::Step(Step::Done(reply));
    }
    match &message {
        Message::Notification { .. } | Message::Response { .. } => {
            Next::Step(Step::Done(scene.reply(200, None, None)))
        }
        Message::Request { id, method, params } => {
            let era = if expired {
                Err(Failure::SessionExpired)
            } else if Meta::is_present(params) {
                stateless_era(params).and_then(|(_, era)| era)
            } else if method == "initialize" || method == "ping" {
                Ok(Era::Handshake(revision.unwrap_or(Revision::LATEST_HANDSHAKE)))
            } else {
                revision.map(Era::Handshake).ok_or(Failure::NoHandshake)
            };
            match era {
                Ok(era) => dispatch(env, scene, message, &era),
                Err(failure) => {
                    let id = id.clone();
                    refuse(scene, &failure, Some(&id), None)
                }
            }
        }
    }
}

fn speaks_stateless(element: &Value) -> bool {
    element.get("params").and_then(Value::as_object).is_some_and(Meta::is_present)
}

fn batch(elements: Vec<Value>, revision: Revision, stateless: bool) -> Result<Batch, Failure> {
    if stateless || !revision.allows_batch() {
        return Err(Failure::Batch(
            "arrays of messages are not part of this revision: send one message at a time",
        ));
    }
    if elements.is_empty() {
        return Err(Failure::Batch("the array has no message"));
    }
    if elements.len() > MOST_ELEMENTS {
        return Err(Failure::Batch("an array may have 100 messages at most"));
    }
    Ok(Batch { done: Vec::new(), bytes: 0, rest: elements.into(), revision })
}

/// Takes the next element of a batch, or ends it when there is none.
pub(super) fn next_of_batch(env: &mut Env<'_>, mut scene: Scene) -> Next {
    let Some(batch) = &mut scene.batch else {
        return Next::Step(Step::Done(scene.reply(200, None, None)));
    };
    let Some(element) = batch.rest.pop_front() else {
        let text = (!batch.done.is_empty()).then(|| format!("[{}]", batch.done.join(",")));
        return Next::Step(Step::Done(scene.reply(200, text, None)));
    };
    let (revision, full) = (batch.revision, batch.bytes > MOST_ANSWER_BYTES);
    let reason = match Message::parse(element) {
        // The handshake must not be part of a batch (MCP 2025-03-26, lifecycle).
        Ok(Message::Request { id, method, .. }) if method == "initialize" => {
            (Failure::Batch("`initialize` must not be part of an array"), Some(id))
        }
        Ok(Message::Request { id, .. }) if full => (
            Failure::Batch("the answers before this one are too long for one array: send it alone"),
            Some(id),
        ),
        Ok(message) => return dispatch(env, scene, message, &Era::Handshake(revision)),
        Err(Malformed { id, reason }) => (Failure::Malformed(reason), id),
    };
    refuse(scene, &reason.0, reason.1.as_ref(), Some(revision))
}

/// Ends a message with a failure.
pub(super) fn refuse(
    scene: Scene,
    failure: &Failure,
    id: Option<&RequestId>,
    revision: Option<Revision>,
) -> Next {
    if disclose(failure).rpc.is_none()
        && let Surface::Http { origin, .. } = &scene.surface
    {
        return Next::Step(Step::Done(Reply::Http(failure_answer(failure, origin.as_deref()))));
    }
    let (status, text) = failure_text(failure, id, revision);
    scene.deliver(status, Some(text), None)
}

/// The status and the text of an error response. A failure before the revision is known has its own status.
pub(super) fn failure_text(
    failure: &Failure,
    id: Option<&RequestId>,
    revision: Option<Revision>,
) -> (u16, String) {
    let disclosure = disclose(failure);
    let status = if revision.is_none_or(Revision::maps_errors_to_status) { disclosure.status } else { 200 };
    let error = disclosure.rpc.unwrap_or(ErrorObject {
        code: jsonrpc::INVALID_REQUEST,
        message: disclosure.text,
        data: None,
    });
    (status, jsonrpc::error_text(id, &error))
}
