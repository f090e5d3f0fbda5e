//! How a server introduces itself: `initialize` with a handshake, `server/discover` without.

use serde_json::{Map, Value, json};

use super::{Revision, SERVER_INFO_KEY};

/// What clients show to people, and models read first.
const INSTRUCTIONS: &str = "Housekey answers questions from a ClickHouse database. ClickHouse runs everything with \
    the rights of the person who asks, so a table that is missing or refused may exist for others. Find your way with \
    `search_schema`, `list_databases` and `list_tables`, look at columns and keys with `describe_table`, then call \
    `execute_query` with one read-only SQL statement (SELECT, WITH, SHOW, DESCRIBE, EXISTS or EXPLAIN). Bind values as \
    `parameters` of {name:Type} instead of writing them into the statement. When a query is slow, `explain_query` \
    shows why. `write_query`, where it is offered, changes data. Integers of 64 bits and more and decimals arrive as \
    strings, so that no digit is lost. When `truncated` is present the answer was cut: aggregate, filter or use LIMIT \
    with OFFSET instead of asking for more.";

/// What a server offers beside tools. What is not declared here is answered as an unknown method.
///
/// Deliberately absent: `subscribe`, and `listChanged` of resources and prompts, which stateless HTTP has no way to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The client hears of it when the tools change.
    pub tools_change: bool,
    /// There are resources.
    pub resources: bool,
    /// There are prompts.
    pub prompts: bool,
}

impl Capabilities {
    /// Arguments are completed where there is anything that has arguments.
    pub fn completions(self) -> bool {
        self.resources || self.prompts
    }

    fn to_json(self, revision: Revision) -> Value {
        let mut capabilities = Map::new();
        let tools = if self.tools_change { json!({ "listChanged": true }) } else { json!({}) };
        capabilities.insert("tools".into(), tools);
        for (name, declared) in [
            ("resources", self.resources),
            ("prompts", self.prompts),
            ("completions", self.completions() && revision.declares_completions()),
        ] {
            if declared {
                capabilities.insert(name.into(), json!({}));
            }
        }
        Value::Object(capabilities)
    }
}

/// The result of `initialize`: the client's revision when it is one with a handshake, else the newest such.
pub fn initialize_result(requested: &str, capabilities: Capabilities) -> (Revision, Value) {
    let revision = Revision::parse(requested)
        .filter(|revision| !revision.is_stateless())
        .unwrap_or(Revision::LATEST_HANDSHAKE);
    let result = json!({
        "protocolVersion": revision.as_str(),
        "capabilities": capabilities.to_json(revision),
        "serverInfo": implementation(revision),
        "instructions": INSTRUCTIONS,
    });
    (revision, result)
}

/// The result of `server/discover`, without what every stateless result carries.
///
/// Only stateless revisions are listed: an entry promises that a request may name it in `_meta`.
pub fn discover_result(capabilities: Capabilities) -> Value {
    json!({
        "supportedVersions": supported_versions(),
        "capabilities": capabilities.to_json(Revision::LATEST),
        "instructions": INSTRUCTIONS,
    })
}

/// The revisions that a request's `_meta` may name.
pub fn supported_versions() -> Vec<&'static str> {
    Revision::ALL.into_iter().filter(|revision| revision.is_stateless()).map(Revision::as_str).collect()
}

/// `_meta` of a stateless result.
pub fn result_meta() -> Value {
    json!({ SERVER_INFO_KEY: implementation(Revision::LATEST) })
}

fn implementation(revision: Revision) -> Value {
    let mut info = Map::new();
    info.insert("name".into(), json!("housekey"));
    info.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
    if revision.has_titles() {
        info.insert("title".into(), json!("Housekey for ClickHouse"));
    }
    if revision.has_described_servers() {
        info.insert("description".into(), json!("Runs each query on ClickHouse as the person who asks"));
    }
    Value::Object(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Capabilities = Capabilities { tools_change: false, resources: true, prompts: true };

    #[test]
    fn only_what_is_there_and_has_a_name_is_declared() {
        let none = Capabilities { tools_change: false, resources: false, prompts: false };
        assert_eq!(none.to_json(Revision::LATEST), json!({ "tools": {} }));
        let changing = Capabilities { tools_change: true, ..none };
        assert_eq!(changing.to_json(Revision::LATEST), json!({ "tools": { "listChanged": true } }));
        for revision in Revision::ALL {
            let declared = BOTH.to_json(revision);
            assert_eq!(declared["resources"], json!({}), "nothing to subscribe to");
            assert_eq!(declared.get("completions").is_some(), revision >= Revision::V2025_03_26);
        }
    }

    #[test]
    fn initialize_agrees_only_on_revisions_with_a_handshake() {
        for (requested, agreed) in [
            ("2024-11-05", Revision::V2024_11_05),
            ("2025-03-26", Revision::V2025_03_26),
            ("2025-06-18", Revision::V2025_06_18),
            ("2025-11-25", Revision::V2025_11_25),
            ("2026-07-28", Revision::V2025_11_25),
            ("2024-10-07", Revision::V2025_11_25),
            ("", Revision::V2025_11_25),
        ] {
            let (revision, result) = initialize_result(requested, BOTH);
            assert_eq!(revision, agreed, "{requested}");
            assert_eq!(result["protocolVersion"], agreed.as_str());
            assert_eq!(result["serverInfo"].get("title").is_some(), agreed >= Revision::V2025_06_18);
        }
    }
}
