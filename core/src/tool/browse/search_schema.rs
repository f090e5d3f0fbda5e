//! `search_schema`: tables and columns that have words in their names or comments, the best first.

use serde_json::{Map, Value, json};

use super::super::arguments::Arguments;
use super::super::inquiry::{Answer, Inquiry, Turn};
use super::super::plan::Question;
use super::super::table_answer::{told, truncated_schema};
use super::super::{Call, Tool};
use super::catalogue::{self, Age, LOOKS, Members, NOT_THE_SERVERS_OWN};
use crate::env::Env;
use crate::mcp::{CallResult, Definition};

/// Finds that are returned.
const FINDS: u64 = 20;
/// The most of them.
const MOST_FINDS: u64 = 200;
/// Words of one search.
const MOST_WORDS: usize = 16;

/// The tool.
pub struct SearchSchema {
    definition: Definition,
}

impl Default for SearchSchema {
    fn default() -> Self {
        Self { definition: definition() }
    }
}

fn definition() -> Definition {
    let found = json!({
        "type": "object",
        "properties": {
            "kind": { "type": "string", "enum": ["table", "column"] },
            "database": { "type": "string", "description": "The database" },
            "table": { "type": "string", "description": "The table" },
            "column": { "type": "string", "description": "The column, when it is one" },
            "type": { "type": "string", "description": "The column's type, or the table's engine" },
            "comment": { "type": "string", "description": "Its comment" },
            "words": { "type": "integer", "description": "How many of the words it has" }
        },
        "required": ["kind", "database", "table", "type", "words"],
        "additionalProperties": false
    });
    let mut result = Map::new();
    result.insert("matches".into(), json!({ "type": "array", "items": found }));
    result.insert("truncated".into(), truncated_schema());
    Definition {
        name: "search_schema".into(),
        title: "Search Schema".into(),
        description: "Finds tables and columns that the person who asks may see by words in their names and comments, \
            in any case; what has more of the words comes first. Use short words and stems, such as \"custom amount\"."
            .into(),
        input_schema: json!({
            "type": "object",
            "properties": {
                "words": { "type": "string", "description": "Words or parts of words, with blanks between them" },
                "database": {
                    "type": "string",
                    "description": "Only this database; without it all but those of the server itself"
                },
                "limit": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MOST_FINDS,
                    "default": FINDS,
                    "description": "The most finds to return"
                }
            },
            "required": ["words"],
            "additionalProperties": false
        }),
        output_schema: Some(catalogue::object(result, &["matches"])),
        hints: LOOKS,
    }
}

/// The arguments, checked.
struct Asked<'a> {
    words: Vec<&'a str>,
    database: Option<&'a str>,
    limit: u64,
}

impl<'a> Asked<'a> {
    fn read(call: &'a Call) -> Result<Self, String> {
        let arguments = Arguments::read(&call.arguments, &["words", "database", "limit"])?;
        let words: Vec<_> = arguments.needed("words", "what to look for")?.split_whitespace().collect();
        if words.is_empty() || words.len() > MOST_WORDS {
            return Err(format!("`words` has {} words and may have 1 to {MOST_WORDS}", words.len()));
        }
        let limit = arguments.whole("limit")?.unwrap_or(FINDS);
        if limit > MOST_FINDS {
            return Err(format!(
                "`limit` is {limit} and may be {MOST_FINDS} at most: use more or longer words"
            ));
        }
        let database = arguments.text("database")?.filter(|name| !name.is_empty());
        Ok(Self { words, database, limit })
    }
}

impl Tool for SearchSchema {
    fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Inquiry for SearchSchema {
    fn name(&self) -> &str {
        &self.definition.name
    }

    fn question(&self, call: &Call, carried: &Value) -> Result<Question, CallResult> {
        let asked = Asked::read(call).map_err(CallResult::BadArguments)?;
        // One more, so that a cut is known.
        let mut parameters = vec![
            catalogue::value("words", &json!(asked.words))?,
            catalogue::text("finds", &(asked.limit + 1).to_string())?,
        ];
        let place = match asked.database {
            Some(database) => {
                parameters.push(catalogue::text("database", database)?);
                "database = {database:String}"
            }
            None => NOT_THE_SERVERS_OWN,
        };
        let sql = search(place, age(carried));
        Ok(Question { rows: Some(asked.limit), ..catalogue::ours(&sql, parameters)? })
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, carried: Value, answer: Answer) -> Turn {
        if let Some(older) = age(&carried).older(&answer) {
            return Turn::Ask(json!(older));
        }
        if let Some(reason) = answer.failure(call) {
            return Turn::Done(CallResult::Failed(reason));
        }
        let (rows, truncated) = catalogue::rows(&answer);
        let matches = rows.iter().map(|row| {
            Members::default()
                .with("kind", row.text(0))
                .with("database", row.text(1))
                .with("table", row.text(2))
                .filled("column", row.text(3))
                .with("type", row.text(4))
                .filled("comment", row.text(5))
                .number("words", Some(row.number(6).unwrap_or_default()))
                .done()
        });
        let mut result = Members::default().value("matches", matches.collect());
        if let Some(cut) = truncated {
            result = result.value("truncated", told(cut));
        }
        Turn::Done(CallResult::Structured(result.done().to_string()))
    }
}

/// A word in a name counts more than one in a comment, and a word that is the whole name most. Columns have the
/// words of their own name and comment, not those of their table.
fn search(place: &str, age: Age) -> String {
    let words = |name: &str, comment: &str| {
        let has = |text: &str| format!("positionCaseInsensitiveUTF8({text}, word) > 0");
        let (in_name, in_comment) = (has(name), has(comment));
        format!(
            "arrayCount(word -> {in_name} OR {in_comment}, {{words:Array(String)}}) AS words, \
             arraySum(word -> multiIf(lowerUTF8({name}) = lowerUTF8(word), 4, {in_name}, 2, {in_comment}, 1, 0), \
             {{words:Array(String)}}) AS weight"
        )
    };
    let comment = age.comment("comment");
    let (of_tables, of_columns) = (words("name", comment), words("name", "comment"));
    format!(
        "SELECT kind, database, of_table, of_column, type, said, words FROM (\
         SELECT 'table' AS kind, database, name AS of_table, '' AS of_column, engine AS type, {comment} AS said, \
         {of_tables} FROM system.tables WHERE {place} \
         UNION ALL \
         SELECT 'column' AS kind, database, table AS of_table, name AS of_column, type, comment AS said, \
         {of_columns} FROM system.columns WHERE {place}\
         ) WHERE words > 0 ORDER BY words DESC, weight DESC, kind DESC, database, of_table, of_column \
         LIMIT {{finds:UInt64}}"
    )
}

fn age(carried: &Value) -> Age {
    serde_json::from_value(carried.clone()).unwrap_or_default()
}
