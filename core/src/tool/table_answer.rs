//! Rows as a result: the shape that every tool with an answer of its statement's own shape has in common.

use serde_json::{Value, json};

use crate::clickhouse::{Column, Lines, Truncated, TruncationReason};
use crate::mcp::CallResult;

/// The JSON Schema of [`table`].
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "columns": { "type": "array", "items": { "type": "string" }, "description": "Column names, in order" },
            "types": { "type": "array", "items": { "type": "string" }, "description": "ClickHouse types, in order" },
            "rows": {
                "type": "array",
                "items": { "type": "array" },
                "description": "One array of values for each row, in the order of the columns"
            },
            "count": { "type": "integer", "description": "The number of rows returned" },
            "truncated": truncated_schema(),
            "notes": {
                "type": "array",
                "items": { "type": "string" },
                "description": "What was changed in the statement before it ran"
            }
        },
        "required": ["columns", "types", "rows", "count"],
        "additionalProperties": false
    })
}

/// The JSON Schema of what a cut answer says of itself.
pub(super) fn truncated_schema() -> Value {
    json!({
        "type": "object",
        "description": "Present when there was more than is returned",
        "properties": {
            "reason": { "type": "string", "enum": ["rows", "bytes"] },
            "limit": { "type": "integer", "description": "The cap that was reached, in rows or bytes" },
            "returned_rows": { "type": "integer" }
        },
        "required": ["reason", "limit", "returned_rows"],
        "additionalProperties": false
    })
}

/// Rows with their columns. The rows are passed on byte for byte.
pub(super) fn table(
    columns: &[Column],
    rows: &Lines,
    truncated: Option<Truncated>,
    notes: &[String],
) -> CallResult {
    let mut text = String::with_capacity(256 + rows.text().len());
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let types: Vec<&str> = columns.iter().map(|column| column.type_name.as_str()).collect();
    text.push_str(&format!("{{\"columns\":{},\"types\":{},\"rows\":[", json!(names), json!(types)));
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(row);
    }
    text.push_str(&format!("],\"count\":{}", rows.len()));
    if let Some(cut) = truncated {
        text.push_str(&format!(",\"truncated\":{}", told(cut)));
    }
    if !notes.is_empty() {
        text.push_str(&format!(",\"notes\":{}", json!(notes)));
    }
    text.push('}');
    CallResult::Structured(text)
}

/// What a cut answer says of itself.
pub(crate) fn told(cut: Truncated) -> Value {
    let reason = match cut.reason {
        TruncationReason::Rows => "rows",
        TruncationReason::Bytes => "bytes",
    };
    json!({ "reason": reason, "limit": cut.limit, "returned_rows": cut.returned_rows })
}
