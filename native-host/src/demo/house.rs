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
use tokio::task::JoinSet;

use super::upstream::Upstream;
use crate::component::{Hosted, World};
use crate::host::now;
use crate::serve::hosted::InComponent;
use crate::serve::http::{End, Server};
use crate::serve::shutdown::{Shutdown, Trigger, channel};
use crate::{serve, settings};

/// How long the tokens are valid that the demo hands out.
pub(super) const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// What running requests get at the end: nobody waits long for a demo.
const GRACE: Duration = Duration::from_secs(3);

/// How long a query may take.
const QUERY_SECONDS: u64 = 60;

/// A WebAssembly component that Housekey serves through.
pub(super) struct Component {
    path: String,
    hosted: Hosted,
}

impl Component {
    /// Loads it.
    pub(super) fn load(path: &str) -> anyhow::Result<Self> {
        Ok(Self { path: path.to_owned(), hosted: serve::hosted::load(path, QUERY_SECONDS)? })
    }

    /// Which build it is.
    pub(super) fn world(&self) -> World {
        self.hosted.world()
    }
}

/// A Housekey that serves. Dropped, it stops at once.
pub(super) struct House {
    address: SocketAddr,
    keys: TokenKeys,
    description: String,
    trigger: Trigger,
    running: JoinSet<End>,
}

impl House {
    /// Starts to serve on loopback, with secrets that exist in this process only.
    pub(super) fn open(
        door: Server,
        upstream: &Upstream,
        component: Option<Component>,
    ) -> anyhow::Result<Self> {
        let sources = sources(upstream);
        let config = settings::load(&sources)?.config;
        let jwe = &config.server.jwe;
        let keys = TokenKeys::new(&jwe.jwe_secret_key, &jwe.jwt_secret_key)?;
        let address = door.local_addr();
        let (trigger, shutdown) = channel();
        let mut running = JoinSet::new();
        let version = env!("CARGO_PKG_VERSION");
        let description = match component {
            None => {
                let native = Arc::new(serve::native(config)?);
                running.spawn(async move { door.run(native, GRACE, &shutdown).await });
                format!("{version}, native")
            }
            Some(Component { path, hosted }) => {
                let component = Arc::new(InComponent::new(hosted, config)?);
                running.spawn(async move { door.run(component, GRACE, &shutdown).await });
                format!("{version}, in the component {path}")
            }
        };
        Ok(Self { address, keys, description, trigger, running })
    }

    /// The MCP endpoint.
    pub(super) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Which Housekey this is.
    pub(super) fn description(&self) -> &str {
        &self.description
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
fn sources(upstream: &Upstream) -> Sources {
    let secret = || format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    let environment = [
        ("CLICKHOUSE_MAX_EXECUTION_TIME", QUERY_SECONDS.to_string()),
        ("MCP_TRANSPORT", "http".to_owned()),
        ("MCP_ADDRESS", Ipv4Addr::LOCALHOST.to_string()),
        ("MCP_ALLOW_JWE_AUTH", "true".to_owned()),
        ("MCP_JWE_SECRET_KEY", secret()),
        ("MCP_JWT_SECRET_KEY", secret()),
        ("LOG_LEVEL", "warn".to_owned()),
    ];
    let environment = environment.into_iter().chain(upstream.settings());
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).collect();
    Sources { document: None, environment, flags: Vec::new() }
}
