//! A query as packets.

use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

use super::client_info::ClientInfo;
use super::compress::Compression;
use super::data::DataError;
use super::hello::{SESSION_TIME_ZONE, ServerHello};
use super::interserver::Signed;
use super::login::{Login, Options};
use super::revision::{Feature, Revision};
use super::settings;
use super::wire::Writer;
use crate::clickhouse::data::Data;
use crate::clickhouse::parameter::Parameter;
use crate::clickhouse::query::{Credential, QueryRequest, ReadLimits, RunAs, Setting, Statement};
use crate::sql::{ImpersonatedUser, execute_as, execute_as_writable, quote_literal};
use crate::trace::TraceContext;

/// Numbers of packets that a client sends.
const QUERY: u64 = 1;

/// The query runs to its end on this server, and the answer has the names that the text asks for.
const STAGE_COMPLETE: u64 = 2;

/// The value of a parameter is a literal.
const PARAMETER: u64 = 2;

/// Why a query cannot be put on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A bearer token, for which this protocol has no proven form.
    #[error("a bearer token cannot be sent over the native protocol; use HTTP")]
    Bearer,
    /// The cluster vouches for somebody else, and the request names nobody; the server would apply no rights at all.
    #[error("a query that the cluster's secret vouches for must name the user that it runs as")]
    NobodyToRunAs,
    /// The request names somebody to vouch for, and the login is not that of a cluster.
    #[error("without the cluster's secret nobody can be vouched for")]
    NoCluster,
    /// A statement with rows after it, or about access, was to run under `EXECUTE AS`.
    #[error("a statement that carries rows or is about access cannot run under EXECUTE AS")]
    WritableImpersonation,
    /// A setting without a name.
    #[error("a setting has no name")]
    SettingName,
    /// A server from before revision 54429 would have to know the type of this setting, and it is not known here.
    #[error("the setting {name:?} cannot be sent to a server this old, and the query is not sent without it")]
    SettingUnknownToOldServer {
        /// The setting's name.
        name: String,
    },
    /// A server from before revision 54429 takes a number here.
    #[error("the setting {name:?} must be a whole number for a server this old")]
    SettingValue {
        /// The setting's name.
        name: String,
    },
    /// What travels beside the statement.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The server is from before parameters.
    #[error("a server this old takes no query parameters")]
    Parameters,
    /// The server is from before roles that are granted elsewhere.
    #[error("the server is too old to be told roles, and the query is not sent without them")]
    Roles,
}

/// One query on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The text, as the server gets it.
    pub(super) text: String,
    /// The `query_id`, unique for each query.
    pub(super) id: String,
    /// Whom the cluster vouches for; only and always in an interserver login.
    pub(super) user: Option<ImpersonatedUser>,
    /// Settings for this query only.
    pub(super) settings: Vec<Setting>,
    /// What `{name:Type}` in the text stands for.
    pub(super) parameters: Vec<Parameter>,
    /// Roles that the user gets beside their own. A server asks nobody whether they were granted.
    pub external_roles: Vec<String>,
    /// Roles that the user gets instead of their own; the same holds.
    pub current_roles: Option<Vec<String>>,
    /// Where the query stands in a trace; left out where the server is too old.
    pub trace: Option<TraceContext>,
    /// By what a keyed quota counts; may be empty.
    pub quota_key: String,
    /// On whose behalf, for the server's log; left out where the server is too old; may be empty.
    pub agent: String,
    /// When it began, in microseconds since 1970; the server's log shows it.
    pub started: i64,
    /// Whether it must have a result. If there is none, then it was not the statement that was meant.
    pub(super) has_result: bool,
    /// Whether the server may wait for data that the statement leaves out.
    pub(super) takes_data: bool,
    /// What travels beside the text.
    pub(super) data: Option<Arc<Data>>,
    /// What the decoder may hold.
    pub(super) limits: ReadLimits,
}

impl Query {
    /// The query of a request. Headers stay behind, since there is nowhere to put them.
    ///
    /// # Errors
    ///
    /// When the native protocol cannot carry the login, or the login and the user do not belong together.
    pub fn new(request: &QueryRequest) -> Result<Self, EncodeError> {
        let sql = match &request.statement {
            Statement::ReadOnly(sql) => sql.text(),
            Statement::Writable(sql) => sql.text(),
        };
        let has_tables = request.data.as_ref().is_some_and(|data| !data.tables.is_empty());
        if request.run_as.is_wrapped() && has_tables {
            return Err(DataError::TablesOutside.into());
        }
        let (text, user) = match (&request.credential, &request.run_as, &request.statement) {
            (Credential::Bearer(_) | Credential::Header { .. }, _, _) => return Err(EncodeError::Bearer),
            (Credential::Password { .. }, RunAs::Login, _) => (sql.to_owned(), None),
            (Credential::Password { .. }, RunAs::ExecuteAs(user), Statement::ReadOnly(sql)) => {
                (execute_as(sql, user, request.inner), None)
            }
            // Sent as it is, it would run with the rights of the login.
            (Credential::Password { .. }, RunAs::ExecuteAs(user), Statement::Writable(sql)) => {
                match sql.wrappable() {
                    Some(sql) => (execute_as_writable(sql, user), None),
                    None => return Err(EncodeError::WritableImpersonation),
                }
            }
            (Credential::Password { .. }, RunAs::Interserver(_), _) => return Err(EncodeError::NoCluster),
            (Credential::Cluster { .. }, RunAs::Interserver(user), _) => (sql.to_owned(), Some(user.clone())),
            (Credential::Cluster { .. }, RunAs::Login | RunAs::ExecuteAs(_), _) => {
                return Err(EncodeError::NobodyToRunAs);
            }
        };
        Ok(Self {
            text,
            id: request.query_id.clone(),
            user,
            settings: request.settings.clone(),
            parameters: request.parameters.clone(),
            external_roles: request.roles.clone(),
            current_roles: None,
            trace: request.trace.clone(),
            quota_key: String::new(),
            agent: String::new(),
            started: 0,
            takes_data: is_insert(&request.statement),
            data: request.data.clone(),
            has_result: matches!(request.statement, Statement::ReadOnly(_)),
            limits: request.limits,
        })
    }

    /// The time zone that the query asks for.
    pub(super) fn time_zone(&self) -> Option<&str> {
        let setting = self.settings.iter().find(|setting| setting.name == SESSION_TIME_ZONE)?;
        Some(setting.value.as_str()).filter(|zone| !zone.is_empty())
    }

    /// The packet of the query.
    pub(super) fn encode(
        &self,
        options: &Options,
        hello: &ServerHello,
    ) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
        let revision = hello.revision;
        let user = self.user.as_ref().map_or("", ImpersonatedUser::as_str);
        match &options.login {
            Login::Password { .. } if self.user.is_some() => return Err(EncodeError::NoCluster),
            Login::Interserver { .. } if user.is_empty() => return Err(EncodeError::NobodyToRunAs),
            Login::Password { .. } | Login::Interserver { .. } => {}
        }
        let external_roles = self.roles(revision, Feature::ExternalRoles, Some(&self.external_roles))?;
        let current_roles = self.roles(revision, Feature::CurrentRoles, self.current_roles.as_ref())?;
        let mut packet = Writer::new();
        packet.varuint(QUERY).text(&self.id);
        let info = ClientInfo {
            client: &options.client,
            announced: options.announce,
            initial_user: user,
            query_id: &self.id,
            started: self.started,
            quota_key: &self.quota_key,
            trace: self.trace.as_ref(),
            agent: &self.agent,
            current_roles: current_roles.as_deref(),
        };
        info.encode(revision, &mut packet);
        let compressed = options.compression == Compression::Lz4;
        settings::encode(&self.settings, compressed, revision, &mut packet)?;
        let external_roles = external_roles.unwrap_or_default();
        if revision.has(Feature::ExternalRoles) {
            packet.bytes(&external_roles);
        }
        if revision.has(Feature::InterserverSecret) {
            packet.bytes(&self.signature(
                options,
                hello,
                &external_roles,
                &current_roles.unwrap_or_default(),
            ));
        }
        packet.varuint(STAGE_COMPLETE).varuint(u64::from(compressed)).text(&self.text);
        self.encode_parameters(revision, &mut packet)?;
        Ok(packet.into_bytes())
    }

    /// Roles as they are sent, count and names. None are needed of a server that has no place for them.
    fn roles(
        &self,
        revision: Revision,
        feature: Feature,
        roles: Option<&Vec<String>>,
    ) -> Result<Option<Vec<u8>>, EncodeError> {
        let Some(roles) = roles.filter(|roles| feature == Feature::CurrentRoles || !roles.is_empty()) else {
            return Ok(None);
        };
        // A server asks for both only of a member of its cluster.
        if !revision.has(feature) || self.user.is_none() {
            return Err(EncodeError::Roles);
        }
        let mut bytes = Writer::new();
        bytes.texts(roles);
        Ok(Some(bytes.as_slice().to_vec()))
    }

    /// Empty for everybody but members of a cluster.
    fn signature(&self, options: &Options, hello: &ServerHello, external: &[u8], current: &[u8]) -> Vec<u8> {
        let Login::Interserver { secret, salt, .. } = &options.login else { return Vec::new() };
        let signed = Signed {
            salt,
            nonce: hello.nonce,
            secret,
            text: &self.text,
            query_id: &self.id,
            initial_user: self.user.as_ref().map_or("", ImpersonatedUser::as_str),
            external_roles: external,
            current_roles: current,
        };
        signed.hash().to_vec()
    }

    fn encode_parameters(&self, revision: Revision, packet: &mut Writer) -> Result<(), EncodeError> {
        if !revision.has(Feature::Parameters) {
            return if self.parameters.is_empty() { Ok(()) } else { Err(EncodeError::Parameters) };
        }
        for parameter in &self.parameters {
            packet.text(parameter.name()).varuint(PARAMETER).text(&quote_literal(parameter.as_written()));
        }
        packet.text("");
        Ok(())
    }
}

/// A checked statement begins with its first word.
fn is_insert(statement: &Statement) -> bool {
    match statement {
        Statement::ReadOnly(_) => false,
        Statement::Writable(sql) => {
            sql.text().split_at_checked(6).is_some_and(|(word, _)| word.eq_ignore_ascii_case("INSERT"))
        }
    }
}

/// The packet that asks the server to stop.
pub(super) fn cancel() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(vec![3])
}

/// The packet that asks whether the server is there.
pub(super) fn ping() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(vec![4])
}
