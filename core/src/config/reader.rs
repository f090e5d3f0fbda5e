//! Settings by path, as Rust values, and complaints about them.

use super::Host;
use super::error::ConfigError;
use super::key::keys;
use super::layers::Gathered;
use super::value::{Object, Value, quoted};
use crate::secret::Secret;

/// Reads settings. The table decides their kinds and a test reads every key, so no reader meets another kind.
pub(super) struct Reader<'a> {
    pub(super) host: Host,
    pub(super) gathered: &'a Gathered,
    pub(super) warnings: &'a mut Vec<String>,
    pub(super) problems: &'a mut Vec<ConfigError>,
}

impl Reader<'_> {
    pub(super) fn given(&self, path: &str) -> bool {
        self.gathered.origin(path).is_some()
    }

    pub(super) fn flag(&self, path: &str) -> bool {
        matches!(self.gathered.value(path), Some(Value::Bool(true)))
    }

    /// A number that the table holds within the bounds of its type.
    pub(super) fn number<T: TryFrom<i64> + Default>(&self, path: &str) -> T {
        match self.gathered.value(path) {
            Some(Value::Integer(number)) => T::try_from(number).unwrap_or_default(),
            _ => T::default(),
        }
    }

    /// A cap: 0 stands for the default, a negative number for none.
    pub(super) fn cap(&self, path: &str) -> Option<u64> {
        let number = match self.number::<i64>(path) {
            0 => keys()
                .find(|key| key.path == path)
                .and_then(|key| key.default.parse().ok())
                .unwrap_or_default(),
            number => number,
        };
        u64::try_from(number).ok()
    }

    pub(super) fn text(&self, path: &str) -> String {
        match self.gathered.value(path) {
            Some(Value::Text(text)) => text,
            _ => String::new(),
        }
    }

    pub(super) fn optional(&self, path: &str) -> Option<String> {
        Some(self.text(path)).filter(|text| !text.is_empty())
    }

    pub(super) fn choice(&self, path: &str) -> &'static str {
        match self.gathered.value(path) {
            Some(Value::Choice(choice)) => choice.name,
            _ => "",
        }
    }

    pub(super) fn list(&self, path: &str) -> Vec<String> {
        match self.gathered.value(path) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        }
    }

    pub(super) fn map(&self, path: &str) -> Vec<(String, String)> {
        match self.gathered.value(path) {
            Some(Value::Map(entries)) => entries,
            _ => Vec::new(),
        }
    }

    pub(super) fn objects(&self, path: &str) -> Vec<Object> {
        match self.gathered.value(path) {
            Some(Value::Objects(objects)) => objects,
            _ => Vec::new(),
        }
    }

    pub(super) fn secrets(&self, path: &str) -> Vec<Secret<String>> {
        match self.gathered.value(path) {
            Some(Value::Secrets(secrets)) => secrets,
            _ => Vec::new(),
        }
    }

    /// Secrets of which none is empty; one empty text is no secret at all.
    pub(super) fn secret_keys(&mut self, path: &str) -> Vec<Secret<String>> {
        let secrets = self.secrets(path);
        if secrets.iter().all(|secret| secret.expose().is_empty()) {
            return Vec::new();
        }
        if secrets.iter().any(|secret| secret.expose().is_empty()) {
            self.value_problem(path, "has an empty secret among others");
        }
        secrets
    }

    /// The items of a list, each checked and written anew.
    pub(super) fn each<T>(&mut self, path: &str, problem: &str, parse: fn(&str) -> Option<T>) -> Vec<T> {
        let mut parsed = Vec::new();
        for item in self.list(path) {
            match parse(&item) {
                Some(item) => parsed.push(item),
                None => self.entry_problem(path, &item, problem),
            }
        }
        parsed
    }

    pub(super) fn value_problem(&mut self, path: &str, problem: &str) {
        self.problems.push(ConfigError::Value { at: self.gathered.name(path), problem: problem.to_owned() });
    }

    pub(super) fn entry_problem(&mut self, path: &str, entry: &str, problem: &str) {
        let at = format!("{} in {}", quoted(entry), self.gathered.name(path));
        self.problems.push(ConfigError::Value { at, problem: problem.to_owned() });
    }

    pub(super) fn rule(&mut self, sentence: &str) {
        self.problems.push(ConfigError::Rule(sentence.to_owned()));
    }

    pub(super) fn warn(&mut self, sentence: &str) {
        self.warnings.push(sentence.to_owned());
    }
}
