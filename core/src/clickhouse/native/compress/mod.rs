//! Compressed frames: a checksum, a method, two lengths and a payload. A block of data may take many of them.

mod city_hash;

use super::error::FrameError;
use super::wire::{Reader, WireError, Writer};
pub(super) use city_hash::checksum;

/// How the data of blocks is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    Off,
    /// With LZ4, which the server is asked for; what comes as ZSTD, as 26.9 does unasked, is understood as well.
    Lz4,
}

/// Bytes that a frame may hold. Servers send 1 MiB at most (measured on 26.9); ours are never larger.
const LARGEST: usize = 16 << 20;

/// Bytes of a frame before its payload, of which the checksum and what it covers.
const CHECKSUM_BYTES: usize = 16;
const HEADER_BYTES: usize = 9;

const NONE: u8 = 0x02;
const LZ4: u8 = 0x82;
const ZSTD: u8 = 0x90;

/// Why a frame was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unopened {
    /// More bytes are needed.
    Wire(WireError),
    /// The frame is wrong.
    Frame(FrameError),
    /// What it holds would not fit.
    TooLong,
}

impl From<WireError> for Unopened {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<FrameError> for Unopened {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

/// Opens the next frame and appends what it holds to `plain`, which may grow to `most` bytes.
///
/// Lengths are judged as soon as they are there, and the checksum before anything is decompressed.
pub(super) fn open_frame(reader: &mut Reader<'_>, plain: &mut Vec<u8>, most: usize) -> Result<(), Unopened> {
    let mut head = reader.clone();
    let expected: [u8; CHECKSUM_BYTES] = head.array()?;
    let (method, length, raw_length) = (head.u8()?, head.u32()?, head.u32()?);
    let payload_length = usize::try_from(length).unwrap_or(usize::MAX).checked_sub(HEADER_BYTES);
    let payload_length = payload_length.ok_or(FrameError::Length { length })?;
    let raw_length = usize::try_from(raw_length).unwrap_or(usize::MAX);
    if raw_length > LARGEST || payload_length > LARGEST || plain.len().saturating_add(raw_length) > most {
        return Err(Unopened::TooLong);
    }
    let mut covered = reader.clone();
    covered.take(CHECKSUM_BYTES)?;
    if checksum(covered.take(HEADER_BYTES + payload_length)?) != expected {
        return Err(FrameError::Checksum.into());
    }
    append(method, head.take(payload_length)?, raw_length, plain)?;
    *reader = covered;
    Ok(())
}

fn append(method: u8, payload: &[u8], raw_length: usize, plain: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = plain.len();
    let written = match method {
        NONE => {
            plain.extend_from_slice(payload);
            Some(payload.len())
        }
        LZ4 | ZSTD => {
            plain.resize(start.saturating_add(raw_length), 0);
            let room = plain.get_mut(start..).unwrap_or_default();
            if method == LZ4 {
                lz4_flex::block::decompress_into(payload, room).ok()
            } else {
                zstd(payload, room)
            }
        }
        _ => return Err(FrameError::Method { method }),
    };
    match written {
        Some(length) if length == raw_length => Ok(()),
        _ => Err(FrameError::Payload { method, expected: raw_length }),
    }
}

fn zstd(payload: &[u8], room: &mut [u8]) -> Option<usize> {
    let mut decoder = ruzstd::decoding::FrameDecoder::new();
    // A frame says how much a decoder has to remember; it need not be more than the frame holds.
    decoder.set_max_window_size(u64::try_from(LARGEST).unwrap_or_default());
    decoder.decode_all(payload, room).ok()
}

/// Puts a block into a frame. It stays as it is when LZ4 would not make it shorter.
pub(super) fn seal_frames(block: &[u8], out: &mut Writer) {
    for part in block.chunks(1 << 20) {
        let packed = lz4_flex::block::compress(part);
        let (method, payload) = if packed.len() < part.len() { (LZ4, &*packed) } else { (NONE, part) };
        let mut frame = Writer::with_capacity(HEADER_BYTES + payload.len());
        let of = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        frame.u8(method).u32(of(HEADER_BYTES + payload.len())).u32(of(part.len())).raw(payload);
        out.raw(&checksum(frame.as_slice())).raw(frame.as_slice());
    }
}

#[cfg(test)]
mod tests;
