//! The keys of a facade, one for each purpose, all derived from the operator's secrets.
//!
//! What is sealed for one purpose cannot be opened for another: a client id is no code, and a code no token.

use rand_core::CryptoRng;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::jose::seal::{SealingKeyError, SealingKeys};
use crate::secret::Secret;

/// Bytes that a sealed text may have. The largest holds the identity provider's code or refresh token.
const LONGEST: usize = 16 << 10;

/// Seals and opens the artefacts of one purpose.
#[derive(Clone)]
pub(crate) struct Sealer(SealingKeys);

impl Sealer {
    /// Seals a value with the first secret. `None` only where a value cannot be written as JSON.
    pub(crate) fn seal<T: Serialize>(&self, rng: &mut dyn CryptoRng, value: &T) -> Option<String> {
        self.0.seal_json(rng, value).ok()
    }

    /// Opens what any of the secrets has sealed for this purpose. It may have expired: that is the value's to say.
    pub(crate) fn open<T: DeserializeOwned>(&self, text: &str) -> Option<T> {
        self.0.open_json(text, LONGEST).ok()
    }
}

/// The keys of a facade.
#[derive(Clone)]
pub(crate) struct Keys {
    /// Client ids of registered clients.
    pub(crate) client: Sealer,
    /// The request that a consent page asks about.
    pub(crate) consent: Sealer,
    /// The cookie that remembers consent.
    pub(crate) remembered: Sealer,
    /// `state` on the way to the identity provider.
    pub(crate) state: Sealer,
    /// Authorization codes.
    pub(crate) code: Sealer,
    /// Access tokens.
    pub(crate) access: Sealer,
    /// Refresh tokens.
    pub(crate) refresh: Sealer,
}

impl Keys {
    /// The keys that derive from these secrets: the first seals, all open.
    pub(crate) fn derive(secrets: &[Secret<String>]) -> Result<Self, SealingKeyError> {
        let sealer = |purpose| SealingKeys::new(secrets, purpose).map(Sealer);
        Ok(Self {
            client: sealer("oauth-client")?,
            consent: sealer("oauth-consent")?,
            remembered: sealer("oauth-remembered")?,
            state: sealer("oauth-state")?,
            code: sealer("oauth-code")?,
            access: sealer("oauth-access+jwt")?,
            refresh: sealer("oauth-refresh")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_for_one_purpose_opens_for_no_other() {
        let keys = Keys::derive(&[Secret::from("a secret of thirty-two bytes, at least")]).unwrap();
        let all = [
            &keys.client,
            &keys.consent,
            &keys.remembered,
            &keys.state,
            &keys.code,
            &keys.access,
            &keys.refresh,
        ];
        let mut rng = rand::rng();
        for (sealing, sealer) in all.iter().enumerate() {
            let text = sealer.seal(&mut rng, &"value").unwrap();
            for (opening, opener) in all.iter().enumerate() {
                assert_eq!(opener.open::<String>(&text).is_some(), sealing == opening);
            }
        }
    }

    #[test]
    fn an_older_secret_still_opens() {
        let [old, new] = ["the older secret, of thirty-two bytes", "the newer secret, of thirty-two bytes"];
        let text = Keys::derive(&[Secret::from(old)]).unwrap().code.seal(&mut rand::rng(), &7).unwrap();
        let both = Keys::derive(&[Secret::from(new), Secret::from(old)]).unwrap();
        assert_eq!(both.code.open(&text), Some(7));
        assert_eq!(Keys::derive(&[Secret::from(new)]).unwrap().code.open::<i32>(&text), None);
    }
}
