//! Housekey from outside: what the suites share.
//!
//! A suite is a table of cases and hosts. Each [`cell::Cell`] of it asks for a host with certain settings, speaks to
//! it with a [`client::Client`] of our own that knows nothing of Housekey's code, and looks at what the real
//! ClickHouse of the [`world`] has seen. Nothing here sleeps: what takes time is polled within a bound.
//!
//! Deliberately absent: mocks of ClickHouse. The one listener that is not a ClickHouse, [`gate::Gate`], proves that
//! nobody connects.

pub mod artifact;
pub mod cell;
pub mod client;
pub mod clients;
pub mod conformance;
pub mod gate;
pub mod harness;
pub mod host;
pub mod idp;
pub mod page;
pub mod poll;
pub mod protocol;
pub mod query_log;
pub mod secrets;
pub mod settings;
pub mod stderr;
pub mod stdio;
pub mod tls_front;
pub mod token;
pub mod world;
