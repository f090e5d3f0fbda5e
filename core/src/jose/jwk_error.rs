//! Why a document of keys, or one key in it, is of no use.

use std::fmt;

/// Why a text is no set of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Longer than any set in use, in bytes.
    #[error("the set of keys is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// RFC 7517 section 5: it is no JSON object, or has no list `keys`.
    #[error("the set of keys is not a JSON object with a list \"keys\"")]
    NotSet,
    /// RFC 7517 section 5: member names are unique.
    #[error("the set of keys says {name:?} twice")]
    Duplicate {
        /// The repeated name.
        name: String,
    },
    /// More keys than any provider rotates.
    #[error("the set holds {found} keys, more than {limit}")]
    TooMany {
        /// How many it holds.
        found: usize,
        /// How many are accepted.
        limit: usize,
    },
}

/// A key that was left out, for the operator to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in the list, counted from 1.
    pub position: usize,
    /// Its `kid`, if it has one, cut to 256 characters.
    pub key_id: Option<String>,
    /// Why.
    pub reason: SkipReason,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, key_id, reason } = self;
        match key_id {
            Some(id) => write!(f, "key {position} ({id:?}) is not used: {reason}"),
            None => write!(f, "key {position} is not used: {reason}"),
        }
    }
}

/// Why a key is not used. RFC 7517 section 5 asks to ignore such keys, not to refuse the set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// RFC 7517 section 4: a key is a JSON object.
    #[error("it is not a JSON object")]
    NotObject,
    /// RFC 7517 section 4: member names are unique.
    #[error("it says {name:?} twice")]
    Duplicate {
        /// The repeated name.
        name: String,
    },
    /// A member that is needed is missing, or is of another type or spelling than it must be.
    #[error("its member {name:?} is missing or malformed")]
    Member {
        /// Its name.
        name: &'static str,
    },
    /// `kty` is none that signs with a private key.
    #[error("its type {found:?} is not supported")]
    Type {
        /// What it says.
        found: String,
    },
    /// `crv` is not a curve of these algorithms.
    #[error("its curve {found:?} is not supported")]
    Curve {
        /// What it says.
        found: String,
    },
    /// RFC 7517 section 4.2: `use` is not `sig`.
    #[error("its use is {found:?}, not signatures")]
    Use {
        /// What it says.
        found: String,
    },
    /// RFC 7517 section 4.3: `key_ops` does not hold `verify`.
    #[error("its operations do not include verifying")]
    Operations,
    /// RFC 7517 section 4.4: `alg` is none of the signature algorithms.
    #[error("its algorithm {found:?} is not supported")]
    Algorithm {
        /// What it says.
        found: String,
    },
    /// `alg` belongs to another type or curve.
    #[error("its algorithm does not belong to its type and curve")]
    AlgorithmMisfit,
    /// The key's private half is in the document, so anybody who reads it can sign.
    #[error("its private part is published")]
    Private,
    /// RFC 7518 section 3.3.
    #[error("its modulus has {bits} bits, fewer than 2048")]
    ModulusTooSmall {
        /// How many it has.
        bits: usize,
    },
    /// More work per token than is reasonable.
    #[error("its modulus has {bits} bits, more than 8192")]
    ModulusTooLarge {
        /// How many it has.
        bits: usize,
    },
    /// An even number is no product of two odd primes.
    #[error("its modulus is not usable")]
    Modulus,
    /// 1, even, or longer than 32 bits.
    #[error("its exponent is not usable")]
    Exponent,
    /// RFC 7518 section 6.2.1.2: coordinates have the curve's length.
    #[error("its coordinates have another length than its curve")]
    Coordinates,
    /// The point would verify what its owner did not sign, or leak what others do.
    #[error("its point is not on its curve")]
    NotOnCurve,
    /// A point of small order.
    #[error("its point has a small order")]
    Weak,
}
