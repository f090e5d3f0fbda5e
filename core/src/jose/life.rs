//! How long a token lives, as far as that can be judged from its dates.

use super::claims::Claims;
use super::token_error::TokenError;
use crate::config;
use crate::time::UnixTime;

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

impl LifePolicy {
    /// What a configuration asks.
    pub fn of(jwe: &config::Jwe) -> Self {
        Self {
            leeway_seconds: jwe.leeway,
            allow_non_expiring: jwe.allow_non_expiring,
            max_lifetime_seconds: Some(jwe.max_lifetime).filter(|seconds| *seconds > 0),
        }
    }

    /// Compares whole seconds, as the claims count them: in the second of `exp` a token is still valid.
    pub fn check(&self, claims: &Claims, now: UnixTime) -> Result<(), TokenError> {
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
