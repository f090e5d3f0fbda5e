//! The userinfo endpoint (OpenID Connect Core 1.0 section 5.3): who signed in, where no ID token says it or says enough.
//!
//! Deliberately absent: answers that are signed (section 5.3.2), which providers give only to clients that ask for them.

use serde_json::{Map, Value};

use super::{Lack, Provider};
use crate::env::Env;
use crate::fetch::{Document, FetchFailure, FetchRequest};
use crate::jsonrpc;
use crate::secret::Secret;

const PURPOSE: &str = "the identity provider's userinfo";

/// Why it says nothing. The texts are for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UserinfoError {
    #[error("{PURPOSE} cannot be had: {0}")]
    Failure(FetchFailure),
    #[error("{PURPOSE} has status {0}")]
    Status(u16),
    #[error("{PURPOSE} is no JSON object")]
    NotObject,
    #[error("{PURPOSE} is of somebody else than the id_token or the login")]
    OtherSubject,
}

/// What is known of it.
#[derive(Clone, Debug)]
pub(crate) enum Userinfo {
    /// It has not been asked for.
    NotAsked,
    /// What it said.
    Asked(Result<Map<String, Value>, UserinfoError>),
}

impl Provider {
    /// Asks for it by an access token of the provider's.
    pub(crate) fn ask_userinfo(&self, env: &Env<'_>, access_token: &str) -> Result<FetchRequest, Lack> {
        let url = self.userinfo_endpoint(env)?;
        Ok(FetchRequest {
            authorization: Some(Secret::from(format!("Bearer {access_token}"))),
            any_status: true,
            ..FetchRequest::get(&url, PURPOSE)
        })
    }
}

/// Reads the answer.
pub(crate) fn read(outcome: &Result<Document, FetchFailure>) -> Result<Map<String, Value>, UserinfoError> {
    let document = outcome.as_ref().map_err(|failure| UserinfoError::Failure(failure.clone()))?;
    if document.status != 200 {
        return Err(UserinfoError::Status(document.status));
    }
    match jsonrpc::parse_unique(&document.body) {
        Ok(Value::Object(claims)) => Ok(claims),
        _ => Err(UserinfoError::NotObject),
    }
}

/// Adds to what is known what userinfo says besides. It has to be of the same person (OpenID Connect Core 1.0 section
/// 5.3.2), and what is known already stays as it is.
pub(crate) fn add(known: &mut Map<String, Value>, more: Map<String, Value>) -> Result<(), UserinfoError> {
    if known.get("sub") != more.get("sub") {
        return Err(UserinfoError::OtherSubject);
    }
    // An address and whether it was verified belong together: the one's verification must not vouch for the other's.
    let knows_email = known.contains_key("email");
    if !knows_email {
        known.remove("email_verified");
    }
    let same_email = !knows_email || known.get("email") == more.get("email");
    for (name, value) in more {
        if name == "email_verified" && !same_email {
            continue;
        }
        if !known.contains_key(&name) {
            known.insert(name, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_added_is_of_the_same_person_and_changes_nothing() {
        for (known, more, wanted) in [
            (json!({"sub": "1"}), json!({"sub": "1", "email": "a"}), json!({"sub": "1", "email": "a"})),
            (
                json!({"sub": "1", "email": "a"}),
                json!({"sub": "1", "email": "b", "x": 1}),
                json!({"sub": "1", "email": "a", "x": 1}),
            ),
            // Attack: a verified address of a profile vouches for the unverified one of the token.
            (
                json!({"sub": "1", "email": "ceo@a"}),
                json!({"sub": "1", "email": "me@a", "email_verified": true}),
                json!({"sub": "1", "email": "ceo@a"}),
            ),
            (
                json!({"sub": "1", "email": "a"}),
                json!({"sub": "1", "email": "a", "email_verified": true}),
                json!({"sub": "1", "email": "a", "email_verified": true}),
            ),
            (
                json!({"sub": "1", "email_verified": true}),
                json!({"sub": "1", "email": "a", "email_verified": false}),
                json!({"sub": "1", "email": "a", "email_verified": false}),
            ),
        ] {
            let mut claims = object(known);
            add(&mut claims, object(more)).unwrap();
            assert_eq!(Value::Object(claims), wanted);
        }
        // Attack: userinfo of another person.
        for more in [json!({"sub": "2", "email": "a"}), json!({"email": "a"})] {
            let mut claims = object(json!({"sub": "1"}));
            assert_eq!(add(&mut claims, object(more)), Err(UserinfoError::OtherSubject));
            assert_eq!(claims.len(), 1);
        }
    }
}
