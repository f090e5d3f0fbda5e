//! `explore_database`: what is in a database, and what it could answer.

use super::{Prompt, needed, value};
use crate::completion::{Complete, Completion, Names};
use crate::env::Env;
use crate::mcp::{CallResult, PromptDefinition, prompt_result};
use crate::tool::{Call, Moment, Task, ToolState, ToolStep};

/// The prompt.
pub struct ExploreDatabase {
    definition: PromptDefinition,
}

impl Default for ExploreDatabase {
    fn default() -> Self {
        Self {
            definition: PromptDefinition {
                name: "explore_database".into(),
                title: "Explore a database".into(),
                description:
                    "Finds out what the tables of a database hold, how they belong together and which \
                    questions they can answer"
                        .into(),
                arguments: vec![needed("database", "Database", "The name of the database")],
            },
        }
    }
}

impl Prompt for ExploreDatabase {
    fn definition(&self) -> &PromptDefinition {
        &self.definition
    }

    fn completion(&self, _: &str) -> Completion {
        Complete::task(Names::Databases)
    }
}

impl Task for ExploreDatabase {
    fn start(&self, _: &mut Env<'_>, call: &Call) -> ToolStep {
        let text = format!(
            "Find out what the ClickHouse database {:?} holds.\n\n\
             1. List its tables with `list_tables` and leave out what is empty or only a helper of another table.\n\
             2. For the tables that matter, read the columns and keys with `describe_table`, and look at a few rows \
             with `execute_query`. Select by name and with a LIMIT; do not read whole tables.\n\
             3. Work out which columns join which tables, which period the data covers, and how fresh it is.\n\n\
             Then tell me, in this order: what the database is about in two sentences; each important table with what \
             one row of it stands for; how the tables belong together; and five questions that this data can answer \
             well, each with the query that you would run. Say what you could not see or had to guess.",
            value(call, "database")
        );
        ToolStep::Done(CallResult::Structured(prompt_result(&self.definition.description, &text)))
    }

    fn resume(&self, env: &mut Env<'_>, call: &Call, _: ToolState, _: Moment) -> ToolStep {
        self.start(env, call)
    }
}
