//! Who asks: where a bearer may stand, and what its claims grant.

mod bearer;
mod person;
mod policy;
mod server_choice;

pub(crate) use bearer::once;
pub use bearer::{BearerError, Order, credentials, find as find_bearer};
pub use person::AdmissionError;
pub use policy::{Access, Caller, Policy, PolicyError, STRANGERS_ISSUER};
pub use server_choice::ChoiceError;
