//! The component as an [`App`]: `--component FILE`.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use housekey_core::config::{Config, Host};
use housekey_core::exchange::{GeneratorGate, Route};
use hyper::body::Incoming;

use super::answer::{Record, whole};
use super::{App, Body};
use crate::clickhouse::OutgoingClients;
use crate::component::{Hosted, Limits, Outbound, edge_environment};
use crate::host::now;

/// What a request may take beyond its query.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a request may take where queries have no limit of their own.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A component and what it cannot do for itself: count, for each request is its first.
pub(crate) struct Gated {
    hosted: Hosted,
    gate: GeneratorGate,
}

impl Gated {
    /// Counts requests for the component as its configuration wants it.
    pub(crate) fn new(hosted: Hosted, config: &Config) -> Self {
        Self { hosted, gate: GeneratorGate::new(config, Host::Native) }
    }
}

impl App for Gated {
    async fn handle(&self, request: http::Request<Incoming>) -> http::Response<Body> {
        let record = Record::new(request.method().clone(), Route::parse(request.uri().path(), true));
        let (head, body) = request.into_parts();
        if let Some(refusal) = self.gate.turn_away(now(), &head) {
            return record.close(whole(refusal));
        }
        record.close(self.hosted.handle(http::Request::from_parts(head, body)).await)
    }
}

/// Loads the component, with what this configuration lets it see and reach.
pub(crate) fn load(config: &Config, path: &str) -> anyhow::Result<Hosted> {
    let tls = &config.clickhouse.tls;
    if config.has_authentication() && (tls.client_cert.is_some() || tls.insecure_skip_verify) {
        // The guest alone knows whether the operator or a token named an address that both may name.
        bail!(
            "with tokens, `clickhouse.tls.client_cert` and `insecure_skip_verify` could serve a login that a token \
             brings: remove them, or serve without `--component`"
        );
    }
    let time = match config.clickhouse.max_execution_time {
        0 => LONGEST,
        seconds => Duration::from_secs(seconds).saturating_add(MARGIN),
    };
    let limits = Limits::new(time, Outbound::of(config)?);
    Ok(Hosted::load(Path::new(path), edge_environment(config), limits, OutgoingClients::new(tls)?)?)
}
