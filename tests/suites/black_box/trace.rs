//! The client's trace goes on in ClickHouse: what it did for a call stands in the log of spans, under the client's own.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{Client, STATELESS, fresh_id, query, request};
use system_tests::poll;
use system_tests::settings::Settings;

/// A trace of its own for each call.
struct Trace {
    id: String,
    span: u64,
    parent: String,
}

impl Trace {
    fn fresh() -> Self {
        let (id, span) = (format!("{:032x}", rand::random::<u128>() | 1), rand::random::<u64>() | 1);
        Self { parent: format!("00-{id}-{span:016x}-01"), id, span }
    }

    /// The trace's id as ClickHouse shows it.
    fn uuid(&self) -> String {
        let mut id = self.id.clone();
        for at in [20, 16, 12, 8] {
            id.insert(at, '-');
        }
        id
    }
}

/// On every way of a message, by its own words.
pub(crate) async fn of_the_message(cell: Cell) -> Result<()> {
    let trace = Trace::fresh();
    let meta = json!({ "traceparent": trace.parent, "tracestate": "house=key" });
    ask(&cell, meta, &[]).await?;
    is_logged(&cell, &trace, "house=key").await
}

/// What a proxy in front has put into the head is taken where the message says nothing itself.
pub(crate) async fn of_the_header(cell: Cell) -> Result<()> {
    let trace = Trace::fresh();
    ask(&cell, json!({}), &[("traceparent", &trace.parent), ("tracestate", "of=head")]).await?;
    is_logged(&cell, &trace, "of=head").await?;
    // The message is nearer to who asks.
    let (header, message) = (Trace::fresh(), Trace::fresh());
    let meta = json!({ "traceparent": message.parent });
    ask(&cell, meta, &[("traceparent", &header.parent), ("tracestate", "of=head")]).await?;
    is_logged(&cell, &message, "").await?;
    ensure!(spans(&cell, &header).await?.is_empty(), "the header's trace is in the log, too");
    Ok(())
}

/// What cannot be read changes nothing.
pub(crate) async fn that_is_none(cell: Cell) -> Result<()> {
    let trace = Trace::fresh();
    let upper = trace.parent.to_uppercase();
    let none = trace.parent.replace(&format!("{:016x}", trace.span), &"0".repeat(16));
    for parent in [upper.as_str(), &none, &format!("{}-more", trace.parent), "00-x-y-01"] {
        ask(&cell, json!({ "traceparent": parent }), &[("traceparent", parent)]).await?;
    }
    ensure!(spans(&cell, &trace).await?.is_empty(), "a trace was made of no trace");
    Ok(())
}

/// Asks something, with more in `_meta` and in the head.
async fn ask(cell: &Cell, meta: Value, headers: &[(&str, &str)]) -> Result<()> {
    let settings = Settings::standard(&cell.world)?;
    let (id, token) = (fresh_id(), cell.token("alice")?);
    let mut message = request(STATELESS, &id, "tools/call", query("SELECT currentUser()"));
    let members = meta.as_object().context("no members")?;
    for (name, value) in members {
        message["params"]["_meta"][name] = value.clone();
    }
    let answer = match cell.client(&settings, Some(&token)).await? {
        Client::Http(client) => client.post_with(&message, headers).await?.json()?,
        Client::Stdio(mut pipe) => pipe.ask(&message, &json!(id)).await?,
    };
    ensure!(answer["result"]["structuredContent"]["rows"] == json!([["alice"]]), "{answer}");
    Ok(())
}

/// The client's span has a child, and the query is in its trace, with the state that came along.
async fn is_logged(cell: &Cell, trace: &Trace, state: &str) -> Result<()> {
    poll::until(&format!("the spans of {}", trace.parent), async || {
        let spans = spans(cell, trace).await?;
        let span = json!(trace.span.to_string());
        let is_child = spans.iter().any(|row| row["parent_span_id"] == span);
        let is_query = spans.iter().any(|row| row["operation_name"] == "query" && row["state"] == state);
        Ok((is_child && is_query).then_some(()))
    })
    .await
}

async fn spans(cell: &Cell, trace: &Trace) -> Result<Vec<Value>> {
    cell.world.admin("SYSTEM FLUSH LOGS").await?;
    let sql = format!(
        "SELECT toString(parent_span_id) AS parent_span_id, operation_name, attribute['clickhouse.tracestate'] AS state \
         FROM system.opentelemetry_span_log WHERE trace_id = '{}' FORMAT JSONEachRow",
        trace.uuid()
    );
    let text = cell.world.admin(&sql).await?;
    text.lines().map(|line| serde_json::from_str(line).context("a row of the log of spans")).collect()
}
