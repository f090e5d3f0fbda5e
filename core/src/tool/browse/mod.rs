//! The tools that show what there is: databases, tables, columns, as far as the caller may see them.
//!
//! ClickHouse itself leaves out of its system tables what a person has no grant on, so nothing is filtered here. Every
//! statement is static text; what a caller says goes into it as a bound parameter.

mod catalogue;
mod cursor;
mod describe_table;
mod list_databases;
mod list_tables;
mod search_schema;

pub use describe_table::DescribeTable;
pub use list_databases::ListDatabases;
pub use list_tables::ListTables;
pub use search_schema::SearchSchema;
