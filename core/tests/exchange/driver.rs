//! The third driver: synchronous, without I/O, its world a script.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use housekey_core::clickhouse::{Column, QueryEvent, QueryRequest};
use housekey_core::config::{self, Host, Sources};
use housekey_core::env::Env;
use housekey_core::exchange::{
    Admission, Flow, Inbound, Offer, Question, Reply, Service, Session, Step, StreamWish, Word, admit, begin,
};
use housekey_core::facts::Facts;
use housekey_core::fetch::{Document, FetchFailure, FetchRequest};
use housekey_core::time::UnixTime;
use housekey_core::tool::Table;
use rand_core::{TryCryptoRng, TryRng};
use serde_json::Value;

/// Randomness that counts, so that a run can be repeated.
pub(crate) struct Counting(pub(crate) u64);

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            *byte = (self.try_next_u64()? >> 56) as u8;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

/// One thing that the world does when it is asked.
pub(crate) enum World {
    /// Answers a query with these events.
    Rows(Vec<QueryEvent>),
    /// Answers a fetch.
    Document(Result<Document, FetchFailure>),
    /// Answers a question to the client, or cannot.
    Answer(Option<Value>),
    /// Lets a moment pass.
    Moment,
}

/// What was asked of the world.
#[derive(Debug)]
pub(crate) enum Asked {
    Query(Box<QueryRequest>),
    Fetch(FetchRequest),
    Ask(Vec<Question>),
    Wait(UnixTime),
}

/// How much time passes from one report of progress to the next.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// A server whose world is a script.
pub(crate) struct Scripted {
    pub(crate) service: Arc<Service>,
    pub(crate) facts: Facts,
    pub(crate) now: UnixTime,
    pub(crate) rng: Counting,
    pub(crate) script: VecDeque<World>,
    /// What was asked, in order.
    pub(crate) asked: Vec<Asked>,
    /// What was sent before the reply.
    pub(crate) sent: Vec<String>,
    /// What was told, but for what was sent.
    pub(crate) told: Vec<Word>,
}

/// A service under a configuration of these variables: of what Housekey offers, or of something else.
pub(crate) fn service(variables: &[(&str, &str)], offer: Option<Offer>) -> Arc<Service> {
    // Over HTTP unless the variables say otherwise: a later value of the same name wins.
    let environment = std::iter::once(&("MCP_TRANSPORT", "http"))
        .chain(variables)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let sources = Sources { document: None, environment, flags: Vec::new() };
    let loaded =
        config::load(Host::Native, &sources, &|_| Err("no files here".into())).expect("a configuration");
    match offer {
        Some(offer) => Service::new(loaded.config, offer, Host::Native),
        None => Service::product(loaded.config, Host::Native),
    }
    .expect("a service")
}

impl Scripted {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        Self::of(service(variables, None))
    }

    pub(crate) fn with_tools(variables: &[(&str, &str)], tools: Table) -> Self {
        Self::with_offer(variables, tools.into())
    }

    pub(crate) fn with_offer(variables: &[(&str, &str)], offer: Offer) -> Self {
        Self::of(service(variables, Some(offer)))
    }

    /// The product as a component, which keeps nothing between requests.
    pub(crate) fn at_edge(variables: &[(&str, &str)]) -> Self {
        let environment =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sources = Sources { document: None, environment, flags: Vec::new() };
        let loaded = config::load(Host::Edge, &sources, &|_| Err("no files here".into())).expect("a config");
        Self::of(Service::product(loaded.config, Host::Edge).expect("a service"))
    }

    fn of(service: Arc<Service>) -> Self {
        Self {
            service,
            facts: Facts::default(),
            now: UnixTime::from_seconds(1_800_000_000),
            rng: Counting(1),
            script: VecDeque::new(),
            asked: Vec::new(),
            sent: Vec::new(),
            told: Vec::new(),
        }
    }

    pub(crate) fn env(&mut self) -> Env<'_> {
        Env { now: self.now, rng: &mut self.rng, facts: &self.facts }
    }

    /// A request over HTTP, whole.
    pub(crate) fn http(&mut self, request: http::Request<&str>) -> http::Response<Bytes> {
        let Reply::Http(answer) = self.reply(request, None) else { panic!("HTTP is answered with HTTP") };
        answer
    }

    /// What becomes of a request over HTTP, which may be part of a session.
    pub(crate) fn reply(&mut self, request: http::Request<&str>, session: Option<Session>) -> Reply {
        let (head, body) = request.into_parts();
        let service = Arc::clone(&self.service);
        let admitted = loop {
            match admit(&mut self.env(), &service, &head) {
                Admission::Answer(answer) => return Reply::Http(answer),
                Admission::Read(admitted) => break admitted,
                Admission::Learn(request) => {
                    let Some(World::Document(fetched)) = self.script.pop_front() else {
                        panic!("no document in the script for {}", request.url)
                    };
                    self.facts.learn(&request, &fetched, self.now);
                    self.asked.push(Asked::Fetch(*request));
                }
            }
        };
        let admitted = match admitted.session_id() {
            Some(_) => match admitted.join(&self.env(), session) {
                Ok(admitted) => admitted,
                Err(refusal) => return Reply::Http(*refusal),
            },
            None => admitted,
        };
        let step = begin(&mut self.env(), Inbound::Http(admitted, Bytes::copy_from_slice(body.as_bytes())));
        self.drive(step)
    }

    /// What a request wants of streams, or the status with which it is refused.
    pub(crate) fn wish(&mut self, request: http::Request<&str>) -> Result<Option<StreamWish>, u16> {
        let (head, _) = request.into_parts();
        let service = Arc::clone(&self.service);
        match admit(&mut self.env(), &service, &head) {
            Admission::Answer(answer) => Err(answer.status().as_u16()),
            Admission::Read(admitted) => Ok(admitted.stream_wish().cloned()),
            Admission::Learn(_) => panic!("a fact is needed"),
        }
    }

    /// A line of a stream.
    pub(crate) fn line(&mut self, line: &str, session: &mut Session) -> Reply {
        let inbound = Inbound::Line(
            Arc::clone(&self.service),
            Bytes::copy_from_slice(line.as_bytes()),
            session.clone(),
        );
        let step = begin(&mut self.env(), inbound);
        let reply = self.drive(step);
        if let Reply::Lines { session: Some(changed), .. } = &reply {
            *session = changed.clone();
        }
        reply
    }

    pub(crate) fn drive(&mut self, mut step: Step) -> Reply {
        loop {
            step = match step {
                Step::Done(reply) => return reply,
                Step::Query(request, mut waiting) => {
                    self.asked.push(Asked::Query(request));
                    let Some(World::Rows(events)) = self.script.pop_front() else {
                        panic!("no rows in the script")
                    };
                    for event in events {
                        if matches!(event, QueryEvent::Progress { .. }) {
                            self.now = self.now.after(PROGRESS_EVERY);
                        }
                        match waiting.accept(&mut self.env(), event) {
                            Flow::Continue => {}
                            Flow::Send(text) => self.sent.push(text),
                            Flow::Stop => break,
                        }
                    }
                    waiting.finish(&mut self.env())
                }
                Step::Fetch(request, waiting) => {
                    let Some(World::Document(fetched)) = self.script.pop_front() else {
                        panic!("no document in the script for {}", request.url)
                    };
                    self.asked.push(Asked::Fetch(request));
                    waiting.resume(&mut self.env(), fetched)
                }
                Step::Tell(word, waiting) => {
                    match word {
                        Word::Client(text) => self.sent.push(text),
                        word @ (Word::Everybody(_) | Word::Reconnect(_)) => self.told.push(word),
                    }
                    waiting.resume(&mut self.env())
                }
                Step::Ask(questions, waiting) => {
                    let ids: Vec<_> = questions.iter().map(|question| question.id.clone()).collect();
                    self.asked.push(Asked::Ask(questions));
                    match self.script.pop_front() {
                        // The same to each question.
                        Some(World::Answer(Some(answer))) => {
                            let results = ids.into_iter().map(|id| (id, Ok(answer.clone())));
                            waiting.resume(&mut self.env(), results)
                        }
                        Some(World::Answer(None)) => waiting.decline(&mut self.env()),
                        _ => panic!("no answer in the script"),
                    }
                }
                Step::Wait(until, waiting) => {
                    self.asked.push(Asked::Wait(until));
                    let Some(World::Moment) = self.script.pop_front() else {
                        panic!("no moment in the script")
                    };
                    self.now = until;
                    waiting.resume(&mut self.env())
                }
            };
        }
    }

    /// The queries that were asked.
    pub(crate) fn queries(&self) -> Vec<&QueryRequest> {
        self.asked
            .iter()
            .filter_map(|asked| match asked {
                Asked::Query(request) => Some(&**request),
                Asked::Fetch(_) | Asked::Ask(_) | Asked::Wait(_) => None,
            })
            .collect()
    }
}

/// The events of an answer with one UInt8 column.
pub(crate) fn rows(values: &[u8]) -> World {
    let header = vec![Column { name: "n".into(), type_name: "UInt8".into() }];
    let mut events = vec![QueryEvent::Header(header)];
    events.extend(values.iter().map(|value| QueryEvent::Rows([format!("[{value}]")].iter().collect())));
    events.push(QueryEvent::End);
    World::Rows(events)
}

/// A POST of a stateless request with all its headers.
pub(crate) fn stateless(method: &str, params: &Value) -> http::request::Builder {
    let builder = http::Request::post("/mcp")
        .header("host", "localhost:8080")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    match params.get("name").and_then(Value::as_str) {
        Some(name) => builder.header("mcp-name", name),
        None => builder,
    }
}

/// The body of a stateless request.
pub(crate) fn stateless_body(id: i64, method: &str, mut params: Value) -> String {
    params["_meta"] = serde_json::json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    serde_json::json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// A POST of a message of the revisions with a handshake.
pub(crate) fn post(version: &str, body: &'static str) -> http::Request<&'static str> {
    let mut builder =
        http::Request::post("/mcp").header("host", "127.0.0.1").header("content-type", "application/json");
    if !version.is_empty() {
        builder = builder.header("mcp-protocol-version", version);
    }
    builder.body(body).expect("a request")
}

/// The body of an answer as JSON.
pub(crate) fn json(answer: &http::Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_else(|_| panic!("JSON, not {:?}", answer.body()))
}
