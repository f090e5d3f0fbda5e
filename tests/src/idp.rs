//! The programs of `tests/clients/oauth`: identity providers good and broken, people with and without a browser,
//! clients that other people wrote, and what stands before ClickHouse or before Housekey's replicas.
//!
//! Their options and results are JSON, as the head of each script says.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::client::plain_http;
use crate::stderr::Stderr;
use crate::{artifact, poll, secrets};

/// A flow with a browser, an expiry and a refresh; the programs end by themselves before.
const PATIENCE: Duration = Duration::from_secs(100);

/// Where a client is called back. Nobody listens there: a visit ends before the call.
pub const CALLBACK: &str = "http://127.0.0.1:8765/callback";

fn folder() -> PathBuf {
    artifact::workspace().join("tests/clients/oauth")
}

/// A script, to be run by `interpreter` with these options. They are in its environment, since some are secrets.
fn command(interpreter: &Path, script: &str, options: &Value) -> Result<Command> {
    let modules = folder().join("node_modules");
    ensure!(modules.is_dir(), "{} is missing: run `npm ci` there", modules.display());
    let mut command = Command::new(interpreter);
    command.arg(folder().join(script)).env("OAUTH_OPTIONS", options.to_string());
    // The scripts lie in the checkout, and nothing but them should.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// Runs a program to its end, which comes by itself; its standard output is one JSON value.
async fn run(interpreter: &Path, script: &str, options: &Value) -> Result<Value> {
    let mut command = command(interpreter, script, options)?;
    let output = timeout(PATIENCE, command.stdin(Stdio::null()).output())
        .await
        .with_context(|| format!("{script} did not end"))??;
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{script} ({}): {errors}", output.status);
    serde_json::from_str(&text).with_context(|| format!("{script} printed no JSON: {text}\n{errors}"))
}

/// Somebody without a browser follows an authorization URL: see `visitor.mjs`.
pub async fn visit(options: &Value) -> Result<Value> {
    run(&artifact::node()?, "visitor.mjs", options).await
}

/// Somebody with Chromium follows an authorization URL: see `browser.mjs`.
pub async fn browse(options: &Value) -> Result<Value> {
    let mut options = options.clone();
    options["chromium"] = json!(artifact::chromium()?);
    run(&artifact::node()?, "browser.mjs", &options).await
}

/// The official scenarios of an authorization server: see `conformance.mjs`.
pub async fn conformance(options: &Value) -> Result<Value> {
    run(&artifact::node()?, "conformance.mjs", options).await
}

/// A client that other people wrote, with the OAuth that they gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `@modelcontextprotocol/sdk`.
    TypeScript1,
    /// `@modelcontextprotocol/client`.
    TypeScript2,
    /// `mcp` 1.x for Python.
    Python1,
    /// `mcp` 2.x for Python.
    Python2,
    /// `mcp-remote`, from stdio to HTTP.
    Remote,
}

impl Client {
    /// Every client.
    pub const ALL: [Self; 5] =
        [Self::TypeScript1, Self::TypeScript2, Self::Python1, Self::Python2, Self::Remote];

    /// The name in the names of tests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TypeScript1 => "typescript_sdk_1",
            Self::TypeScript2 => "typescript_sdk_2",
            Self::Python1 => "python_sdk_1",
            Self::Python2 => "python_sdk_2",
            Self::Remote => "mcp_remote",
        }
    }

    /// From nothing, or from what its `store` keeps, to the answer of a query: see `sdk-ts.mjs`.
    pub async fn flow(self, options: &Value) -> Result<Value> {
        let mut options = options.clone();
        let node = artifact::node()?;
        if options["browser"].is_object() || options["browser"] == json!(true) {
            if !options["browser"].is_object() {
                options["browser"] = json!({});
            }
            options["browser"]["chromium"] = json!(artifact::chromium()?);
        }
        let (interpreter, script) = match self {
            Self::TypeScript1 | Self::TypeScript2 => {
                options["sdk"] = json!(if self == Self::TypeScript1 { 1 } else { 2 });
                (node, "sdk-ts.mjs")
            }
            Self::Python1 | Self::Python2 => {
                options["node"] = json!(node);
                let variable =
                    if self == Self::Python1 { "HOUSEKEY_PYTHON_SDK1" } else { "HOUSEKEY_PYTHON_SDK2" };
                (artifact::python(variable)?, "sdk_py.py")
            }
            Self::Remote => (node, "remote.mjs"),
        };
        run(&interpreter, script, &options).await
    }
}

/// A program that serves; dropping it ends it.
#[derive(Debug)]
pub struct Service {
    script: &'static str,
    /// What it said when it was ready.
    ready: Value,
    http: reqwest::Client,
    stderr: Stderr,
    // Its standard input is held open for as long as this lives: the program ends with it.
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl Service {
    /// Starts a program and waits until it listens.
    async fn start(script: &'static str, options: &Value) -> Result<Self> {
        let mut child = command(&artifact::node()?, script, options)?
            .stdin(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {script}"))?;
        let stderr = Stderr::collect(script, child.stderr.take().context("standard error is not a pipe")?);
        let mut output = BufReader::new(child.stdout.take().context("standard output is not a pipe")?);
        let mut line = String::new();
        timeout(poll::PATIENCE, output.read_line(&mut line))
            .await
            .with_context(|| format!("{script} is not ready: {}", stderr.text()))??;
        if line.is_empty() {
            // Its reason may still be on its way.
            let _status = timeout(poll::PATIENCE, child.wait()).await;
            let reason = poll::until(&format!("a reason of {script}"), async || {
                let text = stderr.text();
                Ok((!text.is_empty()).then_some(text))
            })
            .await?;
            anyhow::bail!("{script} has ended: {reason}");
        }
        let ready =
            serde_json::from_str(&line).with_context(|| format!("{script} printed no JSON: {line}"))?;
        Ok(Self { script, ready, http: plain_http()?, stderr, child, _output: output })
    }

    /// A text of what it said when it was ready.
    pub fn told(&self, name: &str) -> Result<&str> {
        self.ready[name].as_str().with_context(|| format!("{} has told no {name}", self.script))
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> Result<&str> {
        self.told("url")
    }

    /// What it has written.
    pub fn stderr(&self) -> &Stderr {
        &self.stderr
    }

    /// Gets one of its JSON documents.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, None).await
    }

    /// Gives it an order.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.url()?));
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = request.send().await.with_context(|| self.stderr.text())?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{} answers {path} with {status}: {text}", self.script);
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// What it has counted.
    pub async fn log(&self) -> Result<Value> {
        self.get("/__log").await
    }

    /// Ends it, as its standard input does.
    pub async fn close(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = timeout(poll::PATIENCE, self.child.wait())
            .await
            .with_context(|| format!("{} did not end", self.script))??;
        ensure!(status.success(), "{} ended with {status}: {}", self.script, self.stderr.text());
        Ok(())
    }
}

/// Options with a secret of the client that no log may show.
fn with_secret(options: &Value) -> Value {
    let mut options = options.clone();
    if options["client_secret"].is_null() {
        options["client_secret"] = json!(secrets::fresh("the secret of the client at the provider"));
    }
    options
}

/// A real OpenID provider: see `provider.mjs`.
#[derive(Debug)]
pub struct Provider(Service);

impl Provider {
    /// Starts one.
    pub async fn start(options: &Value) -> Result<Self> {
        Service::start("provider.mjs", &with_secret(options)).await.map(Self)
    }

    /// The program.
    pub fn service(&self) -> &Service {
        &self.0
    }

    /// Its issuer.
    pub fn issuer(&self) -> Result<&str> {
        self.0.told("issuer")
    }

    /// The client that it knows.
    pub fn client_id(&self) -> Result<&str> {
        self.0.told("client_id")
    }

    /// The secret of that client.
    pub fn client_secret(&self) -> Result<&str> {
        self.0.told("client_secret")
    }

    /// Where that client may be called back from now on.
    pub async fn set_redirect_uris(&self, uris: &[&str]) -> Result<()> {
        self.0.post("/__clients", &json!({ "redirect_uris": uris })).await.map(drop)
    }

    /// Signs with a new key from now on; the old ones stay published, or go at once.
    pub async fn rotate(&self, retire_old: bool) -> Result<()> {
        let path = if retire_old { "/__rotate?drop" } else { "/__rotate" };
        self.0.post(path, &json!({})).await.map(drop)
    }

    /// Ends all that somebody has been granted, and their sessions.
    pub async fn revoke(&self, login: &str) -> Result<()> {
        self.0.post(&format!("/__revoke?user={login}"), &json!({})).await.map(drop)
    }

    /// Gives people other claims: `{"alice": {"email_verified": false}}`.
    pub async fn change(&self, people: &Value) -> Result<()> {
        self.0.post("/__users", people).await.map(drop)
    }
}

/// An OpenID provider that errs when told to: see `broken-provider.mjs`.
#[derive(Debug)]
pub struct BrokenProvider(Service);

impl BrokenProvider {
    /// Starts one.
    pub async fn start(options: &Value) -> Result<Self> {
        Service::start("broken-provider.mjs", &with_secret(options)).await.map(Self)
    }

    /// The program.
    pub fn service(&self) -> &Service {
        &self.0
    }

    /// Its issuer.
    pub fn issuer(&self) -> Result<&str> {
        self.0.told("issuer")
    }

    /// The client that it knows.
    pub fn client_id(&self) -> Result<&str> {
        self.0.told("client_id")
    }

    /// The secret of that client.
    pub fn client_secret(&self) -> Result<&str> {
        self.0.told("client_secret")
    }

    /// The next occasion of this fault goes wrong.
    pub async fn next(&self, fault: &str) -> Result<()> {
        self.next_with(&json!({ "fault": fault })).await
    }

    /// The same, with what more there is to say of the fault.
    pub async fn next_with(&self, fault: &Value) -> Result<()> {
        self.0.post("/__next", fault).await.map(drop)
    }

    /// Every occasion of this fault goes wrong; with `{}` none does any more.
    pub async fn always(&self, fault: &Value) -> Result<()> {
        self.0.post("/__always", fault).await.map(drop)
    }

    /// A token that it has signed, or almost: `{"claims": {..}, "fault": "expired"}`.
    pub async fn mint(&self, order: &Value) -> Result<String> {
        let answer = self.0.post("/__mint", order).await?;
        let token = answer["token"].as_str().context("a token")?;
        Ok(secrets::remember("a token of the provider", token))
    }
}

/// What validates tokens before a ClickHouse that cannot: see `token-processor.mjs`.
#[derive(Debug)]
pub struct TokenProcessor(Service);

impl TokenProcessor {
    /// Starts one.
    pub async fn start(options: &Value) -> Result<Self> {
        Service::start("token-processor.mjs", options).await.map(Self)
    }

    /// The program.
    pub fn service(&self) -> &Service {
        &self.0
    }

    /// Where it listens, at 127.0.0.1.
    pub fn port(&self) -> Result<u16> {
        let port = self.0.ready["port"].as_u64().context("a port")?;
        Ok(port.try_into()?)
    }

    /// How many requests ended like that: `passed`, `no_token`, `static_credentials`, ...
    pub async fn count(&self, outcome: &str) -> Result<u64> {
        Ok(self.0.log().await?["outcomes"][outcome].as_u64().unwrap_or(0))
    }
}

/// One address before replicas that take turns: see `front.mjs`.
#[derive(Debug)]
pub struct Front(Service);

impl Front {
    /// Starts one, before nobody.
    pub async fn start() -> Result<Self> {
        Service::start("front.mjs", &json!({})).await.map(Self)
    }

    /// The program.
    pub fn service(&self) -> &Service {
        &self.0
    }

    /// Hands requests to these origins from now on.
    pub async fn lead_to(&self, origins: &[&str]) -> Result<()> {
        self.0.post("/__upstreams", &json!(origins)).await.map(drop)
    }
}
