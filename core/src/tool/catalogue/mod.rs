//! Tools that are made of views and tables by the rules of `server.tools`, for each person those that their grants
//! show them.
//!
//! ```text
//!  tools/list, tools/call ──► a catalogue that is fresh ───────────────────────► what was asked
//!                        └──► questions about views, tables, columns ──► build ──┘
//! ```
//!
//! The questions run as the caller. What they find is a fact under the caller's key, so nobody is shown what another
//! may see. Names and comments are other people's text: they reach a statement quoted or not at all, and values are
//! bound as query parameters.

mod argument;
mod build;
mod comment;
mod found;
#[doc(hidden)]
pub mod fuzzing;
mod kind;
mod load;
mod made;

use std::sync::Arc;

use sha2::{Digest, Sha256};

use made::MadeTool;

use super::{Call, Table, Task, Tool};
use crate::clickhouse::{ReadLimits, Statement};
use crate::config::{Config, RuleSource};
use crate::env::Env;
use crate::facts::AccessKey;
use crate::identity::Access;
use crate::mcp::{CallResult, Definition, Revision, list_result};
use crate::sql::{LONGEST_OF_OURS, ReadOnlySql, Rules, insert_of_bound_values, read_of_bound_values};
use crate::time::UnixTime;
use load::{Loading, Then};

/// What the query log calls the questions that make a catalogue.
pub(crate) const WORK: &str = "tools/list";

/// The tools that the rules make for one caller.
pub struct Catalogue {
    tools: Vec<Arc<MadeTool>>,
    /// What the operator should hear of it.
    warnings: Vec<String>,
    /// Why there are none, when they could not be looked for.
    failure: Option<String>,
    /// Until when it counts.
    expires: UnixTime,
    /// Equal for equal tools.
    digest: u64,
}

impl Catalogue {
    fn new(
        tools: Vec<Arc<MadeTool>>,
        warnings: Vec<String>,
        failure: Option<String>,
        expires: UnixTime,
    ) -> Self {
        let listed = list_result(tools.iter().map(|tool| tool.definition()), Revision::LATEST).to_string();
        let digest = Sha256::digest(listed.as_bytes());
        let digest = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        Self { tools, warnings, failure, expires, digest }
    }

    /// Until when it counts.
    pub(crate) fn expires(&self) -> UnixTime {
        self.expires
    }

    /// Whether there are none because they could not be looked for.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Equal for equal tools.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// Bytes that it takes, roughly.
    pub(crate) fn size(&self) -> usize {
        let told = self.warnings.iter().chain(&self.failure).map(String::len).sum::<usize>();
        self.tools.iter().map(|tool| tool.size()).sum::<usize>() + told + 256
    }

    fn find(&self, name: &str) -> Option<&Arc<MadeTool>> {
        self.tools.iter().find(|tool| tool.definition().name == name)
    }
}

/// Whether the configuration has rules that make tools.
pub(crate) fn has_rules(config: &Config) -> bool {
    !config.server.tools.rules.is_empty()
}

/// Whether a name could be that of a tool which a rule made.
pub(crate) fn may_be_made(config: &Config, name: &str) -> bool {
    has_rules(config)
        && (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// A task that ends with what `present` makes of all tools that are there for the caller: those of the table, then
/// those that the rules made.
pub(crate) fn listing(
    table: &Table,
    present: impl Fn(&[&Definition]) -> CallResult + Send + Sync + 'static,
) -> Arc<dyn Task> {
    Arc::new(Loading { then: Then::List { table: table.clone(), present: Box::new(present) } })
}

/// A task that calls the tool of this name that the rules made, or ends with [`CallResult::Absent`].
pub(crate) fn calling(name: &str) -> Arc<dyn Task> {
    Arc::new(Loading { then: Then::Call(name.to_owned()) })
}

/// The catalogue of a caller, if it is known and fresh.
pub(crate) fn known(env: &Env<'_>, config: &Config, access: &Access) -> Option<Arc<Catalogue>> {
    env.facts.catalogue(&key(config, access)?, env.now)
}

/// Under which a caller's catalogue is kept: whatever may change what they see.
fn key(config: &Config, access: &Access) -> Option<AccessKey> {
    let statement = Statement::ReadOnly(ReadOnlySql::parse("SELECT 1", &Rules::internal()).ok()?);
    let request = access.query(config, statement, String::new(), 0, ReadLimits { row_bytes: 0 });
    let (chosen_by, read_only) = (format!("{:?}", access.chosen_by), [u8::from(access.read_only)]);
    Some(AccessKey::of(&request, config.generation).with(&[chosen_by.as_bytes(), &read_only]))
}

/// Whether a statement is one of Housekey's own, in which nothing is a caller's but what is bound: a question that makes
/// a catalogue, word for word, or what a tool that a rule may have made sends.
pub(crate) fn is_own(config: &Config, sql: &str) -> bool {
    if sql.len() > LONGEST_OF_OURS {
        return false;
    }
    let reads = || read_of_bound_values(sql).is_some_and(|path| matches(config, RuleSource::View, &path));
    has_rules(config) && (load::STATEMENTS.contains(&sql) || reads() || inserts(config, sql))
}

/// Whether a statement inserts a row of bound values into a table that a rule matches.
pub(crate) fn inserts(config: &Config, sql: &str) -> bool {
    sql.len() <= LONGEST_OF_OURS
        && insert_of_bound_values(sql).is_some_and(|path| matches(config, RuleSource::Table, &path))
}

fn matches(config: &Config, source: RuleSource, [database, name]: &[String; 2]) -> bool {
    build::matching(&config.server.tools.rules, source, &format!("{database}.{name}")).next().is_some()
}

impl Call {
    fn catalogue_key(&self) -> Option<AccessKey> {
        key(&self.config, &self.access)
    }
}
