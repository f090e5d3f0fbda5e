//! A ClickHouse 18.16 of one's own: where it comes from, how it is configured, and that it ends with the tests.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use system_tests::{artifact, poll, secrets};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// How often other ports are tried when somebody took ours between choosing and binding.
const ATTEMPTS: usize = 5;

/// Runs the server and ends it as soon as its own standard input closes, which the kernel does for a killed parent.
const KEEPER: &str = r#"exec 3<&0; "$@" 3<&- & server=$!; (cat <&3 >&2; kill -9 $server) & wait $server"#;

/// A running server; dropping it ends the process and removes its data.
pub(crate) struct Server {
    pub(crate) tcp_port: u16,
    pub(crate) password: String,
    // Declared, and so dropped, before the folder it writes to.
    process: Process,
    folder: TempDir,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It fails only if somebody has waited already.
        let _ = self.0.wait();
    }
}

/// The program, as the script finds or fetches it; an error is the reason why there is none.
pub(crate) async fn program() -> Result<PathBuf> {
    let script = artifact::workspace().join("tests/setup/clickhouse-18");
    let output =
        tokio::process::Command::new(script).stdin(Stdio::null()).kill_on_drop(true).output().await?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("{}", text.lines().last().unwrap_or("there is no ClickHouse 18.16"));
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().into())
}

impl Server {
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match Self::launch(program).await? {
                Ok(server) => return Ok(server),
                Err(text) if text.contains("Address already in use") => last = text,
                Err(text) => bail!("it does not start:\n{text}"),
            }
        }
        bail!("no port stays free:\n{last}")
    }

    /// The inner error is what a server said that has ended.
    async fn launch(program: &Path) -> Result<Result<Self, String>> {
        let folder = tempfile::Builder::new().prefix("housekey-clickhouse-18-").tempdir()?;
        let password = secrets::fresh("the password of the old server");
        let (http_port, tcp_port) = free_ports()?;
        let config = write_files(folder.path(), &password, http_port, tcp_port)?;
        let log = folder.path().join("log");
        let child = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(program)
            .arg(format!("--config-file={}", config.display()))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            // An interrupt is for the tests, which then end it.
            .process_group(0)
            .spawn()
            .context("running sh")?;
        let mut server = Self { tcp_port, password, process: Process(child), folder };
        let lives = poll::until("ClickHouse 18.16 listens", async || {
            if server.process.0.try_wait()?.is_some() {
                return Ok(Some(false));
            }
            // Its own word, because somebody else may answer on a port that was taken.
            let listens = fs::read_to_string(&log)?.contains(&format!("Listening tcp: 127.0.0.1:{tcp_port}"));
            Ok((listens && TcpStream::connect((Ipv4Addr::LOCALHOST, tcp_port)).await.is_ok()).then_some(true))
        });
        if lives.await? { Ok(Ok(server)) } else { Ok(Err(server.last_lines()?)) }
    }

    fn last_lines(&self) -> Result<String> {
        let text = fs::read_to_string(self.folder.path().join("log"))?;
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n"))
    }
}

/// Two ports that are free now. Both are held until both are known, so that they differ.
fn free_ports() -> Result<(u16, u16)> {
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((http.local_addr()?.port(), tcp.local_addr()?.port()))
}

/// `writer` may do everything; `reader` is held to reading by a profile.
fn write_files(folder: &Path, password: &str, http_port: u16, tcp_port: u16) -> Result<PathBuf> {
    let place = folder.to_str().context("the temporary folder is not UTF-8")?;
    ensure!(!place.contains(['<', '&']), "the temporary folder has a name that XML cannot hold");
    let user = |name: &str, profile: &str| {
        format!(
            "<{name}><password>{password}</password><networks><ip>127.0.0.1</ip></networks>\
             <profile>{profile}</profile><quota>default</quota></{name}>"
        )
    };
    let users = format!(
        "<yandex><profiles><default/><reads><readonly>1</readonly></reads></profiles>\
         <users>{}{}{}</users><quotas><default/></quotas></yandex>",
        user("default", "default"),
        user("writer", "default"),
        user("reader", "reads")
    );
    let config = format!(
        "<yandex><logger><level>information</level><console>1</console></logger>\
         <listen_host>127.0.0.1</listen_host><http_port>{http_port}</http_port><tcp_port>{tcp_port}</tcp_port>\
         <path>{place}/data/</path><tmp_path>{place}/tmp/</tmp_path><users_config>{place}/users.xml</users_config>\
         <mark_cache_size>1000000</mark_cache_size><default_profile>default</default_profile>\
         <default_database>default</default_database><timezone>UTC</timezone></yandex>"
    );
    fs::write(folder.join("users.xml"), users)?;
    let path = folder.join("config.xml");
    fs::write(&path, config)?;
    Ok(path)
}
