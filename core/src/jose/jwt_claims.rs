//! Whether a verified token is meant for us, by somebody we asked, and now (RFC 7519 section 4.1, OpenID Connect
//! Core 1.0 section 3.1.3.7).
//!
//! Deliberately absent: claims about the person, which are whoever asks' to read; a longest age, which is the
//! provider's to choose; and looking a token up to see whether it was revoked.

use std::time::Duration;

use serde_json::{Map, Value};

use super::jwt::Verified;
pub use super::jwt_kind::Kind;
use super::members::excerpt;
use crate::secret::Secret;
use crate::time::UnixTime;

/// What is asked of a token.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// The issuers whose keys verified it. `iss` must be one of them, character by character; with none, nothing is
    /// accepted.
    pub issuers: &'a [&'a str],
    /// Our names. One of them must be in `aud`; with none, nothing is accepted.
    pub audiences: &'a [&'a str],
    /// Whether a slash at the end of an audience makes no difference: providers add or drop it on URLs.
    pub ignore_trailing_slash: bool,
    /// Our `client_id`, if this is an ID token: `azp` must be it, and must be there if there are several audiences.
    pub authorized_party: Option<&'a str>,
    /// What we sent along when we asked, if this is the answer: `nonce` must be it.
    pub nonce: Option<&'a Secret<String>>,
    /// By how many seconds the provider's clock and ours may differ.
    pub leeway_seconds: u64,
}

/// A token that the rules accept, as only [`accept`] makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    issuer: String,
    expires: UnixTime,
    kind: Kind,
    claims: Map<String, Value>,
}

/// Why the rules do not accept a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A claim that the rules need is not there.
    #[error("the token has no claim {claim:?}")]
    Missing {
        /// Its name.
        claim: &'static str,
    },
    /// The value's JSON type is another.
    #[error("the claim {claim:?} must be {wanted}")]
    WrongType {
        /// Its name.
        claim: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// RFC 7519 section 2: a date is negative, or later than doubles count seconds.
    #[error("the date {claim:?} is out of range")]
    OutOfRange {
        /// Its name.
        claim: &'static str,
    },
    /// RFC 7519 section 4.1.1.
    #[error("the issuer {found:?} is not accepted")]
    Issuer {
        /// What `iss` says, cut to 64 characters.
        found: String,
    },
    /// RFC 7519 section 4.1.3.
    #[error("the token is meant for {found:?}")]
    Audience {
        /// What `aud` says, each cut to 64 characters, at most eight.
        found: Vec<String>,
    },
    /// OpenID Connect Core 1.0 section 3.1.3.7 items 4 and 5.
    #[error("the token was made for the client {found:?}")]
    AuthorizedParty {
        /// What `azp` says, cut to 64 characters.
        found: String,
    },
    /// RFC 7519 section 4.1.4.
    #[error("the token expired")]
    Expired {
        /// When.
        exp: UnixTime,
    },
    /// RFC 7519 section 4.1.5.
    #[error("the token is not valid yet")]
    NotYet {
        /// When it will be.
        nbf: UnixTime,
    },
    /// RFC 7519 section 4.1.6: a clock is wrong.
    #[error("the token was issued in the future")]
    IssuedInFuture {
        /// When.
        iat: UnixTime,
    },
    /// OpenID Connect Core 1.0 section 3.1.3.7 item 11: the token answers another question.
    #[error("the token has another nonce than was sent")]
    Nonce,
}

/// Checks a token by the rules. The dates come last: of a token that is not for us, nobody need know whether it is old.
pub fn accept(verified: Verified, rules: &Rules<'_>, now: UnixTime) -> Result<Accepted, RuleError> {
    let claims = verified.claims();
    let issuer = text(claims, "iss")?.ok_or(RuleError::Missing { claim: "iss" })?;
    if !rules.issuers.contains(&issuer) {
        return Err(RuleError::Issuer { found: excerpt(issuer) });
    }
    rules.check_audience(claims)?;
    rules.check_nonce(claims)?;
    let expires = rules.check_dates(claims, now)?;
    let (issuer, kind) = (issuer.to_owned(), Kind::of(&verified));
    Ok(Accepted { issuer, expires, kind, claims: verified.into_claims() })
}

impl Accepted {
    /// Who made it: one of [`Rules::issuers`].
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// When it stops being valid, leeway aside. Nothing that is learned from it may be kept longer.
    pub const fn expires(&self) -> UnixTime {
        self.expires
    }

    /// What it calls itself.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// All of its claims.
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl Rules<'_> {
    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), RuleError> {
        let found = texts(claims, "aud")?;
        let meant = |ours: &str| found.iter().any(|theirs| self.same_audience(ours, theirs));
        if !self.audiences.iter().any(|ours| meant(ours)) {
            return Err(RuleError::Audience { found: found.into_iter().take(8).map(excerpt).collect() });
        }
        let Some(client) = self.authorized_party else { return Ok(()) };
        match text(claims, "azp")? {
            Some(party) if party != client => Err(RuleError::AuthorizedParty { found: excerpt(party) }),
            None if found.len() > 1 => Err(RuleError::Missing { claim: "azp" }),
            Some(_) | None => Ok(()),
        }
    }

    fn same_audience(&self, ours: &str, theirs: &str) -> bool {
        let ending = |text| if self.ignore_trailing_slash { without_slash(text) } else { text };
        !ours.is_empty() && ending(ours) == ending(theirs)
    }

    fn check_nonce(&self, claims: &Map<String, Value>) -> Result<(), RuleError> {
        let Some(sent) = self.nonce else { return Ok(()) };
        let found = text(claims, "nonce")?.ok_or(RuleError::Missing { claim: "nonce" })?;
        // Compared in constant time, by `Secret`.
        if *sent == Secret::from(found) { Ok(()) } else { Err(RuleError::Nonce) }
    }

    /// The token's end. It lies before `exp` (RFC 7519 section 4.1.4: "on or after which" it is refused).
    fn check_dates(&self, claims: &Map<String, Value>, now: UnixTime) -> Result<UnixTime, RuleError> {
        let leeway = Duration::from_secs(self.leeway_seconds);
        let exp = date(claims, "exp")?.ok_or(RuleError::Missing { claim: "exp" })?;
        let (nbf, iat) = (date(claims, "nbf")?, date(claims, "iat")?);
        if now >= exp.after(leeway) {
            return Err(RuleError::Expired { exp });
        }
        let latest_begin = now.after(leeway);
        if let Some(nbf) = nbf
            && nbf > latest_begin
        {
            return Err(RuleError::NotYet { nbf });
        }
        if let Some(iat) = iat
            && iat > latest_begin
        {
            return Err(RuleError::IssuedInFuture { iat });
        }
        Ok(exp)
    }
}

fn without_slash(text: &str) -> &str {
    text.strip_suffix('/').unwrap_or(text)
}

fn text<'a>(claims: &'a Map<String, Value>, claim: &'static str) -> Result<Option<&'a str>, RuleError> {
    let wanted = RuleError::WrongType { claim, wanted: "a text" };
    claims.get(claim).map(|value| value.as_str().ok_or(wanted)).transpose()
}

/// RFC 7519 section 4.1.3: a list of texts or, for one, the text itself.
fn texts<'a>(claims: &'a Map<String, Value>, claim: &'static str) -> Result<Vec<&'a str>, RuleError> {
    let wanted = || RuleError::WrongType { claim, wanted: "a text or a list of texts" };
    let value = claims.get(claim).ok_or(RuleError::Missing { claim })?;
    if let Some(one) = value.as_str() {
        return Ok(vec![one]);
    }
    value.as_array().ok_or_else(wanted)?.iter().map(|one| one.as_str().ok_or_else(wanted)).collect()
}

/// 2^53 seconds: doubles count them one by one up to here.
const LAST_SECOND: u64 = 1 << 53;

/// RFC 7519 section 2, NumericDate, with its fraction to the millisecond.
fn date(claims: &Map<String, Value>, claim: &'static str) -> Result<Option<UnixTime>, RuleError> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let Value::Number(number) = value else {
        return Err(RuleError::WrongType { claim, wanted: "a number of seconds since 1970-01-01T00:00:00Z" });
    };
    if let Some(seconds) = number.as_u64().filter(|seconds| *seconds <= LAST_SECOND) {
        return Ok(Some(UnixTime::from_seconds(seconds)));
    }
    match number.as_f64() {
        Some(seconds) if (0.0..=LAST_SECOND as f64).contains(&seconds) && number.is_f64() => {
            Ok(Some(UnixTime::from_millis((seconds * 1000.0) as u64)))
        }
        Some(_) | None => Err(RuleError::OutOfRange { claim }),
    }
}

#[cfg(test)]
#[path = "jwt_claims_tests.rs"]
mod tests;
