//! The layers, one over the other: document, environment, flags; the defaults lie in the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::document::{self, Document, Format, Node};
use super::error::ConfigError;
use super::key::{Hosts, Key, Kind, Status, keys};
use super::value::{self, Input, Value};
use super::{Host, Sources, hint};

/// The variable that holds the configuration document itself.
pub(super) const DOCUMENT_VARIABLE: &str = "HOUSEKEY_CONFIG";

type ReadFile<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Where a value was written, as the operator would find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Document { name: String, path: String },
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document { name, path } => write!(f, "`{path}` in {name}"),
            Self::Variable(name) => write!(f, "`{name}`"),
            Self::Flag(name) => write!(f, "`--{name}`"),
        }
    }
}

/// A value, and where it comes from.
struct Given {
    key: &'static Key,
    origin: Origin,
    value: Value,
}

/// What the layers say, by the key's path.
#[derive(Default)]
pub(super) struct Gathered {
    values: BTreeMap<&'static str, Given>,
    /// Keys that were given what cannot be read.
    unread: BTreeSet<&'static str>,
    pub(super) warnings: Vec<String>,
}

/// Reads every layer.
pub(super) fn gather(
    sources: &Sources,
    read_file: ReadFile<'_>,
    problems: &mut Vec<ConfigError>,
) -> Gathered {
    let mut gathered = Gathered::default();
    let variables = Variables::read(sources, read_file, problems, &mut gathered.warnings);
    let flags = flags(sources, problems);
    let mut documents = Layer::default();
    if let Some(document) = find_document(sources, &variables, &flags, read_file, problems) {
        match document::parse(&document) {
            Ok(root) => documents.add_document(&document.name, root, problems),
            Err(problem) => problems.push(ConfigError::Document { name: document.name, problem }),
        }
    }
    for layer in [documents, variables.layer, flags] {
        gathered.lay(layer, problems);
    }
    gathered
}

impl Gathered {
    /// Refuses what nothing honours, and what this host cannot.
    pub(super) fn refuse_unsupported(&self, host: Host, problems: &mut Vec<ConfigError>) {
        for Given { key, origin, value } in self.values.values() {
            let is_default = default_value(key).as_ref() == Some(value);
            let inert = is_default || value.is_zero();
            let choice = match value {
                Value::Choice(choice) => choice.not_yet,
                Value::Bool(_)
                | Value::Integer(_)
                | Value::Text(_)
                | Value::Secrets(_)
                | Value::List(_)
                | Value::Map(_)
                | Value::Objects(_) => None,
            };
            let whole = match key.status {
                Status::NotYet(instead) if !inert => Some(instead),
                Status::NotYet(_) | Status::Live | Status::Source => None,
            };
            if let Some(instead) = whole {
                problems.push(ConfigError::NotYet { at: origin.to_string(), instead: instead.to_owned() });
            } else if let (Some(instead), Value::Choice(choice)) = (choice, value) {
                let at = format!("{} in {origin}", value::quoted(choice.name));
                problems.push(ConfigError::NotYet { at, instead: instead.to_owned() });
            } else if host != Host::Native {
                let reason = match key.hosts {
                    // Zero is a wish of its own where it is not the default: any free port, no grace.
                    Hosts::Native if !is_default && (!inert || matches!(value, Value::Integer(_))) => "",
                    Hosts::EdgeOnly(only) if !matches!(value, Value::Choice(choice) if choice.name == only) => {
                        ", where it is always `http`"
                    }
                    Hosts::Both | Hosts::Native | Hosts::EdgeOnly(_) => continue,
                };
                problems.push(ConfigError::NativeOnly { at: origin.to_string(), reason: reason.to_owned() });
            }
        }
    }

    /// Where a key was given, if anywhere.
    pub(super) fn origin(&self, path: &str) -> Option<&Origin> {
        self.values.get(path).map(|given| &given.origin)
    }

    /// The name by which to speak of a key: as it was written, else its path.
    pub(super) fn name(&self, path: &str) -> String {
        self.origin(path).map_or_else(|| format!("`{path}`"), ToString::to_string)
    }

    /// The value that holds, from a layer or the table; `None` when there is neither.
    pub(super) fn value(&self, path: &str) -> Option<Value> {
        match self.values.get(path) {
            Some(given) => Some(given.value.clone()),
            None => keys().find(|key| key.path == path).and_then(default_value),
        }
    }

    /// Whether a key was given something else than the value that stands for it here.
    pub(super) fn is_unread(&self, path: &str) -> bool {
        self.unread.contains(path)
    }

    fn lay(&mut self, layer: Layer, problems: &mut Vec<ConfigError>) {
        let mut seen: BTreeMap<&'static str, Origin> = BTreeMap::new();
        for (key, origin, input) in layer.inputs {
            if let Some(first) = seen.get(key.path) {
                problems.push(ConfigError::Twice { first: first.to_string(), second: origin.to_string() });
                continue;
            }
            seen.insert(key.path, origin.clone());
            match value::parse(key.kind, input) {
                Ok(value) => {
                    self.values.insert(key.path, Given { key, origin, value });
                }
                Err(problem) => {
                    self.unread.insert(key.path);
                    problems.push(ConfigError::Value { at: origin.to_string(), problem });
                }
            }
        }
    }
}

/// What one layer gives, not yet read.
#[derive(Default)]
struct Layer {
    inputs: Vec<(&'static Key, Origin, Input)>,
}

impl Layer {
    fn add_document(&mut self, name: &str, root: Node, problems: &mut Vec<ConfigError>) {
        match root {
            Node::Null => {}
            Node::Map(entries) => self.add_section(name, "", entries, problems),
            Node::Scalar(_) | Node::List(_) => {
                let problem = "it holds no keys".to_owned();
                problems.push(ConfigError::Document { name: name.to_owned(), problem });
            }
        }
    }

    fn add_section(
        &mut self,
        name: &str,
        section: &str,
        entries: Vec<(String, Node)>,
        problems: &mut Vec<ConfigError>,
    ) {
        for (member, node) in entries {
            let path = if section.is_empty() { member } else { format!("{section}.{member}") };
            let origin = Origin::Document { name: name.to_owned(), path: path.clone() };
            let named = |key: &&Key| key.path == path || key.alias.is_some_and(|alias| alias.path == path);
            if let Some(key) = keys().filter(|key| key.in_document).find(named) {
                if node != Node::Null {
                    self.inputs.push((key, origin, Input::Node(node)));
                }
                continue;
            }
            let is_section = hint::paths()
                .any(|known| known.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.')));
            match node {
                Node::Null if is_section => {}
                Node::Map(entries) if is_section => self.add_section(name, &path, entries, problems),
                Node::Scalar(_) | Node::List(_) if is_section => {
                    problems.push(ConfigError::NotASection { at: origin.to_string() });
                }
                Node::Null | Node::Map(_) | Node::Scalar(_) | Node::List(_) => {
                    // A document of another program has many, and each search costs.
                    let nearest = if problems.len() < 20 { hint::nearest_path(&path) } else { None };
                    problems.push(ConfigError::UnknownKey { at: origin.to_string(), nearest });
                }
            }
        }
    }
}

/// The environment: its layer, and the document it may hold.
struct Variables {
    layer: Layer,
    document: Option<(String, String)>,
}

impl Variables {
    fn read(
        sources: &Sources,
        read_file: ReadFile<'_>,
        problems: &mut Vec<ConfigError>,
        warnings: &mut Vec<String>,
    ) -> Self {
        // A name given twice counts as an operating system counts it: the last one stays.
        let environment: BTreeMap<&str, &str> =
            sources.environment.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let mut read = |name: &str| variable(&environment, name, read_file, problems);
        let mut layer = Layer::default();
        for key in keys() {
            for name in [key.variable, key.alias.map(|alias| alias.variable)].into_iter().flatten() {
                if let Some((origin, text)) = read(name) {
                    layer.inputs.push((key, Origin::Variable(origin), Input::Variable(text)));
                }
            }
        }
        let document = read(DOCUMENT_VARIABLE);
        for name in environment.keys() {
            let ours = |known: &str| {
                *name == known || name.strip_suffix("_FILE").is_some_and(|variable| variable == known)
            };
            let known = ours(DOCUMENT_VARIABLE)
                || keys().any(|key| {
                    key.variable.is_some_and(ours) || key.alias.is_some_and(|alias| ours(alias.variable))
                });
            if !known {
                warnings.extend(hint::stray_variable(name));
            }
        }
        Self { layer, document }
    }
}

/// A variable's text, from itself or from the file that its `…_FILE` names. Empty ones count as unset.
fn variable(
    environment: &BTreeMap<&str, &str>,
    name: &str,
    read_file: ReadFile<'_>,
    problems: &mut Vec<ConfigError>,
) -> Option<(String, String)> {
    let file_name = format!("{name}_FILE");
    let set = |name: &str| environment.get(name).copied().filter(|text| !text.is_empty());
    match (set(name), set(&file_name)) {
        (None, None) => None,
        (Some(text), None) => Some((name.to_owned(), text.to_owned())),
        (Some(_), Some(_)) => {
            problems
                .push(ConfigError::Twice { first: format!("`{name}`"), second: format!("`{file_name}`") });
            None
        }
        (None, Some(path)) => match read_file(path) {
            Ok(mut text) => {
                if text.ends_with('\n') {
                    text.pop();
                    if text.ends_with('\r') {
                        text.pop();
                    }
                }
                Some((file_name, text))
            }
            Err(problem) => {
                problems.push(ConfigError::Unreadable { named_by: format!("`{file_name}`"), problem });
                None
            }
        },
    }
}

fn flags(sources: &Sources, problems: &mut Vec<ConfigError>) -> Layer {
    let mut layer = Layer::default();
    for (flag, values) in &sources.flags {
        let named = |key: &&Key| {
            key.flag == Some(flag.as_str()) || key.alias.is_some_and(|alias| alias.flag == flag.as_str())
        };
        match keys().find(named) {
            Some(key) => layer.inputs.push((key, Origin::Flag(flag.clone()), Input::Flag(values.clone()))),
            None => {
                problems
                    .push(ConfigError::UnknownFlag { flag: flag.clone(), nearest: hint::nearest_flag(flag) });
            }
        }
    }
    layer
}

/// The one document: what the host read, what `--config` or `CONFIG_FILE` names, or `HOUSEKEY_CONFIG`.
fn find_document(
    sources: &Sources,
    variables: &Variables,
    flags: &Layer,
    read_file: ReadFile<'_>,
    problems: &mut Vec<ConfigError>,
) -> Option<Document> {
    let path =
        flags.inputs.iter().chain(&variables.layer.inputs).find_map(|(key, origin, input)| match input {
            Input::Variable(path) if key.status == Status::Source => Some((origin, path.as_str())),
            Input::Flag(paths) if key.status == Status::Source => {
                paths.last().map(|path| (origin, path.as_str()))
            }
            Input::Variable(_) | Input::Flag(_) | Input::Node(_) => None,
        });
    let file = match (&sources.document, path.filter(|(_, path)| !path.is_empty())) {
        (Some(document), _) => Some(document.clone()),
        (None, None) => None,
        (None, Some((origin, path))) => match read_file(path) {
            Ok(text) => Some(Document::new(path, text)),
            Err(problem) => {
                problems.push(ConfigError::Unreadable { named_by: origin.to_string(), problem });
                None
            }
        },
    };
    match (file, &variables.document) {
        (Some(file), Some((name, _))) => {
            problems
                .push(ConfigError::TwoDocuments { first: file.name.clone(), second: format!("`{name}`") });
            None
        }
        (Some(file), None) => Some(file),
        (None, Some((name, text))) => {
            Some(Document { name: format!("`{name}`"), text: text.clone(), format: Format::Either })
        }
        (None, None) => None,
    }
}

/// What the table says; `None` for texts and choices without a default.
pub(super) fn default_value(key: &'static Key) -> Option<Value> {
    let empty = key.default.is_empty();
    match key.kind {
        Kind::List if empty => Some(Value::List(Vec::new())),
        Kind::Map if empty => Some(Value::Map(Vec::new())),
        Kind::Secret | Kind::Secrets if empty => Some(Value::Secrets(Vec::new())),
        Kind::Objects => Some(Value::Objects(Vec::new())),
        Kind::Text if empty => Some(Value::Text(String::new())),
        Kind::Bool
        | Kind::Integer { .. }
        | Kind::Seconds { .. }
        | Kind::Text
        | Kind::Secret
        | Kind::Secrets
        | Kind::List
        | Kind::Map
        | Kind::Choice(_) => value::parse(key.kind, Input::Variable(key.default.to_owned())).ok(),
    }
}
