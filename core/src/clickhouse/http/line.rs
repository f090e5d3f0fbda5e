//! A line of the format that tells how far the server has come: a JSON object with one member, whose name says what
//! it is (ClickHouse 25.2 and later, `JSONCompactEachRowWithProgress`; measured on 26.9).

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::failure;
use crate::clickhouse::exception::Exception;
use crate::clickhouse::query::{Column, QueryEvent};

/// What stands before the array of a row, and the brace that closes its object.
pub(super) const ROW: &[u8] = b"{\"row\":";
const END: &[u8] = b"}";

/// Bytes that a row takes beside its array.
pub(super) const AROUND_ROW: usize = ROW.len() + END.len();

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// A row: the text of its array.
    Row(&'a [u8]),
    /// The columns, before any row.
    Meta(Vec<Column>),
    /// How far the server has come.
    Progress(QueryEvent),
    /// An exception that takes the place of what would come (`http_write_exception_in_output_format`).
    Exception(Exception),
    /// Something beside the rows that the other format does not have either: totals, extremes, counts.
    Aside,
}

impl<'a> Line<'a> {
    /// Reads a line without its end; `None` when it is none of these.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        if let Some(row) = line.strip_prefix(ROW) {
            return row.strip_suffix(END).map(Self::Row);
        }
        Some(match serde_json::from_str(&String::from_utf8_lossy(line)).ok()? {
            Object::Progress(progress) => Self::Progress(progress.event()),
            Object::Meta(columns) => {
                let column = |Named { name, type_name }| Column { name, type_name };
                Self::Meta(columns.into_iter().map(column).collect())
            }
            Object::Exception(text) => Self::Exception(failure::exception_member(&text)?),
            Object::Totals(IgnoredAny)
            | Object::Min(IgnoredAny)
            | Object::Max(IgnoredAny)
            | Object::RowsBeforeLimit(IgnoredAny)
            | Object::RowsBeforeAggregation(IgnoredAny)
            | Object::Statistics(IgnoredAny) => Self::Aside,
        })
    }
}

#[derive(Deserialize)]
enum Object {
    #[serde(rename = "progress")]
    Progress(Progress),
    #[serde(rename = "meta")]
    Meta(Vec<Named>),
    #[serde(rename = "exception")]
    Exception(String),
    #[serde(rename = "totals")]
    Totals(IgnoredAny),
    #[serde(rename = "min")]
    Min(IgnoredAny),
    #[serde(rename = "max")]
    Max(IgnoredAny),
    #[serde(rename = "rows_before_limit_at_least")]
    RowsBeforeLimit(IgnoredAny),
    #[serde(rename = "rows_before_aggregation")]
    RowsBeforeAggregation(IgnoredAny),
    #[serde(rename = "statistics")]
    Statistics(IgnoredAny),
}

#[derive(Deserialize)]
struct Named {
    name: String,
    #[serde(rename = "type")]
    type_name: String,
}

/// Counts so far, as strings of digits; one that is zero is left out.
#[derive(Deserialize)]
struct Progress {
    #[serde(default)]
    read_rows: Count,
    #[serde(default)]
    read_bytes: Count,
    #[serde(default)]
    total_rows_to_read: Count,
}

impl Progress {
    fn event(&self) -> QueryEvent {
        QueryEvent::Progress {
            read_rows: self.read_rows.number(),
            read_bytes: self.read_bytes.number(),
            total_rows: Some(self.total_rows_to_read.number()).filter(|total| *total > 0),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u64),
    Text(String),
    Other(IgnoredAny),
}

impl Default for Count {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Count {
    /// A count that cannot be read is worth no more than none.
    fn number(&self) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.parse().unwrap_or(0),
            Self::Other(IgnoredAny) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart_by_the_name_of_their_member() {
        let progress = |read_rows, read_bytes, total_rows| {
            Some(Line::Progress(QueryEvent::Progress { read_rows, read_bytes, total_rows }))
        };
        let column = |name: &str, type_name: &str| Column { name: name.into(), type_name: type_name.into() };
        for (line, wanted) in [
            (r#"{"row":[1, "}"]}"#, Some(Line::Row(br#"[1, "}"]"#))),
            (
                r#"{"progress":{"read_rows":"4","read_bytes":"32","total_rows_to_read":"40","elapsed_ns":"1"}}"#,
                progress(4, 32, Some(40)),
            ),
            (r#"{"progress":{"read_rows":4}}"#, progress(4, 0, None)),
            (r#"{"progress":{"read_rows":"-4","read_bytes":[]}}"#, progress(0, 0, None)),
            (r#"{"progress":{}}"#, progress(0, 0, None)),
            (
                r#"{"meta":[{"name":"a\nb\"","type":"UInt8"},{"name":"é","type":"Map(String, UInt8)"}]}"#,
                Some(Line::Meta(vec![column("a\nb\"", "UInt8"), column("é", "Map(String, UInt8)")])),
            ),
            (r#"{"totals":[0, 4]}"#, Some(Line::Aside)),
            (r#"{"min":[0, 2]}"#, Some(Line::Aside)),
            (r#"{"max":[1, 2]}"#, Some(Line::Aside)),
            (r#"{"rows_before_limit_at_least":3}"#, Some(Line::Aside)),
            (r#"{"rows_before_aggregation":3}"#, Some(Line::Aside)),
            (r#"{"row":[1]"#, None),
            (r#"{"row":[1]}}"#, Some(Line::Row(b"[1]}"))),
            (r#"{"exception":"nothing of ClickHouse's"}"#, None),
            (r#"{"meta":[{"name":"a"}]}"#, None),
            (r#"{"unheard_of":1}"#, None),
            (r#"{"progress":{},"row":[1]}"#, None),
            ("{}", None),
            ("[1]", None),
            ("", None),
        ] {
            assert_eq!(Line::read(line.as_bytes()), wanted, "{line}");
        }
        let Some(Line::Exception(exception)) =
            Line::read(br#"{"exception":"Code: 395. DB::Exception: m. (NAME) (version 26.9)"}"#)
        else {
            panic!("an exception")
        };
        assert_eq!((exception.code, &*exception.message), (395, "m"));
        assert!(!exception.before_execution);
    }
}
