//! The program `housekey`.

use std::num::NonZero;
use std::process::ExitCode;
use std::time::Duration;

use housekey::cli;
use tokio::runtime::{Builder, Runtime};

/// How long detached work may hold up the end of the process; a read of standard input never ends by itself.
const LAST_BREATH: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => {
            // Help and version come this way, too, and go to standard output.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("housekey: the runtime did not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = match runtime.block_on(cli::run(command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("housekey: {}", told(&error));
            ExitCode::FAILURE
        }
    };
    runtime.shutdown_timeout(LAST_BREATH);
    code
}

/// One processor is left to what runs beside the server: a request that is handed from thread to thread on a busy
/// machine waits longer than it gains. `TOKIO_WORKER_THREADS` says otherwise.
fn runtime() -> std::io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        builder.worker_threads(processors.saturating_sub(1).max(1));
    }
    builder.enable_all().build()
}

/// An error with its causes, each once: some errors quote their cause already.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}
