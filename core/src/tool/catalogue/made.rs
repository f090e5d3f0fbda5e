//! A tool that was made of a view or a table.

use serde_json::{Value, json};

use super::argument::{Argument, input_schema};
use super::comment::Comment;
use super::found::FoundObject;
use crate::clickhouse::{Lines, Outcome, Parameter, Statement};
use crate::config::RuleSource;
use crate::env::Env;
use crate::jsonrpc::Params;
use crate::mcp::{CallResult, Definition, Hints};
use crate::sql::{ReadOnlySql, Rules, WritableSql, quote_identifier};
use crate::tool::arguments::Arguments;
use crate::tool::inquiry::{Answer, Inquiry, Turn};
use crate::tool::plan::Question;
use crate::tool::table_answer::{self, table};
use crate::tool::{Call, Tool};

/// A tool that reads a view or inserts a row into a table.
pub(super) struct MadeTool {
    definition: Definition,
    /// The object with its database, quoted.
    quoted: String,
    arguments: Vec<Argument>,
    does: Does,
}

enum Does {
    /// Reads by this statement.
    Read(ReadOnlySql),
    /// Inserts a row of the arguments that are given.
    Insert,
}

impl MadeTool {
    /// Bytes that it takes, roughly: each text stands in the schema, in the statement and by itself.
    pub(super) fn size(&self) -> usize {
        let schema = self.definition.input_schema.to_string().len();
        let arguments = self.arguments.iter().map(|argument| {
            128 + argument.name.len() + argument.description.len() + 4 * argument.type_text.as_str().len()
        });
        let texts = self.definition.description.len() + self.definition.title.len() + 4 * self.quoted.len();
        // A tree of JSON takes several times its text, and each tool has an output schema.
        4096 + texts + 6 * schema + arguments.sum::<usize>()
    }

    /// The tool of an object under a name. The error says why there can be none.
    pub(super) fn of(name: String, source: RuleSource, object: &FoundObject) -> Result<Self, String> {
        if let Some(trouble) = &object.trouble {
            return Err(trouble.clone());
        }
        let comment = Comment::read(&object.comment);
        let mut arguments = Vec::with_capacity(object.columns.len());
        for column in &object.columns {
            match Argument::of(column, &comment) {
                Ok(argument) => arguments.push(argument),
                // A row goes in without what has a default anyway.
                Err(_) if source == RuleSource::Table && column.is_optional() => {}
                Err(reason) => {
                    let what = if source == RuleSource::View { "parameter" } else { "column" };
                    return Err(format!("its {what} {:?} {reason}", column.name));
                }
            }
        }
        let quoted = format!("{}.{}", quote_identifier(&object.database), quote_identifier(&object.name));
        let does = match source {
            RuleSource::View => Does::Read(
                ReadOnlySql::parse(&reading(&quoted, &arguments), &Rules::internal())
                    .map_err(|refusal| format!("it cannot be read: {refusal}"))?,
            ),
            RuleSource::Table if arguments.is_empty() => {
                return Err("it has no column that a row could be given for".to_owned());
            }
            RuleSource::Table => Does::Insert,
        };
        let definition = definition(name, source, object, &comment, &arguments);
        Ok(Self { definition, quoted, arguments, does })
    }
}

/// `SELECT * FROM` the view with its parameters bound, which every way to be somebody takes (measured on 26.9).
fn reading(quoted: &str, arguments: &[Argument]) -> String {
    let bound: Vec<String> = arguments
        .iter()
        .map(|Argument { name, type_text, .. }| {
            format!("{} = {{{name}:{}}}", quote_identifier(name), type_text.as_str())
        })
        .collect();
    match bound.as_slice() {
        [] => format!("SELECT * FROM {quoted}"),
        bound => format!("SELECT * FROM {quoted}({})", bound.join(", ")),
    }
}

fn definition(
    name: String,
    source: RuleSource,
    object: &FoundObject,
    comment: &Comment,
    arguments: &[Argument],
) -> Definition {
    let title = comment.title.clone().unwrap_or_else(|| capitalised(&name));
    let (what, output_schema, reads) = match source {
        RuleSource::View => ("Reads the view", table_answer::schema(), true),
        RuleSource::Table => ("Inserts one row into the table", inserted_schema(), false),
    };
    let description =
        comment.description.clone().unwrap_or_else(|| format!("{what} {}.{}.", object.database, object.name));
    Definition {
        name,
        title,
        description,
        input_schema: input_schema(arguments),
        output_schema: Some(output_schema),
        hints: Hints {
            read_only: reads,
            // A row that is added takes nothing away.
            destructive: false,
            idempotent: reads,
            open_world: comment.open_world.unwrap_or(false),
        },
    }
}

/// The words of a name, each with a capital.
fn capitalised(name: &str) -> String {
    let words: Vec<String> = name
        .split('_')
        .filter(|word| !word.is_empty())
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
        })
        .collect();
    words.join(" ")
}

fn inserted_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "status": { "type": "string", "enum": ["OK"] },
            "table": { "type": "string", "description": "The table, with its database" },
            "columns": { "type": "array", "items": { "type": "string" }, "description": "The columns that were given" }
        },
        "required": ["status", "table", "columns"],
        "additionalProperties": false
    })
}

impl MadeTool {
    /// The arguments of a call that are given, with their texts.
    fn given(&self, arguments: &Params) -> Result<Vec<(&Argument, String)>, String> {
        let names: Vec<&str> = self.arguments.iter().map(|argument| argument.name.as_str()).collect();
        Arguments::read(arguments, &names)?;
        let mut given = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            match argument.read(arguments)? {
                Some(text) => given.push((argument, text)),
                None if argument.required => return Err(argument.missing()),
                // A view wants all of its parameters.
                None if matches!(self.does, Does::Read(_)) => given.push((argument, "\\N".to_owned())),
                None => {}
            }
        }
        Ok(given)
    }

    /// The statement of a call with these arguments, if they fit.
    pub(super) fn statement(&self, arguments: &Params) -> Option<String> {
        match &self.does {
            Does::Read(sql) => Some(sql.text().to_owned()),
            Does::Insert => {
                let given = self.given(arguments).ok().filter(|given| !given.is_empty())?;
                Some(inserting(&self.quoted, &given, &numbered(given.len())))
            }
        }
    }

    /// The statement and what is bound in it.
    fn asked(&self, call: &Call) -> Result<Question, CallResult> {
        let given = self.given(&call.arguments).map_err(CallResult::BadArguments)?;
        let (statement, names) = match &self.does {
            Does::Read(sql) => {
                let names: Vec<String> = given.iter().map(|(argument, _)| argument.name.clone()).collect();
                (Statement::ReadOnly(sql.clone()), names)
            }
            Does::Insert if given.is_empty() => {
                return Err(CallResult::BadArguments("give a value for at least one column".into()));
            }
            Does::Insert => {
                let names = numbered(given.len());
                let sql = WritableSql::parse(&inserting(&self.quoted, &given, &names), &Rules::internal())
                    .map_err(|refusal| CallResult::Failed(refusal.to_string()))?;
                (Statement::Writable(sql), names)
            }
        };
        let mut parameters = Vec::with_capacity(given.len());
        for (name, (_, text)) in names.iter().zip(given) {
            let parameter = Parameter::written(name, text);
            parameters.push(parameter.map_err(|error| CallResult::BadArguments(error.to_string()))?);
        }
        Ok(Question { parameters, ..Question::new(statement) })
    }
}

/// Names of parameters: columns may be called what none of those can be called.
fn numbered(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("v{number}")).collect()
}

/// One row. `VALUES` does not exist under `EXECUTE AS`, and a `SELECT` of constants is the same.
fn inserting(quoted: &str, given: &[(&Argument, String)], names: &[String]) -> String {
    let columns: Vec<String> = given.iter().map(|(argument, _)| quote_identifier(&argument.name)).collect();
    let values: Vec<String> = given
        .iter()
        .zip(names)
        .map(|((argument, _), name)| format!("{{{name}:{}}}", argument.type_text.as_str()))
        .collect();
    format!("INSERT INTO {quoted} ({}) SELECT {}", columns.join(", "), values.join(", "))
}

impl Tool for MadeTool {
    fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Inquiry for MadeTool {
    fn name(&self) -> &str {
        &self.definition.name
    }

    fn question(&self, call: &Call, _: &Value) -> Result<Question, CallResult> {
        self.asked(call)
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, _: Value, answer: Answer) -> Turn {
        if let Some(reason) = answer.failure(call) {
            return Turn::Done(CallResult::Failed(reason));
        }
        Turn::Done(match (&self.does, &answer.outcome) {
            (Does::Read(_), Outcome::Rows { columns, rows, truncated }) => {
                table(columns, rows, *truncated, &[])
            }
            (
                Does::Read(_),
                Outcome::NoResult | Outcome::Exception(_) | Outcome::Broken(_) | Outcome::Opaque { .. },
            ) => table(&[], &Lines::default(), None, &[]),
            (Does::Insert, _) => {
                let given = self.given(&call.arguments).unwrap_or_default();
                let columns: Vec<&str> = given.iter().map(|(argument, _)| argument.name.as_str()).collect();
                let done = json!({ "status": "OK", "table": self.quoted, "columns": columns });
                CallResult::Structured(done.to_string())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::found::FoundColumn;
    use super::*;

    fn column(name: &str, type_name: &str) -> FoundColumn {
        FoundColumn { name: name.into(), type_name: type_name.into(), ..FoundColumn::default() }
    }

    fn object(database: &str, name: &str, columns: Vec<FoundColumn>) -> FoundObject {
        FoundObject { database: database.into(), name: name.into(), columns, ..FoundObject::default() }
    }

    fn statement(object: &FoundObject) -> String {
        match MadeTool::of("t".into(), RuleSource::View, object).unwrap().does {
            Does::Read(sql) => sql.text().to_owned(),
            Does::Insert => panic!("a view is read"),
        }
    }

    #[test]
    fn views_are_read_by_quoted_names_and_bound_parameters() {
        let plain = object("sales", "all", Vec::new());
        assert_eq!(statement(&plain), "SELECT * FROM `sales`.`all`");
        let hostile = object(
            "a`b",
            "v\"'\\{x:String}; --",
            vec![column("since", "Date"), column("from", "Array(String)")],
        );
        assert_eq!(
            statement(&hostile),
            r#"SELECT * FROM `a\`b`.`v"'\\{x:String}; --`(`since` = {since:Date}, `from` = {from:Array(String)})"#
        );
    }

    #[test]
    fn what_no_argument_can_be_leaves_a_view_without_a_tool_and_a_table_without_a_column() {
        let view = object("a", "b", vec![column("t", "Identifier")]);
        let reason = MadeTool::of("t".into(), RuleSource::View, &view).err().unwrap();
        assert_eq!(reason, "its parameter \"t\" has a type of which no value can be given");
        let optional = FoundColumn { has_default: true, ..column("имя", "String") };
        let state = FoundColumn { has_default: true, ..column("s", "AggregateFunction(sum, UInt64)") };
        let table = object("a", "b", vec![column("id", "UInt32"), optional, state]);
        let tool = MadeTool::of("t".into(), RuleSource::Table, &table).unwrap();
        assert_eq!(tool.arguments.len(), 1);
        assert!(!tool.definition.hints.read_only && !tool.definition.hints.destructive);
        let table = object("a", "b", vec![column("имя", "String")]);
        let reason = MadeTool::of("t".into(), RuleSource::Table, &table).err().unwrap();
        assert_eq!(reason, "its column \"имя\" has a name that no argument can have");
        assert!(MadeTool::of("t".into(), RuleSource::Table, &object("a", "b", Vec::new())).is_err());
    }

    #[test]
    fn comments_shape_the_definition_alike_for_reading_and_writing() {
        let comment = r#"{"title": "T", "description": "D", "annotations": {"openWorldHint": true}, "params": {"a": "P"}}"#;
        let columns = vec![
            FoundColumn { comment: "C".into(), ..column("a", "Int64") },
            FoundColumn { comment: "C".into(), ..column("b", "Nullable(String)") },
            FoundColumn { has_default: true, ..column("c", "UInt8") },
        ];
        let object = FoundObject { comment: comment.into(), ..object("x", "y", columns) };
        for source in [RuleSource::View, RuleSource::Table] {
            let definition = MadeTool::of("x_y".into(), source, &object).unwrap().definition;
            assert_eq!((definition.title.as_str(), definition.description.as_str()), ("T", "D"));
            assert!(definition.hints.open_world);
            assert_eq!(
                definition.input_schema,
                json!({
                    "type": "object",
                    "properties": {
                        "a": { "type": "string", "description": "P (a whole number, as text so that no digit is lost)" },
                        "b": { "type": "string", "description": "C" },
                        "c": { "type": "integer", "minimum": 0, "maximum": 255, "description": "c (UInt8)" },
                    },
                    "required": ["a"],
                    "additionalProperties": false,
                })
            );
        }
        let bare = FoundObject { comment: String::new(), ..object };
        let definition = MadeTool::of("x_top_10".into(), RuleSource::View, &bare).unwrap().definition;
        assert_eq!(
            (definition.title.as_str(), definition.description.as_str()),
            ("X Top 10", "Reads the view x.y.")
        );
    }
}
