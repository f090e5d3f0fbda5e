//! The story: the same questions by different people, and what ClickHouse wrote down about them.

use std::time::Duration;

use housekey_core::sql::quote_literal;
use serde_json::Value;
use tokio::time::sleep;

use super::client::{Called, Client, REVISION, Rows};
use super::display::Display;
use super::house::House;
use super::reader::{ReadError, Reader};

/// The log of a server is written every 7.5 seconds unless somebody asks for it.
const LOG_INTERVAL: Duration = Duration::from_millis(250);
const LOG_TRIES: u32 = 60;

/// Characters of a statement that the log's table shows.
const LOG_TEXT: usize = 56;

/// Everything that the story is told with.
pub(super) struct Story<'a> {
    /// Where it is told.
    pub(super) display: &'a Display,
    /// Whom everybody asks.
    pub(super) house: &'a House,
    /// Who asks.
    pub(super) people: Vec<String>,
    /// Reads the query log.
    pub(super) reader: &'a Reader,
}

/// The people with their tokens, at the door of Housekey.
struct Visit<'a> {
    display: &'a Display,
    client: Client,
    people: Vec<(String, String)>,
    width: usize,
}

impl Story<'_> {
    /// With the tables, people and rights of the embedded server.
    pub(super) async fn of_own_server(&self) -> anyhow::Result<()> {
        let visit = self.visit()?;
        visit.introduction().await?;
        self.display.heading("1. Who am I?");
        visit.everybody("SELECT currentUser() AS me, authenticatedUser() AS logged_in_as").await?;

        self.display.heading("2. The same question, from each of them");
        let asked = visit
            .everybody(
                "SELECT region, count() AS orders, sum(amount) AS revenue FROM sales.orders GROUP BY region",
            )
            .await?;
        self.display.prose("Row policies in ClickHouse: alice works in the north, bob in the south.");

        self.display.heading("3. A table that only one of them may read");
        visit.everybody("SELECT employee, salary FROM hr.salaries ORDER BY salary DESC LIMIT 2").await?;
        self.display.prose("This is the text that the model sees, so that it can ask for something else.");

        visit.writes("4", "DROP TABLE sales.orders").await?;
        visit.nobody("5").await?;
        self.log("6", &asked, true).await
    }

    /// With nothing but what every server has.
    pub(super) async fn of_named_server(&self) -> anyhow::Result<()> {
        let visit = self.visit()?;
        visit.introduction().await?;
        self.display.heading("1. Who am I?");
        let asked =
            visit.everybody("SELECT currentUser() AS me, authenticatedUser() AS logged_in_as").await?;

        self.display.heading("2. What can I see?");
        visit
            .everybody(
                "SELECT database, count() AS tables FROM system.tables WHERE database NOT IN ('system', \
                 'information_schema', 'INFORMATION_SCHEMA') GROUP BY database ORDER BY tables DESC LIMIT 5",
            )
            .await?;

        // Housekey refuses this by its text alone, so nothing is sent to a server that is not ours.
        visit.writes("3", "DROP TABLE housekey_demo_no_such_table").await?;
        visit.nobody("4").await?;
        self.log("5", &asked, false).await
    }

    fn visit(&self) -> anyhow::Result<Visit<'_>> {
        let mut people = Vec::new();
        for person in &self.people {
            people.push((person.clone(), self.house.token(person)?));
        }
        let width = self.people.iter().map(|person| person.chars().count()).max().unwrap_or_default().max(6);
        Ok(Visit { display: self.display, client: Client::new(self.house.url())?, people, width })
    }

    /// What the server wrote down about these requests, told apart from all others by `log_comment`.
    async fn log(&self, number: &str, requests: &[String], flush: bool) -> anyhow::Result<()> {
        self.display.heading(&format!("{number}. Who was it? system.query_log knows"));
        let ids: Vec<String> = requests.iter().map(|id| quote_literal(id)).collect();
        let sql = format!(
            "SELECT user, authenticated_user, toString(is_internal), query FROM system.query_log \
             WHERE type = 'QueryFinish' AND event_date >= today() - 1 \
             AND JSONExtractString(log_comment, 'request') IN ({}) \
             ORDER BY JSONExtractString(log_comment, 'request'), is_internal",
            ids.join(", ")
        );
        if !flush {
            self.display.prose("Waiting until your server has written it …");
        }
        let rows = match self.logged(&sql, requests.len() * 2, flush).await {
            Ok(rows) => rows,
            Err(error @ ReadError::Exception { .. }) => {
                self.display
                    .prose(&format!("The gateway user may not read it ({error}). Somebody who may can run:"));
                self.display.code(&sql);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if rows.is_empty() {
            self.display.prose("Nothing there yet. Later, this shows it:");
            self.display.code(&sql);
            return Ok(());
        }
        let rows: Vec<Vec<Value>> = rows.into_iter().map(shortened).collect();
        self.display.table(&["user", "authenticated_user", "is_internal", "query"], &rows);
        self.display.prose(
            "Two rows for each question: the gateway's, and the person's with is_internal = 1. The same log_comment \
             stands in both and joins them.",
        );
        Ok(())
    }

    async fn logged(&self, sql: &str, wanted: usize, flush: bool) -> Result<Vec<Vec<Value>>, ReadError> {
        let mut rows = Vec::new();
        for _ in 0..LOG_TRIES {
            if flush {
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

impl Visit<'_> {
    async fn introduction(&self) -> anyhow::Result<()> {
        let Some((_, token)) = self.people.first() else { return Ok(()) };
        self.client.result(token, "server/discover").await?;
        let listed = self.client.result(token, "tools/list").await?;
        let tools: Vec<&str> = listed["tools"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tool| tool["name"].as_str())
            .collect();
        self.display.prose(&format!("Over HTTP, MCP revision {REVISION}; tools: {}", tools.join(", ")));
        Ok(())
    }

    /// Everybody asks the same; returns the ids of the requests.
    async fn everybody(&self, sql: &str) -> anyhow::Result<Vec<String>> {
        self.display.statement(sql);
        let (mut ids, mut answers) = (Vec::new(), Vec::new());
        for (person, token) in &self.people {
            let (id, called) = self.client.query(token, sql).await?;
            ids.push(id);
            answers.push((person.as_str(), called));
        }
        let all: Option<Vec<(&str, &Rows)>> = answers
            .iter()
            .map(|(person, called)| match called {
                Called::Rows(rows) if !rows.rows.is_empty() => Some((*person, rows)),
                Called::Rows(_) | Called::Failed(_) => None,
            })
            .collect();
        if let Some(all) = all {
            self.display.rows_of_all(&all);
            return Ok(ids);
        }
        for (person, called) in &answers {
            match called {
                Called::Rows(rows) => self.display.rows(person, self.width, rows),
                Called::Failed(text) => self.display.refusal(person, self.width, text),
            }
        }
        Ok(ids)
    }

    async fn writes(&self, number: &str, sql: &str) -> anyhow::Result<()> {
        let Some((person, token)) = self.people.first() else { return Ok(()) };
        self.display.heading(&format!("{number}. A write"));
        self.display.statement(sql);
        match self.client.query(token, sql).await? {
            (_, Called::Failed(text)) => {
                self.display.refusal(person, self.width, &text);
                Ok(())
            }
            (_, Called::Rows(_)) => anyhow::bail!("a write was not refused"),
        }
    }

    async fn nobody(&self, number: &str) -> anyhow::Result<()> {
        self.display.heading(&format!("{number}. Without a token"));
        self.display.statement("SELECT 1");
        let refused = self.client.query_as_nobody("SELECT 1").await?;
        let text = format!("HTTP {}, WWW-Authenticate: {}", refused.status, refused.challenge);
        self.display.refusal("nobody", self.width, &text);
        Ok(())
    }
}

/// A row of the log, its statement on one line and cut to fit.
fn shortened(mut row: Vec<Value>) -> Vec<Value> {
    if let Some(Value::String(query)) = row.last_mut() {
        let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut: String = line.chars().take(LOG_TEXT).collect();
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
            shortened(vec![json!("gateway"), json!("SELECT\n  1")]),
            [json!("gateway"), json!("SELECT 1")]
        );
        let long = shortened(vec![json!("x".repeat(LOG_TEXT + 1))]);
        assert_eq!(long, [json!(format!("{}…", "x".repeat(LOG_TEXT)))]);
    }
}
