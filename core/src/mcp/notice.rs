//! What a server tells without being asked: of a call that runs, and of what has changed.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::jsonrpc::{self, RequestId};

/// The levels of RFC 5424 that MCP takes, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For whoever looks for a mistake.
    Debug,
    /// As it should be.
    Info,
    /// As it should be, and rare.
    Notice,
    /// Not as it should be.
    Warning,
    /// Something failed.
    Error,
    /// A part failed.
    Critical,
    /// Somebody has to act now.
    Alert,
    /// Nothing works.
    Emergency,
}

impl LogLevel {
    /// All of them, the least first.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The level of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }
}

/// What a tool has told while it runs. What its client did not ask for, or cannot hear, is passed over.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A message of the log, for the client of this call.
    Log {
        /// How important it is.
        level: LogLevel,
        /// Who says it.
        logger: Option<String>,
        /// What is said: any JSON, no secrets.
        data: Value,
    },
    /// How far this call has come. What is no further than what was told before is passed over.
    Progress {
        /// So far.
        done: f64,
        /// In the end.
        total: Option<f64>,
        /// For people.
        message: Option<String>,
    },
    /// Something has changed for everybody who listens.
    Changed(Change),
    /// The connection that carries this call's events is given up; the client comes again after this time for the rest.
    /// Only streams that can be taken up again heed it (MCP 2025-11-25, transports, polling).
    Reconnect(Duration),
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The list of resources.
    Resources,
    /// What a resource says.
    Resource {
        /// Which.
        uri: String,
    },
}

impl Change {
    /// The notification, with the listening request's id where there is one (MCP 2026-07-28, subscriptions).
    pub(crate) fn to_text(&self, listening: Option<&RequestId>) -> String {
        let mut params = Map::new();
        if let Self::Resource { uri } = self {
            params.insert("uri".into(), json!(uri));
        }
        if let Some(id) = listening {
            params.insert("_meta".into(), json!({ super::SUBSCRIPTION_ID_KEY: id.to_json() }));
        }
        jsonrpc::notification_text(self.method(), &Value::Object(params))
    }

    const fn method(&self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources => "notifications/resources/list_changed",
            Self::Resource { .. } => "notifications/resources/updated",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_named() {
        for pair in LogLevel::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
        }
        assert_eq!(LogLevel::parse("warning"), Some(LogLevel::Warning));
        assert_eq!(LogLevel::parse("WARNING"), None);
    }

    #[test]
    fn a_change_says_what_and_to_which_listener() {
        let change = Change::Resource { uri: "test://a".into() };
        let told: Value = serde_json::from_str(&change.to_text(Some(&RequestId::Text("7".into())))).unwrap();
        assert_eq!(told["params"]["uri"], "test://a");
        assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "7");
        let told: Value = serde_json::from_str(&Change::Tools.to_text(None)).unwrap();
        assert_eq!(told["params"], json!({}));
    }
}
