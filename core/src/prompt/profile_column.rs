//! `profile_column`: what a column holds, before anybody relies on it.

use super::{Prompt, needed, value};
use crate::completion::{Complete, Completion, Names};
use crate::env::Env;
use crate::mcp::{CallResult, PromptDefinition, prompt_result};
use crate::tool::{Call, Moment, Task, ToolState, ToolStep};

/// The prompt.
pub struct ProfileColumn {
    definition: PromptDefinition,
}

impl Default for ProfileColumn {
    fn default() -> Self {
        Self {
            definition: PromptDefinition {
                name: "profile_column".into(),
                title: "Profile a column".into(),
                description:
                    "Says what the values of a column are like: how many, how often missing, which range, \
                    which are the most frequent and which are suspicious"
                        .into(),
                arguments: vec![
                    needed("database", "Database", "The name of the database"),
                    needed("table", "Table", "The name of the table"),
                    needed("column", "Column", "The name of the column"),
                ],
            },
        }
    }
}

impl Prompt for ProfileColumn {
    fn definition(&self) -> &PromptDefinition {
        &self.definition
    }

    fn completion(&self, argument: &str) -> Completion {
        match argument {
            "database" => Complete::task(Names::Databases),
            "table" => Complete::task(Names::Tables),
            _ => Complete::task(Names::Columns),
        }
    }
}

impl Task for ProfileColumn {
    fn start(&self, _: &mut Env<'_>, call: &Call) -> ToolStep {
        let text = format!(
            "Profile the column {:?} of the ClickHouse table {:?} in the database {:?}.\n\n\
             Read its type and comment with `describe_table` first. Then measure with as few queries of \
             `execute_query` as you can, on a sample or the newest part if the table is large: the number of rows; \
             how many values are NULL, empty or the type's default; how many are distinct (`uniq`); the least, the \
             greatest and the quantiles where there is an order; the ten most frequent with their shares (`topK` \
             or GROUP BY); and for texts the lengths and the patterns.\n\n\
             Then tell me what one value means, what I must know before I filter, join or group by this column, and \
             what looks wrong. Say which part of the table you looked at.",
            value(call, "column"),
            value(call, "table"),
            value(call, "database")
        );
        ToolStep::Done(CallResult::Structured(prompt_result(&self.definition.description, &text)))
    }

    fn resume(&self, env: &mut Env<'_>, call: &Call, _: ToolState, _: Moment) -> ToolStep {
        self.start(env, call)
    }
}
