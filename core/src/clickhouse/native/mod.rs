//! ClickHouse's native protocol, without sockets: bytes in, bytes out, the same events as over HTTP.
//!
//! [`Connection`] is the whole of it for a host. Below it stand, from the outside in, frames of packets (`chunked`),
//! packets (`hello`, `query`, `packet`), frames of compressed data (`compress`) and blocks of columns (`block`,
//! `column`). What a server of which age says where is one table: [`Feature`].

pub mod block;
mod body;
mod chunked;
mod client_info;
mod column;
mod compress;
mod connection;
mod data;
mod error;
mod exception;
#[doc(hidden)]
pub mod fuzzing;
mod hello;
mod inbox;
mod interserver;
mod login;
mod packet;
mod query;
mod revision;
mod settings;
mod wire;

pub use compress::Compression;
pub use connection::{Connection, Ending, StartError, State};
pub use data::DataError;
pub use error::{FrameError, Malformed, NativeError};
pub use hello::ServerHello;
pub use interserver::Salt;
pub use login::{Client, Login, LoginError, Options};
pub use query::{EncodeError, Query};
pub use revision::{Feature, Revision};
pub use wire::{Reader, WireError, Writer};
