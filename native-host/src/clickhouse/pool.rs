//! Pooled connections, one pool for each way to trust a server.
//!
//! Deliberately absent: proxies from the environment. Logins travel in headers, and a variable that was meant for
//! other programs must not lead them elsewhere. Redirects are absent for the same reason.

use std::time::Duration;

use housekey_core::clickhouse::{ChosenBy, Protocol, QueryRequest};
use housekey_core::config::{Config, Tls};
use reqwest::redirect::Policy;
use reqwest::{Certificate, ClientBuilder, Identity, Url};

use super::token_clients::{TokenClients, TokenTlsError};
use crate::host::install_cryptography;
use crate::resolver::{AddressRule, ForbiddenAddress};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// ClickHouse closes after 30 idle seconds. We close first, so that no query meets a connection that is going away;
/// one that was closed before a byte was sent is replaced by hyper without a word.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const KEEPALIVE: Duration = Duration::from_secs(15);
const MOST_IDLE: usize = 32;

/// What a certificate and its key are called together.
pub(super) const CLIENT_FILES: &str = "clickhouse.tls.client_cert with client_key";

/// Why TLS to ClickHouse cannot be had as configured.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// A file that the configuration names cannot be read.
    #[error("the file {path} cannot be read: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file holds something else than PEM certificates, or a key.
    #[error("{what} cannot be used: {error}")]
    Pem {
        /// The key of the configuration.
        what: &'static str,
        /// What the library says.
        error: String,
    },
    /// A file of authorities holds none: no certificate would ever be accepted.
    #[error("the file {path} holds no certificate")]
    NoAuthority {
        /// The file.
        path: String,
    },
    /// The client could not be built.
    #[error("the HTTP client could not be built: {0}")]
    Client(reqwest::Error),
    /// TLS could not be set up for the native protocol.
    #[error("TLS could not be set up: {0}")]
    Tls(String),
}

/// Why there is no connection for a query to a server that a token chose. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoWay {
    #[error("{0}")]
    Address(#[from] ForbiddenAddress),
    #[error("{0}")]
    Tls(#[from] TokenTlsError),
}

pub(super) struct Pool {
    operator: reqwest::Client,
    tokens: TokenClients,
}

impl Pool {
    pub(super) fn new(config: &Config) -> Result<Self, PoolError> {
        install_cryptography();
        let operator = match config.clickhouse.protocol {
            Protocol::Http => operator(&config.clickhouse.tls)?,
            // No query of the operator's goes this way.
            Protocol::Tcp => builder().tls_certs_only(NOBODY),
        };
        let operator = operator.build().map_err(PoolError::Client)?;
        Ok(Self { operator, tokens: TokenClients::new(config.server.jwe.tls_directory.as_deref()) })
    }

    /// The connections for a query that goes to this URL. The operator's certificates are for the operator's servers
    /// only.
    pub(super) fn client(&self, query: &QueryRequest, url: &Url) -> Result<reqwest::Client, NoWay> {
        match &query.chosen_by {
            ChosenBy::Operator => Ok(self.operator.clone()),
            ChosenBy::Token(server) => {
                if let Some(rule) = AddressRule::of(server.reach) {
                    rule.check_url(url)?;
                }
                Ok(self.tokens.client(query.endpoint.scheme, server)?)
            }
        }
    }
}

/// What connects a component's requests.
pub struct OutgoingClients {
    /// To the operator's server, as configured.
    pub own: ClientBuilder,
    /// To servers that tokens choose and the operator has named.
    pub named: ClientBuilder,
    /// To all others: refuses names that lead to an address that needs to be named.
    pub unnamed: ClientBuilder,
    /// To places of the public internet that OAuth's documents name.
    pub public: ClientBuilder,
}

impl OutgoingClients {
    /// The clients of a configuration.
    ///
    /// # Errors
    /// The files that the configuration names cannot be used.
    pub fn new(tls: &Tls) -> Result<Self, PoolError> {
        install_cryptography();
        let unnamed = builder().dns_resolver(AddressRule::NeedsNoNaming.resolver());
        let public = builder().dns_resolver(AddressRule::Public.resolver());
        Ok(Self { own: operator(tls)?, named: builder(), unnamed, public })
    }
}

/// No authority at all: TLS with such a client fails.
pub(super) const NOBODY: [Certificate; 0] = [];

/// A client that trusts whom the system trusts.
pub(super) fn builder() -> ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("housekey/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(KEEPALIVE)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MOST_IDLE)
}

/// Without TLS nobody is trusted, so that a start does not wait for the system's authorities.
fn operator(tls: &Tls) -> Result<ClientBuilder, PoolError> {
    if !tls.enabled {
        return Ok(builder().tls_certs_only(NOBODY));
    }
    let mut builder = builder().tls_danger_accept_invalid_certs(tls.insecure_skip_verify);
    if let Some(path) = &tls.ca_cert {
        let authorities = Certificate::from_pem_bundle(&read(path)?)
            .map_err(|error| PoolError::Pem { what: "clickhouse.tls.ca_cert", error: error.to_string() })?;
        if authorities.is_empty() {
            return Err(PoolError::NoAuthority { path: path.clone() });
        }
        builder = builder.tls_certs_only(authorities);
    }
    if let (Some(certificate), Some(key)) = (&tls.client_cert, &tls.client_key) {
        let mut pem = read(certificate)?;
        pem.push(b'\n');
        pem.extend(read(key)?);
        let identity = Identity::from_pem(&pem)
            .map_err(|error| PoolError::Pem { what: CLIENT_FILES, error: error.to_string() })?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

pub(super) fn read(path: &str) -> Result<Vec<u8>, PoolError> {
    std::fs::read(path).map_err(|error| PoolError::File { path: path.to_owned(), error })
}
