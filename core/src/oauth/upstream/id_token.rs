//! ID tokens (OpenID Connect Core 1.0 section 3.1.3.7): who signed in, as the identity provider's signature says.
//!
//! That a token came straight from the provider's endpoint is not taken for its signature, though section 3.1.3.7 item
//! 6 would let it: the keys are there, and whoever stands between must not be able to name people.

use serde_json::{Map, Value};
use sha2::Digest as _;
use subtle::ConstantTimeEq as _;

use super::{Lack, Provider};
use crate::env::Env;
use crate::jose::base64url;
use crate::jose::jwt::{self, Algorithm, JwtError};
use crate::jose::jwt_claims::{Kind, RuleError, Rules, accept};
use crate::oauth::LEEWAY;
use crate::secret::Secret;

/// Why an ID token proves nothing. The texts are for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdTokenError {
    #[error("the identity provider's id_token: {0}")]
    Jwt(#[from] JwtError),
    #[error("the identity provider's id_token: {0}")]
    Rules(#[from] RuleError),
    #[error("the identity provider's id_token is none: it is an access token, or a logout token")]
    Kind,
    #[error("the identity provider's id_token belongs to another access token (at_hash)")]
    AccessToken,
    #[error("the identity provider's id_token has no `sub`")]
    NoSubject,
    #[error("{0}")]
    Lacks(Lack),
}

impl Provider {
    /// Whether anything is configured by which an ID token can be judged.
    pub(crate) fn can_judge(&self, issuers: &[&str]) -> bool {
        let has_keys = self.inline_keys.is_some() || self.jwks_url.is_some() || self.issuer.is_some();
        has_keys && !issuers.is_empty()
    }

    /// The claims of an ID token that one of these issuers made for us. `nonce` is the one that the login was begun
    /// with; a token that came with a refresh has none (section 12.2).
    pub(crate) fn judge_id_token(
        &self,
        env: &Env<'_>,
        issuers: &[&str],
        id_token: &str,
        nonce: Option<&Secret<String>>,
        access_token: Option<&str>,
    ) -> Result<Map<String, Value>, IdTokenError> {
        let client = self.client.as_ref().map_or("", |client| client.id.as_str());
        let unverified = jwt::parse(id_token)?;
        let header = unverified.header();
        let keys = self.keys(env, header.key_id.as_deref()).map_err(IdTokenError::Lacks)?;
        let algorithm = header.algorithm;
        let verified = unverified.verify(&keys)?;
        let rules = Rules {
            issuers,
            audiences: &[client],
            ignore_trailing_slash: false,
            authorized_party: Some(client),
            nonce,
            leeway_seconds: LEEWAY,
        };
        let accepted = accept(verified, &rules, env.now)?;
        if matches!(accepted.kind(), Kind::Access | Kind::Other) {
            return Err(IdTokenError::Kind);
        }
        let claims = accepted.claims();
        // Section 3.1.3.8: an access token that somebody put in place of the right one would be asked for userinfo.
        if let (Some(access_token), Some(hash)) = (access_token, claims.get("at_hash")) {
            let wanted = access_token_hash(algorithm, access_token);
            let found = hash.as_str().unwrap_or_default();
            if !bool::from(wanted.as_bytes().ct_eq(found.as_bytes())) {
                return Err(IdTokenError::AccessToken);
            }
        }
        if claims.get("sub").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(IdTokenError::NoSubject);
        }
        Ok(claims.clone())
    }
}

/// OpenID Connect Core 1.0 section 3.1.3.6: the left half of the digest that belongs to the signature's algorithm.
fn access_token_hash(algorithm: Algorithm, access_token: &str) -> String {
    let bytes = access_token.as_bytes();
    let digest = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => sha2::Sha256::digest(bytes).to_vec(),
        Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => sha2::Sha384::digest(bytes).to_vec(),
        Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::Es512 | Algorithm::Ed25519 => {
            sha2::Sha512::digest(bytes).to_vec()
        }
    };
    base64url::encode(digest.get(..digest.len() / 2).unwrap_or_default())
}
