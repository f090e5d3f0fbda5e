//! Where messages come in: HTTP or standard input, and how that ends.

mod answer;
mod events;
pub(crate) mod hosted;
pub mod http;
mod in_session;
mod lending;
#[cfg(test)]
mod lending_tests;
mod lines;
mod news;
mod places;
mod replay;
mod sessions;
pub mod shutdown;
mod sse;
pub mod stdio;
mod stream;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use housekey_core::config::{Config, Host, Loaded, Transport};
use housekey_core::exchange::{Offer, Service};
use housekey_core::secret::Secret;
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use tracing::{info, warn};

pub(crate) use answer::judge;
pub(crate) use places::Places;
pub use replay::Replay;
pub(crate) use sessions::Sessions;

use crate::host::Native;
use crate::logging;
use hosted::InComponent;
use http::{End, Server};
use shutdown::Shutdown;

/// The body of an answer: whole, or a stream of events.
pub type Body = BoxBody<Bytes, std::io::Error>;

/// What answers requests over HTTP: the native driver, or a component in its sandbox.
pub trait App: Send + Sync + 'static {
    /// Answers a request. Dropped, it stops the request's work.
    fn handle(
        &self,
        request: ::http::Request<Incoming>,
    ) -> impl Future<Output = ::http::Response<Body>> + Send;

    /// Ends what would stay open by itself: nothing new is taken from now on.
    fn drain(&self) {}

    /// Waits for work that outlives its request.
    fn finished(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Serves as configured, until told to stop or until the input ends.
///
/// # Errors
/// What keeps the server from starting.
pub async fn serve(loaded: Loaded) -> anyhow::Result<ExitCode> {
    let Loaded { config, warnings } = loaded;
    logging::start(config.logging.level);
    for warning in &warnings {
        warn!("{warning}");
    }
    let shutdown = Shutdown::on_signals().context("signals cannot be followed")?;
    match config.server.transport {
        Transport::Http => {
            if over_http(config, shutdown).await? == End::BrokenOff {
                return Ok(ExitCode::FAILURE);
            }
        }
        Transport::Stdio => {
            let native = native(config)?;
            native.watch().begin();
            stdio::run(&native, tokio::io::stdin(), tokio::io::stdout(), &shutdown).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The native driver of Housekey's own tools.
///
/// # Errors
/// The configuration cannot serve.
pub fn native(config: Config) -> anyhow::Result<Native> {
    driven(Service::product(with_sealing_secret(config), Host::Native)?)
}

/// The native driver of another offer.
///
/// # Errors
/// The configuration cannot serve.
pub fn native_of(config: Config, offer: Offer) -> anyhow::Result<Native> {
    driven(Service::new(with_sealing_secret(config), offer, Host::Native)?)
}

/// The native driver beside a component that answers: it judges requests, and nothing outlives one.
pub(crate) fn lending(config: Config) -> anyhow::Result<Native> {
    driven(Service::lending(config)?)
}

fn driven(service: Arc<Service>) -> anyhow::Result<Native> {
    for warning in service.warnings() {
        warn!("{warning}");
    }
    Ok(Native::new(service)?)
}

/// A secret for the state that clients carry, where the operator gave none that it could be derived from.
fn with_sealing_secret(mut config: Config) -> Config {
    let server = &mut config.server;
    let facade = server.oauth.as_ref().and_then(|oauth| oauth.facade.as_ref());
    if server.sealing_secret.is_empty() && facade.is_none() && server.jwe.jwe_secret_key.is_empty() {
        let secret: [u8; 32] = rand::random();
        let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        server.sealing_secret = vec![Secret::from(secret)];
        if server.oauth.is_some() {
            warn!(
                "There is no `server.sealing_secret`: questions to a person that are open when this process ends cannot be \
                 answered, nor can another replica take the answers."
            );
        }
    }
    config
}

async fn over_http(config: Config, shutdown: Shutdown) -> anyhow::Result<End> {
    let end = match config.server.component.clone() {
        None => {
            let (place, grace) = place(&config);
            let (native, server) = (native(config)?, bind(place).await?);
            native.watch().begin();
            server.run(Arc::new(native), grace, &shutdown).await
        }
        Some(path) => {
            let (place, grace) = place(&config);
            let (component, server) = (InComponent::load(config, &path)?, bind(place).await?);
            component.begin_watch();
            server.run(Arc::new(component), grace, &shutdown).await
        }
    };
    info!("stopped");
    Ok(end)
}

fn place(config: &Config) -> ((String, u16), Duration) {
    let server = &config.server;
    ((server.address.clone(), server.port), Duration::from_secs(server.shutdown_grace))
}

async fn bind((address, port): (String, u16)) -> anyhow::Result<Server> {
    let server = Server::bind(&address, port).await;
    let server = server.with_context(|| format!("cannot listen at {address} port {port}"))?;
    info!(version = env!("CARGO_PKG_VERSION"), "listening on http://{}", server.local_addr());
    Ok(server)
}
