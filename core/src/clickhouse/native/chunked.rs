//! Packets in frames: each is cut into chunks behind their lengths, and ends with a chunk of no length. A server
//! speaks so only when its operator says so (`proto_caps`).

use super::wire::Writer;

/// Puts a packet into one frame.
pub(super) fn frame(packet: &[u8]) -> Writer {
    let mut framed = Writer::with_capacity(packet.len() + 8);
    // A query is never as long as 4 GiB; the chunks are there all the same.
    for chunk in packet.chunks(1 << 30) {
        framed.u32(u32::try_from(chunk.len()).unwrap_or(u32::MAX)).raw(chunk);
    }
    framed.u32(0);
    framed
}

/// Takes frames off as bytes arrive. Where packets end, the packets themselves know.
#[derive(Clone, Debug, Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct Unframer {
    /// Bytes that are left of the chunk.
    left: usize,
    /// What has come of the length of the next chunk.
    length: [u8; 4],
    length_bytes: usize,
}

impl Unframer {
    /// Hands the content of chunks to `take`, piece by piece.
    pub(super) fn receive(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let (piece, rest) = bytes.split_at_checked(self.left).unwrap_or((bytes, &[]));
                take(piece);
                self.left -= piece.len();
                bytes = rest;
                continue;
            }
            let (first, rest) = bytes.split_at_checked(1).unwrap_or((bytes, &[]));
            bytes = rest;
            if let (Some(slot), Some(byte)) = (self.length.get_mut(self.length_bytes), first.first()) {
                *slot = *byte;
            }
            self.length_bytes += 1;
            if self.length_bytes == self.length.len() {
                self.length_bytes = 0;
                self.left = usize::try_from(u32::from_le_bytes(self.length)).unwrap_or(usize::MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_off_wherever_they_are_cut() {
        let mut framed = frame(b"first").as_slice().to_vec();
        framed.extend_from_slice(&[2, 0, 0, 0, b's', b'e', 4, 0, 0, 0, b'c', b'o', b'n', b'd', 0, 0, 0, 0]);
        for size in 1..=framed.len() {
            let (mut unframer, mut out) = (Unframer::default(), Vec::new());
            for piece in framed.chunks(size) {
                unframer.receive(piece, |bytes| out.extend_from_slice(bytes));
            }
            assert_eq!(out, b"firstsecond", "{size}");
        }
    }
}
