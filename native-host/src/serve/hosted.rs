//! A component as an [`App`]: `--component FILE`. What the portable build lacks is here, what the build for this host
//! is lent in [`super::lending`].

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use housekey_core::clickhouse::Protocol;
use housekey_core::config::{Config, Host, Impersonation};
use housekey_core::exchange::{GeneratorGate, Route};
use hyper::body::Incoming;
use tracing::info;

use super::answer::{Record, whole};
use super::lending::Lending;
use super::{App, Body, lending};
use crate::clickhouse::{Client, OutgoingClients};
use crate::component::{Hosted, Limits, LoadError, Means, Outbound, Outgoing, World, edge_environment};
use crate::host::now;
use crate::probe::Watch;

/// What a request may take beyond its query.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a request may take where queries have no limit of their own.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A component of either build.
pub(crate) enum InComponent {
    /// The portable one.
    Gated(Gated),
    /// The one that queries through this host.
    Lending(Lending),
}

impl InComponent {
    /// Loads the component, with what this configuration lets it see and reach.
    ///
    /// # Errors
    /// The file is no component of ours, or the configuration cannot serve through it.
    pub(crate) fn load(config: Config, path: &str) -> anyhow::Result<Self> {
        let hosted = load(path, config.clickhouse.max_execution_time)?;
        let (imports, world) = (hosted.imports(), hosted.world());
        info!(?imports, "requests are handled in the component {path}, {world}");
        Self::new(hosted, config)
    }

    /// The same with a component that was loaded before there was a configuration.
    ///
    /// # Errors
    /// The configuration cannot serve through it.
    pub(crate) fn new(hosted: Hosted, config: Config) -> anyhow::Result<Self> {
        Ok(match hosted.world() {
            World::Edge => Self::Gated(Gated::new(hosted, &config)?),
            World::Hosted => Self::Lending(Lending::new(hosted, lending(config)?)),
        })
    }

    /// Has the log tell what is missing for people to be acted for.
    pub(crate) fn begin_watch(&self) {
        match self {
            Self::Gated(gated) => gated.outgoing.watch().into_iter().for_each(Watch::begin),
            Self::Lending(lending) => lending.begin_watch(),
        }
    }
}

/// Loads a component whose queries may take so many seconds; 0 is any number.
///
/// # Errors
/// The file is no component of ours.
pub(crate) fn load(path: &str, max_execution_time: u64) -> Result<Hosted, LoadError> {
    let time = match max_execution_time {
        0 => LONGEST,
        seconds => Duration::from_secs(seconds).saturating_add(MARGIN),
    };
    Hosted::load(Path::new(path), Limits::new(time))
}

impl App for InComponent {
    async fn handle(&self, request: http::Request<Incoming>) -> http::Response<Body> {
        match self {
            Self::Gated(gated) => gated.handle(request).await,
            Self::Lending(lending) => lending.handle(request).await,
        }
    }

    async fn finished(&self) {
        match self {
            Self::Gated(gated) => gated.finished().await,
            Self::Lending(lending) => lending.finished().await,
        }
    }
}

/// The portable component and what it cannot do for itself: count, for each request is its first.
pub(crate) struct Gated {
    hosted: Hosted,
    gate: GeneratorGate,
    environment: Arc<[(String, String)]>,
    outgoing: Arc<Outgoing>,
}

impl Gated {
    /// Lets the component see and reach what this configuration says, and counts its requests.
    ///
    /// # Errors
    /// The configuration would have the guest lend a login to whom a token names, or names files that cannot be used.
    pub(super) fn new(hosted: Hosted, config: &Config) -> anyhow::Result<Self> {
        if config.clickhouse.protocol == Protocol::Tcp {
            bail!(
                "this component speaks HTTP to ClickHouse: take housekey_hosted.wasm, remove \
                 `clickhouse.protocol: tcp`, or serve without `--component`"
            );
        }
        let tls = &config.clickhouse.tls;
        if config.has_authentication() && (tls.client_cert.is_some() || tls.insecure_skip_verify) {
            // The guest alone knows whether the operator or a token named an address that both may name.
            bail!(
                "with tokens, `clickhouse.tls.client_cert` and `insecure_skip_verify` could serve a login that a \
                 token brings: remove them, take housekey_hosted.wasm, or serve without `--component`"
            );
        }
        let watch = match config.clickhouse.impersonation {
            Impersonation::None => None,
            Impersonation::ExecuteAs | Impersonation::Interserver => {
                Some(Watch::new(Client::new(config)?, Arc::new(config.clone())))
            }
        };
        let outgoing = Outgoing::new(OutgoingClients::new(tls)?, Outbound::of(config)?)?.watched_by(watch);
        Ok(Self {
            hosted,
            gate: GeneratorGate::new(config, Host::Native),
            environment: edge_environment(config).into(),
            outgoing: Arc::new(outgoing),
        })
    }
}

impl App for Gated {
    async fn handle(&self, request: http::Request<Incoming>) -> http::Response<Body> {
        let record = Record::new(request.method().clone(), Route::parse(request.uri().path(), true));
        let (head, body) = request.into_parts();
        if let Some(refusal) = self.gate.turn_away(now(), &head) {
            return record.close(whole(refusal));
        }
        let means = Means::portable(Arc::clone(&self.environment), Arc::clone(&self.outgoing));
        record.close(self.hosted.handle(http::Request::from_parts(head, body), means).await)
    }
}
