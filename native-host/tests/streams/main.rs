//! Streams that outlive a request, over real sockets: HTTP+SSE, requests that listen, and sessions of streamable HTTP.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that finds something else than it expects may stop"
)]

mod hardening;
mod listening;
mod older;
mod resumable;
mod stdio;
mod world;
