//! `/livez` and `/health`: signs of life for load balancers, without authentication.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::admit::json_answer;
use super::running::{Next, Running, Scene, Shape};
use crate::clickhouse::{Credential, Outcome, ReadLimits, RowLimits, Statement};
use crate::env::Env;
use crate::jsonrpc::{Params, RequestId};
use crate::mcp::CallResult;
use crate::sql::{ReadOnlySql, Rules};
use crate::time::UnixTime;
use crate::tool::{Call, Moment, Task, ToolState, ToolStep};

/// Seconds that ClickHouse has to answer the probe.
const PATIENCE: u64 = 5;

/// The answer of `/livez`.
pub(super) fn alive(now: UnixTime, origin: Option<&str>) -> Response<Bytes> {
    report(200, now, "alive", &[], origin)
}

/// The answer of `/health` where there is no login to try: each request brings its own.
pub(super) fn per_request(now: UnixTime, origin: Option<&str>) -> Response<Bytes> {
    report(200, now, "healthy", &[("auth", "per_request_credentials")], origin)
}

/// Begins the answer of `/health`.
pub(super) fn check(env: &mut Env<'_>, scene: Scene) -> Next {
    let call = Call {
        id: RequestId::Number(0),
        arguments: Params::new(),
        access: Arc::clone(&scene.caller.access),
        config: Arc::clone(&scene.service.config),
        trace: None,
        progress: false,
        client: Default::default(),
    };
    let task: Arc<dyn Task> = Arc::new(Probe);
    Running::new(RequestId::Number(0), task, call, Shape::Health, scene).start(env)
}

/// The answer of `/health` once the probe is over. What went wrong is the operator's business, and in the log.
pub(super) fn answer(scene: &Scene, now: UnixTime, result: &CallResult) -> Response<Bytes> {
    let origin = scene.origin();
    match result {
        CallResult::Structured(_) => report(200, now, "healthy", &[("clickhouse", "connected")], origin),
        CallResult::Failed(_)
        | CallResult::BadArguments(_)
        | CallResult::Absent(_)
        | CallResult::Content { .. } => {
            report(503, now, "unhealthy", &[("error", "ClickHouse connection failed")], origin)
        }
    }
}

fn report(
    status: u16,
    now: UnixTime,
    word: &str,
    details: &[(&str, &str)],
    origin: Option<&str>,
) -> Response<Bytes> {
    let mut body =
        json!({ "status": word, "timestamp": now.rfc3339(), "version": env!("CARGO_PKG_VERSION") });
    if let Value::Object(members) = &mut body {
        members.extend(details.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    }
    json_answer(StatusCode::from_u16(status).unwrap_or_default().as_u16(), Some(body.to_string()), origin)
}

/// `SELECT 1` with the configured login.
struct Probe;

impl Task for Probe {
    fn start(&self, env: &mut Env<'_>, call: &Call) -> ToolStep {
        let Ok(statement) = ReadOnlySql::parse("SELECT 1", &Rules::internal()) else {
            return ToolStep::Done(CallResult::Failed(String::new()));
        };
        let access = &call.access;
        if matches!(access.credential, Credential::Bearer(_) | Credential::Header { .. }) {
            return ToolStep::Done(CallResult::Failed(String::new()));
        }
        let (statement, limits) = (Statement::ReadOnly(statement), ReadLimits { row_bytes: 1024 });
        let request = access.query(&call.config, statement, env.random_id(), PATIENCE, limits);
        ToolStep::Query(Box::new(request), RowLimits { rows: Some(1), bytes: None }, ToolState::Null)
    }

    fn resume(&self, _env: &mut Env<'_>, _call: &Call, _state: ToolState, moment: Moment) -> ToolStep {
        let well = match moment {
            Moment::Queried(outcome) => matches!(outcome, Outcome::Rows { .. }),
            Moment::Fetched(_) | Moment::Answered(_) | Moment::Woken | Moment::Told => false,
        };
        let result =
            if well { CallResult::Structured("{}".into()) } else { CallResult::Failed(String::new()) };
        ToolStep::Done(result)
    }
}
