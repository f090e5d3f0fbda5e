//! What ClickHouse wrote down about the questions, and as whose.

use std::time::Duration;

use housekey_core::sql::quote_literal;
use serde_json::Value;
use tokio::time::sleep;

use super::display::Display;
use super::reader::{ReadError, Reader};
use super::upstream::Way;

/// The log of a server is written every 7.5 seconds unless somebody asks for it.
const LOG_INTERVAL: Duration = Duration::from_millis(250);
const LOG_TRIES: u32 = 60;

/// The table `system.query_log`, for somebody who may read it.
pub(super) struct QueryLog<'a> {
    /// Reads it.
    pub(super) reader: &'a Reader,
    /// How the questions were asked.
    pub(super) way: Way,
    /// Whether the reader may have the log written at once.
    pub(super) flush: bool,
}

/// How entries are shown: for each way, what tells who it was.
struct Layout {
    columns: &'static [&'static str],
    expressions: &'static str,
    /// Entries of one question.
    entries: usize,
    /// Characters of a statement.
    text: usize,
    meaning: &'static str,
}

const INTERSERVER: Layout = Layout {
    columns: &["user", "initial_user", "authenticated_user", "interface", "query"],
    // The column is a number; `system.session_log` has the names.
    expressions: "user, initial_user, authenticated_user, \
                  if(interface = 7, 'TCP_Interserver', toString(interface)), query",
    entries: 1,
    text: 38,
    meaning: "One row for each question, and no name in it but the person's. Here, too, authenticated_user is empty \
              because nobody logged in.",
};

const EXECUTE_AS: Layout = Layout {
    columns: &["user", "authenticated_user", "is_internal", "query"],
    expressions: "user, authenticated_user, toString(is_internal), query",
    entries: 2,
    text: 56,
    meaning: "Two rows for each question: the gateway's, and the person's with is_internal = 1. The same log_comment \
              stands in both and joins them.",
};

impl QueryLog<'_> {
    /// Shows the entries of these requests, told apart from all others by `log_comment`.
    pub(super) async fn show(&self, display: &Display, requests: &[String]) -> anyhow::Result<()> {
        let layout = match self.way {
            Way::Interserver => INTERSERVER,
            Way::ExecuteAs => EXECUTE_AS,
        };
        let sql = layout.statement(requests);
        if !self.flush {
            display.prose("Waiting until your server has written it …");
        }
        let rows = match self.written(&sql, requests.len() * layout.entries).await {
            Ok(rows) => rows,
            Err(error @ ReadError::Exception { .. }) => {
                display
                    .prose(&format!("The gateway user may not read it ({error}). Somebody who may can run:"));
                display.code(&sql);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if rows.is_empty() {
            display.prose("Nothing there yet. Later, this shows it:");
            display.code(&sql);
            return Ok(());
        }
        let rows: Vec<Vec<Value>> = rows.into_iter().map(|row| shortened(row, layout.text)).collect();
        display.table(layout.columns, &rows);
        display.prose(layout.meaning);
        Ok(())
    }

    async fn written(&self, sql: &str, wanted: usize) -> Result<Vec<Vec<Value>>, ReadError> {
        let mut rows = Vec::new();
        for _ in 0..LOG_TRIES {
            if self.flush {
                self.reader.rows("SYSTEM FLUSH LOGS").await?;
            }
            rows = self.reader.rows(sql).await?;
            if rows.len() >= wanted {
                break;
            }
            sleep(LOG_INTERVAL).await;
        }
        Ok(rows)
    }
}

impl Layout {
    fn statement(&self, requests: &[String]) -> String {
        let ids: Vec<String> = requests.iter().map(|id| quote_literal(id)).collect();
        format!(
            "SELECT {} FROM system.query_log \
             WHERE type = 'QueryFinish' AND event_date >= today() - 1 \
             AND JSONExtractString(log_comment, 'request') IN ({}) \
             ORDER BY JSONExtractString(log_comment, 'request'), is_internal",
            self.expressions,
            ids.join(", ")
        )
    }
}

/// A row of the log, its statement on one line and cut to fit.
fn shortened(mut row: Vec<Value>, most: usize) -> Vec<Value> {
    if let Some(Value::String(query)) = row.last_mut() {
        let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut: String = line.chars().take(most).collect();
        *query = if cut.len() < line.len() { format!("{cut}…") } else { line };
    }
    row
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn statements_fit_on_a_line() {
        assert_eq!(
            shortened(vec![json!("gateway"), json!("SELECT\n  1")], 8),
            [json!("gateway"), json!("SELECT 1")]
        );
        assert_eq!(shortened(vec![json!("SELECT 12")], 8), [json!("SELECT 1…")]);
    }
}
