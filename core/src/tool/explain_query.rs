//! `explain_query`: how ClickHouse would run a SELECT, without running it.

use serde_json::{Value, json};

use super::arguments::Arguments;
use super::asked::{self, Asked};
use super::inquiry::{Answer, Inquiry, Turn};
use super::plan::Question;
use super::table_answer::{told, truncated_schema};
use super::{Call, Tool};
use crate::clickhouse::{Column, Lines, Outcome, Statement};
use crate::config::Config;
use crate::env::Env;
use crate::mcp::{CallResult, Definition, Hints};
use crate::sql::{ReadOnlySql, Rules, StatementKind};

/// The kinds, and how they are asked for.
const KINDS: [(&str, &str); 7] = [
    ("plan", "EXPLAIN PLAN"),
    ("pipeline", "EXPLAIN PIPELINE"),
    ("syntax", "EXPLAIN SYNTAX"),
    ("estimate", "EXPLAIN ESTIMATE"),
    ("indexes", "EXPLAIN PLAN indexes = 1"),
    ("query_tree", "EXPLAIN QUERY TREE"),
    ("ast", "EXPLAIN AST"),
];
/// Bytes that a statement gains by it.
const LONGEST_PREFIX: usize = 32;

/// The tool.
pub struct ExplainQuery {
    definition: Definition,
}

impl ExplainQuery {
    /// The tool as the configuration wants it.
    pub fn new(config: &Config) -> Self {
        Self { definition: definition(config) }
    }
}

fn definition(config: &Config) -> Definition {
    let mut properties = asked::properties(config, "The SELECT to explain, without EXPLAIN before it");
    let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
    properties.insert(
        "kind".into(),
        json!({
            "type": "string",
            "enum": kinds,
            "default": "plan",
            "description": "plan: the steps; indexes: the steps and which parts and granules are read; estimate: rows, \
                marks and parts to read; pipeline: processors and threads; syntax: the query as rewritten; query_tree: \
                after analysis; ast: as parsed"
        }),
    );
    Definition {
        name: "explain_query".into(),
        title: "Explain Query".into(),
        description: "Shows how ClickHouse would run a SELECT, as the person who asks, without running it. To find out \
            why a query is slow, begin with the kinds `indexes` and `estimate`."
            .into(),
        input_schema: json!({
            "type": "object",
            "properties": properties,
            "required": ["query"],
            "additionalProperties": false
        }),
        output_schema: Some(json!({
            "type": "object",
            "properties": {
                "kind": { "type": "string", "description": "The kind that was asked for" },
                "lines": {
                    "type": "array",
                    "items": { "type": "string" },
                    "description": "The explanation, line by line"
                },
                "truncated": truncated_schema()
            },
            "required": ["kind", "lines"],
            "additionalProperties": false
        })),
        hints: Hints { read_only: true, destructive: false, idempotent: true, open_world: false },
    }
}

impl Tool for ExplainQuery {
    fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Inquiry for ExplainQuery {
    fn name(&self) -> &str {
        &self.definition.name
    }

    fn question(&self, call: &Call, _: &Value) -> Result<Question, CallResult> {
        let (_, prefix) = kind(call).map_err(CallResult::BadArguments)?;
        let asked = Asked::read(call, "the SELECT to explain", "kind").map_err(CallResult::BadArguments)?;
        let sql = asked.reading(call).map_err(CallResult::Failed)?;
        if sql.kind() != StatementKind::Select {
            let told = "only a SELECT can be explained: leave out EXPLAIN, SHOW and the like";
            return Err(CallResult::Failed(told.into()));
        }
        let rules = Rules::of(&call.config);
        let rules = Rules { max_length: rules.max_length.saturating_add(LONGEST_PREFIX), ..rules };
        // The text of a SELECT that was checked, which is checked again as what it has become.
        let explained = ReadOnlySql::parse(&format!("{prefix} {}", sql.text()), &rules)
            .map_err(|refusal| CallResult::Failed(refusal.to_string()))?;
        Ok(asked.question(Statement::ReadOnly(explained)))
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, _: Value, answer: Answer) -> Turn {
        if let Some(reason) = answer.failure(call) {
            return Turn::Done(CallResult::Failed(reason));
        }
        let kind = kind(call).map_or("plan", |(kind, _)| kind);
        let (lines, truncated) = match &answer.outcome {
            Outcome::Rows { columns, rows, truncated } => (lines(columns, rows), *truncated),
            Outcome::NoResult | Outcome::Exception(_) | Outcome::Broken(_) | Outcome::Opaque { .. } => {
                (Vec::new(), None)
            }
        };
        let mut result = json!({ "kind": kind, "lines": lines });
        if let (Some(cut), Value::Object(members)) = (truncated, &mut result) {
            members.insert("truncated".into(), told(cut));
        }
        Turn::Done(CallResult::Structured(result.to_string()))
    }
}

/// The kind that is asked for.
fn kind(call: &Call) -> Result<(&'static str, &'static str), String> {
    let wanted = Arguments::any(&call.arguments).text("kind")?.unwrap_or("plan");
    KINDS.into_iter().find(|(kind, _)| *kind == wanted).ok_or_else(|| {
        let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        format!("`kind` is none of `{}`", kinds.join("`, `"))
    })
}

/// One column is text as it is; several, as an estimate has, are named.
fn lines(columns: &[Column], rows: &Lines) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows.iter() {
        let cells: Vec<Value> = serde_json::from_str(row).unwrap_or_default();
        let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        match cells.as_slice() {
            [only] => lines.extend(text(only).lines().map(str::to_owned)),
            cells => {
                let named =
                    columns.iter().zip(cells).map(|(column, cell)| format!("{}={}", column.name, text(cell)));
                lines.push(named.collect::<Vec<_>>().join(" "));
            }
        }
    }
    lines
}
