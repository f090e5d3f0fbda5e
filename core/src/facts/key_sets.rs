//! Key sets that were read once: to check that points lie on their curves costs more than to verify a signature.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Facts, lock};
use crate::jose::jwk::{JwksError, KeySet};
use crate::time::UnixTime;

/// How long a key set is kept in its read form. It is named by its text, so it cannot be out of date.
const LIVES: Duration = Duration::from_secs(3600);

impl Facts {
    /// The key set that a text is.
    pub fn key_set(&self, text: &[u8], now: UnixTime) -> Result<Arc<KeySet>, JwksError> {
        let digest: [u8; 32] = Sha256::digest(text).into();
        if let Some(keys) = lock(&self.key_sets).find(&digest, now) {
            return Ok(keys);
        }
        let keys = Arc::new(KeySet::parse(text)?);
        // What is kept of a key is of the order of its text.
        lock(&self.key_sets).insert(digest, Arc::clone(&keys), 2 * text.len(), now, now.after(LIVES));
        Ok(keys)
    }
}
