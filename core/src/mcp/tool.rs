//! How tools are listed and how calls end, in the shape of each revision.

use serde_json::{Map, Value, json};

use super::{Revision, result_meta};

/// The hints of a tool. Clients ask their user the more often the less is said, so all are explicit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: bool,
    /// What it changes may be lost.
    pub destructive: bool,
    /// Calling it twice does the same as once.
    pub idempotent: bool,
    /// It reaches beyond the database.
    pub open_world: bool,
}

/// A tool as `tools/list` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// 1 to 64 of `A-Za-z0-9_-`.
    pub name: String,
    /// For people.
    pub title: String,
    /// For models.
    pub description: String,
    /// A JSON Schema with an object at its root.
    pub input_schema: Value,
    /// A JSON Schema with an object at its root, for `structuredContent`.
    pub output_schema: Option<Value>,
    /// What it may do.
    pub hints: Hints,
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallResult {
    /// It went well; the text is a JSON object that fits the output schema.
    Structured(String),
    /// It failed in a way that the model can act on.
    Failed(String),
    /// The arguments do not fit: a result from 2025-11-25 on, a protocol error before (MCP, server/tools).
    BadArguments(String),
    /// There is nothing of this name for this caller.
    Absent(String),
    /// It ended with content of any kind.
    Content {
        /// The blocks, each as MCP 2026-07-28 writes it (server/tools); older clients get what they know.
        content: Vec<Value>,
        /// A JSON object that fits the output schema.
        structured: Option<Value>,
        /// It failed in a way that the model can act on.
        is_error: bool,
    },
}

/// The result of `tools/list`, without what every stateless result carries.
pub fn list_result<'a>(tools: impl Iterator<Item = &'a Definition>, revision: Revision) -> Value {
    let tools: Vec<Value> = tools.map(|tool| tool.to_json(revision)).collect();
    json!({ "tools": tools })
}

impl Definition {
    fn to_json(&self, revision: Revision) -> Value {
        let mut tool = Map::new();
        tool.insert("name".into(), json!(self.name));
        tool.insert("description".into(), json!(self.description));
        tool.insert("inputSchema".into(), self.input_schema.clone());
        if revision.has_annotations() {
            tool.insert("annotations".into(), self.hints.to_json(&self.title));
        }
        if revision.has_structured_content() {
            tool.insert("title".into(), json!(self.title));
            if let Some(schema) = &self.output_schema {
                tool.insert("outputSchema".into(), schema.clone());
            }
        }
        Value::Object(tool)
    }
}

impl Hints {
    fn to_json(self, title: &str) -> Value {
        json!({
            "title": title,
            "readOnlyHint": self.read_only,
            "destructiveHint": self.destructive,
            "idempotentHint": self.idempotent,
            "openWorldHint": self.open_world,
        })
    }
}

impl CallResult {
    /// The text of the `tools/call` result. Structured content is passed on byte for byte.
    pub fn to_json_text(&self, revision: Revision) -> String {
        let (text, structured, is_error) = match self {
            Self::Structured(text) => (text, revision.has_structured_content(), false),
            Self::Failed(text) | Self::BadArguments(text) | Self::Absent(text) => (text, false, true),
            Self::Content { content, structured, is_error } => {
                return content_text(content, structured.as_ref(), *is_error, revision);
            }
        };
        let mut out = String::with_capacity(text.len() * 2 + 256);
        out.push_str("{\"content\":[{\"type\":\"text\",\"text\":");
        out.push_str(&Value::String(text.clone()).to_string());
        out.push_str("}]");
        if structured {
            out.push_str(",\"structuredContent\":");
            out.push_str(text);
        }
        out.push_str(if is_error { ",\"isError\":true" } else { ",\"isError\":false" });
        if revision.has_result_type() {
            out.push_str(",\"resultType\":\"complete\",\"_meta\":");
            out.push_str(&result_meta().to_string());
        }
        out.push('}');
        out
    }
}

/// The result of a call that ended with blocks of content.
fn content_text(content: &[Value], structured: Option<&Value>, is_error: bool, revision: Revision) -> String {
    let mut result = Map::new();
    result.insert("content".into(), content.iter().map(|block| known_block(block, revision)).collect());
    if let Some(structured) = structured.filter(|_| revision.has_structured_content()) {
        result.insert("structuredContent".into(), structured.clone());
    }
    result.insert("isError".into(), json!(is_error));
    if revision.has_result_type() {
        result.insert("resultType".into(), json!("complete"));
        result.insert("_meta".into(), result_meta());
    }
    Value::Object(result).to_string()
}

/// A block as a revision knows it: older clients get a link as its address, and audio as a resource.
fn known_block(block: &Value, revision: Revision) -> Value {
    let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "resource_link" if !revision.has_resource_links() => json!({ "type": "text", "text": text("uri") }),
        "audio" if !revision.has_audio() => json!({
            "type": "resource",
            "resource": { "uri": "data:audio", "mimeType": text("mimeType"), "blob": text("data") },
        }),
        _ => block.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_revision_gets_the_members_it_knows() {
        let definition = Definition {
            name: "t".into(),
            title: "T".into(),
            description: "d".into(),
            input_schema: json!({ "type": "object" }),
            output_schema: Some(json!({ "type": "object" })),
            hints: Hints { read_only: true, destructive: false, idempotent: true, open_world: false },
        };
        for revision in Revision::ALL {
            let tool = &list_result([&definition].into_iter(), revision)["tools"][0];
            assert_eq!(tool.get("annotations").is_some(), revision >= Revision::V2025_03_26);
            assert_eq!(tool.get("outputSchema").is_some(), revision >= Revision::V2025_06_18);
            assert_eq!(tool.get("title").is_some(), revision >= Revision::V2025_06_18);
            let result: Value =
                serde_json::from_str(&CallResult::Structured(r#"{"a":1.0}"#.into()).to_json_text(revision))
                    .unwrap();
            assert_eq!(result["content"][0]["text"], r#"{"a":1.0}"#);
            assert_eq!(result.get("structuredContent").is_some(), revision >= Revision::V2025_06_18);
            assert_eq!(result.get("resultType").is_some(), revision >= Revision::V2026_07_28);
        }
    }
}
