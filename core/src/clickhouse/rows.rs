//! The rows of an answer, kept within bounds as they arrive.

use super::exception::Exception;
use super::lines::Lines;
use super::query::{Column, LATE, QueryEvent, STATES};

/// How much of an answer is kept; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowLimits {
    /// Rows.
    pub rows: Option<u64>,
    /// Bytes of the rows' JSON in UTF-8, with the commas between rows.
    pub bytes: Option<u64>,
}

/// Which bound cut an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TruncationReason {
    /// [`RowLimits::rows`].
    Rows,
    /// [`RowLimits::bytes`], or the bytes that a decoder may hold of one row.
    Bytes,
}

/// That an answer was cut, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// Which bound was reached.
    pub reason: TruncationReason,
    /// The bound, in rows or bytes. For one row that the decoder could not hold and no bound on bytes, the bytes
    /// kept so far.
    pub limit: u64,
    /// Rows that were kept.
    pub returned_rows: u64,
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Rows came, all of them or as many as the bounds allow.
    Rows {
        /// The columns.
        columns: Vec<Column>,
        /// The rows that were kept.
        rows: Lines,
        /// Set when there were more.
        truncated: Option<Truncated>,
    },
    /// The statement succeeded and has no result.
    NoResult,
    /// ClickHouse reported an error; rows that came before it are dropped.
    Exception(Exception),
    /// The answer broke off or was not one; the text says how. Rows that came before are dropped.
    Broken(String),
    /// The same, because a column holds states of an aggregate function that only the server can read: asked for as text
    /// they could be told.
    Opaque {
        /// The columns.
        columns: Vec<Column>,
        /// How the answer broke off.
        reason: String,
    },
}

impl Outcome {
    /// Whether the host gave up waiting ([`QueryEvent::late`]).
    pub fn is_late(&self) -> bool {
        match self {
            Self::Broken(text) => text.starts_with(LATE),
            Self::Rows { .. } | Self::NoResult | Self::Exception(_) | Self::Opaque { .. } => false,
        }
    }
}

/// Whether the collector wants more events.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The answer goes on.
    More,
    /// The outcome is known; the query can be cancelled if it still runs.
    Enough,
}

/// Collects the events of one answer.
#[derive(Clone, Debug)]
pub struct Rows {
    limits: RowLimits,
    columns: Option<Vec<Column>>,
    rows: Lines,
    end: Option<End>,
}

#[derive(Clone, Debug)]
enum End {
    Complete,
    Truncated(TruncationReason),
    Exception(Exception),
    Broken(String),
}

impl Rows {
    /// An empty collector.
    pub fn new(limits: RowLimits) -> Self {
        Self { limits, columns: None, rows: Lines::default(), end: None }
    }

    /// Takes the next event. Events after [`Taken::Enough`] change nothing.
    pub fn accept(&mut self, event: QueryEvent) -> Taken {
        if self.end.is_some() {
            return Taken::Enough;
        }
        self.end = match event {
            QueryEvent::Header(columns) => {
                self.columns = Some(columns);
                None
            }
            QueryEvent::Rows(rows) => self.keep(rows).map(End::Truncated),
            QueryEvent::Progress { .. } => None,
            QueryEvent::RowTooLong => Some(End::Truncated(TruncationReason::Bytes)),
            QueryEvent::Exception(exception) => Some(End::Exception(exception)),
            QueryEvent::Broken(text) => Some(End::Broken(text)),
            QueryEvent::End => Some(End::Complete),
        };
        if self.end.is_some() { Taken::Enough } else { Taken::More }
    }

    /// What has come of it. Without an end the answer counts as broken.
    pub fn outcome(self) -> Outcome {
        let truncated = match self.end {
            Some(End::Complete) => None,
            Some(End::Truncated(reason)) => Some(Truncated {
                reason,
                limit: match reason {
                    TruncationReason::Rows => self.limits.rows,
                    TruncationReason::Bytes => self.limits.bytes,
                }
                .unwrap_or(bytes(&self.rows).saturating_sub(1)),
                returned_rows: count(&self.rows),
            }),
            Some(End::Exception(exception)) => return Outcome::Exception(exception),
            Some(End::Broken(reason)) => {
                return match self.columns {
                    Some(columns) if reason.ends_with(STATES) => Outcome::Opaque { columns, reason },
                    _ => Outcome::Broken(reason),
                };
            }
            None => return Outcome::Broken("the answer was not read to its end".to_owned()),
        };
        match self.columns {
            Some(columns) => Outcome::Rows { columns, rows: self.rows, truncated },
            None if self.rows.is_empty() && truncated.is_none() => Outcome::NoResult,
            None => Outcome::Broken("rows came without a header".to_owned()),
        }
    }

    /// Keeps the rows that the bounds allow, and tells which bound forbids the next.
    fn keep(&mut self, mut more: Lines) -> Option<TruncationReason> {
        let (fitting, reason) = self.limits.fitting(count(&self.rows), bytes(&self.rows), &more);
        more.truncate(fitting);
        self.rows.append(more);
        reason
    }
}

impl RowLimits {
    /// How many of these rows may follow those before, of which the lines have so many bytes; and which bound forbids
    /// the row after them.
    pub fn fitting(&self, rows: u64, bytes: u64, more: &Lines) -> (usize, Option<TruncationReason>) {
        let by_rows = self.rows.map_or(more.len(), |limit| {
            usize::try_from(limit.saturating_sub(rows)).map_or(more.len(), |left| left.min(more.len()))
        });
        // There is a line feed for each comma between rows, and one behind the last row.
        let by_bytes = self.bytes.map_or(more.len(), |limit| {
            limit.saturating_add(1).checked_sub(bytes).map_or(0, |left| more.within(left))
        });
        let fitting = by_rows.min(by_bytes);
        let reason = match fitting {
            _ if fitting == more.len() => None,
            _ if fitting == by_rows => Some(TruncationReason::Rows),
            _ => Some(TruncationReason::Bytes),
        };
        (fitting, reason)
    }
}

fn count(rows: &Lines) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}

fn bytes(rows: &Lines) -> u64 {
    u64::try_from(rows.text().len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> QueryEvent {
        QueryEvent::Header(vec![Column { name: "a".to_owned(), type_name: "UInt8".to_owned() }])
    }

    fn row(text: &str) -> QueryEvent {
        QueryEvent::Rows([text].iter().collect())
    }

    fn collect(limits: RowLimits, events: Vec<QueryEvent>) -> Outcome {
        let mut rows = Rows::new(limits);
        for event in events {
            if rows.accept(event) == Taken::Enough {
                break;
            }
        }
        rows.outcome()
    }

    #[test]
    fn bounds_are_kept() {
        use TruncationReason::{Bytes, Rows};
        type Case =
            (Option<u64>, Option<u64>, &'static [&'static str], usize, Option<(TruncationReason, u64)>);
        let table: &[Case] = &[
            (None, None, &["[1]", "[2]"], 2, None),
            (Some(2), None, &["[1]", "[2]"], 2, None),
            (Some(2), None, &["[1]", "[2]", "[3]"], 2, Some((Rows, 2))),
            (Some(0), None, &["[1]"], 0, Some((Rows, 0))),
            (Some(0), None, &[], 0, None),
            (None, Some(7), &["[1]", "[2]"], 2, None),
            (None, Some(6), &["[1]", "[2]"], 1, Some((Bytes, 6))),
            (None, Some(2), &["[1]"], 0, Some((Bytes, 2))),
            (None, Some(3), &["[é]"], 0, Some((Bytes, 3))),
            (Some(1), Some(3), &["[1]", "[2]"], 1, Some((Rows, 1))),
            (Some(2), Some(5), &["[1]", "[2]", "[3]"], 1, Some((Bytes, 5))),
            (Some(2), Some(11), &["[1]", "[2]", "[33]"], 2, Some((Rows, 2))),
            (None, Some(12), &["[1]", "[2]", "[33]"], 3, None),
            (None, Some(11), &["[1]", "[2]", "[33]"], 2, Some((Bytes, 11))),
        ];
        // However many come together.
        let together = |texts: &[&str], size| {
            let rows = texts.chunks(size).map(|rows| QueryEvent::Rows(rows.iter().collect()));
            [header()].into_iter().chain(rows).chain([QueryEvent::End]).collect()
        };
        for ((row_limit, byte_limit, texts, kept, cut), size) in
            table.iter().flat_map(|case| [(case, 1), (case, 2), (case, 3)])
        {
            let limits = RowLimits { rows: *row_limit, bytes: *byte_limit };
            let Outcome::Rows { rows, truncated, .. } = collect(limits, together(texts, size)) else {
                panic!("rows")
            };
            assert_eq!(rows.iter().collect::<Vec<_>>(), texts[..*kept], "{texts:?} by {size}");
            let expected =
                cut.map(|(reason, limit)| Truncated { reason, limit, returned_rows: *kept as u64 });
            assert_eq!(truncated, expected, "{texts:?} by {size}");
        }
    }

    #[test]
    fn endings_are_told_apart() {
        let exception = Exception::parse("Code: 395. DB::Exception: x", None, false);
        let limits = RowLimits { rows: None, bytes: Some(100) };
        let events = vec![header(), row("[1]"), QueryEvent::Exception(exception.clone()), QueryEvent::End];
        assert_eq!(collect(limits, events), Outcome::Exception(exception));
        assert_eq!(collect(limits, vec![QueryEvent::End]), Outcome::NoResult);
        let broken = collect(limits, vec![header(), row("[1]"), QueryEvent::Broken("cut".to_owned())]);
        assert_eq!(broken, Outcome::Broken("cut".to_owned()));
        let states = || QueryEvent::Broken(format!("the column holds states: {STATES}"));
        assert!(matches!(collect(limits, vec![header(), states()]), Outcome::Opaque { .. }));
        assert!(matches!(collect(limits, vec![states()]), Outcome::Broken(_)));
        assert!(matches!(collect(limits, vec![header(), row("[1]")]), Outcome::Broken(_)));
        assert!(matches!(collect(limits, vec![row("[1]"), QueryEvent::End]), Outcome::Broken(_)));
        let Outcome::Rows { rows, truncated, .. } =
            collect(limits, vec![header(), row("[1]"), QueryEvent::RowTooLong])
        else {
            panic!("rows")
        };
        assert_eq!(rows.len(), 1);
        let expected = Truncated { reason: TruncationReason::Bytes, limit: 100, returned_rows: 1 };
        assert_eq!(truncated, Some(expected));
    }
}
