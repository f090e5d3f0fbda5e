//! The identity provider's keys: configured, or fetched and remembered; fetched anew when a token names one that is not
//! among them, but not at the pace of whoever sends such tokens.

use std::sync::Arc;
use std::time::Duration;

use super::{Lack, Provider, unavailable};
use crate::env::Env;
use crate::fetch::FetchRequest;
use crate::jose::jwk::KeySet;

/// How long a key that is missing is not looked for again.
const MISS_FLOOR: Duration = Duration::from_secs(30);
/// Bytes that a key set may have.
const LONGEST: usize = 256 << 10;
const PURPOSE: &str = "the identity provider's key set";

impl Provider {
    /// The keys of which one has this id, if any has.
    pub(crate) fn keys(&self, env: &Env<'_>, key_id: Option<&str>) -> Result<Arc<KeySet>, Lack> {
        if let Some(keys) = &self.inline_keys {
            return Ok(Arc::clone(keys));
        }
        let url = match &self.jwks_url {
            Some(url) => url.clone(),
            None => self.metadata(env)?.jwks_uri.ok_or_else(|| {
                Lack::Unavailable("the identity provider's discovery document has no jwks_uri".to_owned())
            })?,
        };
        key_set(
            env,
            FetchRequest { max_bytes: LONGEST, ..FetchRequest::document(&url, PURPOSE, self.remembered) },
            key_id,
        )
    }
}

/// The keys of a document of which one has this id, if any has.
pub(crate) fn key_set(
    env: &Env<'_>,
    request: FetchRequest,
    key_id: Option<&str>,
) -> Result<Arc<KeySet>, Lack> {
    let Some(learned) = env.facts.learned(&request, env.now) else {
        return Err(Lack::Learn(Box::new(request)));
    };
    let document = learned.outcome.map_err(|failure| unavailable(&request, &failure))?;
    let keys = env.facts.key_set(&document.body, env.now);
    let keys = keys.map_err(|error| Lack::Unavailable(format!("{}: {error}", request.purpose)))?;
    let is_missing = key_id.is_some_and(|key_id| !keys.has(key_id));
    if is_missing && env.now.since(learned.tried) >= MISS_FLOOR {
        return Err(Lack::Learn(Box::new(request)));
    }
    Ok(keys)
}
