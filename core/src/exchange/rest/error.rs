//! What can go wrong with a call over REST beside what can go wrong with any request.

use thiserror::Error;

/// Why a call is not answered with a result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestError {
    /// There is no such tool, or none for this caller.
    #[error("there is no tool {0:?}: /openapi lists what there is")]
    NoSuchTool(String),
    /// A GET from a page that is not let in.
    #[error("a page of another site may not have this fetched")]
    OtherSite,
    /// The query of the URL.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// The body is JSON, but no arguments.
    #[error("the body must be a JSON object: the arguments by their names")]
    NotAnObject,
    /// An argument is null, which no schema of a tool has.
    #[error("`{0}` is null: leave it out")]
    Null(String),
    /// The call itself; the words are for whoever made it.
    #[error("{reason}")]
    Failed {
        /// Whose turn it is.
        blame: Blame,
        /// What happened.
        reason: String,
    },
}

/// Why the query of a URL is no list of arguments.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// A parameter that the tool does not know.
    #[error("there is no query parameter {0:?}")]
    Unknown(String),
    /// A parameter stands there twice.
    #[error("the query parameter {0:?} is given twice")]
    Repeated(String),
    /// Bytes that are no text.
    #[error("the query is not percent-encoded UTF-8: write a percent sign as %25")]
    Encoding,
    /// A number was expected.
    #[error("the query parameter {name:?} must be {wanted}")]
    Value {
        /// Its name.
        name: String,
        /// What would do.
        wanted: &'static str,
    },
}

/// Whose turn it is after a call that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blame {
    /// The caller's: another statement or other arguments may do.
    #[default]
    Caller,
    /// Whoever grants rights: this person may not do that.
    Rights,
    /// Nobody's for a while: a quota is used up.
    Quota,
    /// Nobody's for a moment: the server is busy.
    Busy,
    /// Whoever runs ClickHouse: it cannot be reached or does not answer as it should.
    Server,
    /// The caller's or the operator's: it took longer than it may.
    Time,
}

impl Blame {
    /// The HTTP status (RFC 9110 section 15, RFC 6585 section 4).
    pub const fn status(self) -> u16 {
        match self {
            Self::Caller => 400,
            Self::Rights => 403,
            Self::Quota => 429,
            Self::Server => 502,
            Self::Busy => 503,
            Self::Time => 504,
        }
    }

    /// Whose turn it is after an exception (ClickHouse, error codes).
    pub const fn of_code(code: i32) -> Self {
        match code {
            // READONLY, UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, DATABASE_ACCESS_DENIED, ACCESS_DENIED,
            // AUTHENTICATION_FAILED
            164 | 192 | 193 | 194 | 291 | 497 | 516 => Self::Rights,
            // QUOTA_EXCEEDED
            201 => Self::Quota,
            // TOO_MANY_SIMULTANEOUS_QUERIES, SERVER_OVERLOADED
            202 | 745 => Self::Busy,
            // SOCKET_TIMEOUT, NETWORK_ERROR, ALL_CONNECTION_TRIES_FAILED
            209 | 210 | 279 => Self::Server,
            // TIMEOUT_EXCEEDED, TOO_SLOW
            159 | 160 => Self::Time,
            _ => Self::Caller,
        }
    }
}
