//! Ways to begin a piece of work: texts that a person picks by name and that tell a model how to go about it.
//!
//! What the person fills in goes into the text of the message and nowhere else.

mod explain_slow_query;
mod explore_database;
mod profile_column;

use std::sync::Arc;

use crate::completion::Completion;
use crate::mcp::{PromptArgument, PromptDefinition};
use crate::tool::Task;

pub use explain_slow_query::ExplainSlowQuery;
pub use explore_database::ExploreDatabase;
pub use profile_column::ProfileColumn;

/// A prompt. Its task gets the arguments, all of them texts and none of them unknown or missing, and ends with
/// [`crate::mcp::CallResult::Structured`], whose text is the whole result.
pub trait Prompt: Task {
    /// How the prompt is listed.
    fn definition(&self) -> &PromptDefinition;

    /// What completes one of its arguments, if anything does.
    fn completion(&self, _argument: &str) -> Completion {
        Completion::Nothing
    }
}

/// The prompts that a server offers, in the order in which it lists them.
#[derive(Clone, Default)]
pub struct Prompts {
    entries: Vec<Arc<dyn Prompt>>,
}

impl Prompts {
    /// A table of these prompts. When two share a name, the first is given.
    pub fn new(entries: Vec<Arc<dyn Prompt>>) -> Self {
        Self { entries }
    }

    /// Housekey's own.
    pub fn product() -> Self {
        Self::new(vec![
            Arc::new(ExploreDatabase::default()),
            Arc::new(ProfileColumn::default()),
            Arc::new(ExplainSlowQuery::default()),
        ])
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How they are listed.
    pub fn definitions(&self) -> impl Iterator<Item = &PromptDefinition> {
        self.entries.iter().map(|entry| entry.definition())
    }

    /// The prompt of that name.
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Prompt>> {
        self.entries.iter().find(|entry| entry.definition().name == name)
    }
}

/// An argument that must be given.
fn needed(name: &str, title: &str, description: &str) -> PromptArgument {
    PromptArgument { name: name.into(), title: title.into(), description: description.into(), required: true }
}

/// The value of an argument.
fn value<'a>(call: &'a crate::tool::Call, name: &str) -> &'a str {
    call.arguments.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
}
