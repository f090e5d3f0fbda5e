//! The story: the same questions by different people.

use super::client::{Called, Client, REVISION, Rows};
use super::display::Display;
use super::house::House;
use super::query_log::QueryLog;
use super::reader::Reader;
use super::upstream::Way;

/// Everything that the story is told with.
pub(super) struct Story<'a> {
    /// Where it is told.
    pub(super) display: &'a Display,
    /// Whom everybody asks.
    pub(super) house: &'a House,
    /// Who asks.
    pub(super) people: Vec<String>,
    /// How Housekey is them.
    pub(super) way: Way,
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
        match self.way {
            Way::Interserver => self.display.prose("Nobody logged in: Housekey vouched for each of them."),
            Way::ExecuteAs => {}
        }

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

    /// `flush` has the log written at once, which is for a server of our own only.
    async fn log(&self, number: &str, requests: &[String], flush: bool) -> anyhow::Result<()> {
        self.display.heading(&format!("{number}. Who was it? system.query_log knows"));
        QueryLog { reader: self.reader, way: self.way, flush }.show(self.display, requests).await
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
