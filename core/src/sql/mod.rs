//! SQL as far as Housekey must understand it: which statements only read, and how one is run as somebody else.
//!
//! [`ReadOnlySql`] and [`WritableSql`] are witnesses: only their `parse` makes one, so a query request cannot carry
//! text that was never looked at. The lexer follows ClickHouse's own, because a checker that sees other token
//! borders than the server sees nothing at all. Above the tokens there is no grammar: each rule looks at a word
//! and its neighbours, and where two readings remain the stricter one wins.
//!
//! Deliberately absent: a SQL parser, rewriting of queries, any knowledge of tables or columns. The server decides
//! what a person may read; these checks keep a statement from changing state, lifting limits or leaving its wrapper.

mod bracket;
#[doc(hidden)]
pub mod fuzzing;
mod impersonate;
mod kind;
mod number;
mod quote;
mod read_only;
mod refusal;
mod tail;
mod token;

pub use impersonate::{DenyList, IdentityRefusal, ImpersonatedUser, Inner, begins_at, execute_as};
pub use kind::StatementKind;
pub use quote::{quote_identifier, quote_literal};
pub use read_only::{ReadOnlySql, Rules, WritableSql};
pub use refusal::Refusal;
