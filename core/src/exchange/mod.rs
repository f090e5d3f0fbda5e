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
mod progress;
mod rest;
mod route;
mod running;
mod service;
mod step;

pub use admit::{Admission, Admitted, MOST_FACTS, admit, unsettled};
pub use begin::{Inbound, Session, begin};
pub use bound::{Asked, AskedError, Bound, Bounded};
pub use cancellation::kill_instead;
pub use failure::{Disclosure, Failure, Refusal, disclose};
pub use generator::{GeneratorError, GeneratorGate, WishError};
pub use oauth::{Challenge, OAuthTrouble};
pub use rest::{Blame, QueryError, RestError};
pub use route::{RestPath, Route};
pub use service::{Offer, Service, StartError};
pub use step::{AwaitAnswer, AwaitFetch, AwaitQuery, AwaitTime, Flow, Reply, ServerRequest, Step};
