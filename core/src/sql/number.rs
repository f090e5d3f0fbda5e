//! Where a number ends. Only its border matters here: the server reads its value.
//!
//! An exponent without digits is a number or a part of a name depending on whether anything follows in the text. It
//! is marked as unfinished, so that cutting or extending a text never changes how it reads.

/// The extent of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The offset of the byte after it.
    pub(super) end: usize,
    /// Whether its exponent, if it has one, has digits.
    pub(super) finished: bool,
}

/// The byte after the number that starts at `start` with a digit. After a dot only plain digits belong to it, so that
/// `x.1.2` reads as two tuple elements.
pub(super) fn end_of_number(bytes: &[u8], start: usize, after_dot: bool) -> Extent {
    let mut cursor = Cursor { bytes, at: start + 1 };
    if after_dot {
        cursor.digits(false, false);
        return Extent { end: cursor.at, finished: true };
    }
    let hex = match (cursor.byte(start), cursor.byte(start + 1), cursor.byte(start + 2)) {
        (b'0', b'x' | b'X', digit) if digit.is_ascii_hexdigit() => Some(true),
        (b'0', b'b' | b'B', b'0' | b'1') => Some(false),
        _ => None,
    };
    if hex.is_some() {
        cursor.at = start + 2;
    }
    let (prefixed, hex) = (hex.is_some(), hex == Some(true));
    cursor.digits(prefixed, hex);
    if cursor.byte(cursor.at) == b'.' {
        cursor.at += 1;
        cursor.digits(true, hex);
    }
    let finished = cursor.exponent(hex);
    Extent { end: cursor.at, finished }
}

/// The byte after the number that starts at `start` with a dot.
pub(super) fn end_of_fraction(bytes: &[u8], start: usize) -> Extent {
    let mut cursor = Cursor { bytes, at: start + 1 };
    cursor.digits(true, false);
    let finished = cursor.exponent(false);
    Extent { end: cursor.at, finished }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// Digits with single `_` between them; a block does not start with `_`.
    fn digits(&mut self, mut start_of_block: bool, hex: bool) {
        let is_digit = |byte: u8| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
        while is_digit(self.byte(self.at))
            || (self.byte(self.at) == b'_' && !start_of_block && is_digit(self.byte(self.at + 1)))
        {
            self.at += 1;
            start_of_block = false;
        }
    }

    /// Whether an exponent, if there is one, is finished.
    fn exponent(&mut self, hex: bool) -> bool {
        let marks = if hex { [b'p', b'P'] } else { [b'e', b'E'] };
        if !marks.contains(&self.byte(self.at)) {
            return true;
        }
        self.at += 1;
        if matches!(self.byte(self.at), b'-' | b'+') {
            self.at += 1;
        }
        let digits = self.at;
        self.digits(true, false);
        self.at > digits
    }
}

#[cfg(test)]
mod tests {
    use super::{Extent, end_of_fraction, end_of_number};

    #[test]
    fn numbers_end_where_the_server_ends_them() {
        for (text, end) in [
            ("1", 1),
            ("12 ", 2),
            ("1_000", 5),
            ("1__0", 1),
            ("1_", 1),
            ("1.5.6", 3),
            ("1.", 2),
            ("1.e3", 4),
            ("1e+5-", 4),
            ("1e", 2),
            ("0x1F_ffg", 7),
            ("0x1p3", 5),
            ("0xg", 1),
            ("0b12", 4),
            ("0b2", 1),
        ] {
            let finished = !["1e"].contains(&text);
            assert_eq!(end_of_number(text.as_bytes(), 0, false), Extent { end, finished }, "{text}");
        }
        assert_eq!(end_of_number(b"1.5", 0, true).end, 1);
        assert_eq!(end_of_fraction(b".5e-3x", 0).end, 5);
    }
}
