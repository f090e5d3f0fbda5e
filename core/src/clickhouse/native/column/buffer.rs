//! Text under construction.

/// Bytes that are text when they are done. Numbers and dates are written digit by digit, and to check each of them
/// would take as long as to write it; so the whole is checked once.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// The day that was written last, and its characters.
    day: Option<(i64, Date)>,
}

/// `YYYY-MM-` and `DD`, the first character in the lowest byte.
type Date = (u64, u64);

impl Buffer {
    /// No text, and room for this many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), day: None }
    }

    /// Bytes that there is room for, with those that are there.
    pub(crate) fn room(&self) -> usize {
        self.bytes.capacity()
    }

    /// The text.
    pub(crate) fn into_text(self) -> String {
        // Only text and digits were written, so no byte is replaced.
        String::from_utf8(self.bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Bytes so far.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes back all but the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Appends an ASCII character.
    #[inline]
    pub(super) fn push(&mut self, ascii: u8) {
        self.bytes.push(ascii);
    }

    /// Appends text.
    #[inline]
    pub(super) fn push_str(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Appends ASCII text.
    #[inline]
    pub(super) fn push_ascii(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
    }

    /// Appends the beginning of ASCII text: to copy a fixed number of bytes and take some back is quicker than to copy
    /// as many as are wanted.
    #[inline]
    pub(super) fn push_start<const N: usize>(&mut self, text: &[u8; N], length: usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.bytes.truncate(start.saturating_add(length));
    }

    /// The characters of a day, which are worked out when it is another than the one before: times often come in order.
    #[inline]
    pub(super) fn date(&mut self, days: i64, work_out: impl FnOnce(i64) -> Date) -> Date {
        match self.day {
            Some((day, date)) if day == days => date,
            _ => {
                let date = work_out(days);
                self.day = Some((days, date));
                date
            }
        }
    }

    /// Takes back this ASCII character wherever it stands at the end.
    #[inline]
    pub(super) fn trim_end(&mut self, ascii: u8) {
        while self.bytes.last() == Some(&ascii) {
            self.bytes.pop();
        }
    }

    /// Appends an ASCII character so many times.
    pub(super) fn repeat(&mut self, ascii: u8, times: usize) {
        self.bytes.resize(self.bytes.len().saturating_add(times), ascii);
    }
}

/// What `push` writes.
#[cfg(test)]
pub(super) fn written(push: impl FnOnce(&mut Buffer)) -> String {
    let mut out = Buffer::default();
    push(&mut out);
    out.into_text()
}
