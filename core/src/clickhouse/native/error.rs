//! What can be wrong with the bytes of a server, grouped by whose doing it is.

use thiserror::Error;

use super::revision::Revision;

/// Bytes that no server sends.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// An integer of variable length has more than 64 bits.
    #[error("an integer takes more than 64 bits")]
    VarUIntTooLong,
    /// A byte that must be 0 or 1 is neither.
    #[error("{what} is {found}, and must be 0 or 1")]
    NotBool {
        /// What the byte says.
        what: &'static str,
        /// The byte.
        found: u8,
    },
    /// A text or a piece of data is longer than it may be.
    #[error("{what} takes {length} bytes, and may take {longest}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        longest: usize,
    },
    /// There are more of something than there may be.
    #[error("there are {count} {what}, and there may be {most}")]
    TooMany {
        /// What there are too many of, in the plural.
        what: &'static str,
        /// How many.
        count: u64,
        /// The limit.
        most: usize,
    },
    /// Something that says how long it is, or ends with the answer, ends in the middle of a value.
    #[error("it ends in the middle of a value")]
    EndsEarly,
    /// Bytes are left behind the last value.
    #[error("{surplus} bytes are left over")]
    Surplus {
        /// How many.
        surplus: usize,
    },
}

/// A compressed frame that cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The checksum does not match; nothing was decompressed.
    #[error("a compressed frame does not match its checksum")]
    Checksum,
    /// No method with this number was asked for or is known.
    #[error("a frame is compressed by the unknown method {method:#04x}")]
    Method {
        /// The number.
        method: u8,
    },
    /// The frame says that it is shorter than its own header.
    #[error("a compressed frame says that it takes {length} bytes, fewer than its header")]
    Length {
        /// The length that it gives.
        length: u32,
    },
    /// What comes out is not as long as the frame says.
    #[error("a frame of the method {method:#04x} does not hold the {expected} bytes that it says")]
    Payload {
        /// The method's number.
        method: u8,
        /// The length that the frame gives, in bytes.
        expected: usize,
    },
}

/// Why a connection is of no use any more, though the network did its part.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NativeError {
    /// Bytes outside blocks that no server sends.
    #[error("the server's answer cannot be read: {0}")]
    Malformed(#[from] Malformed),
    /// A compressed frame.
    #[error("the server's answer cannot be read: {0}")]
    Frame(#[from] FrameError),
    /// A block of data; the text is that of the block's own error.
    #[error("the server's answer cannot be read: {0}")]
    Block(#[from] super::block::BlockError),
    /// A web server answers at the port.
    #[error("the server speaks HTTP at this port, not ClickHouse's native protocol: is it the right port?")]
    Http,
    /// A TLS server answers at the port.
    #[error("the server wants TLS at this port: is it the right port, and should TLS be on?")]
    Tls,
    /// The server is from before 2016.
    #[error("the server speaks revision {0} of the native protocol; the oldest that can be spoken is 54058")]
    TooOld(Revision),
    /// The server is a build in which these numbers mean something else; announce [`Revision::UNDISPUTED`] instead.
    #[error(
        "the server speaks revision {0} of the native protocol, which means different things in different builds"
    )]
    Disputed(Revision),
    /// An interserver login, and the server knows no interserver secret.
    #[error(
        "the server speaks revision {0} of the native protocol, which has no interserver secret (from 54441 on)"
    )]
    NoInterserverSecret(Revision),
    /// The server asks for framing that it did not offer, or answers with a word that is none.
    #[error("the server offers {0:?} where it must say whether it frames packets")]
    Framing(String),
    /// A packet number that is not in the protocol, or that only other servers are sent.
    #[error("the server sent a packet of the unknown kind {0}")]
    UnknownPacket(u64),
    /// A packet that is not due now.
    #[error("the server sent {packet} where {instead}")]
    UnexpectedPacket {
        /// Which packet.
        packet: &'static str,
        /// What was due.
        instead: &'static str,
    },
    /// More bytes wait than a packet may have.
    #[error("a packet of the server takes more than {most} bytes")]
    PacketTooLong {
        /// The limit in bytes.
        most: usize,
    },
}
