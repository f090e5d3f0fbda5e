//! `list_databases`: where to look.

use serde_json::{Map, Value, json};

use super::super::arguments::Arguments;
use super::super::inquiry::{Answer, Inquiry, Turn};
use super::super::plan::Question;
use super::super::table_answer::{told, truncated_schema};
use super::super::{Call, Tool};
use super::catalogue::{self, Age, LOOKS, Members};
use crate::env::Env;
use crate::mcp::{CallResult, Definition};

/// The tool.
pub struct ListDatabases {
    definition: Definition,
}

impl Default for ListDatabases {
    fn default() -> Self {
        Self { definition: definition() }
    }
}

fn definition() -> Definition {
    let database = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "The database" },
            "engine": { "type": "string", "description": "Its engine" },
            "comment": { "type": "string", "description": "The comment of whoever made it" },
            "tables": { "type": "integer", "description": "How many of its tables and views the caller may see" }
        },
        "required": ["name", "engine", "tables"],
        "additionalProperties": false
    });
    let mut result = Map::new();
    result.insert("databases".into(), json!({ "type": "array", "items": database }));
    result.insert("truncated".into(), truncated_schema());
    Definition {
        name: "list_databases".into(),
        title: "List Databases".into(),
        description:
            "Lists the databases that the person who asks may see, with engine, comment and the number of \
            tables. Go on with `list_tables` or `search_schema`."
                .into(),
        input_schema: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
        output_schema: Some(catalogue::object(result, &["databases"])),
        hints: LOOKS,
    }
}

impl Tool for ListDatabases {
    fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Inquiry for ListDatabases {
    fn name(&self) -> &str {
        &self.definition.name
    }

    fn question(&self, call: &Call, carried: &Value) -> Result<Question, CallResult> {
        Arguments::read(&call.arguments, &[]).map_err(CallResult::BadArguments)?;
        let comment = age(carried).comment("comment");
        catalogue::ours(
            &format!(
                "SELECT name, engine, {comment}, tables FROM system.databases LEFT JOIN (SELECT database AS name, \
                 count() AS tables FROM system.tables GROUP BY database) AS counted USING name ORDER BY name"
            ),
            Vec::new(),
        )
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, carried: Value, answer: Answer) -> Turn {
        if let Some(older) = age(&carried).older(&answer) {
            return Turn::Ask(json!(older));
        }
        if let Some(reason) = answer.failure(call) {
            return Turn::Done(CallResult::Failed(reason));
        }
        let (rows, truncated) = catalogue::rows(&answer);
        let databases = rows.iter().map(|row| {
            Members::default()
                .with("name", row.text(0))
                .with("engine", row.text(1))
                .filled("comment", row.text(2))
                .number("tables", Some(row.number(3).unwrap_or_default()))
                .done()
        });
        let mut result = Members::default().value("databases", databases.collect());
        if let Some(cut) = truncated {
            result = result.value("truncated", told(cut));
        }
        Turn::Done(CallResult::Structured(result.done().to_string()))
    }
}

fn age(carried: &Value) -> Age {
    serde_json::from_value(carried.clone()).unwrap_or_default()
}
