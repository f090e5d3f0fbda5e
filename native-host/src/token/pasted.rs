//! What people have at hand when they ask about a token: itself, a header that carries it, a URL with it, or the
//! generator's answer. And what they type.

use std::io::{self, BufRead, IsTerminal, Read, Take};

use anyhow::Context as _;
use housekey_core::secret::Secret;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Bytes of standard input that are looked at; the opener knows what is too long for a token.
const MOST_BYTES: u64 = 1 << 20;

/// Headers in which a token may stand.
const HEADERS: [&str; 3] = ["authorization:", "x-altinity-mcp-key:", "x-housekey-key:"];

/// What stands before a token in `Authorization`.
const SCHEMES: [&str; 2] = ["bearer ", "basic "];

/// What is written on standard input; a terminal is told what is awaited, and ends it with the line.
pub(crate) fn from_standard_input() -> anyhow::Result<String> {
    let input = io::stdin();
    if input.is_terminal() {
        eprintln!("housekey: paste the token and press Enter");
        return read(input.lock(), BufRead::read_line);
    }
    read(input.lock(), Read::read_to_string)
}

/// A password: the first line of standard input, without its end.
pub(super) fn password() -> anyhow::Result<Secret<String>> {
    let input = io::stdin();
    if input.is_terminal() {
        eprintln!("housekey: type the password, which is shown, and press Enter");
    }
    password_in(input.lock())
}

fn password_in(input: impl BufRead) -> anyhow::Result<Secret<String>> {
    let line = Secret::new(read(input, BufRead::read_line)?);
    let password = line.expose().trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!password.is_empty(), "the password that standard input should hold is empty");
    Ok(Secret::from(password))
}

fn read<I: BufRead>(
    input: I,
    into: impl FnOnce(&mut Take<I>, &mut String) -> io::Result<usize>,
) -> anyhow::Result<String> {
    let mut text = String::new();
    into(&mut input.take(MOST_BYTES), &mut text).context("standard input")?;
    Ok(text)
}

/// The token within `text`.
pub(crate) fn token(text: &str) -> anyhow::Result<Secret<String>> {
    let mut text = unquoted(text.trim());
    for prefix in HEADERS.into_iter().chain(SCHEMES) {
        text = after(text, prefix).unwrap_or(text).trim();
    }
    if let Some(token) = generated(text) {
        return Ok(token);
    }
    let Some(path) = path_of(text) else { return Ok(Secret::from(text)) };
    // RFC 3986 section 2.1; what is no encoding stays as it is.
    let segments = path.split(['/', '?', '#']).map(|part| percent_decode_str(part).decode_utf8_lossy());
    let longest = segments.filter(|segment| segment.contains('.') || segment.starts_with('{'));
    let token =
        longest.max_by_key(|segment| segment.len()).context("there is no token in the path of this URL")?;
    Ok(Secret::new(token.into_owned()))
}

/// The token of the generator's answer. Tokens in JSON have no member of this name.
fn generated(text: &str) -> Option<Secret<String>> {
    if !text.starts_with('{') {
        return None;
    }
    let mut answer: Value = serde_json::from_str(text).ok()?;
    match answer.get_mut("token")?.take() {
        Value::String(token) => Some(Secret::new(token)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Without the quotes that a configuration file or a shell has around it.
fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.trim();
        }
    }
    text
}

fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The path of a URL, or of a request's first line that was cut out of a log. Neither begins as a token does.
fn path_of(text: &str) -> Option<&str> {
    if text.starts_with('/') {
        return Some(text);
    }
    let rest = after(text, "https://").or_else(|| after(text, "http://"))?;
    Some(rest.split_once('/').map_or("", |(_, path)| path))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn a_token_is_found_in_what_people_have() {
        for text in [
            "aa.bb",
            " aa.bb\n",
            "\"aa.bb\"",
            "Bearer aa.bb",
            "bearer   aa.bb",
            "Basic aa.bb",
            "Authorization: Bearer aa.bb",
            "'authorization:Bearer aa.bb'",
            "\"Bearer aa.bb\"",
            "x-altinity-mcp-key: aa.bb",
            "X-Housekey-Key: aa.bb",
            "http://localhost:8080/aa.bb/sse",
            "https://a.long.name.example.com/aa.bb",
            "HTTPS://mcp.example.com/behind/aa.bb/openapi/execute_query?query=1",
            "/aa.bb/mcp",
            "/%61a%2Ebb/mcp",
            "{\"token\":\"aa.bb\"}\n",
            " '{ \"token\": \"aa\\u002ebb\" }'",
        ] {
            assert_eq!(token(text).unwrap().expose(), "aa.bb", "{text}");
        }
        for (text, wanted) in [
            ("{\"a\": \"b/c\"}", "{\"a\": \"b/c\"}"),
            ("http://h/%7B%22a%22:1%7D/mcp", "{\"a\":1}"),
            ("/a.%zz%4", "a.%zz%4"),
            ("aa.b/b", "aa.b/b"),
            ("{\"token\": 1}", "{\"token\": 1}"),
            ("{\"token\": \"aa.bb\"", "{\"token\": \"aa.bb\""),
            ("é", "é"),
            ("", ""),
        ] {
            assert_eq!(token(text).unwrap().expose(), wanted, "{text}");
        }
        for text in ["http://mcp.example.com", "https://mcp.example.com/mcp", "/"] {
            assert!(token(text).unwrap_err().to_string().contains("no token"), "{text}");
        }
    }

    #[test]
    fn standard_input_is_text_within_bounds() {
        assert_eq!(read(&b"aa.bb\ncc"[..], Read::read_to_string).unwrap(), "aa.bb\ncc");
        assert_eq!(read(&b"aa.bb\ncc"[..], BufRead::read_line).unwrap(), "aa.bb\n");
        let endless = || BufReader::new(io::repeat(b'a'));
        assert_eq!(read(endless(), Read::read_to_string).unwrap().len() as u64, MOST_BYTES);
        let error = read(&b"\xff"[..], Read::read_to_string).unwrap_err();
        assert!(format!("{error:#}").contains("standard input: "), "{error:#}");
    }

    #[test]
    fn a_password_is_the_first_line_without_its_end() {
        for (input, wanted) in [("a b \nc", "a b "), ("-\r\n", "-"), ("whole", "whole")] {
            assert_eq!(password_in(input.as_bytes()).unwrap().expose(), wanted);
        }
        for input in ["", "\n", "\r\nsecond"] {
            assert!(password_in(input.as_bytes()).unwrap_err().to_string().contains("is empty"), "{input:?}");
        }
    }
}
