//! Rows that come together, as lines of one text: a row alone would cost more to hand over than to write.

/// Bytes of text after which rows are handed on rather than more of them gathered.
pub(super) const FULL: usize = 64 << 10;

/// Rows, each the text of a JSON array with a value per column, already in Housekey's encoding, and a line feed.
///
/// The encoding is by type, never by magnitude: integers of 64 bits and more and decimals are strings, NaN and
/// infinities are `"nan"`, `"inf"` and `"-inf"`, and text that is not UTF-8 has U+FFFD where bytes were wrong. No row
/// has a line feed within.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    text: String,
    /// Where each line ends, behind its line feed.
    ends: Vec<usize>,
}

impl Lines {
    /// Text whose lines end at these places, each with a line feed.
    pub(super) fn new(text: String, ends: Vec<usize>) -> Self {
        Self { text, ends }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All lines.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The rows, without their line feeds.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let line = |(start, end): (usize, &usize)| self.text.get(start..end.saturating_sub(1));
        starts.zip(&self.ends).map(move |range| line(range).unwrap_or_default())
    }

    /// Adds a row, which has no line feed.
    pub fn push(&mut self, row: &str) {
        self.text.push_str(row);
        self.end_row();
    }

    /// Adds the row that `write` appends, unless it fails.
    pub(super) fn try_push<E>(&mut self, write: impl FnOnce(&mut String) -> Result<(), E>) -> Result<(), E> {
        let start = self.text.len();
        let written = write(&mut self.text);
        match written {
            Ok(()) => self.end_row(),
            Err(_) => self.text.truncate(start),
        }
        written
    }

    /// Adds the rows of others.
    pub fn append(&mut self, others: Self) {
        if self.is_empty() {
            *self = others;
            return;
        }
        let start = self.text.len();
        self.text.push_str(&others.text);
        self.ends.extend(others.ends.iter().map(|end| start + end));
    }

    /// Keeps the first rows, at most so many.
    pub fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// How many of the first rows take at most so many bytes, with their line feeds.
    pub(super) fn within(&self, bytes: u64) -> usize {
        self.ends.partition_point(|end| u64::try_from(*end).unwrap_or(u64::MAX) <= bytes)
    }

    /// Whether these are enough to be handed on.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= FULL
    }

    fn end_row(&mut self) {
        self.text.push('\n');
        self.ends.push(self.text.len());
    }
}

/// Lines of which the last may lack its line feed.
impl From<String> for Lines {
    fn from(mut text: String) -> Self {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let ends = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { text, ends }
    }
}

impl<T: AsRef<str>> FromIterator<T> for Lines {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        let mut lines = Self::default();
        rows.into_iter().for_each(|row| lines.push(row.as_ref()));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_as_they_went_in() {
        let rows = ["[1]", "[\"é\"]", "[]"];
        let mut lines: Lines = rows.iter().collect();
        assert_eq!(lines.iter().collect::<Vec<_>>(), rows);
        assert_eq!(lines, Lines::from(lines.text().to_owned()));
        assert_eq!(lines, Lines::from(lines.text().trim_end().to_owned()));
        lines.append(["[2]", "[3]"].iter().collect());
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["[1]", "[\"é\"]", "[]", "[2]", "[3]"]);
        lines.truncate(4);
        assert_eq!((lines.len(), lines.text()), (4, "[1]\n[\"é\"]\n[]\n[2]\n"));
        lines.truncate(9);
        assert_eq!(lines.len(), 4);
        lines.truncate(0);
        assert_eq!(lines, Lines::default());
        assert_eq!(Lines::from(String::new()), Lines::default());
    }

    #[test]
    fn half_a_row_is_not_kept() {
        let mut lines: Lines = ["[1]"].iter().collect();
        let failed = lines.try_push(|text| {
            text.push_str("[2");
            Err("broken off")
        });
        assert_eq!(failed, Err("broken off"));
        let added = lines.try_push(|text| {
            text.push_str("[3]");
            Ok::<_, ()>(())
        });
        assert_eq!((added, lines.text()), (Ok(()), "[1]\n[3]\n"));
    }

    #[test]
    fn rows_fit_with_their_line_feeds() {
        let lines: Lines = ["[1]", "[22]", "[3]"].iter().collect();
        for (bytes, rows) in [(0, 0), (3, 0), (4, 1), (8, 1), (9, 2), (12, 2), (13, 3), (u64::MAX, 3)] {
            assert_eq!(lines.within(bytes), rows, "{bytes}");
        }
    }
}
