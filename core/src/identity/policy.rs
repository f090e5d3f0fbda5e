//! What a token's claims grant: which server, with which login, as whom.
//!
//! The rule that everything here serves: **what the operator configured is never lent to an address that a token
//! chose.** A token that names a host, a port or a protocol brings its own user and password or is refused; it
//! gets neither the configured login, nor impersonation, nor the operator's headers and certificates.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use super::person::AdmissionError;
use super::server_choice::{self, ChoiceError, MadeFor};
use crate::clickhouse::{ChosenBy, Credential, Endpoint, QueryRequest, ReadLimits, RunAs, Scheme, Statement};
use crate::config::{Config, Host, Impersonation};
use crate::jose::claims::{Claims, Protocol};
use crate::secret::Secret;
use crate::sql::{DenyList, IdentityRefusal, ImpersonatedUser, Inner};
use crate::time::UnixTime;

/// The `iss` of tokens that the generator makes for strangers. The token is sealed, so nobody can take it off.
pub const STRANGERS_ISSUER: &str = "jwe-token-generator";

/// What one caller may reach, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The server.
    pub endpoint: Endpoint,
    /// Who named the server; one that a token named gets nothing of the operator's.
    pub chosen_by: ChosenBy,
    /// What logs in.
    pub credential: Credential,
    /// Whose rights statements run with.
    pub run_as: RunAs,
    /// Roles that the token adds to the person, as far as the operator lets it; or, of OAuth's claims, the only ones.
    pub roles: Vec<String>,
    /// Headers that say more of the person to ClickHouse.
    pub headers: Vec<(String, String)>,
    /// The default database.
    pub database: Option<String>,
    /// Whether only tools that read are there for this caller: the operator says so, or the token.
    pub read_only: bool,
    /// The token's own cap on rows; it only ever narrows.
    pub limit: Option<u64>,
    /// The token's own cap on seconds; it only ever narrows.
    pub max_execution_time: Option<u64>,
    /// Whom the token names, for `log_comment`: an e-mail address or a subject.
    pub subject: Option<String>,
    /// When the token runs out, and with it what was learned for it.
    pub expires: Option<UnixTime>,
}

/// Who asks, once authentication has passed.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What they may reach.
    pub access: Arc<Access>,
    /// When their token runs out.
    pub expires: Option<UnixTime>,
}

/// A genuine token that grants nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The token chose a server but brings no login for it.
    #[error("a token that names a host, a port, a protocol or TLS must bring its own username and password")]
    EndpointWithoutLogin,
    /// A password for nobody: to pass over it would be to lend the configured login.
    #[error("the token has a password without a username")]
    PasswordWithoutUsername,
    /// The endpoint that made the token is switched off, and with it what it made.
    #[error("the token was made by `/jwe-token-generator`, which is switched off")]
    GeneratorOff,
    /// Impersonation is on, and the token names neither a user nor a person.
    #[error("the token names neither a username nor an identity (`email` or `sub`)")]
    NoIdentity,
    /// The person may not be impersonated.
    #[error("{0}")]
    Identity(#[from] IdentityRefusal),
    /// The token itself says that nobody has checked its e-mail address.
    #[error("the token's `email` is not verified")]
    EmailNotVerified,
    /// The token asks for the native protocol where there are no sockets.
    #[error("the token's `protocol` is \"tcp\", which works on the native host only")]
    Protocol,
    /// The token adds roles, for which the operator has opened no way.
    #[error("the token's `roles` need the interserver secret and `clickhouse.cluster_roles`")]
    Roles,
    /// The person is not let in.
    #[error("{0}")]
    Admission(#[from] AdmissionError),
    /// The server that the token chose is not one that it may choose.
    #[error("{0}")]
    Server(#[from] ChoiceError),
}

/// What decides on tokens, made once from a configuration.
#[derive(Clone, Debug)]
pub struct Policy {
    deny: DenyList,
    host: Host,
}

impl Policy {
    /// The policy of a configuration on a host.
    pub fn new(config: &Config, host: Host) -> Self {
        let clickhouse = &config.clickhouse;
        // Under a cluster's secret there is no gateway: the configured user is a person like others.
        let gateway = match clickhouse.impersonation {
            Impersonation::None | Impersonation::ExecuteAs => clickhouse.username.as_str(),
            Impersonation::Interserver => "",
        };
        let deny = DenyList::new(gateway, &clickhouse.impersonation_deny, &clickhouse.impersonation_allow);
        Self { deny, host }
    }

    /// Users that nobody may become.
    pub(super) fn deny(&self) -> &DenyList {
        &self.deny
    }

    /// Whether a token's claims say as whom queries run, so that no other token is needed beside it: a login, or a person
    /// where people are acted for.
    pub fn names_somebody(&self, config: &Config, claims: &Claims) -> bool {
        let acts = config.clickhouse.impersonation != Impersonation::None;
        claims.username.is_some()
            || claims.password.is_some()
            || (acts && (claims.email.is_some() || claims.sub.is_some()))
    }

    /// The caller that a token's claims make under the same configuration.
    pub fn caller(&self, config: &Config, claims: &Claims) -> Result<Caller, PolicyError> {
        if claims.protocol == Some(Protocol::Tcp) && self.host == Host::Edge {
            return Err(PolicyError::Protocol);
        }
        if claims.email.is_some() && claims.email_verified == Some(false) {
            return Err(PolicyError::EmailNotVerified);
        }
        if claims.password.is_some() && claims.username.is_none() {
            return Err(PolicyError::PasswordWithoutUsername);
        }
        let made_for = match claims.iss.as_deref() {
            Some(STRANGERS_ISSUER) if !config.server.jwe.generator.enabled => {
                return Err(PolicyError::GeneratorOff);
            }
            Some(STRANGERS_ISSUER) => MadeFor::Stranger,
            Some(_) | None => MadeFor::TheOperator,
        };
        let identity = claims.email.as_deref().or(claims.sub.as_deref());
        // The e-mail address and the subject go to the query log, so they are cut to a size that a log can take.
        let subject = identity.or(claims.username.as_deref()).map(|name| name.chars().take(256).collect());

        let mut access = configured(config);
        access.subject = subject;
        limit(&mut access, claims);
        if server_choice::is_made(claims) {
            let (Some(username), Some(password)) = (&claims.username, &claims.password) else {
                return Err(PolicyError::EndpointWithoutLogin);
            };
            let (endpoint, server) = server_choice::judge(config, self.host, claims, made_for)?;
            access.endpoint = endpoint;
            access.chosen_by = ChosenBy::Token(Arc::new(server));
            access.credential =
                Credential::Password { username: username.clone(), password: password.clone() };
        } else if let Some(username) = &claims.username {
            // The configured password belongs to the configured user: a token never inherits it for a name it chose.
            let password = claims.password.clone().unwrap_or_else(|| Secret::from(""));
            access.credential = Credential::Password { username: username.clone(), password };
        } else {
            self.act_for(config, identity, &mut access)?;
        }
        if !claims.roles.is_empty() {
            access.roles = roles(config, &access, claims)?;
        }
        let expires = expiry(config, claims);
        access.expires = expires;
        Ok(Caller { access: Arc::new(access), expires })
    }
}

impl Policy {
    /// The caller where no authentication is configured: the configured login, or the configured user under the
    /// cluster's secret.
    pub fn static_caller(&self, config: &Config) -> Result<Caller, PolicyError> {
        let mut access = configured(config);
        if config.clickhouse.impersonation == Impersonation::Interserver {
            self.act_for(config, None, &mut access)?;
        }
        Ok(Caller { access: Arc::new(access), expires: None })
    }

    /// The access of a person whom nobody has asked for a token: for who tries whether impersonation works. Where the
    /// configuration has none, it is that of `EXECUTE AS`.
    pub fn acting_for(&self, config: &Config, person: &str) -> Result<Access, PolicyError> {
        let mut access = configured(config);
        match config.clickhouse.impersonation {
            Impersonation::Interserver => self.act_for(config, Some(person), &mut access)?,
            Impersonation::None | Impersonation::ExecuteAs => {
                access.run_as = RunAs::ExecuteAs(ImpersonatedUser::parse(person, &self.deny)?);
            }
        }
        Ok(access)
    }

    /// Lets the access be the person's, in the configured way.
    fn act_for(
        &self,
        config: &Config,
        identity: Option<&str>,
        access: &mut Access,
    ) -> Result<(), PolicyError> {
        let clickhouse = &config.clickhouse;
        match (clickhouse.impersonation, &clickhouse.cluster) {
            (Impersonation::None, _) => {}
            (Impersonation::ExecuteAs, _) => {
                let identity = identity.ok_or(PolicyError::NoIdentity)?;
                access.run_as = RunAs::ExecuteAs(ImpersonatedUser::parse(identity, &self.deny)?);
            }
            (Impersonation::Interserver, cluster) => {
                // An empty name would run with no check of grants at all, and an unconfigured one as `default`.
                let fallback = Some(clickhouse.username.as_str()).filter(|_| clickhouse.username_given);
                let name = identity.or(fallback).ok_or(PolicyError::NoIdentity)?;
                let cluster = cluster.as_ref().ok_or(PolicyError::NoIdentity)?;
                access.run_as = RunAs::Interserver(ImpersonatedUser::parse(name, &self.deny)?);
                access.credential =
                    Credential::Cluster { name: cluster.name.clone(), secret: cluster.secret.clone() };
            }
        }
        Ok(())
    }
}

impl Access {
    /// A query as this access has it, with nothing yet of settings.
    pub fn query(
        &self,
        config: &Config,
        statement: Statement,
        query_id: String,
        deadline_seconds: u64,
        limits: ReadLimits,
    ) -> QueryRequest {
        // An address that a token chose gets nothing that the operator meant for their own server.
        let operators = self.chosen_by.is_operator();
        let mut headers = if operators { config.clickhouse.http_headers.clone() } else { Vec::new() };
        // What a person's claims say wins over what is said of everybody.
        headers.retain(|(name, _)| !self.headers.iter().any(|(theirs, _)| theirs.eq_ignore_ascii_case(name)));
        headers.extend(self.headers.iter().cloned());
        QueryRequest {
            endpoint: self.endpoint.clone(),
            chosen_by: self.chosen_by.clone(),
            credential: self.credential.clone(),
            run_as: self.run_as.clone(),
            roles: self.roles.clone(),
            database: self.database.clone(),
            statement,
            parameters: Vec::new(),
            data: None,
            inner: Inner::default(),
            settings: Vec::new(),
            headers,
            trace: None,
            query_id,
            deadline_seconds,
            progress: false,
            refused: Vec::new(),
            limits,
        }
    }
}

/// What a token says of how much may be asked.
fn limit(access: &mut Access, claims: &Claims) {
    access.read_only |= claims.read_only == Some(true);
    access.limit = claims.limit.map(NonZero::get);
    access.max_execution_time = claims.max_execution_time.map(NonZero::get);
    if let Some(database) = &claims.database {
        access.database = Some(database.clone());
    }
}

fn expiry(config: &Config, claims: &Claims) -> Option<UnixTime> {
    claims.exp.map(|exp| exp.after(Duration::from_secs(config.server.jwe.leeway)))
}

/// Lets a token that names nobody narrow what somebody may do whom another token names.
pub(super) fn narrow(config: &Config, access: &mut Access, claims: &Claims) -> Result<(), PolicyError> {
    if server_choice::is_made(claims) {
        return Err(PolicyError::EndpointWithoutLogin);
    }
    if !claims.roles.is_empty() {
        return Err(PolicyError::Roles);
    }
    limit(access, claims);
    access.expires = [access.expires, expiry(config, claims)].into_iter().flatten().min();
    Ok(())
}

/// The token's roles that the operator lets it add. Where they could have no effect the token is refused, as for any
/// other claim that would not be honoured.
fn roles(config: &Config, access: &Access, claims: &Claims) -> Result<Vec<String>, PolicyError> {
    let cluster = config.clickhouse.cluster.as_ref().filter(|cluster| !cluster.roles.is_empty());
    let (RunAs::Interserver(_), Some(cluster)) = (&access.run_as, cluster) else {
        return Err(PolicyError::Roles);
    };
    let lets = |role: &str| {
        cluster.roles.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => role.starts_with(prefix),
            None => role == pattern,
        })
    };
    Ok(claims.roles.iter().filter(|role| lets(role)).cloned().collect())
}

pub(super) fn configured(config: &Config) -> Access {
    let clickhouse = &config.clickhouse;
    Access {
        endpoint: Endpoint {
            scheme: Scheme::of(clickhouse.protocol, clickhouse.tls.enabled),
            host: clickhouse.host.clone(),
            port: clickhouse.port,
        },
        chosen_by: ChosenBy::Operator,
        credential: Credential::Password {
            username: clickhouse.username.clone(),
            password: clickhouse.password.clone(),
        },
        run_as: RunAs::Login,
        roles: Vec::new(),
        headers: Vec::new(),
        database: Some(clickhouse.database.clone()).filter(|database| !database.is_empty()),
        read_only: clickhouse.read_only,
        limit: None,
        max_execution_time: None,
        subject: None,
        expires: None,
    }
}
