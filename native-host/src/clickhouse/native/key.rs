//! Which queries may share a connection.

use std::sync::LazyLock;

use housekey_core::clickhouse::{ChosenBy, Credential, Endpoint, QueryRequest, Reach, TokenTls};
use sha2::{Digest as _, Sha256};

/// What all queries of a connection have in common. Whatever the protocol fixes when a connection is made is part of
/// it: the server, how it is reached, the login and the default database.
///
/// The user of a query is absent where a cluster's secret logs in, so such a connection serves everybody in turn. That
/// is sound because the server keeps no session for a member of a cluster (measured on 26.9): each query names its
/// user under a hash made with the secret, is authenticated anew and gets a session of its own; SET, USE, SET ROLE and
/// EXECUTE AS without a statement are refused with error 113, so there is nothing that could be inherited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    endpoint: Endpoint,
    way: Way,
    login: [u8; 32],
    database: Option<String>,
}

/// How a connection is made, by who chose the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Way {
    /// As the operator configured it.
    Operator,
    /// As a token says.
    Token {
        /// At which addresses the server may be.
        reach: Reach,
        /// `None` without TLS.
        tls: Option<TokenTls>,
    },
}

impl Key {
    pub(super) fn of(request: &QueryRequest) -> Self {
        Self {
            endpoint: request.endpoint.clone(),
            way: Way::of(request),
            login: digest(&request.credential),
            database: request.database.clone(),
        }
    }

    /// Whether files were read for a connection, which may have been taken away since.
    pub(super) fn reads_files_of_tokens(&self) -> bool {
        match &self.way {
            Way::Operator | Way::Token { tls: None, .. } => false,
            Way::Token { tls: Some(tls), .. } => tls.ca_cert.is_some() || tls.client.is_some(),
        }
    }
}

impl Way {
    pub(super) fn of(request: &QueryRequest) -> Self {
        match &request.chosen_by {
            ChosenBy::Operator => Self::Operator,
            ChosenBy::Token(server) => Self::Token {
                reach: server.reach,
                tls: request.endpoint.scheme.is_tls().then(|| server.tls.clone()),
            },
        }
    }
}

/// A login is compared without being kept. The digest has a key of this process, so that a password cannot be guessed
/// from what a dump of memory shows.
fn digest(credential: &Credential) -> [u8; 32] {
    static PROCESS: LazyLock<[u8; 32]> = LazyLock::new(rand::random);
    let mut hash = Sha256::new_with_prefix(*PROCESS);
    for part in credential.parts() {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
