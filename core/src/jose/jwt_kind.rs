//! What kind of token a provider's token says it is.
//!
//! Providers sign ID tokens, access tokens and logout notices with the same keys, so that one can be passed off as another
//! (RFC 8725 section 2.8). Their marks are told here; what follows from them is up to who asks.

use super::jwt::Verified;

/// What a token calls itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its `typ` is `at+jwt` (RFC 9068 section 2.1).
    Access,
    /// It has a claim that only ID tokens have.
    Id,
    /// Its `typ` is that of something else, or it reports events, as logout tokens do (OpenID Connect Back-Channel
    /// Logout 1.0 section 2.4).
    Other,
    /// It does not say, as the access tokens of most providers do not.
    Unsaid,
}

/// OpenID Connect Core 1.0 sections 2, 3.1.3.6 and 3.3.2.11. Some providers copy `nonce` into access tokens.
const ID_MARKS: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];

impl Kind {
    /// Reads the marks. An explicit `typ` counts more than claims.
    pub fn of(token: &Verified) -> Self {
        let claims = token.claims();
        // RFC 7515 section 4.1.9: a media type, whose case does not count and whose `application/` may be left out.
        let typ = token.typ().map(|typ| {
            let typ = typ.to_ascii_lowercase();
            typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
        });
        match typ.as_deref() {
            Some("at+jwt") => Self::Access,
            Some("jwt") | None if claims.contains_key("events") => Self::Other,
            Some("jwt") | None if ID_MARKS.iter().any(|mark| claims.contains_key(*mark)) => Self::Id,
            Some("jwt") | None => Self::Unsaid,
            Some(_) => Self::Other,
        }
    }
}
