//! A small MCP client of our own, in every revision, over HTTP and stdio, that can also misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::host::Server;
use crate::stdio::Pipe;

/// The revision in which every request stands alone.
pub const STATELESS: &str = "2026-07-28";

/// The revisions with a handshake, newest first.
pub const HANDSHAKES: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Longer than any query of the suites may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// A fresh JSON-RPC id, which is also how a query is found in ClickHouse's log.
pub fn fresh_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A request in the shape of a revision.
pub fn request(revision: &str, id: &str, method: &str, mut params: Value) -> Value {
    if revision == STATELESS {
        params["_meta"] = meta();
    }
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// What every stateless request carries.
pub fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "system-tests", "version": "1" },
    })
}

/// The parameters of a call of `execute_query`.
pub fn query(sql: &str) -> Value {
    json!({ "name": "execute_query", "arguments": { "query": sql } })
}

/// An answer over HTTP.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The head.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header as text; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The message of the body, the last one if it is a stream of events.
    pub fn json(&self) -> Result<Value> {
        let text = self.text();
        let streamed = self.header("content-type").starts_with("text/event-stream");
        let message = if streamed {
            text.lines().rev().find_map(|line| line.strip_prefix("data:"))
        } else {
            Some(&*text)
        };
        serde_json::from_str(message.unwrap_or_default())
            .with_context(|| format!("status {}, and not a message: {text:?}", self.status))
    }
}

/// reqwest wants a provider of TLS even where nobody speaks it.
pub fn install_tls() {
    // A second installation is an error without effect.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What speaks HTTP for all clients: directly, and with patience.
pub fn plain_http() -> Result<reqwest::Client> {
    install_tls();
    Ok(reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?)
}

/// A client over HTTP.
#[derive(Clone, Debug)]
pub struct HttpClient {
    server: Arc<Server>,
    http: reqwest::Client,
    token: Option<String>,
    revision: &'static str,
}

impl HttpClient {
    /// A client that speaks the stateless revision.
    pub fn new(server: Arc<Server>, token: Option<&str>) -> Result<Self> {
        Ok(Self { server, http: plain_http()?, token: token.map(str::to_owned), revision: STATELESS })
    }

    /// The same client in another revision.
    #[must_use]
    pub fn speaking(mut self, revision: &'static str) -> Self {
        self.revision = revision;
        self
    }

    /// The host.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The headers that a POST of this message needs.
    pub fn headers(&self, message: &Value) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("accept", HeaderValue::from_static("application/json, text/event-stream"));
        if let Some(token) = &self.token {
            headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}"))?);
        }
        let method = message["method"].as_str().unwrap_or_default();
        if method != "initialize" {
            headers.insert("mcp-protocol-version", HeaderValue::from_static(self.revision));
        }
        if self.revision == STATELESS && !method.is_empty() {
            headers.insert("mcp-method", HeaderValue::from_str(method)?);
            let params = &message["params"];
            if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
                headers.insert("mcp-name", HeaderValue::from_str(name)?);
            }
        }
        Ok(headers)
    }

    /// Sends anything.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: impl Into<reqwest::Body>,
    ) -> Result<Reply> {
        let url = format!("{}{path}", self.server.url());
        let answer = self.http.request(method, url).headers(headers).body(body).send().await;
        let answer = answer.with_context(|| self.server.stderr().text())?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Reply { status, headers, body: answer.bytes().await?.to_vec() })
    }

    /// Posts a message with all that belongs to it.
    pub async fn post(&self, message: &Value) -> Result<Reply> {
        self.post_with(message, &[]).await
    }

    /// Posts a message with some headers replaced, or taken away when their value is empty.
    pub async fn post_with(&self, message: &Value, replaced: &[(&str, &str)]) -> Result<Reply> {
        let mut headers = self.headers(message)?;
        for (name, value) in replaced {
            let name: HeaderName = name.parse()?;
            headers.remove(&name);
            if !value.is_empty() {
                headers.insert(name, value.parse()?);
            }
        }
        self.send(Method::POST, "/mcp", headers, message.to_string()).await
    }
}

/// A client of any host.
#[derive(Debug)]
pub enum Client {
    /// Over HTTP.
    Http(HttpClient),
    /// Over stdio.
    Stdio(Box<Pipe>),
}

impl Client {
    /// Sends a request in the stateless revision and waits for its response.
    pub async fn ask(&mut self, id: &str, method: &str, params: Value) -> Result<Value> {
        let message = request(STATELESS, id, method, params);
        match self {
            Self::Http(client) => client.post(&message).await?.json(),
            Self::Stdio(pipe) => pipe.ask(&message, &json!(id)).await,
        }
    }

    /// Runs a statement.
    pub async fn query(&mut self, sql: &str) -> Result<Answer> {
        self.call(json!({ "query": sql })).await
    }

    /// Calls `execute_query`.
    pub async fn call(&mut self, arguments: Value) -> Result<Answer> {
        self.call_tool("execute_query", arguments).await
    }

    /// Calls a tool.
    pub async fn call_tool(&mut self, name: &str, arguments: Value) -> Result<Answer> {
        let id = fresh_id();
        let params = json!({ "name": name, "arguments": arguments });
        let message = self.ask(&id, "tools/call", params).await?;
        ensure!(message["id"] == json!(id), "an answer to somebody else: {message}");
        Ok(Answer { id, message })
    }
}

/// The response to a call of a tool.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The id of the call.
    pub id: String,
    /// The whole response.
    pub message: Value,
}

impl Answer {
    /// What a call that went well came to, said twice alike.
    pub fn structured(&self) -> Result<Value> {
        let result = self.message.get("result").with_context(|| format!("an error: {}", self.message))?;
        ensure!(result["isError"] == json!(false), "a failure: {result}");
        ensure!(result["resultType"] == json!("complete"), "no resultType: {result}");
        let content = &result["structuredContent"];
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap_or_default())?;
        ensure!(text == *content, "text and structured content differ: {result}");
        Ok(content.clone())
    }

    /// The table of a statement, which must be there and whole.
    pub fn table(&self) -> Result<Value> {
        let table = self.structured()?;
        let (rows, columns) = (&table["rows"], table["columns"].as_array().map_or(0, Vec::len));
        let rows = rows.as_array().with_context(|| format!("no rows: {table}"))?;
        ensure!(table["count"] == json!(rows.len()), "a wrong count: {table}");
        ensure!(
            table["types"].as_array().map_or(0, Vec::len) == columns,
            "types do not fit columns: {table}"
        );
        ensure!(
            rows.iter().all(|row| row.as_array().is_some_and(|row| row.len() == columns)),
            "a ragged row"
        );
        Ok(table)
    }

    /// The rows alone.
    pub fn rows(&self) -> Result<Value> {
        Ok(self.table()?["rows"].clone())
    }

    /// The one value of a table with one row and one column.
    pub fn value(&self) -> Result<Value> {
        let table = self.table()?;
        ensure!(table["count"] == json!(1), "not one row: {table}");
        Ok(table["rows"][0][0].clone())
    }

    /// The words of a result that is a failure.
    pub fn failure(&self) -> Result<String> {
        let result = &self.message["result"];
        ensure!(result["isError"] == json!(true), "not a failure: {}", self.message);
        ensure!(result.get("structuredContent").is_none(), "a failure with structured content");
        Ok(result["content"][0]["text"].as_str().unwrap_or_default().to_owned())
    }
}
