//! OAuth, by real identity providers, real browsers and other people's clients, down to ClickHouse's own log.

mod beside;
mod broken;
mod browser;
mod clients;
mod conformance;
mod forward;
mod house;
mod journey;
mod people;
mod replicas;
mod resource;
mod tokens;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use libtest_mimic::{Completion, Trial};
use system_tests::artifact;
use system_tests::harness::{self, Verdict};

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for part in [
        clients::trials,
        browser::trials,
        people::trials,
        tokens::trials,
        broken::trials,
        replicas::trials,
        forward::trials,
        resource::trials,
        beside::trials,
        conformance::trials,
    ] {
        trials.extend(part());
    }
    harness::run(trials)
}

/// A trial that is skipped, with the reason, where what it needs is not installed; in CI that is a failure.
pub(crate) fn trial<F>(
    name: impl Into<String>,
    needs: &'static [Need],
    body: impl FnOnce() -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = Result<()>>,
{
    harness::trial(name.into(), Verdict::Run, move || async move {
        for need in needs {
            if let Err(reason) = need.check() {
                ensure!(!harness::is_ci(), "{reason:#}");
                return Ok(Completion::ignored_with(format!("{reason:#}")));
            }
        }
        body().await?;
        Ok(Completion::Completed)
    })
}

/// What a trial needs beside Housekey.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// Node, for providers and visitors.
    Node,
    /// Debian's browser.
    Chromium,
    /// Python's SDK, the first.
    Python1,
    /// Python's SDK, the second.
    Python2,
    /// The portable component.
    Component,
    /// A stock wasmtime.
    Wasmtime,
}

impl Need {
    fn check(self) -> Result<()> {
        match self {
            Self::Node => artifact::node(),
            Self::Chromium => artifact::chromium(),
            Self::Python1 => artifact::python("HOUSEKEY_PYTHON_SDK1"),
            Self::Python2 => artifact::python("HOUSEKEY_PYTHON_SDK2"),
            Self::Component => artifact::component(),
            Self::Wasmtime => artifact::wasmtime(),
        }
        .map(drop)
    }
}
