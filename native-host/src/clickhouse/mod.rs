//! ClickHouse over its HTTP interface.

mod http;
mod pool;
#[cfg(test)]
mod tests;
mod token_clients;
mod token_files;

pub(crate) use http::chain;
pub use http::{Answer, Client};
pub use pool::{OutgoingClients, PoolError};
