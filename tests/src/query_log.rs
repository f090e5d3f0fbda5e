//! What ClickHouse itself says about who ran what.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::poll;
use crate::world::World;

/// One row of `system.query_log` about the end of a query.
#[derive(Clone, Debug)]
pub struct Entry(Value);

impl Entry {
    /// A column as text.
    pub fn text(&self, column: &str) -> &str {
        self.0.get(column).and_then(Value::as_str).unwrap_or_default()
    }

    /// A column as a number.
    pub fn number(&self, column: &str) -> i64 {
        self.0.get(column).and_then(Value::as_i64).unwrap_or_default()
    }

    /// Whether the server ran it inside of another statement, as EXECUTE AS does.
    pub fn is_internal(&self) -> bool {
        self.number("is_internal") == 1
    }
}

/// The rows that carry the JSON-RPC id of a request in their `log_comment`, as soon as there are `wanted` of them.
pub async fn of_request(world: &World, id: &str, wanted: usize) -> Result<Vec<Entry>> {
    let condition = format!("JSONExtractString(log_comment, 'request') = '{id}'");
    poll::until(&format!("{wanted} rows of the query log with {condition}"), async || {
        let entries = find(world, &condition).await?;
        Ok((entries.len() >= wanted).then_some(entries))
    })
    .await
}

/// The rows that fulfil a condition now.
pub async fn find(world: &World, condition: &str) -> Result<Vec<Entry>> {
    world.admin("SYSTEM FLUSH LOGS").await?;
    let sql = format!(
        "SELECT type::String AS type, user, initial_user, authenticated_user, is_internal, query_id, query, query_kind, \
         exception_code, log_comment, toString(used_row_policies) AS policies, \
         arrayStringConcat(used_privileges, '; ') AS privileges \
         FROM system.query_log WHERE type != 'QueryStart' AND {condition} ORDER BY event_time_microseconds \
         FORMAT JSONEachRow"
    );
    let text = world.admin(&sql).await?;
    text.lines().map(|line| serde_json::from_str(line).map(Entry).context("a row of the query log")).collect()
}

/// Whether a query whose text holds `marker` is running.
pub async fn is_running(world: &World, marker: &str) -> Result<bool> {
    let sql = format!(
        "SELECT count() FROM system.processes \
         WHERE position(query, '{marker}') > 0 AND position(query, 'system.processes') = 0"
    );
    Ok(world.admin(&sql).await?.trim() != "0")
}
