//! What clients are told of the resource and of its authorization server.

use serde_json::{Map, Value, json};

use super::server::Server;
use super::site::{JWKS, Site};
use crate::config::Host;
use crate::config::oauth::{Facade, Mode};

/// Algorithms in which clients may sign their assertions.
const ASSERTION_ALGORITHMS: [&str; 10] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/// The protected resource's metadata (RFC 9728 section 2), for the resource at one of MCP's paths.
pub(crate) fn resource_metadata(server: &Server, site: &Site, place: &str) -> String {
    let issuer = match server.facade() {
        Some(_) => site.issuer(),
        None => server.provider.issuer().unwrap_or_default(),
    };
    json!({
        "resource": site.resource_at(place),
        "authorization_servers": [issuer],
        "scopes_supported": scopes(server),
        "bearer_methods_supported": ["header"],
        "resource_name": "Housekey, ClickHouse for MCP",
    })
    .to_string()
}

/// The authorization server's metadata (RFC 8414 section 2), with what OpenID Connect Discovery adds where that is asked
/// for.
pub(crate) fn server_metadata(server: &Server, facade: &Facade, site: &Site, as_openid: bool) -> String {
    let paths = &facade.paths;
    let mut metadata = Map::new();
    let mut add = |name: &str, value: Value| {
        metadata.insert(name.to_owned(), value);
    };
    add("issuer", json!(site.issuer()));
    add("authorization_endpoint", json!(site.endpoint(&paths.authorization)));
    add("token_endpoint", json!(site.endpoint(&paths.token)));
    add("registration_endpoint", json!(site.endpoint(&paths.registration)));
    add("scopes_supported", json!(scopes(server)));
    add("response_types_supported", json!(["code"]));
    add("response_modes_supported", json!(["query"]));
    add("grant_types_supported", json!(grant_types(server, facade)));
    add("token_endpoint_auth_methods_supported", json!(["none", "private_key_jwt"]));
    add("token_endpoint_auth_signing_alg_values_supported", json!(ASSERTION_ALGORITHMS));
    add("code_challenge_methods_supported", json!(["S256"]));
    add("authorization_response_iss_parameter_supported", json!(true));
    add("client_id_metadata_document_supported", json!(takes_documents(server, facade)));
    if as_openid {
        // Clients that read this document as OpenID Connect's miss these. No id_token is issued, so nothing is signed.
        add("jwks_uri", json!(site.endpoint(JWKS)));
        add("subject_types_supported", json!(["public"]));
        add("id_token_signing_alg_values_supported", json!(["RS256"]));
    }
    Value::Object(metadata).to_string()
}

/// The grants that clients may use. In mode `forward` a refresh token comes from the identity provider or not at all.
pub(crate) fn grant_types(server: &Server, facade: &Facade) -> &'static [&'static str] {
    match server.mode() == Mode::Gating || facade.offline_access {
        true => &["authorization_code", "refresh_token"],
        false => &["authorization_code"],
    }
}

/// Whether clients may be known by a document of theirs. A component fetches from listed hosts only.
pub(crate) fn takes_documents(server: &Server, facade: &Facade) -> bool {
    server.host == Host::Native || !facade.client_document_hosts.is_empty()
}

/// The scopes that clients may ask for. Whether a refresh token is issued is not theirs to ask (MCP authorization).
pub(crate) fn scopes(server: &Server) -> Vec<&str> {
    let all = server.oauth.scopes.iter().chain(&server.oauth.required_scopes);
    let mut scopes: Vec<&str> = Vec::new();
    for scope in all.map(String::as_str).filter(|scope| *scope != "offline_access") {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes
}
