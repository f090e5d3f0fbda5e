//! Hosts the WebAssembly component inside the native binary: `--component FILE`.
//!
//! Each request gets a fresh store, so nothing that one caller's request leaves in memory is there for the next. The
//! guest may use 64 MiB, a bounded time and the way out that it is given ([`Means`]); it sees no file, no socket and
//! no variable of this process but its own settings.
//!
//! The build says by its imports which way out that is ([`World`]): HTTP to ClickHouse with the configured login, or
//! queries through this host, which has authenticated the caller and keeps every secret to itself.
//!
//! A client that disconnects drops its response, which aborts the guest; its outgoing connection closes at once and
//! ClickHouse is asked to end the query (see `outgoing.rs`).

mod abandoned;
mod engine;
mod environment;
mod means;
mod native_import;
mod oauth_environment;
mod outbound;
mod outgoing;
mod request;
mod store;

use std::path::PathBuf;
use std::time::Duration;

pub use engine::{Hosted, World};
pub use environment::edge_environment;
pub use means::Means;
pub use outbound::{NotUrl, Outbound};
pub(crate) use outgoing::Outgoing;
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
}

impl Limits {
    /// The usual limits: 64 MiB, 256 requests.
    pub fn new(time: Duration) -> Self {
        Self { memory_bytes: 64 << 20, time, concurrent: 256 }
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
    /// It wants something that is neither standard nor this host's to lend.
    #[error("{} imports `{import}`, which it may not: {hint}", .path.display())]
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
