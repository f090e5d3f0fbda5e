//! Whole exchanges against a scripted world: what is asked of ClickHouse, and what is answered.

mod driver;
mod identity;
mod pauses;
mod protocol;
mod query;
