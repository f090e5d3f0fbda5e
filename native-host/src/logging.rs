//! Logs: to standard error, because standard output belongs to MCP when the transport is stdio.
//!
//! Lines carry identifiers (query ids, subjects, routes), never statements, tokens, raw paths or passwords.

use std::io::{self, IsTerminal};

use housekey_core::config::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Begins to log at this level. A second call in one process changes nothing.
pub fn start(level: Level) {
    let own = match level {
        Level::Debug => LevelFilter::DEBUG,
        Level::Info => LevelFilter::INFO,
        Level::Warn => LevelFilter::WARN,
        Level::Error => LevelFilter::ERROR,
    };
    // What libraries tell about frames and sockets is of use to their authors only.
    let targets = Targets::new().with_target("housekey", own).with_default(own.min(LevelFilter::WARN));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let _ = tracing_subscriber::registry().with(lines).with(targets).try_init();
}
