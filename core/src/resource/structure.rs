//! `clickhouse://table/{database}/{table}`: the columns of a table, and which of them are parts of its keys.

use serde_json::{Map, Value, json};

use super::catalogue::objects;
use super::uri::Named;
use super::{READ, Resource};
use crate::clickhouse::Outcome;
use crate::completion::{Complete, Completion, Names};
use crate::env::Env;
use crate::mcp::{Address, CallResult, ResourceDefinition, read_result};
use crate::tool::{Answer, Call, Inquiry, Question, Turn, told_of_cut};

const JSON: &str = "application/json";

/// The server lists the columns of one table in the order in which the table has them.
const COLUMNS: &str = "SELECT name, type, default_kind, default_expression, comment, is_in_partition_key, \
    is_in_sorting_key, is_in_primary_key, is_in_sampling_key FROM system.columns \
    WHERE database = {database:String} AND table = {table:String}";

/// The family of resources.
pub struct TableStructure {
    definition: ResourceDefinition,
}

impl Default for TableStructure {
    fn default() -> Self {
        Self {
            definition: ResourceDefinition {
                address: Address::Template("clickhouse://table/{database}/{table}".into()),
                name: "table_structure".into(),
                title: "Table Structure".into(),
                description:
                    "The columns of a table: types, defaults, comments, and which are parts of its keys"
                        .into(),
                mime_type: JSON.into(),
            },
        }
    }
}

impl Resource for TableStructure {
    fn definition(&self) -> &ResourceDefinition {
        &self.definition
    }

    fn serves(&self, uri: &str) -> bool {
        matches!(Named::parse(uri), Some(Named::Table { .. }))
    }

    fn completion(&self, variable: &str) -> Option<Completion> {
        match variable {
            "database" => Some(Complete::task(Names::Databases)),
            "table" => Some(Complete::task(Names::Tables)),
            _ => None,
        }
    }
}

impl Inquiry for TableStructure {
    fn name(&self) -> &str {
        READ
    }

    fn question(&self, call: &Call, _: &Value) -> Result<Question, CallResult> {
        let uri = uri(call);
        match Named::parse(uri) {
            Some(Named::Table { database, table }) => {
                Question::own(COLUMNS, &[("database", &database), ("table", &table)])
            }
            Some(Named::Schema) | None => Err(CallResult::Absent(uri.to_owned())),
        }
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, _: Value, answer: Answer) -> Turn {
        if let Some(reason) = answer.failure(call) {
            return Turn::Done(CallResult::Failed(reason));
        }
        let uri = uri(call);
        let Outcome::Rows { columns, rows, truncated } = &answer.outcome else {
            return Turn::Done(CallResult::Absent(uri.to_owned()));
        };
        let (Some(Named::Table { database, table }), true) =
            (Named::parse(uri), !rows.is_empty() || truncated.is_some())
        else {
            // To a caller, a table that they may not see is one that is not there.
            return Turn::Done(CallResult::Absent(uri.to_owned()));
        };
        let mut text = Map::new();
        text.insert("database".into(), json!(database));
        text.insert("table".into(), json!(table));
        text.insert("count".into(), json!(rows.len()));
        text.insert("columns".into(), objects(columns, rows));
        if let Some(cut) = truncated {
            text.insert("truncated".into(), told_of_cut(*cut));
            text.insert("hint".into(), json!("There are more columns: see the tool describe_table."));
        }
        Turn::Done(CallResult::Structured(read_result(uri, JSON, &Value::Object(text).to_string())))
    }
}

fn uri(call: &Call) -> &str {
    call.arguments.get("uri").and_then(Value::as_str).unwrap_or_default()
}
