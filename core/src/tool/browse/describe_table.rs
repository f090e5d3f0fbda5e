//! `describe_table`: one table with its columns, or names that are near to the one that is not there.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::arguments::Arguments;
use super::super::inquiry::{Answer, Inquiry, Turn};
use super::super::plan::Question;
use super::super::table_answer::{told, truncated_schema};
use super::super::{Call, Tool};
use super::catalogue::{self, Age, Cells, LOOKS, Members, NOT_THE_SERVERS_OWN, TABLE_COLUMNS};
use crate::clickhouse::Parameter;
use crate::env::Env;
use crate::mcp::{CallResult, Definition};

/// The keys that a column may be in, in the order in which the question asks for them.
const KEYS: [&str; 4] = ["primary", "sorting", "partition", "sampling"];
/// Names that ClickHouse may propose, of which the best are told.
const CANDIDATES: usize = 50;
/// Names that are told.
const PROPOSALS: usize = 3;
/// How alike two names must be, between 0 and 1.
const ALIKE: f64 = 0.75;

/// The tool.
pub struct DescribeTable {
    definition: Definition,
}

impl Default for DescribeTable {
    fn default() -> Self {
        Self { definition: definition() }
    }
}

fn definition() -> Definition {
    let mut column = catalogue::column_properties();
    column.insert(
        "keys".into(),
        json!({
            "type": "array",
            "items": { "type": "string", "enum": KEYS },
            "description": "The keys that the column is a part of"
        }),
    );
    let mut table = catalogue::table_properties();
    table.insert(
        "sampling_key".into(),
        json!({ "type": "string", "description": "The expression that SAMPLE works with" }),
    );
    table.insert(
        "columns".into(),
        json!({
            "type": "array",
            "items": catalogue::object(column, &["name", "type"]),
            "description": "Columns in their order, as far as the caller may see them"
        }),
    );
    table.insert(
        "create".into(),
        json!({ "type": "string", "description": "With include_create, the statement that makes the table" }),
    );
    table.insert("truncated".into(), truncated_schema());
    Definition {
        name: "describe_table".into(),
        title: "Describe Table".into(),
        description:
            "Describes one table or view that the person who asks may see: columns with types, defaults, \
            comments and keys, and the table's engine, keys and size. Look here before you write a query."
                .into(),
        input_schema: json!({
            "type": "object",
            "properties": {
                "table": { "type": "string", "description": "The table's name, without its database and without quotes" },
                "database": {
                    "type": "string",
                    "description": "The table's database; without it the default database of the connection"
                },
                "include_create": {
                    "type": "boolean",
                    "default": false,
                    "description": "Whether to return the CREATE statement, too"
                }
            },
            "required": ["table"],
            "additionalProperties": false
        }),
        output_schema: Some(catalogue::object(table, &["database", "name", "engine", "columns"])),
        hints: LOOKS,
    }
}

/// The arguments, checked.
struct Asked<'a> {
    table: &'a str,
    /// Without one, where ClickHouse looks for names without a database: only it knows for sure.
    database: Option<&'a str>,
    create: bool,
}

impl<'a> Asked<'a> {
    fn read(call: &'a Call) -> Result<Self, String> {
        let arguments = Arguments::read(&call.arguments, &["table", "database", "include_create"])?;
        Ok(Self {
            table: arguments.needed("table", "the name of a table")?,
            database: arguments.text("database")?.filter(|name| !name.is_empty()),
            create: arguments.flag("include_create")?.unwrap_or(false),
        })
    }
}

/// What is carried from one answer to the next question.
#[derive(Default, Serialize, Deserialize)]
struct Carried {
    stage: Stage,
    age: Age,
    table: Value,
}

#[derive(Default, Serialize, Deserialize)]
enum Stage {
    #[default]
    Table,
    Columns,
    Names,
}

impl Carried {
    fn of(carried: &Value) -> Self {
        serde_json::from_value(carried.clone()).unwrap_or_default()
    }

    fn ask(self) -> Turn {
        Turn::Ask(json!(self))
    }
}

impl Tool for DescribeTable {
    fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Inquiry for DescribeTable {
    fn name(&self) -> &str {
        &self.definition.name
    }

    fn question(&self, call: &Call, carried: &Value) -> Result<Question, CallResult> {
        let asked = Asked::read(call).map_err(CallResult::BadArguments)?;
        let carried = Carried::of(carried);
        match carried.stage {
            Stage::Table => table(&asked, carried.age),
            Stage::Columns => {
                let found =
                    |member: &str| carried.table.get(member).and_then(Value::as_str).unwrap_or_default();
                let parameters = vec![
                    catalogue::text("database", found("database"))?,
                    catalogue::text("table", found("name"))?,
                ];
                catalogue::ours(COLUMNS, parameters)
            }
            Stage::Names => names(&asked),
        }
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, carried: Value, answer: Answer) -> Turn {
        let carried = Carried::of(&carried);
        if let Some(older) = carried.age.older(&answer) {
            return Carried { age: older, ..carried }.ask();
        }
        let asked = match Asked::read(call) {
            Ok(asked) => asked,
            Err(reason) => return Turn::Done(CallResult::BadArguments(reason)),
        };
        if let Some(reason) = answer.failure(call) {
            return Turn::Done(CallResult::Failed(match carried.stage {
                // Names are a courtesy: without them it is still not there.
                Stage::Names => absent(&asked, &[]),
                Stage::Table | Stage::Columns => reason,
            }));
        }
        let (rows, truncated) = catalogue::rows(&answer);
        match (carried.stage, rows.first()) {
            (Stage::Table, Some(row)) => {
                let members = catalogue::table_members(row).filled("sampling_key", row.text(9));
                let members = members.filled("create", row.text(10));
                Carried { stage: Stage::Columns, table: members.done(), ..carried }.ask()
            }
            (Stage::Table, None) => Carried { stage: Stage::Names, ..carried }.ask(),
            (Stage::Names, _) => Turn::Done(CallResult::Failed(absent(&asked, &near(&asked, &rows)))),
            (Stage::Columns, _) => {
                let mut table = carried.table;
                if let Value::Object(members) = &mut table {
                    members.insert("columns".into(), rows.iter().map(column).collect());
                    if let Some(cut) = truncated {
                        members.insert("truncated".into(), told(cut));
                    }
                }
                Turn::Done(CallResult::Structured(table.to_string()))
            }
        }
    }
}

fn table(asked: &Asked<'_>, age: Age) -> Result<Question, CallResult> {
    let mut parameters: Vec<Parameter> = vec![catalogue::text("table", asked.table)?];
    let database = match asked.database {
        Some(database) => {
            parameters.push(catalogue::text("database", database)?);
            "{database:String}"
        }
        None => "currentDatabase()",
    };
    let comment = age.comment("comment");
    let create = if asked.create { "create_table_query" } else { "''" };
    let sql = format!(
        "SELECT database, name, engine, {comment}, {TABLE_COLUMNS}, sampling_key, {create} FROM system.tables \
         WHERE database = {database} AND name = {{table:String}} LIMIT 1"
    );
    catalogue::ours(&sql, parameters)
}

const COLUMNS: &str = "SELECT name, type, default_kind, default_expression, comment, is_in_primary_key, \
    is_in_sorting_key, is_in_partition_key, is_in_sampling_key FROM system.columns WHERE database = {database:String} \
    AND table = {table:String} ORDER BY position";

fn column(row: &Cells) -> Value {
    let members = Members::default()
        .with("name", row.text(0))
        .with("type", row.text(1))
        .filled("default_kind", row.text(2))
        .filled("default_expression", row.text(3))
        .filled("comment", row.text(4));
    let keys: Vec<&str> =
        KEYS.into_iter().zip(5..).filter(|(_, at)| row.number(*at) == Some(1)).map(|(key, _)| key).collect();
    if keys.is_empty() { members.done() } else { members.value("keys", json!(keys)).done() }
}

/// Tables with names that have pieces in common with the one that was asked for, the nearest first.
fn names(asked: &Asked<'_>) -> Result<Question, CallResult> {
    let sql = format!(
        "SELECT database, name FROM system.tables WHERE {NOT_THE_SERVERS_OWN} \
         ORDER BY ngramDistanceCaseInsensitiveUTF8(name, {{table:String}}), database, name LIMIT {CANDIDATES}"
    );
    catalogue::ours(&sql, vec![catalogue::text("table", asked.table)?])
}

/// Those of them that a person might have meant.
fn near(asked: &Asked<'_>, rows: &[Cells]) -> Vec<String> {
    // Models like to write `database.table` where the table alone belongs.
    let wanted = asked.table.rsplit('.').next().unwrap_or(asked.table).to_lowercase();
    let mut near: Vec<(f64, String)> = rows
        .iter()
        .map(|row| {
            let likeness = strsim::jaro_winkler(&wanted, &row.text(1).to_lowercase());
            (likeness, format!("{}.{}", row.text(0), row.text(1)))
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    near.into_iter().take(PROPOSALS).map(|(_, name)| name).collect()
}

fn absent(asked: &Asked<'_>, near: &[String]) -> String {
    let place = match asked.database {
        Some(database) => format!("in the database {database}"),
        None => "in the default database".to_owned(),
    };
    let advice = match near {
        [] => "use list_tables or search_schema to find it".to_owned(),
        near => format!("near it are {}", near.join(", ")),
    };
    format!("There is no table {} {place} that you may see: {advice}.", asked.table)
}
