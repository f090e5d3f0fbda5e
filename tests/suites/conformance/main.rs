//! The official conformance suite against the product on its hosts, and against the engine with the suite's fixtures.
//!
//! Each trial is one subject and one requirement set. It fails on whatever the suite calls a failure or a warning and
//! `system_tests::conformance` does not expect, on an expectation that is met by a success, and on a set that has
//! another number of scenarios than it had. Its counts go to standard output, whence `tests/run` takes them.

mod fixture;
mod matrix;
mod report;
mod suite;

use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs};

use anyhow::{Result, bail, ensure};
use libtest_mimic::Completion;
use system_tests::cell::Cell;
use system_tests::conformance::{REQUIREMENTS, Requirements, SUBJECTS, Subject};
use system_tests::harness::{self, Verdict};
use system_tests::host::{Host, Server};
use system_tests::settings::Settings;
use system_tests::world::world;
use system_tests::{artifact, page};

use fixture::Fixture;

fn main() -> ExitCode {
    let pairs = SUBJECTS.iter().flat_map(|subject| REQUIREMENTS.iter().map(move |set| (*subject, *set)));
    let mut trials =
        vec![harness::trial("page::the_committed_page_is_current".to_owned(), Verdict::Run, page)];
    for subject in SUBJECTS {
        let Subject::Product(host) = subject else { continue };
        let matrix = |what: &str| format!("{host}::{what}");
        trials.push(harness::trial(matrix("differences"), Verdict::Run, move || matrix::differences(host)));
        trials.push(harness::trial(matrix("questions"), Verdict::Run, move || matrix::questions(host)));
        trials.push(harness::trial(matrix("refusals"), Verdict::Run, move || matrix::refusals(host)));
    }
    // The component that queries through its host seals with what that makes for each caller.
    for host in [Host::NativeTcp, Host::LentComponent] {
        let name = format!("{host}::questions");
        trials.push(harness::trial(name, Verdict::Run, move || matrix::questions(host)));
    }
    trials.extend(pairs.map(|(subject, set)| {
        let name = format!("{subject}::{}", set.revision);
        harness::trial(name, Verdict::Run, move || hold(subject, set))
    }));
    harness::run(trials)
}

/// `docs/mcp.md` is what the tables say.
async fn page() -> Result<Completion> {
    let file = artifact::workspace().join("docs/mcp.md");
    if env::var_os("HOUSEKEY_WRITE_PAGE").is_some() {
        fs::write(&file, page::page())?;
    }
    ensure!(fs::read_to_string(&file)? == page::page(), "docs/mcp.md is not what the tables say");
    Ok(Completion::Completed)
}

async fn hold(subject: Subject, set: Requirements) -> Result<Completion> {
    let suite = match suite::Suite::installed() {
        Ok(suite) => suite,
        Err(reason) if harness::is_ci() => bail!("{reason:#}"),
        Err(reason) => return Ok(Completion::ignored_with(format!("{reason:#}"))),
    };
    let report = match subject {
        Subject::Product(host) => {
            let server = product(host).await?;
            suite.run(&format!("{}/mcp", server.url()), set.revision).await?
        }
        Subject::Fixture => {
            let fixture = Fixture::start().await?;
            suite.run(fixture.url(), set.revision).await?
        }
    };
    println!("conformance {subject} {} {}", set.revision, report.counts(subject, set.revision));
    report.check(subject, set)?;
    Ok(Completion::Completed)
}

/// The product without authentication, for the suite has no way to send a token.
async fn product(host: Host) -> Result<Arc<Server>> {
    let cell = Cell { host, world: world().await? };
    let settings = Settings::login(&cell.world, "alice")?;
    // A component does not know where it listens, so its operator says so.
    let settings = match host {
        Host::NativeHttp | Host::NativeTcp | Host::Stdio => settings,
        Host::HostedComponent | Host::LentComponent | Host::StockWasmtime => {
            settings.with("MCP_ALLOWED_HOSTS", "127.0.0.1")
        }
    };
    cell.server(&settings).await
}
