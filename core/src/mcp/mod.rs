//! The Model Context Protocol: revisions, what they say on the wire, and what a request must carry.

mod ask;
mod completion;
mod lifecycle;
mod meta;
mod notice;
mod prompt;
mod resource;
mod revision;
mod tool;

pub use ask::{Answers, ClientAbilities, Questions, ServerRequest};
pub use completion::{MOST_COMPLETIONS, completion_result};
pub use lifecycle::{
    Capabilities, News, discover_result, initialize_result, result_meta, supported_versions,
};
pub use meta::{Meta, MetaError, log_level, progress_token, trace_context};
pub use notice::{Change, LogLevel, Notice};
pub use prompt::{PromptArgument, PromptDefinition, prompt_result, prompts_result};
pub use resource::{Address, ResourceDefinition, read_result, resources_result, templates_result};
pub use revision::Revision;
pub use tool::{CallResult, Definition, Hints, list_result};

/// The `_meta` key of the revision (MCP 2026-07-28, basic/index).
pub const PROTOCOL_VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
/// The `_meta` key of the client's capabilities.
pub const CLIENT_CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
/// The `_meta` key of the server's name and version on results.
pub const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";
/// The `_meta` key of the deprecated log level.
pub const LOG_LEVEL_KEY: &str = "io.modelcontextprotocol/logLevel";
/// The `_meta` key of the listening request's id on what is told to it.
pub const SUBSCRIPTION_ID_KEY: &str = "io.modelcontextprotocol/subscriptionId";
