//! The component as an [`App`]: `--component FILE`.

use std::path::Path;
use std::time::Duration;

use housekey_core::config::Config;
use hyper::body::Incoming;

use super::{App, Body};
use crate::clickhouse::outgoing_clients;
use crate::component::{Hosted, Limits, Outbound, edge_environment};

/// What a request may take beyond its query.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a request may take where queries have no limit of their own.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl App for Hosted {
    async fn handle(&self, request: http::Request<Incoming>) -> http::Response<Body> {
        Self::handle(self, request).await
    }
}

/// Loads the component, with what this configuration lets it see and reach.
pub(crate) fn load(config: &Config, path: &str) -> anyhow::Result<Hosted> {
    let time = match config.clickhouse.max_execution_time {
        0 => LONGEST,
        seconds => Duration::from_secs(seconds).saturating_add(MARGIN),
    };
    let (own, others) = outgoing_clients(&config.clickhouse.tls)?;
    let limits = Limits::new(time, Outbound::of(config));
    Ok(Hosted::load(Path::new(path), edge_environment(config), limits, own, others)?)
}
