//! How far a call has come, as its client is told: ever further, and not too often.

use std::time::Duration;

use crate::time::UnixTime;

/// The least time between two notifications. ClickHouse reports ten times a second.
const PAUSE: Duration = Duration::from_millis(300);

/// What the client of one call was told.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Rows that the queries before this one have read, as far as the client knows.
    before: u64,
    told: Option<Told>,
    /// What the tool itself has told last.
    own: Option<f64>,
}

#[derive(Debug)]
struct Told {
    rows: u64,
    at: UnixTime,
}

/// What to tell now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Rows read so far by all queries of the call.
    pub(super) rows: u64,
    /// Rows that will have been read in the end, as far as that is known.
    pub(super) total: Option<u64>,
}

impl Progress {
    /// Whether what a tool itself tells is further than what it told before.
    pub(super) fn rises_to(&mut self, done: f64) -> bool {
        let rises = done.is_finite() && self.own.is_none_or(|told| done > told);
        if rises {
            self.own = Some(done);
        }
        rises
    }

    /// A tool may ask several questions: each goes on from where the last one came to.
    pub(super) fn begin_query(&mut self) {
        self.before = self.told.as_ref().map_or(0, |told| told.rows);
    }

    /// What to tell of a query that has read so many rows. MCP wants progress to increase with every notification, and
    /// not to flood (revision 2025-06-18, utilities/progress).
    pub(super) fn due(&mut self, now: UnixTime, read_rows: u64, total_rows: Option<u64>) -> Option<Due> {
        let rows = self.before.saturating_add(read_rows);
        let is_due = self.told.as_ref().is_none_or(|told| rows > told.rows && now.since(told.at) >= PAUSE);
        if !is_due {
            return None;
        }
        self.told = Some(Told { rows, at: now });
        let total = total_rows.map(|total| self.before.saturating_add(total));
        // The server's guess may lag behind what it has read.
        Some(Due { rows, total: total.filter(|total| *total >= rows) })
    }
}

impl Due {
    /// For a person to read.
    pub(super) fn message(&self) -> String {
        match self.total {
            Some(total) => format!("{} of {total} rows read", self.rows),
            None => format!("{} rows read", self.rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_rises_and_keeps_its_pauses_over_all_queries_of_a_call() {
        let mut progress = Progress::default();
        let mut due = |millis, rows, total| {
            let due = progress.due(UnixTime::from_millis(millis), rows, total);
            due.map(|due| (due.rows, due.total))
        };
        assert_eq!(due(0, 10, Some(100)), Some((10, Some(100))), "the first at once");
        assert_eq!(due(299, 20, Some(100)), None, "too soon");
        assert_eq!(due(300, 10, Some(100)), None, "no further");
        assert_eq!(due(300, 30, Some(20)), Some((30, None)), "a total that was passed");
        assert_eq!(due(900, 40, None), Some((40, None)));
        progress.begin_query();
        let mut due = |millis, rows, total| progress.due(UnixTime::from_millis(millis), rows, total);
        assert_eq!(due(2000, 0, Some(5)), None, "no further");
        let next = due(2000, 1, Some(5)).unwrap();
        assert_eq!((next.rows, next.total), (41, Some(45)));
        assert_eq!(next.message(), "41 of 45 rows read");
        assert_eq!(due(1000, 9, None), None, "a clock that was set back");
    }
}
