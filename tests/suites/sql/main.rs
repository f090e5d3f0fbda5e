//! The SQL layer against the real server: what we refuse is harmless there, too, and what we accept is there what we
//! take it for.
//!
//! Its ClickHouse has a gateway that may become anybody, which is more than an operator should grant, so that nothing
//! but the statement decides who acts.

mod attempts;
mod bypass;
mod generated;
mod parser;
mod send;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Completion, Trial};
use system_tests::harness::{self, Verdict};

/// Into how many parts the generated cases are cut.
const PARTS: u64 = 5;

fn main() -> ExitCode {
    let mut trials = bypass::trials();
    trials.push(trial("attempts::our_quoting", attempts::our_quoting));
    trials.push(trial("attempts::verdicts", attempts::verdicts));
    trials.push(trial("parser::table_functions", parser::table_functions));
    trials.push(trial("parser::corpus", parser::corpus));
    // Five thousand of each, in parts that have their own numbers and may run beside each other.
    for part in 0..PARTS {
        trials.push(trial(&format!("generated::identities_{part}"), move || generated::identities(part)));
        trials.push(trial(&format!("generated::statements_{part}"), move || generated::statements(part)));
        trials.push(trial(&format!("parser::generated_{part}"), move || parser::generated(part)));
    }
    harness::run_and(trials, world::end)
}

fn trial<F>(name: &str, body: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = anyhow::Result<()>>,
{
    harness::trial(name.to_owned(), Verdict::Run, move || async move {
        body().await?;
        Ok(Completion::Completed)
    })
}
