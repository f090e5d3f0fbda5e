//! What an argument of a prompt or a variable of a resource could be: names of databases, tables and columns that begin
//! like what somebody has typed, as that person sees them.

use std::sync::Arc;

use serde_json::Value;

use crate::clickhouse::Outcome;
use crate::env::Env;
use crate::mcp::{CallResult, MOST_COMPLETIONS, completion_result};
use crate::tool::{Answer, Call, Inquiry, Question, Task, Turn};

/// What the query log calls a completion.
pub(crate) const COMPLETE: &str = "completion/complete";
/// Seconds after which nobody who types waits any more.
const PATIENCE: u64 = 5;

// `startsWith` knows no wildcards, so that `%` and `_` are letters like others. The whole number comes with each row:
// more of them than an answer may have would otherwise not be counted.
const DATABASES: &str = "SELECT name, (SELECT count() FROM system.databases \
    WHERE startsWith(name, {value:String})) FROM system.databases \
    WHERE startsWith(name, {value:String}) ORDER BY name";
const TABLES: &str = "SELECT name, (SELECT count() FROM system.tables \
    WHERE database = {database:String} AND startsWith(name, {value:String})) FROM system.tables \
    WHERE database = {database:String} AND startsWith(name, {value:String}) ORDER BY name";
const TABLES_ANYWHERE: &str = "SELECT DISTINCT name, (SELECT uniqExact(name) FROM system.tables \
    WHERE NOT is_temporary AND startsWith(name, {value:String}) \
    AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')) FROM system.tables \
    WHERE NOT is_temporary AND startsWith(name, {value:String}) \
    AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') ORDER BY name";
const COLUMNS: &str = "SELECT name, (SELECT count() FROM system.columns \
    WHERE database = {database:String} AND table = {table:String} AND startsWith(name, {value:String})) \
    FROM system.columns \
    WHERE database = {database:String} AND table = {table:String} AND startsWith(name, {value:String}) ORDER BY name";

/// What completes an argument that is there.
#[derive(Clone)]
pub enum Completion {
    /// Nothing: it can be anything.
    Nothing,
    /// A task that ends with the text of the whole result of `completion/complete`. It gets the arguments `value`, which
    /// is what has been typed, and `context`, an object of the arguments that have a value already.
    By(Arc<dyn Task>),
}

/// What is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Databases.
    Databases,
    /// Tables of the database in the context, or of any.
    Tables,
    /// Columns of the table in the context; none without one.
    Columns,
}

/// The task of a completion.
pub(crate) struct Complete {
    names: Names,
}

impl Complete {
    /// What completes an argument with such names.
    pub(crate) fn task(names: Names) -> Completion {
        Completion::By(Arc::new(Self { names }))
    }
}

impl Inquiry for Complete {
    fn name(&self) -> &str {
        COMPLETE
    }

    fn begin(&self, _: &mut Env<'_>, call: &Call) -> Turn {
        // A column of no table in particular could be anything.
        let known = |name| !context(call, name).is_empty();
        match self.names {
            Names::Columns if !(known("database") && known("table")) => {
                Turn::Done(CallResult::Structured(completion_result(&[], Some(0), false)))
            }
            Names::Databases | Names::Tables | Names::Columns => Turn::Ask(Value::Null),
        }
    }

    fn question(&self, call: &Call, _: &Value) -> Result<Question, CallResult> {
        let value = ("value", call.arguments.get("value").and_then(Value::as_str).unwrap_or_default());
        let (database, table) = (("database", context(call, "database")), ("table", context(call, "table")));
        let question = match self.names {
            Names::Databases => Question::own(DATABASES, &[value]),
            Names::Tables if database.1.is_empty() => Question::own(TABLES_ANYWHERE, &[value]),
            Names::Tables => Question::own(TABLES, &[value, database]),
            Names::Columns => Question::own(COLUMNS, &[value, database, table]),
        }?;
        Ok(Question { rows: Some(MOST_COMPLETIONS), seconds: Some(PATIENCE), ..question })
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, _: Value, answer: Answer) -> Turn {
        if let Some(reason) = answer.failure(call) {
            return Turn::Done(CallResult::Failed(reason));
        }
        let Outcome::Rows { rows, truncated, .. } = &answer.outcome else {
            return Turn::Done(CallResult::Failed("ClickHouse did not list the names".into()));
        };
        let rows: Vec<(String, Value)> =
            rows.iter().filter_map(|row| serde_json::from_str(row).ok()).collect();
        let counted = rows.first().map_or(Some(0), |(_, total)| {
            total.as_u64().or_else(|| total.as_str().and_then(|text| text.parse().ok()))
        });
        let total = counted.filter(|_| truncated.is_none() || !rows.is_empty());
        let values: Vec<String> = rows.into_iter().map(|(name, _)| name).collect();
        Turn::Done(CallResult::Structured(completion_result(&values, total, truncated.is_some())))
    }
}

/// The value of another argument; empty when it has none yet.
fn context<'a>(call: &'a Call, name: &str) -> &'a str {
    call.arguments
        .get("context")
        .and_then(|context| context.get(name))
        .and_then(Value::as_str)
        .unwrap_or_default()
}
