//! The checked configuration: what an operator wrote, parsed once, so that nothing behind it checks again.
//!
//! One declarative table ([`key`]) names every key with its flag, its environment variable, its default and its
//! meaning; the loader, the command line of the native host and `docs/configuration.md` are all read off it. Keys
//! and names are those of altinity-mcp where it has them. Four layers, each above the one before: built-in
//! defaults, a document (a file, or `HOUSEKEY_CONFIG`), environment variables, flags.
//!
//! Deliberately absent: reading files or the environment (hosts do, and pass [`Sources`]), reloading (hosts call
//! [`load`] again), and keys that are accepted and do nothing: a key is live or it is refused by name.

mod check;
mod document;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod hint;
mod host_pattern;
mod jwe;
pub mod key;
mod layers;
mod name_rules;
pub mod oauth;
mod pattern;
mod reader;
mod reference;
mod settings;
mod tools;
mod value;

pub use document::{Document, Format};
pub use error::{ConfigError, ConfigErrors};
pub use host_pattern::{Covered, HostPattern};
pub use key::{FlagSpec, flags};
pub use pattern::Pattern;
pub use reference::markdown;
pub use settings::{
    ClickHouse, Cluster, Config, CorsOrigin, Generator, Impersonation, Jwe, Level, Logging, OpenApi, Server,
    Tls, Transport,
};
pub use tools::{OWN_TOOLS, RuleSource, ToolRule, Tools};

/// Which program loads the configuration: a sandbox at the edge can honour less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The native binary.
    Native,
    /// The WebAssembly component: no sockets, no files, no command line.
    Edge,
    /// The component inside the native host that has authenticated the caller and queries in its place. The host
    /// writes its configuration: what it takes to log in or to open a token is not in it.
    Hosted,
}

/// Everything that an operator wrote, as the host found it.
#[derive(Clone, Default)]
pub struct Sources {
    /// The configuration file, when the host has read it. When this is `None`, [`load`] reads the file that
    /// `--config` or `CONFIG_FILE` names through its callback.
    pub document: Option<Document>,
    /// The environment, whole: names that Housekey does not know are left alone.
    pub environment: Vec<(String, String)>,
    /// Flags without their dashes, each with all the values given to it. A switch without a value has none.
    pub flags: Vec<(String, Vec<String>)>,
}

/// A configuration, and what the operator should hear about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// One sentence each, without secrets, for the log.
    pub warnings: Vec<String>,
}

/// Lays the sources over the defaults and checks the result.
///
/// `read_file` returns the contents of a file by its path, or says why it cannot; it serves the `…_FILE` variables
/// and `CONFIG_FILE`. A host without files returns an error that says so.
///
/// # Errors
/// Everything that is wrong, at once. No secret is ever part of it.
pub fn load(
    host: Host,
    sources: &Sources,
    read_file: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Loaded, ConfigErrors> {
    let mut problems = Vec::new();
    let gathered = layers::gather(sources, read_file, &mut problems);
    gathered.refuse_unsupported(host, &mut problems);
    let mut warnings = gathered.warnings.clone();
    let config = check::check(host, &gathered, &mut warnings, &mut problems);
    if problems.is_empty() { Ok(Loaded { config, warnings }) } else { Err(ConfigErrors(problems)) }
}

#[cfg(test)]
mod tests;
