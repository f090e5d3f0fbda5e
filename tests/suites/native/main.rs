//! The native protocol from end to end: its values against those of HTTP, its oldest server, and what logs say of it.

mod ask;
mod differential;
mod log;
mod old;

use std::process::ExitCode;

use libtest_mimic::Completion;
use system_tests::harness::{self, Verdict};

fn main() -> ExitCode {
    let mut trials = differential::trials();
    trials.extend(old::trials());
    trials.push(trial("log::vouched", log::vouched));
    trials.push(trial("log::refused", log::refused));
    let code = harness::run(trials);
    old::end();
    differential::report();
    code
}

fn trial<F>(name: &str, body: impl FnOnce() -> F + Send + 'static) -> libtest_mimic::Trial
where
    F: Future<Output = anyhow::Result<()>>,
{
    harness::trial(name.to_owned(), Verdict::Run, move || async move {
        body().await?;
        Ok(Completion::Completed)
    })
}
