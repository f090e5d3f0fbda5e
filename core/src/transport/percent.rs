//! Percent-encoding (RFC 3986 section 2.1), read strictly: what is no escape is refused, not passed on.

use percent_encoding::percent_decode_str;

/// What a text with escapes stands for; `None` when a `%` begins no escape or the bytes are not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !text.split('%').skip(1).all(is_escape) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn escapes_are_read_and_what_is_none_is_refused() {
        for (text, wanted) in [
            ("", Some("")),
            ("a.b-c_d~e", Some("a.b-c_d~e")),
            ("a%2Fb%2fc%25", Some("a/b/c%")),
            ("%C3%A9", Some("é")),
            ("%252F", Some("%2F")),
            ("a+b", Some("a+b")),
            ("%", None),
            ("%2", None),
            ("%2g", None),
            ("%%41", None),
            ("%FF", None),
            ("%C3", None),
        ] {
            assert_eq!(decode(text).as_deref(), wanted, "{text}");
        }
    }
}
