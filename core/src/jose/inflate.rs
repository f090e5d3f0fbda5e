//! The compression of plaintexts, `zip` with the value `DEF` (RFC 7516 section 4.1.3): DEFLATE (RFC 1951) as it is,
//! without a header of zlib or gzip.
//!
//! Deliberately absent: compressing. The length of what is compressed tells about its content (RFC 8725 section
//! 3.6), so tokens are read this way and never made so.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use zeroize::Zeroizing;

use super::jwe_error::JweError;
use crate::secret::Secret;

/// Every plaintext may grow to this many bytes, and larger ones to [`MOST_GROWTH`] times what they were.
const ALWAYS_ALLOWED_BYTES: usize = 250_000;
const MOST_GROWTH: usize = 10;

/// The text of which `compressed` is the whole compression.
///
/// To be called for authenticated content only, which is why its errors may say what is wrong.
pub(super) fn inflate(compressed: &[u8]) -> Result<Secret<Vec<u8>>, JweError> {
    let limit = compressed.len().saturating_mul(MOST_GROWTH).max(ALWAYS_ALLOWED_BYTES);
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut decoder = Box::<DecompressorOxide>::default();
    let mut text = Zeroizing::new(vec![0; compressed.len().saturating_mul(4).clamp(1024, limit)]);
    let (mut read, mut written) = (0, 0);
    loop {
        let rest = compressed.get(read..).unwrap_or_default();
        let (status, took, gave) = decompress(&mut decoder, rest, &mut text, written, flags);
        read += took;
        written += gave;
        let full = status == TINFLStatus::HasMoreOutput;
        if written > limit || (full && text.len() > limit) {
            return Err(JweError::InflatesTooFar { limit });
        }
        if status == TINFLStatus::Done {
            break;
        }
        if !full {
            return Err(JweError::NotDeflate);
        }
        text = grown(&text, limit);
    }
    if read < compressed.len() {
        return Err(JweError::AfterDeflate);
    }
    text.truncate(written);
    Ok(Secret::new(std::mem::take(&mut *text)))
}

/// The same text with more room, one byte beyond the limit at most. A vector that grows by itself would leave its
/// content behind in freed memory.
fn grown(text: &Zeroizing<Vec<u8>>, limit: usize) -> Zeroizing<Vec<u8>> {
    let length = text.len().saturating_mul(2).min(limit.saturating_add(1));
    let mut larger = Zeroizing::new(Vec::with_capacity(length));
    larger.extend_from_slice(text);
    larger.resize(length, 0);
    larger
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::compress_to_vec;

    use super::*;

    fn inflated(compressed: &[u8]) -> Result<Vec<u8>, JweError> {
        inflate(compressed).map(|text| text.expose().clone())
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let varied: Vec<u8> = (0..60_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for text in [&b""[..], b"{}", &[b'a'; 5000], &varied] {
            for level in 0..=10 {
                assert_eq!(inflated(&compress_to_vec(text, level)).as_deref(), Ok(text), "level {level}");
            }
        }
    }

    #[test]
    fn the_limit_is_exact() {
        let small = |length| inflated(&compress_to_vec(&vec![b' '; length], 9)).map(|text| text.len());
        for length in [1023, 1024, 1025, ALWAYS_ALLOWED_BYTES - 1, ALWAYS_ALLOWED_BYTES] {
            assert_eq!(small(length), Ok(length));
        }
        let too_far = Err(JweError::InflatesTooFar { limit: ALWAYS_ALLOWED_BYTES });
        assert_eq!(small(ALWAYS_ALLOWED_BYTES + 1), too_far);
        assert_eq!(small(20_000_000), too_far);
        // 30,000 stored bytes, and a run that brings the whole to ten times its compressed length, or one byte beyond.
        let stored = [&[0, 0x30, 0x75, 0xcf, 0x8a][..], &[b'a'; 30_000]].concat();
        for beyond in [0, 1] {
            let mut run = Vec::new();
            let mut length = 0;
            while length + 30_000 != 10 * (stored.len() + run.len()) + beyond {
                length = 10 * (stored.len() + run.len()) + beyond - 30_000;
                run = compress_to_vec(&vec![b'a'; length], 9);
            }
            let whole = [stored.as_slice(), &run].concat();
            let limit = 10 * whole.len();
            let expected = if beyond == 0 { Ok(limit) } else { Err(JweError::InflatesTooFar { limit }) };
            assert_eq!(inflated(&whole).map(|text| text.len()), expected);
        }
    }

    #[test]
    fn what_is_not_one_whole_stream_is_refused() {
        let stream = compress_to_vec(br#"{"username":"alice","username":"alice"}"#, 9);
        for length in 0..stream.len() {
            assert_eq!(inflated(&stream[..length]), Err(JweError::NotDeflate), "{length}");
        }
        for tail in [&b"\0"[..], b"x", &stream] {
            assert_eq!(inflated(&[&stream, tail].concat()), Err(JweError::AfterDeflate));
        }
        let zlib = miniz_oxide::deflate::compress_to_vec_zlib(b"{}", 9);
        for broken in [
            &zlib[..],
            // The reserved kind of block; a stored block whose length does not match its complement.
            b"\x07",
            b"\x01\x01\x00\x00\x00a",
            // A match before the first byte.
            b"\x03\x02\x00",
            b"{\"username\":\"alice\"}",
        ] {
            assert_eq!(inflated(broken), Err(JweError::NotDeflate), "{broken:?}");
        }
    }
}
