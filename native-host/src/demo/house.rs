//! Housekey itself, with a configuration of the demo's making.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use housekey_core::config::Sources;
use housekey_core::jose::claims::Claims;
use housekey_core::jose::token::{TokenKeys, seal};
use housekey_core::time::UnixTime;
use reqwest::Url;
use tokio::task::JoinSet;

use super::options::Options;
use crate::host::now;
use crate::serve::http::{End, Server};
use crate::serve::shutdown::{Shutdown, Trigger, channel};
use crate::{serve, settings};

/// How long the tokens are valid that the demo hands out.
pub(super) const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// What running requests get at the end: nobody waits long for a demo.
const GRACE: Duration = Duration::from_secs(3);

/// The ClickHouse behind Housekey, and the login of its gateway user.
pub(super) struct Upstream {
    /// Scheme, host and port.
    pub(super) url: Url,
    /// The gateway user.
    pub(super) username: String,
    /// That user's password.
    pub(super) password: String,
}

/// A Housekey that serves. Dropped, it stops at once.
pub(super) struct House {
    address: SocketAddr,
    keys: TokenKeys,
    component: Option<String>,
    trigger: Trigger,
    running: JoinSet<End>,
}

impl House {
    /// Starts to serve on loopback, with secrets that exist in this process only.
    pub(super) fn open(door: Server, upstream: &Upstream, options: &Options) -> anyhow::Result<Self> {
        let sources = sources(upstream, options);
        let config = settings::load(&sources)?.config;
        let jwe = &config.server.jwe;
        let keys = TokenKeys::new(&jwe.jwe_secret_key, &jwe.jwt_secret_key)?;
        let address = door.local_addr();
        let (trigger, shutdown) = channel();
        let mut running = JoinSet::new();
        match &options.component {
            None => {
                let native = Arc::new(serve::native(config)?);
                running.spawn(async move { door.run(native, GRACE, &shutdown).await });
            }
            Some(path) => {
                let hosted = serve::hosted::Gated::new(serve::hosted::load(&config, path)?, &config);
                running.spawn(async move { door.run(Arc::new(hosted), GRACE, &shutdown).await });
            }
        }
        Ok(Self { address, keys, component: options.component.clone(), trigger, running })
    }

    /// The MCP endpoint.
    pub(super) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Which Housekey this is.
    pub(super) fn description(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        match &self.component {
            None => format!("{version}, native"),
            Some(path) => format!("{version}, in the component {path}"),
        }
    }

    /// A token for a person, signed and encrypted with the secrets of this run.
    pub(super) fn token(&self, person: &str) -> anyhow::Result<String> {
        let issued = UnixTime::from_seconds(now().seconds());
        let mut claims =
            Claims { iat: Some(issued), exp: Some(issued.after(TOKEN_LIFE)), ..Claims::default() };
        let identity = if person.contains('@') { &mut claims.email } else { &mut claims.sub };
        *identity = Some(person.to_owned());
        Ok(seal(&self.keys, &claims, &mut rand::rng())?)
    }

    /// Lets running requests end, unless told a second time.
    pub(super) async fn close(mut self, shutdown: &Shutdown) {
        self.trigger.drain();
        tokio::select! {
            _ = self.running.join_next() => {}
            () = shutdown.stopping() => self.trigger.stop(),
        }
    }
}

/// Takes the port on which Housekey will serve.
pub(super) async fn bind(port: u16) -> anyhow::Result<Server> {
    match Server::bind(&Ipv4Addr::LOCALHOST.to_string(), port).await {
        Ok(server) => Ok(server),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => anyhow::bail!(
            "port {port} of 127.0.0.1 is in use: choose another one with --port, or leave it out for a free one"
        ),
        Err(error) => Err(error).with_context(|| format!("cannot listen at 127.0.0.1 port {port}")),
    }
}

/// The settings, as an operator would give them in the environment; the reader's own environment plays no part.
fn sources(upstream: &Upstream, options: &Options) -> Sources {
    let url = &upstream.url;
    let tls = url.scheme() == "https";
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    // `Url` drops a port that is its scheme's own.
    let port = url.port_or_known_default().unwrap_or(8123);
    let secret = || format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    let environment = [
        ("CLICKHOUSE_HOST", host.to_owned()),
        ("CLICKHOUSE_PORT", port.to_string()),
        ("CLICKHOUSE_TLS", tls.to_string()),
        ("CLICKHOUSE_USERNAME", upstream.username.clone()),
        ("CLICKHOUSE_PASSWORD", upstream.password.clone()),
        ("CLICKHOUSE_IMPERSONATION", "execute_as".to_owned()),
        ("CLICKHOUSE_MAX_EXECUTION_TIME", "60".to_owned()),
        ("MCP_TRANSPORT", "http".to_owned()),
        ("MCP_ADDRESS", Ipv4Addr::LOCALHOST.to_string()),
        ("MCP_PORT", options.port.to_string()),
        ("MCP_ALLOW_JWE_AUTH", "true".to_owned()),
        ("MCP_JWE_SECRET_KEY", secret()),
        ("MCP_JWT_SECRET_KEY", secret()),
        ("LOG_LEVEL", "warn".to_owned()),
    ];
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Sources { document: None, environment, flags: Vec::new() }
}
