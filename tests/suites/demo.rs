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
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command.spawn()?)
}

/// Everything that a tour tells, standard error first: there stands what was done to ClickHouse.
async fn tour(arguments: &[&str]) -> Result<String> {
    let output = timeout(LONGEST, demo(arguments)?.wait_with_output()).await??;
    let text = String::from_utf8([output.stderr, output.stdout].concat())?;
    ensure!(output.status.success(), "{}:\n{text}", output.status);
    told(&text, &SAME_EITHER_WAY)?;
    ensure!(
        !text.contains("Elif Fischer") || text.contains("bob     employee"),
        "alice saw bob's table:\n{text}"
    );
    Ok(text)
}

fn told(text: &str, wanted: &[&str]) -> Result<()> {
    for wanted in wanted {
        ensure!(text.contains(wanted), "{wanted:?} is missing in:\n{text}");
    }
    Ok(())
}

/// Who saw what does not depend on how Housekey is somebody.
const SAME_EITHER_WAY: [&str; 8] = [
    "alice     north      120  34113.75",
    "bob       south      120   30883.8",
    "Code 497 (ACCESS_DENIED)",
    "Bob Costa",
    "`DROP` cannot start a statement here",
    "HTTP 401 Unauthorized",
    "claude mcp add --transport http housekey",
    "Stopped: nothing is left running.",
];

/// What changes the embedded ClickHouse in memory says so.
const SWITCHED: &str = "switched on EXECUTE AS";

fn by_interserver_secret(text: &str) -> Result<()> {
    told(
        text,
        &[
            "Housekey knows the interserver secret",
            "  alice     alice\n  bob       bob\n",
            "  user   initial_user  authenticated_user  interface        query\n  \
               alice  alice                             TCP_Interserver  SELECT region",
            "\n  bob    bob                               TCP_Interserver  SELECT region",
        ],
    )?;
    ensure!(text.matches("TCP_Interserver").count() == 2, "not one row for each question:\n{text}");
    ensure!(!text.contains(SWITCHED), "ClickHouse was changed without need:\n{text}");
    Ok(())
}

fn by_execute_as(text: &str) -> Result<()> {
    told(
        text,
        &[
            SWITCHED,
            "Housekey logs in as `gateway`",
            "alice     alice  gateway",
            "bob       bob    gateway",
            "gateway  gateway                       0  EXECUTE AS 'alice' SELECT region",
            "alice    gateway                       1  SELECT region",
        ],
    )
}

#[tokio::test]
async fn the_tour_shows_who_saw_what_and_who_it_was() -> Result<()> {
    by_interserver_secret(&tour(&["--once"]).await?)
}

#[tokio::test]
async fn execute_as_is_shown_on_request() -> Result<()> {
    by_execute_as(&tour(&["--once", "--execute-as"]).await?)
}

#[tokio::test]
async fn a_component_is_shown_with_what_it_can() -> Result<()> {
    let hosted = artifact::hosted_component()?.display().to_string();
    by_interserver_secret(&tour(&["--once", "--component", &hosted]).await?)?;
    by_execute_as(&tour(&["--once", "--component", &hosted, "--execute-as"]).await?)?;
    let portable = artifact::component()?.display().to_string();
    let text = tour(&["--once", "--component", &portable]).await?;
    told(&text, &["This component speaks HTTP only"])?;
    by_execute_as(&text)
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
