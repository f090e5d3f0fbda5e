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

/// What a server offers beside tools, on the way to one client. What is not declared here is answered as an unknown
/// method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// There are resources.
    pub resources: bool,
    /// There are prompts.
    pub prompts: bool,
    /// What the client hears of changes.
    pub news: News,
    /// What calls log reaches the client.
    pub logging: bool,
}

/// Of which changes a client can hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The list of tools.
    pub tools: bool,
    /// The list of prompts.
    pub prompts: bool,
    /// The list of resources.
    pub resources: bool,
    /// Resources that the client names.
    pub named_resources: bool,
}

impl News {
    /// Whether there is anything to listen to.
    pub fn any(self) -> bool {
        self.tools || self.prompts || self.resources || self.named_resources
    }
}

impl Capabilities {
    /// Arguments are completed where there is anything that has arguments.
    pub fn completions(self) -> bool {
        self.resources || self.prompts
    }

    fn to_json(self, revision: Revision) -> Value {
        let mut capabilities = Map::new();
        for (name, declared, members) in [
            ("tools", true, vec![("listChanged", self.news.tools)]),
            (
                "resources",
                self.resources,
                vec![("listChanged", self.news.resources), ("subscribe", self.news.named_resources)],
            ),
            ("prompts", self.prompts, vec![("listChanged", self.news.prompts)]),
            ("completions", self.completions() && revision.declares_completions(), vec![]),
            ("logging", self.logging, vec![]),
        ] {
            if declared {
                let members = members.into_iter().filter(|(_, is)| *is);
                let members: Map<_, _> = members.map(|(name, _)| (name.to_owned(), json!(true))).collect();
                capabilities.insert(name.into(), Value::Object(members));
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

    const BOTH: Capabilities = Capabilities {
        resources: true,
        prompts: true,
        news: News { tools: false, prompts: false, resources: false, named_resources: false },
        logging: false,
    };

    #[test]
    fn only_what_is_there_and_has_a_name_is_declared() {
        let none = Capabilities::default();
        assert_eq!(none.to_json(Revision::LATEST), json!({ "tools": {} }));
        let all = News { tools: true, prompts: true, resources: true, named_resources: true };
        let changing = Capabilities { news: all, ..none };
        assert_eq!(changing.to_json(Revision::LATEST), json!({ "tools": { "listChanged": true } }));
        let full = Capabilities { news: all, logging: true, ..BOTH }.to_json(Revision::LATEST);
        assert_eq!(full["resources"], json!({ "listChanged": true, "subscribe": true }));
        assert_eq!((&full["logging"], &full["prompts"]), (&json!({}), &json!({ "listChanged": true })));
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
