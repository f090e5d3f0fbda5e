//! The text of an answer that failed, and what it says.

use ::http::StatusCode;

use super::response::{Head, Stage};
use crate::clickhouse::exception::Exception;
use crate::clickhouse::query::QueryEvent;

/// Bytes of a failed answer that are kept from its start, and as many from its end.
const KEPT: usize = 32 * 1024;

/// Characters of an answer that is not from ClickHouse that are shown.
const SHOWN: usize = 200;

/// What surrounds an exception within an answer (26.9, since 25.11).
const MARK: &str = "__exception__\r\n";

/// What an exception begins with.
const CODE: &str = "Code: ";

/// The start and the end of a text of any length.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    head: Vec<u8>,
    tail: Vec<u8>,
    is_cut: bool,
}

impl Excerpt {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = KEPT.saturating_sub(self.head.len()).min(bytes.len());
        let (head, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.head.extend_from_slice(head);
        // Not more than twice what is kept is ever held, whatever comes at once.
        for part in rest.chunks(KEPT) {
            self.tail.extend_from_slice(part);
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        let surplus = self.tail.len().saturating_sub(KEPT);
        if surplus > 0 {
            self.tail.drain(..surplus);
            self.is_cut = true;
        }
    }

    fn text(&self) -> String {
        let middle: &[u8] = if self.is_cut { " … ".as_bytes() } else { &[] };
        String::from_utf8_lossy(&[&self.head, middle, &self.tail].concat()).into_owned()
    }
}

/// What a failed answer says, now that it has come to its end.
pub(super) fn read(head: &Head, stage: Stage, excerpt: &Excerpt, complete: bool) -> QueryEvent {
    let text = excerpt.text();
    match stage {
        Stage::Refused => read_refusal(head, &text),
        Stage::Unformatted if text.is_empty() && complete => QueryEvent::End,
        Stage::Unformatted | Stage::AfterRows => match read_interruption(head, text.as_bytes()) {
            Some(event) => event,
            None if !complete => QueryEvent::Broken(ENDED_EARLY.to_owned()),
            None if matches!(stage, Stage::Unformatted) => not_clickhouse(head.status, &text),
            None => QueryEvent::Broken("the answer has a line that is not a row".to_owned()),
        },
    }
}

pub(super) const ENDED_EARLY: &str = "the connection ended before the end of the answer";

/// An error that the server knew before it answered.
///
/// A server that refuses a request before it looks at the statement (login, database, settings in the URL) names no
/// query (measured on 26.9). A setting that is refused within the statement is refused before it runs, too.
fn read_refusal(head: &Head, text: &str) -> QueryEvent {
    let Some(text) = exception_text(text).or_else(|| head.code.map(|_| text.to_owned())) else {
        return not_clickhouse(head.status, text);
    };
    let mut exception = Exception::parse(&text, head.code, true);
    if head.names_query && exception.refused_setting().is_none() {
        exception.before_execution = false;
    }
    QueryEvent::Exception(exception)
}

/// Where in a refusal the exception stands: it may follow rows that the server had not sent yet, in a line of its
/// own or as a row (`http_write_exception_in_output_format`).
fn exception_text(text: &str) -> Option<String> {
    if is_exception(text.as_bytes()) {
        return Some(text.to_owned());
    }
    let line = text.trim_end().rsplit('\n').next()?;
    exception_row(line)
        .or_else(|| exception_object(line))
        .or_else(|| text.rfind("\nCode: ").and_then(|at| text.get(at + 1..)).map(str::to_owned))
}

/// An exception behind what came of the result, in any of the forms that servers have had.
pub(super) fn read_interruption(head: &Head, bytes: &[u8]) -> Option<QueryEvent> {
    let start = bare_exception(bytes);
    let text = String::from_utf8_lossy(bytes);
    if let Some((_, block)) = text.split_once(MARK) {
        let (tag, rest) = block.split_once("\r\n")?;
        if head.tag.as_deref().is_some_and(|expected| expected != tag) {
            return Some(QueryEvent::Broken(
                "the answer holds the mark of another answer's exception".to_owned(),
            ));
        }
        return Some(QueryEvent::Exception(Exception::parse(without_trailer(rest, tag), None, false)));
    }
    let text = String::from_utf8_lossy(bytes.get(start?..)?);
    Some(QueryEvent::Exception(Exception::parse(&text, None, false)))
}

/// The message without the line `<length> <tag>` and the mark that end an exception block.
fn without_trailer<'a>(message: &'a str, tag: &str) -> &'a str {
    let ending = format!(" {tag}\r\n{MARK}");
    let Some(before) = message.strip_suffix(&ending) else { return message };
    before.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('\n')
}

/// Where an exception without a mark begins, as servers before 25.11 append it, even within a row.
pub(super) fn bare_exception(bytes: &[u8]) -> Option<usize> {
    let candidates = bytes.windows(CODE.len()).enumerate().filter(|(_, window)| *window == CODE.as_bytes());
    candidates.map(|(at, _)| at).find(|at| bytes.get(*at..).is_some_and(is_exception))
}

fn is_exception(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"Poco::Exception. Code: ") || bytes.starts_with(b"std::exception. Code: ") {
        return true;
    }
    let Some(rest) = bytes.strip_prefix(CODE.as_bytes()) else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let after = rest.get(digits..).unwrap_or_default();
    digits > 0 && (after.starts_with(b". DB::") || after.starts_with(b", e.displayText() = "))
}

/// The text of an exception that takes the place of a row (`http_write_exception_in_output_format=1`, the default
/// from 23.9 to 25.10).
pub(super) fn exception_row(line: &str) -> Option<String> {
    if !line.starts_with("[\"Code: ") {
        return None;
    }
    let [text] = serde_json::from_str::<[String; 1]>(line).ok()?;
    is_exception(text.as_bytes()).then_some(text)
}

/// The same, as an object of the format that tells of progress.
fn exception_object(line: &str) -> Option<String> {
    let line = line.strip_prefix("{\"exception\":")?.strip_suffix('}')?;
    let text = serde_json::from_str::<String>(line).ok()?;
    is_exception(text.as_bytes()).then_some(text)
}

/// The exception that such an object holds.
pub(super) fn exception_member(text: &str) -> Option<Exception> {
    is_exception(text.as_bytes()).then(|| Exception::parse(text, None, false))
}

/// An answer of something that is not ClickHouse, such as a proxy.
pub(super) fn not_clickhouse(status: StatusCode, text: &str) -> QueryEvent {
    let mut shown = String::new();
    let mut characters = 0;
    let mut is_tag = false;
    for c in text.chars() {
        match c {
            '<' => is_tag = true,
            '>' if is_tag => is_tag = false,
            _ if is_tag => {}
            _ if c.is_whitespace() || c.is_control() => {
                if !shown.is_empty() && !shown.ends_with(' ') {
                    shown.push(' ');
                    characters += 1;
                }
            }
            _ => {
                shown.push(c);
                characters += 1;
            }
        }
        if characters >= SHOWN {
            break;
        }
    }
    let shown = shown.trim_end();
    let kind = if status.is_redirection() {
        "a redirect, which is not followed"
    } else {
        "which is not an answer of ClickHouse"
    };
    let separator = if shown.is_empty() { "" } else { ": " };
    QueryEvent::Broken(format!(
        "the server answered with status {}, {kind}{separator}{shown}",
        status.as_u16()
    ))
}
