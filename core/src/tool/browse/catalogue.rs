//! What the tools that browse share: statements of our own, old servers, rows as values.

use serde_json::{Map, Value, json};

use super::super::inquiry::Answer;
use super::super::plan::Question;
use crate::clickhouse::{Outcome, Parameter, ParameterError, Statement, Truncated};
use crate::mcp::{CallResult, Hints};
use crate::sql::{ReadOnlySql, Rules};

/// Hints of tools that only look.
pub(super) const LOOKS: Hints =
    Hints { read_only: true, destructive: false, idempotent: true, open_world: false };

/// Databases of the server's own, which are shown only to who asks for them by name.
pub(super) const NOT_THE_SERVERS_OWN: &str =
    "database NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA')";

/// Which columns of the system tables there are. Asked for those of a newer server, an older one answers with
/// [`lacks_columns`], and is then asked for its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Age {
    /// With comments on databases and tables.
    #[default]
    New,
    /// From before them: 21.1 has none.
    Old,
}

impl Age {
    /// A column that only newer servers have, as an expression that any has.
    pub(super) fn comment(self, column: &'static str) -> &'static str {
        match self {
            Self::New => column,
            Self::Old => "''",
        }
    }

    /// What to ask for instead, if the answer says that columns are missing.
    pub(super) fn older(self, answer: &Answer) -> Option<Self> {
        match (self, &answer.outcome) {
            // UNKNOWN_IDENTIFIER, NO_SUCH_COLUMN_IN_TABLE and NOT_FOUND_COLUMN_IN_BLOCK.
            (Self::New, Outcome::Exception(exception)) if [47, 16, 10].contains(&exception.code) => {
                Some(Self::Old)
            }
            (Self::New | Self::Old, _) => None,
        }
    }
}

/// A question of our own.
pub(super) fn ours(sql: &str, parameters: Vec<Parameter>) -> Result<Question, CallResult> {
    let statement = ReadOnlySql::parse(sql, &Rules::internal()).map_err(|refusal| {
        CallResult::Failed(format!("a statement of Housekey's own is wrong: {refusal}"))
    })?;
    Ok(Question { parameters, ..Question::new(Statement::ReadOnly(statement)) })
}

/// A parameter with text for its value.
pub(super) fn text(name: &str, value: &str) -> Result<Parameter, CallResult> {
    Parameter::text(name, value).map_err(unsendable)
}

/// A parameter with a JSON value.
pub(super) fn value(name: &str, value: &Value) -> Result<Parameter, CallResult> {
    Parameter::json(name, value).map_err(unsendable)
}

fn unsendable(error: ParameterError) -> CallResult {
    CallResult::Failed(format!("the question cannot be put: {error}"))
}

/// The rows of an answer, each with its cells, and whether they were cut.
pub(super) fn rows(answer: &Answer) -> (Vec<Cells>, Option<Truncated>) {
    match &answer.outcome {
        Outcome::Rows { rows, truncated, .. } => (rows.iter().map(Cells::of).collect(), *truncated),
        Outcome::NoResult | Outcome::Exception(_) | Outcome::Broken(_) | Outcome::Opaque { .. } => {
            (Vec::new(), None)
        }
    }
}

/// One row. What is not of the expected type counts as absent.
pub(super) struct Cells(Vec<Value>);

impl Cells {
    fn of(row: &str) -> Self {
        Self(serde_json::from_str(row).unwrap_or_default())
    }

    /// A text; empty when there is none.
    pub(super) fn text(&self, at: usize) -> &str {
        self.0.get(at).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number, also one of 64 bits, which comes as a string.
    pub(super) fn number(&self, at: usize) -> Option<u64> {
        let value = self.0.get(at)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    /// Texts of an array.
    pub(super) fn texts(&self, at: usize) -> Vec<&str> {
        let elements = self.0.get(at).and_then(Value::as_array).into_iter().flatten();
        elements.map(|element| element.as_str().unwrap_or_default()).collect()
    }
}

/// Members of an object, of which those without content are left out: a model pays for each word.
#[derive(Default)]
pub(super) struct Members(Map<String, Value>);

impl Members {
    /// A text, also an empty one.
    pub(super) fn with(mut self, name: &str, text: &str) -> Self {
        self.0.insert(name.to_owned(), json!(text));
        self
    }

    /// A text, unless it is empty.
    pub(super) fn filled(self, name: &str, text: &str) -> Self {
        if text.is_empty() { self } else { self.with(name, text) }
    }

    /// A number, if there is one.
    pub(super) fn number(mut self, name: &str, number: Option<u64>) -> Self {
        if let Some(number) = number {
            self.0.insert(name.to_owned(), json!(number));
        }
        self
    }

    /// Any value.
    pub(super) fn value(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The object.
    pub(super) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// The properties of a column in an output schema.
pub(super) fn column_properties() -> Map<String, Value> {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let mut properties = Map::new();
    properties.insert("name".into(), text("The column"));
    properties.insert("type".into(), text("Its ClickHouse type"));
    properties.insert("default_kind".into(), text("DEFAULT, MATERIALIZED, ALIAS or EPHEMERAL"));
    properties.insert("default_expression".into(), text("The expression of its default"));
    properties.insert("comment".into(), text("The comment of whoever made it"));
    properties
}

/// The properties of a table in an output schema.
pub(super) fn table_properties() -> Map<String, Value> {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let number = |description: &str| json!({ "type": "integer", "description": description });
    let mut properties = Map::new();
    properties.insert("database".into(), text("The database"));
    properties.insert("name".into(), text("The table"));
    properties.insert("engine".into(), text("Its engine; View and its kin are views"));
    properties.insert("comment".into(), text("The comment of whoever made it"));
    properties.insert("total_rows".into(), number("Rows, where the engine knows"));
    properties.insert("total_bytes".into(), number("Bytes on disk or in memory, where the engine knows"));
    properties.insert("sorting_key".into(), text("The columns it is sorted by: filter on the first of them"));
    properties.insert("primary_key".into(), text("The columns of its index"));
    properties.insert("partition_key".into(), text("What it is partitioned by"));
    properties
}

/// The columns of `system.tables` for [`table_members`], after database and name.
pub(super) const TABLE_COLUMNS: &str = "total_rows, total_bytes, sorting_key, primary_key, partition_key";

/// A table from a row of database, name, engine, comment and [`TABLE_COLUMNS`].
pub(super) fn table_members(row: &Cells) -> Members {
    Members::default()
        .with("database", row.text(0))
        .with("name", row.text(1))
        .with("engine", row.text(2))
        .filled("comment", row.text(3))
        .number("total_rows", row.number(4))
        .number("total_bytes", row.number(5))
        .filled("sorting_key", row.text(6))
        .filled("primary_key", row.text(7))
        .filled("partition_key", row.text(8))
}

/// A schema of an object that has all of `required` and perhaps others of `properties`.
pub(super) fn object(properties: Map<String, Value>, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}
