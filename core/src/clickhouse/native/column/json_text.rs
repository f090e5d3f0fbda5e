//! Strings as ClickHouse writes them in JSON, and in the text form that keys of a map have.

use std::borrow::Cow;

use super::buffer::Buffer;

/// Appends `text` in double quotes. Control characters, quotes, backslashes and the two line separators that
/// JavaScript once tripped over are escaped, nothing else is.
#[inline]
pub(super) fn push_json_string(text: &str, out: &mut Buffer) {
    out.push(b'"');
    push_json_escaped(text, out);
    out.push(b'"');
}

/// What [`push_json_string`] puts between the quotes.
pub(super) fn push_json_escaped(text: &str, out: &mut Buffer) {
    let mut rest = text;
    loop {
        let plain = plain_length(rest.as_bytes());
        let (before, from) = rest.split_at_checked(plain).unwrap_or((rest, ""));
        out.push_str(before);
        let mut chars = from.chars();
        match chars.next() {
            None => return,
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\u{2028}') => out.push_str("\\u2028"),
            Some('\u{2029}') => out.push_str("\\u2029"),
            Some(control) if control < ' ' => push_code(control, out),
            Some(other) => out.push_str(other.encode_utf8(&mut [0; 4])),
        }
        rest = chars.as_str();
    }
}

/// Appends `text` in single quotes, as ClickHouse writes strings within arrays and tuples that are text.
pub(super) fn push_quoted(text: &str, out: &mut Buffer) {
    out.push(b'\'');
    for c in text.chars() {
        match c {
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            other => out.push_str(other.encode_utf8(&mut [0; 4])),
        }
    }
    out.push(b'\'');
}

/// Bytes as text, with U+FFFD where they are not UTF-8.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn push_code(control: char, out: &mut Buffer) {
    let code = u32::from(control);
    out.push_str("\\u00");
    for digit in [code >> 4, code & 15] {
        out.push(char::from_digit(digit, 16).map_or(b'0', |digit| digit.to_ascii_uppercase() as u8));
    }
}

/// Whether bytes are ASCII that [`push_json_escaped`] leaves as it is.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    bytes.is_ascii() && plain_length(bytes) == bytes.len()
}

/// How many bytes come before one that may need an escape: eight at a time, because most text has none. The byte
/// 0xE2, which the line separators begin with, stops too.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    // The high bit of each byte that is zero, and perhaps of bytes above one.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, _) = bytes.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let below_space = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let marked = below_space
            | zero(word ^ (ONES * 0x22))
            | zero(word ^ (ONES * 0x5c))
            | zero(word ^ (ONES * 0xe2));
        if marked != 0 {
            // Of marked bytes the lowest is always a true one.
            return length + (marked.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    let tail = bytes.get(length..).unwrap_or_default();
    length + tail.iter().position(|byte| matches!(byte, ..b' ' | b'"' | b'\\' | 0xe2)).unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::super::buffer::written;
    use super::*;

    #[test]
    fn strings_are_escaped_as_the_server_does() {
        let table: &[(&str, &str)] = &[
            ("", r#""""#),
            ("plain text that is longer than eight", r#""plain text that is longer than eight""#),
            (
                "a\0\u{1}\u{1f}\u{7f}\"\\/\u{8}\u{c}\n\r\té",
                "\"a\\u0000\\u0001\\u001F\u{7f}\\\"\\\\/\\b\\f\\n\\r\\té\"",
            ),
            ("\u{2028}\u{2029}\u{b}😀<>&'€", "\"\\u2028\\u2029\\u000B😀<>&'€\""),
        ];
        for (text, expected) in table {
            assert_eq!(written(|out| push_json_string(text, out)), *expected);
        }
    }

    #[test]
    fn every_place_is_looked_at() {
        for at in 0..40 {
            for special in ["\"", "\u{1}", "\\", "\u{2028}", "€"] {
                let text = format!("{}{special}{}", "é~ ~ a".repeat(at / 7), "x".repeat(at));
                let out = written(|out| push_json_string(&text, out));
                assert_eq!(serde_json::from_str::<String>(&out).ok(), Some(text));
            }
        }
    }

    #[test]
    fn text_within_text_has_single_quotes() {
        assert_eq!(written(|out| push_quoted("a'\\\n\0\"", out)), "'a\\'\\\\\\n\\0\"'");
    }
}
