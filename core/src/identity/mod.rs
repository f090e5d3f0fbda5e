//! Who asks: where a bearer may stand, and what its claims grant.

mod bearer;
mod policy;
mod server_choice;

pub use bearer::{BearerError, Order, credentials, find as find_bearer};
pub use policy::{Access, Caller, Policy, PolicyError, STRANGERS_ISSUER};
pub use server_choice::ChoiceError;
