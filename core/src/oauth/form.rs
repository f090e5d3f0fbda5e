//! Parameters as forms and queries write them (`application/x-www-form-urlencoded`).
//!
//! A parameter that stands there twice is an error (RFC 6749 section 3.1), so that nobody reads the one and somebody else
//! the other. An empty value counts as none.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use super::error::{OAuthCode, OAuthError};

/// Parameters that a request may have, and bytes that all of them may have.
const MOST: usize = 64;
const LONGEST: usize = 64 << 10;

/// What may stand in a parameter as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Parameters by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads parameters.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, OAuthError> {
        let refuse = |reason: &str| OAuthError::new(OAuthCode::InvalidRequest, reason);
        if text.len() > LONGEST {
            return Err(refuse("the parameters are too long"));
        }
        let mut entries: Vec<(String, String)> = Vec::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
            let (name, value) = match (decode(name), decode(value)) {
                (Some(name), Some(value)) => (name, value),
                _ => return Err(refuse("a parameter is not UTF-8")),
            };
            if entries.len() >= MOST {
                return Err(refuse("there are too many parameters"));
            }
            // RFC 8707 section 2 lets `resource` stand there several times, but this server is one resource.
            if entries.iter().any(|(known, _)| *known == name) {
                return Err(refuse(&format!("the parameter {} stands there twice", shown(&name))));
            }
            entries.push((name, value));
        }
        Ok(Self(entries))
    }

    /// Reads the parameters that a body holds.
    pub(crate) fn in_body(headers: &HeaderMap, body: &[u8]) -> Result<Self, OAuthError> {
        let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let description = "the body must be a form: application/x-www-form-urlencoded";
            return Err(OAuthError::new(OAuthCode::InvalidRequest, description));
        }
        Self::parse(body)
    }

    /// A parameter that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter without which nothing goes on.
    pub(crate) fn need(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| {
            OAuthError::new(OAuthCode::InvalidRequest, format!("the parameter {name} is missing"))
        })
    }

    /// Writes parameters.
    pub(crate) fn write(entries: &[(&str, &str)]) -> String {
        let mut text = String::new();
        for (name, value) in entries {
            if !text.is_empty() {
                text.push('&');
            }
            text.extend(utf8_percent_encode(name, ESCAPED));
            text.push('=');
            text.extend(utf8_percent_encode(value, ESCAPED));
        }
        text
    }

    /// A URL with more parameters in its query (RFC 6749 section 3.1.2: what it has is kept).
    pub(crate) fn append_to(url: &str, entries: &[(&str, &str)]) -> String {
        let mark = match url.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        format!("{url}{mark}{}", Self::write(entries))
    }
}

fn decode(text: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// The beginning of a stranger's name for a parameter.
fn shown(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_once_each() {
        let form = Form::parse(b"a=1&b=x+y%2Bz&c=&&d=%F0%9F%97%9D").unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("1"), Some("x y+z"), None));
        assert_eq!(form.get("d"), Some("\u{1f5dd}"));
        assert!(form.need("e").unwrap_err().description.contains("parameter e is missing"));
        for (text, wanted) in [
            (&b"a=1&a=1"[..], "stands there twice"),
            (b"a=%ff", "not UTF-8"),
            (b"a%22%0d=1&a%22%0d=2", "the parameter a' stands"),
        ] {
            let error = Form::parse(text).unwrap_err();
            assert!(error.description.contains(wanted), "{error:?}");
        }
        let many: String = (0..=MOST).map(|number| format!("p{number}=1&")).collect();
        assert!(Form::parse(many.as_bytes()).is_err());
    }

    #[test]
    fn what_is_written_is_read() {
        let entries = [("a b", "&=+%?#\u{e9}"), ("c", "~-._")];
        let text = Form::write(&entries);
        let form = Form::parse(text.as_bytes()).unwrap();
        entries.iter().for_each(|(name, value)| assert_eq!(form.get(name), Some(*value)));
        assert_eq!(Form::append_to("https://a/b", &[("x", "1")]), "https://a/b?x=1");
        assert_eq!(Form::append_to("https://a/b?c=d", &[("x", "1")]), "https://a/b?c=d&x=1");
        assert_eq!(Form::append_to("https://a/b?", &[("x", "1")]), "https://a/b?x=1");
    }
}
