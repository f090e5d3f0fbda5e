//! A client as a process, whose standard output is one JSON value.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use system_tests::artifact;
use system_tests::clients::{Client, Program};
use tokio::process::Command;
use tokio::time::timeout;

/// A client starts an interpreter and reads many files; it does no more than that.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where the clients lie.
pub(crate) fn clients() -> PathBuf {
    artifact::workspace().join("tests/clients")
}

/// The interpreter of those of Node; an error says what is missing.
pub(crate) fn node() -> Result<PathBuf> {
    let modules = clients().join("node/node_modules");
    ensure!(modules.is_dir(), "{} is missing: run `npm ci` there", modules.display());
    artifact::node()
}

/// A file of a package of Node.
pub(crate) fn module(path: &str) -> PathBuf {
    clients().join("node/node_modules").join(path)
}

/// The command that waits for a mode and a target; an error says what is missing.
pub(crate) fn command(client: &Client) -> Result<Command> {
    Ok(match client.program {
        Program::Node { script, sdk } => {
            let mut command = Command::new(node()?);
            command.arg(clients().join("node").join(script)).env("MCP_TEST_SDK", sdk);
            command
        }
        // What the bridge bridges is the same client as any other.
        Program::Bridge => {
            let mut command = Command::new(node()?);
            command.arg(clients().join("node/sdk1.mjs"));
            command
        }
        Program::Python { script, variable, .. } => {
            let mut command = Command::new(artifact::python(variable)?);
            command.arg(clients().join("python").join(script));
            command
        }
        Program::Rust(era) => {
            let mut command = Command::new(artifact::rmcp_client()?);
            command.env("MCP_TEST_ERA", era);
            command
        }
        Program::Inspector(_) => {
            let mut command = Command::new(node()?);
            command.arg(module("@modelcontextprotocol/inspector/clients/launcher/build/index.js"));
            command
        }
    })
}

/// Runs it to its end.
pub(crate) async fn report(mut command: Command) -> Result<Value> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // The scripts lie in the checkout, and nothing but them should.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let output = timeout(PATIENCE, command.output()).await.context("the client did not end")??;
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}: {errors}\n{text}", output.status);
    serde_json::from_str(&text).with_context(|| format!("not JSON: {text}\n{errors}"))
}
