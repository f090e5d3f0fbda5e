//! The primitives of the native protocol: a cursor over bytes that have arrived, and a buffer for those that leave.
//!
//! Nothing in the protocol says how long a packet is, so whoever reads may find that the rest has not come yet. That
//! is [`WireError::Incomplete`] and no fault; everything else that is wrong stays wrong with more bytes.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::error::Malformed;

/// Why a value could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes so far are fine, and at least `missing` more are needed.
    #[error("at least {missing} more bytes are needed")]
    Incomplete {
        /// A lower bound, never 0. The larger it is, the fewer vain attempts are made to read a large packet.
        missing: usize,
    },
    /// No further byte can make it right.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Reads values from the front of a byte slice.
///
/// What is read borrows from the slice, and lengths that come from the peer are compared with a limit before
/// anything is allocated.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    whole: bool,
}

impl<'a> Reader<'a> {
    /// Reads bytes that more may follow: the end of the slice is [`WireError::Incomplete`].
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, whole: false }
    }

    /// Reads bytes that are known to be all: the end of the slice is [`Malformed::EndsEarly`].
    pub const fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, whole: true }
    }

    /// Bytes read so far.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// Bytes that have not been read.
    pub const fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.position)
    }

    /// The next `length` bytes. The caller has checked `length` against a limit; nothing is allocated here.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        match self.rest().get(..length) {
            Some(taken) => {
                self.position += length;
                Ok(taken)
            }
            None if self.whole => Err(Malformed::EndsEarly.into()),
            None => Err(WireError::Incomplete { missing: length - self.remaining() }),
        }
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let taken = self.take(N)?;
        // `take` gave exactly N bytes.
        taken.try_into().map_err(|_| Malformed::EndsEarly.into())
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        self.array().map(u8::from_le_bytes)
    }

    /// Two bytes, least significant first.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes, least significant first.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, least significant first.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Four bytes in two's complement, least significant first.
    pub fn i32(&mut self) -> Result<i32, WireError> {
        self.array().map(i32::from_le_bytes)
    }

    /// Eight bytes in two's complement, least significant first.
    pub fn i64(&mut self) -> Result<i64, WireError> {
        self.array().map(i64::from_le_bytes)
    }

    /// A byte that is 0 or 1; `what` names it in the error.
    pub fn bool(&mut self, what: &'static str) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(Malformed::NotBool { what, found }.into()),
        }
    }

    /// An integer of seven bits a byte, lowest group first; the high bit says that another byte follows.
    pub fn varuint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let group = u64::from(byte & 0x7f);
            if group << shift >> shift != group {
                return Err(Malformed::VarUIntTooLong.into());
            }
            value |= group << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::VarUIntTooLong.into())
    }

    /// A varuint that counts something: at most `most`, or [`Malformed::TooMany`] that names `what`.
    pub fn count(&mut self, what: &'static str, most: usize) -> Result<usize, WireError> {
        let count = self.varuint()?;
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(Malformed::TooMany { what, count, most }.into()),
        }
    }

    /// Bytes behind their length, of which there may be `longest`.
    pub fn bytes(&mut self, what: &'static str, longest: usize) -> Result<&'a [u8], WireError> {
        let length = self.varuint()?;
        match usize::try_from(length) {
            Ok(length) if length <= longest => self.take(length),
            _ => Err(Malformed::TooLong { what, length, longest }.into()),
        }
    }

    /// Text behind its length; U+FFFD stands where it is not UTF-8.
    pub fn text(&mut self, what: &'static str, longest: usize) -> Result<Cow<'a, str>, WireError> {
        self.bytes(what, longest).map(String::from_utf8_lossy)
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<(), Malformed> {
        match self.remaining() {
            0 => Ok(()),
            surplus => Err(Malformed::Surplus { surplus }),
        }
    }
}

/// Builds bytes to send. They are wiped when they are dropped, because some packets carry secrets; what has to be
/// wiped for certain is written into a buffer that was made large enough, so that it never moves.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Zeroizing<Vec<u8>>,
}

impl Writer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty buffer that does not move before it holds this many bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(capacity)) }
    }

    /// What was written.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written, for sending.
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// 0 or 1.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.u8(u8::from(value))
    }

    /// Four bytes, least significant first.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Eight bytes, least significant first.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Four bytes in two's complement, least significant first.
    pub fn i32(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Eight bytes in two's complement, least significant first.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// An integer of seven bits a byte, as [`Reader::varuint`] reads it.
    pub fn varuint(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8)
    }

    /// A length or a count.
    pub fn length(&mut self, length: usize) -> &mut Self {
        // No address space is larger.
        self.varuint(u64::try_from(length).unwrap_or(u64::MAX))
    }

    /// Bytes behind their length.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.length(bytes.len()).raw(bytes)
    }

    /// Text behind its length.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Texts behind their count.
    pub fn texts(&mut self, texts: &[String]) -> &mut Self {
        self.length(texts.len());
        for text in texts {
            self.text(text);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varuints_read_back_and_have_one_length() {
        for (value, bytes) in [
            (0, vec![0]),
            (127, vec![0x7f]),
            (128, vec![0x80, 1]),
            (54_492, vec![0xdc, 0xa9, 3]),
            (u64::MAX, vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut writer = Writer::new();
            writer.varuint(value);
            assert_eq!(writer.as_slice(), bytes);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.varuint(), Ok(value));
            assert_eq!(reader.finish(), Ok(()));
            for cut in 0..bytes.len() {
                let error = Reader::new(&bytes[..cut]).varuint();
                assert_eq!(error, Err(WireError::Incomplete { missing: 1 }));
            }
        }
    }

    #[test]
    fn hostile_lengths_are_refused_before_they_are_used() {
        let too_long = Err(WireError::Malformed(Malformed::VarUIntTooLong));
        assert_eq!(Reader::new(&[0xff; 11]).varuint(), too_long);
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varuint(),
            too_long
        );
        let mut huge = Writer::new();
        huge.varuint(u64::MAX);
        let bytes = Reader::new(huge.as_slice()).bytes("name", 10);
        assert_eq!(bytes, Err(Malformed::TooLong { what: "name", length: u64::MAX, longest: 10 }.into()));
        let count = Reader::new(huge.as_slice()).count("columns", 10);
        assert_eq!(count, Err(Malformed::TooMany { what: "columns", count: u64::MAX, most: 10 }.into()));
    }

    #[test]
    fn the_end_is_incomplete_or_wrong() {
        assert_eq!(Reader::new(&[1, 2]).u64(), Err(WireError::Incomplete { missing: 6 }));
        assert_eq!(Reader::whole(&[1, 2]).u64(), Err(Malformed::EndsEarly.into()));
        assert_eq!(Reader::new(&[5, b'a']).text("x", 9), Err(WireError::Incomplete { missing: 4 }));
        assert_eq!(Reader::whole(&[0, 9]).finish(), Err(Malformed::Surplus { surplus: 2 }));
    }

    #[test]
    fn text_is_always_text() {
        assert_eq!(Reader::new(&[2, 0xff, b'a']).text("x", 2).unwrap(), "\u{fffd}a");
        assert_eq!(Reader::new(&[2]).bool("x"), Err(Malformed::NotBool { what: "x", found: 2 }.into()));
    }
}
