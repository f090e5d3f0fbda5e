//! Tokens that carry a person's ClickHouse connection: JOSE in the one profile that is in use.
//!
//! A token is a JWE (RFC 7516), `A256KW` with `A256GCM`, around either a JWS (RFC 7515, `HS256`) or plain JSON.
//! [`token`] opens and seals them; the other modules are its layers, each ignorant of the ones above it.
//!
//! Deliberately absent: every other algorithm, and reading the algorithm from the token to choose a key by it. A
//! header can only agree with this profile or be refused.

mod a256gcm;
pub mod base64url;
pub mod claims;
mod claims_json;
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod inflate;
pub mod jwe;
mod jwe_error;
pub mod jws;
mod life;
pub(crate) mod members;
mod serialisation;
#[cfg(test)]
mod tamper_tests;
pub mod token;
mod token_error;
#[cfg(test)]
mod vector_tests;
