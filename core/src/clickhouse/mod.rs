//! ClickHouse as core speaks to it: one request type, one stream of events, and the codecs between.

mod data;
mod exception;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
mod json;
mod lines;
pub mod native;
mod parameter;
mod query;
mod rows;
mod type_name;
mod value;

pub use data::{Data, Table, Values};
pub use exception::{Constraint, Exception, RefusedSetting};
pub use lines::Lines;
pub(crate) use parameter::tab_separated;
pub use parameter::{Parameter, ParameterError};
pub use query::{
    ChosenBy, ClientFiles, Column, Credential, Endpoint, Protocol, QueryEvent, QueryRequest, Reach,
    ReadLimits, RunAs, Scheme, Setting, Statement, TokenServer, TokenTls,
};
pub use rows::{Outcome, RowLimits, Rows, Taken, Truncated, TruncationReason};
pub use type_name::{Element, TypeName};
pub(crate) use type_name::{quoted_length, split_arguments, states_as_text, unquote};
pub use value::FORMAT_SETTINGS;
