//! The suite as a program.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use system_tests::artifact;
use tokio::process::Command;
use tokio::time::timeout;

use crate::report::Report;

/// A set takes the suite some seconds.
const PATIENCE: Duration = Duration::from_secs(150);
/// What the suite gives each scenario, in milliseconds.
const SCENARIO_TIMEOUT: &str = "30000";

/// The pinned suite and the Node that runs it.
pub(crate) struct Suite {
    node: PathBuf,
    package: PathBuf,
}

impl Suite {
    /// Where `tests/run` installs it; an error says what is missing.
    pub(crate) fn installed() -> Result<Self> {
        let folder = artifact::workspace().join("tests/clients/conformance");
        let package = folder.join("node_modules/@modelcontextprotocol/conformance");
        ensure!(package.is_dir(), "the conformance suite is missing: run `npm ci` in {}", folder.display());
        Ok(Self { node: artifact::node()?, package })
    }

    /// Runs everything that a requirement set names against a server.
    ///
    /// The suite's own status is not looked at: it knows nothing of what cannot apply to a server with tools of its
    /// own, and it lets warnings and all that it does not score pass.
    pub(crate) async fn run(&self, url: &str, revision: &str) -> Result<Report> {
        let results = tempfile::tempdir()?;
        let mut command = Command::new(&self.node);
        command.arg(self.package.join("dist/index.js")).args([
            "server",
            "--url",
            url,
            "--requirements",
            revision,
        ]);
        command.args(["--timeout", SCENARIO_TIMEOUT, "--output-dir"]).arg(results.path());
        // It looks for files of its own beside where it is started.
        command.current_dir(results.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let _ = timeout(PATIENCE, command.output()).await.context("the suite did not end")??;
        // A run that broke off has left no folder for what it had not begun, so the counts tell of it.
        Report::read(results.path(), &self.unscored(revision)?)
    }

    /// The scenarios that the suite's own file on a revision names under `not_scored`.
    fn unscored(&self, revision: &str) -> Result<BTreeSet<String>> {
        let file = self.package.join(format!("requirements/{revision}.yaml"));
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let (_, unscored) = text.split_once("\nnot_scored:").context("no scenarios that are not scored")?;
        let name = |line: &str| line.trim().strip_prefix("- scenario: ").map(str::to_owned);
        Ok(unscored.lines().filter_map(name).collect())
    }
}
