//! The program `housekey`.

use std::process::ExitCode;
use std::time::Duration;

use housekey::cli;

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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
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
