//! Bytes that have come and were not read yet.

/// A queue of bytes that is read by lines.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Bytes that were read.
    start: usize,
    /// Bytes from `start` that are known to hold no end of a line.
    searched: usize,
}

impl Buffer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Bytes before the next LF, if there is one.
    pub(super) fn line_length(&mut self) -> Option<usize> {
        let unsearched = self.rest().get(self.searched..).unwrap_or_default();
        let found = unsearched.iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
        self.searched = found.unwrap_or(self.rest().len());
        found
    }

    /// Counts bytes as read.
    pub(super) fn pass(&mut self, length: usize) {
        self.start = (self.start + length).min(self.bytes.len());
        self.searched = 0;
    }
}
