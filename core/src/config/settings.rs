//! The checked configuration, as the rest of core sees it.

use std::fmt;

use super::host_pattern::HostPattern;
use super::oauth::OAuth;
use super::tools::Tools;
use crate::clickhouse::Protocol;
use crate::secret::Secret;
use crate::sql::Clause;

/// Everything that an operator decided, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How ClickHouse is reached and asked.
    pub clickhouse: ClickHouse,
    /// How clients are served.
    pub server: Server,
    /// What is logged.
    pub logging: Logging,
    /// A digest of all settings: equal for equal ones, and otherwise different. It is no secret-keeper, so it stays
    /// inside the process.
    pub generation: u64,
}

impl Config {
    /// Whether callers have to prove who they are.
    pub const fn has_authentication(&self) -> bool {
        self.server.jwe.enabled || self.server.oauth.is_some()
    }
}

/// How ClickHouse is reached and asked.
#[derive(Clone, PartialEq)]
pub struct ClickHouse {
    /// A host name, an IPv4 address or an IPv6 address without brackets.
    pub host: String,
    /// The port of the interface that `protocol` speaks to.
    pub port: u16,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// The host to connect to instead of `host`; native protocol only.
    pub connect_host: Option<String>,
    /// TLS to ClickHouse.
    pub tls: Tls,
    /// The database of names without one; empty for the server's choice.
    pub database: String,
    /// The user that logs in.
    pub username: String,
    /// Whether the operator gave the user.
    pub username_given: bool,
    /// That user's password, which may be empty.
    pub password: Secret<String>,
    /// The cluster whose secret vouches for people; set if and only if `impersonation` is
    /// [`Impersonation::Interserver`].
    pub cluster: Option<Cluster>,
    /// Whether only tools that read are offered.
    pub read_only: bool,
    /// Whether statements that write may also take something away.
    pub allow_destructive: bool,
    /// What reaches outside the database and may be used all the same, as the operator wrote it.
    pub allowed_table_functions: Vec<String>,
    /// Seconds that ClickHouse may work on a query; 0 sets no limit.
    pub max_execution_time: u64,
    /// Rows that an answer may have; `None` for no cap.
    pub max_result_rows: Option<u64>,
    /// Bytes that the rows of an answer may have; `None` for no cap.
    pub max_result_bytes: Option<u64>,
    /// Bytes that a statement may have; `None` for no cap.
    pub max_query_length: Option<usize>,
    /// Headers for every request, in the order of their names.
    pub http_headers: Vec<(String, String)>,
    /// Settings for every query, in the order of their names.
    pub extra_settings: Vec<(String, String)>,
    /// How queries run as the person who asks.
    pub impersonation: Impersonation,
    /// Whether it is tried, beside the queries, if that works.
    pub impersonation_probe: bool,
    /// Users that nobody may become, beside `default` and [`ClickHouse::username`], as the operator wrote them.
    pub impersonation_deny: Vec<String>,
    /// Users that may be used although they are refused otherwise.
    pub impersonation_allow: Vec<String>,
}

impl fmt::Debug for ClickHouse {
    /// Headers and settings by their names only: some deployments put keys into them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn names(entries: &[(String, String)]) -> Vec<&str> {
            entries.iter().map(|(name, _)| name.as_str()).collect()
        }
        f.debug_struct("ClickHouse")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("protocol", &self.protocol)
            .field("connect_host", &self.connect_host)
            .field("tls", &self.tls)
            .field("database", &self.database)
            .field("username", &self.username)
            .field("username_given", &self.username_given)
            .field("password", &self.password)
            .field("cluster", &self.cluster)
            .field("read_only", &self.read_only)
            .field("allow_destructive", &self.allow_destructive)
            .field("allowed_table_functions", &self.allowed_table_functions)
            .field("max_execution_time", &self.max_execution_time)
            .field("max_result_rows", &self.max_result_rows)
            .field("max_result_bytes", &self.max_result_bytes)
            .field("max_query_length", &self.max_query_length)
            .field("http_headers", &names(&self.http_headers))
            .field("extra_settings", &names(&self.extra_settings))
            .field("impersonation", &self.impersonation)
            .field("impersonation_probe", &self.impersonation_probe)
            .field("impersonation_deny", &self.impersonation_deny)
            .field("impersonation_allow", &self.impersonation_allow)
            .finish()
    }
}

/// A cluster of ClickHouse that Housekey is a member of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its name in the server's `remote_servers`.
    pub name: String,
    /// Its interserver secret.
    pub secret: Secret<String>,
    /// Roles that a token may add, each a name or a prefix with `*`.
    pub roles: Vec<String>,
}

/// TLS to ClickHouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Whether it is used.
    pub enabled: bool,
    /// Path of the authorities that are trusted instead of the system's.
    pub ca_cert: Option<String>,
    /// Path of Housekey's certificate; set if and only if `client_key` is.
    pub client_cert: Option<String>,
    /// Path of its private key.
    pub client_key: Option<String>,
    /// Whether any certificate is accepted.
    pub insecure_skip_verify: bool,
    /// The name of the certificate, when it is not the host's; native protocol only.
    pub server_name: Option<String>,
}

/// How queries run as the person who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impersonation {
    /// They run as the user that logs in.
    None,
    /// Inside `EXECUTE AS`.
    ExecuteAs,
    /// Named under a cluster's secret.
    Interserver,
}

/// How clients are served.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// How clients talk to Housekey.
    pub transport: Transport,
    /// The address to listen at: the operator's, or 127.0.0.1 without authentication.
    pub address: String,
    /// Whether the operator gave the address.
    pub address_given: bool,
    /// The port to listen at; 0 takes any free one.
    pub port: u16,
    /// Values of `Host` that are served, in lower case, each with or without a port; empty for no list.
    pub allowed_hosts: Vec<String>,
    /// Origins of browser pages that are served.
    pub cors_origin: CorsOrigin,
    /// The URL at which clients reach Housekey, as the operator wrote it: http or https, without query or fragment.
    pub public_resource_url: Option<String>,
    /// ClickHouse settings that a statement may set.
    pub tool_input_settings: Vec<String>,
    /// Clauses that no statement of a caller may have.
    pub blocked_query_clauses: Vec<Clause>,
    /// Seconds that a query of a tool may take, by the tool's name, in the order of the names.
    pub tool_timeouts: Vec<(String, u64)>,
    /// Which tools there are.
    pub tools: Tools,
    /// What seals the state that clients carry: the first seals, all open. Empty where it is derived from another secret.
    pub sealing_secret: Vec<Secret<String>>,
    /// JWE tokens.
    pub jwe: Jwe,
    /// OAuth; `None` where callers are not asked for its tokens.
    pub oauth: Option<OAuth>,
    /// The token of the one caller of stdio.
    pub token: Option<Secret<String>>,
    /// Path of a component in which requests are handled; native host only.
    pub component: Option<String>,
    /// The REST interface.
    pub openapi: OpenApi,
    /// Bytes that the body of a request may have.
    pub max_body_bytes: usize,
    /// Seconds that running requests get to end at a stop.
    pub shutdown_grace: u64,
}

/// How clients talk to Housekey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One client on standard input and output.
    Stdio,
    /// Streamable HTTP, and HTTP+SSE beside it.
    Http,
}

/// Origins of browser pages that are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigin {
    /// Loopback origins, and that of [`Server::public_resource_url`]; written `*`.
    Loopback,
    /// These, each `scheme://host` or `scheme://host:port` in lower case, without the scheme's own port.
    List(Vec<String>),
}

/// The REST interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenApi {
    /// Whether it is there.
    pub enabled: bool,
    /// Whether its schema says that it is reached by https.
    pub tls: bool,
}

/// JWE tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwe {
    /// Whether callers must bring one.
    pub enabled: bool,
    /// Secrets of the encryption: the first makes, all open. Not empty when `enabled`.
    pub jwe_secret_key: Vec<Secret<String>>,
    /// Secrets of the signature: the first makes, all verify. Empty for claims that are not signed.
    pub jwt_secret_key: Vec<Secret<String>>,
    /// Seconds by which clocks may differ.
    pub leeway: u64,
    /// Whether a token without `exp` is accepted.
    pub allow_non_expiring: bool,
    /// The longest life of a token in seconds, from its `iat` or else from when it comes; 0 for no limit.
    pub max_lifetime: u64,
    /// ClickHouse servers that a token may name; empty for no list.
    pub allowed_hosts: Vec<HostPattern>,
    /// The folder below which files that tokens name must lie; native host only.
    pub tls_directory: Option<String>,
    /// The endpoint that makes tokens.
    pub generator: Generator,
}

/// The endpoint that makes tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generator {
    /// Whether it is there.
    pub enabled: bool,
    /// The bearer token that lets its holder have any token made.
    pub token: Option<Secret<String>>,
    /// Requests that are answered in a minute; `None` for no limit.
    pub per_minute: Option<u32>,
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logging {
    /// The least urgent messages that are logged.
    pub level: Level,
}

/// How urgent a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For who looks for a mistake.
    Debug,
    /// For the record.
    Info,
    /// For who looks after the server, tomorrow.
    Warn,
    /// For who looks after the server, now.
    Error,
}
