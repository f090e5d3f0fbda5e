//! JOSE in the profiles that are in use.
//!
//! Tokens that carry a person's ClickHouse connection are a JWE (RFC 7516), `A256KW` with `A256GCM`, around either a JWS
//! (RFC 7515, `HS256`) or plain JSON. [`token`] opens and seals them.
//!
//! Tokens that an identity provider signs are JWTs (RFC 7519) under its public keys: [`jwk`] reads the keys, [`jwt`]
//! verifies and [`jwt_claims`] judges.
//!
//! What the server hands out to get back is sealed by [`seal`] under keys of [`mod@derive`].
//!
//! The other modules are layers of these, each ignorant of the ones above it. Deliberately absent: every other algorithm,
//! and letting a token choose among kinds of keys. A header can only agree with the profile, and with the key's own
//! type, or be refused.

mod a256gcm;
mod algorithm;
pub mod base64url;
pub mod claims;
mod claims_json;
pub mod derive;
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod inflate;
pub mod jwe;
mod jwe_error;
pub mod jwk;
mod jwk_error;
pub mod jws;
pub mod jwt;
pub mod jwt_claims;
mod jwt_kind;
mod life;
pub(crate) mod members;
mod provider_fuzzing;
mod public_key;
pub mod seal;
mod serialisation;
#[cfg(test)]
mod tamper_tests;
#[cfg(test)]
pub(crate) mod test_provider;
pub mod token;
mod token_error;
pub(crate) mod unverified;
#[cfg(test)]
mod vector_tests;
