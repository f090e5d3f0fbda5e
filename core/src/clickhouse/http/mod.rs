//! ClickHouse over its HTTP interface: a query as one POST, and the answer decoded as it arrives.
//!
//! Deliberately absent: HTTP sessions (`session_id`), in which `EXECUTE AS` could outlive a query, compression,
//! and GET, which would force `readonly=2` on the query.

mod buffer;
mod failure;
mod request;
mod response;

pub use request::{EncodeError, encode};
pub use response::Response;

/// The format that is asked for: names, types, then a JSON array per row, each on a line of its own.
const FORMAT: &str = "JSONCompactEachRowWithNamesAndTypes";

#[cfg(test)]
mod tests;
