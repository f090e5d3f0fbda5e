//! `execute_query`: one read-only statement, as the person who asks, cut to a size that a model can read.

use serde_json::{Value, json};

use super::asked::{self, Asked, LIMIT, notes};
use super::inquiry::{Answer, Inquiry, Turn};
use super::plan::Question;
use super::table_answer::{self, table};
use super::{Call, Tool};
use crate::clickhouse::{Lines, Outcome, Statement};
use crate::config::Config;
use crate::env::Env;
use crate::mcp::{CallResult, Definition, Hints};

/// The tool.
pub struct ExecuteQuery {
    definition: Definition,
}

impl ExecuteQuery {
    /// The tool as the configuration wants it.
    pub fn new(config: &Config) -> Self {
        Self { definition: definition(config) }
    }
}

fn definition(config: &Config) -> Definition {
    let mut properties = asked::properties(config, "One read-only SQL statement in ClickHouse's dialect");
    properties.insert(LIMIT.into(), asked::limit());
    Definition {
        name: "execute_query".into(),
        title: "Execute SQL Query".into(),
        description: "Runs one read-only ClickHouse SQL statement (SELECT, WITH, SHOW, DESCRIBE, EXISTS or EXPLAIN) \
            with the rights of the person who asks, and returns columns, types and rows. Rows and bytes are capped; \
            when `truncated` is present the answer was cut, so aggregate, filter or use LIMIT and OFFSET. Integers of \
            64 bits and more and decimals are strings. Leave out FORMAT and the final semicolon."
            .into(),
        input_schema: json!({
            "type": "object",
            "properties": properties,
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
        let asked =
            Asked::read(call, "one read-only SQL statement", LIMIT).map_err(CallResult::BadArguments)?;
        let statement = Statement::ReadOnly(asked.reading(call).map_err(CallResult::Failed)?);
        Ok(asked.question(statement))
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, _: Value, answer: Answer) -> Turn {
        if let Some(reason) = answer.failure(call) {
            return Turn::Done(CallResult::Failed(reason));
        }
        Turn::Done(match &answer.outcome {
            Outcome::Rows { columns, rows, truncated } => {
                table(columns, rows, *truncated, &notes(&answer.sent.statement))
            }
            Outcome::NoResult | Outcome::Exception(_) | Outcome::Broken(_) | Outcome::Opaque { .. } => {
                table(&[], &Lines::default(), None, &[])
            }
        })
    }
}
