//! Why an encrypted token is refused.

use std::fmt;

use super::jwe::MAX_TOKEN_BYTES;

/// A part of a token (RFC 7516 section 2).
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
    /// Additional authenticated data, which only the JSON serialisation has.
    AdditionalData,
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
    /// RFC 7516 section 7.2: a text that starts with a brace is one JSON object, and so is its recipient.
    #[error("the token starts as the JSON serialisation does, but is not made of JSON objects")]
    NotJson,
    /// RFC 7516 section 4, for the JSON serialisation itself: of two members with one name, readers may take either.
    #[error("the token's JSON has the member {name:?} twice")]
    DuplicateMember {
        /// The repeated name.
        name: String,
    },
    /// RFC 7516 section 7.2.1: the type of a member.
    #[error("the member \"{name}\" of the token's JSON must be {wanted}")]
    Member {
        /// Its name.
        name: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A member without which nothing can be decrypted.
    #[error("the token's JSON lacks the member \"{name}\"")]
    MissingMember {
        /// Its name.
        name: &'static str,
    },
    /// RFC 7516 section 7.2.2: the flattened form has no `recipients`.
    #[error("the token's JSON has \"recipients\" and also a recipient's own members: write it in one form")]
    TwoForms,
    /// Each recipient could change what a token says to the others.
    #[error(
        "the token has {found} recipients, it must have one: what several can open, each of them can also change"
    )]
    Recipients {
        /// How many there are.
        found: usize,
    },
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
    /// RFC 7516 section 5.2 step 4: no two headers of a token share a name.
    #[error("two headers of the token say {name:?}")]
    HeaderInTwoPlaces {
        /// The repeated name.
        name: String,
    },
    /// RFC 7516 section 4.1.13: no extension is understood here, so none can be critical.
    #[error("the header asks for critical extensions")]
    Critical,
    /// RFC 7516 section 4.1.3: `zip` must be protected, else anybody could have the plaintext taken for another.
    #[error("the header \"zip\" is not protected")]
    UnprotectedZip,
    /// RFC 7516 section 4.1.3.
    #[error("the token is compressed by {found:?}, only DEF is supported")]
    Compression {
        /// What the header says.
        found: String,
    },
    /// A plaintext that grows beyond all measure is refused before it fills the memory (RFC 8725 section 3.6).
    #[error("the token's compressed content has more than {limit} bytes")]
    InflatesTooFar {
        /// The most bytes that this one may have.
        limit: usize,
    },
    /// RFC 1951: the content is no stream, or only a part of one.
    #[error("the token's content is not compressed by DEFLATE, or is cut off")]
    NotDeflate,
    /// Whatever stands behind the stream would be read by some and ignored by others.
    #[error("the token has more content after its compressed one")]
    AfterDeflate,
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

impl Part {
    /// Its name in the JSON serialisation (RFC 7516 section 7.2.1).
    pub(super) const fn member(self) -> &'static str {
        match self {
            Self::Header => "protected",
            Self::EncryptedKey => "encrypted_key",
            Self::InitializationVector => "iv",
            Self::Ciphertext => "ciphertext",
            Self::Tag => "tag",
            Self::AdditionalData => "aad",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "protected header",
            Self::EncryptedKey => "encrypted key",
            Self::InitializationVector => "initialization vector",
            Self::Ciphertext => "ciphertext",
            Self::Tag => "authentication tag",
            Self::AdditionalData => "additional data",
        })
    }
}
