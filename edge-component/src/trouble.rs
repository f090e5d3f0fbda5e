//! Why there is no answer, and who hears what of it.

use housekey_core::clickhouse::{QueryEvent, QueryRequest};

/// Why there is no answer, or no more of it.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It cannot be written as a request.
    Malformed,
    /// The runtime or a rule of its operator does not let us.
    Forbidden,
    /// The request never got there.
    Unreachable(String),
    /// The deadline has passed.
    TimedOut,
    /// Nobody waits for the answer any more.
    Unwanted,
    /// The connection broke afterwards.
    Broken(String),
}

impl Trouble {
    /// Whether the query may have reached the server all the same.
    pub(crate) fn may_run(&self) -> bool {
        match self {
            Self::Malformed | Self::Forbidden | Self::Unreachable(_) => false,
            Self::TimedOut | Self::Unwanted | Self::Broken(_) => true,
        }
    }

    /// What clients hear: whether ClickHouse could be reached and whether it was in time, as with the native host.
    pub(crate) fn for_clients(&self, request: &QueryRequest) -> QueryEvent {
        let broken = |text: &str| QueryEvent::Broken(text.to_owned());
        match self {
            Self::Malformed => broken("the query cannot be sent to ClickHouse as it is"),
            Self::Forbidden | Self::Unreachable(_) => broken("ClickHouse could not be reached"),
            Self::Unwanted | Self::TimedOut => QueryEvent::late(request.deadline_seconds),
            Self::Broken(_) => broken("ClickHouse broke off its answer"),
        }
    }

    /// What the log says.
    pub(crate) fn for_operators(&self, request: &QueryRequest) -> String {
        let to = &request.endpoint;
        match self {
            Self::Malformed => "it cannot be written as a request".into(),
            Self::Forbidden => format!("the runtime allows no connection to {to}"),
            Self::Unreachable(reason) => format!("{to} could not be reached: {reason}"),
            Self::Unwanted => "the client has left".into(),
            Self::TimedOut => {
                format!("{to} gave no complete answer within {} seconds", request.deadline_seconds)
            }
            Self::Broken(reason) => format!("the connection to {to} broke: {reason}"),
        }
    }
}
