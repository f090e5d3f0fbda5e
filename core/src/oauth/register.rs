//! Not written yet.

use super::error::{OAuthCode, OAuthError};
use super::server::Server;
use super::visit::{Look, Request};
use crate::env::Env;

pub(super) fn answer(_env: &mut Env<'_>, _server: &Server, _request: &Request) -> Look {
    OAuthError::new(OAuthCode::ServerError, "not there yet").into()
}
