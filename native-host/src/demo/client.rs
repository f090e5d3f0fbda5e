//! An MCP client of a few lines, in the stateless revision: every request says all there is to know.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use housekey_core::mcp::{CLIENT_CAPABILITIES_KEY, PROTOCOL_VERSION_KEY};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use serde_json::{Value, json};

/// The revision that is spoken.
pub(super) const REVISION: &str = "2026-07-28";

/// The one tool that the demo calls.
const TOOL: &str = "execute_query";

const TIMEOUT: Duration = Duration::from_secs(90);

/// Speaks to one server.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    /// Begins the ids of all requests, so that they can be found in a log that others write to as well.
    run: String,
    next: AtomicU32,
}

/// How a tool call ended.
pub(super) enum Called {
    /// With rows.
    Rows(Rows),
    /// With a text for the model, `isError` set.
    Failed(String),
}

/// What `execute_query` answers.
pub(super) struct Rows {
    /// The columns' names.
    pub(super) columns: Vec<String>,
    /// The rows; values as the model sees them.
    pub(super) rows: Vec<Vec<Value>>,
}

/// A refusal before MCP.
pub(super) struct Refused {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// `WWW-Authenticate`.
    pub(super) challenge: String,
    /// The body.
    pub(super) text: String,
}

/// An answer over HTTP.
enum Answer {
    Result(Value),
    Refused(Refused),
}

impl Client {
    /// A client of the server at this URL.
    pub(super) fn new(url: String) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        let run = format!("demo-{:08x}", rand::random::<u32>());
        Ok(Self { http, url, run, next: AtomicU32::new(1) })
    }

    /// The result of any method.
    pub(super) async fn result(&self, token: &str, method: &str) -> anyhow::Result<Value> {
        match self.send(Some(token), method, json!({}), &self.new_id()).await? {
            Answer::Result(result) => Ok(result),
            Answer::Refused(refused) => Err(refused.into_error(method)),
        }
    }

    /// Runs a statement as whoever the token names; also returns the id of the request.
    pub(super) async fn query(&self, token: &str, sql: &str) -> anyhow::Result<(String, Called)> {
        let id = self.new_id();
        let params = json!({ "name": TOOL, "arguments": { "query": sql } });
        match self.send(Some(token), "tools/call", params, &id).await? {
            Answer::Result(result) => Ok((id, called(&result)?)),
            Answer::Refused(refused) => Err(refused.into_error("tools/call")),
        }
    }

    /// Tries a statement without a token, and returns how it was refused.
    pub(super) async fn query_as_nobody(&self, sql: &str) -> anyhow::Result<Refused> {
        let params = json!({ "name": TOOL, "arguments": { "query": sql } });
        match self.send(None, "tools/call", params, &self.new_id()).await? {
            Answer::Refused(refused) => Ok(refused),
            Answer::Result(_) => anyhow::bail!("a call without a token was answered"),
        }
    }

    fn new_id(&self) -> String {
        format!("{}-{}", self.run, self.next.fetch_add(1, Ordering::Relaxed))
    }

    async fn send(
        &self,
        token: Option<&str>,
        method: &str,
        mut params: Value,
        id: &str,
    ) -> anyhow::Result<Answer> {
        let name = params.get("name").and_then(Value::as_str).map(str::to_owned);
        params["_meta"] = json!({
            PROTOCOL_VERSION_KEY: REVISION,
            CLIENT_CAPABILITIES_KEY: {},
        });
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut request = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .header("MCP-Protocol-Version", REVISION)
            .header("Mcp-Method", method);
        if let Some(name) = name {
            request = request.header("Mcp-Name", name);
        }
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = request.body(body.to_string()).send().await.context("Housekey did not answer")?;
        let status = response.status();
        let challenge = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let challenge = challenge.unwrap_or_default().to_owned();
        let text = response.text().await.context("Housekey's answer broke off")?;
        if !status.is_success() {
            return Ok(Answer::Refused(Refused { status, challenge, text: text.trim().to_owned() }));
        }
        let mut message: Value = serde_json::from_str(&text).context("Housekey's answer is not JSON")?;
        match message.get_mut("result") {
            Some(result) => Ok(Answer::Result(result.take())),
            None => anyhow::bail!("Housekey answered {method} with an error: {}", message["error"]),
        }
    }
}

impl Refused {
    fn into_error(self, method: &str) -> anyhow::Error {
        anyhow::anyhow!("Housekey refused {method} with HTTP {}: {}", self.status, self.text)
    }
}

fn called(result: &Value) -> anyhow::Result<Called> {
    if result["isError"] == true {
        let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        return Ok(Called::Failed(text));
    }
    let content = &result["structuredContent"];
    let (Some(columns), Some(rows)) = (content["columns"].as_array(), content["rows"].as_array()) else {
        anyhow::bail!("the result of {TOOL} has no rows: {result}");
    };
    let columns = columns.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let rows = rows.iter().filter_map(Value::as_array).cloned().collect();
    Ok(Called::Rows(Rows { columns, rows }))
}
