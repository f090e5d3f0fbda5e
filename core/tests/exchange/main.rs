//! Whole exchanges against a scripted world: what is asked of ClickHouse, and what is answered.

#![expect(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that finds something else than it expects may stop"
)]

mod bound;
mod chatty;
mod driver;
mod generator;
mod identity;
mod library;
mod made_tools;
mod model;
mod narrowing;
mod oauth_door;
mod oauth_token;
mod pauses;
mod places;
mod protocol;
mod query;
mod read_only;
mod rest;
mod rounds;
mod sessions;
mod states;
mod tools;
mod trace;
