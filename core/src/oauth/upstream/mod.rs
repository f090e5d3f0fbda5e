//! The identity provider: where its endpoints and keys are, as it says itself or as the operator says.

mod discovery;
mod exchange;
mod id_token;
mod keys;
mod userinfo;

use std::sync::Arc;
use std::time::Duration;

use crate::config::oauth::{OAuth, UpstreamClient};
use crate::env::Env;
use crate::fetch::{Document, FetchFailure, FetchRequest};
use crate::jose::jwk::KeySet;

pub(crate) use discovery::Metadata;
pub(crate) use exchange::{Tokens, read as read_tokens};
pub(crate) use id_token::IdTokenError;
pub(crate) use keys::key_set;
pub(crate) use userinfo::{Userinfo, add as add_userinfo, read as read_userinfo};

/// Why something about the identity provider, or about a client, is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lack {
    /// It has to be fetched first.
    #[error("{} is needed", .0.purpose)]
    Learn(Box<FetchRequest>),
    /// It cannot be had. The text is for the operator.
    #[error("{0}")]
    Unavailable(String),
}

/// The identity provider of a configuration.
pub(crate) struct Provider {
    issuer: Option<String>,
    jwks_url: Option<String>,
    inline_keys: Option<Arc<KeySet>>,
    remembered: Duration,
    auth_url: Option<String>,
    token_url: Option<String>,
    userinfo_url: Option<String>,
    client: Option<UpstreamClient>,
}

impl Provider {
    pub(crate) fn new(oauth: &OAuth, inline_keys: Option<KeySet>) -> Self {
        let facade = oauth.facade.as_ref();
        Self {
            issuer: oauth.upstream.issuer.clone(),
            jwks_url: oauth.upstream.jwks_url.clone(),
            inline_keys: inline_keys.map(Arc::new),
            remembered: oauth.upstream.remembered,
            auth_url: facade.and_then(|facade| facade.auth_url.clone()),
            token_url: facade.and_then(|facade| facade.token_url.clone()),
            userinfo_url: facade.and_then(|facade| facade.userinfo_url.clone()),
            client: oauth.upstream.client.clone(),
        }
    }

    /// Housekey's registration there.
    pub(crate) fn client(&self) -> Option<&UpstreamClient> {
        self.client.as_ref()
    }

    /// The issuer, where one is configured.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The authorization endpoint.
    pub(crate) fn authorization_endpoint(&self, env: &Env<'_>) -> Result<String, Lack> {
        self.endpoint(env, self.auth_url.as_ref(), "authorization_endpoint", |metadata| {
            metadata.authorization_endpoint
        })
    }

    /// The token endpoint.
    pub(crate) fn token_endpoint(&self, env: &Env<'_>) -> Result<String, Lack> {
        self.endpoint(env, self.token_url.as_ref(), "token_endpoint", |metadata| metadata.token_endpoint)
    }

    /// The userinfo endpoint.
    pub(crate) fn userinfo_endpoint(&self, env: &Env<'_>) -> Result<String, Lack> {
        self.endpoint(env, self.userinfo_url.as_ref(), "userinfo_endpoint", |metadata| {
            metadata.userinfo_endpoint
        })
    }

    fn endpoint(
        &self,
        env: &Env<'_>,
        configured: Option<&String>,
        name: &str,
        take: fn(Metadata) -> Option<String>,
    ) -> Result<String, Lack> {
        if let Some(url) = configured {
            return Ok(url.clone());
        }
        take(self.metadata(env)?).ok_or_else(|| {
            Lack::Unavailable(format!("the identity provider's discovery document has no {name}"))
        })
    }
}

/// The document of a fact, or the fetch that it takes.
pub(crate) fn document(env: &Env<'_>, request: FetchRequest) -> Result<Document, Lack> {
    match env.facts.learned(&request, env.now) {
        None => Err(Lack::Learn(Box::new(request))),
        Some(learned) => learned.outcome.map_err(|failure| unavailable(&request, &failure)),
    }
}

pub(crate) fn unavailable(request: &FetchRequest, failure: &FetchFailure) -> Lack {
    Lack::Unavailable(format!("{} cannot be had: {failure}", request.purpose))
}
