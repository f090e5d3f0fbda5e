//! `write_query`: one statement that may change data, as the person who asks. Never sent twice once it may have run.

use serde_json::{Value, json};

use super::asked::{self, Asked, LIMIT, notes};
use super::inquiry::{Answer, Inquiry, Turn};
use super::plan::Question;
use super::table_answer::{self, table};
use super::{Answered, Call, Tool};
use crate::clickhouse::{Column, Lines, Outcome, Statement};
use crate::config::Config;
use crate::env::Env;
use crate::mcp::{CallResult, Definition, Hints, Questions, ServerRequest};

/// The key of the question whether to run a statement.
const CONFIRM: &str = "confirm";
/// Characters of a statement that a person is shown.
const MOST_SHOWN: usize = 2000;

/// The tool. A caller who may only read does not have it: see [`super::Table`].
pub struct WriteQuery {
    definition: Definition,
}

impl WriteQuery {
    /// The tool as the configuration wants it.
    pub fn new(config: &Config) -> Self {
        Self { definition: definition(config) }
    }
}

fn definition(config: &Config) -> Definition {
    let mut properties = asked::properties(config, "One SQL statement in ClickHouse's dialect");
    properties.insert(LIMIT.into(), asked::limit());
    let taken_away = if config.clickhouse.allow_destructive {
        "DROP, TRUNCATE, DELETE, UPDATE and the like are allowed where the person has the grants, and cannot be undone."
    } else {
        "DROP, TRUNCATE, DELETE, UPDATE and whatever else takes something away is refused."
    };
    Definition {
        name: "write_query".into(),
        title: "Execute Write Query".into(),
        description: format!(
            "Runs one ClickHouse SQL statement that may change data (INSERT, CREATE, ALTER, OPTIMIZE …) with the \
             rights of the person who asks. {taken_away} For reading alone use `execute_query`. A statement without a \
             result answers with the status OK. Where INSERT … VALUES is refused, use INSERT … SELECT with \
             `parameters`. After a failure in the middle look before you repeat: a part may have been written."
        ),
        input_schema: json!({
            "type": "object",
            "properties": properties,
            "required": ["query"],
            "additionalProperties": false
        }),
        output_schema: Some(table_answer::schema()),
        hints: Hints { read_only: false, destructive: true, idempotent: false, open_world: false },
    }
}

impl Tool for WriteQuery {
    fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Inquiry for WriteQuery {
    fn name(&self) -> &str {
        &self.definition.name
    }

    /// What takes something away is confirmed by the person first, where their client can ask them. Where it cannot, the
    /// operator's word that such statements are allowed has to do.
    fn begin(&self, _: &mut Env<'_>, call: &Call) -> Turn {
        match statement(call) {
            Ok((_, Statement::Writable(sql))) if sql.is_destructive() && call.client.forms => {
                let question = confirmation(
                    sql.text(),
                    call.arguments.get("parameters"),
                    call.arguments.get("settings"),
                );
                Turn::AskUser(Questions::one(CONFIRM, question), Value::Null)
            }
            // What is wrong with the statement is said where it is asked.
            Ok(_) | Err(_) => Turn::Ask(Value::Null),
        }
    }

    fn user_answered(&self, _: &mut Env<'_>, _: &Call, _: Value, answered: Answered) -> Turn {
        let confirmed = match &answered {
            Answered::Given(answers) => answers.accepted(CONFIRM),
            Answered::CannotAsk => None,
        };
        match confirmed.and_then(|form| form.get("confirm").and_then(Value::as_bool)) {
            Some(true) => Turn::Ask(Value::Null),
            Some(false) | None => Turn::Done(CallResult::Failed(
                "The person did not confirm the statement, so nothing was run. Do not repeat it unless they ask for it."
                    .into(),
            )),
        }
    }

    fn question(&self, call: &Call, _: &Value) -> Result<Question, CallResult> {
        let (asked, statement) = statement(call)?;
        Ok(asked.question(statement))
    }

    fn answered(&self, _: &mut Env<'_>, call: &Call, _: Value, answer: Answer) -> Turn {
        if let Some(mut reason) = answer.failure(call) {
            if let (Statement::Writable(_), Outcome::Broken(_)) = (&answer.sent.statement, &answer.outcome) {
                reason.push_str(" Whether anything was written is not known: look before you repeat it.");
            }
            return Turn::Done(CallResult::Failed(reason));
        }
        Turn::Done(match &answer.outcome {
            Outcome::Rows { columns, rows, truncated } => {
                table(columns, rows, *truncated, &notes(&answer.sent.statement))
            }
            Outcome::NoResult | Outcome::Exception(_) | Outcome::Broken(_) | Outcome::Opaque { .. } => done(),
        })
    }
}

/// The statement of a call, and what was said beside it.
fn statement(call: &Call) -> Result<(Asked<'_>, Statement), CallResult> {
    let asked = Asked::read(call, "one SQL statement", LIMIT).map_err(CallResult::BadArguments)?;
    let statement = asked.any(call).map_err(CallResult::Failed)?;
    Ok((asked, statement))
}

/// The question whether to run a statement. It shows the statement and what it is given, for a table may be a parameter.
fn confirmation(sql: &str, parameters: Option<&Value>, settings: Option<&Value>) -> ServerRequest {
    let mut message = format!(
        "This statement takes something away from ClickHouse, which cannot be undone. Run it?\n\n{}",
        both_ends(sql)
    );
    for (word, given) in [("with the parameters", parameters), ("with the settings", settings)] {
        if let Some(given) = given.filter(|given| !given.as_object().is_some_and(serde_json::Map::is_empty)) {
            message.push_str(&format!("\n\n{word} {}", both_ends(&given.to_string())));
        }
    }
    let schema = json!({
        "type": "object",
        "properties": {
            "confirm": { "type": "boolean", "title": "Run the statement", "description": "Yes, run it", "default": false }
        },
        "required": ["confirm"],
    });
    ServerRequest::form(&message, schema)
}

/// A text, or both its ends if it is long: nobody reads more, and what a statement does may stand behind a long comment.
fn both_ends(text: &str) -> String {
    let length = text.chars().count();
    if length <= MOST_SHOWN {
        return text.to_owned();
    }
    let half = MOST_SHOWN / 2;
    let (head, tail) = (text.chars().take(half), text.chars().skip(length - half));
    let left_out = length - 2 * half;
    format!(
        "{} … ({left_out} characters are not shown) … {}",
        head.collect::<String>(),
        tail.collect::<String>()
    )
}

/// What altinity-mcp answers when there is no result.
fn done() -> CallResult {
    let status = Column { name: "status".into(), type_name: "String".into() };
    table(&[status], &Lines::from(r#"["OK"]"#.to_owned()), None, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_what_will_run() {
        let shown = |sql: &str, parameters: Option<&Value>| {
            confirmation(sql, parameters, None).to_json()["params"]["message"].as_str().unwrap().to_owned()
        };
        let given = json!({ "t": "payroll" });
        assert!(shown("TRUNCATE TABLE {t:Identifier}", Some(&given)).contains("payroll"));
        assert!(!shown("TRUNCATE TABLE t", Some(&json!({}))).contains("with the parameters"));
        let long = format!("ALTER TABLE t /* {} */ DELETE WHERE 1", "nothing to see ".repeat(400));
        let text = shown(&long, None);
        assert!(text.contains("ALTER TABLE t /*") && text.ends_with("*/ DELETE WHERE 1"), "{text}");
        assert!(
            text.contains("characters are not shown") && text.chars().count() < MOST_SHOWN + 300,
            "{text}"
        );
    }
}
