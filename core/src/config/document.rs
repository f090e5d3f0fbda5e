//! A YAML or JSON document as a tree of texts.
//!
//! Scalars stay text until the table says what they are, so `password: 0123` keeps its zero and `port: "8123"` is a
//! number. Deliberately absent: YAML aliases, merge keys, own tags and several documents in one text; each is
//! refused, which also bounds what a document can grow to.

use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Bytes that a document may have.
const MAX_BYTES: usize = 1 << 20;
/// Lists and maps that may lie inside each other.
const MAX_DEPTH: usize = 32;
/// Keys that a map may have.
const MAX_KEYS: usize = 1000;

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2.
    Yaml,
    /// JSON (RFC 8259).
    Json,
    /// JSON, if it begins with `{` and reads as such, else YAML.
    Either,
}

/// A configuration document.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// What errors call it: the file's path.
    pub name: String,
    /// The text.
    pub text: String,
    /// How it is written.
    pub format: Format,
}

impl Document {
    /// A document with the format that the extension of its path tells.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let name = path.into();
        let format = match name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()) {
            Some(extension) if extension == "yaml" || extension == "yml" => Format::Yaml,
            Some(extension) if extension == "json" => Format::Json,
            Some(_) | None => Format::Either,
        };
        Self { name, text: text.into(), format }
    }
}

impl fmt::Debug for Document {
    /// Without the text, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("name", &self.name)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// A node of the tree. It has no `Debug`, for it may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Node {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Parses a document; the error says where it is wrong, without a value.
pub(super) fn parse(document: &Document) -> Result<Node, String> {
    if document.text.len() > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    match document.format {
        Format::Yaml => parse_yaml(&document.text),
        Format::Json => parse_json(&document.text),
        Format::Either if document.text.trim_start().starts_with('{') => {
            parse_json(&document.text).or_else(|problem| parse_yaml(&document.text).map_err(|_| problem))
        }
        Format::Either => parse_yaml(&document.text),
    }
}

/// A list or map whose end has not come yet.
enum Open {
    List(Vec<Node>),
    Map { entries: Vec<(String, Node)>, key: Option<String> },
}

fn parse_yaml(text: &str) -> Result<Node, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            format!("{} at line {}, column {}", error.info(), error.marker().line(), error.marker().col() + 1)
        })?;
        let line = span.start.line();
        let finished = match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => continue,
            Event::DocumentStart(_) if root.is_none() => continue,
            Event::DocumentStart(_) => return Err(format!("a second document begins at line {line}")),
            Event::Alias(_) => return Err(format!("line {line} has an alias: write the value out")),
            Event::Scalar(value, style, _, tag) => {
                refuse_tag(tag.as_deref(), line)?;
                let null = matches!(&*value, "" | "~" | "null" | "Null" | "NULL");
                if style == ScalarStyle::Plain && tag.is_none() && null {
                    Node::Null
                } else {
                    Node::Scalar(value.into_owned())
                }
            }
            Event::SequenceStart(_, tag) => {
                refuse_tag(tag.as_deref(), line)?;
                begin(&mut open, Open::List(Vec::new()), line)?;
                continue;
            }
            Event::MappingStart(_, tag) => {
                refuse_tag(tag.as_deref(), line)?;
                begin(&mut open, Open::Map { entries: Vec::new(), key: None }, line)?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => Node::List(items),
                Some(Open::Map { entries, .. }) => Node::Map(entries),
                None => return Err(format!("line {line} ends what has not begun")),
            },
        };
        match open.last_mut() {
            None => root = Some(finished),
            Some(Open::List(items)) => items.push(finished),
            Some(Open::Map { entries, key }) => match (key.take(), finished) {
                (Some(key), value) => entries.push((key, value)),
                (None, Node::Scalar(name)) => {
                    if entries.len() >= MAX_KEYS {
                        return Err(format!("the map at line {line} has more than {MAX_KEYS} keys"));
                    }
                    if entries.iter().any(|(other, _)| *other == name) {
                        return Err(format!("the key `{name}` is given again at line {line}"));
                    }
                    *key = Some(name);
                }
                (None, Node::Null | Node::List(_) | Node::Map(_)) => {
                    return Err(format!("line {line} has a key that is not a name"));
                }
            },
        }
    }
    Ok(root.unwrap_or(Node::Null))
}

fn begin(open: &mut Vec<Open>, node: Open, line: usize) -> Result<(), String> {
    if open.len() >= MAX_DEPTH {
        return Err(format!("line {line} is nested more than {MAX_DEPTH} deep"));
    }
    open.push(node);
    Ok(())
}

fn refuse_tag(tag: Option<&Tag>, line: usize) -> Result<(), String> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => Err(format!("line {line} has a tag of its own")),
        Some(_) | None => Ok(()),
    }
}

fn parse_json(text: &str) -> Result<Node, String> {
    // A byte order mark is no JSON, but some editors write one.
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        while let Some((name, value)) = members.next_entry::<String, Node>()? {
            if entries.len() >= MAX_KEYS {
                return Err(A::Error::custom(format!("a map has more than {MAX_KEYS} keys")));
            }
            if entries.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom(format!("the key `{name}` is given again")));
            }
            entries.push((name, value));
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Result<Node, String> {
        parse(&Document::new("a.yaml", text))
    }

    #[test]
    fn scalars_keep_their_text() {
        let node = yaml("a: 0123\nb: no\nc: ~\nd: 'null'\ne:\n  - 1.50\n").ok().unwrap();
        let scalar = |text: &str| Node::Scalar(text.to_owned());
        let expected = Node::Map(vec![
            ("a".to_owned(), scalar("0123")),
            ("b".to_owned(), scalar("no")),
            ("c".to_owned(), Node::Null),
            ("d".to_owned(), scalar("null")),
            ("e".to_owned(), Node::List(vec![scalar("1.50")])),
        ]);
        assert!(node == expected);
        let json = r#"{"a": "0123", "b": "no", "c": null, "d": "null", "e": ["1.50"]}"#;
        assert!(parse(&Document::new("a.json", json)).ok() == Some(expected.clone()));
        assert!(parse(&Document::new("a", format!("\t{json}"))).ok() == Some(expected));
    }

    #[test]
    fn malformed_documents_are_refused_with_their_line() {
        let deep = "[".repeat(100);
        for (text, problem) in [
            ("a: 1\na: 2", "the key `a` is given again at line 2"),
            ("a: &x 1\nb: *x", "line 2 has an alias: write the value out"),
            ("a: !env HOME", "line 1 has a tag of its own"),
            ("a: 1\n---\nb: 1", "a second document begins at line 2"),
            ("? [1]\n: 2", "line 1 has a key that is not a name"),
            (deep.as_str(), "line 1 is nested more than 32 deep"),
            ("a: 'hunter2", "at line"),
            ("a: [hunter2", "at line"),
        ] {
            let found = yaml(text).err().unwrap_or_default();
            assert!(found.contains(problem), "{text}: {found}");
            assert!(!found.contains("hunter2"), "{found}");
        }
        let json = |text: &str| parse(&Document::new("a.json", text)).err().unwrap_or_default();
        assert!(json(r#"{"a":1,"a":2}"#).contains("the key `a` is given again"));
        assert!(json(r#"{"a":"hunter2"#).contains("line 1") && !json(r#"{"a":"hunter2"#).contains("hunter2"));
        assert!(yaml(&" ".repeat(MAX_BYTES + 1)).is_err());
    }
}
