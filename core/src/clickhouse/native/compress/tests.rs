use sha2::{Digest as _, Sha256};

use super::*;

fn opened(frames: &[u8]) -> Result<Vec<u8>, Unopened> {
    let mut plain = Vec::new();
    let mut reader = Reader::new(frames);
    while reader.remaining() > 0 {
        open_frame(&mut reader, &mut plain, 4 << 20)?;
    }
    Ok(plain)
}

fn sealed(data: &[u8]) -> Vec<u8> {
    let mut frames = Writer::new();
    seal_frames(data, &mut frames);
    frames.as_slice().to_vec()
}

/// A frame with a checksum that fits, whatever else is wrong.
fn frame(method: u8, length: u32, raw_length: u32, payload: &[u8]) -> Vec<u8> {
    let mut body = Writer::new();
    body.u8(method).u32(length).u32(raw_length).raw(payload);
    [checksum(body.as_slice()).as_slice(), body.as_slice()].concat()
}

#[test]
fn what_is_sealed_opens() {
    for length in [1, 8, 100, 1 << 10, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20] {
        let zeros = vec![0; length];
        assert_eq!(opened(&sealed(&zeros)).unwrap(), zeros, "{length}");
        let mixed: Vec<u8> = (0..length).map(|index| (index * index % 251) as u8).collect();
        assert_eq!(opened(&sealed(&mixed)).unwrap(), mixed, "{length}");
    }
}

/// Statements of every length, so that every branch of the hash is taken. All these frames were sent to 26.9 over HTTP
/// (`decompress=1`), which compared the checksums and found none wrong; what is kept is a digest of them.
#[test]
fn checksums_are_those_that_a_server_takes() {
    let text = format!("SELECT 1 --{}", "0123456789abcdef".repeat(50));
    let mut all = Vec::new();
    for length in 0..=700 {
        let payload = &text.as_bytes()[..length];
        let length = u32::try_from(length).unwrap();
        let frame = frame(NONE, length + 9, length, payload);
        all.extend_from_slice(&frame[..CHECKSUM_BYTES]);
    }
    assert_eq!(Sha256::digest(&all)[..8], [131, 241, 209, 205, 252, 244, 218, 45]);
}

#[test]
fn a_flipped_bit_is_seen_before_anything_is_decompressed() {
    let frames = sealed(b"SELECT SELECT SELECT SELECT SELECT SELECT");
    for byte in 0..frames.len() {
        for bit in 0..8 {
            let mut changed = frames.clone();
            changed[byte] ^= 1 << bit;
            let error = opened(&changed).unwrap_err();
            let in_length = (CHECKSUM_BYTES + 1..CHECKSUM_BYTES + 9).contains(&byte);
            match &error {
                Unopened::Frame(FrameError::Checksum) => {}
                Unopened::Wire(WireError::Incomplete { .. })
                | Unopened::TooLong
                | Unopened::Frame(FrameError::Length { .. }) => assert!(in_length, "{byte} {bit}"),
                Unopened::Wire(_) | Unopened::Frame(_) => panic!("{byte} {bit}: {error:?}"),
            }
        }
    }
}

#[test]
fn hostile_frames_are_refused() {
    let table: &[(Vec<u8>, Unopened)] = &[
        (frame(NONE, 8, 0, b""), FrameError::Length { length: 8 }.into()),
        (frame(NONE, u32::MAX, 1, b"x"), Unopened::TooLong),
        (frame(LZ4, 10, u32::MAX, b"x"), Unopened::TooLong),
        // More than the packet may have.
        (frame(LZ4, 10, 5 << 20, b"x"), Unopened::TooLong),
        (frame(0x91, 10, 1, b"x"), FrameError::Method { method: 0x91 }.into()),
        (frame(NONE, 10, 2, b"x"), FrameError::Payload { method: NONE, expected: 2 }.into()),
        (frame(NONE, 11, 1, b"xy"), FrameError::Payload { method: NONE, expected: 1 }.into()),
        (frame(LZ4, 11, 100, b"xy"), FrameError::Payload { method: LZ4, expected: 100 }.into()),
        (frame(ZSTD, 11, 100, b"xy"), FrameError::Payload { method: ZSTD, expected: 100 }.into()),
        (frame(ZSTD, 9, 100, b""), FrameError::Payload { method: ZSTD, expected: 100 }.into()),
    ];
    for (bytes, expected) in table {
        assert_eq!(opened(bytes).as_ref(), Err(expected));
    }
}

/// A ZSTD frame of one block that repeats a byte for longer than it says.
#[test]
fn a_zstd_frame_holds_no_more_than_it_says() {
    // Magic number, a window of 1 MiB, then a last block of 128 KiB of one byte (RFC 8878 section 3.1.1.2).
    let block = ((128_u32 << 10) << 3) | 0b011;
    let payload =
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50][..], block.to_le_bytes().get(..3).unwrap(), b"x"].concat();
    let length = u32::try_from(payload.len() + HEADER_BYTES).unwrap();
    let whole = opened(&frame(ZSTD, length, 128 << 10, &payload)).unwrap();
    assert_eq!(whole, vec![b'x'; 128 << 10]);
    let short = opened(&frame(ZSTD, length, 100, &payload));
    assert_eq!(short, Err(FrameError::Payload { method: ZSTD, expected: 100 }.into()));
}

#[test]
fn every_cut_waits_for_the_rest() {
    let frames = sealed(&[7; 5000]);
    for cut in 1..frames.len() {
        let missing = match opened(&frames[..cut]) {
            Err(Unopened::Wire(WireError::Incomplete { missing })) => missing,
            other => panic!("{cut}: {other:?}"),
        };
        assert!(missing > 0 && cut + missing <= frames.len(), "{cut}: {missing}");
    }
}
