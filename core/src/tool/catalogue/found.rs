//! What the server says of views and tables, as far as a tool needs it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sql::declared_parameters;

/// Arguments that a tool may have.
const MOST_COLUMNS: usize = 200;

/// A view or a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct FoundObject {
    pub(super) database: String,
    pub(super) name: String,
    pub(super) comment: String,
    /// The parameters of a view, or the columns of a table into which values can be inserted.
    pub(super) columns: Vec<FoundColumn>,
    /// Why there can be no tool of it.
    pub(super) trouble: Option<String>,
}

/// A parameter or a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct FoundColumn {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) has_default: bool,
    pub(super) comment: String,
}

impl FoundColumn {
    /// Whether a row can go in without it.
    pub(super) fn is_optional(&self) -> bool {
        self.has_default
            || ["Nullable(", "LowCardinality(Nullable("].iter().any(|start| self.type_name.starts_with(start))
    }
}

impl FoundObject {
    /// What rules are matched against.
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.database, self.name)
    }

    /// Adds a column, or says that there are too many.
    pub(super) fn push(&mut self, column: FoundColumn) {
        if self.columns.len() < MOST_COLUMNS {
            self.columns.push(column);
        } else {
            self.trouble = Some(format!("it has more than {MOST_COLUMNS} of them"));
        }
    }
}

/// A row of `database, name, comment, text, long`: a view, and the text that made it.
pub(super) fn view(row: &str) -> Option<FoundObject> {
    let [database, name, comment, text, long] = texts(row)?;
    let mut object = FoundObject { database, name, comment, ..FoundObject::default() };
    if long == "1" {
        object.trouble = Some("the text that made it is too long to be read".to_owned());
        return Some(object);
    }
    match declared_parameters(&text) {
        Ok(parameters) => {
            for parameter in parameters {
                let type_name = parameter.type_text.as_str().to_owned();
                object.push(FoundColumn { name: parameter.name, type_name, ..FoundColumn::default() });
            }
        }
        Err(error) => object.trouble = Some(error.to_string()),
    }
    Some(object)
}

/// A row of `database, name, comment`: a table.
pub(super) fn table(row: &str) -> Option<FoundObject> {
    let [database, name, comment] = texts(row)?;
    Some(FoundObject { database, name, comment, ..FoundObject::default() })
}

/// A row of `database, table, position, name, type, default_kind, comment`: a column, and where it belongs.
pub(super) fn column(row: &str) -> Option<([String; 3], FoundColumn)> {
    let [database, table, position, name, type_name, default_kind, comment] = texts(row)?;
    let column = FoundColumn { name, type_name, has_default: !default_kind.is_empty(), comment };
    Some(([database, table, position], column))
}

/// The values of a row as texts; numbers as their digits.
fn texts<const COUNT: usize>(row: &str) -> Option<[String; COUNT]> {
    let values: Vec<Value> = serde_json::from_str(row).ok()?;
    let texts: Option<Vec<String>> = values
        .into_iter()
        .map(|value| match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
        .collect();
    texts?.try_into().ok()
}
