//! What a connection can be used for, and why it cannot.

use thiserror::Error;

use crate::clickhouse::exception::Exception;
use crate::clickhouse::native::error::NativeError;
use crate::clickhouse::native::query::EncodeError;
use crate::clickhouse::query::QueryEvent;

/// What a connection can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The server has not greeted yet.
    Greeting,
    /// A query can start.
    Ready,
    /// A query runs.
    Running,
    /// The rest of a cancelled answer is being read.
    Cancelling,
    /// The answer to a ping is awaited: after [`super::Connection::ping`], or because a query failed so early that the server
    /// may have stopped listening.
    Pinging,
    /// Of no use any more; [`super::Connection::ending`] says why.
    Closed,
}

/// Why a connection is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Ending {
    /// The server refused the login, or said good-bye.
    #[error("ClickHouse refused the connection: {}", .0.message)]
    Refused(Exception),
    /// The server does not speak the protocol as it is known here.
    #[error(transparent)]
    Native(#[from] NativeError),
    /// The server closed the connection without a word.
    #[error("ClickHouse closed the connection without a word")]
    HungUp,
    /// The server closed the connection without a word when a member of a cluster asked its first question. That is
    /// how it refuses one, and nothing tells which reason it had.
    #[error(
        "ClickHouse closed the connection without a word, as it does when the cluster's name or secret is wrong, when \
         there is no such user, when the user may not come from this address, or when it does not know a setting"
    )]
    InterserverRefused,
    /// A statement ran that may have changed what the server takes for the user or their settings.
    #[error("the session may not be what it was before the last statement")]
    SessionUncertain,
}

impl Ending {
    /// What a query becomes that this cut off, or that was to run on a connection which never came to be.
    pub fn event(&self) -> QueryEvent {
        match self {
            Self::Refused(exception) => QueryEvent::Exception(exception.clone()),
            Self::Native(_) | Self::HungUp | Self::InterserverRefused | Self::SessionUncertain => {
                QueryEvent::Broken(self.to_string())
            }
        }
    }
}

/// Why a query was not started.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StartError {
    /// The connection is not in [`State::Ready`].
    #[error("the connection is not ready for a query")]
    NotReady,
    /// The query cannot be put on this wire.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}
