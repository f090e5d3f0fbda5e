//! The signature algorithms that an identity provider may use.
//!
//! Deliberately absent: `none`, the MACs, whose key a verifier would have to share with the provider, and the curves
//! that no provider in use has (secp256k1, Ed448).

use super::members::excerpt;

/// An algorithm by which a private key signs and its public key verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256 and a salt of its length (RFC 7518 section 3.5).
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519, which RFC 8037 section 3.1 calls `EdDSA` and RFC 9864 section 2.2 `Ed25519`.
    Ed25519,
}

/// Why the name of an algorithm is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlgorithmError {
    /// RFC 8725 section 3.2: a token without a signature proves nothing.
    #[error("the token is not signed: its algorithm is none")]
    Unsecured,
    /// RFC 8725 section 2.1: a public key must not be taken for the secret of a MAC.
    #[error("the algorithm {found:?} is a MAC, which a public key cannot verify")]
    Symmetric {
        /// The name, cut to 64 characters.
        found: String,
    },
    /// RFC 8725 section 3.1: the name is not in the list of [`Algorithm`].
    #[error("the algorithm {found:?} is not supported")]
    Unknown {
        /// The name, cut to 64 characters.
        found: String,
    },
}

impl Algorithm {
    /// Every algorithm, as metadata lists them.
    pub const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Ed25519,
    ];

    /// The algorithm of that name, whose case counts.
    pub fn parse(name: &str) -> Result<Self, AlgorithmError> {
        if name == "Ed25519" {
            return Ok(Self::Ed25519);
        }
        if let Some(algorithm) = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name) {
            return Ok(algorithm);
        }
        let found = excerpt(name);
        // However it is spelled, the reason is the same.
        if name.eq_ignore_ascii_case("none") {
            Err(AlgorithmError::Unsecured)
        } else if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("HS")) {
            Err(AlgorithmError::Symmetric { found })
        } else {
            Err(AlgorithmError::Unknown { found })
        }
    }

    /// The name by which headers and keys in use say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ed25519 => "EdDSA",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_read_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Ok(algorithm));
        }
        assert_eq!(Algorithm::parse("Ed25519"), Ok(Algorithm::Ed25519));
    }

    #[test]
    fn others_are_refused_for_what_they_are() {
        let symmetric = |found: &str| AlgorithmError::Symmetric { found: found.to_owned() };
        let unknown = |found: &str| AlgorithmError::Unknown { found: found.to_owned() };
        for (name, error) in [
            ("none", AlgorithmError::Unsecured),
            ("None", AlgorithmError::Unsecured),
            ("nOnE", AlgorithmError::Unsecured),
            ("HS256", symmetric("HS256")),
            ("HS384", symmetric("HS384")),
            ("HS512", symmetric("HS512")),
            ("hs256", symmetric("hs256")),
            ("", unknown("")),
            ("rs256", unknown("rs256")),
            ("RS256 ", unknown("RS256 ")),
            ("RS1", unknown("RS1")),
            ("ES256K", unknown("ES256K")),
            ("Ed448", unknown("Ed448")),
            ("eddsa", unknown("eddsa")),
            ("H\u{e9}", unknown("H\u{e9}")),
            ("A256KW", unknown("A256KW")),
        ] {
            assert_eq!(Algorithm::parse(name), Err(error), "{name}");
        }
        assert_eq!(Algorithm::parse(&"x".repeat(1000)), Err(unknown(&"x".repeat(64))));
    }
}
