//! Why a column cannot be read.

use crate::clickhouse::native::error::Malformed;
use crate::clickhouse::native::wire::WireError;

/// A type that cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// Not a type of ClickHouse 26.9, or with parameters that it does not have.
    #[error("{name:?} is not a type that Housekey knows")]
    Unknown {
        /// The type, or the part of it that is not understood; cut when it is long.
        name: String,
    },
    /// A binary code that stands for no type that a value can have.
    #[error("{code:#04x} is not the code of a type that Housekey knows")]
    UnknownCode {
        /// The code.
        code: u8,
    },
    /// Types within types within types.
    #[error("its types nest too deeply")]
    TooDeep,
}

impl TypeError {
    /// That this text is not a type.
    pub(crate) fn unknown(text: &str) -> Self {
        Self::Unknown { name: text.chars().take(100).collect() }
    }
}

/// Why a column cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// The bytes end, or no server sends them.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Its type.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// The column comes in a form with a number that has no meaning.
    #[error("it comes in the unknown form {kind}")]
    UnknownForm {
        /// The number.
        kind: u8,
    },
    /// The column is compressed on its own, which servers do for other servers only.
    #[error(
        "it comes compressed on its own: set enable_parallel_blocks_marshalling=0, or let the query run to its end"
    )]
    Detached,
    /// Values of this type cannot be left out.
    #[error("it leaves out default values, which its type does not allow")]
    NotSparse,
    /// A type's data begins with a number that says how the rest is written.
    #[error("its {what} is written in the unknown version {version}")]
    UnknownVersion {
        /// Which type.
        what: &'static str,
        /// The number.
        version: u64,
    },
    /// The end of an array lies before the end of the array before it.
    #[error("the ends of its arrays or strings decrease")]
    EndsDecrease,
    /// A number should point to a value, and there are not so many.
    #[error("an index leads beyond the values")]
    IndexBeyond,
    /// Sparse positions go beyond the column.
    #[error("it has more values than rows")]
    TooManyValues,
    /// A count inside the column differs from the number of its rows.
    #[error("it says that it has {found} rows, and the block has {expected}")]
    RowsDiffer {
        /// What the column says.
        found: u64,
        /// What it must be.
        expected: usize,
    },
    /// An index into a dictionary has a width that there is not.
    #[error("its indexes have the unknown width {width}")]
    IndexWidth {
        /// The number that stands for the width.
        width: u64,
    },
    /// A dictionary is spread over blocks, which the protocol does not do.
    #[error("its dictionary is not in the block")]
    NoDictionary,
    /// A map whose data path is given twice, or in no order, or not text.
    #[error("an object is written in a way that cannot be read")]
    BrokenObject,
    /// Decoded values would take more memory than is allowed.
    #[error("its values take more than the {most} bytes that a block may")]
    TooManyBytes {
        /// The limit.
        most: usize,
    },
    /// Values within values within values.
    #[error("its values nest too deeply")]
    TooDeep,
    /// The zone is not in the database.
    #[error("the time zone {name:?} is not known")]
    UnknownTimeZone {
        /// Its name.
        name: String,
    },
    /// Only the aggregate function knows how long its state is.
    #[error("it holds states of the aggregate function {function}: wrap it in finalizeAggregation()")]
    UndecodableState {
        /// The function.
        function: String,
    },
}

impl From<Malformed> for ColumnError {
    fn from(malformed: Malformed) -> Self {
        Self::Wire(malformed.into())
    }
}
