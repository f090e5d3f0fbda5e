//! STUB, replaced at the merge: who a client id stands for.

use super::error::{OAuthCode, OAuthError};
use super::server::Server;
use super::upstream::Lack;
use crate::env::Env;

/// A client.
pub(crate) struct Client {
    pub(crate) id: String,
}

/// Why a client is not known.
pub(crate) enum ClientError {
    #[expect(dead_code, reason = "a stub")]
    Lacks(Lack),
    Refused(OAuthError),
}

pub(super) fn find(_env: &Env<'_>, server: &Server, client_id: &str) -> Result<Client, ClientError> {
    let known = server.facade().and_then(|(_, keys)| keys.client.open::<serde_json::Value>(client_id));
    match known {
        Some(_) => Ok(Client { id: client_id.to_owned() }),
        None => {
            Err(ClientError::Refused(OAuthError::new(OAuthCode::InvalidClient, "the client is not known")))
        }
    }
}
