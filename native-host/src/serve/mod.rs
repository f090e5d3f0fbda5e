//! Where messages come in: HTTP or standard input, and how that ends.

mod answer;
pub(crate) mod hosted;
pub mod http;
mod lending;
#[cfg(test)]
mod lending_tests;
pub mod shutdown;
pub mod stdio;
mod stream;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use housekey_core::config::{Config, Host, Loaded, Transport};
use housekey_core::exchange::Service;
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use tracing::{info, warn};

pub(crate) use answer::judge;

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
    let service = Service::product(config, Host::Native)?;
    for warning in service.warnings() {
        warn!("{warning}");
    }
    Ok(Native::new(service)?)
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
