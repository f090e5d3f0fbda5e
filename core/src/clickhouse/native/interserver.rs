//! How a member of a cluster vouches for a query: a hash over it that takes the cluster's secret.
//!
//! The hash covers the text, its id, the user and the roles, and nothing else: not the settings, not the parameters,
//! not the database. They are safe from others on the way only by TLS. And it runs the fields together without their
//! lengths, so ids are kept to one form by whoever makes them.

use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// Who connects as a member of a cluster (hello of the native protocol, user ` INTERSERVER SECRET `).
pub(super) const USER: &str = " INTERSERVER SECRET ";

/// Random bytes of a connection that go into all its hashes. The server takes 1 to 32.
pub type Salt = [u8; 32];

/// What one query's hash is made of, in the order in which it goes in.
pub(super) struct Signed<'a> {
    pub(super) salt: &'a Salt,
    /// The number of the server's hello, from revision 54462 on.
    pub(super) nonce: Option<u64>,
    pub(super) secret: &'a Secret<String>,
    pub(super) text: &'a str,
    pub(super) query_id: &'a str,
    pub(super) initial_user: &'a str,
    /// The roles as they are sent, without the length before them; from revision 54472 on.
    pub(super) external_roles: &'a [u8],
    /// The roles as they are sent, if they are; from revision 54488 on.
    pub(super) current_roles: &'a [u8],
}

impl Signed<'_> {
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        if let Some(nonce) = self.nonce {
            hash.update(nonce.to_string());
        }
        hash.update(self.secret.expose());
        hash.update(self.text);
        hash.update(self.query_id);
        hash.update(self.initial_user);
        hash.update(self.external_roles);
        hash.update(self.current_roles);
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart with Python's hashlib; that servers agree is shown by the recorded queries.
    #[test]
    fn hashes_are_those_of_the_protocol() {
        let secret = Secret::from("cs-secret");
        let mut signed = Signed {
            salt: &[b's'; 32],
            nonce: None,
            secret: &secret,
            text: "SELECT currentUser()",
            query_id: "id-1",
            initial_user: "alice",
            external_roles: b"",
            current_roles: b"",
        };
        assert_eq!(hex(&signed.hash()), "eb6396532afc764e5c330b96bb3e3280c536a12cc73ee469cbf4cdbbfc539ae1");
        signed.nonce = Some(18_446_744_073_709_551_615);
        assert_eq!(hex(&signed.hash()), "6b5640d6ab36a3ac66c4e10b29eeb004cd2393ae41bff8f377a22d2e85e2204f");
        signed.external_roles = b"\x01\x02r1";
        signed.current_roles = b"\x01\x02r2";
        assert_eq!(hex(&signed.hash()), "ebe91a38626d0ce681c4d56dd86fea342b45b6fb073c8ecd50434b940e0cfc63");
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
