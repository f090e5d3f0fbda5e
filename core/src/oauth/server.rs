//! What serves OAuth, made once from a configuration.

use std::sync::Arc;

use super::keys::Keys;
use super::upstream::Provider;
use crate::config::oauth::{Facade, Mode, OAuth};
use crate::config::{Config, Host};
use crate::jose::jwk::{JwksError, KeySet};
use crate::jose::seal::SealingKeyError;

/// Why a configuration cannot serve OAuth.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// The configured keys are no key set.
    #[error("`server.oauth.jwks` is no key set: {0}")]
    Jwks(#[from] JwksError),
    /// No keys can be made of the secrets.
    #[error("`server.oauth.signing_secret` cannot be used: {0}")]
    Secrets(#[from] SealingKeyError),
}

/// OAuth under one configuration.
pub(crate) struct Server {
    pub(crate) config: Arc<Config>,
    pub(crate) oauth: OAuth,
    pub(crate) provider: Provider,
    pub(crate) host: Host,
    keys: Option<Keys>,
}

impl Server {
    /// The server of a configuration; `None` where it has no OAuth.
    pub(crate) fn new(config: &Arc<Config>, host: Host) -> Result<Option<Self>, ServerError> {
        let Some(oauth) = config.server.oauth.clone() else { return Ok(None) };
        let inline = oauth.upstream.jwks.as_ref().map(|text| KeySet::parse(text.as_bytes())).transpose()?;
        let provider = Provider::new(&oauth, inline);
        let keys = oauth.facade.as_ref().map(|facade| Keys::derive(&facade.secrets)).transpose()?;
        Ok(Some(Self { config: Arc::clone(config), oauth, provider, host, keys }))
    }

    /// The authorization server that this is for its clients, and its keys; `None` where clients go to the identity
    /// provider themselves.
    pub(crate) fn facade(&self) -> Option<(&Facade, &Keys)> {
        self.oauth.facade.as_ref().zip(self.keys.as_ref())
    }

    /// Whose tokens clients bring.
    pub(crate) fn mode(&self) -> Mode {
        self.oauth.mode
    }
}
