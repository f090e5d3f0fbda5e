//! The hosts that serve Housekey, each started the way an operator starts it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, OnceCell, Semaphore};
use tokio::time::timeout;

use crate::client::plain_http;
use crate::settings::{HTTP_PORT, Settings, TCP_PORT};
use crate::stderr::Stderr;
use crate::{artifact, poll};

/// How often another port is tried when somebody took ours between choosing and binding.
const ATTEMPTS: u32 = 5;

/// Where hosts listen: below the ports that systems give away.
const FIRST_PORT: u16 = 16_000;
const PORTS: u16 = 16_000;

/// A way to run Housekey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// `housekey --transport http`.
    NativeHttp,
    /// The same, with ClickHouse spoken to over its native protocol.
    NativeTcp,
    /// `housekey --transport stdio`.
    Stdio,
    /// `housekey --component housekey_edge.wasm`.
    HostedComponent,
    /// `housekey --component housekey_hosted.wasm`, with ClickHouse spoken to over its native protocol.
    LentComponent,
    /// `wasmtime serve housekey_edge.wasm`, as wasmtime comes.
    StockWasmtime,
}

impl Host {
    /// Every host.
    pub const ALL: [Self; 6] = [
        Self::NativeHttp,
        Self::NativeTcp,
        Self::Stdio,
        Self::HostedComponent,
        Self::LentComponent,
        Self::StockWasmtime,
    ];

    /// The name in the names of tests and in `HOUSEKEY_TEST_HOSTS`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NativeHttp => "native",
            Self::NativeTcp => "tcp",
            Self::Stdio => "stdio",
            Self::HostedComponent => "component",
            Self::LentComponent => "hosted",
            Self::StockWasmtime => "wasmtime",
        }
    }

    /// Whether it speaks HTTP.
    pub const fn speaks_http(self) -> bool {
        match self {
            Self::NativeHttp
            | Self::NativeTcp
            | Self::HostedComponent
            | Self::LentComponent
            | Self::StockWasmtime => true,
            Self::Stdio => false,
        }
    }

    /// The component that it hosts, if it hosts one.
    fn component(self) -> Result<Option<PathBuf>> {
        match self {
            Self::NativeHttp | Self::NativeTcp | Self::Stdio => Ok(None),
            Self::HostedComponent | Self::StockWasmtime => artifact::component().map(Some),
            Self::LentComponent => artifact::hosted_component().map(Some),
        }
    }

    /// The command with its settings, about to listen at `port`.
    pub fn command(self, settings: &Settings, port: u16) -> Result<Command> {
        let port = port.to_string();
        let mut command = match self {
            Self::NativeHttp
            | Self::NativeTcp
            | Self::Stdio
            | Self::HostedComponent
            | Self::LentComponent => Command::new(artifact::housekey()?),
            Self::StockWasmtime => Command::new(artifact::wasmtime()?),
        };
        // Nothing of the environment that the tests run in is a setting of the host.
        command.env_clear();
        command.envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME"));
        command.envs(settings.iter());
        if matches!(self, Self::NativeTcp | Self::LentComponent) {
            command.env("CLICKHOUSE_PROTOCOL", settings.find("CLICKHOUSE_PROTOCOL").unwrap_or("tcp"));
            // Where the settings name the world's ClickHouse, it is the same one at its other port.
            if settings.find("CLICKHOUSE_PORT") == settings.find(HTTP_PORT) {
                command.envs(settings.find(TCP_PORT).map(|port| ("CLICKHOUSE_PORT", port)));
            }
        }
        match self {
            Self::Stdio => {
                command.args(["--transport", "stdio"]);
            }
            Self::NativeHttp | Self::NativeTcp | Self::HostedComponent | Self::LentComponent => {
                let transport = settings.find("MCP_TRANSPORT").unwrap_or("http");
                command.args(["--transport", transport, "--address", "127.0.0.1", "--port", &port]);
                if let Some(component) = self.component()? {
                    command.arg("--component").arg(component);
                }
            }
            Self::StockWasmtime => {
                command.args(["serve", "-S", "cli", "--addr", &format!("127.0.0.1:{port}")]);
                // By name only: the values come from the environment and stay out of the list of processes.
                command.args(settings.iter().flat_map(|(name, _)| ["--env", name]));
                command.arg(artifact::component()?);
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Ok(command)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A host that listens for HTTP; dropping it ends it.
#[derive(Debug)]
pub struct Server {
    url: String,
    stderr: Stderr,
    child: Child,
}

static COMPILING: Semaphore = Semaphore::const_new(2);

impl Server {
    /// Starts a host and waits until it answers, whatever it answers.
    pub async fn start(host: Host, settings: &Settings) -> Result<Self> {
        // To compile a component takes all processors there are: a few at once would only wait for each other.
        let _turn = match host.component()? {
            Some(_) => Some(COMPILING.acquire().await?),
            None => None,
        };
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            let mut child =
                host.command(settings, port)?.spawn().with_context(|| format!("cannot start {host}"))?;
            let stderr = collect(host, &mut child)?;
            let url = format!("http://127.0.0.1:{port}");
            let client = plain_http()?;
            let ended = poll::until(&format!("an answer of {host}"), async || {
                if let Some(status) = child.try_wait()? {
                    return Ok(Some(Some(status)));
                }
                Ok(client.get(format!("{url}/livez")).send().await.ok().map(|_| None))
            })
            .await
            .with_context(|| stderr.text())?;
            // Whoever answered was our child only if that still runs.
            let ended = match ended {
                None => child.try_wait()?,
                ended => ended,
            };
            match ended {
                None => return Ok(Self { url, stderr, child }),
                Some(_) if stderr.text().to_lowercase().contains("address already in use") => {}
                Some(status) => bail!("{host} ended while starting ({status}):\n{}", stderr.text()),
            }
        }
        bail!("no port was free for {host} {ATTEMPTS} times")
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has written.
    pub fn stderr(&self) -> &Stderr {
        &self.stderr
    }

    /// Its process, as long as it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.child.id()
    }
}

/// How a host ended that was expected not to start.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote.
    pub stderr: String,
}

/// Starts a host that should end by itself at once.
pub async fn run_to_end(host: Host, settings: &Settings, arguments: &[&str]) -> Result<Ended> {
    let mut command = host.command(settings, free_port()?)?;
    let mut child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let stderr = collect(host, &mut child)?;
    let status = timeout(poll::PATIENCE, child.wait())
        .await
        .with_context(|| format!("{host} was expected to end and runs:\n{}", stderr.text()))??;
    // The pipe may still hold something when the process has ended.
    let stderr = poll::until("a message of the ended host", async || {
        let text = stderr.text();
        Ok((!text.is_empty()).then_some(text))
    })
    .await?;
    Ok(Ended { status, stderr })
}

/// Collects the standard error of a child.
pub(crate) fn collect(host: Host, child: &mut Child) -> Result<Stderr> {
    let pipe = child.stderr.take().context("standard error is not a pipe")?;
    Ok(Stderr::collect(host.name(), pipe))
}

/// A port that nobody has now, and that the system gives to nobody who asks for any port: those are higher. Hence no
/// gate, no ClickHouse and no other host of this process can take it before our host does.
fn free_port() -> Result<u16> {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::random_range(0..PORTS)));
    for _ in 0..PORTS {
        let port = FIRST_PORT + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free from {FIRST_PORT} on")
}

type Slot = Arc<OnceCell<Arc<Server>>>;

/// Hosts that cases share, because they only read and their settings are alike.
static SHARED: Mutex<BTreeMap<(Host, Settings), Slot>> = Mutex::const_new(BTreeMap::new());

/// A host with these settings, started by the first who asks.
pub async fn shared(host: Host, settings: &Settings) -> Result<Arc<Server>> {
    let slot = Arc::clone(SHARED.lock().await.entry((host, settings.clone())).or_default());
    let start = async || Server::start(host, settings).await.map(Arc::new);
    slot.get_or_try_init(start).await.map(Arc::clone)
}

/// Ends the shared hosts. Statics are never dropped, so a suite calls this at its end.
pub async fn end() {
    SHARED.lock().await.clear();
}
