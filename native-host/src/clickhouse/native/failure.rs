//! Why a query has no connection, for the operator in detail and for its caller in a few words.

use std::io;

use housekey_core::clickhouse::QueryEvent;
use housekey_core::clickhouse::native::{Ending, LoginError, StartError};

use super::super::UNREACHABLE;
use super::super::token_clients::TokenTlsError;
use crate::resolver::{ForbiddenAddress, NoAddress};

/// What callers hear when the server closed the connection and had not said a word.
pub(super) const NO_ANSWER: &str = "ClickHouse closed the connection without an answer";
/// What callers hear of an answer that is not whole.
pub(super) const BROKEN_OFF: &str = "ClickHouse broke off its answer";

/// Why there is no connection on which the query could go out. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoSession {
    #[error("{0}")]
    Address(ForbiddenAddress),
    #[error("{host} has no address: {error}")]
    Resolve { host: String, error: io::Error },
    #[error("there is no connection to {host}: {error}")]
    Connect { host: String, error: io::Error },
    #[error("{0} took longer than 10 seconds")]
    Late(&'static str),
    #[error("TLS to a server of a token: {0}")]
    TokenTls(#[from] TokenTlsError),
    #[error("the server is to be reached over TLS, which is not configured")]
    NoTls,
    #[error("{0:?} cannot be the name of a certificate")]
    ServerName(String),
    #[error("TLS could not be agreed on: {0}")]
    Handshake(io::Error),
    #[error("a bearer token cannot be sent over the native protocol; use HTTP")]
    Bearer,
    #[error("{0}")]
    Login(LoginError),
    #[error("{0}")]
    Ended(Ending),
    #[error("{0}")]
    Start(#[from] StartError),
    #[error("the pool is closed")]
    NoPool,
}

impl From<NoAddress> for NoSession {
    fn from(error: NoAddress) -> Self {
        match error {
            NoAddress::Forbidden(error) => Self::Address(error),
            NoAddress::Unknown { host, error } => Self::Resolve { host, error },
        }
    }
}

impl NoSession {
    /// What callers hear. An address that is forbidden looks like one that is silent.
    pub(super) fn told(&self) -> QueryEvent {
        let text = match self {
            Self::Address(_)
            | Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Late(_)
            | Self::NoTls
            | Self::ServerName(_)
            | Self::Handshake(_)
            | Self::NoPool => UNREACHABLE,
            Self::TokenTls(_) => "TLS cannot be had as the token wants it",
            Self::Bearer | Self::Login(_) | Self::Start(_) => {
                "the query cannot be sent to ClickHouse as it is"
            }
            Self::Ended(Ending::HungUp) => NO_ANSWER,
            Self::Ended(ending) => return ending.event(),
        };
        QueryEvent::Broken(text.to_owned())
    }
}
