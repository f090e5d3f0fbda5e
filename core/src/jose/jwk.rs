//! The public keys of an identity provider: a JWK Set (RFC 7517) in the part that verifies signatures.
//!
//! A set is a stranger's document that changes without notice, so keys of kinds that are not known here are left out
//! and said to the operator, and the rest is used. Deliberately absent: `x5c`, `x5u` and `x5t`, because trust comes
//! from where the document was fetched, and private members, which are never read into anything.

use serde_json::value::RawValue;

use super::algorithm::Algorithm;
use super::base64url;
pub use super::jwk_error::{JwksError, SkipReason, Skipped};
use super::members::{Members, MembersError, excerpt};
use super::public_key::{Curve, NotVerified, PublicKey};

/// No document is longer, in bytes.
pub const MAX_SET_BYTES: usize = 256 * 1024;
/// No set holds more keys.
pub const MAX_KEYS: usize = 64;
/// So many keys are tried for one token at most.
pub const MAX_TRIED: usize = 8;
/// Longer identifiers are cut where they are shown.
const SHOWN_ID_CHARS: usize = 256;

/// The keys of a set that can verify, in its order.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<Skipped>,
    /// The identifiers of keys that are in the set but not in use.
    unused_ids: Vec<String>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    public: PublicKey,
}

impl KeySet {
    /// Reads a document. A set without a usable key is not an error: a provider may be between two keys.
    pub fn parse(json: &[u8]) -> Result<Self, JwksError> {
        if json.len() > MAX_SET_BYTES {
            return Err(JwksError::TooLong { limit: MAX_SET_BYTES });
        }
        let members = Members::parse(json).map_err(|error| match error {
            MembersError::NotObject => JwksError::NotSet,
            MembersError::Duplicate(name) => JwksError::Duplicate { name },
        })?;
        let list = members.value("keys").ok_or(JwksError::NotSet)?;
        let list: Vec<&RawValue> = serde_json::from_str(list).map_err(|_| JwksError::NotSet)?;
        if list.len() > MAX_KEYS {
            return Err(JwksError::TooMany { found: list.len(), limit: MAX_KEYS });
        }
        let mut set = Self::default();
        for (index, raw) in list.into_iter().enumerate() {
            set.add(index + 1, raw.get());
        }
        Ok(set)
    }

    fn add(&mut self, position: usize, json: &str) {
        let (id, read) = match Members::parse(json.as_bytes()) {
            Ok(members) => (identifier(&members).ok().flatten(), Key::read(&members)),
            Err(MembersError::NotObject) => (None, Err(SkipReason::NotObject)),
            Err(MembersError::Duplicate(name)) => (None, Err(SkipReason::Duplicate { name })),
        };
        match read {
            Ok(key) => self.keys.push(key),
            Err(reason) => {
                let key_id = id.as_deref().map(|id| id.chars().take(SHOWN_ID_CHARS).collect());
                self.skipped.push(Skipped { position, key_id, reason });
                self.unused_ids.extend(id);
            }
        }
    }

    /// The keys that may have signed a token whose header says this, at most [`MAX_TRIED`] of them.
    ///
    /// If it names a key, only keys of that name count (RFC 7515 section 4.1.4), else all do. Either way the
    /// algorithm must belong to the key's type and curve, and to the key itself if that says so.
    pub fn find<'a>(
        &'a self,
        key_id: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a Key> {
        self.keys
            .iter()
            .filter(move |key| key_id.is_none() || key.id.as_deref() == key_id)
            .filter(move |key| key.fits(algorithm))
            .take(MAX_TRIED)
    }

    /// Whether the set names a key so, be it in use or not: if it does, fetching it again brings no news.
    pub fn has(&self, key_id: &str) -> bool {
        let used = self.keys.iter().filter_map(|key| key.id.as_deref());
        used.chain(self.unused_ids.iter().map(String::as_str)).any(|id| id == key_id)
    }

    /// How many keys are in use.
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none is.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys that are not used, and why.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }
}

impl Key {
    fn read(members: &Members<'_>) -> Result<Self, SkipReason> {
        let id = identifier(members)?;
        let kind = required(members, "kty")?;
        let curve = || required(members, "crv");
        // What is not a signature key at all is told apart first, so that the reason fits.
        if !matches!(kind.as_str(), "RSA" | "EC" | "OKP") {
            return Err(SkipReason::Type { found: excerpt(&kind) });
        }
        if let Some(found) = text(members, "use")?.filter(|found| found != "sig") {
            return Err(SkipReason::Use { found: excerpt(&found) });
        }
        if let Some(raw) = members.value("key_ops") {
            let operations: Vec<String> =
                serde_json::from_str(raw).map_err(|_| SkipReason::Member { name: "key_ops" })?;
            if !operations.iter().any(|operation| operation == "verify") {
                return Err(SkipReason::Operations);
            }
        }
        // RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2.
        if members.value("d").is_some() {
            return Err(SkipReason::Private);
        }
        let algorithm = match text(members, "alg")? {
            None => None,
            Some(name) => {
                Some(Algorithm::parse(&name).map_err(|_| SkipReason::Algorithm { found: excerpt(&name) })?)
            }
        };
        let public = match kind.as_str() {
            "RSA" => PublicKey::rsa(&bytes(members, "n")?, &bytes(members, "e")?)?,
            "EC" => {
                let curve = match curve()?.as_str() {
                    "P-256" => Curve::P256,
                    "P-384" => Curve::P384,
                    "P-521" => Curve::P521,
                    found => return Err(SkipReason::Curve { found: excerpt(found) }),
                };
                PublicKey::elliptic(curve, &bytes(members, "x")?, &bytes(members, "y")?)?
            }
            _ => match curve()?.as_str() {
                "Ed25519" => PublicKey::ed25519(&bytes(members, "x")?)?,
                found => return Err(SkipReason::Curve { found: excerpt(found) }),
            },
        };
        if algorithm.is_some_and(|algorithm| !public.fits(algorithm)) {
            return Err(SkipReason::AlgorithmMisfit);
        }
        Ok(Self { id, algorithm, public })
    }

    /// The name by which tokens refer to it, if it has one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        self.public.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), NotVerified> {
        if !self.fits(algorithm) {
            return Err(NotVerified);
        }
        self.public.verify(algorithm, message, signature)
    }
}

fn identifier(members: &Members<'_>) -> Result<Option<String>, SkipReason> {
    text(members, "kid")
}

fn text(members: &Members<'_>, name: &'static str) -> Result<Option<String>, SkipReason> {
    members.value(name).map(serde_json::from_str).transpose().map_err(|_| SkipReason::Member { name })
}

fn required(members: &Members<'_>, name: &'static str) -> Result<String, SkipReason> {
    text(members, name)?.ok_or(SkipReason::Member { name })
}

fn bytes(members: &Members<'_>, name: &'static str) -> Result<Vec<u8>, SkipReason> {
    let text = required(members, name)?;
    let bytes = base64url::decode(&text).map_err(|_| SkipReason::Member { name })?;
    Ok(bytes.to_vec())
}

#[cfg(test)]
#[path = "jwk_tests.rs"]
mod tests;
