//! A real ClickHouse on this machine, for the demo and for the tests.
//!
//! `install` puts a pinned build of the embedded ClickHouse into a private
//! folder; `ClickHouse::start` runs it as a child process that listens on loopback only, with
//! fresh passwords and an empty data folder, and dropping it takes all of it away again. The child
//! also ends by itself when this process does, however it ends (see `clickhouse.py`).
//!
//! Absent on purpose: TLS, and SQL-created users. The embedded ClickHouse has neither.

mod files;
mod install;
mod process;

use std::fmt;
use std::fs::Permissions;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{self, MissedTickBehavior};

pub use files::demo_data;
pub use install::{InstallError, Installation, Progress, Silent, VERSION, cache_folder, install};

use files::{Secrets, free_ports, write_files};
use process::Process;

/// How often another pair of ports is tried when somebody took ours between choosing and binding.
const ATTEMPTS: u32 = 5;

/// A start takes about half a second on an idle machine; a busy one gets a minute.
const READY_INTERVAL: Duration = Duration::from_millis(50);
const READY_TRIES: u32 = 1200;

const QUERY_TIMEOUT: Duration = Duration::from_secs(120);

/// What is added to the users, grants and tables that every start has.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Elements for `<users>` of ClickHouse's `users.xml`.
    pub extra_users: String,
    /// Elements for `<profiles>` of ClickHouse's `users.xml`.
    pub extra_profiles: String,
    /// Elements for `<roles>` of ClickHouse's `users.xml`.
    pub extra_roles: String,
    /// Users whom `gateway` may impersonate besides alice and bob: a name or `prefix*`, as in
    /// `GRANT IMPERSONATE ON`.
    pub extra_impersonation: Vec<String>,
    /// Leaves the process as it was built, in which every login works and `EXECUTE AS` does not.
    pub without_execute_as: bool,
    /// Statements that admin runs before [`ClickHouse::start`] returns, for example [`demo_data`].
    pub init: Vec<String>,
}

/// Why ClickHouse did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder for configuration and data could not be made or written.
    #[error("cannot prepare a folder for ClickHouse: {0}")]
    Folder(#[source] io::Error),
    /// No port could be bound on loopback.
    #[error("cannot find a free port on 127.0.0.1: {0}")]
    Port(#[source] io::Error),
    /// The HTTP client could not be made.
    #[error("cannot make an HTTP client: {0}")]
    Client(#[source] reqwest::Error),
    /// The interpreter of the installation could not be run.
    #[error("cannot run {program}: {source}")]
    Spawn {
        /// The interpreter.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The child ended before it answered, for example because it is an unknown build.
    #[error("ClickHouse ended while starting ({status}); its last lines:\n{stderr}")]
    Died {
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it wrote.
        stderr: String,
    },
    /// The child runs and does not answer: how long, the last error, the last lines.
    #[error("ClickHouse did not answer within {0:?}: {1}\nIts last lines:\n{2}")]
    TimedOut(Duration, String, String),
    /// It answers, and is not the ClickHouse that the pinned wheel contains.
    #[error("ClickHouse says it is version {found}, expected {VERSION}")]
    Version {
        /// What it answered.
        found: String,
    },
    /// A statement of [`Options::init`], with the reason that ClickHouse gave.
    #[error("ClickHouse refused a set-up statement: {reason}\n{statement}")]
    Init {
        /// What admin ran.
        statement: String,
        /// What ClickHouse answered.
        reason: String,
    },
}

/// A running ClickHouse; dropping it ends the process and removes its data.
pub struct ClickHouse {
    http_port: u16,
    tcp_port: u16,
    secrets: Secrets,
    client: reqwest::Client,
    // The process is declared, and so dropped, before the folder it writes to.
    process: Process,
    folder: TempDir,
}

impl ClickHouse {
    /// Starts a ClickHouse of its own on free ports of 127.0.0.1 and waits until it answers.
    ///
    /// What the child has to announce (the in-memory switch for EXECUTE AS) goes to standard error.
    pub async fn start(installation: &Installation, options: Options) -> Result<Self, StartError> {
        let mut attempt = 1;
        let clickhouse = loop {
            match Self::launch(installation, &options).await {
                Err(StartError::Died { stderr, .. })
                    if attempt < ATTEMPTS && stderr.contains("Address already in use") =>
                {
                    attempt += 1;
                }
                other => break other?,
            }
        };
        for statement in options.init {
            if let Err(reason) = clickhouse.query(&statement).await {
                return Err(StartError::Init { statement, reason });
            }
        }
        Ok(clickhouse)
    }

    async fn launch(installation: &Installation, options: &Options) -> Result<Self, StartError> {
        // Passwords stand in it.
        let folder = tempfile::Builder::new()
            .prefix("housekey-clickhouse-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(StartError::Folder)?;
        let secrets = Secrets::random();
        let (http_port, tcp_port) = free_ports().map_err(StartError::Port)?;
        write_files(folder.path(), http_port, tcp_port, &secrets, options).map_err(StartError::Folder)?;

        let client = reqwest::Client::builder()
            .no_proxy()
            // A kept connection belongs to the runtime that opened it, and tests that share a
            // ClickHouse have a runtime each.
            .pool_max_idle_per_host(0)
            .timeout(QUERY_TIMEOUT)
            .build()
            .map_err(StartError::Client)?;
        let process = Process::spawn(&installation.python(), folder.path(), !options.without_execute_as)?;
        let mut clickhouse = Self { http_port, tcp_port, secrets, client, process, folder };
        clickhouse.become_ready().await?;
        Ok(clickhouse)
    }

    /// Polls until admin can log in. `/ping` would not do: if another ClickHouse took the port in
    /// the meantime it would answer too, but it does not know our password.
    async fn become_ready(&mut self) -> Result<(), StartError> {
        let mut interval = time::interval(READY_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = String::new();
        for _ in 0..READY_TRIES {
            interval.tick().await;
            if let Some(status) = self.process.ended() {
                let stderr = self.process.finish_stderr();
                return Err(StartError::Died { status, stderr });
            }
            match self.query("SELECT version()").await {
                Ok(version) if version.trim_end() == VERSION => return Ok(()),
                Ok(version) => {
                    return Err(StartError::Version { found: version.trim_end().to_owned() });
                }
                Err(reason) => last = reason,
            }
        }
        let waited = READY_INTERVAL.saturating_mul(READY_TRIES);
        Err(StartError::TimedOut(waited, last, self.process.last_lines()))
    }

    /// The port of the HTTP interface on 127.0.0.1.
    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// The port of the native protocol on 127.0.0.1.
    pub fn tcp_port(&self) -> u16 {
        self.tcp_port
    }

    /// `http://127.0.0.1:<port>`, without a slash at the end.
    pub fn http_url(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.http_port)
    }

    /// The user with every right.
    pub fn admin_user(&self) -> &'static str {
        "admin"
    }

    /// The password of [`ClickHouse::admin_user`].
    pub fn admin_password(&self) -> &str {
        &self.secrets.admin
    }

    /// The user that may impersonate alice and bob and can read nothing itself.
    pub fn gateway_user(&self) -> &'static str {
        "gateway"
    }

    /// The password of [`ClickHouse::gateway_user`].
    pub fn gateway_password(&self) -> &str {
        &self.secrets.gateway
    }

    /// The password of `alice`, who may read `sales.*` and of the orders those of the north.
    pub fn alice_password(&self) -> &str {
        &self.secrets.alice
    }

    /// The password of `bob`, who may read `hr.*` and of the orders those of the south.
    pub fn bob_password(&self) -> &str {
        &self.secrets.bob
    }

    /// The cluster of which this server is the only member.
    pub fn cluster_name(&self) -> &'static str {
        "housekey"
    }

    /// The secret with which members of the cluster vouch for users over the native protocol.
    pub fn cluster_secret(&self) -> &str {
        &self.secrets.cluster
    }

    /// The process id of the child.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The folder with its configuration and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a statement as admin; the answer is TabSeparated unless the statement has a FORMAT
    /// clause, an error is ClickHouse's own text.
    pub async fn query(&self, sql: &str) -> Result<String, String> {
        self.query_as(self.admin_user(), self.admin_password(), sql).await
    }

    /// Runs a statement as any user over HTTP, as [`ClickHouse::query`] does.
    pub async fn query_as(&self, user: &str, password: &str, sql: &str) -> Result<String, String> {
        let response = self
            .client
            // The status is sent when the statement is through, so it tells the whole truth. The
            // format is a default because X-ClickHouse-Format would win over a FORMAT clause.
            .post(format!("{}/?wait_end_of_query=1&default_format=TabSeparated", self.http_url()))
            .header("X-ClickHouse-User", user)
            .header("X-ClickHouse-Key", password)
            .body(sql.to_owned())
            .send()
            .await
            .map_err(|error| describe(&error))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| describe(&error))?;
        if status.is_success() { Ok(text) } else { Err(text.trim_end().to_owned()) }
    }

    /// Ends the process and removes its folder, without holding up the runtime as [`Drop`] may.
    pub async fn stop(self) {
        // A failed join means that dropping panicked, which it does not.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}

impl fmt::Debug for ClickHouse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClickHouse")
            .field("http_port", &self.http_port)
            .field("tcp_port", &self.tcp_port)
            .field("process_id", &self.process_id())
            .finish_non_exhaustive()
    }
}

/// An HTTP error with its causes; reqwest's own text stops at "error sending request".
pub(super) fn describe(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
