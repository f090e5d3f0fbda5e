//! From a message to its reply: admission, authentication, dispatch, the pauses between and the answer.
//!
//! ```text
//!  head ──► admit ──► Refuse(answer)
//!             │ └────► Learn(fetch): a key that a token was signed with; then admit again
//!             │
//!             ▼ Admitted (a witness: Host, Origin, route, identity and declared length have passed)
//!  body ──► begin ──► Step::Query ──► AwaitQuery::accept* ──► finish ──► Step::Done(Reply)
//!                     Step::Fetch ──► AwaitFetch::resume  ──► …
//!                     Step::Ask   ──► AwaitAnswer::resume ──► …
//!                     Step::Tell  ──► AwaitTold::resume   ──► …
//!                     Step::Wait  ──► AwaitTime::resume   ──► …
//! ```
//!
//! A host matches the step, waits, and resumes. It takes no decision of its own.

mod admit;
mod begin;
mod bound;
mod cancellation;
mod dispatch;
mod failure;
#[doc(hidden)]
pub mod fuzzing;
mod generator;
mod health;
mod library;
mod oauth;
mod pages;
mod principal;
mod progress;
mod rest;
mod round_trip;
mod route;
mod running;
mod service;
mod session;
mod step;
mod subscription;
mod watch;

pub use crate::mcp::ServerRequest;
pub use admit::{Admission, Admitted, MOST_FACTS, StreamWish, admit, unsettled};
pub use begin::{Inbound, begin};
pub use bound::{Asked, AskedError, Bound, Bounded};
pub use cancellation::kill_instead;
pub use failure::{Disclosure, Failure, Refusal, disclose};
pub use generator::{GeneratorError, GeneratorGate, WishError};
pub use oauth::{Challenge, OAuthTrouble};
pub use rest::{Blame, QueryError, RestError};
pub use route::{RestPath, Route};
pub use service::{Abilities, Offer, Service, StartError};
pub use session::Session;
pub use step::{
    AwaitAnswer, AwaitFetch, AwaitQuery, AwaitTime, AwaitTold, Flow, Question, Reply, Step, Word,
};
pub use subscription::Subscription;
pub use watch::Watch;
