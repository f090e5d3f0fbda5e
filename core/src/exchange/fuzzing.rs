//! The property that the fuzz target and the replayed corpus hold exchanges to: whatever comes in, nothing panics,
//! every request gets one answer with its own id, nobody without a token is answered with success, a GET sends nothing
//! that writes, and the REST interface answers in JSON.

pub mod model;

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use serde_json::Value;

use super::{
    Abilities, Admission, Flow, Inbound, Offer, Reply, RestPath, Route, Service, Session, Step, admit, begin,
};
use crate::clickhouse::{Column, Credential, Exception, QueryEvent, Statement};
use crate::config::{self, Host, Sources};
use crate::counting::Counting;
use crate::env::Env;
use crate::facts::Facts;
use crate::fetch::FetchFailure;
use crate::jose::token::open;
use crate::jsonrpc::RequestId;
use crate::mcp::{ClientAbilities, Revision};
use crate::prompt::Prompts;
use crate::resource::Resources;
use crate::time::UnixTime;
use crate::tool::Table;

/// Steps after which an exchange must have ended: a query begins anew at most once for each of our settings.
const MOST_STEPS: usize = 64;
const NOW: u64 = 1_800_000_000;

static OPEN: LazyLock<Option<Arc<Service>>> = LazyLock::new(|| service(&[]));
static CLOSED: LazyLock<Option<Arc<Service>>> = LazyLock::new(|| {
    let keys = [("MCP_JWE_SECRET_KEY", "a"), ("MCP_JWT_SECRET_KEY", "b")];
    let others = [("MCP_ALLOW_JWE_AUTH", "true"), ("MCP_JWE_GENERATOR_RATE", "0")];
    service(&[keys, others].concat())
});

/// A server that has sessions, tells of changes and asks.
static TALKING: LazyLock<Option<Arc<Service>>> = LazyLock::new(|| {
    let secret = ("MCP_SEALING_SECRET".to_owned(), "a secret of the fuzzer's own, long enough".to_owned());
    let more = ("CLICKHOUSE_ALLOW_DESTRUCTIVE".to_owned(), "true".to_owned());
    let http = ("MCP_TRANSPORT".to_owned(), "http".to_owned());
    let environment = [secret, more, http].into_iter().collect();
    let sources = Sources { document: None, environment, flags: Vec::new() };
    let config = config::load(Host::Native, &sources, &|_| Err(String::new())).ok()?.config;
    let (tools, abilities) = (Table::product(&config), Abilities::ALL);
    let offer = Offer { tools, resources: Resources::product(), prompts: Prompts::product(), abilities };
    Service::new(config, offer, Host::Native).ok()
});

fn service(variables: &[(&str, &str)]) -> Option<Arc<Service>> {
    let environment = [("MCP_TRANSPORT", "http"), ("MCP_OPENAPI", "http")]
        .iter()
        .chain(variables)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let sources = Sources { document: None, environment, flags: Vec::new() };
    let loaded = config::load(Host::Native, &sources, &|_| Err(String::new())).ok()?;
    Service::product(loaded.config, Host::Native).ok()
}

/// Runs one exchange. The input is a line of flags, the header lines up to an empty one, then the body.
pub fn check(data: &[u8]) {
    let (flags, rest) = split(data, b"\n");
    let (head, body) = split(rest, b"\n\n");
    let flag = |at: usize| flags.get(at).copied().unwrap_or_default();
    let closed = flag(0) & 1 == 1;
    let talking = !closed && flag(0) & 4 == 4;
    let service = match (closed, talking) {
        (true, _) => CLOSED.as_ref(),
        (false, true) => TALKING.as_ref(),
        (false, false) => OPEN.as_ref(),
    };
    let Some(service) = service else { return };
    let mut world = World { facts: Facts::default(), rng: Counting(1), events: flags, may_write: true };
    if flag(0) & 2 == 2 && !closed {
        return world.line(service, body);
    }
    let Some(request) = request(head) else { return };
    let (parts, ()) = request.into_parts();
    let over_rest = matches!(
        Route::parse(parts.uri.path(), service.keys.is_some()),
        Some(Route::OpenApi { .. }) if parts.method != "OPTIONS"
    );
    world.may_write = parts.method == "POST";
    let admission = admit(&mut world.env(), service, &parts);
    let admitted = match admission {
        Admission::Learn(_) => fail("nothing has to be learned without OAuth"),
        Admission::Answer(answer) => {
            assert!(
                !closed
                    || !answer.status().is_success()
                    || parts.uri.path().len() > 1
                    || parts.method == "OPTIONS"
            );
            if over_rest {
                check_rest(&answer);
            }
            return;
        }
        Admission::Read(admitted) => admitted,
    };
    let generates = *admitted.route() == Route::Generator;
    let is_schema = matches!(admitted.route(), Route::OpenApi { path: RestPath::Schema, .. });
    let open_to_all = generates || is_schema || *admitted.route() == Route::Health;
    assert!(!closed || open_to_all, "a stranger was admitted");
    let session = world.session(service, flag(1)).filter(|_| talking && flag(0) & 8 == 8);
    let in_session = session.is_some() && admitted.session_id().is_some();
    let admitted = match session.filter(|_| in_session) {
        Some(session) => match admitted.join(&world.env(), Some(session)) {
            Ok(joined) => joined,
            Err(_) => fail("a session of the same caller is refused"),
        },
        None => admitted,
    };
    let step = begin(&mut world.env(), Inbound::Http(admitted, Bytes::copy_from_slice(body)));
    let wanted = serde_json::from_slice::<Value>(body).ok();
    let answer = match world.drive(step) {
        Reply::Http(answer) => answer,
        Reply::Opened(answer, session) if talking => {
            assert!(session.id().is_some_and(|id| id.len() >= 32), "a session that can be guessed");
            answer
        }
        Reply::Listen(subscription) if talking => {
            assert_eq!(
                wanted.as_ref().and_then(|asked| RequestId::parse(asked.get("id")?)).as_ref(),
                Some(subscription.id())
            );
            return;
        }
        Reply::Lines { messages, .. } if in_session => {
            return messages.iter().for_each(|message| check_answer(wanted.as_ref(), message.as_bytes()));
        }
        Reply::Cancel(_) | Reply::Answer(..) if in_session => return,
        Reply::Lines { .. } | Reply::Cancel(_) | Reply::Answer(..) | Reply::Opened(..) | Reply::Listen(_) => {
            fail("a reply that nothing here has a place for")
        }
    };
    if over_rest {
        return check_rest(&answer);
    }
    if generates && answer.status().is_success() {
        return check_minted(service, answer.body());
    }
    if answer.headers().get("content-type").is_some_and(|kind| kind == "application/json") {
        check_answer(wanted.as_ref(), answer.body());
    }
}

/// What a stranger has made grants nothing that they lack.
fn check_minted(service: &Service, answer: &[u8]) {
    let answer = serde_json::from_slice::<Value>(answer).unwrap_or_default();
    let (Some(keys), Some(token)) = (&service.keys, answer.get("token").and_then(Value::as_str)) else {
        fail("a token is made with keys")
    };
    let now = UnixTime::from_seconds(NOW);
    let Ok(claims) = open(keys, token, &service.life, now) else { fail("a token that does not open") };
    assert!(
        claims.email.is_none() && claims.sub.is_none() && claims.tls_ca_cert.is_none(),
        "a stranger's token"
    );
    let Ok(caller) = service.policy.caller(&service.config, &claims) else { fail("a token of no use") };
    let (Some(username), Some(password)) = (claims.username, claims.password) else {
        fail("no login of its own")
    };
    assert!(!caller.access.chosen_by.is_operator(), "the operator's server is lent");
    assert!(
        caller.access.credential == Credential::Password { username, password },
        "another's login is lent"
    );
}

/// Everything that the REST interface says is a JSON object, and says `error` if and only if it is one.
fn check_rest(answer: &http::Response<Bytes>) {
    let is_json = answer.headers().get("content-type").is_some_and(|kind| kind == "application/json");
    let Ok(Value::Object(body)) = serde_json::from_slice(answer.body()) else { fail("REST without JSON") };
    assert!(is_json, "JSON that does not say so");
    let is_error = body.get("error").is_some_and(Value::is_string) && body.len() == 1;
    assert!(answer.status().is_success() != is_error, "a status that does not fit its body");
}

/// A response has the id of its request, or none where the request had none that could be read.
fn check_answer(request: Option<&Value>, answer: &[u8]) {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { fail("the answer is not JSON") };
    let Some(Value::Object(request)) = request else { return };
    let wanted = request.get("id").and_then(RequestId::parse);
    let given = answer.get("id").and_then(RequestId::parse);
    assert!(given.is_none() || given == wanted, "an answer to another request");
}

/// Fails the property.
#[expect(clippy::panic, reason = "a property that fails must be seen by the fuzzer")]
fn fail(reason: &'static str) -> ! {
    panic!("{reason}")
}

struct World<'a> {
    facts: Facts,
    rng: Counting,
    events: &'a [u8],
    may_write: bool,
}

impl World<'_> {
    fn env(&mut self) -> Env<'_> {
        Env { now: UnixTime::from_seconds(NOW), rng: &mut self.rng, facts: &self.facts }
    }

    /// A session of everybody's, whose client can be asked.
    fn session(&mut self, service: &Service, revision: u8) -> Option<Session> {
        let forms = ClientAbilities { forms: true, ..ClientAbilities::default() };
        let revision = Revision::ALL.get(usize::from(revision % 4)).copied()?;
        let session = Session::new(service.anonymous.clone()?, Some("x".repeat(64)));
        Some(session.introduced(revision, forms))
    }

    fn line(&mut self, service: &Arc<Service>, body: &[u8]) {
        let Ok(mut session) = service.open_session(&mut self.env()) else { return };
        for line in body.split(|byte| *byte == b'\n') {
            let inbound = Inbound::Line(Arc::clone(service), Bytes::copy_from_slice(line), session.clone());
            let step = begin(&mut self.env(), inbound);
            if let Reply::Lines { messages, session: changed } = self.drive(step) {
                for message in messages {
                    assert!(!message.contains('\n'), "a message is one line");
                    check_answer(serde_json::from_slice(line).ok().as_ref(), message.as_bytes());
                }
                session = changed.unwrap_or(session);
            }
        }
    }

    fn drive(&mut self, mut step: Step) -> Reply {
        for _ in 0..MOST_STEPS {
            step = match step {
                Step::Done(reply) => return reply,
                Step::Query(request, mut waiting) => {
                    let writes = matches!(request.statement, Statement::Writable(_));
                    assert!(self.may_write || !writes, "something that writes was fetched");
                    for event in self.events.iter().map(|byte| event(*byte)).chain([QueryEvent::End]) {
                        if waiting.accept(&mut self.env(), event) == Flow::Stop {
                            break;
                        }
                    }
                    waiting.finish(&mut self.env())
                }
                Step::Fetch(_, waiting) => waiting.resume(&mut self.env(), Err(FetchFailure::Unreachable)),
                Step::Ask(questions, waiting) => {
                    let yes = serde_json::json!({ "action": "accept", "content": { "confirm": true } });
                    let says_yes = self.events.first().is_some_and(|byte| byte & 16 == 16);
                    let results = questions.into_iter().map(|question| (question.id, Ok(yes.clone())));
                    match says_yes {
                        true => waiting.resume(&mut self.env(), results),
                        false => waiting.decline(&mut self.env()),
                    }
                }
                Step::Tell(_, waiting) => waiting.resume(&mut self.env()),
                Step::Wait(_, waiting) => waiting.resume(&mut self.env()),
            };
        }
        fail("an exchange that does not end")
    }
}

fn event(byte: u8) -> QueryEvent {
    let column = |name: &str| Column { name: name.to_owned(), type_name: "UInt8".to_owned() };
    let refused = |code, message: &str| {
        let message = message.to_owned();
        QueryEvent::Exception(Exception { code, name: String::new(), message, before_execution: true })
    };
    match byte % 8 {
        0 => QueryEvent::Header(vec![column("a")]),
        1 => QueryEvent::Rows(["[1]"].iter().collect()),
        2 => QueryEvent::Progress { read_rows: u64::from(byte), read_bytes: 0, total_rows: None },
        3 => QueryEvent::RowTooLong,
        4 => refused(164, "Cannot modify 'readonly' setting in readonly mode"),
        5 => refused(452, "Setting limit should not be changed"),
        6 => QueryEvent::Broken("cut".to_owned()),
        _ => QueryEvent::End,
    }
}

fn split<'a>(data: &'a [u8], mark: &[u8]) -> (&'a [u8], &'a [u8]) {
    let at = data.windows(mark.len()).position(|window| window == mark);
    match at {
        Some(at) => (data.get(..at).unwrap_or_default(), data.get(at + mark.len()..).unwrap_or_default()),
        None => (data, &[]),
    }
}

fn request(head: &[u8]) -> Option<http::Request<()>> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let (method, path) = lines.next()?.split_once(' ')?;
    let mut builder = http::Request::builder().method(method).uri(path);
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        builder = builder.header(name, value);
    }
    builder.body(()).ok()
}
