//! What Housekey speaks: revisions, what differs between them, and what is refused how. `suites/conformance` asks every
//! host for each line, and `docs/mcp.md` shows them.

/// Something that a client of one revision sees and that of another does not.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// For people.
    pub what: &'static str,
    /// How it is looked for.
    pub probe: Probe,
    /// The revisions that have it.
    pub revisions: &'static [&'static str],
}

/// A look at a host in one revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `initialize` agrees on the revision.
    Handshake,
    /// A request that says its revision in `_meta` is answered in it.
    Stateless,
    /// An array of messages is answered with an array.
    Batch,
    /// The first tool has this member.
    ToolMember(&'static str),
    /// The result of a call has this member.
    ResultMember(&'static str),
    /// Arguments that do not fit are a result with `isError`.
    BadArgumentsAsResult,
    /// What is not there is an error of this code when read.
    AbsentResource(i64),
    /// An unknown method is answered with this status.
    UnknownMethod(u16),
}

/// Every revision, newest first.
pub const REVISIONS: [&str; 5] = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const STATELESS: &[&str] = &["2026-07-28"];
const HANDSHAKE: &[&str] = &["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const STRUCTURED: &[&str] = &["2026-07-28", "2025-11-25", "2025-06-18"];

/// All that differs, as far as a client of the product can see it.
pub const DIFFERENCES: &[Difference] = &[
    Difference { what: "`initialize`", probe: Probe::Handshake, revisions: HANDSHAKE },
    Difference { what: "each request stands alone", probe: Probe::Stateless, revisions: STATELESS },
    Difference { what: "arrays of messages", probe: Probe::Batch, revisions: &["2025-03-26", "2024-11-05"] },
    Difference {
        what: "`annotations` of tools",
        probe: Probe::ToolMember("annotations"),
        revisions: &["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"],
    },
    Difference { what: "`title` of tools", probe: Probe::ToolMember("title"), revisions: STRUCTURED },
    Difference { what: "`outputSchema`", probe: Probe::ToolMember("outputSchema"), revisions: STRUCTURED },
    Difference {
        what: "`structuredContent`",
        probe: Probe::ResultMember("structuredContent"),
        revisions: STRUCTURED,
    },
    Difference { what: "`resultType`", probe: Probe::ResultMember("resultType"), revisions: STATELESS },
    Difference {
        what: "bad arguments are a result with `isError`",
        probe: Probe::BadArgumentsAsResult,
        revisions: &["2026-07-28", "2025-11-25"],
    },
    Difference {
        what: "an absent resource is -32002",
        probe: Probe::AbsentResource(-32002),
        revisions: HANDSHAKE,
    },
    Difference {
        what: "an absent resource is -32602",
        probe: Probe::AbsentResource(-32602),
        revisions: STATELESS,
    },
    Difference { what: "an unknown method is 404", probe: Probe::UnknownMethod(404), revisions: STATELESS },
];

/// A POST to `/mcp` that is refused. The request is a good one of 2026-07-28 but for what is said here.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// For people.
    pub what: &'static str,
    /// Headers with another value; an empty one is left out.
    pub headers: &'static [(&'static str, &'static str)],
    /// Another body; `None` for a good one.
    pub body: Option<&'static str>,
    /// The HTTP status.
    pub status: u16,
    /// The JSON-RPC code, where the body is a JSON-RPC error.
    pub code: Option<i64>,
}

impl Refused {
    const fn head(what: &'static str, headers: &'static [(&'static str, &'static str)], status: u16) -> Self {
        Self { what, headers, body: None, status, code: None }
    }

    const fn message(what: &'static str, body: &'static str, status: u16, code: i64) -> Self {
        Self { what, headers: &[], body: Some(body), status, code: Some(code) }
    }

    const fn header(
        what: &'static str,
        headers: &'static [(&'static str, &'static str)],
        status: u16,
        code: i64,
    ) -> Self {
        Self { what, headers, body: None, status, code: Some(code) }
    }
}

/// In the order in which they are looked for, as far as one request can have several of them.
pub const REFUSED: &[Refused] = &[
    Refused::head("an origin that is not allowed", &[("origin", "https://elsewhere.example")], 403),
    Refused::head("no token, or one that does not open", &[("authorization", "Bearer x")], 401),
    Refused::head("`Accept` without JSON and event streams", &[("accept", "text/html")], 406),
    Refused::head("a body that does not say that it is JSON", &[("content-type", "text/plain")], 415),
    Refused::message("not JSON", "{", 400, -32700),
    Refused::message("JSON that is no message", "7", 400, -32600),
    Refused::message("an array of messages", "[]", 400, -32600),
    Refused::message(
        "`_meta` without the client's capabilities",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
        400,
        -32602,
    ),
    Refused::header(
        "a header that says something else than the body",
        &[("mcp-method", "ping")],
        400,
        -32020,
    ),
    Refused::header("a header that is missing", &[("mcp-method", "")], 400, -32020),
    Refused {
        what: "a revision that is not spoken",
        headers: &[("mcp-protocol-version", "2099-01-01")],
        body: Some(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
        ),
        status: 400,
        code: Some(-32022),
    },
    Refused {
        what: "a method that is not there",
        headers: &[("mcp-method", "no/such")],
        body: Some(
            r#"{"jsonrpc":"2.0","id":1,"method":"no/such","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
        ),
        status: 404,
        code: Some(-32601),
    },
    Refused {
        what: "a tool that is not there",
        headers: &[("mcp-method", "tools/call"), ("mcp-name", "x")],
        body: Some(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
        ),
        status: 200,
        code: Some(-32602),
    },
];
