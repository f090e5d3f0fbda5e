//! `write_query`: one statement that may change data, as the person who asks. Never sent twice once it may have run.

use serde_json::{Value, json};

use super::asked::{self, Asked, LIMIT, notes};
use super::inquiry::{Answer, Inquiry, Turn};
use super::plan::Question;
use super::table_answer::{self, table};
use super::{Call, Tool};
use crate::clickhouse::{Column, Lines, Outcome, Statement};
use crate::config::Config;
use crate::env::Env;
use crate::mcp::{CallResult, Definition, Hints};

/// The tool. A caller who may only read does not have it: see [`super::Table`].
pub struct WriteQuery {
    definition: Definition,
}

impl WriteQuery {
    /// The tool as the configuration wants it.
    pub fn new(config: &Config) -> Self {
        Self { definition: definition(config) }
    }
}

fn definition(config: &Config) -> Definition {
    let mut properties = asked::properties(config, "One SQL statement in ClickHouse's dialect");
    properties.insert(LIMIT.into(), asked::limit());
    let taken_away = if config.clickhouse.allow_destructive {
        "DROP, TRUNCATE, DELETE, UPDATE and the like are allowed where the person has the grants, and cannot be undone."
    } else {
        "DROP, TRUNCATE, DELETE, UPDATE and whatever else takes something away is refused."
    };
    Definition {
        name: "write_query".into(),
        title: "Execute Write Query".into(),
        description: format!(
            "Runs one ClickHouse SQL statement that may change data (INSERT, CREATE, ALTER, OPTIMIZE …) with the \
             rights of the person who asks. {taken_away} For reading alone use `execute_query`. A statement without a \
             result answers with the status OK. Where INSERT … VALUES is refused, use INSERT … SELECT with \
             `parameters`. After a failure in the middle look before you repeat: a part may have been written."
        ),
        input_schema: json!({
            "type": "object",
            "properties": properties,
            "required": ["query"],
            "additionalProperties": false
        }),
        output_schema: Some(table_answer::schema()),
        hints: Hints { read_only: false, destructive: true, idempotent: false, open_world: false },
    }
}

impl Tool for WriteQuery {
    fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Inquiry for WriteQuery {
    fn name(&self) -> &str {
        &self.definition.name
    }

    fn question(&self, call: &Call, _: &Value) -> Result<Question, CallResult> {
        let asked = Asked::read(call, "one SQL statement", LIMIT).map_err(CallResult::BadArguments)?;
        let statement = asked.any(call).map_err(CallResult::Failed)?;
        Ok(asked.question(statement))
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, _: Value, answer: Answer) -> Turn {
        if let Some(mut reason) = answer.failure(call) {
            if let (Statement::Writable(_), Outcome::Broken(_)) = (&answer.sent.statement, &answer.outcome) {
                reason.push_str(" Whether anything was written is not known: look before you repeat it.");
            }
            return Turn::Done(CallResult::Failed(reason));
        }
        Turn::Done(match &answer.outcome {
            Outcome::Rows { columns, rows, truncated } => {
                table(columns, rows, *truncated, &notes(&answer.sent.statement))
            }
            Outcome::NoResult | Outcome::Exception(_) | Outcome::Broken(_) | Outcome::Opaque { .. } => done(),
        })
    }
}

/// What altinity-mcp answers when there is no result.
fn done() -> CallResult {
    let status = Column { name: "status".into(), type_name: "String".into() };
    table(&[status], &Lines::from(r#"["OK"]"#.to_owned()), None, &[])
}
