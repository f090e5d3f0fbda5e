//! One query on a connection: what has come of its answer.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::super::block::Block;
use super::super::data::DataError;
use super::super::packet::{BlockOf, Progress};
use super::super::query::Query;
use crate::clickhouse::data::Data;
use crate::clickhouse::query::{Column, QueryEvent};

/// The answer so far.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq))]
pub(super) struct Running {
    row_bytes: usize,
    has_result: bool,
    pub(super) takes_data: bool,
    /// What travels beside the statement.
    pub(super) data: Option<Arc<Data>>,
    /// Why it was not sent.
    pub(super) misfit: Option<DataError>,
    events: VecDeque<QueryEvent>,
    /// The block whose rows are being handed out, and those that have not been.
    rows: Option<(Block, Range<usize>)>,
    pub(super) seen: Seen,
    progress: Progress,
    /// Nobody listens any more; the answer is read to its end so that the connection can be used again.
    pub(super) cancelled: bool,
}

/// What of the answer has come.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct Seen {
    /// Anything.
    pub(super) anything: bool,
    /// A block with columns.
    pub(super) header: bool,
    /// The server has waited for rows to insert.
    request_for_data: bool,
}

/// What the server waits for.
#[must_use]
pub(super) enum Reply {
    Nothing,
    /// Rows of these columns, which it wants to insert.
    Rows(Vec<Column>),
}

impl Seen {
    pub(super) fn request_for_data(self) -> bool {
        self.request_for_data
    }
}

impl Running {
    pub(super) fn new(query: &Query) -> Self {
        Self {
            row_bytes: query.limits.row_bytes,
            has_result: query.has_result,
            takes_data: query.takes_data,
            data: query.data.clone(),
            misfit: None,
            events: VecDeque::new(),
            rows: None,
            seen: Seen::default(),
            progress: Progress::default(),
            cancelled: false,
        }
    }

    /// The next event of what has been read, and whether the rest is not wanted.
    pub(super) fn poll_event(&mut self) -> Option<QueryEvent> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        let (block, left) = self.rows.as_mut()?;
        let lines = block.lines(left, self.row_bytes);
        if left.start >= left.end {
            self.rows = None;
        }
        Some(lines.map_or(QueryEvent::RowTooLong, QueryEvent::Rows))
    }

    pub(super) fn take_block(&mut self, of: BlockOf, block: Block) -> Reply {
        match of {
            // The totals are no rows of the answer, nor are the extremes, and logs are the operator's.
            BlockOf::Totals | BlockOf::Extremes | BlockOf::Log | BlockOf::ProfileEvents => Reply::Nothing,
            // An empty block ends the data; the end of the answer is another packet.
            BlockOf::Data if block.columns().is_empty() => Reply::Nothing,
            // What rows must look like that the server waits for. It has not taken any from the statement.
            BlockOf::Data if self.takes_data => {
                let again = std::mem::replace(&mut self.seen.request_for_data, true);
                self.seen.header = true;
                // Whoever asked the server to stop has nothing more to say.
                if again || self.cancelled { Reply::Nothing } else { Reply::Rows(block.columns().to_vec()) }
            }
            BlockOf::Data => {
                if !self.seen.header {
                    self.seen.header = true;
                    self.push(QueryEvent::Header(block.columns().to_vec()));
                }
                if block.rows() > 0 && !self.cancelled {
                    let rows = 0..block.rows();
                    self.rows = Some((block, rows));
                }
                Reply::Nothing
            }
        }
    }

    pub(super) fn take_progress(&mut self, step: Progress) {
        let sum = &mut self.progress;
        sum.read_rows = sum.read_rows.saturating_add(step.read_rows);
        sum.read_bytes = sum.read_bytes.saturating_add(step.read_bytes);
        sum.total_rows = sum.total_rows.saturating_add(step.total_rows);
        let Progress { read_rows, read_bytes, total_rows } = *sum;
        let total_rows = Some(total_rows).filter(|total| *total > 0);
        self.push(QueryEvent::Progress { read_rows, read_bytes, total_rows });
    }

    /// The answer is over. `Err` when it is not the answer to the statement that was sent.
    pub(super) fn end(&self) -> Result<QueryEvent, String> {
        let has_rows = self.data.as_ref().is_some_and(|data| data.rows.is_some());
        if let Some(misfit) = &self.misfit {
            Err(format!("nothing was inserted: {misfit}"))
        } else if self.seen.request_for_data && !has_rows {
            Err("the server inserted nothing: it waits for rows beside the statement, as older servers do for VALUES; \
                 INSERT … SELECT works everywhere"
                .to_owned())
        } else if has_rows && !self.seen.request_for_data && !self.cancelled {
            Err("the server did not wait for the rows beside the statement".to_owned())
        } else if self.seen.header || !self.has_result || self.cancelled {
            Ok(QueryEvent::End)
        } else {
            Err("the server answered without a result to a statement that has one".to_owned())
        }
    }

    fn push(&mut self, event: QueryEvent) {
        if !self.cancelled {
            self.events.push_back(event);
        }
    }

    /// Drops what was not handed out.
    pub(super) fn cancel(&mut self) {
        self.cancelled = true;
        self.events.clear();
        self.rows = None;
    }
}
