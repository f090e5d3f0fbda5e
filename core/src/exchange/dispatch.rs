//! From a method to what answers it.

use std::sync::Arc;

use serde_json::Value;

use super::begin::refuse;
use super::failure::Failure;
use super::library;
use super::pages;
use super::round_trip::{Resumed, Trip};
use super::running::{Next, Running, Scene, Shape, Surface};
use super::session::Session;
use super::step::{Reply, Step};
use super::subscription::Subscription;
use crate::env::Env;
use crate::jsonrpc::{self, Message, Params, RequestId};
use crate::mcp::{
    CLIENT_CAPABILITIES_KEY, CallResult, ClientAbilities, Definition, LogLevel, Revision, discover_result,
    initialize_result, list_result, log_level, progress_token, trace_context,
};
use crate::tool::{Call, Task, catalogue};
use crate::transport::headers::{HeadError, may_take_events};
use crate::transport::parameter_headers::check_parameters;

/// Which rules a message is under.
pub(super) enum Era {
    /// A revision in which every request stands alone.
    Stateless(Revision),
    /// A revision with a handshake.
    Handshake(Revision),
}

impl Era {
    fn revision(&self) -> Revision {
        match self {
            Self::Stateless(revision) | Self::Handshake(revision) => *revision,
        }
    }
}

/// Answers a message, or begins the work that will.
pub(super) fn dispatch(env: &mut Env<'_>, scene: Scene, message: Message, era: &Era) -> Next {
    let (id, method, params) = match message {
        Message::Request { id, method, params } => (id, method, params),
        // Nothing that a client may notify over HTTP has an effect here: a cancelled request is known by its
        // closed connection, and an id alone would let one caller stop another's work.
        Message::Notification { .. } | Message::Response { .. } => {
            return scene.deliver(202, None, None);
        }
    };
    match (era, method.as_str()) {
        (Era::Handshake(_), "initialize") => initialize(env, scene, &id, &params),
        (Era::Handshake(revision), "ping") => scene.answer(&id, *revision, Ok("{}".into())),
        (Era::Stateless(revision), "server/discover") => {
            let result = discover_result(scene.capabilities(true));
            let result = scene.completed(&result.to_string(), true, *revision);
            scene.answer(&id, *revision, Ok(result))
        }
        (Era::Stateless(revision), "subscriptions/listen") if scene.can_listen() => {
            listen(scene, id, &params, *revision)
        }
        (Era::Handshake(revision), "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe")
            if scene.keeps(&method) =>
        {
            keep(scene, &id, &method, &params, *revision)
        }
        (_, "tools/list") => list_tools(env, scene, id, &params, era.revision()),
        (_, "tools/call") => call_tool(env, scene, id, params, era),
        (_, of_library) if library::has(&scene.service, of_library) => {
            let asked = library::Asked { id, params, revision: era.revision() };
            library::answer(env, scene, of_library, asked, era)
        }
        (_, _) => refuse(scene, &Failure::NoSuchMethod(method), Some(&id), Some(era.revision())),
    }
}

fn initialize(env: &mut Env<'_>, scene: Scene, id: &RequestId, params: &Params) -> Next {
    let Some(requested) = params.get("protocolVersion").and_then(Value::as_str) else {
        let failure = Failure::Params("`protocolVersion` must be a string".into());
        return refuse(scene, &failure, Some(id), Some(Revision::LATEST_HANDSHAKE));
    };
    let (revision, result) = initialize_result(requested, scene.capabilities(false));
    let client = params.get("capabilities").map(|declared| ClientAbilities::declared(declared, revision));
    let session = match &scene.surface {
        Surface::Line { session, .. } => Some(session.clone()),
        // MCP 2025-11-25, transports, session management: unguessable, visible ASCII.
        Surface::Http { .. } if scene.service.abilities.sessions => {
            let id = format!("{}{}", env.random_id(), env.random_id());
            Some(Session::new(scene.caller.clone(), Some(id)))
        }
        Surface::Http { .. } => None,
    };
    let session = session.map(|session| session.introduced(revision, client.unwrap_or_default()));
    let text = jsonrpc::result_text(id, &result.to_string());
    scene.deliver(200, Some(text), session)
}

/// A request that stays open (MCP 2026-07-28, server/utilities/subscriptions).
fn listen(scene: Scene, id: RequestId, params: &Params, revision: Revision) -> Next {
    // There is no other form of answer (MCP 2026-07-28, server/utilities/subscriptions).
    if let Surface::Http { headers, .. } = &scene.surface
        && !may_take_events(headers)
    {
        return refuse(scene, &Failure::Head(HeadError::NotEventsAcceptable), Some(&id), Some(revision));
    }
    let origin = scene.origin().map(str::to_owned);
    match Subscription::read(&scene.service, &scene.caller, id.clone(), params, origin) {
        Ok(subscription) => Next::Step(Step::Done(Reply::Listen(Box::new(subscription)))),
        Err(failure) => refuse(scene, &failure, Some(&id), Some(revision)),
    }
}

/// What a session is told to keep. The results are empty objects, and nothing else (MCP 2025-11-25, schema).
fn keep(scene: Scene, id: &RequestId, method: &str, params: &Params, revision: Revision) -> Next {
    let kept = scene.session().cloned().ok_or(Failure::NoSession).and_then(|session| {
        let wrong = |reason: &str| Failure::Params(reason.to_owned());
        if method == "logging/setLevel" {
            let level = params.get("level").and_then(Value::as_str).and_then(LogLevel::parse);
            session
                .set_log_level(level.ok_or_else(|| wrong("`level` must be one of the levels of RFC 5424"))?);
            return Ok("{}".to_owned());
        }
        let uri = params.get("uri").and_then(Value::as_str);
        let uri = uri.ok_or_else(|| wrong("`uri` must be a string"))?;
        if method == "resources/unsubscribe" {
            session.unsubscribe(uri);
        } else if scene.service.resources.find(uri).is_none() {
            return Err(Failure::NoSuchResource { uri: uri.to_owned(), revision });
        } else if !session.subscribe(uri) {
            return Err(wrong("this session has subscribed to as many resources as it may"));
        }
        Ok("{}".to_owned())
    });
    scene.answer(id, revision, kept)
}

impl Scene {
    /// Whether a client can listen here: something can change, and there is a stream to say so on. In an array there is none.
    fn can_listen(&self) -> bool {
        let has_way = match &self.surface {
            Surface::Http { .. } => self.service.streams,
            Surface::Line { .. } => true,
        };
        has_way && self.batch.is_none() && self.service.news().any()
    }

    /// Whether there is a session that keeps what this method tells it.
    fn keeps(&self, method: &str) -> bool {
        let offered = match method {
            "logging/setLevel" => self.service.abilities.logging,
            _ => self.service.news().named_resources,
        };
        offered && self.session().is_some()
    }

    /// What the client can be asked: as a stateless request declares it, if there is something to seal its state with, or
    /// as the session has heard, if there is a way to it.
    pub(super) fn client(&self, era: &Era, params: &Params) -> ClientAbilities {
        match era {
            Era::Stateless(revision) => {
                let declared = params.get("_meta").and_then(|meta| meta.get(CLIENT_CAPABILITIES_KEY));
                let declared = declared.filter(|_| self.service.sealing.is_some());
                declared.map(|declared| ClientAbilities::declared(declared, *revision)).unwrap_or_default()
            }
            Era::Handshake(_) => self.way_back().map(|session| session.client).unwrap_or_default(),
        }
    }

    /// The least level of the log that the client hears.
    pub(super) fn hears(&self, era: &Era, params: &Params) -> Option<LogLevel> {
        let level = match era {
            Era::Stateless(_) => log_level(params),
            Era::Handshake(_) => self.session().map(Session::log_level),
        };
        level.filter(|_| self.service.abilities.logging)
    }
}

fn list_tools(env: &mut Env<'_>, scene: Scene, id: RequestId, params: &Params, revision: Revision) -> Next {
    let cursor = match pages::cursor(params) {
        Ok(cursor) => cursor.map(str::to_owned),
        Err(failure) => return refuse(scene, &failure, Some(&id), Some(revision)),
    };
    if catalogue::has_rules(&scene.service.config) {
        let task = catalogue::listing(&scene.service.tools, move |tools| {
            match listed(tools, cursor.as_deref(), revision) {
                Ok(text) => CallResult::Structured(text),
                Err(Failure::Params(reason)) => CallResult::BadArguments(reason),
                Err(_) => CallResult::Failed(String::new()),
            }
        });
        let call = call(&scene, &id, params, Params::new());
        return Running::new(id, task, call, Shape::Tools { revision }, scene).start(env);
    }
    let tools: Vec<&Definition> = scene.service.tools.definitions(&scene.caller.access).collect();
    let result = listed(&tools, cursor.as_deref(), revision);
    let result = result.map(|result| scene.completed(&result, true, revision));
    scene.answer(&id, revision, result)
}

/// A page of the list of tools.
fn listed(tools: &[&Definition], cursor: Option<&str>, revision: Revision) -> Result<String, Failure> {
    let page = pages::page("tools/list", tools.iter().map(|tool| tool.name.as_str()), cursor)?;
    let mut result = list_result(page.of(tools).iter().copied(), revision);
    page.mark(&mut result);
    Ok(result.to_string())
}

fn call_tool(env: &mut Env<'_>, scene: Scene, id: RequestId, mut params: Params, era: &Era) -> Next {
    let revision = era.revision();
    let (task, trip, resumed) = match begun(env, &scene, &mut params, era) {
        Ok(begun) => begun,
        Err(failure) => return refuse(scene, &failure, Some(&id), Some(revision)),
    };
    let progress_token = progress_token(&params);
    let arguments = match params.remove("arguments") {
        Some(Value::Object(arguments)) => arguments,
        Some(_) | None => Params::new(),
    };
    let call = Call { client: scene.client(era, &params), ..call(&scene, &id, &params, arguments) };
    let hears = scene.hears(era, &params);
    Running::new(id, task, call, Shape::Tool { revision, progress_token }, scene)
        .of_message(trip, hears)
        .start_from(env, resumed)
}

type Begun = (Arc<dyn Task>, Option<Trip>, Option<Resumed>);

/// The task of a call, once everything about the call is as it must be.
fn begun(env: &Env<'_>, scene: &Scene, params: &mut Params, era: &Era) -> Result<Begun, Failure> {
    let wrong = |reason: &str| Failure::Params(reason.to_owned());
    let name = params.get("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| wrong("`name` must be a string"))?;
    let arguments = params.get("arguments");
    if arguments.is_some_and(|arguments| !arguments.is_object()) {
        return Err(wrong("`arguments` must be an object"));
    }
    let task = match scene.service.tools.find(name, &scene.caller.access) {
        Some(tool) => {
            if let (Era::Stateless(_), Surface::Http { headers, .. }) = (era, &scene.surface) {
                let arguments = arguments.and_then(Value::as_object);
                check_parameters(headers, &tool.definition().input_schema, arguments)
                    .map_err(Failure::Parameter)?;
            }
            Arc::clone(tool) as Arc<dyn Task>
        }
        None if catalogue::may_be_made(&scene.service.config, name) => catalogue::calling(name),
        None => return Err(Failure::NoSuchTool(name.to_owned())),
    };
    let (trip, resumed) = match era {
        Era::Stateless(_) => {
            let (trip, resumed) = Trip::begin(env, scene, "tools/call", params)?;
            (Some(trip), resumed)
        }
        Era::Handshake(_) => (None, None),
    };
    Ok((task, trip, resumed))
}

/// A call of the scene's caller that says what its message says of itself.
fn call(scene: &Scene, id: &RequestId, params: &Params, arguments: Params) -> Call {
    Call {
        id: id.clone(),
        arguments,
        access: Arc::clone(&scene.caller.access),
        config: Arc::clone(&scene.service.config),
        // What the message says of itself is nearer than what its envelope says.
        trace: trace_context(params).or_else(|| scene.trace.clone()),
        progress: progress_token(params).is_some() && scene.takes_messages(),
        client: ClientAbilities::default(),
    }
}
