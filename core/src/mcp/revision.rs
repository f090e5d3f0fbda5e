//! The revisions of MCP, in order, with a name for every difference that the code acts on.

use std::fmt;

/// A revision that Housekey speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// 2024-11-05.
    V2024_11_05,
    /// 2025-03-26.
    V2025_03_26,
    /// 2025-06-18.
    V2025_06_18,
    /// 2025-11-25, the last with a handshake.
    V2025_11_25,
    /// 2026-07-28, the first without.
    V2026_07_28,
}

impl Revision {
    /// Every revision, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// The newest revision that `initialize` can agree on.
    pub const LATEST_HANDSHAKE: Self = Self::V2025_11_25;

    /// The newest revision.
    pub const LATEST: Self = Self::V2026_07_28;

    /// What a request without `MCP-Protocol-Version` is taken for (MCP 2025-06-18, transports).
    pub const WITHOUT_HEADER: Self = Self::V2025_03_26;

    /// The revision of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == text)
    }

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Every request says its revision itself; there is no `initialize`.
    pub fn is_stateless(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// `Mcp-Method` and `Mcp-Name` are required over HTTP.
    pub fn requires_standard_headers(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// Results say `resultType`, lists say how long they may be cached, and `_meta` names the server.
    pub fn has_result_type(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// JSON-RPC errors have HTTP statuses of their own; before, they were bodies of status 200.
    pub fn maps_errors_to_status(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// Arrays of messages are legal. 2024-11-05 says nothing; its clients over streamable HTTP are served alike.
    pub fn allows_batch(self) -> bool {
        self <= Self::V2025_03_26
    }

    /// Tools have annotations.
    pub fn has_annotations(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Tools have `title` and `outputSchema`, results `structuredContent`.
    pub fn has_structured_content(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// A server says that it completes arguments. It could before, but had no word for it.
    pub fn declares_completions(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Progress notifications have a `message`.
    pub fn has_progress_message(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Servers may have the client's user fill in forms.
    pub fn has_elicitation(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Servers may have the client's user visit pages.
    pub fn has_visits(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// An event stream begins with an event without data, from which it can be taken up again. Older clients take that
    /// for a broken message (MCP 2025-11-25, transports).
    pub fn has_priming_events(self) -> bool {
        self == Self::V2025_11_25
    }

    /// Content may be audio.
    pub fn has_audio(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Content may be a link to a resource.
    pub fn has_resource_links(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// The implementation object has `title`.
    pub fn has_titles(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// The implementation object has `description` and `websiteUrl`.
    pub fn has_described_servers(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// A resource that is not there has an error code of its own; since then it is a bad parameter.
    pub fn has_own_code_for_absent_resources(self) -> bool {
        self <= Self::V2025_11_25
    }

    /// Bad arguments are a result with `isError`; before, they were a protocol error.
    pub fn reports_bad_arguments_as_results(self) -> bool {
        self >= Self::V2025_11_25
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_in_order() {
        for pair in Revision::ALL.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].as_str() < pair[1].as_str());
        }
        for revision in Revision::ALL {
            assert_eq!(Revision::parse(revision.as_str()), Some(revision));
        }
        assert_eq!(Revision::parse("2024-10-07"), None);
        assert!(!Revision::LATEST_HANDSHAKE.is_stateless());
    }
}
