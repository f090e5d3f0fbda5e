//! Not written yet.

use super::error::{OAuthCode, OAuthError};
use super::server::Server;
use super::visit::{Look, Request};
use crate::env::Env;
use crate::fetch::{Document, FetchFailure};

pub(crate) struct Stage;

impl Stage {
    pub(super) fn take(&mut self, _fetched: Result<Document, FetchFailure>) {}
}

pub(super) fn begin(_env: &mut Env<'_>, _server: &Server, _request: &Request) -> Look {
    OAuthError::new(OAuthCode::ServerError, "not there yet").into()
}

pub(super) fn look(_env: &mut Env<'_>, _server: &Server, _request: &Request, _stage: &mut Stage) -> Look {
    OAuthError::new(OAuthCode::ServerError, "not there yet").into()
}
