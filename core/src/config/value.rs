//! What an operator wrote for a key, by the key's kind.

use super::document::Node;
use super::key::{Choice, Kind};
use crate::secret::Secret;

/// A value as a layer gives it. It has no `Debug`, for it may be a secret.
pub(super) enum Input {
    /// An environment variable, the contents of a `…_FILE`, or a default.
    Variable(String),
    /// The values given to a flag; none for a switch without a value.
    Flag(Vec<String>),
    /// A node of the document that is not null.
    Node(Node),
}

/// A value by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Bool(bool),
    Integer(i64),
    Text(String),
    Secrets(Vec<Secret<String>>),
    List(Vec<String>),
    Map(Vec<(String, String)>),
    Choice(&'static Choice),
    Objects(Vec<Object>),
}

/// An object of a list: names with texts, in the order in which they were written.
pub(super) type Object = Vec<(String, String)>;

impl Value {
    /// Whether this is what Go calls the zero value: nothing was asked for.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::Bool(value) => !value,
            Self::Integer(value) => *value == 0,
            Self::Text(text) => text.is_empty(),
            Self::Secrets(secrets) => secrets.iter().all(|secret| secret.expose().is_empty()),
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            Self::Choice(_) => false,
            Self::Objects(objects) => objects.is_empty(),
        }
    }
}

/// Reads a value. The error continues the sentence "`key` …" and holds no secret.
pub(super) fn parse(kind: Kind, input: Input) -> Result<Value, String> {
    match kind {
        Kind::Bool => parse_bool(input).map(Value::Bool),
        Kind::Integer { min, max } | Kind::Seconds { min, max } => {
            parse_integer(input, min, max).map(Value::Integer)
        }
        Kind::Text => {
            let text = single(input)?;
            if text.chars().any(char::is_control) {
                return Err("contains a control character".to_owned());
            }
            Ok(Value::Text(text))
        }
        Kind::Choice(choices) => parse_choice(input, choices).map(Value::Choice),
        Kind::Secret => single(input).map(|text| Value::Secrets(vec![text.into()])),
        Kind::Secrets => {
            whole_texts(input).map(|texts| Value::Secrets(texts.into_iter().map(Secret::from).collect()))
        }
        Kind::List => Ok(Value::List(split(whole_texts(input)?))),
        Kind::Map => parse_map(input).map(Value::Map),
        Kind::Objects => parse_objects(input).map(Value::Objects),
    }
}

/// A text as an error may quote it: short, and on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(60).filter(|character| !character.is_control()).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("`{short}`")
}

fn single(input: Input) -> Result<String, String> {
    match input {
        Input::Variable(text) | Input::Node(Node::Scalar(text)) => Ok(text),
        Input::Node(Node::Null) => Ok(String::new()),
        Input::Node(Node::List(_) | Node::Map(_)) => Err("takes one value, not a list or a map".to_owned()),
        Input::Flag(mut values) => match (values.pop(), values.is_empty()) {
            (Some(value), true) => Ok(value),
            (Some(_), false) => Err("is given more than once".to_owned()),
            (None, _) => Err("needs a value".to_owned()),
        },
    }
}

/// Texts that are not split further.
fn whole_texts(input: Input) -> Result<Vec<String>, String> {
    match input {
        Input::Node(Node::List(items)) => items
            .into_iter()
            .map(|item| match item {
                Node::Scalar(text) => Ok(text),
                Node::Null | Node::List(_) | Node::Map(_) => Err("takes a list of plain values".to_owned()),
            })
            .collect(),
        Input::Flag(values) if values.is_empty() => Err("needs a value".to_owned()),
        Input::Flag(values) => Ok(values),
        Input::Variable(_) | Input::Node(_) => Ok(vec![single(input)?]),
    }
}

fn split(texts: Vec<String>) -> Vec<String> {
    texts
        .iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

fn parse_bool(input: Input) -> Result<bool, String> {
    let text = match input {
        Input::Flag(values) if values.is_empty() => return Ok(true),
        Input::Variable(_) | Input::Flag(_) | Input::Node(_) => single(input)?,
    };
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "on" => Ok(true),
        "false" | "f" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("takes true or false, not {}", quoted(&text))),
    }
}

fn parse_integer(input: Input, min: i64, max: i64) -> Result<i64, String> {
    let text = single(input)?;
    match text.trim().parse::<i64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        Ok(number) => Err(format!("takes a number from {min} to {max}, not {number}")),
        // Kubernetes sets NAME_PORT=tcp://… for every service of the namespace.
        Err(_) if text.starts_with("tcp://") => Err(format!(
            "takes a number, not {}; if Kubernetes made this variable for a service, set `enableServiceLinks: false`",
            quoted(&text)
        )),
        Err(_) => Err(format!("takes a whole number, not {}", quoted(&text))),
    }
}

fn parse_choice(input: Input, choices: &'static [Choice]) -> Result<&'static Choice, String> {
    let text = single(input)?;
    choices.iter().find(|choice| choice.name.eq_ignore_ascii_case(text.trim())).ok_or_else(|| {
        let names: Vec<String> = choices.iter().map(|choice| format!("`{}`", choice.name)).collect();
        format!("takes {}, not {}", names.join(" or "), quoted(&text))
    })
}

/// Entries in the order of their names, so that equal maps are equal values.
fn parse_map(input: Input) -> Result<Vec<(String, String)>, String> {
    let mut entries = Vec::new();
    match input {
        Input::Node(Node::Map(members)) => {
            for (name, value) in members {
                match value {
                    Node::Scalar(text) => entries.push((name, text)),
                    Node::Null => entries.push((name, String::new())),
                    Node::List(_) | Node::Map(_) => {
                        return Err(format!("takes plain values, also for {}", quoted(&name)));
                    }
                }
            }
        }
        Input::Variable(_) | Input::Flag(_) | Input::Node(_) => {
            for item in split(whole_texts(input)?) {
                let (name, value) = item.split_once('=').ok_or("takes entries of the form `name=value`")?;
                entries.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
    }
    entries.sort();
    let same = entries.windows(2).find_map(|pair| match pair {
        [(first, _), (second, _)] if first == second => Some(first.clone()),
        _ => None,
    });
    match same {
        Some(name) => Err(format!("gives {} twice", quoted(&name))),
        None => Ok(entries),
    }
}

/// A list of objects, which only a document can hold.
fn parse_objects(input: Input) -> Result<Vec<Object>, String> {
    let items = match input {
        Input::Node(Node::List(items)) => items,
        Input::Node(Node::Null) => Vec::new(),
        Input::Variable(_) | Input::Flag(_) | Input::Node(Node::Scalar(_) | Node::Map(_)) => {
            return Err("takes a list of objects".to_owned());
        }
    };
    items.into_iter().enumerate().map(|(at, item)| parse_object(at + 1, item)).collect()
}

fn parse_object(at: usize, item: Node) -> Result<Object, String> {
    let Node::Map(members) = item else {
        return Err(format!("takes a list of objects, and entry {at} is none"));
    };
    members
        .into_iter()
        .map(|(name, value)| match value {
            Node::Scalar(text) => Ok((name, text)),
            Node::Null => Ok((name, String::new())),
            Node::List(_) | Node::Map(_) => {
                Err(format!("takes plain values, also for {} of entry {at}", quoted(&name)))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(kind: Kind, text: &str) -> Result<Value, String> {
        parse(kind, Input::Variable(text.to_owned()))
    }

    #[test]
    fn booleans_are_those_of_go_and_more() {
        for text in ["1", "t", "T", "TRUE", "true", "True", "yes", "On"] {
            assert_eq!(variable(Kind::Bool, text), Ok(Value::Bool(true)), "{text}");
        }
        for text in ["0", "f", "F", "FALSE", "false", "False", "no", "OFF"] {
            assert_eq!(variable(Kind::Bool, text), Ok(Value::Bool(false)), "{text}");
        }
        assert_eq!(variable(Kind::Bool, "2"), Err("takes true or false, not `2`".to_owned()));
        assert_eq!(parse(Kind::Bool, Input::Flag(Vec::new())), Ok(Value::Bool(true)));
    }

    #[test]
    fn lists_are_split_and_secrets_are_not() {
        let texts = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        assert_eq!(variable(Kind::List, "a, b,,c"), Ok(Value::List(texts(&["a", "b", "c"]))));
        assert_eq!(
            parse(Kind::List, Input::Flag(texts(&["a,b", "c"]))),
            Ok(Value::List(texts(&["a", "b", "c"])))
        );
        assert_eq!(variable(Kind::Secrets, "a,b"), Ok(Value::Secrets(vec!["a,b".into()])));
        let repeated = parse(Kind::Secrets, Input::Flag(texts(&["a,b", "c"])));
        assert_eq!(repeated, Ok(Value::Secrets(vec!["a,b".into(), "c".into()])));
    }

    #[test]
    fn maps_and_numbers_say_what_they_want() {
        let entry = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            variable(Kind::Map, "b=2=3,a=1"),
            Ok(Value::Map(vec![entry("a", "1"), entry("b", "2=3")]))
        );
        assert_eq!(variable(Kind::Map, "hunter2"), Err("takes entries of the form `name=value`".to_owned()));
        assert_eq!(variable(Kind::Map, "a=1,a=2"), Err("gives `a` twice".to_owned()));
        let port = Kind::Integer { min: 1, max: 65535 };
        assert_eq!(variable(port, "0"), Err("takes a number from 1 to 65535, not 0".to_owned()));
        assert!(variable(port, "tcp://10.0.0.1:8123").is_err_and(|text| text.contains("enableServiceLinks")));
        assert!(variable(Kind::Text, "a\r\nb").is_err());
    }
}
