//! Hosts the WebAssembly component inside the native binary: `--component FILE`.
//!
//! Each request gets a fresh store, so nothing that one caller's request leaves in memory is there for the next. The
//! guest may use 64 MiB, a bounded time and the outbound hosts it is given; it sees no file, no socket and no
//! variable of this process but its own settings ([`edge_environment`]).
//!
//! A client that disconnects drops its response, which aborts the guest; its outgoing connection closes at once and
//! ClickHouse is asked to end the query (see `outgoing.rs`).

mod engine;
mod environment;
mod outbound;
mod outgoing;
mod request;
mod store;

use std::path::PathBuf;
use std::time::Duration;

pub use engine::Hosted;
pub use environment::edge_environment;
pub use outbound::{NotUrl, Outbound};
pub use request::Answer;

/// What a guest may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of linear memory for one request.
    pub memory_bytes: usize,
    /// How long one request may take, its stream included. Queries have their own, shorter deadline inside.
    pub time: Duration,
    /// Requests that run at once; more wait for their turn within [`Limits::time`].
    pub concurrent: u32,
    /// Where the guest may connect to.
    pub outbound: Outbound,
}

impl Limits {
    /// The usual limits: 64 MiB, 256 requests.
    pub fn new(time: Duration, outbound: Outbound) -> Self {
        Self { memory_bytes: 64 << 20, time, concurrent: 256, outbound }
    }
}

/// Why a file is not a component that can be hosted.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{} cannot be read: {problem}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        problem: std::io::Error,
    },
    /// The file is not a component of WebAssembly.
    #[error("{} is not a WebAssembly component: {problem}", .path.display())]
    Compile {
        /// The file.
        path: PathBuf,
        /// The compiler's reason.
        problem: String,
    },
    /// It wants something that is not standard.
    #[error("{} imports `{import}`, which is not a standard interface: {hint}", .path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// The interface.
        import: String,
        /// What to do.
        hint: &'static str,
    },
    /// It links, but is no HTTP handler, or wants a version of an interface that is not known here.
    #[error("{} cannot be linked: {problem}", .path.display())]
    Link {
        /// The file.
        path: PathBuf,
        /// The linker's reason.
        problem: String,
    },
    /// The engine or the client for outgoing requests cannot be set up on this machine.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
}
