//! Why an access token is refused, in words for the operator and in words for whoever holds the token.

use std::borrow::Cow;

use super::claims::ClaimError;
use super::jwe::JweError;
use super::jws::JwsError;
use crate::time::UnixTime;

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
    /// RFC 7519 section 4.1.4: `exp` has passed.
    #[error("the token expired at {}", .exp.rfc3339())]
    Expired {
        /// The claim.
        exp: UnixTime,
    },
    /// RFC 7519 section 4.1.5: `nbf` has not come.
    #[error("the token is not valid before {}", .nbf.rfc3339())]
    NotYetValid {
        /// The claim.
        nbf: UnixTime,
    },
    /// RFC 7519 section 4.1.6: `iat` lies in the future.
    #[error("the token was issued at {}, which has not come", .iat.rfc3339())]
    IssuedInFuture {
        /// The claim.
        iat: UnixTime,
    },
    /// The token has no `exp`.
    #[error("the token never expires")]
    NonExpiring,
    /// The token lives longer than [`super::token::LifePolicy::max_lifetime_seconds`].
    #[error("the token lives longer than the {max_seconds} seconds that are allowed")]
    LifetimeTooLong {
        /// The longest life allowed.
        max_seconds: u64,
    },
}

impl TokenError {
    /// What the holder of the token may know, fit for `error_description` (RFC 6750 section 3).
    ///
    /// Whatever a wrong key or a changed token can cause has one text. Claims are named, never their values: they are
    /// read only after one of the server's keys has opened the token, so its holder has it from who holds the key.
    pub fn public_reason(&self) -> Cow<'static, str> {
        let reason = match self {
            Self::Encryption(error) => error.public_reason(),
            Self::Claims(error) => return error.public_reason(),
            Self::Signature(
                JwsError::Parts
                | JwsError::Base64url
                | JwsError::Header
                | JwsError::DuplicateHeader { .. }
                | JwsError::Critical
                | JwsError::Algorithm { .. }
                | JwsError::Signature,
            ) => CANNOT_BE_OPENED,
            Self::Unsigned => "the token is not signed",
            Self::Unverifiable => "the token's content is not supported",
            Self::Expired { .. } => "the token has expired",
            Self::NotYetValid { .. } | Self::IssuedInFuture { .. } => "the token is not valid yet",
            Self::NonExpiring => "the token never expires",
            Self::LifetimeTooLong { .. } => "the token's lifetime is too long",
        };
        Cow::Borrowed(reason)
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
            Self::NotJson
            | Self::DuplicateMember { .. }
            | Self::Member { .. }
            | Self::MissingMember { .. }
            | Self::TwoForms
            | Self::Recipients { .. }
            | Self::Parts { .. }
            | Self::Base64url { .. }
            | Self::Header
            | Self::DuplicateHeader { .. }
            | Self::HeaderInTwoPlaces { .. }
            | Self::UnprotectedZip => "the token is malformed",
            Self::Critical | Self::Compression { .. } | Self::Algorithm { .. } | Self::Encryption { .. } => {
                "the token's algorithms are not supported"
            }
            Self::InflatesTooFar { .. } | Self::NotDeflate | Self::AfterDeflate => {
                "the token's compressed content is damaged or too large"
            }
            Self::Length { .. } | Self::Undecryptable | Self::Unencryptable => CANNOT_BE_OPENED,
        }
    }
}

impl ClaimError {
    /// See [`TokenError::public_reason`].
    fn public_reason(&self) -> Cow<'static, str> {
        let reason = match self {
            Self::NotObject => return Cow::Borrowed("the token's claims are not a JSON object"),
            Self::Duplicate { claim } => format!("the token has the claim '{}' twice", quotable(claim)),
            Self::Unknown { claim } => format!("the token's claim '{}' is not known here", quotable(claim)),
            Self::OauthArtifact { claim } => {
                format!("the token is not an access token: it has the claim '{}'", quotable(claim))
            }
            Self::WrongType { claim, wanted } | Self::OutOfRange { claim, wanted } => {
                format!("the token's claim '{}' must be {}", quotable(claim), quotable(wanted))
            }
        };
        Cow::Owned(reason)
    }
}

/// A text that may stand in `error_description`: at most 64 characters of those that RFC 6750 section 3 allows
/// there, with `?` for all others.
fn quotable(text: &str) -> String {
    let allowed = |c| matches!(c, ' ' | '!' | '#'..='[' | ']'..='~');
    text.chars().take(64).map(|c| if allowed(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::claims::Claims;
    use super::*;

    fn told(json: &str) -> String {
        TokenError::from(Claims::parse(json.as_bytes()).unwrap_err()).public_reason().into_owned()
    }

    #[test]
    fn the_holder_is_told_which_claim_is_wrong() {
        for (json, reason) in [
            ("[]", "the token's claims are not a JSON object"),
            (r#"{"secure":true}"#, "the token's claim 'secure' is not known here"),
            (r#"{"host":"a","host":"b"}"#, "the token has the claim 'host' twice"),
            (r#"{"read_only":"yes"}"#, "the token's claim 'read_only' must be true or false"),
            (r#"{"port":70000}"#, "the token's claim 'port' must be a whole number from 1 to 65535"),
            (r#"{"protocol":"ftp"}"#, "the token's claim 'protocol' must be http or tcp"),
            (
                r#"{"exp":"4102444800"}"#,
                "the token's claim 'exp' must be a number of seconds since 1970-01-01T00:00:00Z",
            ),
            (r#"{"client_id":"c"}"#, "the token is not an access token: it has the claim 'client_id'"),
        ] {
            assert_eq!(told(json), reason);
        }
    }

    #[test]
    fn what_is_told_never_holds_a_value_and_fits_into_a_header() {
        for json in [
            r#"{"password":["hunter2"]}"#,
            r#"{"password":"hunter2","password":"hunter2"}"#,
            r#"{"limit":"hunter2"}"#,
            r#"{"protocol":"hunter2"}"#,
            r#"{"hunter":"hunter2"}"#,
        ] {
            assert!(!told(json).contains("hunter2"), "{json}");
        }
        let hostile = r#"{"a\"b\\c\r\nSet-Cookie: \u0000\u007f\u00e9\u202e":1}"#;
        assert_eq!(told(hostile), "the token's claim 'a?b?c??Set-Cookie: ????' is not known here");
        for name in ["\u{1f511}", "x", "\u{1}", "\"", "\\"] {
            let error = ClaimError::Unknown { claim: name.repeat(5000) };
            let reason = TokenError::Claims(error).public_reason();
            assert!(reason.len() < 128, "{reason}");
            assert!(reason.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{reason}");
        }
    }
}
