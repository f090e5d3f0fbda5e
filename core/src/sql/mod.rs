//! SQL as far as Housekey must understand it: which statements only read, and how one is run as somebody else.
//!
//! [`ReadOnlySql`] and [`WritableSql`] are witnesses: only their `parse` makes one, so a query request cannot carry
//! text that was never looked at. The lexer follows ClickHouse's own, because a checker that sees other token
//! borders than the server sees nothing at all. Above the tokens there is no grammar: each rule looks at a word
//! and its neighbours, and where two readings remain the stricter one wins.
//!
//! Deliberately absent: a SQL parser, rewriting of queries (what is added stands around them), any knowledge of tables
//! or columns. The server decides what a person may read; these checks keep a statement from changing state, lifting
//! limits or leaving its wrapper.

mod bound_values;
mod bracket;
mod catalogue_read;
mod clause;
mod declared;
#[doc(hidden)]
pub mod fuzzing;
mod impersonate;
mod insert;
mod kind;
mod number;
mod outset;
mod outside;
mod placeholder;
mod quote;
mod reach;
mod read_only;
mod refusal;
mod restated;
mod rules;
mod table_function;
#[cfg(test)]
mod table_function_tests;
mod tail;
mod token;
mod writable;
mod write_kind;

pub use bound_values::{insert_of_bound_values, read_of_bound_values};
pub use catalogue_read::reads_catalogue;
pub use clause::Clause;
pub use declared::{DeclarationError, DeclaredParameter, TypeText, declared_parameters};
pub use impersonate::{
    DenyList, IdentityRefusal, ImpersonatedUser, Inner, begins_at, execute_as, execute_as_writable,
    writable_begins_at,
};
pub use kind::StatementKind;
pub(crate) use outset::is_fixed_setting;
pub use placeholder::placeholders;
pub use quote::{quote_identifier, quote_literal};
pub use read_only::ReadOnlySql;
pub use refusal::Refusal;
pub(crate) use rules::LONGEST_OF_OURS;
pub use rules::Rules;
pub use writable::{WrappableSql, WritableSql};
pub use write_kind::WriteKind;
