//! Who asks: where a bearer may stand, and what its claims grant.

mod bearer;
mod policy;

pub use bearer::{BearerError, find as find_bearer};
pub use policy::{Access, Caller, PolicyError, static_caller, token_caller};
