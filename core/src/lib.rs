//! Housekey without its hosts: who asks, what they may ask, and how ClickHouse is asked as that person.
//!
//! Core takes a message and returns the next [`exchange::Step`]. It reads no clock, no file, no socket and no
//! environment: time, randomness and remembered facts come in through [`env::Env`], and every reason to wait goes
//! out as a value. The same code therefore runs in a native server, in a WebAssembly component and in a test that
//! replays an incident.
//!
//! Deliberately absent: a runtime, async functions, ambient randomness, hash-map iteration, unsafe code.

pub mod address;
pub mod clickhouse;
pub mod completion;
pub mod config;
mod counting;
pub mod env;
pub mod exchange;
pub mod facts;
pub mod fetch;
pub mod identity;
pub mod jose;
pub mod jsonrpc;
pub mod mcp;
pub mod oauth;
pub mod prompt;
pub mod resource;
pub mod secret;
pub mod sql;
pub mod time;
pub mod tool;
pub mod trace;
pub mod transport;
