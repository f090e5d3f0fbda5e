//! What can be wrong with a configuration. Every variant names what the operator wrote, none a secret.

use std::fmt;

/// One thing that is wrong. Its text is a sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The document is not YAML or JSON, or not within bounds.
    #[error("{name} cannot be parsed: {problem}.")]
    Document {
        /// What the host calls the document.
        name: String,
        /// Where and what, without a value.
        problem: String,
    },
    /// A file that a flag or a variable names cannot be read.
    #[error("{named_by} names a file that cannot be read: {problem}.")]
    Unreadable {
        /// The flag or variable.
        named_by: String,
        /// The host's reason.
        problem: String,
    },
    /// A configuration file and `HOUSEKEY_CONFIG` are both given.
    #[error("{first} and {second} are both given: there can be one configuration document.")]
    TwoDocuments {
        /// The file.
        first: String,
        /// The variable.
        second: String,
    },
    /// A key of the document is in no table.
    #[error("{at} is not a key of Housekey{}", meant(.nearest))]
    UnknownKey {
        /// The key, as written.
        at: String,
        /// The nearest key there is.
        nearest: Option<String>,
    },
    /// A flag is in no table.
    #[error("`--{flag}` is not a flag of Housekey{}", meant(.nearest))]
    UnknownFlag {
        /// The flag, without dashes.
        flag: String,
        /// The nearest flag there is, with dashes.
        nearest: Option<String>,
    },
    /// A key that holds other keys was given a value.
    #[error("{at} is a section and holds keys, not a value.")]
    NotASection {
        /// The section, as written.
        at: String,
    },
    /// The value does not fit the key.
    #[error("{at} {problem}.")]
    Value {
        /// The key, variable or flag, as written.
        at: String,
        /// What it has to be.
        problem: String,
    },
    /// One layer gives the same setting twice, under two names.
    #[error("{first} and {second} are two names of one setting: give one of them.")]
    Twice {
        /// The first, as written.
        first: String,
        /// The second, as written.
        second: String,
    },
    /// The key is known, but nothing would honour it.
    #[error("{at} is not supported yet: {instead}.")]
    NotYet {
        /// The key, variable or flag, as written.
        at: String,
        /// What to do meanwhile.
        instead: String,
    },
    /// The key is known, but a sandbox cannot honour it.
    #[error("{at} cannot be honoured at the edge{reason}: remove it, or use the native host.")]
    NativeOnly {
        /// The key, variable or flag, as written.
        at: String,
        /// Why, with its own punctuation.
        reason: String,
    },
    /// The settings are each well formed, but do not go together.
    #[error("{0}.")]
    Rule(String),
}

/// All that is wrong, in the order in which it was found; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    /// A line for each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// The end of the sentence that names the nearest right name.
fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(|| ".".to_owned(), |name| format!("; did you mean `{name}`?"))
}
