//! How a checked statement becomes a request: settings, caps, names for the log, and what to do when a profile
//! will not have one of our settings.

use std::borrow::Cow;

use serde_json::json;

use super::Call;
use super::time_limit::TimeLimit;
use crate::clickhouse::{
    Constraint, Exception, FORMAT_SETTINGS, Parameter, Protocol, QueryRequest, ReadLimits, RefusedSetting,
    RowLimits, Setting, Statement,
};
use crate::env::Env;
use crate::facts::{AccessKey, Refusals, RefusedValue};
use crate::jsonrpc::RequestId;
use crate::mcp::CallResult;
use crate::sql::{Inner, ReadOnlySql, Rules, StatementKind};

/// Bytes that a single row may take on the wire when no byte cap says less.
const LARGEST_ROW: usize = 16 << 20;
/// Bytes that a row may take beyond the byte cap: what JSON on the wire may have over Housekey's encoding.
const ROW_SLACK: usize = 64 << 10;
/// Seconds that a host waits beyond the server's own limit, so that the server's error is the one that is seen.
const GRACE_SECONDS: u64 = 5;
/// The code of a format that the server does not know (ClickHouse, `UNKNOWN_FORMAT`).
const UNKNOWN_FORMAT: i32 = 73;
/// Seconds that a host waits when the operator set no limit.
const LONGEST_WAIT: u64 = 24 * 3600;

/// A question to ClickHouse, checked, and what the caller wants of its answer.
pub(crate) struct Question {
    pub(crate) statement: Statement,
    pub(crate) parameters: Vec<Parameter>,
    /// Settings that the caller may choose, by their own names.
    pub(crate) settings: Vec<Setting>,
    /// Lowers the caps on rows.
    pub(crate) rows: Option<u64>,
    /// Lowers the caps on seconds.
    pub(crate) seconds: Option<u64>,
}

impl Question {
    /// A statement without anything beside it.
    pub(crate) fn new(statement: Statement) -> Self {
        Self { statement, parameters: Vec::new(), settings: Vec::new(), rows: None, seconds: None }
    }

    /// A statement of our own, with texts for its parameters. Whatever the texts hold, they cannot become a part of it.
    pub(crate) fn own(sql: &'static str, texts: &[(&str, &str)]) -> Result<Self, CallResult> {
        let statement = ReadOnlySql::parse(sql, &Rules::internal())
            .map_err(|refusal| CallResult::Failed(refusal.to_string()))?;
        let parameters = texts
            .iter()
            .map(|(name, text)| Parameter::text(name, text))
            .collect::<Result<_, _>>()
            .map_err(|error| CallResult::Failed(error.to_string()))?;
        Ok(Self { parameters, ..Self::new(Statement::ReadOnly(statement)) })
    }
}

/// A request ready to go, and what holds its answer within bounds.
pub(crate) struct Plan {
    pub(crate) request: QueryRequest,
    pub(crate) limits: RowLimits,
    pub(crate) time: TimeLimit,
    /// Settings that the caller chose: what is refused of them is theirs to hear.
    pub(crate) theirs: Vec<Cow<'static, str>>,
}

impl Plan {
    /// Plans a question of a tool for the caller of a call.
    pub(crate) fn new(env: &mut Env<'_>, call: &Call, tool: &str, question: Question) -> Self {
        let (config, access) = (&call.config, &call.access);
        let Question { statement, parameters, settings: chosen, rows: limit, seconds: patience } = question;
        let rows = [config.clickhouse.max_result_rows, access.limit, limit].into_iter().flatten().min();
        let bytes = config.clickhouse.max_result_bytes;
        let time = TimeLimit::of(call, tool, patience);
        // Where the operator leaves a cap to the person's profile, that is not known here, and a setting would replace
        // it. What a token or a call asks for is then kept by us alone.
        let server_seconds = time.seconds.filter(|_| config.clickhouse.max_execution_time > 0);
        let server_rows = rows.filter(|_| config.clickhouse.max_result_rows.is_some());
        let row_bytes = bytes
            .and_then(|bytes| usize::try_from(bytes).ok())
            .map_or(LARGEST_ROW, |bytes| bytes.saturating_add(ROW_SLACK).min(LARGEST_ROW));
        let mut request =
            access.query(config, statement, env.random_id(), LONGEST_WAIT, ReadLimits { row_bytes });
        // A server that a token chose is nobody's to tell who asks in which trace.
        request.trace = call.trace.clone().filter(|_| access.chosen_by.is_operator());
        let known = env.facts.refusals(&AccessKey::of(&request, config.generation), env.now);
        let server_seconds = server_seconds.and_then(|seconds| known.lowered("max_execution_time", seconds));
        request.deadline_seconds = deadline(time.seconds, server_seconds);
        // One row more than asked, so that "cut" and "exactly as many" can be told apart. Where a profile bounds it
        // further there is no lower value that could tell, so the cut is ours alone.
        let one_more = server_rows.map(|rows| rows.saturating_add(1));
        let one_more = one_more.filter(|rows| !known.refuse("limit", &rows.to_string()));
        request.inner = match &request.statement {
            Statement::ReadOnly(_) => Inner { readonly: !known.read_only_profile, limit: one_more },
            Statement::Writable(_) => Inner::default(),
        };
        // A server that tells of progress soon notices that nobody listens any more, and ends a read. Under EXECUTE AS,
        // and where a profile lets nothing be set, a closed connection ends it in no other way.
        let progress = call.progress || request.run_as.is_wrapped() || known.nothing_settable;
        request.progress = progress && !known.no_progress && request.statement.is_read_only();
        request.settings = settings(call, tool, &request, one_more, server_seconds, &known);
        request.refused = refused(call, &known);
        let theirs: Vec<_> = chosen.iter().map(|setting| setting.name.clone()).collect();
        // What the operator leaves to callers goes before what the operator would send.
        request.settings.retain(|ours| !theirs.contains(&ours.name));
        request.settings.extend(chosen);
        request.parameters = parameters;
        Self { request, limits: RowLimits { rows, bytes }, time, theirs }
    }
}

/// What the operator wants set and the server is known to refuse.
fn refused(call: &Call, known: &Refusals) -> Vec<String> {
    if !call.access.chosen_by.is_operator() || known.nothing_settable {
        return Vec::new();
    }
    let extra = call.config.clickhouse.extra_settings.iter();
    extra.filter(|(name, value)| known.refuse(name, value)).map(|(name, _)| name.clone()).collect()
}

/// How long a host waits: beyond the server's own limit a little, so that the server's error is the one that is seen.
fn deadline(seconds: Option<u64>, server_seconds: Option<u64>) -> u64 {
    let grace = if server_seconds.is_some() { GRACE_SECONDS } else { 0 };
    seconds.map_or(LONGEST_WAIT, |seconds| seconds.saturating_add(grace)).min(LONGEST_WAIT)
}

fn settings(
    call: &Call,
    tool: &str,
    request: &QueryRequest,
    one_more: Option<u64>,
    seconds: Option<u64>,
    known: &Refusals,
) -> Vec<Setting> {
    if known.nothing_settable {
        return Vec::new();
    }
    let mut settings = Vec::new();
    // Under EXECUTE AS the limit stands inside the statement: outside, the server bends it without a word.
    // Elsewhere than on a SELECT it would show in plans, or do nothing; those answers are cut here alone.
    let selects = match &request.statement {
        Statement::ReadOnly(sql) => sql.kind() == StatementKind::Select,
        Statement::Writable(_) => false,
    };
    if let (Some(one_more), false, true) = (one_more, request.run_as.is_wrapped(), selects) {
        settings.push(Setting::new("limit", one_more.to_string()));
    }
    if let Some(seconds) = seconds {
        settings.push(Setting::new("max_execution_time", seconds.to_string()));
    }
    let over_http = request.endpoint.scheme.protocol() == Protocol::Http;
    if over_http {
        settings.extend(FORMAT_SETTINGS.iter().map(|(name, value)| Setting::new(*name, *value)));
    }
    settings.push(comment(call, tool, &request.query_id));
    if call.access.chosen_by.is_operator() {
        let extra = &call.config.clickhouse.extra_settings;
        settings.extend(extra.iter().map(|(name, value)| Setting::new(name.clone(), value.clone())));
    }
    if !request.run_as.is_wrapped() {
        if over_http {
            // A closed connection then ends a read on the server; under EXECUTE AS the server does not look.
            settings.push(Setting::new("cancel_http_readonly_queries_on_client_close", "1"));
        }
        if let Statement::ReadOnly(sql) = &request.statement {
            // 1 forbids a SETTINGS clause altogether; 2 permits what our own check has let through.
            let level = if sql.settings().is_empty() { "1" } else { "2" };
            settings.push(Setting::new("readonly", level));
        }
    }
    settings.retain(|setting| {
        let needless = setting.name == "readonly" && known.read_only_profile;
        !(needless || known.refuse(&setting.name, &setting.value))
    });
    settings
}

/// What the query log keeps of a query beside its text: it is in both rows that `EXECUTE AS` leaves.
/// There the server gives the inner one an id of its own, so that the request's stands in here.
fn comment(call: &Call, tool: &str, query_id: &str) -> Setting {
    let comment = json!({
        "client": "housekey",
        "tool": tool,
        "request": request_name(&call.id),
        "subject": call.access.subject,
        "query_id": query_id,
    });
    Setting::new("log_comment", comment.to_string())
}

/// The id as the log gets it: a client chooses it, and the log is the operator's.
fn request_name(id: &RequestId) -> serde_json::Value {
    const LONGEST: usize = 128;
    match id {
        RequestId::Text(text) => text.chars().take(LONGEST).collect::<String>().into(),
        RequestId::Number(number) => (*number).into(),
    }
}

/// Learns from an exception that a server refuses something of ours. With something learned a new query without it is
/// worth sending; `readonly` is only ever left out when the server itself said that the profile is read-only. `theirs`
/// are settings that the caller chose. What is refused of them says nothing of ours, and is the
/// caller's to hear. Only what came before the statement ran is learned from, so that nothing is written twice.
pub(crate) fn learn(
    env: &mut Env<'_>,
    call: &Call,
    request: &QueryRequest,
    theirs: &[Cow<'static, str>],
    exception: &Exception,
) -> Option<Learned> {
    let key = AccessKey::of(request, call.config.generation);
    let mut known = env.facts.refusals(&key, env.now);
    let before = known.clone();
    let learned = if request.progress && exception.code == UNKNOWN_FORMAT {
        known.no_progress = true;
        Learned::Format
    } else {
        let refused = exception.refused_setting()?;
        take(&mut known, request, theirs, &refused)?;
        Learned::Setting(refused)
    };
    if known == before {
        return None;
    }
    known.forget_the_oldest();
    env.facts.remember_refusals(key, known, env.now);
    Some(learned)
}

/// What a refusal taught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// The server does not know the format that tells of progress.
    Format,
    /// A setting is refused.
    Setting(RefusedSetting),
}

/// Adds what a server refused to what is known, if it was ours to send.
fn take(
    known: &mut Refusals,
    request: &QueryRequest,
    theirs: &[Cow<'static, str>],
    refused: &RefusedSetting,
) -> Option<()> {
    // A SETTINGS clause of the caller's own is refused in the same words: only what we sent is ours to take back.
    let inside = |name: &str| match name {
        "readonly" => request.inner.readonly,
        "limit" => request.inner.limit.is_some(),
        _ => false,
    };
    let sent = |name: &str| {
        let outside = request.settings.iter().any(|setting| setting.name == name);
        !theirs.iter().any(|their| their == name)
            && (outside || (request.run_as.is_wrapped() && inside(name)))
    };
    match refused {
        RefusedSetting::ReadOnlyProfile(name) if name == "readonly" && sent(name) => {
            // Said of `readonly` itself twice, the profile is the stricter kind, in which nothing can be set.
            known.nothing_settable = known.read_only_profile;
            known.read_only_profile = true;
        }
        RefusedSetting::ReadOnlyProfile(name) if sent(name) => {
            // Under EXECUTE AS what comes with the request is refused by the gateway's profile. That says nothing
            // about the person's, who is asked for `readonly` all the same.
            known.read_only_profile |= !request.run_as.is_wrapped();
            known.nothing_settable = true;
        }
        // A constraint or an old server says nothing about writes: `readonly` stays. A constraint is one on values:
        // what it refused to one token it may allow to another.
        RefusedSetting::Constrained(name, constraint) if name != "readonly" && sent(name) => {
            let value = match constraint {
                Constraint::Fixed => None,
                Constraint::AtMost(_) | Constraint::AtLeast(_) | Constraint::Others => {
                    sent_value(request, name)
                }
            };
            match constraint {
                Constraint::AtMost(most) => known.bound(name, None, Some(most.clone())),
                Constraint::AtLeast(least) => known.bound(name, Some(least.clone()), None),
                Constraint::Fixed | Constraint::Others => {}
            }
            known.settings.push(RefusedValue { name: name.clone(), value });
        }
        RefusedSetting::Unknown(name) if name != "readonly" && sent(name) => {
            known.settings.push(RefusedValue { name: name.clone(), value: None });
        }
        RefusedSetting::ReadOnlyProfile(_) | RefusedSetting::Constrained(..) | RefusedSetting::Unknown(_) => {
            return None;
        }
    }
    Some(())
}

/// The value of a setting as it was sent, in the request or inside of the statement.
fn sent_value(request: &QueryRequest, name: &str) -> Option<String> {
    let outside =
        request.settings.iter().find(|setting| setting.name == name).map(|setting| setting.value.clone());
    outside.or_else(|| request.inner.limit.filter(|_| name == "limit").map(|rows| rows.to_string()))
}
