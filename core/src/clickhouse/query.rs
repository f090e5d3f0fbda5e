//! A query as a value, and its answer as events. Neither names a transport.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::data::Data;
use super::exception::Exception;
use super::lines::Lines;
use super::parameter::Parameter;
use crate::secret::Secret;
use crate::sql::{ImpersonatedUser, Inner, ReadOnlySql, WritableSql};
use crate::trace::TraceContext;

/// How the bytes travel to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// The native protocol over plain TCP.
    Tcp,
    /// The native protocol over TLS.
    Tcps,
}

impl Scheme {
    /// The scheme of a protocol.
    pub fn of(protocol: Protocol, tls: bool) -> Self {
        match (protocol, tls) {
            (Protocol::Http, false) => Self::Http,
            (Protocol::Http, true) => Self::Https,
            (Protocol::Tcp, false) => Self::Tcp,
            (Protocol::Tcp, true) => Self::Tcps,
        }
    }

    /// How the server is spoken to.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Http | Self::Https => Protocol::Http,
            Self::Tcp | Self::Tcps => Protocol::Tcp,
        }
    }

    /// Whether what is spoken goes over TLS.
    pub fn is_tls(self) -> bool {
        match self {
            Self::Http | Self::Tcp => false,
            Self::Https | Self::Tcps => true,
        }
    }
}

/// How ClickHouse is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Its HTTP interface.
    Http,
    /// Its native protocol.
    Tcp,
}

/// Where a ClickHouse server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// How the bytes travel.
    pub scheme: Scheme,
    /// A host name, an IPv4 address or an IPv6 address without brackets.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Tcp => "tcp",
            Scheme::Tcps => "tcps",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// Who chose an endpoint, and so what its connection is lent and where it may lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChosenBy {
    /// The operator: the connection gets what the configuration says of TLS.
    Operator,
    /// A caller's token: nothing of the operator's is lent to it.
    Token(Arc<TokenServer>),
}

impl ChosenBy {
    /// Whether the operator's own login, headers, settings and certificates may be used.
    pub fn is_operator(&self) -> bool {
        matches!(self, Self::Operator)
    }
}

/// What a token may say of its own server beside the endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenServer {
    /// At which addresses it may be, as far as the host can tell.
    pub reach: Reach,
    /// How TLS is spoken with it.
    pub tls: TokenTls,
}

/// At which addresses a server may be. A host that resolves names holds every address to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// At any: the operator has named this very server.
    Any,
    /// At those for which [`crate::address::needs_naming`] does not hold.
    Unnamed,
    /// At those of the public internet ([`crate::address::is_global`]).
    #[default]
    Public,
}

/// How TLS is spoken with a server of a token's own. Paths are relative to `server.jwe.tls_directory` and have no
/// `..`; whether a link leads out of it, the host has to check.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenTls {
    /// PEM file of the authorities that are trusted instead of the system's.
    pub ca_cert: Option<String>,
    /// PEM files of the certificate that is presented, and of its key.
    pub client: Option<ClientFiles>,
    /// Whether any certificate is accepted.
    pub insecure_skip_verify: bool,
}

/// A client certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientFiles {
    /// PEM file of the certificate.
    pub cert: String,
    /// PEM file of its private key.
    pub key: String,
}

/// What proves to ClickHouse who connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A user name and a password, sent in `X-ClickHouse-User` and `X-ClickHouse-Key`.
    Password {
        /// The ClickHouse user.
        username: String,
        /// The password, which may be empty.
        password: Secret<String>,
    },
    /// A bearer token that ClickHouse itself verifies.
    Bearer(Secret<String>),
    /// A token that ClickHouse, or what stands before it, takes from a header of its own. HTTP only.
    Header {
        /// The header.
        name: String,
        /// The token.
        value: Secret<String>,
    },
    /// The secret that the members of a cluster share. With it a member vouches for the user of each query, so it
    /// goes with [`RunAs::Interserver`] only. Native protocol only.
    Cluster {
        /// The cluster, as the server's configuration calls it.
        name: String,
        /// Its secret, which is never sent.
        secret: Secret<String>,
    },
}

impl Credential {
    /// Hands out the parts by which one credential differs from another, for a digest: its kind first.
    pub fn parts(&self) -> [&[u8]; 3] {
        match self {
            Self::Password { username, password } => {
                [b"password", username.as_bytes(), password.expose().as_bytes()]
            }
            Self::Bearer(token) => [b"bearer", token.expose().as_bytes(), b""],
            Self::Header { name, value } => [b"header", name.as_bytes(), value.expose().as_bytes()],
            Self::Cluster { name, secret } => [b"cluster", name.as_bytes(), secret.expose().as_bytes()],
        }
    }
}

/// Whose rights the statement runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunAs {
    /// The user that the credential logs in.
    Login,
    /// Another user, through `EXECUTE AS`: the login needs `IMPERSONATE` on them.
    ExecuteAs(ImpersonatedUser),
    /// Another user, for whom the cluster's secret vouches: the statement is sent as it is.
    Interserver(ImpersonatedUser),
}

impl RunAs {
    /// Whether the statement is put into another one, so that settings of the request would not be its own.
    pub fn is_wrapped(&self) -> bool {
        matches!(self, Self::ExecuteAs(_))
    }
}

/// The statement, in a type that says which check it has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Reads only; the server is asked to hold it to that, too.
    ReadOnly(ReadOnlySql),
    /// May change data.
    Writable(WritableSql),
}

impl Statement {
    /// Whether it can change nothing, so that it may be sent again.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::ReadOnly(_) => true,
            Self::Writable(_) => false,
        }
    }
}

/// One ClickHouse setting for this query only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The setting's name, as `system.settings` lists it.
    pub name: Cow<'static, str>,
    /// Its value, unquoted.
    pub value: String,
}

impl Setting {
    /// A setting by name and value.
    pub fn new(name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// What the decoder of the answer may hold in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Bytes that one row may take on the wire; a longer one ends in [`QueryEvent::RowTooLong`].
    pub row_bytes: usize,
}

/// A query, whole: who asks, where, as whom, what, and within which bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryRequest {
    /// The server.
    pub endpoint: Endpoint,
    /// Who chose the endpoint.
    pub chosen_by: ChosenBy,
    /// What logs in.
    pub credential: Credential,
    /// As whom the statement runs.
    pub run_as: RunAs,
    /// Roles that the person gets beside their own; with [`RunAs::Interserver`] only, where the server asks nobody
    /// whether they were granted.
    pub roles: Vec<String>,
    /// The default database; the server's own choice when absent.
    pub database: Option<String>,
    /// The checked statement.
    pub statement: Statement,
    /// What `{name:Type}` in the statement stands for, each name once.
    pub parameters: Vec<Parameter>,
    /// What travels beside the statement, over the native protocol alone.
    pub data: Option<Arc<Data>>,
    /// What `EXECUTE AS` sets inside the statement; without effect for [`RunAs::Login`].
    pub inner: Inner,
    /// Settings, in the order in which they are sent.
    pub settings: Vec<Setting>,
    /// HTTP headers that the operator wants ClickHouse to receive.
    pub headers: Vec<(String, String)>,
    /// Where the query stands in its client's trace, which the server goes on with.
    pub trace: Option<TraceContext>,
    /// The `query_id`, unique for each query.
    pub query_id: String,
    /// Seconds after which a host gives up waiting: the server's own limit plus a margin.
    pub deadline_seconds: u64,
    /// Whether somebody wants to hear how far the server has come, and the server can tell. Over the native protocol
    /// it tells in any case.
    pub progress: bool,
    /// Settings that the operator wants and that are left out because the server is known to refuse them: for a host
    /// to tell the operator.
    pub refused: Vec<String>,
    /// What the decoder may hold.
    pub limits: ReadLimits,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name, as ClickHouse gives it.
    pub name: String,
    /// The type, as ClickHouse writes it: `Nullable(Int64)`.
    pub type_name: String,
}

/// What a decoder reports as an answer arrives. Both the HTTP and the native decoder emit these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryEvent {
    /// The columns; once, before any row.
    Header(Vec<Column>),
    /// Rows that follow those before; never none.
    Rows(Lines),
    /// How far the server has come.
    Progress {
        /// Rows read so far.
        read_rows: u64,
        /// Bytes read so far.
        read_bytes: u64,
        /// Rows that will be read in all, when the server can tell.
        total_rows: Option<u64>,
    },
    /// A row exceeded [`ReadLimits::row_bytes`]; nothing follows.
    RowTooLong,
    /// The server refused or broke off; nothing follows.
    Exception(Exception),
    /// The answer was not what was asked for or broke off without a word; the text says how. Nothing follows.
    Broken(String),
    /// All rows have come; nothing follows.
    End,
}

/// What a text ends with that says that a column holds states of an aggregate function, of which only the server knows
/// where each ends.
pub(super) const STATES: &str = "wrap it in finalizeAggregation()";

/// What a text begins with that says that nobody waits any longer.
pub(super) const LATE: &str = "ClickHouse did not answer within ";

impl QueryEvent {
    /// The end of an answer that has not come within [`QueryRequest::deadline_seconds`].
    pub fn late(seconds: u64) -> Self {
        Self::Broken(format!("{LATE}{seconds} seconds"))
    }
}
