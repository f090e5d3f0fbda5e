//! ClickHouse as core speaks to it: one request type, one stream of events, and the codecs between.

mod exception;
pub mod http;
mod json;
mod query;
mod rows;
mod type_name;

pub use exception::Exception;
pub use query::{
    Column, Credential, Endpoint, QueryEvent, QueryRequest, ReadLimits, Row, RunAs, Scheme, Setting, Statement,
};
pub use rows::{Outcome, Rows, RowLimits, Truncated, TruncationReason};
pub use type_name::TypeName;
