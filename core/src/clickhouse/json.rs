//! A strict reader of JSON text that copies what it reads, token by token.
//!
//! There is no tree of values: a row is large, and a number must arrive byte for byte.

/// Why text could not be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JsonError {
    /// A token that JSON does not have, or not there.
    #[error("not JSON at byte {at}")]
    Malformed {
        /// Bytes from the start of the text.
        at: usize,
    },
    /// Arrays and objects nest too deeply.
    #[error("nested too deeply at byte {at}")]
    TooDeep {
        /// Bytes from the start of the text.
        at: usize,
    },
}

/// A place in JSON text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is not white space, left in place.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    /// Passes `wanted` if it comes next.
    pub(super) fn passes(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += 1;
        }
        found
    }

    /// Passes `wanted`, which must come next.
    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), JsonError> {
        if self.passes(wanted) { Ok(()) } else { Err(self.malformed()) }
    }

    /// Nothing may follow.
    pub(super) fn expect_end(&mut self) -> Result<(), JsonError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.malformed()) }
    }

    pub(super) fn malformed(&self) -> JsonError {
        JsonError::Malformed { at: self.at }
    }

    pub(super) fn too_deep(&self) -> JsonError {
        JsonError::TooDeep { at: self.at }
    }

    /// Copies a string with its quotes. Escapes stay as they are, but for `\/`, which is `/`, and halves of
    /// surrogate pairs without their other half, which are U+FFFD (RFC 8259 section 8.2).
    pub(super) fn copy_string(&mut self, out: &mut String) -> Result<(), JsonError> {
        self.expect(b'"')?;
        out.push('"');
        loop {
            let start = self.at;
            while matches!(self.byte(), Some(b) if b >= b' ' && b != b'"' && b != b'\\') {
                self.at += 1;
            }
            out.push_str(self.text.get(start..self.at).unwrap_or_default());
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    out.push('"');
                    return Ok(());
                }
                Some(b'\\') => self.copy_escape(out)?,
                _ => return Err(self.malformed()),
            }
        }
    }

    /// A run of the characters that numbers, `null`, `true`, `nan` and the like are made of; perhaps empty.
    pub(super) fn word(&mut self) -> &'a str {
        self.peek();
        let start = self.at;
        while matches!(self.byte(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' | b'.')) {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn copy_escape(&mut self, out: &mut String) -> Result<(), JsonError> {
        let escape = self.text.get(self.at..self.at + 2).ok_or_else(|| self.malformed())?;
        match escape {
            "\\/" => out.push('/'),
            "\\\"" | "\\\\" | "\\b" | "\\f" | "\\n" | "\\r" | "\\t" => out.push_str(escape),
            "\\u" => return self.copy_code_unit(out),
            _ => return Err(self.malformed()),
        }
        self.at += 2;
        Ok(())
    }

    fn copy_code_unit(&mut self, out: &mut String) -> Result<(), JsonError> {
        const LONG: usize = "\\u0000".len();
        let unit = self.code_unit(self.at).ok_or_else(|| self.malformed())?;
        let next = || self.code_unit(self.at + LONG);
        let length = match unit {
            0xd800..=0xdbff if matches!(next(), Some(0xdc00..=0xdfff)) => LONG * 2,
            0xd800..=0xdfff => {
                out.push(char::REPLACEMENT_CHARACTER);
                self.at += LONG;
                return Ok(());
            }
            _ => LONG,
        };
        out.push_str(self.text.get(self.at..self.at + length).unwrap_or_default());
        self.at += length;
        Ok(())
    }

    /// The number in `\uXXXX` at a place.
    fn code_unit(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// Whether a word is a number of RFC 8259 section 6.
pub(super) fn is_number(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_copied() {
        let table: &[(&str, Option<&str>)] = &[
            (r#""""#, Some(r#""""#)),
            (r#""aé😀\n\t\u0000\u001F\"\\""#, Some(r#""aé😀\n\t\u0000\u001F\"\\""#)),
            (r#""a\/b""#, Some(r#""a/b""#)),
            (r#""\ud83d\ude00""#, Some(r#""\ud83d\ude00""#)),
            (r#""\ud83dx""#, Some("\"\u{fffd}x\"")),
            (r#""\ud83d\ud83d\ude00""#, Some("\"\u{fffd}\\ud83d\\ude00\"")),
            (r#""\ude00""#, Some("\"\u{fffd}\"")),
            (r#""\u12""#, None),
            (r#""\u+123""#, None),
            (r#""\x41""#, None),
            (r#""\'""#, None),
            (r#""\"#, None),
            (r#""\é""#, None),
            ("\"a\nb\"", None),
            (r#""open"#, None),
            ("plain", None),
        ];
        for (text, expected) in table {
            let mut out = String::new();
            let copied = Scanner::new(text).copy_string(&mut out).ok().map(|()| out.as_str());
            assert_eq!(copied, *expected, "{text}");
        }
    }

    #[test]
    fn numbers_follow_the_grammar() {
        for word in ["0", "-0", "1", "-12", "1.50", "1e300", "5e-324", "1E+2", "0.1e1"] {
            assert!(is_number(word), "{word}");
        }
        for word in ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "--1", "0x1", "nan", "1e1e1", "1.2.3", "é"]
        {
            assert!(!is_number(word), "{word}");
        }
    }
}
