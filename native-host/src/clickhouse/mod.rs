//! ClickHouse over its HTTP interface and over its native protocol.

mod client;
mod http;
mod native;
mod pool;
#[cfg(test)]
mod tests;
mod token_clients;
mod token_files;

pub use client::{Answer, Client, NotCancelled};
pub(crate) use http::chain;
pub use native::Bounds;
pub use pool::{OutgoingClients, PoolError};

/// What callers hear of every reason for which there is no connection.
const UNREACHABLE: &str = "ClickHouse could not be reached";
