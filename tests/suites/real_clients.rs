//! Clients that other people wrote talk to a native host: SDKs in both eras, over HTTP and stdio, and the inspector.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Completion, Trial};
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::harness::{self, Verdict};
use system_tests::host::Host;
use system_tests::settings::Settings;
use system_tests::world::world;
use system_tests::{artifact, token};
use tokio::process::Command;
use tokio::time::timeout;

/// A client starts an interpreter and reads many files; it does no more than that.
const PATIENCE: Duration = Duration::from_secs(90);

/// A program that is somebody else's client, with the arguments that make it one.
#[derive(Clone, Copy)]
enum Client {
    /// `@modelcontextprotocol/sdk`, which knows handshakes only.
    TypeScript1,
    /// `@modelcontextprotocol/client`, which prefers 2026-07-28.
    TypeScript2,
    /// `mcp` 1.x for Python.
    Python1,
    /// `mcp` 2.x for Python.
    Python2,
}

impl Client {
    const ALL: [Self; 4] = [Self::TypeScript1, Self::TypeScript2, Self::Python1, Self::Python2];

    fn name(self) -> &'static str {
        match self {
            Self::TypeScript1 => "typescript_sdk_1",
            Self::TypeScript2 => "typescript_sdk_2",
            Self::Python1 => "python_sdk_1",
            Self::Python2 => "python_sdk_2",
        }
    }

    /// The interpreter and the script; an error says what is missing.
    fn program(self) -> Result<(PathBuf, PathBuf)> {
        let (node, python) = (clients().join("node"), clients().join("python"));
        Ok(match self {
            Self::TypeScript1 => (installed_node()?, node.join("sdk1.mjs")),
            Self::TypeScript2 => (installed_node()?, node.join("sdk2.mjs")),
            Self::Python1 => (artifact::python("HOUSEKEY_PYTHON_SDK1")?, python.join("sdk1.py")),
            Self::Python2 => (artifact::python("HOUSEKEY_PYTHON_SDK2")?, python.join("sdk2.py")),
        })
    }
}

fn clients() -> PathBuf {
    artifact::workspace().join("tests/clients")
}

fn installed_node() -> Result<PathBuf> {
    let modules = clients().join("node/node_modules");
    ensure!(modules.is_dir(), "{} is missing: run `npm ci` there", modules.display());
    artifact::node()
}

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for client in Client::ALL {
        let name = |what| format!("{}::{what}", client.name());
        trials.push(trial(name("http"), move || over_http(client)));
        trials.push(trial(name("bad_token"), move || refused(client)));
        trials.push(trial(name("stdio"), move || over_stdio(client)));
    }
    for era in ["legacy", "modern"] {
        trials.push(trial(format!("inspector::{era}"), move || inspector(era)));
    }
    harness::run(trials)
}

/// A trial that is skipped, with the reason, where its client is not installed; in CI that is a failure.
fn trial<F>(name: String, body: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<Completion>>,
{
    harness::trial(name, Verdict::Run, body)
}

fn missing(reason: &anyhow::Error) -> Result<Completion> {
    ensure!(!harness::is_ci(), "{reason:#}");
    Ok(Completion::ignored_with(format!("{reason:#}")))
}

async fn native() -> Result<Cell> {
    Ok(Cell { host: Host::NativeHttp, world: world().await? })
}

async fn over_http(client: Client) -> Result<Completion> {
    let (interpreter, script) = match client.program() {
        Ok(program) => program,
        Err(reason) => return missing(&reason),
    };
    let cell = native().await?;
    let server = cell.server(&Settings::standard(&cell.world)?).await?;
    let mut command = Command::new(interpreter);
    command
        .arg(script)
        .args(["http", &format!("{}/mcp", server.url())])
        .env("MCP_TEST_TOKEN", cell.token("alice")?);
    is_good(&report(command).await?)?;
    Ok(Completion::Completed)
}

async fn refused(client: Client) -> Result<Completion> {
    let (interpreter, script) = match client.program() {
        Ok(program) => program,
        Err(reason) => return missing(&reason),
    };
    let cell = native().await?;
    let server = cell.server(&Settings::standard(&cell.world)?).await?;
    let expired = cell.world.mint.token(json!({ "email": "alice", "exp": token::now() - 60 }))?;
    let mut command = Command::new(interpreter);
    command.arg(script).args(["refused", &format!("{}/mcp", server.url())]).env("MCP_TEST_TOKEN", expired);
    let report = report(command).await?;
    ensure!(report["refused"] == json!(true), "{report}");
    Ok(Completion::Completed)
}

async fn over_stdio(client: Client) -> Result<Completion> {
    let (interpreter, script) = match client.program() {
        Ok(program) => program,
        Err(reason) => return missing(&reason),
    };
    let cell = native().await?;
    let mut command = Command::new(interpreter);
    command.arg(script).arg("stdio").arg(artifact::housekey()?).args(["--transport", "stdio"]);
    // The script hands these on, because an SDK starts a server with a bare environment.
    let settings = Settings::standard(&cell.world)?.with("MCP_TOKEN", cell.token("alice")?);
    let settings: serde_json::Map<_, _> =
        settings.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    command.env("MCP_TEST_SETTINGS", Value::Object(settings).to_string());
    is_good(&report(command).await?)?;
    Ok(Completion::Completed)
}

async fn inspector(era: &str) -> Result<Completion> {
    let node = match installed_node() {
        Ok(node) => node,
        Err(reason) => return missing(&reason),
    };
    let script =
        clients().join("node/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js");
    let cell = native().await?;
    let server = cell.server(&Settings::standard(&cell.world)?).await?;
    let url = format!("{}/mcp", server.url());
    let authorization = |person: &str| anyhow::Ok(format!("Authorization: Bearer {}", cell.token(person)?));
    let (alice, bob) = (authorization("alice")?, authorization("bob")?);
    let home = tempfile::tempdir()?;
    let inspector_of = |authorization: &str, method: &[&str]| {
        let mut command = Command::new(&node);
        command.arg(&script).args(["--cli", &url, "--transport", "http", "--protocol-era", era]);
        command.args(["--header", authorization]).args(method).env("HOME", home.path());
        command
    };
    let inspector = |method: &[&str]| inspector_of(&alice, method);
    // With `--strict` a schema that some client could not take ends it with an error.
    let tools = report(inspector(&["--method", "tools/list", "--strict"])).await?;
    ensure!(tools["tools"][0]["name"] == "execute_query", "{tools}");
    let call = [
        "--method",
        "tools/call",
        "--tool-name",
        "execute_query",
        "--tool-arg",
        "query=SELECT currentUser()",
    ];
    let result = report(inspector(&call)).await?;
    ensure!(result["structuredContent"]["rows"] == json!([["alice"]]), "{result}");
    // Each is shown what they may read: campaigns are for alice alone.
    let tables = ["--method", "tools/call", "--tool-name", "list_tables", "--tool-arg", "database=sales"];
    for (authorization, wanted) in [
        (&alice, json!(["campaigns", "orders", "revenue_by_product"])),
        (&bob, json!(["orders", "revenue_by_product"])),
    ] {
        let result = report(inspector_of(authorization, &tables)).await?;
        let tables = result["structuredContent"]["tables"].as_array().context("tables")?;
        let names: Vec<&Value> = tables.iter().map(|table| &table["name"]).collect();
        ensure!(json!(names) == wanted, "{result}");
    }
    Ok(Completion::Completed)
}

/// Runs a client, whose standard output is one JSON value.
async fn report(mut command: Command) -> Result<Value> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // The scripts lie in the checkout, and nothing but them should.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let output = timeout(PATIENCE, command.output()).await.context("the client did not end")??;
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}: {errors}\n{text}", output.status);
    serde_json::from_str(&text).with_context(|| format!("not JSON: {text}\n{errors}"))
}

/// What every script reports of a session that went well.
fn is_good(report: &Value) -> Result<()> {
    let tools = [
        "execute_query",
        "write_query",
        "list_databases",
        "list_tables",
        "describe_table",
        "search_schema",
        "explain_query",
    ];
    ensure!(report["tools"] == json!(tools), "{report}");
    ensure!(report["structured"]["rows"] == json!([["alice", "9223372036854775807"]]), "{report}");
    ensure!(report["structured"]["types"] == json!(["String", "Int64"]), "{report}");
    ensure!(report["denied"].as_str().is_some_and(|text| text.contains("497")), "{report}");
    Ok(())
}
