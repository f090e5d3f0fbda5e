//! What clients may read beside calling tools: the catalogue of tables, and the structure of each.

mod catalogue;
mod structure;
mod uri;

use std::sync::Arc;

use crate::completion::Completion;
use crate::mcp::{Address, ResourceDefinition};
use crate::tool::Task;

pub use catalogue::Catalogue;
pub use structure::TableStructure;

/// What the query log calls a read.
pub(crate) const READ: &str = "resources/read";

/// A resource, or a family of them.
///
/// Its task gets the argument `uri` and ends with [`crate::mcp::CallResult::Structured`], whose text is the whole
/// result, or with [`crate::mcp::CallResult::Absent`] where there is nothing for this caller.
pub trait Resource: Task {
    /// How the resource is listed.
    fn definition(&self) -> &ResourceDefinition;

    /// Whether a URI is one of this entry's, whether or not there is anything.
    fn serves(&self, uri: &str) -> bool;

    /// Whether a variable of this name stands in the template, and what completes it if anything does.
    fn completion(&self, _variable: &str) -> Option<Completion> {
        None
    }
}

/// The resources that a server offers, in the order in which it lists them.
#[derive(Clone, Default)]
pub struct Resources {
    entries: Vec<Arc<dyn Resource>>,
}

impl Resources {
    /// A table of these resources. When two serve the same URI, the first is read.
    pub fn new(entries: Vec<Arc<dyn Resource>>) -> Self {
        Self { entries }
    }

    /// Housekey's own.
    pub fn product() -> Self {
        Self::new(vec![Arc::new(Catalogue::default()), Arc::new(TableStructure::default())])
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How they are listed.
    pub fn definitions(&self) -> impl Iterator<Item = &ResourceDefinition> {
        self.entries.iter().map(|entry| entry.definition())
    }

    /// The entry that a URI belongs to.
    pub fn find(&self, uri: &str) -> Option<&Arc<dyn Resource>> {
        self.entries.iter().find(|entry| entry.serves(uri))
    }

    /// The entry that is listed at this address, which may be a template.
    pub fn find_listed(&self, address: &str) -> Option<&Arc<dyn Resource>> {
        self.entries.iter().find(|entry| {
            let (Address::Uri(listed) | Address::Template(listed)) = &entry.definition().address;
            listed == address
        })
    }
}
