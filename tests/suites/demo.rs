//! The main job by its one command: what `housekey demo` shows, and what it leaves behind.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use system_tests::{artifact, poll};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// An installation from nothing is part of it.
const LONGEST: Duration = Duration::from_secs(170);

fn demo(arguments: &[&str]) -> Result<Child> {
    let mut command = Command::new(artifact::housekey()?);
    command.arg("demo").args(arguments).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    Ok(command.spawn()?)
}

#[tokio::test]
async fn the_tour_shows_who_saw_what_and_who_it_was() -> Result<()> {
    let output = timeout(LONGEST, demo(&["--once"])?.wait_with_output()).await??;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{}:\n{text}", output.status);
    for wanted in [
        "alice     alice  gateway",
        "bob       bob    gateway",
        "alice     north      120  34113.75",
        "bob       south      120   30883.8",
        "Code 497 (ACCESS_DENIED)",
        "Bob Costa",
        "`DROP` cannot start a statement here",
        "HTTP 401 Unauthorized",
        "gateway  gateway                       0  EXECUTE AS 'alice' SELECT region",
        "alice    gateway                       1  SELECT region",
        "claude mcp add --transport http housekey",
        "Stopped: nothing is left running.",
    ] {
        ensure!(text.contains(wanted), "{wanted:?} is missing in:\n{text}");
    }
    ensure!(
        !text.contains("Elif Fischer") || text.contains("bob     employee"),
        "alice saw bob's table:\n{text}"
    );
    Ok(())
}

#[tokio::test]
async fn an_interrupt_stops_everything() -> Result<()> {
    let mut child = demo(&[])?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let mut addresses = Vec::new();
    let told = timeout(LONGEST, async {
        while let Some(line) = lines.next_line().await? {
            addresses.extend(line.split_whitespace().filter_map(listener));
            if line.starts_with("Connect a client") {
                return anyhow::Ok(true);
            }
        }
        Ok(false)
    });
    ensure!(told.await??, "the demo ended before it was interrupted");
    ensure!(addresses.len() >= 2, "ClickHouse and Housekey say where they listen: {addresses:?}");
    for address in &addresses {
        TcpStream::connect(address).await.with_context(|| format!("{address} does not listen"))?;
    }
    let process = child.id().context("no process")?;
    Command::new("kill").args(["-s", "INT", &process.to_string()]).status().await?;
    // What it still says must be read, or it could not end.
    while lines.next_line().await?.is_some() {}
    let status = timeout(poll::PATIENCE, child.wait()).await??;
    ensure!(status.success(), "{status}");
    for address in &addresses {
        ensure!(TcpStream::connect(address).await.is_err(), "something still listens at {address}");
    }
    Ok(())
}

/// `http://127.0.0.1:1234/…` as an address.
fn listener(word: &str) -> Option<SocketAddr> {
    word.strip_prefix("http://")?.split('/').next()?.parse().ok()
}
