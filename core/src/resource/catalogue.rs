//! `clickhouse://schema`: every table that the caller may see, with what helps to choose one.

use serde_json::{Map, Value, json};

use super::uri::Named;
use super::{READ, Resource};
use crate::clickhouse::{Column, Lines, Outcome};
use crate::env::Env;
use crate::mcp::{Address, CallResult, ResourceDefinition, read_result};
use crate::tool::{Answer, Call, Inquiry, Question, Turn, told_of_cut};

const URI: &str = "clickhouse://schema";
const JSON: &str = "application/json";

/// The tables of the databases that hold somebody's data.
const TABLES: &str = "SELECT database, name, engine, comment, total_rows FROM system.tables \
    WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') AND NOT is_temporary \
    ORDER BY database, name";
/// The same from servers that know neither comments nor row counts (ClickHouse before 21).
const TABLES_OF_OLD: &str = "SELECT database, name, engine FROM system.tables \
    WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') AND NOT is_temporary \
    ORDER BY database, name";
/// `UNKNOWN_IDENTIFIER` and `NO_SUCH_COLUMN_IN_TABLE` (ClickHouse, error codes).
const UNKNOWN_COLUMN: [i32; 2] = [47, 16];

/// The resource.
pub struct Catalogue {
    definition: ResourceDefinition,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            definition: ResourceDefinition {
                address: Address::Uri(URI.into()),
                name: "database_catalog".into(),
                title: "Database Catalog".into(),
                description:
                    "The tables that you may see, by database, with engine, comment and number of rows. \
                    System databases are left out"
                        .into(),
                mime_type: JSON.into(),
            },
        }
    }
}

impl Resource for Catalogue {
    fn definition(&self) -> &ResourceDefinition {
        &self.definition
    }

    fn serves(&self, uri: &str) -> bool {
        Named::parse(uri) == Some(Named::Schema)
    }
}

impl Inquiry for Catalogue {
    fn name(&self) -> &str {
        READ
    }

    fn begin(&self, _: &mut Env<'_>, _: &Call) -> Turn {
        Turn::Ask(json!(TABLES))
    }

    fn question(&self, _: &Call, carried: &Value) -> Result<Question, CallResult> {
        let sql = if carried == TABLES { TABLES } else { TABLES_OF_OLD };
        Question::own(sql, &[])
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, carried: Value, answer: Answer) -> Turn {
        if let Outcome::Exception(exception) = &answer.outcome
            && UNKNOWN_COLUMN.contains(&exception.code)
            && carried == TABLES
        {
            return Turn::Ask(json!(TABLES_OF_OLD));
        }
        if let Some(reason) = answer.failure(call) {
            return Turn::Done(CallResult::Failed(reason));
        }
        let Outcome::Rows { columns, rows, truncated } = &answer.outcome else {
            return Turn::Done(CallResult::Failed("ClickHouse did not list its tables".into()));
        };
        let mut text = Map::new();
        text.insert("count".into(), json!(rows.len()));
        text.insert("tables".into(), objects(columns, rows));
        if let Some(cut) = truncated {
            text.insert("truncated".into(), told_of_cut(*cut));
            text.insert(
                "hint".into(),
                json!("There are more tables: page through them with the tool list_tables."),
            );
        }
        // Said back as it came, since clients look an answer up by it.
        let uri = call.arguments.get("uri").and_then(Value::as_str).unwrap_or(URI);
        Turn::Done(CallResult::Structured(read_result(uri, JSON, &Value::Object(text).to_string())))
    }
}

/// Rows as objects with the names of their columns. Numbers that came as text, since they could be of 64 bits, are
/// numbers again: all of them count rows.
pub(super) fn objects(columns: &[Column], rows: &Lines) -> Value {
    let object = |row: &str| {
        let values: Vec<Value> = serde_json::from_str(row).unwrap_or_default();
        let named = columns.iter().zip(values).map(|(column, value)| {
            let counted = column.type_name.contains("UInt64");
            let number = value.as_str().filter(|_| counted).and_then(|text| text.parse::<u64>().ok());
            (column.name.clone(), number.map_or(value, Value::from))
        });
        Value::Object(named.collect())
    };
    rows.iter().map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_numbers_and_names_stay_texts() {
        let column = |name: &str, kind: &str| Column { name: name.to_owned(), type_name: kind.to_owned() };
        let columns = [column("name", "String"), column("total_rows", "Nullable(UInt64)")];
        let rows = [r#"["12","34"]"#, r#"["x",null]"#].iter().collect();
        let wanted = json!([{ "name": "12", "total_rows": 34 }, { "name": "x", "total_rows": null }]);
        assert_eq!(objects(&columns, &rows), wanted);
    }
}
