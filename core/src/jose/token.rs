//! Access tokens as a whole: opened, verified, read and found to be in time, or refused for one named reason.

use std::fmt;

use rand_core::CryptoRng;

use super::claims::{ClaimError, Claims};
use super::jwe::{self, ContentType, JweError, Opened, WrappingKey};
use super::jws::{self, JwsError, SigningKey};
use crate::secret::Secret;
use crate::time::UnixTime;

/// The keys of a server, derived once from its secret phrases.
///
/// The first of each kind makes tokens, all of them open tokens, so that secrets can be replaced without a gap.
#[derive(Clone)]
pub struct TokenKeys {
    sealing: WrappingKey,
    wrapping: Vec<WrappingKey>,
    signing: Vec<SigningKey>,
}

/// Why secret phrases make no [`TokenKeys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No phrase to encrypt with.
    #[error("there is no secret to open tokens with")]
    NoJweSecret,
    /// A phrase that anybody knows.
    #[error("encryption secret number {position} is empty")]
    EmptyJweSecret {
        /// Its place in the list, counted from 1.
        position: usize,
    },
    /// A phrase that anybody knows.
    #[error("signing secret number {position} is empty")]
    EmptyJwtSecret {
        /// Its place in the list, counted from 1.
        position: usize,
    },
}

/// What is asked of a token's dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LifePolicy {
    /// By how many seconds the clocks of who makes and who reads tokens may differ (RFC 7519 section 4.1.4).
    pub leeway_seconds: u64,
    /// Whether a token without `exp` is accepted.
    pub allow_non_expiring: bool,
    /// The longest accepted time from `iat`, or else from now, to `exp`, in seconds. If it is set, a token without
    /// `exp` is too long-lived whatever `allow_non_expiring` says.
    pub max_lifetime_seconds: Option<u64>,
}

/// Why a token is not accepted, or not made. All of these answer 401 when a token was presented.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The encryption around it.
    #[error(transparent)]
    Encryption(#[from] JweError),
    /// The signature inside.
    #[error(transparent)]
    Signature(#[from] JwsError),
    /// What it says.
    #[error(transparent)]
    Claims(#[from] ClaimError),
    /// Signing secrets are configured, and the token holds claims that nobody signed.
    #[error("the token is encrypted but not signed, and this server asks for a signature")]
    Unsigned,
    /// The token holds a signed one, and there is no secret to verify it with.
    #[error("the token is signed, and this server has no signing secret to verify it")]
    Unverifiable,
    /// The header's `cty` announces something other than claims (RFC 7516 section 4.1.12).
    #[error("the token's content type is neither JWT nor JSON")]
    ContentType,
    /// RFC 7519 section 4.1.4: `exp` has passed.
    #[error("the token expired at {exp}")]
    Expired {
        /// The claim.
        exp: UnixTime,
    },
    /// RFC 7519 section 4.1.5: `nbf` has not come.
    #[error("the token is not valid before {nbf}")]
    NotYetValid {
        /// The claim.
        nbf: UnixTime,
    },
    /// RFC 7519 section 4.1.6: `iat` lies in the future.
    #[error("the token was issued at {iat}, which has not come")]
    IssuedInFuture {
        /// The claim.
        iat: UnixTime,
    },
    /// The token has no `exp`.
    #[error("the token never expires")]
    NonExpiring,
    /// The token lives longer than [`LifePolicy::max_lifetime_seconds`].
    #[error("the token lives longer than the {max_seconds} seconds that are allowed")]
    LifetimeTooLong {
        /// The longest life allowed.
        max_seconds: u64,
    },
}

impl TokenKeys {
    /// Derives the keys. Without `jwt_secrets`, tokens are plain JSON inside of their encryption.
    pub fn new(jwe_secrets: &[Secret<String>], jwt_secrets: &[Secret<String>]) -> Result<Self, KeyError> {
        if let Some(position) = empty(jwe_secrets) {
            return Err(KeyError::EmptyJweSecret { position });
        }
        if let Some(position) = empty(jwt_secrets) {
            return Err(KeyError::EmptyJwtSecret { position });
        }
        let wrapping: Vec<_> =
            jwe_secrets.iter().map(|phrase| WrappingKey::derive(phrase.expose())).collect();
        let sealing = wrapping.first().cloned().ok_or(KeyError::NoJweSecret)?;
        let signing = jwt_secrets.iter().map(|phrase| SigningKey::derive(phrase.expose())).collect();
        Ok(Self { sealing, wrapping, signing })
    }

    /// Whether tokens must hold a signature.
    pub fn asks_for_signature(&self) -> bool {
        !self.signing.is_empty()
    }
}

fn empty(secrets: &[Secret<String>]) -> Option<usize> {
    secrets.iter().position(|secret| secret.expose().is_empty()).map(|index| index + 1)
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKeys {{ wrapping: {}, signing: {} }}", self.wrapping.len(), self.signing.len())
    }
}

/// Opens an access token and checks all that can be checked without asking anybody.
pub fn open(keys: &TokenKeys, token: &str, policy: &LifePolicy, now: UnixTime) -> Result<Claims, TokenError> {
    let opened = jwe::open(&keys.wrapping, token)?;
    let claims = if keys.asks_for_signature() { signed(keys, &opened)? } else { unsigned(&opened)? };
    policy.check(&claims, now)?;
    Ok(claims)
}

/// Makes an access token with the first keys: header and claims in the order of their names, signed if there is a
/// signing secret.
pub fn seal(keys: &TokenKeys, claims: &Claims, rng: &mut dyn CryptoRng) -> Result<String, TokenError> {
    let json = claims.to_json()?;
    let token = match keys.signing.first() {
        Some(key) => {
            let signed = jws::sign(key, json.as_bytes())?;
            jwe::seal(&keys.sealing, ContentType::Jwt, signed.as_bytes(), rng)?
        }
        None => jwe::seal(&keys.sealing, ContentType::Json, json.as_bytes(), rng)?,
    };
    Ok(token)
}

/// The claims of a nested token (RFC 7519 section 7.2 steps 8 and 9). A missing `cty` is taken for `JWT`.
fn signed(keys: &TokenKeys, opened: &Opened) -> Result<Claims, TokenError> {
    let plaintext = opened.plaintext.expose();
    if !matches!(opened.content_type.as_deref(), None | Some("JWT")) || !jws::is_compact(plaintext) {
        return Err(TokenError::Unsigned);
    }
    let text = str::from_utf8(plaintext).map_err(|_| TokenError::Unsigned)?;
    Ok(Claims::parse(&jws::verify(&keys.signing, text)?)?)
}

/// The claims of a token that is encrypted only.
fn unsigned(opened: &Opened) -> Result<Claims, TokenError> {
    let plaintext = opened.plaintext.expose();
    match opened.content_type.as_deref() {
        None | Some("JWT" | "JSON") if jws::is_compact(plaintext) => Err(TokenError::Unverifiable),
        None | Some("JWT" | "JSON") => Ok(Claims::parse(plaintext)?),
        Some(_) => Err(TokenError::ContentType),
    }
}

impl LifePolicy {
    /// Compares whole seconds, as the claims count them: in the second of `exp` a token is still valid.
    fn check(&self, claims: &Claims, now: UnixTime) -> Result<(), TokenError> {
        let (now, leeway) = (now.seconds(), self.leeway_seconds);
        let begun = |date: UnixTime| date.seconds() <= now.saturating_add(leeway);
        if let Some(exp) = claims.exp
            && now > exp.seconds().saturating_add(leeway)
        {
            return Err(TokenError::Expired { exp });
        }
        if claims.exp.is_none() && !self.allow_non_expiring {
            return Err(TokenError::NonExpiring);
        }
        if let Some(nbf) = claims.nbf
            && !begun(nbf)
        {
            return Err(TokenError::NotYetValid { nbf });
        }
        if let Some(iat) = claims.iat
            && !begun(iat)
        {
            return Err(TokenError::IssuedInFuture { iat });
        }
        let Some(max_seconds) = self.max_lifetime_seconds else { return Ok(()) };
        // Measured from our clock, the maker's may be ahead by the leeway.
        let latest = match claims.iat {
            Some(iat) => iat.seconds().saturating_add(max_seconds),
            None => now.saturating_add(leeway).saturating_add(max_seconds),
        };
        match claims.exp {
            Some(exp) if exp.seconds() <= latest => Ok(()),
            Some(_) | None => Err(TokenError::LifetimeTooLong { max_seconds }),
        }
    }
}

impl TokenError {
    /// What a stranger may know, fit for `error_description` (RFC 6750 section 3).
    ///
    /// Whatever a wrong key or a changed token can cause has one text, and nothing is quoted from the token.
    pub fn public_reason(&self) -> &'static str {
        match self {
            Self::Encryption(error) => error.public_reason(),
            Self::Signature(
                JwsError::Parts
                | JwsError::Base64url
                | JwsError::Header
                | JwsError::DuplicateHeader { .. }
                | JwsError::Critical
                | JwsError::Algorithm { .. }
                | JwsError::Signature,
            ) => CANNOT_BE_OPENED,
            Self::Claims(ClaimError::OauthArtifact { .. }) => "the token is not an access token",
            Self::Claims(
                ClaimError::NotObject
                | ClaimError::Duplicate { .. }
                | ClaimError::Unknown { .. }
                | ClaimError::WrongType { .. }
                | ClaimError::OutOfRange { .. },
            ) => "the token's claims are not acceptable",
            Self::Unsigned => "the token is not signed",
            Self::Unverifiable | Self::ContentType => "the token's content is not supported",
            Self::Expired { .. } => "the token has expired",
            Self::NotYetValid { .. } | Self::IssuedInFuture { .. } => "the token is not valid yet",
            Self::NonExpiring => "the token never expires",
            Self::LifetimeTooLong { .. } => "the token's lifetime is too long",
        }
    }
}

const CANNOT_BE_OPENED: &str = "the token cannot be opened";

impl JweError {
    /// See [`TokenError::public_reason`]. The length of a wrapped key is no reason of its own (RFC 7516 section
    /// 11.5).
    fn public_reason(&self) -> &'static str {
        match self {
            Self::Empty => "the token is missing",
            Self::TooLong => "the token is too long",
            Self::JsonSerialisation
            | Self::Parts { .. }
            | Self::Base64url { .. }
            | Self::Header
            | Self::DuplicateHeader { .. } => "the token is malformed",
            Self::Critical | Self::Compressed | Self::Algorithm { .. } | Self::Encryption { .. } => {
                "the token's algorithms are not supported"
            }
            Self::Length { .. } | Self::Undecryptable | Self::Unencryptable => CANNOT_BE_OPENED,
        }
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
