//! The component as an [`App`]: `--component FILE`.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use housekey_core::config::Config;
use housekey_core::exchange::Route;
use hyper::body::Incoming;

use super::answer::Record;
use super::{App, Body};
use crate::clickhouse::outgoing_clients;
use crate::component::{Hosted, Limits, Outbound, edge_environment};

/// What a request may take beyond its query.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a request may take where queries have no limit of their own.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl App for Hosted {
    async fn handle(&self, request: http::Request<Incoming>) -> http::Response<Body> {
        let record = Record::new(request.method().clone(), Route::parse(request.uri().path(), true));
        record.close(Self::handle(self, request).await)
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
    let (own, others) = outgoing_clients(tls)?;
    let limits = Limits::new(time, Outbound::of(config));
    Ok(Hosted::load(Path::new(path), edge_environment(config), limits, own, others)?)
}
