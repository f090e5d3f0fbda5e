//! Clients that other people wrote talk to a native host, over every way that each of them has: a session that goes
//! well, a token that is refused, and a question before something is lost.

mod inspector;
mod pins;
mod program;
mod session;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use libtest_mimic::{Completion, Trial};
use system_tests::cell::Cell;
use system_tests::clients::{CLIENTS, Client, Program, Way};
use system_tests::harness::{self, Verdict};
use system_tests::host::Host;
use system_tests::world::world;

fn main() -> ExitCode {
    let mut trials = vec![trial("pins::are_those_of_the_table".to_owned(), async || {
        pins::check()?;
        Ok(Completion::Completed)
    })];
    for client in CLIENTS {
        let name = |what: &str| format!("{}::{what}", client.name);
        for (way, revision) in client.ways {
            trials.push(match client.program {
                Program::Inspector(era) => {
                    trial(name(way.word()), move || inspector::session(client, *way, era))
                }
                Program::Node { .. } | Program::Python { .. } | Program::Rust(_) | Program::Bridge => {
                    trial(name(way.word()), move || session::goes_well(client, *way, revision))
                }
            });
        }
        for way in client.asked {
            trials.push(trial(name(&format!("asked_over_{way}")), move || session::is_asked(client, *way)));
        }
        if has_own_errors(client) {
            trials.push(trial(name("bad_token"), move || session::is_refused(client)));
        }
    }
    harness::run(trials)
}

/// Whether our script sees why a client could not connect.
fn has_own_errors(client: &Client) -> bool {
    let by_http = client.ways.iter().any(|(way, _)| *way == Way::Http);
    by_http && !matches!(client.program, Program::Inspector(_) | Program::Bridge)
}

fn trial<F>(name: String, body: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<Completion>>,
{
    harness::trial(name, Verdict::Run, body)
}

/// A trial is skipped, with the reason, where its client is not installed; in CI that is a failure.
fn missing(reason: &anyhow::Error) -> Result<Completion> {
    ensure!(!harness::is_ci(), "{reason:#}");
    Ok(Completion::ignored_with(format!("{reason:#}")))
}

async fn native() -> Result<Cell> {
    Ok(Cell { host: Host::NativeHttp, world: world().await? })
}
