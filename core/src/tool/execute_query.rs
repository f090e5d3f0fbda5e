//! `execute_query`: one read-only statement, as the person who asks, cut to a size that a model can read.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::explain::explain;
use super::plan::{Plan, learn};
use super::{Call, Moment, Task, Tool, ToolState, ToolStep};
use crate::clickhouse::{Outcome, Protocol, QueryRequest, Statement, TruncationReason};
use crate::env::Env;
use crate::jsonrpc::Params;
use crate::mcp::{CallResult, Definition, Hints};
use crate::sql::{ReadOnlySql, Rules};

/// How often one call may begin anew because a profile refused a setting. Each time at least one is left out.
const MOST_ATTEMPTS: u64 = 12;

/// The tool.
pub struct ExecuteQuery;

static DEFINITION: LazyLock<Definition> = LazyLock::new(|| {
    Definition {
    name: "execute_query".into(),
    title: "Execute SQL Query".into(),
    description: "Runs one read-only ClickHouse SQL statement (SELECT, WITH, SHOW, DESCRIBE, EXISTS or EXPLAIN) with \
        the rights of the person who asks, and returns columns, types and rows. Rows and bytes are capped; when \
        `truncated` is present the answer was cut, so aggregate, filter or use LIMIT and OFFSET. Integers of 64 \
        bits and more and decimals are strings. Leave out FORMAT and the final semicolon."
        .into(),
    input_schema: json!({
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "description": "One read-only SQL statement in ClickHouse's dialect"
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "description": "The most rows to return; it can only lower the server's own cap"
            }
        },
        "required": ["query"],
        "additionalProperties": false
    }),
    output_schema: Some(json!({
        "type": "object",
        "properties": {
            "columns": { "type": "array", "items": { "type": "string" }, "description": "Column names, in order" },
            "types": { "type": "array", "items": { "type": "string" }, "description": "ClickHouse types, in order" },
            "rows": {
                "type": "array",
                "items": { "type": "array" },
                "description": "One array of values for each row, in the order of the columns"
            },
            "count": { "type": "integer", "description": "The number of rows returned" },
            "truncated": {
                "type": "object",
                "description": "Present when there was more than is returned",
                "properties": {
                    "reason": { "type": "string", "enum": ["rows", "bytes"] },
                    "limit": { "type": "integer", "description": "The cap that was reached, in rows or bytes" },
                    "returned_rows": { "type": "integer" }
                },
                "required": ["reason", "limit", "returned_rows"],
                "additionalProperties": false
            },
            "notes": {
                "type": "array",
                "items": { "type": "string" },
                "description": "What was changed in the statement before it ran"
            }
        },
        "required": ["columns", "types", "rows", "count"],
        "additionalProperties": false
    })),
    hints: Hints { read_only: true, destructive: false, idempotent: true, open_world: false },
}
});

impl Tool for ExecuteQuery {
    fn definition(&self) -> &Definition {
        &DEFINITION
    }
}

impl Task for ExecuteQuery {
    fn start(&self, env: &mut Env<'_>, call: &Call) -> ToolStep {
        attempt(env, call, 1)
    }

    fn resume(&self, env: &mut Env<'_>, call: &Call, state: ToolState, moment: Moment) -> ToolStep {
        let outcome = match moment {
            Moment::Queried(outcome) => outcome,
            Moment::Fetched(_) | Moment::Answered(_) | Moment::Woken => {
                return ToolStep::Done(CallResult::Failed("the query was interrupted: try again".into()));
            }
        };
        let attempts = state.as_u64().unwrap_or(MOST_ATTEMPTS);
        let mut sent = None;
        if let Outcome::Exception(exception) = &outcome {
            // Planned from the same facts, it is the request that was refused, but for its query_id.
            sent = arguments(call).ok().and_then(|asked| asked.plan(env, call).ok()).map(|plan| plan.request);
            if attempts < MOST_ATTEMPTS
                && let Some(request) = &sent
                && learn(env, call, request, exception)
            {
                return attempt(env, call, attempts + 1);
            }
        }
        ToolStep::Done(result(call, outcome, sent.as_ref()))
    }
}

fn attempt(env: &mut Env<'_>, call: &Call, attempts: u64) -> ToolStep {
    let asked = match arguments(call) {
        Ok(asked) => asked,
        Err(reason) => return ToolStep::Done(CallResult::BadArguments(reason)),
    };
    match asked.plan(env, call) {
        Ok(plan) => ToolStep::Query(Box::new(plan.request), plan.limits, json!(attempts)),
        Err(reason) => ToolStep::Done(CallResult::Failed(reason)),
    }
}

/// The arguments, checked against the input schema.
struct Asked {
    query: String,
    limit: Option<u64>,
}

fn arguments(call: &Call) -> Result<Asked, String> {
    let arguments: &Params = &call.arguments;
    if let Some(unknown) = arguments.keys().find(|name| !matches!(name.as_str(), "query" | "limit")) {
        return Err(format!("there is no argument {unknown:?}: `query` and `limit` are all"));
    }
    let query = match arguments.get("query") {
        Some(Value::String(query)) => query.clone(),
        Some(_) => return Err("`query` must be a string".into()),
        None => return Err("`query` is missing: one read-only SQL statement".into()),
    };
    let limit = match arguments.get("limit") {
        None | Some(Value::Null) => None,
        Some(limit) => Some(whole(limit).ok_or("`limit` must be a whole number of at least 1")?),
    };
    Ok(Asked { query, limit })
}

/// Whether a setting says in which zone times are shown.
pub(crate) fn is_time_zone(setting: &str) -> bool {
    setting.eq_ignore_ascii_case("session_timezone")
}

/// A whole number of at least one; `10.0` is one too, since some clients know no integers.
fn whole(value: &Value) -> Option<u64> {
    let number = value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        (number.fract() == 0.0 && (1.0..9e15).contains(&number)).then_some(number as u64)
    })?;
    (number >= 1).then_some(number)
}

impl Asked {
    fn parse_sql(&self, call: &Call) -> Result<ReadOnlySql, String> {
        let rules = Rules {
            allowed_settings: &call.config.server.tool_input_settings,
            max_length: call.config.clickhouse.max_query_length.unwrap_or(usize::MAX),
        };
        let sql = ReadOnlySql::parse(&self.query, &rules).map_err(|refusal| refusal.to_string())?;
        // Over the native protocol times come as numbers, and nothing tells us in which zone this one statement wants
        // to see them.
        let native = call.access.endpoint.scheme.protocol() == Protocol::Tcp;
        if native && sql.settings().iter().any(|name| is_time_zone(name)) {
            return Err(
                "`session_timezone` cannot be set in a statement here: use `toTimeZone(column, 'zone')`"
                    .into(),
            );
        }
        Ok(sql)
    }

    fn plan(&self, env: &mut Env<'_>, call: &Call) -> Result<Plan, String> {
        let sql = self.parse_sql(call)?;
        Ok(Plan::new(env, call, "execute_query", Statement::ReadOnly(sql), self.limit))
    }

    /// What was changed before the statement ran.
    fn notes(&self, call: &Call) -> Vec<String> {
        let dropped = self.parse_sql(call).ok().and_then(|sql| sql.dropped_format().map(str::to_owned));
        dropped
            .map(|format| {
                format!("The clause FORMAT {format} was dropped: results always come in this shape.")
            })
            .into_iter()
            .collect()
    }
}

fn result(call: &Call, outcome: Outcome, sent: Option<&QueryRequest>) -> CallResult {
    match outcome {
        Outcome::Exception(exception) => {
            let sent = sent.and_then(|request| match &request.statement {
                Statement::ReadOnly(sql) => Some((sql, request.inner)),
                Statement::Writable(_) => None,
            });
            CallResult::Failed(explain(call, sent, &exception))
        }
        // Whatever listens at an address that a token chose, its words are not for the model.
        Outcome::Broken(_) if !call.access.chosen_by.is_operator() => CallResult::Failed(
            "The query did not finish: the server that the token names could not be reached in the way that the token \
             wants, or did not answer as ClickHouse does."
                .into(),
        ),
        Outcome::Broken(reason) => CallResult::Failed(format!("The query did not finish: {reason}.")),
        Outcome::NoResult => {
            CallResult::Structured("{\"columns\":[],\"types\":[],\"rows\":[],\"count\":0}".into())
        }
        Outcome::Rows { columns, rows, truncated } => {
            let mut text = String::with_capacity(256 + rows.iter().map(|row| row.0.len() + 1).sum::<usize>());
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let types: Vec<&str> = columns.iter().map(|column| column.type_name.as_str()).collect();
            text.push_str(&format!("{{\"columns\":{},\"types\":{},\"rows\":[", json!(names), json!(types)));
            for (at, row) in rows.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&row.0);
            }
            text.push_str(&format!("],\"count\":{}", rows.len()));
            if let Some(cut) = truncated {
                let reason = match cut.reason {
                    TruncationReason::Rows => "rows",
                    TruncationReason::Bytes => "bytes",
                };
                let (limit, returned_rows) = (cut.limit, cut.returned_rows);
                let cut = json!({ "reason": reason, "limit": limit, "returned_rows": returned_rows });
                text.push_str(&format!(",\"truncated\":{cut}"));
            }
            let notes = arguments(call).map(|asked| asked.notes(call)).unwrap_or_default();
            if !notes.is_empty() {
                text.push_str(&format!(",\"notes\":{}", json!(notes)));
            }
            text.push('}');
            CallResult::Structured(text)
        }
    }
}
