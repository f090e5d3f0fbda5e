//! Clients that are known by a document of their own: their id is its URL (draft-ietf-oauth-client-id-metadata-document,
//! MCP authorization, "Client ID Metadata Documents").
//!
//! Of its redirect URIs those that cannot be had here are left out instead of refused: one document serves all servers.
//! Deliberately absent: logos, which would be a stranger's picture beside the question whether to trust the stranger.

use super::client::{Authentication, Client, ClientError, Kind};
use super::client_metadata::{ClientMetadata, Method};
use super::client_url;
use super::error::{OAuthCode, OAuthError};
use super::metadata::takes_documents;
use super::redirect_uri;
use super::server::Server;
use super::upstream;
use crate::config::oauth::Facade;
use crate::env::Env;
use crate::fetch::Document;

/// Bytes that a document may have. The draft's section 6.6 proposes 5 KB.
const LONGEST: usize = 8 << 10;
const PURPOSE: &str = "a client's document";

/// Whether a client id is the address of a document rather than a registration.
pub(super) fn is_url(id: &str) -> bool {
    id.contains("://")
}

/// The client whose document is at a URL.
pub(super) fn find(env: &Env<'_>, server: &Server, facade: &Facade, id: &str) -> Result<Client, ClientError> {
    if !takes_documents(server, facade) {
        let error = refuse("clients cannot be known by a document here: register instead");
        return Err(error
            .because("a client names its document, and `server.oauth.client_document_hosts` lists no host from which this component may fetch one")
            .into());
    }
    let url = client_url::check(id, facade).map_err(|error| {
        refuse("the client id is no URL from which a document is fetched here").because(error.to_string())
    })?;
    let request = url.request(PURPOSE, LONGEST);
    url.heed_failure(env, &request, "the document of the client cannot be had")?;
    let document = upstream::document(env, request)?;
    let client = read(&document, facade, id, &url.host);
    Ok(client.map_err(|error| {
        let reason = format!("{} (at {})", error.detail.as_ref().unwrap_or(&error.description), url.host);
        error.because(reason)
    })?)
}

fn refuse(reason: &str) -> OAuthError {
    OAuthError::new(OAuthCode::InvalidClient, reason)
}

/// Reads a document that was fetched from the URL that is the client's id.
pub(super) fn read(document: &Document, facade: &Facade, id: &str, host: &str) -> Result<Client, OAuthError> {
    let media = document.content_type.as_deref().unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media != "application/json" && !media.ends_with("+json") {
        return Err(refuse("the document of the client is not served as application/json"));
    }
    let as_client_error = |error: OAuthError| OAuthError { code: OAuthCode::InvalidClient, ..error };
    let metadata = ClientMetadata::parse(&document.body).map_err(as_client_error)?;
    // Section 4.1: character by character. Who can put a document somewhere else speaks for that place only.
    if metadata.id.as_deref() != Some(id) {
        return Err(refuse("the document of the client names another client_id than its own URL"));
    }
    // Section 4.1: what everybody can read holds no secret.
    if metadata.shares_secret {
        return Err(refuse("the document of the client speaks of a client secret"));
    }
    let authentication = match metadata.method {
        Method::None => Authentication::None,
        Method::PrivateKeyJwt => metadata.keys(facade).map_err(as_client_error)?,
        Method::Other => return Err(refuse("the client proves itself in a way that is not known here")),
    };
    if metadata.redirect_uris.len() > redirect_uri::MOST {
        return Err(refuse("the document of the client has too many redirect URIs"));
    }
    let redirect_uris = redirect_uri::usable(metadata.redirect_uris, &facade.redirect_schemes);
    if redirect_uris.is_empty() {
        return Err(refuse("the document of the client has no redirect URI that can be used here"));
    }
    let kind = Kind::Document { host: host.to_owned() };
    Ok(Client { id: id.to_owned(), name: metadata.name, redirect_uris, authentication, kind })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Host;
    use crate::facts::Facts;
    use crate::oauth::sample;
    use crate::oauth::upstream::Lack;
    use crate::time::UnixTime;

    const ID: &str = "https://client.example/c.json";

    fn found(host: Host, hosts: &str) -> Result<Client, ClientError> {
        let server = sample::server(host, &[("MCP_OAUTH_CLIENT_DOCUMENT_HOSTS", hosts)]).unwrap();
        let facts = Facts::default();
        let env = Env { now: UnixTime::from_seconds(0), rng: &mut rand::rng(), facts: &facts };
        let (facade, _) = server.facade().unwrap();
        find(&env, &server, facade, ID)
    }

    /// A component does not see to which address a name leads.
    #[test]
    fn a_component_fetches_from_listed_hosts_only() {
        let Err(ClientError::Refused(error)) = found(Host::Edge, "") else { panic!("refused") };
        assert!(error.reason().contains("server.oauth.client_document_hosts"), "{}", error.reason());
        for (host, hosts, listed) in [
            (Host::Edge, "client.example", true),
            (Host::Edge, "*.example", true),
            (Host::Edge, "*", false),
            (Host::Native, "", false),
        ] {
            let Err(ClientError::Lacks(Lack::Learn(request))) = found(host, hosts) else { panic!("{hosts}") };
            assert_eq!(request.named_by, crate::fetch::NamedBy::Stranger { listed }, "{hosts}");
        }
        let Err(ClientError::Refused(error)) = found(Host::Native, "other.example") else {
            panic!("refused")
        };
        assert!(error.reason().contains("does not list client.example"), "{}", error.reason());
        assert!(!error.description.contains("client.example"));
    }
}
