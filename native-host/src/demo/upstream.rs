//! How Housekey reaches ClickHouse in the demo, and by that how it is somebody there.

use std::net::SocketAddr;

use reqwest::Url;

/// A way to run a query as a person who has not logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A member of the cluster names the person with each query.
    Interserver,
    /// A user who may act as the person says so in each statement.
    ExecuteAs,
}

/// The ClickHouse behind Housekey, and what Housekey is there.
pub(super) enum Upstream {
    /// A member of a cluster.
    Member(Member),
    /// A user who may act as others.
    Gateway(Gateway),
}

/// A place in a cluster, over the native protocol.
pub(super) struct Member {
    /// Where ClickHouse listens for the native protocol.
    pub(super) address: SocketAddr,
    /// The cluster.
    pub(super) cluster: String,
    /// What every member of the cluster knows.
    pub(super) secret: String,
}

/// A login, over HTTP.
#[derive(Clone)]
pub(super) struct Gateway {
    /// Scheme, host and port.
    pub(super) url: Url,
    /// The gateway user.
    pub(super) username: String,
    /// That user's password.
    pub(super) password: String,
}

impl Upstream {
    /// The settings for it, as an operator would give them in the environment.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            // What runs as whom follows from the secret.
            Self::Member(member) => vec![
                ("CLICKHOUSE_HOST", member.address.ip().to_string()),
                ("CLICKHOUSE_PORT", member.address.port().to_string()),
                ("CLICKHOUSE_PROTOCOL", "tcp".to_owned()),
                ("CLICKHOUSE_CLUSTER_NAME", member.cluster.clone()),
                ("CLICKHOUSE_CLUSTER_SECRET", member.secret.clone()),
            ],
            Self::Gateway(gateway) => gateway.settings(),
        }
    }
}

impl Gateway {
    fn settings(&self) -> Vec<(&'static str, String)> {
        let tls = self.url.scheme() == "https";
        let host = self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        // `Url` drops a port that is its scheme's own.
        let port = self.url.port_or_known_default().unwrap_or(8123);
        vec![
            ("CLICKHOUSE_HOST", host.to_owned()),
            ("CLICKHOUSE_PORT", port.to_string()),
            ("CLICKHOUSE_TLS", tls.to_string()),
            ("CLICKHOUSE_USERNAME", self.username.clone()),
            ("CLICKHOUSE_PASSWORD", self.password.clone()),
            ("CLICKHOUSE_IMPERSONATION", "execute_as".to_owned()),
        ]
    }
}
