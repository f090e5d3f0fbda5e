//! Questions of Housekey's own to ClickHouse. None of them reads a table, and none holds a word of a person's statement.

use std::time::Duration;

use housekey_core::clickhouse::native::Ending;
use housekey_core::clickhouse::{
    Credential, Exception, QueryEvent, QueryRequest, ReadLimits, RunAs, Setting, Statement,
};
use housekey_core::config::Config;
use housekey_core::identity::Access;
use housekey_core::sql::{Inner, ReadOnlySql, Refusal, Rules, WritableSql};
use tokio::time::timeout;

use crate::clickhouse::Client;

/// Seconds that ClickHouse has for each question.
pub(super) const PATIENCE: u64 = 15;
/// Rows that are kept of an answer: grants may be many.
const MOST_ROWS: usize = 10_000;
const LIMITS: ReadLimits = ReadLimits { row_bytes: 64 << 10 };

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Which server this is and as whom it sees us: a row of its version, the user and the time zone.
    Who,
    /// Which rights the login was granted, its roles' included: a row for each grant.
    Grants,
}

impl Question {
    fn statement(self) -> Result<Statement, Refusal> {
        let sql = match self {
            Self::Who => "SELECT version() AS version, currentUser() AS user, timezone() AS timezone",
            Self::Grants => "SHOW GRANTS FINAL",
        };
        ReadOnlySql::parse(sql, &Rules::internal()).map(Statement::ReadOnly)
    }
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// ClickHouse refused.
    Exception(Exception),
    /// ClickHouse did not take us for a member of its cluster, and said nothing.
    NoMember,
    /// Anything else, in words for the operator.
    Broken(String),
}

impl NoAnswer {
    /// What an answer that broke off comes down to.
    pub(super) fn broken(reason: String) -> Self {
        if reason == Ending::InterserverRefused.to_string() { Self::NoMember } else { Self::Broken(reason) }
    }
}

/// Where questions go, and with which login.
#[derive(Clone)]
pub(super) struct Asker {
    client: Client,
    request: QueryRequest,
}

impl Asker {
    /// Asks as this access may.
    pub(super) fn new(client: &Client, config: &Config, access: &Access) -> Result<Self, Refusal> {
        let statement = Question::Who.statement()?;
        let request = access.query(config, statement, String::new(), PATIENCE, LIMITS);
        Ok(Self { client: client.clone(), request })
    }

    /// Asks where and as whom a query was sent, of which nothing else is kept.
    pub(super) fn like(client: &Client, query: &QueryRequest) -> Result<Self, Refusal> {
        let request = QueryRequest {
            statement: Question::Who.statement()?,
            inner: Inner::default(),
            settings: Vec::new(),
            data: None,
            trace: None,
            query_id: String::new(),
            deadline_seconds: PATIENCE,
            progress: false,
            refused: Vec::new(),
            limits: LIMITS,
            ..query.clone()
        };
        Ok(Self { client: client.clone(), request })
    }

    /// As whom it asks.
    pub(super) fn run_as(&self) -> &RunAs {
        &self.request.run_as
    }

    /// With which login.
    pub(super) fn credential(&self) -> &Credential {
        &self.request.credential
    }

    /// The same, as somebody else.
    #[must_use]
    pub(super) fn acting(&self, run_as: RunAs) -> Self {
        Self { client: self.client.clone(), request: QueryRequest { run_as, ..self.request.clone() } }
    }

    /// Asks, and waits 15 seconds at most.
    pub(super) async fn ask(&self, question: Question) -> Result<Vec<String>, NoAnswer> {
        let rows = self.wait(question.statement(), Vec::new()).await?;
        if rows.is_empty() {
            return Err(NoAnswer::Broken("the answer was empty: is this ClickHouse?".into()));
        }
        Ok(rows)
    }

    /// Which rights it has that it asks as: a row for each grant, and none for who has none.
    pub(super) async fn grants(&self) -> Result<Vec<String>, NoAnswer> {
        self.wait(Question::Grants.statement(), Vec::new()).await
    }

    /// Sends a write that changes nothing in the way in which a tool that reads sends a statement.
    pub(super) async fn try_to_write(&self) -> Result<(), NoAnswer> {
        let statement =
            WritableSql::parse("INSERT INTO FUNCTION null('x UInt8') SELECT 1", &Rules::internal());
        self.wait(statement.map(Statement::Writable), vec![Setting::new("readonly", "1")]).await.map(|_| ())
    }

    async fn wait(
        &self,
        statement: Result<Statement, Refusal>,
        settings: Vec<Setting>,
    ) -> Result<Vec<String>, NoAnswer> {
        let statement = statement.map_err(|refusal| NoAnswer::Broken(refusal.to_string()))?;
        let asked = timeout(Duration::from_secs(PATIENCE), self.hear(statement, settings)).await;
        asked.unwrap_or_else(|_| Err(NoAnswer::Broken("ClickHouse took longer than 15 seconds".into())))
    }

    async fn hear(&self, statement: Statement, settings: Vec<Setting>) -> Result<Vec<String>, NoAnswer> {
        let query_id = format!("housekey-test-{:032x}", rand::random::<u128>());
        let request = QueryRequest { statement, settings, query_id, ..self.request.clone() };
        let mut answer = self.client.send(&request);
        let mut rows = Vec::new();
        loop {
            match answer.next().await {
                QueryEvent::Header(_) | QueryEvent::Progress { .. } => {}
                QueryEvent::Rows(more) => {
                    let left = MOST_ROWS - rows.len();
                    rows.extend(more.iter().take(left).map(str::to_owned));
                }
                QueryEvent::End => return Ok(rows),
                QueryEvent::Exception(exception) => return Err(NoAnswer::Exception(exception)),
                QueryEvent::Broken(reason) => return Err(NoAnswer::broken(reason)),
                QueryEvent::RowTooLong => return Err(NoAnswer::Broken("the answer is too long".into())),
            }
            if rows.len() >= MOST_ROWS {
                return Ok(rows);
            }
        }
    }
}
