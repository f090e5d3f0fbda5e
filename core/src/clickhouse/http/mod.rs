//! ClickHouse over its HTTP interface: a query as one POST, and the answer decoded as it arrives.
//!
//! Deliberately absent: HTTP sessions (`session_id`), in which `EXECUTE AS` could outlive a query, compression,
//! and GET, which would force `readonly=2` on the query.

mod buffer;
mod failure;
mod line;
mod request;
mod response;

pub use request::{EncodeError, encode};
pub use response::Response;

/// The format that is asked for: names, types, then a JSON array per row, each on a line of its own.
const FORMAT: &str = "JSONCompactEachRowWithNamesAndTypes";

/// The format that is asked for where somebody wants to hear how far the server has come: a JSON object on each line,
/// of which some say so while the statement runs. Rows in it are the same text. Servers before 25.2 do not know it.
const PROGRESS_FORMAT: &str = "JSONCompactEachRowWithProgress";

#[cfg(test)]
mod tests;
