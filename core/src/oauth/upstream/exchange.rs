//! The identity provider's token endpoint: what is posted to it, and what its answer gives.
//!
//! What it says of an error stays here. Clients are told what to do, and the operator the status and the word of RFC
//! 6749 section 5.2; a provider's prose may hold anything, addresses and tokens included.

use serde_json::{Map, Value};

use super::{Lack, Provider};
use crate::env::Env;
use crate::fetch::{Document, FetchFailure, FetchRequest};
use crate::jsonrpc;
use crate::oauth::error::{OAuthCode, OAuthError};
use crate::oauth::form::Form;
use crate::oauth::introspection::basic;
use crate::secret::Secret;

const PURPOSE: &str = "the identity provider's tokens";

/// What the identity provider hands out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) id_token: Option<Secret<String>>,
    pub(crate) access_token: Option<Secret<String>>,
    pub(crate) refresh_token: Option<Secret<String>>,
    /// Seconds for which the access token lives.
    pub(crate) expires_in: Option<u64>,
}

impl Provider {
    /// Redeems a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5). It works once.
    pub(crate) fn redeem(
        &self,
        env: &Env<'_>,
        code: &str,
        callback: &str,
        verifier: &str,
    ) -> Result<FetchRequest, Lack> {
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", verifier),
        ];
        self.ask_for_tokens(env, &grant)
    }

    /// Asks for tokens anew (RFC 6749 section 6).
    pub(crate) fn renew(&self, env: &Env<'_>, refresh_token: &str) -> Result<FetchRequest, Lack> {
        self.ask_for_tokens(env, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    }

    fn ask_for_tokens(&self, env: &Env<'_>, grant: &[(&str, &str)]) -> Result<FetchRequest, Lack> {
        let url = self.token_endpoint(env)?;
        let Some(client) = &self.client else {
            return Err(Lack::Unavailable("there is no `server.oauth.client_id`".to_owned()));
        };
        // An operator who names the endpoint may have a provider without any document that could say otherwise.
        let in_header =
            client.secret.is_some() && self.token_url.is_none() && self.metadata(env)?.wants_basic();
        let mut form = grant.to_vec();
        if !in_header {
            form.push(("client_id", &client.id));
            if let Some(secret) = &client.secret {
                form.push(("client_secret", secret.expose()));
            }
        }
        let request = FetchRequest::post(&url, PURPOSE, Secret::from(Form::write(&form)));
        Ok(FetchRequest { authorization: in_header.then(|| basic(client)), ..request })
    }
}

/// Reads the answer.
pub(crate) fn read(outcome: &Result<Document, FetchFailure>) -> Result<Tokens, OAuthError> {
    let document = match outcome {
        Ok(document) => document,
        Err(failure) => {
            let code = match failure {
                FetchFailure::Unreachable | FetchFailure::TimedOut => OAuthCode::TemporarilyUnavailable,
                FetchFailure::Forbidden | FetchFailure::TooLarge(_) | FetchFailure::Status(_) => {
                    OAuthCode::ServerError
                }
            };
            return Err(failed(code, &failure.to_string()));
        }
    };
    let status = document.status;
    let answer = match jsonrpc::parse_unique(&document.body) {
        Ok(Value::Object(answer)) => answer,
        _ => Map::new(),
    };
    let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let error = text("error");
    // GitHub refuses with status 200, and by a word of its own.
    if matches!(error, Some("invalid_grant" | "bad_verification_code")) && status < 500 {
        return Err(OAuthError::new(
            OAuthCode::InvalidGrant,
            "the login has been used already or is over: sign in again",
        )
        .because("the identity provider refuses the code or refresh token (invalid_grant)"));
    }
    if status != 200 || error.is_some() {
        let code = match status {
            429 | 500.. => OAuthCode::TemporarilyUnavailable,
            _ => OAuthCode::ServerError,
        };
        let word = error.map_or_else(String::new, |word| format!(", error {}", sanitised(word)));
        return Err(failed(code, &format!("its answer has status {status}{word}")));
    }
    let secret = |name: &str| text(name).map(Secret::from);
    let tokens = Tokens {
        id_token: secret("id_token"),
        access_token: secret("access_token"),
        refresh_token: secret("refresh_token"),
        // Azure's older endpoints write the number as text.
        expires_in: match answer.get("expires_in") {
            Some(Value::String(text)) => text.parse().ok(),
            other => other.and_then(Value::as_u64),
        },
    };
    if tokens.id_token.is_none() && tokens.access_token.is_none() {
        return Err(failed(OAuthCode::ServerError, "its answer is no JSON object with a token"));
    }
    Ok(tokens)
}

fn failed(code: OAuthCode, detail: &str) -> OAuthError {
    let description = if code == OAuthCode::TemporarilyUnavailable {
        "the identity provider does not answer: try again later"
    } else {
        "the identity provider gives no tokens: this server's operator finds the reason in its log"
    };
    OAuthError::new(code, description).because(format!("{PURPOSE} cannot be had: {detail}"))
}

/// The word for an error, if that is what it is.
fn sanitised(word: &str) -> String {
    word.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')).take(40).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, body: &str) -> Result<Document, FetchFailure> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Ok(Document { status, content_type: None, cache_control: None, body })
    }

    #[test]
    fn tokens_are_read() {
        let tokens = read(&answer(200, r#"{"id_token":"a","access_token":"b","expires_in":"60"}"#)).unwrap();
        assert_eq!(tokens.id_token, Some(Secret::from("a")));
        assert_eq!((tokens.expires_in, tokens.refresh_token), (Some(60), None));
        assert_eq!(format!("{:?}", tokens.access_token), "Some([secret])");
    }

    #[test]
    fn errors_are_told_without_a_word_of_the_providers() {
        use OAuthCode::{InvalidGrant, ServerError, TemporarilyUnavailable};
        for (outcome, code, reason) in [
            (
                answer(400, r#"{"error":"invalid_grant","error_description":"SECRET"}"#),
                InvalidGrant,
                "refuses",
            ),
            (answer(200, r#"{"error":"bad_verification_code"}"#), InvalidGrant, "refuses"),
            (
                answer(401, r#"{"error":"invalid_client","error_description":"SECRET"}"#),
                ServerError,
                "status 401, error invalid_client",
            ),
            (answer(400, r#"{"error":"a\nb<c>\"SECRET LONG"}"#), ServerError, "error abc"),
            (answer(200, r#"{"error":"x","access_token":"SECRET"}"#), ServerError, "status 200, error x"),
            (answer(302, ""), ServerError, "status 302"),
            (answer(429, "{}"), TemporarilyUnavailable, "status 429"),
            (answer(500, r#"{"error":"invalid_grant"}"#), TemporarilyUnavailable, "status 500"),
            (answer(503, "<html>SECRET</html>"), TemporarilyUnavailable, "status 503"),
            (answer(200, "<html>SECRET</html>"), ServerError, "no JSON object"),
            (
                answer(200, r#"{"access_token":"SECRET","access_token":"SECRET"}"#),
                ServerError,
                "no JSON object",
            ),
            (answer(200, r#"{"access_token":7}"#), ServerError, "no JSON object"),
            (answer(200, "[]"), ServerError, "no JSON object"),
            (Err(FetchFailure::TimedOut), TemporarilyUnavailable, "too long"),
            (Err(FetchFailure::Unreachable), TemporarilyUnavailable, "reached"),
            (Err(FetchFailure::TooLarge(65536)), ServerError, "larger"),
            (Err(FetchFailure::Forbidden), ServerError, "may not"),
        ] {
            let error = read(&outcome).unwrap_err();
            assert_eq!(error.code, code, "{outcome:?}");
            assert!(error.reason().contains(reason), "{}", error.reason());
            assert!(!error.description.contains("SECRET") && !error.reason().contains("SECRET\""));
            assert!(!error.reason().contains("SECRET<") && error.reason().is_ascii());
        }
    }
}
