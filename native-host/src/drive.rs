//! The driver: match the step, wait, resume. It takes no decision of its own.
//!
//! A driver that is dropped, because its client went away, takes its query on the server with it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use housekey_core::clickhouse::{QueryEvent, QueryRequest};
use housekey_core::exchange::{AwaitQuery, Flow, Reply, Step, Word};
use housekey_core::fetch::{Document, FetchFailure, FetchRequest};
use housekey_core::jsonrpc::RequestId;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use crate::clickhouse::Answer;
use crate::host::{Native, now};
use crate::talk::{Outbox, Talk};

/// What is left of an answer that is cut short is read up to here, so that its connection lives on.
const DRAIN_BYTES: usize = 256 << 10;
const DRAIN_TIME: Duration = Duration::from_millis(100);

/// Where a request came from, as far as its driver needs to know.
pub struct Client<'a> {
    /// Takes the messages that precede the reply.
    pub outbox: &'a Outbox,
    /// Is told which request waits, for streams on which requests are cancelled by their id.
    pub waiting: Option<&'a Mutex<RequestId>>,
    /// Where the answers of the client come in, where it can be asked.
    pub talk: Option<&'a Talk>,
}

impl Client<'_> {
    fn waits(&self, id: &RequestId) {
        if let Some(waiting) = self.waiting {
            waiting.lock().unwrap_or_else(PoisonError::into_inner).clone_from(id);
        }
    }
}

/// Takes step after step until there is a reply.
pub async fn drive(native: &Native, mut step: Step, client: &Client<'_>) -> Reply {
    loop {
        step = match step {
            Step::Done(reply) => return reply,
            Step::Query(request, waiting) => query(native, &request, waiting, client).await,
            Step::Fetch(request, waiting) => {
                if let Some(id) = waiting.request_id() {
                    client.waits(id);
                }
                let fetched = fetch(native, &request).await;
                native.step(|env| waiting.resume(env, fetched))
            }
            Step::Ask(questions, waiting) => {
                client.waits(waiting.request_id());
                match client.talk {
                    Some(talk) => talk.ask(native, questions, waiting, client.outbox).await,
                    None => native.step(|env| waiting.decline(env)),
                }
            }
            Step::Tell(word, waiting) => {
                client.waits(waiting.request_id());
                match word {
                    Word::Client(message) => client.outbox.send(message).await,
                    // Nobody may be listening.
                    Word::Everybody(change) => drop(native.news().send(change)),
                    Word::Reconnect(pause) => client.outbox.reconnect(pause),
                }
                native.step(|env| waiting.resume(env))
            }
            Step::Wait(until, waiting) => {
                client.waits(waiting.request_id());
                sleep(until.since(now())).await;
                native.step(|env| waiting.resume(env))
            }
        };
    }
}

/// The request that a step waits for, if it does wait.
pub fn request_of(step: &Step) -> Option<&RequestId> {
    match step {
        Step::Fetch(_, waiting) => waiting.request_id(),
        Step::Query(_, waiting) => Some(waiting.request_id()),
        Step::Ask(_, waiting) => Some(waiting.request_id()),
        Step::Tell(_, waiting) => Some(waiting.request_id()),
        Step::Wait(_, waiting) => Some(waiting.request_id()),
        Step::Done(_) => None,
    }
}

/// Fetches a document. Of equal questions that are asked at once, one goes out and all learn from it.
async fn fetch(native: &Native, request: &FetchRequest) -> Result<Document, FetchFailure> {
    let Some(remember) = &request.remember else { return native.fetcher().fetch(request).await };
    let begun = now();
    let _turn = native.fetcher().turn(&remember.key).await;
    // Whoever had the turn before may have brought the answer.
    let known = native.step(|env| env.facts.learned(request, env.now));
    if let Some(known) = known.filter(|known| known.tried >= begun) {
        return known.into_last();
    }
    let fetched = native.fetcher().fetch(request).await;
    // Within the turn, so that the next one finds it.
    native.step(|env| env.facts.learn(request, &fetched, env.now));
    fetched
}

/// Fetches what has to be known before a head is judged.
pub(crate) async fn learn(native: &Native, request: &FetchRequest) {
    let _remembered = fetch(native, request).await;
}

async fn query(
    native: &Native,
    request: &QueryRequest,
    mut waiting: AwaitQuery,
    client: &Client<'_>,
) -> Step {
    client.waits(waiting.request_id());
    let begun = Instant::now();
    let mut running = RunningQuery::begin(native, request, waiting.cancellation().cloned());
    loop {
        let event = running.next().await;
        native.watch().notice(request, &event);
        match native.step(|env| waiting.accept(env, event)) {
            Flow::Continue => {}
            // A client that no longer listens is noticed by whoever owns its connection.
            Flow::Send(message) => client.outbox.send(message).await,
            Flow::Stop => break,
        }
    }
    let millis = begun.elapsed().as_millis();
    if waiting.left_running() {
        info!(query_id = request.query_id, millis, "the rest of the answer is not wanted");
        running.end();
    } else {
        debug!(query_id = request.query_id, millis, "the query is over");
        running.forget();
    }
    native.step(|env| waiting.finish(env))
}

/// A query that ends on the server when this is dropped.
pub(crate) struct RunningQuery {
    native: Native,
    query_id: String,
    answer: Option<Answer>,
}

impl RunningQuery {
    /// Sends a query. Nothing happens before the first [`RunningQuery::next`].
    pub(crate) fn begin(native: &Native, request: &QueryRequest, cancellation: Option<QueryRequest>) -> Self {
        native.watch().notice_refused(request);
        let answer = native.clickhouse().send(request).cancelled_by(cancellation);
        Self { native: native.clone(), query_id: request.query_id.clone(), answer: Some(answer) }
    }

    /// The next event. A future that is dropped loses none.
    pub(crate) async fn next(&mut self) -> QueryEvent {
        match &mut self.answer {
            Some(answer) => answer.next().await,
            None => QueryEvent::Broken("the query is over".into()),
        }
    }

    /// It is over: there is nothing to end.
    pub(crate) fn forget(&mut self) {
        self.answer = None;
    }

    /// Nothing more is wanted. It often ends by itself in that moment; if it does not, it is cancelled.
    pub(crate) fn end(&mut self) {
        self.finish(true);
    }

    fn finish(&mut self, patiently: bool) {
        let Some(mut answer) = self.answer.take().filter(Answer::may_run) else { return };
        let query_id = self.query_id.clone();
        self.native.background().spawn(async move {
            if patiently && answer.drain(DRAIN_BYTES, DRAIN_TIME).await {
                return;
            }
            match answer.cancel().await {
                Ok(()) => info!(query_id, "the query was cancelled"),
                Err(reason) => warn!(query_id, "the query could not be cancelled: {reason}"),
            }
        });
    }
}

impl Drop for RunningQuery {
    fn drop(&mut self) {
        self.finish(false);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use housekey_core::config::{self, Host, Sources};
    use housekey_core::exchange::{Inbound, begin};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::mpsc;

    use super::*;
    use crate::serve;

    /// A ClickHouse of a few lines.
    struct Fake(TcpListener);

    impl Fake {
        async fn listen() -> Self {
            Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
        }

        fn native(&self, seconds: &str) -> Native {
            let port = self.0.local_addr().unwrap().port().to_string();
            let flag = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
            let flags = vec![
                flag("clickhouse-host", "127.0.0.1"),
                flag("clickhouse-port", &port),
                flag("clickhouse-max-execution-time", seconds),
            ];
            let sources = Sources { flags, ..Sources::default() };
            let loaded = config::load(Host::Native, &sources, &|_| Err("no files here".into())).unwrap();
            serve::native(loaded.config).unwrap()
        }

        /// The head of the next request on a new connection, and the connection.
        async fn request(&self) -> (String, TcpStream) {
            let (mut stream, _) = self.0.accept().await.unwrap();
            let head = Self::head(&mut stream).await;
            (head, stream)
        }

        async fn answer(stream: &mut TcpStream) {
            let body = "[\"1\"]\n[\"UInt8\"]\n[1]\n";
            let answer = format!(
                "HTTP/1.1 200 OK\r\nX-ClickHouse-Format: JSONCompactEachRowWithNamesAndTypes\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }

        async fn head(stream: &mut TcpStream) -> String {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            String::from_utf8(head).unwrap()
        }
    }

    fn query_id(head: &str) -> &str {
        let (_, rest) = head.split_once("query_id=").unwrap();
        rest.split(['&', ' ']).next().unwrap()
    }

    fn call(native: &Native) -> Step {
        let session = native.step(|env| native.service().open_session(env)).unwrap();
        let line = |line: &'static str, session| {
            Inbound::Line(Arc::clone(native.service()), Bytes::from_static(line.as_bytes()), session)
        };
        let hello =
            r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
        let Step::Done(Reply::Lines { session: Some(session), .. }) =
            native.step(|env| begin(env, line(hello, session)))
        else {
            panic!("no session")
        };
        let call = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 1"}}}"#;
        native.step(|env| begin(env, line(call, session)))
    }

    async fn run(native: &Native) -> String {
        let (outbox, _messages) = mpsc::channel(1);
        let outbox = Outbox::Channel(outbox);
        let client = Client { outbox: &outbox, waiting: None, talk: None };
        let reply = drive(native, call(native), &client).await;
        let Reply::Lines { messages, .. } = reply else { panic!("no lines") };
        messages.concat()
    }

    #[tokio::test]
    async fn a_driver_that_is_dropped_cancels_its_query() {
        let fake = Fake::listen().await;
        let native = fake.native("60");
        let (outbox, _messages) = mpsc::channel(1);
        let outbox = Outbox::Channel(outbox);
        let client = Client { outbox: &outbox, waiting: None, talk: None };
        let (query, _stream) = {
            let driving = drive(&native, call(&native), &client);
            tokio::pin!(driving);
            tokio::select! {
                _ = &mut driving => panic!("no answer was given"),
                request = fake.request() => request,
            }
        };
        let (cancellation, _stream) = fake.request().await;
        assert_eq!(query_id(&cancellation), query_id(&query));
        assert!(cancellation.contains("replace_running_query=1"), "{cancellation}");
    }

    #[tokio::test]
    async fn a_request_that_waits_is_known_by_its_id() {
        let fake = Fake::listen().await;
        let native = fake.native("60");
        let step = call(&native);
        assert_eq!(request_of(&step), Some(&RequestId::Text("a".into())));
    }

    #[tokio::test]
    async fn a_server_that_cannot_be_reached_is_not_named() {
        let fake = Fake::listen().await;
        let native = fake.native("60");
        let port = fake.0.local_addr().unwrap().port().to_string();
        drop(fake);
        let answer = run(&native).await;
        assert!(answer.contains("ClickHouse could not be reached"), "{answer}");
        assert!(!answer.contains("127.0.0.1") && !answer.contains(&port), "{answer}");
        native.background().finished().await;
    }

    #[tokio::test]
    async fn a_connection_is_used_again() {
        let fake = Fake::listen().await;
        let native = fake.native("60");
        let serve = async {
            let (_, mut stream) = fake.request().await;
            for _ in 0..2 {
                Fake::answer(&mut stream).await;
                // The statement of the first query, then the head of the second.
                Fake::head(&mut stream).await;
            }
        };
        let ask = async {
            for _ in 0..2 {
                let answer = run(&native).await;
                assert!(answer.contains("\"isError\":false"), "{answer}");
            }
        };
        tokio::select! {
            () = serve => panic!("a third query came"),
            () = ask => {}
        }
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_is_replaced() {
        let fake = Fake::listen().await;
        let native = fake.native("60");
        for _ in 0..3 {
            let serve = async {
                let (_, mut stream) = fake.request().await;
                Fake::answer(&mut stream).await;
            };
            let (answer, ()) = tokio::join!(run(&native), serve);
            assert!(answer.contains("\"isError\":false"), "{answer}");
        }
    }
}
