//! What a token says of itself before anybody has vouched for it. Nothing here lets anybody in: it only spares a way that
//! could not lead anywhere.

use serde::Deserialize;

use super::base64url;
use crate::time::UnixTime;

/// Whether a text is written as a JWT is, so that it is no opaque token.
pub(crate) fn looks_like_a_jwt(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// When a JWT says that it runs out.
pub(crate) fn expiry(text: &str) -> Option<UnixTime> {
    #[derive(Deserialize)]
    struct Dates {
        exp: f64,
    }
    let mut parts = text.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let payload = base64url::decode(payload).ok()?;
    let Dates { exp } = serde_json::from_slice(&payload).ok()?;
    // A float becomes the nearest whole number that there is.
    (exp >= 0.0).then(|| UnixTime::from_seconds(exp as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_is_read_and_nothing_else_is_believed() {
        let token = |payload: &str| format!("eyJ4IjoxfQ.{}.sig", base64url::encode(payload.as_bytes()));
        assert_eq!(expiry(&token(r#"{"exp":1700000000}"#)), Some(UnixTime::from_seconds(1_700_000_000)));
        assert_eq!(expiry(&token(r#"{"exp":1700000000.9}"#)), Some(UnixTime::from_seconds(1_700_000_000)));
        for payload in [r#"{"exp":"1"}"#, r#"{"exp":-1}"#, "{}", "[]", ""] {
            assert_eq!(expiry(&token(payload)), None, "{payload}");
        }
        assert_eq!(expiry("opaque"), None);
        assert!(looks_like_a_jwt(&token("{}")) && !looks_like_a_jwt("opaque.token.here"));
    }
}
