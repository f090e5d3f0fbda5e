//! The table of tools, and what a tool is: a value that starts, may pause for every reason that a step may, and ends.

mod arguments;
mod asked;
mod browse;
#[doc(hidden)]
pub mod catalogue;
mod constraints;
mod execute_query;
mod explain;
mod explain_query;
mod inquiry;
mod plan;
mod states;
mod table_answer;
mod time_limit;
mod write_query;

use std::sync::Arc;

use crate::clickhouse::{Outcome, QueryRequest, RowLimits};
use crate::config::Config;
use crate::env::Env;
use crate::fetch::{Document, FetchFailure, FetchRequest};
use crate::identity::Access;
use crate::jsonrpc::{Params, RequestId};
use crate::mcp::{Answers, CallResult, ClientAbilities, Definition, Notice, Questions};
use crate::time::UnixTime;
use crate::trace::TraceContext;

pub(crate) use asked::{check_writing, is_time_zone};
pub use browse::{DescribeTable, ListDatabases, ListTables, SearchSchema};
pub use catalogue::Catalogue;
pub(crate) use constraints::{inspected, inspection};
pub use execute_query::ExecuteQuery;
pub(crate) use explain::told;
pub use explain_query::ExplainQuery;
pub(crate) use inquiry::{Answer, Inquiry, Turn};
pub use plan::Learned;
pub(crate) use plan::{Plan, Question, learn};
pub(crate) use table_answer::told as told_of_cut;
pub use write_query::WriteQuery;

/// What a tool keeps over a pause. It is a plain JSON value, so that it can be sealed and handed to the client.
pub type ToolState = serde_json::Value;

/// One call of a tool.
pub struct Call {
    /// The JSON-RPC id.
    pub id: RequestId,
    /// The arguments; empty when there were none.
    pub arguments: Params,
    /// Who calls, and what they may reach.
    pub access: Arc<Access>,
    /// The configuration in force when the call came.
    pub config: Arc<Config>,
    /// Where the call stands in its client's trace.
    pub trace: Option<TraceContext>,
    /// Whether the client asked to hear how far the call has come, and can.
    pub progress: bool,
    /// What the client can be asked, where there is a way to it. A tool that can do without looks here first.
    pub client: ClientAbilities,
}

/// What a tool wants next.
pub enum ToolStep {
    /// A document.
    Fetch(FetchRequest, ToolState),
    /// A query, with the caps on its rows.
    Query(Box<QueryRequest>, RowLimits, ToolState),
    /// Answers of the client. One that cannot be asked is told so where its revision has a word for that; elsewhere the
    /// tool hears [`Answered::CannotAsk`].
    Ask(Questions, ToolState),
    /// Nothing but to tell something, and then to go on.
    Tell(Notice, ToolState),
    /// A later moment.
    Wait(UnixTime, ToolState),
    /// Another task, which takes the call over from its start.
    HandOver(Arc<dyn Task>),
    /// Nothing more.
    Done(CallResult),
}

/// What has happened during a pause.
pub enum Moment {
    /// The query is over.
    Queried(Outcome),
    /// The document came, or not.
    Fetched(Result<Document, FetchFailure>),
    /// The client answered, or cannot be asked.
    Answered(Answered),
    /// The moment has come.
    Woken,
    /// What was to be told is told, or was passed over.
    Told,
}

/// The end of questions to the client.
pub enum Answered {
    /// All of them are answered.
    Given(Answers),
    /// This stream has no way back to the client, or the client did not answer.
    CannotAsk,
}

/// Work that starts, may pause, and ends.
pub trait Task: Send + Sync {
    /// Begins a call.
    fn start(&self, env: &mut Env<'_>, call: &Call) -> ToolStep;

    /// Goes on after a pause.
    fn resume(&self, env: &mut Env<'_>, call: &Call, state: ToolState, moment: Moment) -> ToolStep;
}

/// A task that clients find in `tools/list`.
pub trait Tool: Task {
    /// How the tool is listed.
    fn definition(&self) -> &Definition;
}

/// The tools that a server offers, in the order in which it lists them.
#[derive(Clone, Default)]
pub struct Table {
    tools: Vec<Arc<dyn Tool>>,
}

impl Table {
    /// A table of these tools. When two share a name, the first is called.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        Self { tools }
    }

    /// Housekey's own tools, as the configuration wants them.
    pub fn product(config: &Config) -> Self {
        let mut table = Self::new(vec![
            Arc::new(ExecuteQuery::new(config)),
            Arc::new(WriteQuery::new(config)),
            Arc::new(ListDatabases::default()),
            Arc::new(ListTables::default()),
            Arc::new(DescribeTable::default()),
            Arc::new(SearchSchema::default()),
            Arc::new(ExplainQuery::new(config)),
        ]);
        if let Some(wanted) = &config.server.tools.own {
            table.tools.retain(|tool| wanted.contains(&tool.definition().name));
        }
        table
    }

    /// The tool of that name, if it is there for this caller.
    pub fn find(&self, name: &str, access: &Access) -> Option<&Arc<dyn Tool>> {
        self.offered(access).find(|tool| tool.definition().name == name)
    }

    /// Whether there is a tool of that name for anybody.
    pub fn has(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.definition().name == name)
    }

    /// How the tools are listed that are there for this caller.
    pub fn definitions(&self, access: &Access) -> impl Iterator<Item = &Definition> {
        self.offered(access).map(|tool| tool.definition())
    }

    /// How the tools are listed that only read, for those who have not said yet who they are.
    pub fn readers(&self) -> impl Iterator<Item = &Definition> {
        self.tools.iter().map(|tool| tool.definition()).filter(|definition| definition.hints.read_only)
    }

    /// A caller who may only read has no tool that writes: it is neither listed nor found.
    fn offered(&self, access: &Access) -> impl Iterator<Item = &Arc<dyn Tool>> {
        let reads_only = access.read_only;
        self.tools.iter().filter(move |tool| !reads_only || tool.definition().hints.read_only)
    }
}
