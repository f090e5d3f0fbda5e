//! ClickHouse over its HTTP interface.

mod http;
mod pool;

pub(crate) use http::chain;
pub use http::{Answer, Client};
pub use pool::{PoolError, outgoing_clients};
