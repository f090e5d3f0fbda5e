//! Bytes that have arrived and were not read yet.

/// Bytes of memory that an empty queue keeps.
const KEPT: usize = 1 << 20;

/// A queue of bytes that knows how many are needed before looking at it again is of use.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// Bytes at the front that have been read.
    read: usize,
    /// Bytes that must be there before the next attempt.
    wanted: usize,
}

impl Inbox {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        // What was read makes room as soon as moving the rest costs no more than it did to bring it.
        if self.read > 0 && self.read >= self.bytes.len() - self.read {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds to the queue in place.
    pub(super) fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.push(&[]);
        write(&mut self.bytes)
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.read..).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.read
    }

    /// Marks bytes at the front as read.
    pub(super) fn pass(&mut self, count: usize) {
        self.read = self.bytes.len().min(self.read.saturating_add(count));
        self.wanted = 0;
        if self.read == self.bytes.len() {
            self.bytes.clear();
            self.read = 0;
            // One large block shall not hold its memory for the life of a connection.
            if self.bytes.capacity() > KEPT {
                self.bytes = Vec::new();
            }
        }
    }

    /// Another attempt needs at least this many bytes more.
    pub(super) fn want(&mut self, missing: usize) {
        self.wanted = self.len().saturating_add(missing.max(1));
    }

    /// No bytes will follow, so that there is no use in waiting for them.
    pub(super) fn expect_no_more(&mut self) {
        self.wanted = 0;
    }

    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    pub(super) fn is_ready(&self) -> bool {
        self.len() >= self.wanted
    }

    /// Whether there is nothing to read.
    pub(super) fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn take_all(&mut self) -> Vec<u8> {
        let rest = self.rest().to_vec();
        *self = Self::default();
        rest
    }
}

#[cfg(test)]
impl PartialEq for Inbox {
    /// What was read does not count: when its room is given back depends on how bytes arrive.
    fn eq(&self, other: &Self) -> bool {
        self.rest() == other.rest() && self.wanted == other.wanted
    }
}
