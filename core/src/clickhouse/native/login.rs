//! Who connects, and what a connection says of itself.

use std::net::{Ipv4Addr, SocketAddr};

use thiserror::Error;

use super::compress::Compression;
use super::interserver::{self, Salt};
use super::revision::Revision;
use crate::secret::Secret;

/// What proves to the server who connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// A user by their password; every query runs as this user.
    Password {
        /// The ClickHouse user.
        user: String,
        /// The password, which may be empty.
        password: Secret<String>,
    },
    /// A member of a cluster, which names the user of each query.
    Interserver {
        /// The cluster, as the server's configuration calls it.
        cluster: String,
        /// The secret of this cluster.
        secret: Secret<String>,
        /// Random bytes, fresh for each connection.
        salt: Salt,
    },
}

/// What a server logs of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The name of the program.
    pub name: String,
    /// Its version: major, minor, patch.
    pub version: [u64; 3],
    /// The machine's name; may be empty.
    pub hostname: String,
    /// The address from which the connection goes out. A server believes it of a member of its cluster, and compares
    /// it with the networks that a user is allowed to come from.
    pub address: SocketAddr,
}

impl Client {
    /// A client of which only the name is known.
    pub fn named(name: impl Into<String>, version: [u64; 3]) -> Self {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self { name: name.into(), version, hostname: String::new(), address }
    }
}

/// Everything that a connection is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Who connects.
    pub login: Login,
    /// What the server logs of us.
    pub client: Client,
    /// The default database of all queries; the user's own when absent.
    pub database: Option<String>,
    /// How blocks are compressed.
    pub compression: Compression,
    /// The newest revision that is offered: [`Revision::NEWEST`], or [`Revision::UNDISPUTED`] to a server whose own
    /// is disputed.
    pub announce: Revision,
    /// Bytes that a packet may take in memory, and so the memory of a connection.
    pub packet_bytes: usize,
}

impl Options {
    /// Bytes that a packet may take when nothing else is said. A block may hold 65,409 rows or a few large ones.
    pub const PACKET_BYTES: usize = 256 << 20;

    /// The usual ones.
    pub fn new(login: Login, client: Client) -> Self {
        Self {
            login,
            client,
            database: None,
            compression: Compression::Off,
            announce: Revision::NEWEST,
            packet_bytes: Self::PACKET_BYTES,
        }
    }
}

/// A login that is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    /// An empty name, which servers take for `default`.
    #[error("the ClickHouse user name is empty")]
    EmptyUser,
    /// A name by which the protocol marks other ways to log in.
    #[error("the ClickHouse user name is one that the native protocol reserves")]
    ReservedUser,
    /// No cluster to be a member of.
    #[error("the name of the ClickHouse cluster is empty")]
    EmptyCluster,
    /// No secret, with which servers vouch for nobody.
    #[error("the secret of the ClickHouse cluster is empty")]
    EmptySecret,
    /// A revision that is not spoken here.
    #[error("the native protocol is spoken here from revision 54058 to 54492, not {0}")]
    Announced(u64),
}

/// What begins the names of users that are none.
const RESERVED: &[&str] = &[interserver::USER, " SSH KEY AUTHENTICATION ", " JWT AUTHENTICATION "];

impl Options {
    pub(super) fn check(&self) -> Result<(), LoginError> {
        match &self.login {
            Login::Password { user, .. } if user.is_empty() => return Err(LoginError::EmptyUser),
            Login::Password { user, .. } if RESERVED.iter().any(|name| user.starts_with(name)) => {
                return Err(LoginError::ReservedUser);
            }
            Login::Interserver { cluster, .. } if cluster.is_empty() => return Err(LoginError::EmptyCluster),
            Login::Interserver { secret, .. } if secret.expose().is_empty() => {
                return Err(LoginError::EmptySecret);
            }
            Login::Password { .. } | Login::Interserver { .. } => {}
        }
        let spoken = Revision::OLDEST..=Revision::NEWEST;
        if spoken.contains(&self.announce) {
            Ok(())
        } else {
            Err(LoginError::Announced(self.announce.number()))
        }
    }
}
