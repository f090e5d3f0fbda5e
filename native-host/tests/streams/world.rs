//! A server whose tool asks, tells, waits and changes things, and a client that reads events.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use housekey::serve::http::Server;
use housekey::serve::shutdown::{Trigger, channel};
use housekey::serve::{native, native_of};
use housekey_core::config::{self, Config, Host, Sources};
use housekey_core::env::Env;
use housekey_core::exchange::{Abilities, Offer};
use housekey_core::jose::claims::Claims;
use housekey_core::jose::token::{TokenKeys, seal};
use housekey_core::mcp::{
    Address, CallResult, Change, Definition, Hints, LogLevel, Notice, Questions, ResourceDefinition,
    ServerRequest,
};
use housekey_core::prompt::Prompts;
use housekey_core::resource::{Resource, Resources};
use housekey_core::secret::Secret;
use housekey_core::time::UnixTime;
use housekey_core::tool::{Answered, Call, Moment, Table, Task, Tool, ToolState, ToolStep};
use serde_json::{Value, json};
use tokio::time::timeout;

/// What a test waits for at most.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A tool that does what its argument says.
struct Chatty(Definition, ResourceDefinition);

impl Task for Chatty {
    fn start(&self, env: &mut Env<'_>, call: &Call) -> ToolStep {
        let state = json!({ "kept": 7 });
        match call.arguments.get("what").and_then(Value::as_str).unwrap_or_default() {
            "ask" => {
                let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
                ToolStep::Ask(Questions::one("name", ServerRequest::form("Who?", schema)), state)
            }
            "log" => {
                let log = Notice::Log { level: LogLevel::Info, logger: None, data: json!("begun") };
                ToolStep::Tell(log, json!("then wait"))
            }
            "change" => ToolStep::Tell(Notice::Changed(Change::Tools), state),
            "update" => {
                ToolStep::Tell(Notice::Changed(Change::Resource { uri: "test://watched".into() }), state)
            }
            "part" => ToolStep::Tell(Notice::Reconnect(Duration::from_millis(50)), json!("then wait")),
            "sleep" => ToolStep::Wait(env.now.after(Duration::from_secs(600)), state),
            _ => ToolStep::Done(CallResult::Structured(r#"{"done":true}"#.into())),
        }
    }

    fn resume(&self, env: &mut Env<'_>, _call: &Call, state: ToolState, moment: Moment) -> ToolStep {
        match moment {
            Moment::Told if state == json!("then wait") => {
                ToolStep::Wait(env.now.after(Duration::from_millis(200)), json!("last"))
            }
            Moment::Answered(Answered::Given(answers)) => ToolStep::Done(CallResult::Structured(
                json!({ "name": answers.accepted("name") }).to_string(),
            )),
            Moment::Answered(Answered::CannotAsk) => {
                ToolStep::Done(CallResult::Failed("nobody can be asked".into()))
            }
            Moment::Queried(_) | Moment::Fetched(_) | Moment::Woken | Moment::Told => {
                ToolStep::Done(CallResult::Structured(r#"{"done":true}"#.into()))
            }
        }
    }
}

impl Tool for Chatty {
    fn definition(&self) -> &Definition {
        &self.0
    }
}

impl Resource for Chatty {
    fn definition(&self) -> &ResourceDefinition {
        &self.1
    }

    fn serves(&self, uri: &str) -> bool {
        uri == "test://watched"
    }
}

fn chatty() -> Arc<Chatty> {
    let hints = Hints { read_only: true, destructive: false, idempotent: true, open_world: false };
    Arc::new(Chatty(
        Definition {
            name: "chat".into(),
            title: "Chat".into(),
            description: "Chats".into(),
            input_schema: json!({ "type": "object" }),
            output_schema: None,
            hints,
        },
        ResourceDefinition {
            address: Address::Uri("test://watched".into()),
            name: "watched".into(),
            title: "Watched".into(),
            description: "Watched".into(),
            mime_type: "text/plain".into(),
        },
    ))
}

pub(crate) fn config(variables: &[(&str, &str)]) -> Config {
    let environment = std::iter::once(&("MCP_TRANSPORT", "sse")).chain(variables);
    let environment = environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let sources = Sources { environment, ..Sources::default() };
    config::load(Host::Native, &sources, &|_| Err("no files here".into())).unwrap().config
}

/// The driver of a server of the tool above.
pub(crate) fn chatty_native(abilities: Abilities, variables: &[(&str, &str)]) -> housekey::host::Native {
    housekey::host::install_cryptography();
    let offer = Offer {
        tools: Table::new(vec![chatty()]),
        resources: Resources::new(vec![chatty()]),
        prompts: Prompts::product(),
        abilities,
    };
    native_of(config(variables), offer).unwrap()
}

/// A server that runs.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) trigger: Trigger,
    pub(crate) end: tokio::task::JoinHandle<housekey::serve::http::End>,
    pub(crate) http: reqwest::Client,
}

impl World {
    /// The product.
    pub(crate) async fn product(variables: &[(&str, &str)]) -> Self {
        housekey::host::install_cryptography();
        Self::run(native(config(variables)).unwrap()).await
    }

    /// The tool above, with sessions and all.
    pub(crate) async fn chatty(abilities: Abilities) -> Self {
        Self::run(chatty_native(abilities, &[])).await
    }

    /// The same for callers who bring tokens.
    pub(crate) async fn secure() -> Self {
        Self::run(chatty_native(Abilities::ALL, SECURE)).await
    }

    async fn run(native: housekey::host::Native) -> Self {
        let server = Server::bind("127.0.0.1", 0).await.unwrap();
        let address = server.local_addr();
        let (trigger, shutdown) = channel();
        let end =
            tokio::spawn(
                async move { server.run(Arc::new(native), Duration::from_secs(5), &shutdown).await },
            );
        Self { address, trigger, end, http: reqwest::Client::new() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A POST of a message, with these headers.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        message: &Value,
    ) -> reqwest::Response {
        let mut request = self
            .http
            .post(self.url(path))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        timeout(PATIENCE, request.body(message.to_string()).send()).await.unwrap().unwrap()
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut request = self.http.get(self.url(path)).header("accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        timeout(PATIENCE, request.send()).await.unwrap().unwrap()
    }

    /// A stateless request.
    pub(crate) async fn stateless(&self, id: i64, method: &str, params: Value) -> reqwest::Response {
        self.stateless_as(None, id, method, params).await
    }

    /// The same of somebody who brings a token.
    pub(crate) async fn stateless_as(
        &self,
        token: Option<&str>,
        id: i64,
        method: &str,
        mut params: Value,
    ) -> reqwest::Response {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let name = params.get("name").and_then(Value::as_str).unwrap_or("-").to_owned();
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers =
            vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method), ("mcp-name", &name)];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        self.post("/mcp", &headers, &message).await
    }
}

/// One event.
#[derive(Debug, Default, Clone)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) retry: Option<u64>,
    pub(crate) data: Option<String>,
}

impl Event {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.data.as_deref().expect("data")).expect("JSON")
    }
}

/// Reads the events of an answer.
pub(crate) struct Events {
    answer: reqwest::Response,
    buffer: String,
}

impl Events {
    pub(crate) fn of(answer: reqwest::Response) -> Self {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, buffer: String::new() }
    }

    /// The next event; `None` at the end. Comments are passed over.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        timeout(PATIENCE, self.read()).await.expect("an event in time")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                let mut event = Event::default();
                for line in block.lines() {
                    let (name, value) = line.split_once(':').unwrap_or((line, ""));
                    let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
                    match name {
                        "id" => event.id = Some(value),
                        "event" => event.kind = Some(value),
                        "retry" => event.retry = value.parse().ok(),
                        "data" => event.data = Some(value),
                        _ => {}
                    }
                }
                if event.id.is_some() || event.data.is_some() || event.retry.is_some() {
                    return Some(event);
                }
            }
            let chunk = self.answer.chunk().await.ok().flatten()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> Value {
        self.next().await.expect("a message").json()
    }
}

pub(crate) fn request(id: i64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

pub(crate) fn hello(version: &str) -> Value {
    request(1, "initialize", json!({ "protocolVersion": version, "capabilities": { "elicitation": {} } }))
}

pub(crate) fn chat(id: i64, what: &str) -> Value {
    request(id, "tools/call", json!({ "name": "chat", "arguments": { "what": what } }))
}

/// Tries until it is so.
pub(crate) async fn until<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let trying = async {
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, trying).await.expect("in time")
}

pub(crate) const SECURE: &[(&str, &str)] =
    &[("MCP_ALLOW_JWE_AUTH", "true"), ("MCP_JWE_SECRET_KEY", "outer"), ("MCP_JWT_SECRET_KEY", "inner")];

/// The token of somebody, which lasts so many seconds.
pub(crate) fn token(name: &str, seconds: u64) -> String {
    let keys = TokenKeys::new(&[Secret::from("outer")], &[Secret::from("inner")]).unwrap();
    let exp = UnixTime::from_seconds(housekey::host::now().seconds() + seconds);
    let claims = Claims {
        username: Some(name.into()),
        password: Some(Secret::from("p")),
        exp: Some(exp),
        ..Claims::default()
    };
    seal(&keys, &claims, &mut rand::rng()).unwrap()
}
