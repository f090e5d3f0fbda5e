//! What travels beside a statement: tables that it may read, and rows that it inserts.

use serde_json::Value;

use super::query::Column;

/// Data beside a statement. Only the native protocol carries it.
///
/// It is the one way to insert rows that are not part of the statement's text under `EXECUTE AS`: over HTTP a server
/// refuses them (measured on 26.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// Tables that are there for this query alone.
    pub tables: Vec<Table>,
    /// Rows for an INSERT that ends where its rows would begin: `INSERT INTO t (a, b) VALUES`.
    pub rows: Option<Values>,
}

/// A table that a statement can name, external to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// A value for each column, row by row.
    pub rows: Vec<Vec<Value>>,
}

/// Rows of which the server says what types they have to have.
///
/// A value is what it is in JSON; integers and decimals may be texts, as in [`super::Lines`], and dates, times, addresses
/// and names of enums are texts. A tuple is an array or an object, a map is an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    /// The columns, each once, in any order.
    pub columns: Vec<String>,
    /// A value for each column, row by row.
    pub rows: Vec<Vec<Value>>,
}
