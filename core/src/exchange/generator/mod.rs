//! `POST /jwe-token-generator`: makes tokens, for strangers only such as grant nothing that they lack.
//!
//! ```text
//!  head ──► Generator::judge ──► refused
//!                 │
//!                 ▼ MintRight (a witness: method, rate and bearer have passed)
//!  body ──► Wish::parse ──► mint ──► the token
//! ```

mod gate;
mod mint;
mod rate;
mod wish;

use thiserror::Error;

pub use gate::GeneratorGate;
pub use wish::WishError;

pub(super) use gate::{Generator, MAX_BODY, MintRight};
pub(super) use mint::mint;

use crate::identity::PolicyError;
use crate::jose::token::TokenError;

/// Why no token is made. No text holds a value of a field, a token or the bearer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GeneratorError {
    /// There are no keys to make tokens with.
    #[error("JWE authentication is not enabled")]
    JweOff,
    /// More requests than `server.jwe.generator_rate` allows.
    #[error("too many tokens were asked for: try again later")]
    TooMany {
        /// Seconds after which there is room again.
        seconds: u64,
    },
    /// A bearer token that is not the configured one, or none is configured.
    #[error("the bearer token is not the one of the token generator")]
    WrongBearer {
        /// Whether there is one that would be right.
        configured: bool,
    },
    /// `Authorization` holds something else.
    #[error("the token generator takes no other `Authorization` than its bearer token")]
    OtherScheme,
    /// A stranger's token could name whom the gateway may act as.
    #[error("while people are impersonated, tokens are made for the generator's bearer token only")]
    Impersonation,
    /// The body does not say what is wanted.
    #[error(transparent)]
    Wish(#[from] WishError),
    /// A stranger's token would use something of the operator's.
    #[error(
        "without the generator's bearer token, a token must carry its own `host`, `username` and `password`: \
         `{field}` is missing"
    )]
    NotOwn {
        /// What is missing.
        field: &'static str,
    },
    /// A stranger's token would name a person or a file of the operator's.
    #[error("`{field}` needs the generator's bearer token")]
    Reserved {
        /// The field.
        field: &'static str,
    },
    /// A stranger's token that this very server would not accept.
    #[error("this server would refuse such a token: {0}")]
    StrangersPolicy(PolicyError),
    /// A token for the bearer that this very server would not accept.
    #[error("this server would refuse such a token: {0}")]
    BearersPolicy(PolicyError),
    /// It cannot be sealed, for what comes out would be too long to be opened again.
    #[error("no token can be made of this: {}", .0.public_reason())]
    Unsealed(TokenError),
}
