//! Puts the embedded ClickHouse into Housekey's private folder: a Python environment with one
//! wheel whose hash is pinned.
//!
//! An installation appears under its final name only when it is complete, so one that was killed
//! half-way is simply made again, and a lock lets two processes that install at once share the work.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{self, MissedTickBehavior};

/// The ClickHouse that the pinned wheel contains.
pub const VERSION: &str = "26.9.2.1";

const PACKAGE_VERSION: &str = "26.9.0";
const REQUIREMENT: &str = "chdb-core==26.9.0 \
     --hash=sha256:707e2ec3fe0f7953bac97942eaeb7a1ed1d66b1e56ecef3f0aa2130f61f6e735\n";

/// Named after the wheel, so that a later pin gets a folder of its own.
const FOLDER: &str = "clickhouse-26.9.0-707e2ec3";
const LOCK: &str = "clickhouse.lock";
const PARTIAL: &str = "clickhouse.partial-";

/// Bytes on disk at the end: the wheel, what it unpacks to, and pip with the environment.
const EXPECTED_BYTES: u64 = 765_000_000;

const POLL: Duration = Duration::from_millis(200);

/// Shows that something happens while an installation takes its time.
pub trait Progress: Send + Sync {
    /// A new step begins; `text` is a short phrase such as "Downloading ClickHouse 26.9.2.1".
    fn step(&self, text: &str);
    /// `done` of about `total` bytes of the current step are there; `done` never exceeds `total`.
    fn advance(&self, done: u64, total: u64);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _text: &str) {}
    fn advance(&self, _done: u64, _total: u64) {}
}

/// An embedded ClickHouse that is ready to be started.
#[derive(Clone, Debug)]
pub struct Installation {
    folder: PathBuf,
}

impl Installation {
    /// The interpreter of the environment.
    pub fn python(&self) -> PathBuf {
        python_of(&self.folder)
    }

    /// Where it is installed.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Why there is no embedded ClickHouse.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// There is no wheel for this machine.
    #[error(
        "the embedded ClickHouse exists for x86_64 Linux only, and this is {} {}; name a ClickHouse \
         server of yours instead",
        env::consts::ARCH,
        env::consts::OS
    )]
    Platform,
    /// No environment variable tells where private files may be.
    #[error("no place for private files is known: set HOUSEKEY_CACHE, XDG_CACHE_HOME or HOME to a folder")]
    NoCache,
    /// There is no interpreter.
    #[error("Python 3 is not installed (no `python3` on PATH); {}", how_to_install())]
    NoPython,
    /// The interpreter is older than the wheel allows.
    #[error("`python3` is version {found}, and 3.9 or later is needed; {}", how_to_install())]
    OldPython {
        /// The version of `python3`.
        found: String,
    },
    /// The interpreter cannot make environments, as on a Debian without `python3-venv`.
    #[error("`python3` lacks its `venv` module ({reason}); {}", how_to_install())]
    NoVenv {
        /// What Python said about the missing module.
        reason: String,
    },
    /// A program could not be started.
    #[error("cannot run `{program}`: {source}")]
    Run {
        /// What was to run.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The private folder cannot be used.
    #[error("cannot write to {}: {source}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// `python3 -m venv` failed; its last lines.
    #[error("making a Python environment failed: {0}")]
    Environment(String),
    /// pip failed, for example without a network; its last lines.
    #[error("installing chdb-core {PACKAGE_VERSION} with pip failed: {0}")]
    Pip(String),
    /// The finished installation does not contain what it should.
    #[error("the installation in {} does not work although it just succeeded", .0.display())]
    Broken(PathBuf),
}

/// Housekey's private folder: `HOUSEKEY_CACHE`, else `housekey` in `XDG_CACHE_HOME` or `~/.cache`.
pub fn cache_folder() -> Result<PathBuf, InstallError> {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("HOUSEKEY_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("housekey")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache").join("housekey")))
        .ok_or(InstallError::NoCache)
}

/// Finds the embedded ClickHouse in `cache`, or installs it there.
pub async fn install(cache: &Path, progress: &dyn Progress) -> Result<Installation, InstallError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(InstallError::Platform);
    }
    // The environment remembers its absolute path.
    let cache = std::path::absolute(cache).map_err(|source| at(cache, source))?;
    let folder = cache.join(FOLDER);
    if works(&folder).await {
        return Ok(Installation { folder });
    }

    check_python().await?;
    fs::create_dir_all(&cache).map_err(|source| at(&cache, source))?;
    let _lock = lock(&cache.join(LOCK), progress).await?;
    // Whoever held the lock before us may have done the work.
    if works(&folder).await {
        return Ok(Installation { folder });
    }
    remove_leftovers(&cache);

    let partial =
        tempfile::Builder::new().prefix(PARTIAL).tempdir_in(&cache).map_err(|source| at(&cache, source))?;
    build(partial.path(), progress).await?;
    if folder.exists() {
        // It does not work, for example because the system's Python was replaced.
        fs::remove_dir_all(&folder).map_err(|source| at(&folder, source))?;
    }
    fs::rename(partial.path(), &folder).map_err(|source| at(&folder, source))?;
    if works(&folder).await { Ok(Installation { folder }) } else { Err(InstallError::Broken(folder)) }
}

fn at(path: &Path, source: io::Error) -> InstallError {
    InstallError::Folder { path: path.to_owned(), source }
}

fn python_of(environment: &Path) -> PathBuf {
    environment.join("bin").join("python")
}

/// Whether the environment has the pinned package and its interpreter still runs.
async fn works(folder: &Path) -> bool {
    let script = "import importlib.metadata as m; print(m.version('chdb-core'))";
    let python = python_of(folder);
    match run(Command::new(&python).args(["-I", "-c", script])).await {
        Ok(output) => output.status.success() && output.stdout.trim_ascii() == PACKAGE_VERSION.as_bytes(),
        Err(_) => false,
    }
}

/// Python itself, its version, and the two modules that Debian packages apart.
async fn check_python() -> Result<(), InstallError> {
    let script = "import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < (3, 9))";
    let output = match run(Command::new("python3").args(["-I", "-c", script])).await {
        Ok(output) => output,
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Err(InstallError::NoPython);
        }
        Err(source) => {
            return Err(InstallError::Run { program: "python3".to_owned(), source });
        }
    };
    if !output.status.success() {
        let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        return Err(InstallError::OldPython { found });
    }
    let output = python3(&["-I", "-c", "import venv, ensurepip"]).await?;
    if output.status.success() {
        Ok(())
    } else {
        Err(InstallError::NoVenv { reason: last_lines(&output.stderr, 1) })
    }
}

/// The command that installs Python, for the package manager that is there.
fn how_to_install() -> String {
    let path = env::var_os("PATH").unwrap_or_default();
    let has = |program: &str| env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let command = if has("apt-get") {
        "apt-get install python3 python3-venv"
    } else if has("dnf") {
        "dnf install python3"
    } else if has("zypper") {
        "zypper install python3"
    } else if has("pacman") {
        "pacman -S python"
    } else {
        return "install Python 3.9 or later with its venv and ensurepip modules".to_owned();
    };
    format!("install it with `{command}`")
}

/// Waits for other processes that install; the system releases the lock when its holder ends.
async fn lock(path: &Path, progress: &dyn Progress) -> Result<File, InstallError> {
    let file = File::create(path).map_err(|source| at(path, source))?;
    let mut interval = time::interval(POLL);
    let mut told = false;
    loop {
        interval.tick().await;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if told => {}
            Err(TryLockError::WouldBlock) => {
                progress.step("Waiting for another Housekey that is installing ClickHouse");
                told = true;
            }
            Err(TryLockError::Error(source)) => return Err(at(path, source)),
        }
    }
}

/// Removes what killed installations left; whatever cannot be removed does no harm.
fn remove_leftovers(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Makes the environment and installs the wheel into it.
async fn build(partial: &Path, progress: &dyn Progress) -> Result<(), InstallError> {
    progress.step("Making a Python environment");
    let output = python3(&["-I", "-m", "venv", &partial.to_string_lossy()]).await?;
    if !output.status.success() {
        // `venv` explains itself on standard output when a piece of it is missing.
        let text = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
        return Err(InstallError::Environment(last_lines(text, 5)));
    }

    progress.step(&format!("Installing ClickHouse {VERSION} (chdb-core, 180 MB to download)"));
    let requirements = partial.join("requirements.txt");
    fs::write(&requirements, REQUIREMENT).map_err(|source| at(&requirements, source))?;
    let downloads = partial.join("downloads");
    fs::create_dir(&downloads).map_err(|source| at(&downloads, source))?;
    let mut pip = Command::new(python_of(partial));
    pip.args(["-I", "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--require-hashes"])
        .args(["--only-binary", ":all:", "--no-compile", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(&requirements)
        // pip downloads into its temporary folder, so that the size of `partial` is the progress.
        .env("TMPDIR", &downloads);
    let running = run(&mut pip);
    tokio::pin!(running);
    let mut interval = time::interval(POLL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut done = 0;
    let output = loop {
        tokio::select! {
            output = &mut running => break output,
            _ = interval.tick() => {
                done = size(partial).clamp(done, EXPECTED_BYTES);
                progress.advance(done, EXPECTED_BYTES);
            }
        }
    };
    let output = output.map_err(|source| InstallError::Run { program: "pip".to_owned(), source })?;
    if !output.status.success() {
        return Err(InstallError::Pip(last_lines(&output.stderr, 5)));
    }
    progress.advance(EXPECTED_BYTES, EXPECTED_BYTES);
    fs::remove_dir_all(&downloads).map_err(|source| at(&downloads, source))
}

/// Bytes in a folder; files that vanish while it is read count nothing.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

async fn python3(arguments: &[&str]) -> Result<Output, InstallError> {
    run(Command::new("python3").args(arguments))
        .await
        .map_err(|source| InstallError::Run { program: "python3".to_owned(), source })
}

/// Runs a program to its end; it dies with the future that waits for it.
async fn run(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).kill_on_drop(true).output().await
}

fn last_lines(bytes: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(count).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_come_in_order() {
        assert_eq!(last_lines(b"one\n\ntwo\nthree\n", 2), "two\nthree");
        assert_eq!(last_lines(b"", 2), "");
    }

    #[test]
    fn the_pin_is_of_one_piece() {
        assert!(REQUIREMENT.contains(&format!("=={PACKAGE_VERSION} ")));
        let (_, hash) = REQUIREMENT.trim_end().rsplit_once(':').unwrap();
        assert_eq!(hash.len(), 64);
        assert_eq!(FOLDER, format!("clickhouse-{PACKAGE_VERSION}-{}", &hash[..8]));
    }

    #[test]
    fn leftovers_are_removed_and_nothing_else() {
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir(cache.path().join("clickhouse.partial-x")).unwrap();
        fs::create_dir(cache.path().join("node")).unwrap();
        remove_leftovers(cache.path());
        assert!(!cache.path().join("clickhouse.partial-x").exists());
        assert!(cache.path().join("node").exists());
    }
}
