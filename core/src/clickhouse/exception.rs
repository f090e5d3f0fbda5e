//! A ClickHouse exception, taken from the text that the server sends.

use std::net::IpAddr;

/// An error that ClickHouse reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The number, such as 497; 0 when the text did not carry one.
    pub code: i32,
    /// The name, such as `ACCESS_DENIED`; empty when the text did not carry one.
    pub name: String,
    /// The message, without `Code: N. DB::Exception:` before it and without the server's version and any stack
    /// trace after it.
    pub message: String,
    /// Whether it came before the first byte of an answer, so that the statement cannot have run.
    pub before_execution: bool,
}

/// A setting that the server would not let us set, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusedSetting {
    /// The server has no such setting (code 115).
    Unknown(String),
    /// A constraint of the user's profile forbids this value or any change (code 452).
    Constrained(String, Constraint),
    /// The user's profile has `readonly=1`, which forbids every change, or `readonly=2`, which forbids a change
    /// of `readonly` itself (code 164).
    ReadOnlyProfile(String),
}

/// What a constraint leaves of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// Nothing: the profile's value stays.
    Fixed,
    /// Values up to this one.
    AtMost(String),
    /// Values from this one.
    AtLeast(String),
    /// Values other than the one that was refused.
    Others,
}

impl Exception {
    /// Reads the text of an exception, in the form of any server since 18.
    ///
    /// `header_code` is the value of `X-ClickHouse-Exception-Code`, which wins over the text. Names of servers and
    /// their addresses are cut out of the message; an exception that another server raised never counts as
    /// `before_execution`, because this server had begun to ask it.
    pub fn parse(text: &str, header_code: Option<i32>, before_execution: bool) -> Self {
        let (text_code, rest) = split_code(text.trim());
        let rest = after_class(rest).unwrap_or(rest);
        let received = rest.starts_with(RECEIVED);
        let rest = before_version(before_stack_trace(rest));
        let (rest, name) = split_name(rest);
        let rest = rest.strip_suffix('.').unwrap_or(rest);
        Self {
            code: header_code.or(text_code).unwrap_or(0),
            name: name.to_owned(),
            message: without_servers(rest),
            before_execution: before_execution && !received,
        }
    }

    /// The setting that the server refused, if that is what this exception says and nothing had run.
    ///
    /// Both the code and the whole message must match, so that a statement cannot pretend by throwing the same
    /// words: `throwIf` adds text of its own after them. The caller still has to check that it sent the setting,
    /// because a `SETTINGS` clause is refused in the same words.
    pub fn refused_setting(&self) -> Option<RefusedSetting> {
        if !self.before_execution {
            return None;
        }
        match self.code {
            115 => unknown_setting(&self.message).map(RefusedSetting::Unknown),
            452 => constrained_setting(&self.message)
                .map(|(name, constraint)| RefusedSetting::Constrained(name, constraint)),
            164 => read_only_setting(&self.message).map(RefusedSetting::ReadOnlyProfile),
            _ => None,
        }
    }
}

/// `Unknown setting 'x'`, and since 24 perhaps `: Maybe you meant ['y','z']` after it.
fn unknown_setting(message: &str) -> Option<String> {
    let rest = message.strip_prefix("Unknown setting ")?;
    let (name, hint) = match rest.split_once(": Maybe you meant [") {
        Some((name, hint)) => (name, hint.strip_suffix(']')?),
        None => (rest, ""),
    };
    let is_hint = |c: char| is_setting_char(c) || matches!(c, '\'' | ',' | ' ');
    let unquoted = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')).unwrap_or(name);
    hint.chars().all(is_hint).then(|| setting_name(unquoted)).flatten()
}

/// `Setting x should not be changed`, `Setting x shouldn't be greater than 4`, `… less than 4`, `… 4`.
fn constrained_setting(message: &str) -> Option<(String, Constraint)> {
    let (name, rest) = message.strip_prefix("Setting ")?.split_once(' ')?;
    let constraint = if rest == "should not be changed" {
        Constraint::Fixed
    } else {
        let bound = rest.strip_prefix("shouldn't be ").filter(|bound| !bound.is_empty())?;
        if bound.contains(": ") {
            return None;
        }
        if let Some(most) = bound.strip_prefix("greater than ") {
            Constraint::AtMost(most.to_owned())
        } else if let Some(least) = bound.strip_prefix("less than ") {
            Constraint::AtLeast(least.to_owned())
        } else {
            Constraint::Others
        }
    };
    Some((setting_name(name)?, constraint))
}

/// `Cannot modify 'x' setting in readonly mode`.
fn read_only_setting(message: &str) -> Option<String> {
    setting_name(message.strip_prefix("Cannot modify '")?.strip_suffix("' setting in readonly mode")?)
}

fn setting_name(text: &str) -> Option<String> {
    (!text.is_empty() && text.chars().all(is_setting_char)).then(|| text.to_owned())
}

fn is_setting_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// What stands before the class of the exception: `Code: 60. `, `Code: 60, e.displayText() = ` (before 21.9),
/// `Poco::Exception. Code: 1000, e.code() = 0, `, `std::exception. Code: 1001, type: T, e.what() = `.
fn split_code(text: &str) -> (Option<i32>, &str) {
    let text = text.strip_prefix("Poco::Exception. ").unwrap_or(text);
    let text = text.strip_prefix("std::exception. ").unwrap_or(text);
    let Some(rest) = text.strip_prefix("Code: ") else { return (None, text) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    let Ok(code) = digits.parse() else { return (None, text) };
    let rest = if let Some(rest) = rest.strip_prefix(". ") {
        rest
    } else if let Some(rest) = rest.strip_prefix(", e.displayText() = ") {
        rest
    } else if let Some(rest) = rest.strip_prefix(", e.code() = ") {
        rest.split_once(", ").map_or(rest, |(_, rest)| rest)
    } else if rest.starts_with(", type: ") {
        rest.split_once("e.what() = ").map_or(rest, |(_, rest)| rest)
    } else {
        rest.trim_start_matches([',', ':', '.', ' '])
    };
    (Some(code), rest)
}

/// What follows `DB::Exception: `, `DB::NetException: ` and the like.
fn after_class(text: &str) -> Option<&str> {
    let (class, rest) = text.strip_prefix("DB::")?.split_once("Exception: ")?;
    class.chars().all(|c| c.is_ascii_alphanumeric() || c == ':').then_some(rest)
}

fn before_stack_trace(text: &str) -> &str {
    text.split_once(", Stack trace (when copying this message").map_or(text, |(before, _)| before)
}

fn before_version(text: &str) -> &str {
    let text = text.trim_end();
    match text.rfind(" (version ") {
        Some(at) if text.ends_with(')') => text.get(..at).unwrap_or(text),
        _ => text,
    }
}

/// The last group in parentheses, when it is upper case.
fn split_name(text: &str) -> (&str, &str) {
    let found = text.strip_suffix(')').and_then(|inner| inner.rsplit_once(" ("));
    match found {
        Some((before, name))
            if name.contains(|c: char| c.is_ascii_uppercase())
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') =>
        {
            (before, name)
        }
        _ => (text, ""),
    }
}

const RECEIVED: &str = "Received from ";

/// Addresses longer than this are not looked for.
const LONGEST_ADDRESS: usize = 300;

/// The text without the names and addresses of servers: what a reader of the error may know is what went wrong,
/// not how the cluster is laid out.
fn without_servers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['R', '(', '[']) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = after_received(found) {
            rest = after;
        } else if let Some((open, after)) = after_addresses(found) {
            out.push_str(open);
            out.push_str("server");
            rest = after;
        } else {
            let (kept, after) = found.split_at(1);
            out.push_str(kept);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// `Received from host:9000. DB::Exception: `, `Received from host:9000, 10.0.0.1. DB::Exception: `.
fn after_received(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(RECEIVED)?;
    let at = near(rest, ". DB::")?;
    after_class(rest.get(at + 2..)?)
}

/// A group such as `(host:9000)`, `[host:9000]`, `(peer: 10.0.0.1:9000, local: 10.0.0.2:40000)`: its opening, and
/// the text from its end.
fn after_addresses(text: &str) -> Option<(&str, &str)> {
    let closing = if text.starts_with('(') { ")" } else { "]" };
    let (open, rest) = text.split_at_checked(1)?;
    let mut end = near(rest, closing)?;
    // An IPv6 address has brackets of its own.
    if rest.get(..end).is_some_and(|inner| inner.starts_with('[')) {
        end += 1 + near(rest.get(end + 1..)?, closing)?;
    }
    rest.get(..end)?.split(", ").all(is_address).then_some((open, rest.get(end..)?))
}

/// Where `needle` first stands, if that is near.
fn near(text: &str, needle: &str) -> Option<usize> {
    let window = text.get(..text.floor_char_boundary(LONGEST_ADDRESS))?;
    window.find(needle).filter(|at| !window.get(..*at).unwrap_or_default().contains('\n'))
}

fn is_address(text: &str) -> bool {
    let text = text.strip_prefix("peer: ").or_else(|| text.strip_prefix("local: ")).unwrap_or(text);
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match bracketed {
        Some(address) => address.parse::<IpAddr>().is_ok(),
        None => {
            !host.is_empty()
                && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
                && host.contains(|c: char| c.is_ascii_alphabetic() || c == '.')
        }
    };
    host_fits && port.parse::<u16>().is_ok_and(|port| port >= 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_apart() {
        let table: &[(&str, i32, &str, &str)] = &[
            // Measured on 26.9.2.1.
            (
                "Code: 115. DB::Exception: Unknown setting 'nosuch'. (UNKNOWN_SETTING) (version 26.9.2.1)\n",
                115,
                "UNKNOWN_SETTING",
                "Unknown setting 'nosuch'",
            ),
            (
                "Code: 516. DB::Exception: alice: Authentication failed: password is incorrect, or there is no user \
                 with such name. (AUTHENTICATION_FAILED)\n",
                516,
                "AUTHENTICATION_FAILED",
                "alice: Authentication failed: password is incorrect, or there is no user with such name",
            ),
            (
                "Code: 115. DB::Exception: Unknown setting 'nosuch'. (UNKNOWN_SETTING), Stack trace (when copying \
                 this message, always include the lines below):\n\n0. ? @ 0x000000001d967133\n (version 26.9.2.1)\n",
                115,
                "UNKNOWN_SETTING",
                "Unknown setting 'nosuch'",
            ),
            (
                "Poco::Exception. Code: 1000, e.code() = 0, HTML Form Exception: Field value too long\n",
                1000,
                "",
                "HTML Form Exception: Field value too long",
            ),
            (
                "Code: 279. DB::NetException: All connection tries failed. Log: \n\nCode: 210. DB::NetException: \
                 Connection refused (127.0.0.1:9999). (NETWORK_ERROR) (version 26.9.2.1)\n\n. \
                 (ALL_CONNECTION_TRIES_FAILED) (version 26.9.2.1)\n",
                279,
                "ALL_CONNECTION_TRIES_FAILED",
                "All connection tries failed. Log: \n\nCode: 210. DB::NetException: Connection refused (server). \
                 (NETWORK_ERROR) (version 26.9.2.1)\n\n",
            ),
            (
                "Code: 519. DB::NetException: Timeout exceeded while reading from socket (socket \
                 (127.0.0.1:18723), receive timeout 10000 ms). (NO_REMOTE_SHARD_AVAILABLE) (version 26.9.2.1)",
                519,
                "NO_REMOTE_SHARD_AVAILABLE",
                "Timeout exceeded while reading from socket (socket (server), receive timeout 10000 ms)",
            ),
            // Forms of the source and of older servers.
            (
                "Code: 60, e.displayText() = DB::Exception: Table a.b doesn't exist (version 20.3.8.53 (official \
                 build))",
                60,
                "",
                "Table a.b doesn't exist",
            ),
            (
                "std::exception. Code: 1001, type: std::bad_alloc, e.what() = std::bad_alloc (version 23.8)",
                1001,
                "",
                "std::bad_alloc",
            ),
            (
                "Code: 60. DB::Exception: Received from shard-1.internal:9000, 10.0.0.7. DB::Exception: Received \
                 from r:9000. DB::Exception: Table `a`.'b' is gone. (UNKNOWN_TABLE) (version 26.9.2.1)",
                60,
                "UNKNOWN_TABLE",
                "Table `a`.'b' is gone",
            ),
            (
                "Code: 57. DB::Exception: There was an error on [ch-0.local:9000]: Code: 57. DB::Exception: exists \
                 (peer: [fd00::1]:9000, local: 10.0.0.2:40000). (TABLE_ALREADY_EXISTS) (version 26.9.2.1)",
                57,
                "TABLE_ALREADY_EXISTS",
                "There was an error on [server]: Code: 57. DB::Exception: exists (server)",
            ),
            ("nothing like it (a:1) [x] (10:30)", 0, "", "nothing like it (a:1) [x] (10:30)"),
            ("", 0, "", ""),
        ];
        for (text, code, name, message) in table {
            let exception = Exception::parse(text, None, true);
            assert_eq!(
                (exception.code, exception.name.as_str(), exception.message.as_str()),
                (*code, *name, *message),
                "{text}"
            );
        }
    }

    #[test]
    fn the_header_wins_over_the_text() {
        assert_eq!(Exception::parse("Code: 1. DB::Exception: x", Some(2), false).code, 2);
        assert_eq!(Exception::parse("cut", Some(2), false).code, 2);
    }

    #[test]
    fn refused_settings_are_known_by_their_whole_text() {
        use RefusedSetting::{Constrained, ReadOnlyProfile, Unknown};
        let unknown = |name: &str| Some(Unknown(name.to_owned()));
        let constrained = |name: &str, constraint| Some(Constrained(name.to_owned(), constraint));
        let read_only = |name: &str| Some(ReadOnlyProfile(name.to_owned()));
        let table: &[(i32, &str, Option<RefusedSetting>)] = &[
            // Measured on 26.9.2.1.
            (115, "Unknown setting 'nosuch'", unknown("nosuch")),
            (115, "Unknown setting 'a_b': Maybe you meant ['a_c','a_d']", unknown("a_b")),
            (
                452,
                "Setting max_result_rows should not be changed",
                constrained("max_result_rows", Constraint::Fixed),
            ),
            (
                452,
                "Setting max_threads shouldn't be greater than 4",
                constrained("max_threads", Constraint::AtMost("4".to_owned())),
            ),
            (164, "Cannot modify 'max_threads' setting in readonly mode", read_only("max_threads")),
            (164, "Cannot modify 'readonly' setting in readonly mode", read_only("readonly")),
            (164, "default: Cannot execute query in readonly mode", None),
            (115, "Unknown setting 'nosuch': for storage MergeTree", None),
            (
                452,
                "Setting x should not be changed: while executing 'FUNCTION throwIf(1_UInt8 :: 1) -> UInt8 : 3'",
                None,
            ),
            (452, "Setting x shouldn't be 1: while executing 'FUNCTION throwIf(1_UInt8 :: 1)", None),
            // From the source: a lower bound and a forbidden value.
            (
                452,
                "Setting limit shouldn't be less than 1",
                constrained("limit", Constraint::AtLeast("1".to_owned())),
            ),
            (452, "Setting limit shouldn't be 0", constrained("limit", Constraint::Others)),
            // The right words with another code.
            (395, "Setting x should not be changed", None),
            (115, "Setting x should not be changed", None),
            (164, "Cannot modify '' setting in readonly mode", None),
            (115, "Unknown setting 'a b'", None),
        ];
        for (code, message, expected) in table {
            let text = format!("Code: {code}. DB::Exception: {message}. (NAME) (version 26.9.2.1)");
            assert_eq!(Exception::parse(&text, None, true).refused_setting(), *expected, "{text}");
            assert_eq!(Exception::parse(&text, None, false).refused_setting(), None, "{text}");
        }
    }

    #[test]
    fn another_server_cannot_claim_that_a_setting_was_refused() {
        let text = "Code: 164. DB::Exception: Received from evil:9000. DB::Exception: Cannot modify 'readonly' \
                    setting in readonly mode. (READONLY) (version 26.9.2.1)";
        let exception = Exception::parse(text, Some(164), true);
        assert!(!exception.before_execution);
        assert_eq!(exception.refused_setting(), None);
    }
}
