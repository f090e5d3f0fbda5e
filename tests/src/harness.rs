//! From asynchronous cases to the test runner: one runtime, bounded times, skips with their reasons.

use std::env;
use std::future::Future;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::{host, stderr, world};

/// No case takes longer, unless something hangs.
const LONGEST: Duration = Duration::from_secs(180);

/// Cases wait more than they work, so more of them run at once than there are processors.
const THREADS: usize = 6;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| match Runtime::new() {
    Ok(runtime) => runtime,
    Err(error) => panic!("no runtime for the tests: {error}"),
});

/// What becomes of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs.
    Run,
    /// It makes no sense, or cannot work there; the reason is reported.
    Skip(&'static str),
}

/// A test of an asynchronous body. After it, no host's output may show a secret.
pub fn trial<F>(name: String, verdict: Verdict, body: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<Completion>>,
{
    Trial::ignorable_test(name, move || {
        if let Verdict::Skip(reason) = verdict {
            return Ok(Completion::ignored_with(reason));
        }
        let outcome = RUNTIME.block_on(async {
            let completion =
                timeout(LONGEST, body()).await.with_context(|| format!("not over after {LONGEST:?}"))??;
            stderr::check_all()?;
            anyhow::Ok(completion)
        });
        outcome.map_err(|error| Failed::from(format!("{error:#}")))
    })
}

/// Runs the trials of a suite that `cargo test` started, and ends whatever they started.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    run_and(trials, async || {})
}

/// The same, and ends at last what the suite has of its own.
pub fn run_and(trials: Vec<Trial>, end: impl AsyncFnOnce()) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(THREADS));
    let conclusion = libtest_mimic::run(&arguments, trials);
    let leaks = RUNTIME.block_on(async {
        end().await;
        host::end().await;
        world::end().await;
        stderr::check_all()
    });
    match leaks {
        Ok(()) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether this runs where everything must be there.
pub fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}
