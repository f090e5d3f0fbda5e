//! The guest and its host, as the cases use them, and the judgement of all that it has tried.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use system_tests::client::{self, HttpClient, Reply};
use system_tests::host::{self, Host, Server};
use system_tests::settings::Settings;
use system_tests::world::{World, world};
use system_tests::{artifact, poll, query_log, secrets};

/// The hostile guest in its host, with a caller, and all that it has tried.
pub(crate) struct Guest {
    pub(crate) world: Arc<World>,
    pub(crate) way: Way,
    client: HttpClient,
    pub(crate) person: String,
    /// Stands in each of its statements.
    pub(crate) marker: String,
    outcomes: Vec<(String, Outcome)>,
}

impl Guest {
    pub(crate) async fn of(way: Way, person: &str) -> Result<Self> {
        let world = world().await?;
        let server = host::shared(Host::NativeTcp, &settings(way, &world)?).await?;
        Self::at(server, world, way, person)
    }

    /// On a host that nobody else asks.
    pub(crate) async fn alone(way: Way, person: &str) -> Result<Self> {
        let world = world().await?;
        let server = Server::start(Host::NativeTcp, &settings(way, &world)?).await?;
        Self::at(Arc::new(server), world, way, person)
    }

    fn at(server: Arc<Server>, world: Arc<World>, way: Way, person: &str) -> Result<Self> {
        let client = HttpClient::new(server, Some(&world.mint.token(json!({ "email": person }))?))?;
        let marker = format!("m{:032x}", rand::random::<u128>());
        Ok(Self { world, way, client, person: person.to_owned(), marker, outcomes: Vec::new() })
    }

    pub(crate) async fn act(&self, orders: Value) -> Result<Reply> {
        let call = json!({ "name": "execute_query", "arguments": orders });
        let message = client::request(client::STATELESS, &client::fresh_id(), "tools/call", call);
        let reply = self.client.post(&message).await?;
        ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
        Ok(reply)
    }

    /// A query as the guest is told to send it, with a decent `log_comment` unless there is another one.
    pub(crate) fn orders(&self, sql: &str, settings: &[(&str, &str)]) -> Value {
        let clickhouse = self.world.clickhouse();
        let sql = sql
            .replace("WHO", "currentUser() AS who, 'MARKER' AS marker")
            .replace("MARKER", &self.marker)
            .replace("HTTP", &clickhouse.http_port().to_string())
            .replace("TCP", &clickhouse.tcp_port().to_string());
        let decent = ("log_comment", r#"{"tool":"execute_query","request":1}"#);
        let decent = Some(&decent).filter(|_| !settings.iter().any(|(name, _)| *name == "log_comment"));
        let settings: Vec<_> = decent.into_iter().chain(settings).collect();
        json!({ "id": "attempt", "sql": sql, "settings": settings, "rows": 100 })
    }

    pub(crate) async fn query(&mut self, sql: &str, settings: &[(&str, &str)]) -> Result<Outcome> {
        let orders = self.orders(sql, settings);
        Ok(self.run(orders, 1).await?.remove(0))
    }

    /// Begins a query so often before it looks at the first answer.
    pub(crate) async fn run(&mut self, query: Value, times: usize) -> Result<Vec<Outcome>> {
        self.run_so(query, times, json!({ "act": "run" })).await
    }

    /// Runs a query so often, one after another; `TURN` is the number of each. Of an answer that is not read nothing
    /// is known.
    pub(crate) async fn in_turn(&mut self, query: Value, times: usize, unread: bool) -> Result<Vec<Outcome>> {
        self.run_so(query, times, json!({ "act": "run", "in_turn": true, "unread": unread })).await
    }

    async fn run_so(&mut self, query: Value, times: usize, mut orders: Value) -> Result<Vec<Outcome>> {
        (orders["query"], orders["times"]) = (query.clone(), json!(times));
        let reply = self.act(orders).await?;
        let shown = secrets::shown_in(&reply.text());
        ensure!(shown.is_empty(), "{query} shows {}", shown.join(", "));
        let told = reply.json()?;
        let told = told.as_array().with_context(|| format!("no outcomes: {told}"))?;
        ensure!(told.len() == times, "{} outcomes of {times}", told.len());
        let outcomes = told.iter().map(Outcome::read).collect::<Result<Vec<_>>>()?;
        self.outcomes.extend(outcomes.iter().map(|outcome| (query.to_string(), outcome.clone())));
        Ok(outcomes)
    }

    /// Whatever has run has run as the caller, by its own words and by those of the server.
    pub(crate) async fn is_harmless(&self) -> Result<()> {
        for (query, outcome) in &self.outcomes {
            let Outcome::Ran(rows) = outcome else { continue };
            ensure!(rows.iter().all(|row| row[0] == json!(self.person)), "{query}: {rows:?}");
        }
        let entries = self.is_logged().await?;
        for entry in &entries {
            let (user, by) = (entry.text("user"), entry.text("authenticated_user"));
            let sql = entry.text("query");
            let is_own = match self.way {
                // The outer statement is the gateway's, and becomes the caller before anything else.
                Way::ExecuteAs if user == "gateway" => {
                    sql.starts_with(&format!("EXECUTE AS '{}' ", self.person)) && !entry.is_internal()
                }
                Way::ExecuteAs => user == self.person && by == "gateway" && entry.is_internal(),
                Way::Interserver => user == self.person && by.is_empty(),
            };
            ensure!(is_own, "{entry:?}");
        }
        Ok(())
    }

    /// By how many connections its queries came, as the server has logged it.
    pub(crate) async fn connections(&self) -> Result<u64> {
        self.world.admin("SYSTEM FLUSH LOGS").await?;
        let sql = format!(
            "SELECT uniqExact(port) FROM system.query_log WHERE position(query, '{}') > 0 AND NOT is_internal \
             AND position(query, 'system.query_log') = 0 AND interface != 'HTTP'",
            self.marker
        );
        Ok(self.world.admin(&sql).await?.trim().parse()?)
    }

    /// What the server has logged of this guest, as soon as all that has run stands there.
    pub(crate) async fn is_logged(&self) -> Result<Vec<query_log::Entry>> {
        let ran = self.outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Ran(_))).count();
        // Whoever looks for the marker has it in a statement, too.
        let condition = format!(
            "position(query, '{}') > 0 AND position(query, 'system.query_log') = 0 \
             AND position(query, 'system.processes') = 0",
            self.marker
        );
        poll::until(&format!("{ran} rows of {}", self.person), async || {
            let entries = query_log::find(&self.world, &condition).await?;
            // Under EXECUTE AS these are two rows, else the same one.
            let own = entries.iter().filter(|entry| entry.text("user") == self.person).count();
            let outer = entries.iter().filter(|entry| !entry.is_internal()).count();
            Ok((own >= ran && outer >= ran).then_some(entries))
        })
        .await
    }
}

fn settings(way: Way, world: &World) -> Result<Settings> {
    Ok(way.settings(world)?.with("MCP_COMPONENT", artifact::hostile_guest()?.to_string_lossy()))
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The host did not send it.
    Refused(String),
    /// The server did not run it, or not to its end.
    Failed(String),
    /// These rows.
    Ran(Vec<Value>),
}

impl Outcome {
    fn read(told: &Value) -> Result<Self> {
        if let Some(reason) = told["refused"].as_str() {
            return Ok(Self::Refused(reason.to_owned()));
        }
        let lines = told["rows"].as_str().with_context(|| format!("no outcome: {told}"))?;
        let rows = lines.lines().map(serde_json::from_str).collect::<Result<Vec<_>, _>>()?;
        match told["failed"].as_str() {
            // Rows before the failure must not be anybody else's either.
            Some(reason) if rows.is_empty() => Ok(Self::Failed(reason.to_owned())),
            Some(_) | None => Ok(Self::Ran(rows)),
        }
    }

    pub(crate) fn rows(self) -> Result<Vec<Value>> {
        match self {
            Self::Ran(rows) => Ok(rows),
            Self::Refused(reason) => bail!("refused: {reason}"),
            Self::Failed(reason) => bail!("failed: {reason}"),
        }
    }
}

/// How the host becomes its caller.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    ExecuteAs,
    Interserver,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::ExecuteAs, Self::Interserver];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ExecuteAs => "execute_as",
            Self::Interserver => "interserver",
        }
    }

    fn settings(self, world: &World) -> Result<Settings> {
        match self {
            Self::ExecuteAs => Settings::standard(world),
            // The password is garbage: nothing but the secret may count.
            Self::Interserver => Ok(Settings::login(world, "gateway")?
                .with_tokens(world)
                .without("CLICKHOUSE_USERNAME")
                .with("CLICKHOUSE_PASSWORD", "not a password of anybody")
                .with("CLICKHOUSE_CLUSTER_NAME", "housekey")
                .with("CLICKHOUSE_CLUSTER_SECRET", world.clickhouse().cluster_secret())
                .with("CLICKHOUSE_IMPERSONATION_DENY", "admin")),
        }
    }
}
