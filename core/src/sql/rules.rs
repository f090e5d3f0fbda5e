//! What statements may do, as the operator decided it.

use super::clause::Clause;
use crate::config::{Config, Impersonation};

/// Bytes that a statement of Housekey's own may have.
pub(crate) const LONGEST_OF_OURS: usize = 64 << 10;

/// What a statement may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules<'a> {
    /// The settings that a statement may change, compared by case as ClickHouse does. Those that guard the server
    /// stay forbidden even when listed.
    pub allowed_settings: &'a [String],
    /// Table functions, table engines and the like that may be used although they reach outside the database, each
    /// written as in the statement.
    pub allowed_table_functions: &'a [String],
    /// Clauses that no statement may have.
    pub blocked_clauses: &'a [Clause],
    /// Bytes that a statement may have.
    pub max_length: usize,
    /// Whether statements may take away what others may need.
    pub destructive: bool,
    /// Whether statements run as somebody else than the user that logs in; then none is about access.
    pub impersonated: bool,
}

impl<'a> Rules<'a> {
    /// The rules for the statements of callers.
    pub fn of(config: &'a Config) -> Self {
        Self {
            allowed_settings: &config.server.tool_input_settings,
            allowed_table_functions: &config.clickhouse.allowed_table_functions,
            blocked_clauses: &config.server.blocked_query_clauses,
            max_length: config.clickhouse.max_query_length.unwrap_or(usize::MAX),
            destructive: config.clickhouse.allow_destructive,
            impersonated: match config.clickhouse.impersonation {
                Impersonation::None => false,
                Impersonation::ExecuteAs | Impersonation::Interserver => true,
            },
        }
    }
}

impl Rules<'static> {
    /// The rules for statements of Housekey's own: nothing beyond reading, and no clause is blocked.
    pub const fn internal() -> Self {
        Self {
            allowed_settings: &[],
            allowed_table_functions: &[],
            blocked_clauses: &[],
            max_length: LONGEST_OF_OURS,
            destructive: false,
            impersonated: true,
        }
    }
}
