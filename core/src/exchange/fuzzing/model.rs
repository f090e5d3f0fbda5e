//! A model of clients that take turns at one server: they speak every revision, over a line-based stream and over HTTP, in
//! sessions and without, as two people and as nobody; they send what is right and what is wrong, answer what they are
//! asked, take requests back, go away, and let time pass. The bytes of the input choose every turn.
//!
//! The model knows little of the protocol and nothing of how core keeps it, so what it holds core to stands on its own:
//!
//! - a request gets one answer, which has its id, and no other message gets one;
//! - nobody has success without a token where tokens are asked for, nor after it has expired;
//! - a session lets in nobody but who began it, and nobody after its end;
//! - progress grows, has the token that was given, and comes to nobody who gave none; log messages alike;
//! - a request that stands alone is never asked back by a request, and its result says what it is; an older one never does;
//! - the ids of requests to a client do not come again in a session;
//! - what listens hears of nothing that is not tagged with its id.

mod dice;
mod heads;
mod messages;
mod oracle;
mod tool;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::{Counting, event, fail};
use crate::clickhouse::QueryEvent;
use crate::config::{self, Host, Sources};
use crate::env::Env;
use crate::exchange::{
    Admission, Flow, Inbound, Reply, Service, Session, Step, StreamWish, Subscription, Word, admit, begin,
};
use crate::facts::Facts;
use crate::fetch::FetchFailure;
use crate::jose::claims::Claims;
use crate::jose::token::{TokenKeys, seal};
use crate::jsonrpc::RequestId;
use crate::mcp::Change;
use crate::secret::Secret;
use crate::time::UnixTime;
use dice::Dice;
use heads::Person;
use oracle::Witness;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const TOKENS_END: UnixTime = UnixTime::from_seconds(1_800_003_600);
/// What passes when time does: two of them are more than a token lives.
const PASSES: Duration = Duration::from_secs(2400);
/// Steps after which a request must have ended.
const MOST_STEPS: usize = 200;
/// Requests that are open at once.
const MOST_OPEN: usize = 8;
/// Turns of one run.
const MOST_TURNS: usize = 200;

static OPEN: LazyLock<Option<Arc<Service>>> = LazyLock::new(|| service(&[]));
static CLOSED: LazyLock<Option<Arc<Service>>> = LazyLock::new(|| {
    service(&[
        ("MCP_ALLOW_JWE_AUTH", "true"),
        ("MCP_JWE_SECRET_KEY", "a"),
        ("MCP_JWT_SECRET_KEY", "b"),
        ("CLICKHOUSE_IMPERSONATION", "execute_as"),
    ])
});
static TOKENS: LazyLock<Vec<(Person, String)>> = LazyLock::new(|| {
    let Ok(keys) = TokenKeys::new(&[Secret::from("a")], &[Secret::from("b")]) else { return Vec::new() };
    let token = |person: Person| {
        let claims =
            Claims { email: Some(person.name().to_owned()), exp: Some(TOKENS_END), ..Claims::default() };
        seal(&keys, &claims, &mut Counting(7)).ok().map(|token| (person, token))
    };
    [Person::Alice, Person::Bob].into_iter().filter_map(token).collect()
});

fn service(variables: &[(&str, &str)]) -> Option<Arc<Service>> {
    let environment = [
        ("MCP_TRANSPORT", "http"),
        ("CLICKHOUSE_USERNAME", "gateway"),
        ("MCP_SEALING_SECRET", "a secret of more than enough characters"),
    ]
    .iter()
    .chain(variables)
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .collect();
    let sources = Sources { document: None, environment, flags: Vec::new() };
    let loaded = config::load(Host::Native, &sources, &|_| Err(String::new())).ok()?;
    let offer = tool::offer(&loaded.config);
    Service::new(loaded.config, offer, Host::Native).ok()
}

/// What came of a run, so that whoever feeds it can see that it does something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that were sent.
    pub sent: usize,
    /// Requests that ended with a result.
    pub results: usize,
    /// Requests that ended with an error or a refusal.
    pub refused: usize,
    /// Requests that were taken back while they ran.
    pub cancelled: usize,
    /// Questions of the server that were answered.
    pub answered: usize,
    /// Sessions that began over HTTP.
    pub sessions: usize,
    /// Requests that listen.
    pub listeners: usize,
}

/// Runs the model. Panics where core breaks a rule.
pub fn check(data: &[u8]) -> Tally {
    let mut dice = Dice::new(data);
    let is_closed = dice.roll(2) == 1;
    let service = if is_closed { CLOSED.as_ref() } else { OPEN.as_ref() };
    let Some(service) = service else { fail("the model has no server") };
    let mut model = Model::new(service, is_closed);
    if dice.roll(4) > 0 {
        model.introduce(&mut dice);
    }
    for _ in 0..MOST_TURNS {
        if dice.is_spent() {
            break;
        }
        model.turn(&mut dice);
    }
    model.end(&mut dice);
    model.tally
}

/// Where a message came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// The line-based stream.
    Line,
    /// HTTP, in a session or without.
    Http(Option<String>),
}

/// A request on its way.
struct Open {
    step: Step,
    origin: Origin,
    witness: Witness,
    person: Person,
    results: Vec<(RequestId, Result<Value, Value>)>,
    steps: usize,
}

struct Kept {
    session: Session,
    person: Person,
}

struct Model<'a> {
    service: &'a Arc<Service>,
    is_closed: bool,
    facts: Facts,
    rng: Counting,
    now: UnixTime,
    line: Option<Session>,
    sessions: BTreeMap<String, Kept>,
    ended: BTreeSet<String>,
    open: Vec<Open>,
    listeners: Vec<Subscription>,
    /// The ids of the questions of each session.
    questions: BTreeMap<Origin, Vec<RequestId>>,
    /// States that clients were given to bring back.
    states: Vec<String>,
    tally: Tally,
}

impl<'a> Model<'a> {
    fn new(service: &'a Arc<Service>, is_closed: bool) -> Self {
        let mut model = Self {
            service,
            is_closed,
            facts: Facts::default(),
            rng: Counting(1),
            now: NOW,
            line: None,
            sessions: BTreeMap::new(),
            ended: BTreeSet::new(),
            open: Vec::new(),
            listeners: Vec::new(),
            questions: BTreeMap::new(),
            states: Vec::new(),
            tally: Tally::default(),
        };
        // Where tokens are asked for, a line-based stream needs one of the operator's.
        model.line = service.open_session(&mut model.env()).ok();
        model
    }

    fn env(&mut self) -> Env<'_> {
        Env { now: self.now, rng: &mut self.rng, facts: &self.facts }
    }

    fn turn(&mut self, dice: &mut Dice<'_>) {
        match dice.roll(8) {
            0 | 1 => self.say(dice),
            2..=4 => self.post(dice),
            5 | 6 => self.advance(dice),
            _ => match dice.roll(4) {
                0 => self.leave(dice),
                1 => self.now = self.now.after(PASSES),
                2 => self.change(dice),
                _ => self.drop_one(dice),
            },
        }
    }

    /// Everybody introduces themselves, so that what needs a session is come to soon.
    fn introduce(&mut self, dice: &mut Dice<'_>) {
        let text = messages::hello(dice);
        if self.line.is_some() {
            self.say_this(dice, text.clone());
        }
        for person in [Person::Alice, Person::Bob] {
            if let Some(head) = heads::hello(person) {
                self.post_this(dice, &head, text.clone(), None, person);
            }
        }
    }

    /// A line of the stream.
    fn say(&mut self, dice: &mut Dice<'_>) {
        let text = self.text(dice, &Origin::Line);
        self.say_this(dice, text);
    }

    fn say_this(&mut self, dice: &mut Dice<'_>, text: String) {
        let Some(session) = self.line.clone() else { return };
        let inbound = Inbound::Line(Arc::clone(self.service), Bytes::from(text.clone()), session);
        let step = begin(&mut self.env(), inbound);
        self.begun(dice, step, Origin::Line, Person::Nobody, Witness::of(&text));
    }

    /// A request over HTTP.
    fn post(&mut self, dice: &mut Dice<'_>) {
        let session = self.some_session(dice);
        let origin = Origin::Http(session.clone());
        let text = self.text(dice, &origin);
        let person = dice.person();
        if let Some(head) = heads::post(dice, &text, session.as_deref(), person) {
            self.post_this(dice, &head, text, session, person);
        }
    }

    fn post_this(
        &mut self,
        dice: &mut Dice<'_>,
        head: &http::request::Parts,
        text: String,
        session: Option<String>,
        person: Person,
    ) {
        let origin = Origin::Http(session);
        let witness = Witness::of(&text);
        let is_known = !self.is_closed || (person.is_somebody() && self.now < TOKENS_END);
        let (service, now) = (Arc::clone(self.service), self.now);
        let admitted = match admit(&mut self.env(), &service, head) {
            Admission::Answer(answer) => {
                assert!(!answer.status().is_success(), "a head is answered with success");
                self.tally.refused += 1;
                return;
            }
            Admission::Learn(_) => return,
            Admission::Read(admitted) => admitted,
        };
        assert!(is_known, "somebody without a token came in at {now:?}");
        let admitted = match admitted.session_id().map(str::to_owned) {
            None => admitted,
            Some(id) => {
                let kept = self.sessions.get(&id);
                let may = kept.is_some_and(|kept| kept.person == person || !self.is_closed);
                let session = kept.map(|kept| kept.session.clone());
                match admitted.join(&self.env(), session) {
                    Ok(admitted) => {
                        assert!(may && !self.ended.contains(&id), "another's session, or one that is over");
                        admitted
                    }
                    Err(refusal) => {
                        assert!(!refusal.status().is_success(), "a session is refused with success");
                        self.tally.refused += 1;
                        return;
                    }
                }
            }
        };
        if let Some(wish) = admitted.stream_wish() {
            if let StreamWish::End { session } = wish {
                self.sessions.remove(session);
                self.ended.insert(session.clone());
            }
            return;
        }
        let step = begin(&mut self.env(), Inbound::Http(admitted, Bytes::from(text)));
        self.begun(dice, step, origin, person, witness);
    }

    fn begun(&mut self, dice: &mut Dice<'_>, step: Step, origin: Origin, person: Person, witness: Witness) {
        self.tally.sent += 1;
        self.open.push(Open { step, origin, witness, person, results: Vec::new(), steps: 0 });
        // Most go on at once, and some wait until others have come.
        let last = self.open.len() - 1;
        if dice.roll(2) > 0 || self.open.len() > MOST_OPEN {
            self.drive(dice, last);
        } else if matches!(self.open.get(last), Some(Open { step: Step::Done(_), .. })) {
            self.step(dice, last, false);
        }
    }

    /// One step of one open request.
    fn advance(&mut self, dice: &mut Dice<'_>) {
        if let Some(at) = dice.index(self.open.len()) {
            self.step(dice, at, false);
        }
    }

    /// All steps of an open request, unless it waits for its client.
    fn drive(&mut self, dice: &mut Dice<'_>, at: usize) {
        let mut open = self.open.len();
        while self.open.len() == open && self.step(dice, at, false) {
            open = self.open.len();
        }
    }

    /// Takes a step; `false` when the request has ended, or waits for its client.
    fn step(&mut self, dice: &mut Dice<'_>, at: usize, must_end: bool) -> bool {
        if at >= self.open.len() {
            return false;
        }
        let Open { step, origin, mut witness, person, mut results, steps } = self.open.remove(at);
        assert!(steps < MOST_STEPS, "a request that does not end");
        let mut waits = false;
        let step = match step {
            Step::Done(reply) => {
                self.conclude(reply, &origin, &witness, person);
                return false;
            }
            Step::Query(_, mut waiting) => {
                for _ in 0..dice.roll(6) {
                    self.now = self.now.after(Duration::from_millis(300));
                    match waiting.accept(&mut self.env(), event(dice.byte())) {
                        Flow::Continue => {}
                        Flow::Send(text) => witness.hear(&text),
                        Flow::Stop => break,
                    }
                }
                let _ = waiting.accept(&mut self.env(), QueryEvent::End);
                waiting.finish(&mut self.env())
            }
            Step::Fetch(_, waiting) => waiting.resume(&mut self.env(), Err(FetchFailure::Unreachable)),
            Step::Wait(until, waiting) => {
                self.now = self.now.max(until);
                waiting.resume(&mut self.env())
            }
            Step::Tell(word, waiting) => {
                match word {
                    Word::Client(text) => witness.hear(&text),
                    Word::Everybody(change) => self.tell(&change),
                    Word::Reconnect(_) => {}
                }
                waiting.resume(&mut self.env())
            }
            Step::Ask(questions, waiting) => {
                assert!(!witness.stands_alone(), "a request that stands alone is asked back");
                assert!(origin != Origin::Http(None), "a question that has no way to its client");
                let known = self.questions.entry(origin.clone()).or_default();
                for question in &questions {
                    if !witness.was_asked(&question.id) {
                        assert!(!known.contains(&question.id), "an id of ours comes again");
                        known.push(question.id.clone());
                        witness.ask(question);
                    }
                }
                let is_answered =
                    questions.iter().all(|question| results.iter().any(|(id, _)| *id == question.id));
                if is_answered {
                    self.tally.answered += 1;
                    waiting.resume(&mut self.env(), std::mem::take(&mut results))
                } else if must_end || dice.roll(6) == 0 {
                    waiting.decline(&mut self.env())
                } else {
                    waits = true;
                    Step::Ask(questions, waiting)
                }
            }
        };
        self.open
            .insert(at, Open { step, origin, witness, person, results, steps: steps + usize::from(!waits) });
        !waits
    }

    fn conclude(&mut self, reply: Reply, origin: &Origin, witness: &Witness, person: Person) {
        match reply {
            Reply::Http(answer) => {
                assert!(matches!(origin, Origin::Http(_)), "a line is answered over HTTP");
                self.tally.results += usize::from(witness.judge_answer(&answer));
                self.states.extend(oracle::body(&answer).as_ref().and_then(oracle::request_state));
            }
            Reply::Opened(answer, session) => {
                assert!(witness.asks_for("initialize"), "a session begins by itself");
                witness.judge_answer(&answer);
                let Some(id) = session.id().map(str::to_owned) else { fail("a session without an id") };
                let named = answer.headers().get("mcp-session-id").is_some_and(|named| named == id.as_str());
                assert!(named, "the client is not told of its session");
                assert!(
                    !self.sessions.contains_key(&id) && !self.ended.contains(&id),
                    "a session's id comes again"
                );
                self.sessions.insert(id, Kept { session, person });
                self.tally.sessions += 1;
            }
            Reply::Lines { messages, session } => {
                assert!(*origin == Origin::Line, "HTTP is answered with lines");
                self.tally.results += usize::from(witness.judge_lines(&messages));
                let parsed = messages.iter().filter_map(|text| serde_json::from_str(text).ok());
                self.states.extend(parsed.filter_map(|message| oracle::request_state(&message)));
                if session.is_some() {
                    self.line = session;
                }
            }
            Reply::Cancel(id) => {
                assert!(witness.takes_back(&id), "nobody took this request back");
                let before = self.open.len();
                self.open.retain(|open| open.origin != *origin || !open.witness.is_request(&id));
                self.tally.cancelled += before - self.open.len();
            }
            Reply::Answer(id, result) => {
                assert!(witness.is_response(&id), "nobody has answered this");
                assert!(*origin != Origin::Http(None), "an answer without a session");
                let asked = self.open.iter_mut().filter(|open| open.origin == *origin);
                if let Some(open) = asked.into_iter().find(|open| open.witness.was_asked(&id)) {
                    open.results.push((id, result));
                }
            }
            Reply::Listen(subscription) => {
                assert!(witness.asks_for("subscriptions/listen"), "somebody listens who did not ask to");
                assert!(witness.is_request(subscription.id()), "a listener with another's id");
                witness.judge_tag(&subscription.acknowledged());
                self.tally.listeners += 1;
                self.listeners.push(*subscription);
            }
        }
    }

    /// Something changes while nobody asks for it.
    fn change(&mut self, dice: &mut Dice<'_>) {
        let change = match dice.roll(4) {
            0 => Change::Tools,
            1 => Change::Prompts,
            2 => Change::Resources,
            _ => Change::Resource { uri: tool::URI.to_owned() },
        };
        self.tell(&change);
    }

    fn tell(&mut self, change: &Change) {
        for listener in &self.listeners {
            if let Some(text) = listener.notice(change) {
                oracle::judge_notice(&text, Some(listener.id()));
            }
        }
        for session in self.sessions.values().map(|kept| &kept.session).chain(&self.line) {
            if let Some(text) = session.notice(self.service, change) {
                oracle::judge_notice(&text, None);
            }
        }
    }

    /// A listener goes away, and hears so.
    fn leave(&mut self, dice: &mut Dice<'_>) {
        let Some(at) = dice.index(self.listeners.len()) else { return };
        let listener = self.listeners.remove(at);
        let last = listener.ended(dice.roll(2) == 1);
        let results = last.iter().filter(|text| oracle::is_result_of(text, listener.id())).count();
        assert!(results == 1, "a listener is told of its end once");
    }

    /// A client goes away before its answer.
    fn drop_one(&mut self, dice: &mut Dice<'_>) {
        if let Some(at) = dice.index(self.open.len()) {
            self.open.remove(at);
        }
    }

    /// Everything that is open ends.
    fn end(&mut self, dice: &mut Dice<'_>) {
        for _ in 0..MOST_STEPS * (MOST_OPEN + 2) {
            if self.open.is_empty() {
                return;
            }
            self.step(dice, 0, true);
        }
        fail("a request that does not end");
    }

    fn some_session(&self, dice: &mut Dice<'_>) -> Option<String> {
        match dice.roll(12) {
            0 | 1 => None,
            2 => Some(self.ended.first().cloned().unwrap_or_else(|| "no-such-session".to_owned())),
            _ => {
                let at = dice.index(self.sessions.len())?;
                self.sessions.keys().nth(at).cloned()
            }
        }
    }

    fn text(&self, dice: &mut Dice<'_>, origin: &Origin) -> String {
        let here = || self.open.iter().filter(|open| open.origin == *origin);
        let known = messages::Known {
            asked: here().flat_map(|open| open.witness.questions()).collect(),
            running: here().filter_map(|open| open.witness.request_id()).collect(),
            states: &self.states,
        };
        messages::text(dice, &known)
    }
}
