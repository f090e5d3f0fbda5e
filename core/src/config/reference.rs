//! `docs/configuration.md`, written from the table.

use std::fmt::Write;

use super::key::{Hosts, Key, Kind, Status, keys};

const HEAD: &str = "\
# Configuration

This page is generated from the code: `housekey configuration` prints it, and a test compares it with this file.

## Layers

A setting is looked for in four places; what is further down this list wins:

1. the default in the tables below;
2. a configuration document: the file that `--config` or `CONFIG_FILE` names, or the text in `HOUSEKEY_CONFIG`, but
   not both. `.yaml`, `.yml` and `.json` say how it is written; otherwise what begins with `{` is JSON if it reads as such, and all else is YAML;
3. an environment variable; an empty one counts as unset;
4. a flag.

What a document or a flag says is taken at its word, zero and empty included; `null` counts as unset. A key that
Housekey does not know is an error, and so is a flag; both name the nearest one there is. Unknown environment
variables are left alone, with a warning when they look like a mistyped one or like one of ClickHouse's own MCP server.

## Values

- **Every variable also as `…_FILE`**: `CLICKHOUSE_PASSWORD_FILE=/run/secrets/password` reads the value from a file,
  without its last line break. Giving both is an error. A sandbox without files cannot honour these.
- **Secrets** never appear in errors, logs or on this page. Where several are allowed, a document takes a list, and the
  flag can be repeated; the first makes what is sealed and all open it, so that a secret can be replaced in steps. They
  are never split at commas.
- **Lists** are lists in a document; in a variable or a flag they are separated by commas, and the flag can be repeated.
- **Maps** are maps in a document; in a variable or a flag they are written `name=value,name2=value2`.
- **Booleans** are `true`, `false`, `1`, `0`, `yes`, `no`, `on`, `off`, `t` or `f` in any case; a flag without a value is
  true, and `--flag=false` is false.
- **Durations** are whole seconds.
- **YAML** is taken without aliases, merge keys, own tags and second documents; a key that is given twice is an error.
  A document has at most 1 MiB.

## Hosts

*native* marks what only the native host honours: at the edge, anything but its default is an error that names it.
At the edge settings come from environment variables, of which `HOUSEKEY_CONFIG` can hold all.

## Without authentication

While neither `server.jwe.enabled` nor `server.oauth.enabled` is true, the native host listens at 127.0.0.1 unless
`server.address` is given, and every host warns.
";

const NOT_YET_HEAD: &str = "\
## Not supported yet

Housekey knows these names of altinity-mcp and its own later ones, but nothing would honour them. A default or a zero
value (`false`, `0`, empty) is accepted; anything else is refused with the sentence in the last column.

| key | flag | variable | meanwhile |
| --- | --- | --- | --- |
";

/// The text of `docs/configuration.md`.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    let sections = [
        ("Document", &["config"][..]),
        ("ClickHouse", &["clickhouse."]),
        ("Server", &["server.", "openapi"]),
        ("Logging", &["logging."]),
    ];
    for (title, prefixes) in sections {
        page.push_str(&section(title, prefixes));
    }
    page.push('\n');
    page.push_str(NOT_YET_HEAD);
    for key in keys() {
        match (key.status, key.kind) {
            (Status::NotYet(instead), _) => page.push_str(&refused(key, name(key), instead)),
            (Status::Live | Status::Source, Kind::Choice(choices)) => {
                for choice in choices {
                    if let Some(instead) = choice.not_yet {
                        page.push_str(&refused(key, named(key, choice.name), instead));
                    }
                }
            }
            (Status::Live | Status::Source, _) => {}
        }
    }
    page
}

fn section(title: &str, prefixes: &[&str]) -> String {
    let mut text = format!("\n## {title}\n\n| key | flag | variable | type | default | meaning |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    let is_here = |key: &Key| prefixes.iter().any(|prefix| key.path.starts_with(prefix));
    let ours = |key: &&Key| is_here(key) && !matches!(key.status, Status::NotYet(_));
    for key in keys().filter(ours) {
        let mut meaning = key.help.to_owned();
        if key.hosts == Hosts::Native {
            meaning.push_str(" *native*");
        }
        if let Some(alias) = key.alias {
            let names = format!(" Also as `{}`, `--{}`, `{}`.", alias.path, alias.flag, alias.variable);
            meaning.push_str(&names);
        }
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {meaning} |",
            name(key),
            flag(key),
            variable(key),
            kind(key.kind),
            default(key)
        );
    }
    text
}

fn refused(key: &Key, name: String, instead: &str) -> String {
    format!("| {name} | {} | {} | {instead} |\n", flag(key), variable(key))
}

/// A choice as one would write it.
fn named(key: &Key, choice: &str) -> String {
    match key.flag {
        Some(flag) if !key.in_document => format!("`--{flag} {choice}`"),
        Some(_) | None => format!("`{}: {choice}`", key.path),
    }
}

fn name(key: &Key) -> String {
    if key.in_document { format!("`{}`", key.path) } else { String::new() }
}

fn flag(key: &Key) -> String {
    key.flag.map(|flag| format!("`--{flag}`")).unwrap_or_default()
}

fn variable(key: &Key) -> String {
    key.variable.map(|variable| format!("`{variable}`")).unwrap_or_default()
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Bool => "boolean".to_owned(),
        Kind::Integer { min, max } if min < 0 => format!("number up to {max}"),
        Kind::Integer { min, max } => format!("number, {min} to {max}"),
        Kind::Seconds { min, max } => format!("seconds, {min} to {max}"),
        Kind::Text => "text".to_owned(),
        Kind::Secret => "secret".to_owned(),
        Kind::Secrets => "secret or list of secrets".to_owned(),
        Kind::List => "list".to_owned(),
        Kind::Map => "map".to_owned(),
        Kind::Choice(choices) => {
            let live = choices.iter().filter(|choice| choice.not_yet.is_none());
            let names: Vec<String> = live.map(|choice| format!("`{}`", choice.name)).collect();
            names.join(", ")
        }
        Kind::Objects => "list of objects".to_owned(),
    }
}

fn default(key: &Key) -> String {
    if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_current() {
        let committed = include_str!("../../../docs/configuration.md");
        assert!(committed == markdown(), "run `housekey configuration > docs/configuration.md`");
    }

    #[test]
    fn every_key_is_on_the_page() {
        let page = markdown();
        for key in keys() {
            let name = if key.in_document { format!("`{}`", key.path) } else { flag(key) };
            assert!(page.contains(&name), "{name}");
        }
    }
}
