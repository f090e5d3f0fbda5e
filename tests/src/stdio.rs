//! A host on standard input and output: one message a line.

use std::process::ExitStatus;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::host::{self, Host};
use crate::poll;
use crate::settings::Settings;
use crate::stderr::Stderr;

/// A running `housekey --transport stdio`; dropping it ends it.
#[derive(Debug)]
pub struct Pipe {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    stderr: Stderr,
    child: Child,
}

impl Pipe {
    /// Starts the host.
    pub fn start(settings: &Settings) -> Result<Self> {
        let mut child = Host::Stdio.command(settings, 0)?.spawn()?;
        let stderr = host::collect(Host::Stdio, &mut child)?;
        let input = child.stdin.take().context("standard input is not a pipe")?;
        let output = child.stdout.take().context("standard output is not a pipe")?;
        Ok(Self { input, output: BufReader::new(output).lines(), stderr, child })
    }

    /// Sends a line.
    pub async fn send(&mut self, line: &str) -> Result<()> {
        self.input.write_all(format!("{line}\n").as_bytes()).await.with_context(|| self.stderr.text())?;
        Ok(self.input.flush().await?)
    }

    /// The next line, as JSON.
    pub async fn receive(&mut self) -> Result<Value> {
        let line = timeout(poll::PATIENCE, self.output.next_line())
            .await
            .context("no line came over stdio")??
            .with_context(|| format!("the host has ended:\n{}", self.stderr.text()))?;
        serde_json::from_str(&line).with_context(|| format!("not a message: {line}"))
    }

    /// Closes the input and waits until the host has ended by itself.
    pub async fn close(self) -> Result<ExitStatus> {
        let Self { input, mut child, stderr, .. } = self;
        drop(input);
        timeout(poll::PATIENCE, child.wait()).await.with_context(|| stderr.text())?.map_err(Into::into)
    }

    /// Sends a message and waits for the response to `id`.
    pub async fn ask(&mut self, message: &Value, id: &Value) -> Result<Value> {
        self.send(&message.to_string()).await?;
        loop {
            let received = self.receive().await?;
            if received.get("id") == Some(id) {
                return Ok(received);
            }
        }
    }
}
