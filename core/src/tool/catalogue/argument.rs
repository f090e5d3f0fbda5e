//! An argument of a tool that was made of a view or a table: a parameter of the one, a column of the other.

use serde_json::{Map, Value, json};

use super::comment::{Comment, shown};
use super::found::FoundColumn;
use super::kind::Kind;
use crate::jsonrpc::Params;
use crate::sql::TypeText;

/// Bytes that the name of an argument may have: several clients take no longer ones.
const LONGEST_NAME: usize = 64;

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) type_text: TypeText,
    pub(super) required: bool,
    kind: Kind,
    pub(super) description: String,
}

impl Argument {
    /// The argument of a column or a parameter; the error says why there can be none.
    pub(super) fn of(column: &FoundColumn, comment: &Comment) -> Result<Self, &'static str> {
        let name = &column.name;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(fits) {
            return Err("has a name that no argument can have");
        }
        let type_text = TypeText::parse(&column.type_name).ok_or("has a type that cannot be read")?;
        let kind = Kind::of(&type_text).ok_or("has a type of which no value can be given")?;
        let said = comment.parameter(name).or_else(|| shown(&column.comment, 1000));
        let mut description = said.unwrap_or_else(|| format!("{name} ({})", type_text.as_str()));
        if let Some(note) = kind.note() {
            description.push_str(&format!(" ({note})"));
        }
        let required = !column.has_default && !kind.is_nullable();
        Ok(Self { name: name.clone(), type_text, required, kind, description })
    }

    /// Its value in a call as the text of a query parameter; `None` when it is left out. Null counts as left out unless
    /// it is a value of the type.
    pub(super) fn read(&self, given: &Params) -> Result<Option<String>, String> {
        match given.get(&self.name) {
            None => Ok(None),
            Some(Value::Null) if !self.kind.is_nullable() => Ok(None),
            Some(value) => match self.kind.written(value) {
                Ok(text) => Ok(Some(text)),
                Err(problem) => Err(format!("`{}` {problem}", self.name)),
            },
        }
    }

    /// What is said when it is missing.
    pub(super) fn missing(&self) -> String {
        format!("`{}` is missing: {}", self.name, self.description)
    }
}

/// The input schema of these arguments.
pub(super) fn input_schema(arguments: &[Argument]) -> Value {
    let mut properties = Map::new();
    for argument in arguments {
        let mut schema = argument.kind.schema();
        if let Value::Object(members) = &mut schema {
            members.insert("description".into(), json!(argument.description));
        }
        properties.insert(argument.name.clone(), schema);
    }
    let required: Vec<&str> = arguments
        .iter()
        .filter(|argument| argument.required)
        .map(|argument| argument.name.as_str())
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let (Value::Object(members), false) = (&mut schema, required.is_empty()) {
        members.insert("required".into(), json!(required));
    }
    schema
}
