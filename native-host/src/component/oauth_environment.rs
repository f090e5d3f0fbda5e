//! `server.oauth` as a guest hears of it.
//!
//! A guest that serves OAuth needs the secrets of it. One that queries through this host does not: the host has judged the
//! token by then.

use housekey_core::config::oauth::{
    AdmissionRules, Facade, Forward, MapRule, Mode, Naming, OAuth, Paths, Upstream, UpstreamClient,
};
use serde_json::{Value, json};

use super::environment::{map, secrets};

/// The section of a configuration that asks for OAuth's tokens, or only for the URL.
pub(super) fn section(oauth: Option<&OAuth>, public_resource_url: Option<&String>) -> Value {
    let Some(oauth) = oauth else { return json!({ "public_resource_url": public_resource_url }) };
    let OAuth {
        mode,
        upstream,
        facade,
        audience,
        scopes,
        required_scopes,
        admission,
        naming,
        forward: Forward { header, validate },
        claims_to_headers,
        resource_metadata_path,
    } = oauth;
    let mut section = json!({
        "enabled": true,
        "mode": match mode {
            Mode::Gating => "gating",
            Mode::Forward => "forward",
            Mode::Resource => "resource",
        },
        "public_resource_url": public_resource_url,
        "audience": audience,
        "scopes": scopes,
        "required_scopes": required_scopes,
        "clickhouse_header_name": header,
        "validate": validate,
        "claims_to_headers": map(claims_to_headers),
        "protected_resource_metadata_path": resource_metadata_path,
    });
    let parts =
        [upstream_part(upstream), people(admission, naming), facade.as_ref().map_or(json!({}), facade_part)];
    for part in parts {
        if let (Value::Object(section), Value::Object(part)) = (&mut section, part) {
            section.extend(part);
        }
    }
    section
}

fn upstream_part(upstream: &Upstream) -> Value {
    let Upstream { issuer, other_issuers, jwks_url, jwks, introspection_url, remembered, client } = upstream;
    let (id, secret) = match client {
        Some(UpstreamClient { id, secret }) => (Some(id), secret.as_ref().map(|secret| secret.expose())),
        None => (None, None),
    };
    json!({
        "issuer": issuer,
        "upstream_issuer_allowlist": other_issuers,
        "jwks_url": jwks_url,
        "jwks": jwks,
        "introspection_url": introspection_url,
        "jwks_cache_ttl": remembered.as_secs().to_string(),
        "client_id": id,
        "client_secret": secret,
    })
}

fn people(admission: &AdmissionRules, naming: &Naming) -> Value {
    let AdmissionRules { email_domains, hosted_domains, groups, groups_claim, email_verified } = admission;
    let Naming { claims, map, role_claim, role_filter } = naming;
    let rules: Vec<Value> = map.rules().iter().map(rule).collect();
    json!({
        "allowed_email_domains": email_domains,
        "allowed_hosted_domains": hosted_domains,
        "allowed_groups": groups,
        "groups_claim": groups_claim,
        "require_email_verified": email_verified,
        "username_claim": claims,
        "identity_map": rules,
        "role_claim": role_claim,
        "role_filter": role_filter.as_ref().map(|filter| filter.as_str()),
    })
}

fn rule(rule: &MapRule) -> Value {
    match rule {
        MapRule::StripDomain(domain) => json!({ "rule": "strip_domain", "domain": domain }),
        MapRule::LowerCase => json!({ "rule": "lower_case" }),
        MapRule::Regexp(pattern, replacement) => {
            json!({ "rule": "regexp", "pattern": pattern.as_str(), "replacement": replacement })
        }
        MapRule::User(identity, username) => {
            json!({ "rule": "user", "identity": identity, "username": username })
        }
    }
}

fn facade_part(facade: &Facade) -> Value {
    let Facade {
        public_url,
        secrets: signing,
        auth_url,
        token_url,
        userinfo_url,
        offline_access,
        force_consent,
        redirect_schemes,
        client_document_hosts,
        code_ttl,
        access_token_ttl,
        refresh_token_ttl,
        paths: Paths { registration, authorization, callback, token, metadata, openid_configuration },
    } = facade;
    let hosts: Vec<String> = client_document_hosts.iter().map(ToString::to_string).collect();
    json!({
        "public_auth_server_url": public_url,
        "signing_secret": secrets(signing),
        "auth_url": auth_url,
        "token_url": token_url,
        "userinfo_url": userinfo_url,
        "upstream_offline_access": offline_access,
        "upstream_force_consent": force_consent,
        "redirect_schemes": redirect_schemes,
        "client_document_hosts": hosts,
        "auth_code_ttl_seconds": code_ttl,
        "access_token_ttl_seconds": access_token_ttl,
        "refresh_token_ttl_seconds": refresh_token_ttl,
        "registration_path": registration,
        "authorization_path": authorization,
        "callback_path": callback,
        "token_path": token,
        "authorization_server_metadata_path": metadata,
        "openid_configuration_path": openid_configuration,
    })
}
