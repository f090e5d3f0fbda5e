//! Pooled connections, one pool for each way to trust a server.
//!
//! Deliberately absent: proxies from the environment. Logins travel in headers, and a variable that was meant for
//! other programs must not lead them elsewhere. Redirects are absent for the same reason.

use std::sync::OnceLock;
use std::time::Duration;

use housekey_core::clickhouse::{QueryRequest, Scheme};
use housekey_core::config::Tls;
use reqwest::redirect::Policy;
use reqwest::{Certificate, ClientBuilder, Identity};

use crate::host::install_cryptography;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// ClickHouse closes after 30 idle seconds. We close first, so that no query meets a connection that is going away;
/// one that was closed before a byte was sent is replaced by hyper without a word.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const KEEPALIVE: Duration = Duration::from_secs(15);
const MOST_IDLE: usize = 32;

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
        error: reqwest::Error,
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
}

pub(super) struct Pool {
    plain: reqwest::Client,
    operator: Option<reqwest::Client>,
    public: OnceLock<reqwest::Client>,
}

impl Pool {
    /// Reads certificates only when TLS is on: a start without it does not wait for the system's authorities.
    pub(super) fn new(tls: &Tls) -> Result<Self, PoolError> {
        install_cryptography();
        let plain = build(builder().tls_certs_only([]))?;
        let operator = if tls.enabled { Some(build(operator(tls)?)?) } else { None };
        Ok(Self { plain, operator, public: OnceLock::new() })
    }

    /// The connections for a request. The operator's certificates are for the operator's servers only.
    pub(super) fn client(&self, request: &QueryRequest) -> Result<reqwest::Client, PoolError> {
        match (request.endpoint.scheme, &self.operator) {
            (Scheme::Http, _) => Ok(self.plain.clone()),
            (Scheme::Https, Some(client)) if request.chosen_by.is_operator() => Ok(client.clone()),
            (Scheme::Https, _) => match self.public.get() {
                Some(client) => Ok(client.clone()),
                None => {
                    let client = build(builder())?;
                    Ok(self.public.get_or_init(|| client).clone())
                }
            },
        }
    }
}

/// What connects a component's requests: to the operator's servers, as configured, and to others.
///
/// # Errors
/// The files that the configuration names cannot be used.
pub fn outgoing_clients(tls: &Tls) -> Result<(ClientBuilder, ClientBuilder), PoolError> {
    install_cryptography();
    let own = if tls.enabled { operator(tls)? } else { builder().tls_certs_only([]) };
    Ok((own, builder()))
}

fn builder() -> ClientBuilder {
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

fn operator(tls: &Tls) -> Result<ClientBuilder, PoolError> {
    let mut builder = builder().tls_danger_accept_invalid_certs(tls.insecure_skip_verify);
    if let Some(path) = &tls.ca_cert {
        let authorities = Certificate::from_pem_bundle(&read(path)?)
            .map_err(|error| PoolError::Pem { what: "clickhouse.tls.ca_cert", error })?;
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
            .map_err(|error| PoolError::Pem { what: "clickhouse.tls.client_cert with client_key", error })?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

fn read(path: &str) -> Result<Vec<u8>, PoolError> {
    std::fs::read(path).map_err(|error| PoolError::File { path: path.to_owned(), error })
}

fn build(builder: ClientBuilder) -> Result<reqwest::Client, PoolError> {
    builder.build().map_err(PoolError::Client)
}
