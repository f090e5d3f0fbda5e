//! Reads ClickHouse directly, for what Housekey's callers are not shown: the query log, and what a named server lacks.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;
use serde_json::Value;

use super::clickhouse::describe;

const TIMEOUT: Duration = Duration::from_secs(30);

/// One login at one server.
pub(super) struct Reader {
    http: reqwest::Client,
    url: Url,
    username: String,
    password: String,
}

/// Why a statement was not answered.
#[derive(Debug)]
pub(super) enum ReadError {
    /// ClickHouse's own code and text.
    Exception {
        /// For example 497.
        code: i32,
        /// For example "Not enough privileges".
        text: String,
    },
    /// There was no answer, or not one of ClickHouse's.
    Unreachable(String),
}

impl Reader {
    /// A reader with this login.
    pub(super) fn new(url: &Url, username: &str, password: &str) -> anyhow::Result<Self> {
        // The login goes to the server that was named and nowhere else.
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(TIMEOUT).build()?;
        Ok(Self { http, url: url.clone(), username: username.to_owned(), password: password.to_owned() })
    }

    /// The rows that a statement returns, their values as JSON.
    pub(super) async fn rows(&self, sql: &str) -> Result<Vec<Vec<Value>>, ReadError> {
        let response = self
            .http
            .post(self.url.clone())
            .header("X-ClickHouse-User", &self.username)
            .header("X-ClickHouse-Key", &self.password)
            .header("X-ClickHouse-Format", "JSONCompact")
            .body(sql.to_owned())
            .send()
            .await
            .map_err(|error| ReadError::Unreachable(describe(&error)))?;
        let status = response.status();
        let code = response
            .headers()
            .get("X-ClickHouse-Exception-Code")
            .and_then(|code| code.to_str().ok()?.parse().ok());
        let text = response.text().await.map_err(|error| ReadError::Unreachable(describe(&error)))?;
        if let Some(code) = code {
            return Err(ReadError::Exception { code, text: first_line(&text) });
        }
        if !status.is_success() {
            return Err(ReadError::Unreachable(format!("HTTP {status}: {}", first_line(&text))));
        }
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let answer: Value = serde_json::from_str(&text).map_err(|_| {
            ReadError::Unreachable(format!("not an answer of ClickHouse: {}", first_line(&text)))
        })?;
        let rows = answer["data"].as_array().into_iter().flatten();
        Ok(rows.filter_map(Value::as_array).cloned().collect())
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exception { text, .. } => formatter.write_str(text),
            Self::Unreachable(reason) => formatter.write_str(reason),
        }
    }
}

impl std::error::Error for ReadError {}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}
