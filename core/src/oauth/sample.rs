//! A configuration with the OAuth endpoints on, for tests and for the properties that fuzzers hold them to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::server::Server;
use crate::config::{Config, Host, Sources, load};

/// The least that it takes.
const LEAST: [(&str, &str); 6] = [
    ("MCP_TRANSPORT", "http"),
    ("MCP_OAUTH_ENABLED", "true"),
    ("MCP_OAUTH_MODE", "gating"),
    ("MCP_OAUTH_ISSUER", "https://idp.example.com"),
    ("MCP_OAUTH_CLIENT_ID", "housekey"),
    ("MCP_OAUTH_SIGNING_SECRET", "a secret of thirty-two bytes, at least"),
];

/// The least with `more`, of which the last of a name counts, and an empty value leaves it out. `None` if that is out of
/// order.
pub(super) fn config(more: &[(&str, &str)]) -> Option<Config> {
    let named: BTreeMap<&str, &str> = LEAST.iter().chain(more).copied().collect();
    let named = named.into_iter().filter(|(_, value)| !value.is_empty());
    let environment = named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let sources = Sources { environment, ..Sources::default() };
    Some(load(Host::Native, &sources, &|_| Err(String::new())).ok()?.config)
}

/// The OAuth endpoints of such a configuration.
pub(super) fn server(host: Host, more: &[(&str, &str)]) -> Option<Server> {
    Server::new(&Arc::new(config(more)?), host).ok()?
}
