//! The native protocol against a real ClickHouse: logins, the pool, cancelling, TLS, and whatever a network can do.

// Whatever else comes is a failure of the test.
#![allow(clippy::wildcard_enum_match_arm)]

mod answers;
mod data;
mod driven;
mod faults;
mod logins;
mod pool;
mod proxy;
mod tls;
mod world;
