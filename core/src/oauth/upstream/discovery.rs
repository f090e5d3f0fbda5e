//! The identity provider's discovery document (OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3).

use serde::Deserialize;

use super::{Lack, Provider, document};
use crate::env::Env;
use crate::fetch::FetchRequest;
use crate::oauth::site::origin_of;

/// What is used of the document.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Metadata {
    issuer: String,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    pub(crate) userinfo_endpoint: Option<String>,
    pub(crate) jwks_uri: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Whether the client secret has to go into `Authorization` instead of the form (RFC 6749 section 2.3.1).
    pub(crate) fn wants_basic(&self) -> bool {
        let methods = &self.token_endpoint_auth_methods_supported;
        let has = |name: &str| methods.iter().any(|method| method == name);
        !has("client_secret_post") && has("client_secret_basic")
    }
}

const PURPOSE: &str = "the identity provider's discovery document";

impl Provider {
    /// The discovery document. Where there is none at OpenID Connect's place, RFC 8414's is tried.
    pub(crate) fn metadata(&self, env: &Env<'_>) -> Result<Metadata, Lack> {
        let Some(issuer) = &self.issuer else {
            return Err(Lack::Unavailable(
                "there is no `server.oauth.issuer` with a discovery document".to_owned(),
            ));
        };
        let at = |url: &str| document(env, FetchRequest::document(url, PURPOSE, self.remembered));
        let [first, second] = places(issuer);
        let document = match at(&first) {
            // What the first place said is what the operator needs to hear.
            Err(unavailable @ Lack::Unavailable(_)) => match at(&second) {
                Err(Lack::Unavailable(_)) => return Err(unavailable),
                other => other?,
            },
            other => other?,
        };
        let metadata: Metadata = serde_json::from_slice(&document.body)
            .map_err(|_| Lack::Unavailable(format!("{PURPOSE} is not the JSON of one")))?;
        // Whoever answers for another issuer could have its tokens accepted as this one's (RFC 8414 section 3.3).
        if metadata.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(Lack::Unavailable(format!(
                "{PURPOSE} names another issuer than `server.oauth.issuer`: write it there as the provider does"
            )));
        }
        Ok(metadata)
    }
}

/// Where the document may be.
fn places(issuer: &str) -> [String; 2] {
    let issuer = issuer.trim_end_matches('/');
    let origin = origin_of(issuer);
    let path = issuer.get(origin.len()..).unwrap_or_default();
    [
        format!("{issuer}/.well-known/openid-configuration"),
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_looked_for_in_two_places() {
        assert_eq!(
            places("https://idp.example.com/"),
            [
                "https://idp.example.com/.well-known/openid-configuration",
                "https://idp.example.com/.well-known/oauth-authorization-server"
            ]
        );
        assert_eq!(
            places("https://idp.example.com/realms/x"),
            [
                "https://idp.example.com/realms/x/.well-known/openid-configuration",
                "https://idp.example.com/.well-known/oauth-authorization-server/realms/x"
            ]
        );
    }
}
