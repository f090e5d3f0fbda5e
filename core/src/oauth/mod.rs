//! OAuth 2.1 for MCP: who issues tokens for this server, what they must be, and the authorization server that Housekey
//! is for clients whose identity provider they could not register with themselves.
//!
//! There is no store. What has to survive from one request to the next travels sealed with whoever comes next: a client
//! id holds its registration, `state` and codes hold the request that they belong to, tokens hold whom they speak for.
//! Any replica opens what another sealed. What cannot be had without a store is had from the identity provider: its
//! codes work once, so ours do, because ours carry them.
//!
//! ```text
//!  client ─ register ─► client id            (sealed: its redirect URIs)
//!  browser ─ authorize ─► consent page ─► identity provider   (state, sealed: the request, our verifier and nonce)
//!  browser ─ callback ─► client              (code, sealed: the request, the provider's code, our verifier and nonce)
//!  client ─ token ─► identity provider ─► access token, refresh token
//! ```
//!
//! Deliberately absent: dynamic registration management (RFC 7592), device and password grants, sessions.

mod access_token;
mod artifact;
mod authorize;
pub(crate) mod bearer;
mod browser;
mod callback;
mod client;
pub(crate) mod client_assertion;
mod client_document;
mod client_metadata;
mod client_url;
mod consent;
mod decision;
mod error;
mod error_page;
mod form;
#[doc(hidden)]
pub mod fuzzing;
mod grant;
mod identify;
mod introspection;
mod keys;
mod login;
pub(crate) mod metadata;
mod mint;
mod page;
mod pkce;
mod redeem;
mod redirect_uri;
mod refresh;
mod register;
mod remembered;
mod response;
mod sample;
mod server;
mod site;
mod token;
#[doc(hidden)]
pub mod token_fuzzing;
mod upstream;
mod visit;

/// Seconds by which the clock of whoever signs, the identity provider or a client, and ours may differ.
const LEEWAY: u64 = 60;

pub use bearer::{Person, TokenRefusal};
pub(crate) use error::json_answer;
pub(crate) use server::Server;
pub use server::ServerError;
pub(crate) use site::{Endpoint, Site};
pub(crate) use upstream::Lack;
pub(crate) use visit::{Request, Turn, Visit};
