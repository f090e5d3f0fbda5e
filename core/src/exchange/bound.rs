//! A caller whom a host binds to a sandboxed guest. The host has authenticated them, the guest answers their message,
//! and each query of the guest is planned here anew, for that caller and nobody else.
//!
//! What a guest says only ever narrows: it names the statement, lower caps, and what the logs call the request.
//! The server, the login, the person, the operator's settings and headers and the `query_id` are the host's.
//!
//! A statement that writes is taken only from a tool that is listed as one that writes, which a caller who may only read
//! does not have.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use super::admit::{Admitted, Purpose};
use super::cancellation::cancellation;
use super::principal::principal;
use super::service::{Service, sealing_secrets};
use crate::clickhouse::{
    Exception, FORMAT_SETTINGS, Outcome, Parameter, Protocol, QueryEvent, QueryRequest, RowLimits, Setting,
    Statement,
};
use crate::completion::COMPLETE;
use crate::config::Config;
use crate::env::Env;
use crate::identity::Access;
use crate::jose::base64url;
use crate::jose::derive::derive;
use crate::jsonrpc::{Params, RequestId};
use crate::resource::READ;
use crate::secret::Secret;
use crate::sql::{self, ReadOnlySql, Rules, WritableSql};
use crate::tool::{
    Call, Learned, Plan, Question, catalogue, check_writing, inspected, inspection, is_time_zone, learn, told,
};
use crate::trace::TraceContext;

/// Bytes that a statement may gain when a guest has taken it apart: the line break before its settings.
const REWRITTEN: usize = 16;
/// Bytes that the value of a setting may have. The longest is a `log_comment`, with an id that a client chose.
const LONGEST_VALUE: usize = 4096;
/// Parameters that a statement may have, and bytes that the value of one may have: what fits into a URL.
const MOST_PARAMETERS: usize = 256;
const LONGEST_PARAMETER: usize = 64 << 10;

/// A caller in whose name a guest may query. Only an admitted request gives one.
#[derive(Clone)]
pub struct Bound {
    service: Arc<Service>,
    access: Arc<Access>,
}

/// A query as a guest words it: what, and how much of the answer, but not where, with what or as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The statement.
    pub sql: String,
    /// Parameters by name, their values as a line of tab-separated values has them.
    pub parameters: Vec<(String, String)>,
    /// Settings by name and value.
    pub settings: Vec<(String, String)>,
    /// The most rows that are wanted; at least one.
    pub rows: Option<u64>,
    /// Bytes that one row may take.
    pub row_bytes: u64,
    /// Seconds after which nobody waits any more.
    pub seconds: u64,
    /// Where the query stands in its client's trace. Nothing but the server's log depends on it.
    pub trace: Option<TraceContext>,
    /// Whether somebody wants to hear how far the server has come.
    pub progress: bool,
}

/// Why a guest's query is not sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AskedError {
    /// The statement does more than the caller may.
    #[error("the statement is refused: {0}")]
    Statement(#[from] sql::Refusal),
    /// The statement may be run, but not in the way in which the caller's statements are.
    #[error("the statement is refused: {0}")]
    Unsendable(&'static str),
    /// A setting that only the host sends, or nobody.
    #[error("the setting {name:?} is not the guest's to give")]
    Setting {
        /// The name.
        name: String,
    },
    /// A setting stands there twice.
    #[error("the setting {name:?} is given twice")]
    Repeated {
        /// The name.
        name: String,
    },
    /// A cap that is no number or lifts the cap, a format other than the host's, or a value without end.
    #[error("the setting {name:?} has a value that the guest may not give it")]
    Value {
        /// The name.
        name: String,
    },
    /// A parameter that no statement can have, stands there twice, or goes on for ever.
    #[error("the parameter {name:?} cannot be sent")]
    Parameter {
        /// The beginning of its name.
        name: String,
    },
    /// Zero rows would mean all of them.
    #[error("at least one row must be asked for")]
    NoRows,
    /// Nothing says on whose behalf the query runs.
    #[error("`log_comment` must be a JSON object that names the `tool` and the `request`")]
    Comment,
    /// The comment names something else than a tool of the caller's or a method that asks ClickHouse.
    #[error("the `tool` of `log_comment` is not one that is there for this caller")]
    Tool,
}

/// A guest's query as the host sends it.
pub struct Bounded {
    /// The query.
    pub request: QueryRequest,
    /// How much of the answer the guest gets: one row more than `rows` and one beyond `bytes`, so that it can tell a
    /// cut answer from a whole one.
    pub limits: RowLimits,
    call: Call,
    inputs: Vec<Cow<'static, str>>,
}

impl Admitted {
    /// The caller, for a host that has a guest answer MCP and calls over REST; `None` for what the host itself answers.
    pub fn bind(&self) -> Option<Bound> {
        match &self.purpose {
            Purpose::Mcp(caller) | Purpose::Rest(caller, _) => {
                Some(Bound { service: Arc::clone(&self.service), access: Arc::clone(&caller.access) })
            }
            Purpose::Stream(_, _)
            | Purpose::Schema(_, _)
            | Purpose::Health(_)
            | Purpose::Mint(_)
            | Purpose::OAuth(_) => None,
        }
    }
}

impl Bound {
    /// What the caller may reach.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The operator's configuration.
    pub fn config(&self) -> &Config {
        &self.service.config
    }

    /// What a guest seals its questions to the caller with: made of the operator's secrets for this caller alone, so that
    /// any replica's guest goes on with them, and none with somebody else's.
    pub fn sealing_secrets(&self) -> Vec<Secret<String>> {
        let Some(who) = principal(&self.service.config, &self.access) else { return Vec::new() };
        let info = format!("housekey guest v1 {}", base64url::encode(who.as_bytes()));
        let secrets = sealing_secrets(&self.service.config).unwrap_or_default().iter();
        let made = secrets.filter_map(|secret| derive(secret.expose().as_bytes(), &info).ok());
        made.map(|key| Secret::from(base64url::encode(key.expose()))).collect()
    }

    /// Plans a guest's query as the caller's own.
    ///
    /// # Errors
    /// An [`AskedError`] when it asks for more than the caller may have, or for what is not its own to choose.
    pub fn plan(&self, env: &mut Env<'_>, asked: &Asked) -> Result<Bounded, AskedError> {
        let config = &self.service.config;
        let given = Given::read(&asked.settings, &config.server.tool_input_settings)?;
        let rules = Rules::of(config);
        let rules = match catalogue::is_own(config, &asked.sql) {
            // What the operator blocks is blocked for callers.
            true => Rules::internal(),
            false => Rules { max_length: rules.max_length.saturating_add(REWRITTEN), ..rules },
        };
        let reads_only = self.reads_only(&given.tool, &asked.sql).ok_or(AskedError::Tool)?;
        let statement = match self.statement(&asked.sql, &rules, reads_only) {
            // Tools and methods that browse have statements of their own, to which the same applies.
            Err(AskedError::Statement(sql::Refusal::BlockedClause { .. } | sql::Refusal::TooLong { .. }))
                if sql::reads_catalogue(&asked.sql) =>
            {
                self.statement(&asked.sql, &Rules::internal(), reads_only)?
            }
            judged => judged?,
        };
        if asked.rows == Some(0) {
            return Err(AskedError::NoRows);
        }
        let parameters = parameters(&asked.parameters)?;
        let mut access = Access::clone(&self.access);
        access.max_execution_time = narrower(access.max_execution_time, given.seconds);
        // The plan asks for one row more than its cap, as the guest has done already.
        let rows = narrower(asked.rows, given.rows).map(|rows| rows.saturating_sub(1));
        let call = Call {
            id: given.request,
            arguments: Params::new(),
            access: Arc::new(access),
            config: Arc::clone(config),
            trace: asked.trace.clone(),
            progress: asked.progress,
            client: Default::default(),
        };
        let question = Question { statement, parameters, settings: given.inputs, rows, seconds: None };
        let Plan { mut request, limits, time: _, theirs } = Plan::new(env, &call, &given.tool, question);
        request.deadline_seconds = request.deadline_seconds.min(asked.seconds);
        let row_bytes = usize::try_from(asked.row_bytes).unwrap_or(usize::MAX);
        request.limits.row_bytes = request.limits.row_bytes.min(row_bytes);
        Ok(Bounded { request, limits, call, inputs: theirs })
    }

    /// Whether what a guest does under this name, a tool or a method that asks ClickHouse, only reads; `None` when it may not work for the caller under it. The
    /// name goes to the query log. Which tools rules make, only the guest has looked up: under the name of one, nothing
    /// is written but what such a tool writes.
    fn reads_only(&self, tool: &str, sql: &str) -> Option<bool> {
        if tool == READ || tool == COMPLETE {
            return Some(true);
        }
        let config = &self.service.config;
        if let Some(tool) = self.service.tools.find(tool, &self.access) {
            return Some(tool.definition().hints.read_only);
        }
        if tool == catalogue::WORK && catalogue::has_rules(config) {
            return Some(true);
        }
        let writes = !self.access.read_only && catalogue::inserts(config, sql);
        catalogue::may_be_made(config, tool).then_some(!writes)
    }
}

impl Bound {
    /// The statement, checked for a tool that only reads or may write.
    fn statement(&self, sql: &str, rules: &Rules<'_>, reads_only: bool) -> Result<Statement, AskedError> {
        if !reads_only {
            match WritableSql::parse(sql, rules) {
                Ok(sql) => {
                    // The guest knows neither of the protocol nor of the person.
                    check_writing(&sql, &self.access).map_err(AskedError::Unsendable)?;
                    return Ok(Statement::Writable(sql));
                }
                Err(sql::Refusal::OnlyReads { .. }) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        let statement = ReadOnlySql::parse(sql, rules)?;
        // The guest does not know of the protocol: see `tool::asked`.
        let native = self.access.endpoint.scheme.protocol() == Protocol::Tcp;
        match statement.settings().iter().find(|name| native && is_time_zone(name)) {
            Some(name) => Err(AskedError::Setting { name: name.clone() }),
            None => Ok(Statement::ReadOnly(statement)),
        }
    }
}

impl Bounded {
    /// The query that ends this one on the server.
    pub fn cancellation(&self) -> Option<QueryRequest> {
        cancellation(&self.request)
    }

    /// Learns from an exception that the server refuses something of ours. With something learned planning anew,
    /// without it, is worth it; the guest then never hears of the exception.
    pub fn learn(&self, env: &mut Env<'_>, exception: &Exception) -> Option<Learned> {
        learn(env, &self.call, &self.request, &self.inputs, exception)
    }

    /// What else the profile forbids, as a query that is worth sending before this one, which was planned anew. Its
    /// outcome is for [`Bounded::inspected`], after which this one is planned once more.
    pub fn inspection(&self, env: &mut Env<'_>, learned: &Learned) -> Option<(QueryRequest, RowLimits)> {
        inspection(env, &self.call, learned, &self.request)
    }

    /// Remembers what the profile was found to forbid of this query.
    pub fn inspected(&self, env: &mut Env<'_>, outcome: &Outcome) {
        inspected(env, &self.call, &self.request, outcome);
    }

    /// What the guest hears of an event: neither the wrapper around its statement nor the settings of the host, and
    /// nothing that would have it begin anew.
    pub fn told(&self, event: QueryEvent) -> QueryEvent {
        match event {
            QueryEvent::Exception(exception) => {
                let sent = Some((&self.request.statement, self.request.inner));
                let message = told(&self.call, sent, &exception);
                QueryEvent::Exception(Exception { message, before_execution: false, ..exception })
            }
            // Whatever listens at an address that a token chose, its words are for nobody.
            QueryEvent::Broken(_) if !self.call.access.chosen_by.is_operator() => {
                QueryEvent::Broken("the server that the token names did not answer as ClickHouse does".into())
            }
            QueryEvent::Header(_)
            | QueryEvent::Rows(_)
            | QueryEvent::Progress { .. }
            | QueryEvent::RowTooLong
            | QueryEvent::Broken(_)
            | QueryEvent::End => event,
        }
    }
}

/// The parameters of a guest, each name once.
fn parameters(asked: &[(String, String)]) -> Result<Vec<Parameter>, AskedError> {
    let mut parameters: Vec<Parameter> = Vec::with_capacity(asked.len().min(MOST_PARAMETERS));
    for (name, text) in asked {
        let refused = || AskedError::Parameter { name: name.chars().take(64).collect() };
        let repeated = parameters.iter().any(|other| other.name() == name);
        if repeated || parameters.len() >= MOST_PARAMETERS || text.len() > LONGEST_PARAMETER {
            return Err(refused());
        }
        parameters.push(Parameter::written(name, text.clone()).map_err(|_| refused())?);
    }
    Ok(parameters)
}

/// What the settings of a guest come to.
struct Given {
    rows: Option<u64>,
    seconds: Option<u64>,
    tool: String,
    request: RequestId,
    inputs: Vec<Setting>,
}

impl Given {
    fn read(settings: &[(String, String)], inputs: &[String]) -> Result<Self, AskedError> {
        let (mut rows, mut seconds, mut comment, mut found) = (None, None, None, Vec::new());
        for (at, (name, value)) in settings.iter().enumerate() {
            let name_it = || name.chars().take(64).collect::<String>();
            if settings.iter().take(at).any(|(other, _)| other == name) {
                return Err(AskedError::Repeated { name: name_it() });
            }
            let wrong = || AskedError::Value { name: name_it() };
            if value.len() > LONGEST_VALUE {
                return Err(wrong());
            }
            // Zero lifts a cap.
            let cap = || value.parse::<u64>().ok().filter(|cap| *cap > 0).ok_or_else(wrong);
            match name.as_str() {
                "limit" => rows = Some(cap()?),
                "max_execution_time" => seconds = Some(cap()?),
                "log_comment" => comment = Some(value),
                _ if inputs.contains(name) => found.push(Setting::new(name.clone(), value.clone())),
                _ => match FORMAT_SETTINGS.iter().find(|(format, _)| format == name) {
                    Some((_, ours)) if ours == value => {}
                    Some(_) => return Err(wrong()),
                    None => return Err(AskedError::Setting { name: name_it() }),
                },
            }
        }
        let comment = comment.ok_or(AskedError::Comment)?;
        let comment: Value = serde_json::from_str(comment).map_err(|_| AskedError::Comment)?;
        let tool = comment.get("tool").and_then(Value::as_str).ok_or(AskedError::Comment)?;
        let request = comment.get("request").and_then(RequestId::parse).ok_or(AskedError::Comment)?;
        Ok(Self { rows, seconds, tool: tool.to_owned(), request, inputs: found })
    }
}

fn narrower(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    [one, other].into_iter().flatten().min()
}
