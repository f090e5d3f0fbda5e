//! How values of arguments are suggested.

use serde_json::json;

/// The most values that a completion may have (MCP, server/utilities/completion).
pub const MOST_COMPLETIONS: u64 = 100;

/// The result of `completion/complete`, without what every stateless result carries. `total` is left out where
/// nobody has counted.
pub fn completion_result(values: &[String], total: Option<u64>, has_more: bool) -> String {
    match total {
        Some(total) => json!({ "completion": { "values": values, "total": total, "hasMore": has_more } }),
        None => json!({ "completion": { "values": values, "hasMore": has_more } }),
    }
    .to_string()
}
