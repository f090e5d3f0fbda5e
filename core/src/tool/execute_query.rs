//! `execute_query`: one read-only statement, as the person who asks, cut to a size that a model can read.

use serde_json::{Value, json};

use super::arguments::Arguments;
use super::inquiry::{Answer, Inquiry, Turn};
use super::plan::Question;
use super::table_answer::{self, table};
use super::{Call, Tool};
use crate::clickhouse::{Outcome, Protocol, Statement};
use crate::config::Config;
use crate::env::Env;
use crate::mcp::{CallResult, Definition, Hints};
use crate::sql::{ReadOnlySql, Rules};

/// The tool.
pub struct ExecuteQuery {
    definition: Definition,
}

impl ExecuteQuery {
    /// The tool as the configuration wants it.
    pub fn new(_: &Config) -> Self {
        Self { definition: definition() }
    }
}

fn definition() -> Definition {
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
    output_schema: Some(table_answer::schema()),
    hints: Hints { read_only: true, destructive: false, idempotent: true, open_world: false },
}
}

impl Tool for ExecuteQuery {
    fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Inquiry for ExecuteQuery {
    fn name(&self) -> &str {
        &self.definition.name
    }

    fn question(&self, call: &Call, _: &Value) -> Result<Question, CallResult> {
        let asked = Asked::read(call).map_err(CallResult::BadArguments)?;
        let statement = Statement::ReadOnly(asked.parse_sql(call).map_err(CallResult::Failed)?);
        Ok(Question { rows: asked.limit, ..Question::new(statement) })
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, _: Value, answer: Answer) -> Turn {
        if let Some(reason) = answer.failure(call) {
            return Turn::Done(CallResult::Failed(reason));
        }
        Turn::Done(match &answer.outcome {
            Outcome::Rows { columns, rows, truncated } => {
                table(columns, rows, *truncated, &notes(&answer.sent.statement))
            }
            Outcome::NoResult | Outcome::Exception(_) | Outcome::Broken(_) => table(&[], &[], None, &[]),
        })
    }
}

/// The arguments, checked against the input schema.
struct Asked {
    query: String,
    limit: Option<u64>,
}

/// Whether a setting says in which zone times are shown.
pub(crate) fn is_time_zone(setting: &str) -> bool {
    setting.eq_ignore_ascii_case("session_timezone")
}

impl Asked {
    fn read(call: &Call) -> Result<Self, String> {
        let arguments = Arguments::read(&call.arguments, &["query", "limit"])?;
        let query = arguments.needed("query", "one read-only SQL statement")?.to_owned();
        Ok(Self { query, limit: arguments.whole("limit")? })
    }

    fn parse_sql(&self, call: &Call) -> Result<ReadOnlySql, String> {
        let rules = Rules::of(&call.config);
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
}

/// What was changed before the statement ran.
fn notes(statement: &Statement) -> Vec<String> {
    let dropped = match statement {
        Statement::ReadOnly(sql) => sql.dropped_format(),
        Statement::Writable(_) => None,
    };
    dropped
        .map(|format| format!("The clause FORMAT {format} was dropped: results always come in this shape."))
        .into_iter()
        .collect()
}
