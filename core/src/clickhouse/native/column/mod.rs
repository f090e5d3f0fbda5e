//! Columns: from a type and bytes to values that can be written as JSON.
//!
//! Decoding has two steps, because that is how the bytes come. What stands before all data, such as the types that
//! a `Dynamic` column holds, turns a type into a [`plan::Plan`]; the plan then reads the data of so many rows.
//! Values stay in bulk, in the layout in which they came; only a row that is asked for becomes text.

mod address;
mod binary_type;
mod buffer;
mod calendar;
mod digits;
mod dynamic;
mod error;
mod fit;
mod form;
pub(super) mod fuzzing;
mod json_text;
mod number;
mod object;
mod outgoing;
mod plan;
mod qbit;
#[cfg(test)]
mod recorded;
mod scalar;
mod source;
mod state;
mod text;
mod type_tree;
mod value;
mod variant;
mod write;
mod zone;

pub(crate) use buffer::Buffer;
pub use error::{ColumnError, TypeError};
pub(crate) use fit::{Given, Misfit, fit};
pub(crate) use form::Forms;
pub use outgoing::Outgoing;
pub(crate) use plan::{Plan, Scope};
pub(crate) use source::{Source, Zones};
pub(crate) use type_tree::Type;
pub(crate) use write::Output;

use object::Objects;
use qbit::Planes;
use scalar::Scalar;
use text::Text;

/// Values of a column, one per row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// No rows.
    Empty,
    /// Values of a fixed number of bytes.
    Fixed(Scalar, Vec<u8>),
    /// Strings, and states of aggregate functions, which the server shows as strings too.
    Text(Text),
    /// Values that are JSON already.
    Json(Text),
    /// `Nothing`.
    Nothing,
    /// Whether a row is null (not 0), and its value if not.
    Nullable(Vec<u8>, Box<Column>),
    /// Where each array ends, and the elements of all.
    Array(Vec<usize>, Box<Column>),
    /// Names that are JSON already, with their colons, if the elements have names; and the elements.
    Tuple(Option<Vec<String>>, Vec<Column>),
    /// Where each map ends; keys; values.
    Map(Vec<usize>, Box<Column>, Box<Column>),
    /// Which value a row has, and perhaps an index that means null: `LowCardinality`, and columns that come sparse
    /// or replicated.
    Indexed {
        /// By row.
        indexes: Vec<u32>,
        /// An index that is not one.
        null: Option<u32>,
        /// What is pointed to.
        values: Box<Column>,
    },
    /// `Variant` and `Dynamic`: of which member a row is, and which of its values.
    Variant {
        /// By row; [`variant::NULL`] for null.
        members: Vec<u32>,
        /// The row within the member.
        rows: Vec<u32>,
        /// The members.
        columns: Vec<Column>,
    },
    /// `JSON`.
    Objects(Objects),
    /// `QBit`.
    Planes(Planes),
}
