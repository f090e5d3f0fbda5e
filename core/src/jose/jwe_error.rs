//! Why an encrypted token is refused.

use std::fmt;

use super::jwe::MAX_TOKEN_BYTES;

/// A part of the compact serialisation (RFC 7516 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The protected header.
    Header,
    /// The wrapped content encryption key.
    EncryptedKey,
    /// The initialization vector.
    InitializationVector,
    /// The ciphertext.
    Ciphertext,
    /// The authentication tag.
    Tag,
}

/// Why an encrypted token is not accepted, or not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    /// Nothing but white space.
    #[error("the token is empty")]
    Empty,
    /// More than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// RFC 7516 section 7.2.
    #[error("the token is in the JSON serialisation, only the compact one is supported")]
    JsonSerialisation,
    /// RFC 7516 section 7.1: five parts, separated by dots.
    #[error("an encrypted token has five parts, this text has {found}")]
    Parts {
        /// How many there are.
        found: usize,
    },
    /// RFC 7516 section 5.2 step 2: each part is unpadded base64url.
    #[error("the {part} is not base64url")]
    Base64url {
        /// Which part.
        part: Part,
    },
    /// A part that must have one length has another.
    #[error("the {part} has {found} bytes")]
    Length {
        /// Which part.
        part: Part,
        /// Its length in bytes.
        found: usize,
    },
    /// RFC 7516 section 5.2 step 3: the header is a JSON object; here also: its known members are strings.
    #[error("the header is not a JSON object of the expected types")]
    Header,
    /// RFC 7516 section 4: header names are unique.
    #[error("the header says {name:?} twice")]
    DuplicateHeader {
        /// The repeated name.
        name: String,
    },
    /// RFC 7516 section 4.1.13: no extension is understood here, so none can be critical.
    #[error("the header asks for critical extensions")]
    Critical,
    /// RFC 7516 section 4.1.3.
    #[error("the token is compressed, which is not supported")]
    Compressed,
    /// RFC 8725 section 3.1: the algorithm is ours to choose, not the token's.
    #[error("the token has key management algorithm {found:?} instead of A256KW")]
    Algorithm {
        /// What the header says.
        found: String,
    },
    /// As for [`JweError::Algorithm`].
    #[error("the token has content encryption {found:?} instead of A256GCM")]
    Encryption {
        /// What the header says.
        found: String,
    },
    /// No key unwraps the content key, or the tag does not fit: deliberately one error (RFC 7516 section 11.5).
    #[error("no key opens the token")]
    Undecryptable,
    /// A cipher refused its input, which the bounds above rule out.
    #[error("the token cannot be encrypted")]
    Unencryptable,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "protected header",
            Self::EncryptedKey => "encrypted key",
            Self::InitializationVector => "initialization vector",
            Self::Ciphertext => "ciphertext",
            Self::Tag => "authentication tag",
        })
    }
}
