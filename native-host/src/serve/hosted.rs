//! The component as an [`App`]: `--component FILE`.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use housekey_core::config::Config;
use housekey_core::identity::static_caller;
use hyper::body::Incoming;

use super::{App, Body};
use crate::clickhouse::outgoing_client;
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
    let tls = &config.clickhouse.tls;
    let outbound = if config.has_authentication() {
        // All connections of a component share one client, and a token may name a server of its own.
        if tls.client_cert.is_some() || tls.insecure_skip_verify {
            bail!(
                "with tokens, `clickhouse.tls.client_cert` and `insecure_skip_verify` would serve the servers that \
                 tokens name, too: remove them, or serve without `--component`"
            );
        }
        Outbound::Any
    } else {
        Outbound::Only(vec![static_caller(config).access.endpoint.to_string().to_ascii_lowercase()])
    };
    let time = match config.clickhouse.max_execution_time {
        0 => LONGEST,
        seconds => Duration::from_secs(seconds).saturating_add(MARGIN),
    };
    let client = outgoing_client(tls, config.has_authentication())?;
    Ok(Hosted::load(Path::new(path), edge_environment(config), Limits::new(time, outbound), client)?)
}
