//! The table of keys: one entry for each setting, from which everything else is read off.

mod clickhouse;
mod oauth;
mod other;
mod server;

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its path in a document, which is also its name: `clickhouse.port`.
    pub path: &'static str,
    /// Whether a document may hold it; some are flags and variables only.
    pub in_document: bool,
    /// Its flag, without dashes.
    pub flag: Option<&'static str>,
    /// Its environment variable.
    pub variable: Option<&'static str>,
    /// An older name of the same setting.
    pub alias: Option<Alias>,
    /// What a value looks like.
    pub kind: Kind,
    /// The value when no layer gives one, as a variable would hold it; empty for none.
    pub default: &'static str,
    /// Whether anything honours it.
    pub status: Status,
    /// Which hosts honour it.
    pub hosts: Hosts,
    /// What it does, in a sentence or two, with its unit.
    pub help: &'static str,
}

/// An older name of a setting, in every layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The path in a document.
    pub path: &'static str,
    /// The flag, without dashes.
    pub flag: &'static str,
    /// The environment variable.
    pub variable: &'static str,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A whole number within bounds, both included.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A span in whole seconds within bounds, both included.
    Seconds {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A text without control characters.
    Text,
    /// A secret text.
    Secret,
    /// One secret text or several, of which the first makes and all open.
    Secrets,
    /// A list of texts.
    List,
    /// Names with texts.
    Map,
    /// One of a few names.
    Choice(&'static [Choice]),
    /// A list of objects, which only a document can hold.
    Objects,
}

/// One of the names that a key may have as its value.
#[derive(Debug, PartialEq, Eq)]
pub struct Choice {
    /// The name.
    pub name: &'static str,
    /// What to do meanwhile, if the choice is not supported yet.
    pub not_yet: Option<&'static str>,
}

/// Whether anything honours a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does what its help says.
    Live,
    /// It says where the configuration comes from and is used up while loading.
    Source,
    /// Nothing honours it: anything but its default or a zero value is refused. The text continues the sentence
    /// "`key` is not supported yet: …".
    NotYet(&'static str),
}

/// Which hosts honour a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Every host.
    Both,
    /// The native host; at the edge anything but the default or a zero value is refused.
    Native,
    /// At the edge this is the only value.
    EdgeOnly(&'static str),
}

/// A flag, as a command line declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagSpec {
    /// The name, without dashes.
    pub name: &'static str,
    /// The environment variable of the same setting.
    pub env: Option<&'static str>,
    /// What stands for the value in help texts.
    pub value_name: &'static str,
    /// Whether it may be given more than once, each adding to the others.
    pub repeatable: bool,
    /// Whether it may stand without a value, which then is true.
    pub is_bool: bool,
    /// What it does.
    pub help: &'static str,
}

/// Every flag, with the ones that are refused later: [`super::load`] explains better than a command line can.
pub fn flags() -> impl Iterator<Item = FlagSpec> {
    keys().flat_map(|key| {
        let alias = key.alias.map(|alias| (alias.flag, alias.variable));
        let own = key.flag.map(|flag| spec(key, flag, key.variable));
        own.into_iter().chain(alias.map(|(flag, variable)| spec(key, flag, Some(variable))))
    })
}

/// Every key, in the order of the documentation.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    [other::FIRST, clickhouse::KEYS, server::KEYS, oauth::KEYS, other::LAST].into_iter().flatten()
}

impl Kind {
    /// What stands for a value in help texts.
    pub const fn value_name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Integer { .. } => "NUMBER",
            Self::Seconds { .. } => "SECONDS",
            Self::Text => "TEXT",
            Self::Secret | Self::Secrets => "SECRET",
            Self::List => "LIST",
            Self::Map => "NAME=VALUE",
            Self::Choice(_) => "NAME",
            Self::Objects => "OBJECTS",
        }
    }
}

const fn spec(key: &'static Key, name: &'static str, env: Option<&'static str>) -> FlagSpec {
    FlagSpec {
        name,
        env,
        value_name: key.kind.value_name(),
        repeatable: matches!(key.kind, Kind::Secrets | Kind::List | Kind::Map),
        is_bool: matches!(key.kind, Kind::Bool),
        help: key.help,
    }
}

/// A live key of every host in its document form; the methods add to it.
const fn key(path: &'static str, kind: Kind, help: &'static str) -> Key {
    Key {
        path,
        in_document: true,
        flag: None,
        variable: None,
        alias: None,
        kind,
        default: "",
        status: Status::Live,
        hosts: Hosts::Both,
        help,
    }
}

impl Key {
    const fn named(mut self, flag: &'static str, variable: &'static str) -> Self {
        self.flag = Some(flag);
        self.variable = Some(variable);
        self
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    const fn native(mut self) -> Self {
        self.hosts = Hosts::Native;
        self
    }

    const fn not_yet(mut self, instead: &'static str) -> Self {
        self.status = Status::NotYet(instead);
        self
    }

    const fn outside_documents(mut self) -> Self {
        self.in_document = false;
        self
    }
}

const fn choice(name: &'static str) -> Choice {
    Choice { name, not_yet: None }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::value;
    use super::*;

    #[test]
    fn names_are_unique_and_defaults_are_values() {
        let mut names = BTreeSet::new();
        for key in keys() {
            assert!(names.insert(key.path.to_owned()), "{}", key.path);
            assert!(key.help.ends_with('.') && !key.help.contains('|'), "{}", key.path);
            if let Some(flag) = key.flag {
                assert!(names.insert(format!("--{flag}")), "{flag}");
            }
            if let Some(variable) = key.variable {
                assert!(names.insert(format!("${variable}")), "{variable}");
            }
            if !key.default.is_empty() {
                assert!(
                    value::parse(key.kind, value::Input::Variable(key.default.to_owned())).is_ok(),
                    "{}",
                    key.path
                );
            }
            if key.status == Status::Live && key.kind != Kind::Objects {
                assert!(key.flag.is_some() && key.variable.is_some(), "{}", key.path);
            }
        }
    }

    /// Section 1 of the peer's reference, keys with flag and variable.
    #[test]
    fn every_name_of_the_peer_is_known() {
        let peer = include_str!("peer_names.txt");
        for line in peer.lines() {
            let mut words = line.split_whitespace();
            let (path, flag, variable) =
                (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let known = keys().any(|key| {
                let same = |own: Option<&str>, name: &str| name == "-" || own == Some(name);
                let own = key.path == path && same(key.flag, flag) && same(key.variable, variable);
                own || key
                    .alias
                    .is_some_and(|alias| (alias.path, alias.flag, alias.variable) == (path, flag, variable))
            });
            assert!(known, "{line}");
        }
        assert!(peer.lines().count() >= 66);
    }

    #[test]
    fn flags_are_described_for_a_command_line() {
        let find = |name: &str| flags().find(|flag| flag.name == name).unwrap();
        assert!(
            find("read-only").is_bool
                && find("jwe-secret-key").repeatable
                && !find("clickhouse-password").repeatable
        );
        assert_eq!(find("clickhouse-limit").env, Some("CLICKHOUSE_LIMIT"));
        assert_eq!(find("jwe-max-lifetime").value_name, "SECONDS");
    }
}
