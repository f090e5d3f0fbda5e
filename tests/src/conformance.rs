//! The official conformance suite: its requirement sets, who is held to them, and what cannot apply to whom.
//!
//! `docs/mcp.md` is generated from these tables, and `suites/conformance` runs by them.

use std::fmt;

use crate::host::Host;

/// A requirement set of the suite: what a server must do to conform to a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// The revision, as the suite's option names it.
    pub revision: &'static str,
    /// How many of its scenarios count.
    pub scored: usize,
    /// What is run, too, and never counted, because the suite has it for an extension or as pending. The tasks are
    /// [`TASK_SCENARIOS`].
    pub unscored: &'static [&'static str],
    /// Whether the set has the tasks.
    pub tasks: bool,
}

impl Requirements {
    /// Whether a scenario is run and not counted.
    pub fn is_unscored(&self, scenario: &str) -> bool {
        self.unscored.contains(&scenario) || self.tasks && TASK_SCENARIOS.contains(&scenario)
    }

    /// How many are run and not counted.
    pub const fn unscored_count(&self) -> usize {
        self.unscored.len() + if self.tasks { TASK_SCENARIOS.len() } else { 0 }
    }
}

/// The sets that the suite has.
pub const REQUIREMENTS: [Requirements; 2] = [
    Requirements {
        revision: LATEST,
        scored: 37,
        unscored: &["http-custom-header-server-validation", "http-header-validation", "json-schema-2020-12"],
        tasks: true,
    },
    Requirements {
        revision: HANDSHAKE,
        scored: 30,
        unscored: &["json-schema-2020-12", "server-session-lifecycle", "server-sse-polling"],
        tasks: false,
    },
];

/// What is held to a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Housekey as people run it, with its own tools, on a host.
    Product(Host),
    /// The engine with the tools, resources and prompts that the suite asks for, and with sessions.
    Fixture,
}

/// Everybody who is held to every set.
pub const SUBJECTS: [Subject; 4] = [
    Subject::Product(Host::NativeHttp),
    Subject::Product(Host::HostedComponent),
    Subject::Product(Host::StockWasmtime),
    Subject::Fixture,
];

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(host) => write!(f, "{host}"),
            Self::Fixture => f.write_str("fixture"),
        }
    }
}

/// What somebody fails, is warned about or does not run, and why that is so.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Whose failure it is.
    pub of: Whose,
    /// In which set; in every one where there is none.
    pub revision: Option<&'static str>,
    /// Why.
    pub reason: &'static str,
    /// `scenario`, or `scenario:check` where the rest of the scenario is held, as the suite writes it.
    pub entries: &'static [&'static str],
}

/// Whose failure is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The product's on every host.
    Product,
    /// The fixture's.
    Fixture,
}

impl Expected {
    /// Whether it speaks of this subject and this set.
    pub fn concerns(&self, subject: Subject, revision: &str) -> bool {
        let of = match subject {
            Subject::Product(_) => Whose::Product,
            Subject::Fixture => Whose::Fixture,
        };
        self.of == of && self.revision.is_none_or(|only| only == revision)
    }
}

/// All that is expected to fail. What is listed here and passes fails the suite. That messages fit their schema is
/// excused nowhere.
pub const EXPECTED: &[Expected] = &[
    Expected {
        of: Whose::Product,
        revision: None,
        reason: "asks for a tool, prompt or resource of the suite's, and the product has its own",
        entries: &[
            "completion-complete",
            "json-schema-2020-12",
            "prompts-get-embedded-resource",
            "prompts-get-simple",
            "prompts-get-with-args",
            "prompts-get-with-image",
            "resources-read-binary",
            "resources-read-text",
            "resources-templates-read",
            "tools-call-audio",
            "tools-call-embedded-resource",
            "tools-call-error",
            "tools-call-image",
            "tools-call-mixed-content",
            "tools-call-simple-text",
            "tools-call-with-progress",
        ],
    },
    Expected {
        of: Whose::Product,
        revision: Some(LATEST),
        reason: "asks for a tool or prompt of the suite's that asks the client back",
        entries: &[
            "input-required-result-basic-elicitation",
            "input-required-result-basic-list-roots",
            "input-required-result-basic-sampling",
            "input-required-result-capability-check",
            "input-required-result-ignore-extra-params",
            "input-required-result-missing-input-response",
            "input-required-result-multi-round",
            "input-required-result-multiple-input-requests",
            "input-required-result-non-tool-request",
            "input-required-result-request-state",
            "input-required-result-result-type",
            "input-required-result-tampered-state",
        ],
    },
    Expected {
        of: Whose::Product,
        revision: Some(LATEST),
        reason: "asks for a tool that is made to show one rule; the other checks of the scenario are held",
        entries: &[
            "server-stateless:sep-2575-http-server-no-independent-requests-on-stream",
            "server-stateless:sep-2575-missing-capability-http-400",
            "server-stateless:sep-2575-server-no-log-without-loglevel",
            "server-stateless:sep-2575-server-rejects-undeclared-capability",
        ],
    },
    Expected {
        of: Whose::Product,
        revision: Some(LATEST),
        reason: "no argument of the product's tools is repeated in a header",
        entries: &["http-custom-header-server-validation"],
    },
    Expected {
        of: Whose::Product,
        revision: Some(HANDSHAKE),
        reason: "the product keeps no session over HTTP, so it asks nothing back, streams nothing unasked and resumes \
                 nothing",
        entries: &[
            "elicitation-sep1034-defaults",
            "elicitation-sep1330-enums",
            "logging-set-level",
            "resources-subscribe",
            "resources-unsubscribe",
            "server-session-lifecycle",
            "server-sse-multiple-streams:server-sse-multiple-streams-session",
            "server-sse-polling:server-sse-polling-session",
            "tools-call-elicitation",
            "tools-call-sampling",
            "tools-call-with-logging",
        ],
    },
    Expected { of: Whose::Product, revision: Some(LATEST), reason: TASKS, entries: TASK_SCENARIOS },
    Expected { of: Whose::Fixture, revision: Some(LATEST), reason: TASKS, entries: TASK_SCENARIOS },
];

const LATEST: &str = "2026-07-28";
const HANDSHAKE: &str = "2025-11-25";

const TASKS: &str = "tasks are an extension that the suite itself does not score, and Housekey does not have";

/// The scenarios of the extension of tasks.
pub const TASK_SCENARIOS: &[&str] = &[
    "tasks-capability-negotiation",
    "tasks-dispatch-and-envelope",
    "tasks-lifecycle",
    "tasks-mrtr-composition",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-request-state-removal",
    "tasks-required-task-error",
    "tasks-status-notifications",
    "tasks-wire-fields",
];
