//! New connections: the address, TCP, TLS, and the server's greeting.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use housekey_core::clickhouse::native::{
    Client, Compression, Connection, Ending, Login, NativeError, Options, Revision, State,
};
use housekey_core::clickhouse::{Credential, Endpoint, Protocol, QueryRequest};
use housekey_core::config::Config;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tracing::debug;

use super::super::pool::PoolError;
use super::failure::NoSession;
use super::key::Way;
use super::session::{Session, Wire};
use super::tls::{self, TokenWays};
use crate::resolver::{AddressRule, addresses};

/// Bytes of memory that a packet of a server of a token's own may take: whoever chose it may have chosen it for that.
const TOKEN_PACKET_BYTES: usize = 32 << 20;
/// How long TCP and TLS may take together.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the server may take to greet, which includes its judgement of the login.
const GREETING: Duration = Duration::from_secs(10);
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Makes connections as configured.
pub(super) struct Dialler {
    /// Absent where the operator's server is reached without TLS, or over HTTP.
    tls: Option<Arc<ClientConfig>>,
    server_name: Option<String>,
    connect_host: Option<String>,
    token_ways: Arc<TokenWays>,
}

/// What a connection is made for.
pub(super) struct Target {
    endpoint: Endpoint,
    way: Way,
    credential: Credential,
    database: Option<String>,
}

impl Target {
    pub(super) fn of(request: &QueryRequest) -> Self {
        Self {
            endpoint: request.endpoint.clone(),
            way: Way::of(request),
            credential: request.credential.clone(),
            database: request.database.clone(),
        }
    }
}

impl Dialler {
    pub(super) fn new(config: &Config) -> Result<Self, PoolError> {
        let clickhouse = &config.clickhouse;
        // Who speaks HTTP shall not wait for the system's authorities to be read twice.
        let is_needed = clickhouse.tls.enabled && clickhouse.protocol == Protocol::Tcp;
        Ok(Self {
            tls: is_needed.then(|| tls::operator(&clickhouse.tls)).transpose()?,
            server_name: clickhouse.tls.server_name.clone(),
            connect_host: clickhouse.connect_host.clone(),
            token_ways: Arc::new(TokenWays::new(config.server.jwe.tls_directory.as_deref())),
        })
    }

    /// A connection that is ready for its first query.
    pub(super) async fn dial(&self, target: &Target) -> Result<Session, NoSession> {
        let session = self.greeted(target, Revision::NEWEST).await?;
        if let Some(Ending::Native(NativeError::Disputed(revision))) = session.ending() {
            debug!("ClickHouse speaks the disputed revision {revision}; an older one is offered to it");
            drop(session);
            return ready(self.greeted(target, Revision::UNDISPUTED).await?);
        }
        ready(session)
    }

    async fn greeted(&self, target: &Target, announce: Revision) -> Result<Session, NoSession> {
        let until = Instant::now() + CONNECT;
        let tcp = self.connect(target, until).await?;
        let (local, peer) = (tcp.local_addr(), tcp.peer_addr());
        let wire: Box<dyn Wire> = match timeout_at(until, self.tls(target)).await {
            Err(_) => return Err(NoSession::Late("TLS")),
            Ok(config) => match config? {
                None => Box::new(tcp),
                Some((config, name)) => {
                    let handshake = TlsConnector::from(config).connect(name, tcp);
                    match timeout_at(until, handshake).await {
                        Err(_) => return Err(NoSession::Late("TLS")),
                        Ok(stream) => Box::new(stream.map_err(NoSession::Handshake)?),
                    }
                }
            },
        };
        let mut client = Client::named("housekey", version());
        client.address = local.unwrap_or(client.address);
        let mut options = Options::new(login(&target.credential)?, client);
        options.database.clone_from(&target.database);
        options.compression = compression(peer.ok().map(|peer| peer.ip()));
        options.announce = announce;
        if let Way::Token { .. } = target.way {
            options.packet_bytes = TOKEN_PACKET_BYTES;
        }
        let connection = Connection::new(options).map_err(NoSession::Login)?;
        let mut session = Session::new(connection, wire);
        timeout(GREETING, session.greet()).await.map_err(|_| NoSession::Late("the server's greeting"))?;
        Ok(session)
    }

    async fn connect(&self, target: &Target, until: Instant) -> Result<TcpStream, NoSession> {
        let Endpoint { host, port, .. } = &target.endpoint;
        let (host, rule) = match &target.way {
            Way::Operator => (self.connect_host.as_ref().unwrap_or(host), None),
            Way::Token { reach, .. } => (host, AddressRule::of(*reach)),
        };
        let found = timeout_at(until, addresses(rule, host, *port)).await;
        let found = found.map_err(|_| NoSession::Late("the DNS"))??;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for (tried, address) in found.iter().enumerate() {
            // One that is silent leaves time for the others.
            let left = u32::try_from(found.len() - tried).unwrap_or(u32::MAX);
            let share = until.saturating_duration_since(Instant::now()) / left;
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    prepare(&tcp, *address);
                    return Ok(tcp);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(NoSession::Connect { host: host.clone(), error: last })
    }

    /// How TLS is spoken with a server, and the name that its certificate must have; `None` without TLS.
    async fn tls(
        &self,
        target: &Target,
    ) -> Result<Option<(Arc<ClientConfig>, ServerName<'static>)>, NoSession> {
        if !target.endpoint.scheme.is_tls() {
            return Ok(None);
        }
        let host = &target.endpoint.host;
        let (config, name) = match &target.way {
            Way::Operator => {
                (self.tls.clone().ok_or(NoSession::NoTls)?, self.server_name.as_ref().unwrap_or(host))
            }
            Way::Token { tls: None, .. } => return Err(NoSession::NoTls),
            Way::Token { tls: Some(tls), .. } => {
                let (ways, tls) = (Arc::clone(&self.token_ways), tls.clone());
                let reading = tokio::task::spawn_blocking(move || ways.config(&tls));
                // It fails only if reading panics, or at the very end of the process.
                (reading.await.map_err(|_| NoSession::NoTls)??, host)
            }
        };
        let name = ServerName::try_from(name.clone()).map_err(|_| NoSession::ServerName(name.clone()))?;
        Ok(Some((config, name)))
    }
}

fn ready(session: Session) -> Result<Session, NoSession> {
    match session.ending() {
        Some(ending) => Err(NoSession::Ended(ending.clone())),
        None if session.state() == State::Ready => {
            if let Some(server) = session.connection().server() {
                let [major, minor, patch] = server.version;
                let revision = server.revision;
                debug!("connected to ClickHouse {major}.{minor}.{patch} at revision {revision}");
            }
            Ok(session)
        }
        None => Err(NoSession::Late("the server's greeting")),
    }
}

fn login(credential: &Credential) -> Result<Login, NoSession> {
    match credential {
        Credential::Password { username, password } => {
            Ok(Login::Password { user: username.clone(), password: password.clone() })
        }
        Credential::Cluster { name, secret } => {
            Ok(Login::Interserver { cluster: name.clone(), secret: secret.clone(), salt: rand::random() })
        }
        Credential::Bearer(_) | Credential::Header { .. } => Err(NoSession::Bearer),
    }
}

/// Within one machine bytes are cheaper than the work of compressing them.
fn compression(peer: Option<IpAddr>) -> Compression {
    match peer.map(|address| address.to_canonical()) {
        Some(address) if address.is_loopback() => Compression::Off,
        Some(_) | None => Compression::Lz4,
    }
}

/// Neither is worth a failure.
fn prepare(tcp: &TcpStream, address: SocketAddr) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    if let Err(error) = tcp.set_nodelay(true).and(SockRef::from(tcp).set_tcp_keepalive(&keepalive)) {
        debug!("a connection to {address} has no keepalive, or waits to send: {error}");
    }
}

/// What ClickHouse writes into its logs of queries.
fn version() -> [u64; 3] {
    let mut parts = env!("CARGO_PKG_VERSION").split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_that_travel_are_compressed() {
        for (peer, wanted) in [
            (Some("127.0.0.1"), Compression::Off),
            (Some("::1"), Compression::Off),
            (Some("::ffff:127.0.0.1"), Compression::Off),
            (Some("10.0.0.7"), Compression::Lz4),
            (Some("fd00::7"), Compression::Lz4),
            (None, Compression::Lz4),
        ] {
            assert_eq!(compression(peer.map(|peer| peer.parse().unwrap())), wanted, "{peer:?}");
        }
    }

    #[test]
    fn the_version_is_that_of_the_package() {
        let [major, minor, patch] = version();
        assert!(env!("CARGO_PKG_VERSION").starts_with(&format!("{major}.{minor}.{patch}")));
    }
}
