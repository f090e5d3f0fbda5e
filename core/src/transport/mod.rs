//! The rules of the transports, as far as they are not a host's plumbing: HTTP headers, event streams, guards.

pub mod guard;
pub mod headers;
pub mod parameter_headers;
pub mod percent;
pub mod sse;
