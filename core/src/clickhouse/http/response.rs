//! The answer to a query, decoded as it arrives.

use ::http::StatusCode;
use ::http::header::{CONTENT_ENCODING, HeaderMap};
use ::http::response::Parts;

use super::buffer::Buffer;
use super::failure::{self, ENDED_EARLY, Excerpt};
use super::line::{AROUND_ROW, Line, ROW};
use super::{FORMAT, PROGRESS_FORMAT};
use crate::clickhouse::exception::Exception;
use crate::clickhouse::lines::Lines;
use crate::clickhouse::query::{Column, QueryEvent, ReadLimits};
use crate::clickhouse::type_name::TypeName;
use crate::clickhouse::value::encode_row;

/// The lines with the columns' names and types may take this much even when rows may not.
const HEADER_BYTES: usize = 1 << 20;

/// Decodes one answer.
///
/// But for how many rows come together, the events do not depend on how the bytes are divided. Bytes wait until they are asked for: who calls
/// [`Response::receive`] calls [`Response::poll_event`] until there is none, or they pile up.
#[derive(Debug)]
pub struct Response {
    head: Head,
    limits: ReadLimits,
    phase: Phase,
    buffer: Buffer,
    /// What follows rows that have just been handed out.
    next: Option<QueryEvent>,
    /// Set by [`Response::finish`]: whether the answer came to its end.
    finished: Option<bool>,
}

/// What the head of the answer says about an exception.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    /// `X-ClickHouse-Exception-Code`.
    pub(super) code: Option<i32>,
    /// `X-ClickHouse-Exception-Tag`.
    pub(super) tag: Option<String>,
    /// Whether there is an `X-ClickHouse-Query-Id`: the server had begun with the statement.
    pub(super) names_query: bool,
}

#[derive(Debug)]
enum Phase {
    Names,
    Types(Vec<String>),
    Rows(Vec<TypeName>),
    /// The format that tells of progress, before the columns; whether anything has come.
    Opening(bool),
    /// The same, with the columns' types.
    Lines(Vec<TypeName>),
    /// The rest of the answer is text about a failure.
    Failure(Stage, Excerpt),
    /// Known from the head to be no answer.
    Broken(String),
    Over,
}

/// Where an answer failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// The status or a header says so.
    Refused,
    /// Status 200 without a format: a statement without a result, or not ClickHouse.
    Unformatted,
    /// Behind the header or rows.
    AfterRows,
}

impl Response {
    /// A decoder for the answer with this head.
    pub fn new(parts: &Parts, limits: ReadLimits) -> Self {
        let head = Head {
            status: parts.status,
            code: text(&parts.headers, "x-clickhouse-exception-code")
                .and_then(|code| code.trim().parse().ok()),
            tag: text(&parts.headers, "x-clickhouse-exception-tag").map(str::to_owned),
            names_query: parts.headers.contains_key("x-clickhouse-query-id"),
        };
        let phase = first_phase(parts, &head);
        Self { head, limits, phase, buffer: Buffer::default(), next: None, finished: None }
    }

    /// Takes the next bytes of the body.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.finished.is_some() {
            return;
        }
        match &mut self.phase {
            Phase::Failure(_, excerpt) => excerpt.push(bytes),
            Phase::Names | Phase::Types(_) | Phase::Rows(_) | Phase::Opening(_) | Phase::Lines(_) => {
                self.buffer.push(bytes);
            }
            Phase::Broken(_) | Phase::Over => {}
        }
    }

    /// The body has ended: at its end (`complete`), or because the connection broke or its chunks were cut.
    pub fn finish(&mut self, complete: bool) {
        self.finished.get_or_insert(complete);
    }

    /// The next event, if the bytes so far hold one. After the last event there is none.
    pub fn poll_event(&mut self) -> Option<QueryEvent> {
        if let Some(event) = self.next.take() {
            return Some(event);
        }
        let mut rows = Lines::default();
        let event = loop {
            match self.poll_part(&mut rows) {
                Progress::Event(event) => break Some(event),
                Progress::Again if rows.is_full() => break None,
                Progress::Again => {}
                Progress::Wait => break None,
            }
        };
        if rows.is_empty() {
            return event;
        }
        self.next = event;
        Some(QueryEvent::Rows(rows))
    }

    /// Reads what comes next; a row goes to `rows`.
    fn poll_part(&mut self, rows: &mut Lines) -> Progress {
        match &mut self.phase {
            Phase::Over => Progress::Wait,
            Phase::Broken(text) => {
                let event = QueryEvent::Broken(std::mem::take(text));
                self.end_with(event)
            }
            Phase::Failure(stage, excerpt) => {
                let Some(complete) = self.finished else { return Progress::Wait };
                let event = failure::read(&self.head, *stage, excerpt, complete);
                self.end_with(event)
            }
            Phase::Names | Phase::Types(_) | Phase::Rows(_) | Phase::Opening(_) | Phase::Lines(_) => {
                self.poll_line(rows)
            }
        }
    }

    fn poll_line(&mut self, rows: &mut Lines) -> Progress {
        // Every line is a JSON array, or in the other format an object. What is not, is an exception: with CR LF
        // before its mark, or bare.
        let of_objects = matches!(self.phase, Phase::Opening(_) | Phase::Lines(_));
        let bracket = if of_objects { b'{' } else { b'[' };
        if self.buffer.rest().first().is_some_and(|first| *first != bracket) {
            return self.fail_from(0);
        }
        let is_row =
            matches!(self.phase, Phase::Rows(_)) || (of_objects && self.buffer.rest().starts_with(ROW));
        let longest = match (is_row, of_objects) {
            (true, false) => self.limits.row_bytes,
            (true, true) => self.limits.row_bytes.saturating_add(AROUND_ROW),
            (false, _) => self.limits.row_bytes.max(HEADER_BYTES),
        };
        let line_length = self.buffer.line_length();
        if line_length.unwrap_or(self.buffer.rest().len()) > longest {
            return self.end_with(if is_row {
                QueryEvent::RowTooLong
            } else {
                QueryEvent::Broken(format!(
                    "the names or types of the columns take more than {longest} bytes"
                ))
            });
        }
        match (line_length, self.finished) {
            (Some(length), _) => self.read_line(length, rows),
            (None, Some(complete)) => self.read_tail(complete),
            (None, None) => Progress::Wait,
        }
    }

    fn read_line(&mut self, length: usize, rows: &mut Lines) -> Progress {
        let line = self.buffer.rest().get(..length).unwrap_or_default();
        // JSON has no bare CR: here the server broke off within a row.
        if line.ends_with(b"\r") {
            return self.fail_from(length + 1);
        }
        match &mut self.phase {
            Phase::Names => {
                let Some(names) = strings(line) else {
                    return self.break_off("the names of the columns are not a list of strings");
                };
                self.buffer.pass(length + 1);
                self.phase = Phase::Types(names);
                Progress::Again
            }
            Phase::Types(names) => {
                let Some(types) = strings(line).filter(|types| types.len() == names.len()) else {
                    return self.break_off("the types of the columns do not match their names");
                };
                self.buffer.pass(length + 1);
                let parsed = types.iter().map(|text| TypeName::parse(text)).collect();
                let columns = std::mem::take(names).into_iter().zip(types);
                let columns = columns.map(|(name, type_name)| Column { name, type_name }).collect();
                self.phase = Phase::Rows(parsed);
                Progress::Event(QueryEvent::Header(columns))
            }
            Phase::Rows(types) => {
                if let Some(exception) = exception_in_place(line, types) {
                    return self.end_with(QueryEvent::Exception(exception));
                }
                match rows.try_push(|text| encode_row(line, types, text)) {
                    Ok(()) => {
                        self.buffer.pass(length + 1);
                        Progress::Again
                    }
                    Err(error) => match failure::bare_exception(line) {
                        Some(start) => self.fail_from(start),
                        None => self.break_off(&format!("a row cannot be read: {error}")),
                    },
                }
            }
            Phase::Opening(_) | Phase::Lines(_) => self.read_object(length, rows),
            Phase::Failure(..) | Phase::Broken(_) | Phase::Over => Progress::Again,
        }
    }

    /// Reads a line of the format that tells of progress.
    fn read_object(&mut self, length: usize, rows: &mut Lines) -> Progress {
        let line = self.buffer.rest().get(..length).unwrap_or_default();
        let Some(read) = Line::read(line) else {
            return match failure::bare_exception(line) {
                Some(start) => self.fail_from(start),
                None => self.break_off("a line cannot be read"),
            };
        };
        let event = match (read, &mut self.phase) {
            (Line::Exception(exception), _) => return self.end_with(QueryEvent::Exception(exception)),
            (Line::Row(row), Phase::Lines(types)) => match rows.try_push(|text| encode_row(row, types, text))
            {
                Ok(()) => None,
                Err(error) => {
                    return match failure::bare_exception(line) {
                        Some(start) => self.fail_from(start),
                        None => self.break_off(&format!("a row cannot be read: {error}")),
                    };
                }
            },
            (Line::Meta(columns), Phase::Opening(_)) => {
                let types = columns.iter().map(|column| TypeName::parse(&column.type_name)).collect();
                self.phase = Phase::Lines(types);
                Some(QueryEvent::Header(columns))
            }
            (Line::Progress(event), Phase::Opening(begun)) => {
                *begun = true;
                Some(event)
            }
            (Line::Progress(event), _) => Some(event),
            (Line::Aside, Phase::Lines(_)) => None,
            (Line::Row(_) | Line::Meta(_) | Line::Aside, _) => {
                return self.break_off("a line is not where it belongs");
            }
        };
        self.buffer.pass(length + 1);
        event.map_or(Progress::Again, Progress::Event)
    }

    /// The body has ended, and no whole line is left of it.
    fn read_tail(&mut self, complete: bool) -> Progress {
        let rest = self.buffer.rest();
        let may_end =
            matches!(self.phase, Phase::Names | Phase::Rows(_) | Phase::Opening(false) | Phase::Lines(_));
        let is_end = rest.is_empty() && complete && may_end;
        let event = if is_end { Some(QueryEvent::End) } else { failure::read_interruption(&self.head, rest) };
        self.end_with(event.unwrap_or_else(|| QueryEvent::Broken(ENDED_EARLY.to_owned())))
    }

    /// From this byte of what is left, the answer is about a failure.
    fn fail_from(&mut self, start: usize) -> Progress {
        let mut excerpt = Excerpt::default();
        excerpt.push(self.buffer.rest().get(start..).unwrap_or_default());
        self.phase = Phase::Failure(Stage::AfterRows, excerpt);
        self.buffer = Buffer::default();
        Progress::Again
    }

    fn break_off(&mut self, text: &str) -> Progress {
        self.end_with(QueryEvent::Broken(text.to_owned()))
    }

    fn end_with(&mut self, event: QueryEvent) -> Progress {
        self.phase = Phase::Over;
        self.buffer = Buffer::default();
        Progress::Event(event)
    }
}

enum Progress {
    Event(QueryEvent),
    /// The state has changed; look again.
    Again,
    /// More bytes are needed.
    Wait,
}

fn first_phase(parts: &Parts, head: &Head) -> Phase {
    let encoding = parts.headers.get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Phase::Broken("the answer is compressed, which was not asked for".to_owned());
    }
    if head.status != StatusCode::OK || parts.headers.contains_key("x-clickhouse-exception-code") {
        return Phase::Failure(Stage::Refused, Excerpt::default());
    }
    match text(&parts.headers, "x-clickhouse-format") {
        Some(format) if format.eq_ignore_ascii_case(FORMAT) => Phase::Names,
        // Whether it was asked for makes no difference: it says the same.
        Some(format) if format.eq_ignore_ascii_case(PROGRESS_FORMAT) => Phase::Opening(false),
        Some(format) => {
            let format: String = format.chars().take(60).collect();
            Phase::Broken(format!("the answer is in the format {format}, and {FORMAT} was asked for"))
        }
        None => Phase::Failure(Stage::Unformatted, Excerpt::default()),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn strings(line: &[u8]) -> Option<Vec<String>> {
    serde_json::from_str(&String::from_utf8_lossy(line)).ok()
}

/// An exception where a row should be, if it cannot be a row.
fn exception_in_place(line: &[u8], types: &[TypeName]) -> Option<Exception> {
    let may_be_row = matches!(types, [only] if only.may_be_text());
    if may_be_row || !line.starts_with(b"[\"Code: ") {
        return None;
    }
    let text = failure::exception_row(&String::from_utf8_lossy(line))?;
    Some(Exception::parse(&text, None, false))
}
