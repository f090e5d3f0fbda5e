//! The driver: match the step, wait, resume.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use housekey_core::config::Host;
use housekey_core::exchange::{
    Admission, Admitted, Inbound, MOST_FACTS, Refusal, Reply, Service, Step, Word, admit, begin, unsettled,
};
use housekey_core::facts::Facts;
use housekey_core::fetch::{Document, FetchFailure, FetchRequest};
use http::{Response, StatusCode, request};

use crate::bindings::wasi::cli::environment;
use crate::bindings::wasi::http::types::{IncomingRequest, Method, ResponseOutparam};
use crate::bindings::wasi::io::streams::StreamError;
use crate::client::Client;
use crate::convert;
use crate::query::{self, Queried};
use crate::settings::{Ready, prepare};
use crate::way::{Leftover, fetch};
use crate::world::{Deadline, log, now, sleep, with_env};

/// Seconds that a client may take over its body.
const BODY_SECONDS: u64 = 60;

/// Bytes that are set aside for a body whose length nobody declares.
const FIRST_ROOM: usize = 64 << 10;

/// What an instance keeps. Most runtimes make an instance for each request; those that do not save the preparation.
struct Instance {
    ready: Result<Ready, String>,
    facts: Facts,
}

static INSTANCE: OnceLock<Instance> = OnceLock::new();

/// Answers a request.
pub(crate) fn serve(request: IncomingRequest, out: ResponseOutparam) {
    let mut client = Client::new(out);
    let Instance { ready, facts } =
        INSTANCE.get_or_init(|| Instance { ready: ready(), facts: Facts::default() });
    let ready = match ready {
        Ok(ready) => ready,
        Err(problem) => {
            log(problem);
            return client.reply(plain(StatusCode::INTERNAL_SERVER_ERROR, problem));
        }
    };
    let head = match head(&request) {
        Ok(head) => head,
        Err(convert::BadHead(problem)) => return client.reply(plain(StatusCode::BAD_REQUEST, problem)),
    };
    // Warnings with every request would drown the log, and an instance does not know whether it is the first.
    if head.uri.path() == "/health" {
        ready.warnings.iter().for_each(|warning| log(warning));
    }
    match admitted(facts, &ready.service, &head, &request) {
        Ok((admitted, body)) => {
            client.allow_stream(admitted.stream_head());
            let step = with_env(facts, |env| begin(env, Inbound::Http(admitted, body)));
            drive(facts, client, step);
        }
        Err(refusal) => answer(client, refusal),
    }
}

/// From the first step to the reply, and what is left to do after it.
fn drive(facts: &Facts, mut client: Client, mut step: Step) {
    let mut leftovers = Vec::new();
    let reply = loop {
        step = match step {
            Step::Fetch(wanted, waiting) => {
                let fetched = fetched(&wanted);
                with_env(facts, |env| waiting.resume(env, fetched))
            }
            Step::Query(request, waiting) => match query::run(facts, client, &request, waiting) {
                Queried::Next(step, same, leftover) => {
                    client = same;
                    leftovers.extend(leftover);
                    step
                }
                Queried::Abandoned => return,
            },
            // Word that precedes the answer goes ahead of it; nothing here outlives the request, so nobody else hears of it.
            Step::Tell(Word::Client(message), waiting) => {
                if client.send(&message).is_err() {
                    return;
                }
                with_env(facts, |env| waiting.resume(env))
            }
            Step::Tell(Word::Everybody(_) | Word::Reconnect(_), waiting) => {
                with_env(facts, |env| waiting.resume(env))
            }
            // HTTP without a session has no way to ask the client anything.
            Step::Ask(_, waiting) => with_env(facts, |env| waiting.decline(env)),
            Step::Wait(until, waiting) => {
                sleep(u64::try_from(until.since(now()).as_millis()).unwrap_or(u64::MAX));
                with_env(facts, |env| waiting.resume(env))
            }
            Step::Done(Reply::Http(reply)) => break reply,
            // These belong to line-based streams and to sessions, which a component does not have.
            Step::Done(
                Reply::Lines { .. }
                | Reply::Cancel(_)
                | Reply::Opened(..)
                | Reply::Answer(..)
                | Reply::Listen(_),
            ) => {
                break plain(StatusCode::INTERNAL_SERVER_ERROR, "there is no answer");
            }
        };
    };
    answer(client, reply);
    // Nobody waits for these, so they come last.
    leftovers.into_iter().for_each(Leftover::end);
}

/// Answers, and tells the operator why a request is refused, which the client may hear in fewer words.
fn answer(client: Client, reply: Response<Bytes>) {
    if let Some(Refusal(reason)) = reply.extensions().get() {
        log(&format!("refused: {reason}"));
    }
    client.reply(reply);
}

/// Admits the request by its head and reads its body.
fn admitted(
    facts: &Facts,
    service: &Arc<Service>,
    head: &request::Parts,
    request: &IncomingRequest,
) -> Result<(Admitted, Bytes), Response<Bytes>> {
    let admitted = judge(facts, service, head)?;
    let most = admitted.max_body();
    if most == 0 {
        return Ok((admitted, Bytes::new()));
    }
    let body = read_body(request, convert::declared_length(head), most).map_err(|unread| match unread {
        Unread::TooLarge => admitted.too_large(),
        Unread::TooSlow => admitted.too_slow(),
        Unread::Broken => admitted.broken_off(),
    })?;
    Ok((admitted, body))
}

/// Judges the head of a request, and learns what that takes: the keys of a token's issuer, say.
fn judge(facts: &Facts, service: &Arc<Service>, head: &request::Parts) -> Result<Admitted, Response<Bytes>> {
    for _ in 0..MOST_FACTS {
        match with_env(facts, |env| admit(env, service, head)) {
            Admission::Answer(answer) => return Err(answer),
            Admission::Read(admitted) => return Ok(admitted),
            Admission::Learn(wanted) => {
                let fetched = fetched(&wanted);
                with_env(facts, |env| env.facts.learn(&wanted, &fetched, env.now));
            }
        }
    }
    Err(unsettled())
}

/// Fetches a document, and tells the operator if there is none.
fn fetched(wanted: &FetchRequest) -> Result<Document, FetchFailure> {
    let fetched = fetch(wanted);
    if let Err(failure) = &fetched {
        log(&format!("{}: {failure}", wanted.purpose));
    }
    fetched
}

enum Unread {
    TooLarge,
    TooSlow,
    Broken,
}

fn read_body(request: &IncomingRequest, declared: Option<usize>, most: usize) -> Result<Bytes, Unread> {
    let incoming = request.consume().map_err(|()| Unread::Broken)?;
    let stream = incoming.stream().map_err(|()| Unread::Broken)?;
    let deadline = Deadline::after_seconds(BODY_SECONDS);
    let mut body = Vec::new();
    if body.try_reserve_exact(declared.unwrap_or_default().min(most)).is_err() {
        return Err(Unread::TooLarge);
    }
    loop {
        if !deadline.wait_for(&stream.subscribe()) {
            return Err(Unread::TooSlow);
        }
        match stream.read(64 * 1024) {
            Ok(bytes) if body.len().saturating_add(bytes.len()) > most => return Err(Unread::TooLarge),
            Ok(bytes) => {
                // Growing by doubling could ask for more than the memory has, and that would be a trap.
                let room =
                    if body.capacity() == 0 { FIRST_ROOM.min(most) } else { bytes.len().max(body.len() / 4) };
                if body.capacity() - body.len() < bytes.len()
                    && body.try_reserve_exact(room.max(bytes.len())).is_err()
                {
                    return Err(Unread::TooLarge);
                }
                body.extend_from_slice(&bytes);
            }
            Err(StreamError::Closed) => return Ok(body.into()),
            Err(StreamError::LastOperationFailed(_)) => return Err(Unread::Broken),
        }
    }
}

fn head(request: &IncomingRequest) -> Result<request::Parts, convert::BadHead> {
    let method = match request.method() {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(other) => &other.clone(),
    };
    let (authority, path) = (request.authority(), request.path_with_query());
    convert::request_head(method, authority.as_deref(), path.as_deref(), request.headers().entries())
}

#[cfg(not(any(feature = "hosted", feature = "spin")))]
fn ready() -> Result<Ready, String> {
    prepare(Host::Edge, environment::get_environment())
}

#[cfg(feature = "hosted")]
fn ready() -> Result<Ready, String> {
    prepare(Host::Hosted, environment::get_environment())
}

/// At Spin, variables give what the environment does not, above all the secrets.
#[cfg(feature = "spin")]
fn ready() -> Result<Ready, String> {
    use crate::bindings::fermyon::spin::variables::{self, Error};
    use crate::settings::with_variables;

    let find = |name: &str| match variables::get(name) {
        Ok(value) => Ok(Some(value)),
        Err(Error::Undefined(_) | Error::InvalidName(_)) => Ok(None),
        // A vault that does not answer must not look like a setting that nobody gave.
        Err(Error::Provider(_) | Error::Other(_)) => Err(format!("the Spin variable {name} cannot be read.")),
    };
    prepare(Host::Edge, with_variables(environment::get_environment(), find)?)
}

fn plain(status: StatusCode, text: &str) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(format!("{text}\n")));
    *answer.status_mut() = status;
    let text = http::HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, text);
    answer
}
