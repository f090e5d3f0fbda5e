//! `list_tables`: a page of tables at a time, in the order of their names. No table is lost or shown twice, however
//! the caps cut a page, as long as none is renamed in between.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::arguments::Arguments;
use super::super::inquiry::{Answer, Inquiry, Turn};
use super::super::plan::Question;
use super::super::{Call, Tool};
use super::catalogue::{self, Age, Cells, LOOKS, Members, NOT_THE_SERVERS_OWN, TABLE_COLUMNS};
use super::cursor::{Cursor, Filters};
use crate::clickhouse::{Parameter, Truncated, TruncationReason};
use crate::env::Env;
use crate::mcp::{CallResult, Definition};

/// Tables on a page.
const PAGE: u64 = 50;
/// The most of them.
const LARGEST_PAGE: u64 = 500;

/// The tool.
pub struct ListTables {
    definition: Definition,
}

impl Default for ListTables {
    fn default() -> Self {
        Self { definition: definition() }
    }
}

fn definition() -> Definition {
    let mut table = catalogue::table_properties();
    let column = catalogue::object(catalogue::column_properties(), &["name", "type"]);
    table.insert(
        "columns".into(),
        json!({ "type": "array", "items": column, "description": "With include_columns, in their order" }),
    );
    let table = catalogue::object(table, &["database", "name", "engine"]);
    let mut result = Map::new();
    result.insert("tables".into(), json!({ "type": "array", "items": table }));
    result.insert(
        "total_tables".into(),
        json!({ "type": "integer", "description": "Tables on all pages together" }),
    );
    result.insert(
        "next_cursor".into(),
        json!({ "type": "string", "description": "Present when there are more: pass it on as cursor" }),
    );
    Definition {
        name: "list_tables".into(),
        title: "List Tables".into(),
        description: "Lists tables and views that the person who asks may see, a page at a time, with engine, comment, \
            size and keys. While `next_cursor` is present there are more: call again with the same arguments and that \
            `cursor`. For one table use `describe_table`; to find tables by a word use `search_schema`."
            .into(),
        input_schema: json!({
            "type": "object",
            "properties": {
                "database": {
                    "type": "string",
                    "description": "Only this database; without it all but those of the server itself"
                },
                "like": {
                    "type": "string",
                    "description": "Only tables whose name fits this SQL LIKE pattern: % is any text, _ any character"
                },
                "not_like": {
                    "type": "string",
                    "description": "Only tables whose name does not fit this SQL LIKE pattern"
                },
                "include_columns": {
                    "type": "boolean",
                    "default": false,
                    "description": "Whether to list the columns of each table, too"
                },
                "page_size": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": LARGEST_PAGE,
                    "default": PAGE,
                    "description": "The most tables to return; a page may end earlier"
                },
                "cursor": {
                    "type": "string",
                    "description": "The next_cursor of the page before"
                }
            },
            "additionalProperties": false
        }),
        output_schema: Some(catalogue::object(result, &["tables", "total_tables"])),
        hints: LOOKS,
    }
}

/// The arguments, checked.
struct Asked<'a> {
    database: Option<&'a str>,
    like: Option<&'a str>,
    not_like: Option<&'a str>,
    columns: bool,
    page: u64,
    after: Option<(String, String)>,
}

impl<'a> Asked<'a> {
    fn read(call: &'a Call) -> Result<Self, String> {
        const KNOWN: [&str; 6] = ["database", "like", "not_like", "include_columns", "page_size", "cursor"];
        let arguments = Arguments::read(&call.arguments, &KNOWN)?;
        let page = arguments.whole("page_size")?.unwrap_or(PAGE);
        if page > LARGEST_PAGE {
            return Err(format!(
                "`page_size` is {page} and may be {LARGEST_PAGE} at most: use `cursor` for more"
            ));
        }
        let mut asked = Self {
            database: arguments.text("database")?.filter(|name| !name.is_empty()),
            like: arguments.text("like")?,
            not_like: arguments.text("not_like")?,
            columns: arguments.flag("include_columns")?.unwrap_or(false),
            page,
            after: None,
        };
        let cursor = arguments.text("cursor")?.filter(|cursor| !cursor.is_empty());
        asked.after = cursor.map(|cursor| Cursor::open(cursor, &asked.filters())).transpose()?;
        Ok(asked)
    }

    fn filters(&self) -> [(&'static str, Option<&'a str>); 3] {
        [("database", self.database), ("like", self.like), ("not_like", self.not_like)]
    }

    /// The condition on tables, whose name is in the column `name`, and its parameters.
    fn condition(&self, name: &str) -> Result<(String, Vec<Parameter>), CallResult> {
        let mut condition = match self.database {
            Some(_) => "database = {database:String}".to_owned(),
            None => NOT_THE_SERVERS_OWN.to_owned(),
        };
        let mut parameters = Vec::new();
        for (filter, value) in self.filters() {
            let Some(value) = value else { continue };
            parameters.push(catalogue::text(filter, value)?);
            match filter {
                "like" => condition.push_str(&format!(" AND {name} LIKE {{like:String}}")),
                "not_like" => condition.push_str(&format!(" AND {name} NOT LIKE {{not_like:String}}")),
                _ => {}
            }
        }
        Ok((condition, parameters))
    }
}

/// What is carried from one answer to the next question.
#[derive(Default, Serialize, Deserialize)]
struct Carried {
    stage: Stage,
    age: Age,
    total: u64,
    tables: Vec<Value>,
    more: bool,
}

#[derive(Default, Serialize, Deserialize)]
enum Stage {
    #[default]
    Count,
    Tables,
    Columns,
}

impl Carried {
    fn of(carried: &Value) -> Self {
        serde_json::from_value(carried.clone()).unwrap_or_default()
    }

    fn ask(self) -> Turn {
        Turn::Ask(json!(self))
    }

    /// Database and name of a table that was found.
    fn last(&self) -> Option<(&str, &str)> {
        let table = self.tables.last()?;
        Some((table.get("database")?.as_str()?, table.get("name")?.as_str()?))
    }
}

impl Tool for ListTables {
    fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Inquiry for ListTables {
    fn name(&self) -> &str {
        &self.definition.name
    }

    fn question(&self, call: &Call, carried: &Value) -> Result<Question, CallResult> {
        let asked = Asked::read(call).map_err(CallResult::BadArguments)?;
        let carried = Carried::of(carried);
        match carried.stage {
            Stage::Count => {
                let (condition, parameters) = asked.condition("name")?;
                catalogue::ours(&format!("SELECT count() FROM system.tables WHERE {condition}"), parameters)
            }
            Stage::Tables => tables(&asked, carried.age),
            Stage::Columns => columns(&asked, &carried),
        }
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, carried: Value, answer: Answer) -> Turn {
        let mut carried = Carried::of(&carried);
        if let Some(older) = carried.age.older(&answer) {
            return Carried { age: older, ..carried }.ask();
        }
        if let Some(reason) = answer.failure(call) {
            return Turn::Done(CallResult::Failed(reason));
        }
        let asked = match Asked::read(call) {
            Ok(asked) => asked,
            Err(reason) => return Turn::Done(CallResult::BadArguments(reason)),
        };
        let (rows, truncated) = catalogue::rows(&answer);
        match carried.stage {
            Stage::Count => {
                let total = rows.first().and_then(|row| row.number(0)).unwrap_or_default();
                Carried { stage: Stage::Tables, total, ..carried }.ask()
            }
            Stage::Tables => {
                if let (Some(cut), true) = (truncated, rows.is_empty()) {
                    return Turn::Done(too_large(cut, "list fewer details"));
                }
                carried.tables = rows.iter().map(|row| catalogue::table_members(row).done()).collect();
                carried.more = truncated.is_some();
                if asked.columns && !carried.tables.is_empty() {
                    return Carried { stage: Stage::Columns, ..carried }.ask();
                }
                Turn::Done(page(&asked, &carried))
            }
            Stage::Columns => {
                if let Some(cut) = truncated {
                    carried.more = true;
                    let kept = whole_tables(&carried.tables, &rows);
                    if kept == 0 {
                        return Turn::Done(too_large(cut, "leave out `include_columns`"));
                    }
                    carried.tables.truncate(kept);
                }
                add_columns(&mut carried.tables, &rows);
                Turn::Done(page(&asked, &carried))
            }
        }
    }
}

fn tables(asked: &Asked<'_>, age: Age) -> Result<Question, CallResult> {
    let (mut condition, mut parameters) = asked.condition("name")?;
    if let Some((database, name)) = &asked.after {
        condition.push_str(" AND (database, name) > ({after_database:String}, {after_name:String})");
        parameters.push(catalogue::text("after_database", database)?);
        parameters.push(catalogue::text("after_name", name)?);
    }
    // One more, so that the last page is known by its end.
    parameters.push(catalogue::text("page", &(asked.page + 1).to_string())?);
    let comment = age.comment("comment");
    let sql = format!(
        "SELECT database, name, engine, {comment}, {TABLE_COLUMNS} FROM system.tables WHERE {condition} \
         ORDER BY database, name LIMIT {{page:UInt64}}"
    );
    Ok(Question { rows: Some(asked.page), ..catalogue::ours(&sql, parameters)? })
}

/// A row for each table of the page, which is a range of the list.
fn columns(asked: &Asked<'_>, carried: &Carried) -> Result<Question, CallResult> {
    let (mut condition, mut parameters) = asked.condition("table")?;
    if let Some((database, name)) = &asked.after {
        condition.push_str(" AND (database, table) > ({after_database:String}, {after_name:String})");
        parameters.push(catalogue::text("after_database", database)?);
        parameters.push(catalogue::text("after_name", name)?);
    }
    let (database, name) = carried.last().unwrap_or_default();
    condition.push_str(" AND (database, table) <= ({last_database:String}, {last_name:String})");
    parameters.push(catalogue::text("last_database", database)?);
    parameters.push(catalogue::text("last_name", name)?);
    let in_order =
        |column: &str| format!("arraySort((x, at) -> at, groupArray({column}), groupArray(position))");
    let columns = ["name", "type", "default_kind", "default_expression", "comment"].map(in_order).join(", ");
    let sql = format!(
        "SELECT database, table, {columns} FROM system.columns WHERE {condition} GROUP BY database, table \
         ORDER BY database, table"
    );
    catalogue::ours(&sql, parameters)
}

/// How many tables of the page come before the one whose columns the answer no longer had.
fn whole_tables(tables: &[Value], rows: &[Cells]) -> usize {
    let Some(last) = rows.last() else { return 0 };
    let last = (last.text(0), last.text(1));
    tables.iter().take_while(|table| name_of(table) <= last).count()
}

fn name_of(table: &Value) -> (&str, &str) {
    let text = |member: &str| table.get(member).and_then(Value::as_str).unwrap_or_default();
    (text("database"), text("name"))
}

fn add_columns(tables: &mut [Value], rows: &[Cells]) {
    for table in tables {
        let row = rows.iter().find(|row| (row.text(0), row.text(1)) == name_of(table));
        let columns: Vec<Value> = row.map(columns_of).unwrap_or_default();
        if let Value::Object(members) = table {
            members.insert("columns".into(), Value::Array(columns));
        }
    }
}

fn columns_of(row: &Cells) -> Vec<Value> {
    let details = [row.texts(3), row.texts(4), row.texts(5), row.texts(6)];
    let names = row.texts(2).into_iter().enumerate();
    let column = |(at, name): (usize, &str)| {
        let [kind, default, expression, comment] =
            details.each_ref().map(|texts| texts.get(at).copied().unwrap_or_default());
        Members::default()
            .with("name", name)
            .with("type", kind)
            .filled("default_kind", default)
            .filled("default_expression", expression)
            .filled("comment", comment)
            .done()
    };
    names.map(column).collect()
}

fn page(asked: &Asked<'_>, carried: &Carried) -> CallResult {
    let mut result = Members::default()
        .value("tables", Value::Array(carried.tables.clone()))
        .number("total_tables", Some(carried.total));
    if let (true, Some((database, name))) = (carried.more, carried.last()) {
        let filters: &Filters<'_> = &asked.filters();
        result = result.with("next_cursor", &Cursor::after(database, name, filters).encode());
    }
    CallResult::Structured(result.done().to_string())
}

/// Not even one table fits.
fn too_large(cut: Truncated, advice: &str) -> CallResult {
    let unit = match cut.reason {
        TruncationReason::Rows => "rows",
        TruncationReason::Bytes => "bytes",
    };
    CallResult::Failed(format!(
        "the next table alone is larger than the operator's cap of {} {unit}: {advice}, or use `describe_table`",
        cut.limit
    ))
}
