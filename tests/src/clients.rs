//! Clients that other people wrote, each at one version, and what each of them is made to do.
//!
//! `suites/real_clients` runs this table, and `docs/mcp.md` shows it.

use std::fmt;

/// How a client reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE, the transport of 2024-11-05.
    Sse,
    /// Standard input and output.
    Stdio,
}

impl Way {
    /// The word by which a client's script knows it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Sse => "sse",
            Self::Stdio => "stdio",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a client is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// A script of `tests/clients/node`, with the package whose SDK it is to use.
    Node {
        /// The script.
        script: &'static str,
        /// As the script imports it.
        sdk: &'static str,
    },
    /// A script of `tests/clients/python`.
    Python {
        /// The script.
        script: &'static str,
        /// What names the interpreter of its environment.
        variable: &'static str,
        /// The requirements of that environment.
        requirements: &'static str,
    },
    /// `tests/clients/rmcp`, in this era.
    Rust(&'static str),
    /// The inspector's command line, in this era.
    Inspector(&'static str),
    /// The bridge from stdio to HTTP, with an SDK of Node before it.
    Bridge,
}

/// A client.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The name in the names of tests.
    pub name: &'static str,
    /// The package, as its registry has it.
    pub package: &'static str,
    /// The version that is pinned.
    pub version: &'static str,
    /// What starts it.
    pub program: Program,
    /// How it comes, and on which revision it and the server then agree.
    pub ways: &'static [(Way, &'static str)],
    /// Where its user is asked before something is lost.
    pub asked: &'static [Way],
}

const LATEST: &str = "2026-07-28";
const HANDSHAKE: &str = "2025-11-25";

/// Every client, at every version that speaks something else.
pub const CLIENTS: &[Client] = &[
    Client {
        name: "typescript_sdk_2",
        package: "@modelcontextprotocol/client",
        version: "2.4.0",
        program: Program::Node { script: "sdk2.mjs", sdk: "@modelcontextprotocol/client" },
        ways: &[(Way::Http, LATEST), (Way::Sse, HANDSHAKE), (Way::Stdio, LATEST)],
        asked: &[Way::Http, Way::Sse, Way::Stdio],
    },
    Client {
        name: "typescript_sdk_1",
        package: "@modelcontextprotocol/sdk",
        version: "1.32.2",
        program: Program::Node { script: "sdk1.mjs", sdk: "@modelcontextprotocol/sdk" },
        ways: &[(Way::Http, HANDSHAKE), (Way::Sse, HANDSHAKE), (Way::Stdio, HANDSHAKE)],
        asked: &[Way::Sse, Way::Stdio],
    },
    Client {
        name: "typescript_sdk_of_2025_03_26",
        package: "@modelcontextprotocol/sdk",
        version: "1.12.3",
        program: Program::Node { script: "sdk1.mjs", sdk: "sdk-of-2025-03-26" },
        ways: &[(Way::Http, "2025-03-26"), (Way::Sse, "2025-03-26"), (Way::Stdio, "2025-03-26")],
        asked: &[],
    },
    Client {
        name: "typescript_sdk_of_2024_11_05",
        package: "@modelcontextprotocol/sdk",
        version: "1.10.2",
        program: Program::Node { script: "sdk1.mjs", sdk: "sdk-of-2024-11-05" },
        ways: &[(Way::Http, "2024-11-05"), (Way::Sse, "2024-11-05"), (Way::Stdio, "2024-11-05")],
        asked: &[],
    },
    Client {
        name: "python_sdk_2",
        package: "mcp",
        version: "2.3.0",
        program: Program::Python {
            script: "sdk2.py",
            variable: "HOUSEKEY_PYTHON_SDK2",
            requirements: "sdk2.txt",
        },
        ways: &[(Way::Http, LATEST), (Way::Sse, HANDSHAKE), (Way::Stdio, LATEST)],
        asked: &[Way::Http, Way::Sse, Way::Stdio],
    },
    Client {
        name: "python_sdk_1",
        package: "mcp",
        version: "1.30.0",
        program: Program::Python {
            script: "sdk1.py",
            variable: "HOUSEKEY_PYTHON_SDK1",
            requirements: "sdk1.txt",
        },
        ways: &[(Way::Http, HANDSHAKE), (Way::Sse, HANDSHAKE), (Way::Stdio, HANDSHAKE)],
        asked: &[Way::Sse, Way::Stdio],
    },
    Client {
        name: "python_sdk_of_2025_03_26",
        package: "mcp",
        version: "1.9.4",
        program: Program::Python {
            script: "sdk1.py",
            variable: "HOUSEKEY_PYTHON_OF_2025_03_26",
            requirements: "mcp-of-2025-03-26.txt",
        },
        ways: &[(Way::Http, "2025-03-26"), (Way::Sse, "2025-03-26"), (Way::Stdio, "2025-03-26")],
        asked: &[],
    },
    Client {
        name: "python_sdk_of_2024_11_05",
        package: "mcp",
        version: "1.8.1",
        program: Program::Python {
            script: "sdk1.py",
            variable: "HOUSEKEY_PYTHON_OF_2024_11_05",
            requirements: "mcp-of-2024-11-05.txt",
        },
        ways: &[(Way::Http, "2024-11-05"), (Way::Sse, "2024-11-05"), (Way::Stdio, "2024-11-05")],
        asked: &[],
    },
    Client {
        name: "fastmcp",
        package: "fastmcp",
        version: "4.1.2",
        program: Program::Python {
            script: "fast.py",
            variable: "HOUSEKEY_PYTHON_FASTMCP",
            requirements: "fastmcp.txt",
        },
        ways: &[(Way::Http, LATEST), (Way::Sse, HANDSHAKE), (Way::Stdio, LATEST)],
        asked: &[Way::Http, Way::Sse, Way::Stdio],
    },
    Client {
        name: "rmcp_modern",
        package: "rmcp",
        version: "3.9.0",
        program: Program::Rust("modern"),
        ways: &[(Way::Http, LATEST), (Way::Stdio, LATEST)],
        asked: &[Way::Http, Way::Stdio],
    },
    Client {
        name: "rmcp_legacy",
        package: "rmcp",
        version: "3.9.0",
        program: Program::Rust("legacy"),
        ways: &[(Way::Http, HANDSHAKE), (Way::Stdio, HANDSHAKE)],
        asked: &[Way::Stdio],
    },
    Client {
        name: "inspector_modern",
        package: "@modelcontextprotocol/inspector",
        version: "2.12.0",
        program: Program::Inspector("modern"),
        ways: &[(Way::Http, LATEST), (Way::Stdio, LATEST)],
        asked: &[],
    },
    Client {
        name: "inspector_legacy",
        package: "@modelcontextprotocol/inspector",
        version: "2.12.0",
        program: Program::Inspector("legacy"),
        ways: &[(Way::Http, HANDSHAKE), (Way::Sse, HANDSHAKE), (Way::Stdio, HANDSHAKE)],
        asked: &[],
    },
    Client {
        name: "mcp_remote",
        package: "mcp-remote",
        version: "0.15.1",
        program: Program::Bridge,
        ways: &[(Way::Http, HANDSHAKE), (Way::Sse, HANDSHAKE)],
        asked: &[],
    },
];
