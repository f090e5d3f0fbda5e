//! Who ran it: what the query says of itself, and what ClickHouse's own log says.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use system_tests::cell::Cell;
use system_tests::client::Answer;
use system_tests::host::Host;
use system_tests::query_log::{self, Entry};
use system_tests::settings::Settings;

const WHO: &str = "SELECT currentUser(), authenticatedUser()";

pub(crate) async fn person_behind_the_gateway(cell: Cell) -> Result<()> {
    for person in ["alice", "bob"] {
        let answer = cell.as_person(person).await?.query(WHO).await?;
        ensure!(answer.rows()? == json!([[person, "gateway"]]), "{}", answer.message);
        ran_behind_the_gateway(&cell, &answer, person).await?;
    }
    Ok(())
}

/// The statement that the documentation gives to auditors, run as it stands there.
pub(crate) async fn rows_of_the_log_that_belong_together(cell: Cell) -> Result<()> {
    let page = include_str!("../../../docs/authentication.md");
    let (_, section) = page.split_once("## Who asked what").context("no section")?;
    let sql = section.split_once("```sql\n").and_then(|(_, rest)| rest.split_once("```"));
    let (sql, _) = sql.context("no statement")?;
    let sql = format!("SELECT * FROM ({sql}) WHERE request = '{{id}}' FORMAT JSONEachRow");
    let impersonated = ("alice", "gateway", cell.as_person("alice").await?.query("SELECT 1 AS x").await?);
    let direct = ("bob", "bob", cell.with_login("bob").await?.query("SELECT 1 AS x").await?);
    for (person, login, answer) in [impersonated, direct] {
        query_log::of_request(&cell.world, &answer.id, if person == login { 1 } else { 2 }).await?;
        let found = cell.world.admin(&sql.replace("{id}", &answer.id)).await?;
        let rows: Vec<serde_json::Value> =
            found.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(rows.len() == 1, "{found}");
        let row = &rows[0];
        ensure!(row["person"] == person && row["login"] == login, "{row}");
        ensure!(
            row["tool"] == "execute_query" && row["query"].as_str().unwrap_or_default().contains("AS x"),
            "{row}"
        );
        ensure!(!row["query"].as_str().unwrap_or_default().contains("EXECUTE AS"), "{row}");
    }
    Ok(())
}

async fn ran_behind_the_gateway(cell: &Cell, answer: &Answer, person: &str) -> Result<()> {
    let entries = query_log::of_request(&cell.world, &answer.id, 2).await?;
    let (inner, outer): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.is_internal());
    ensure!(inner.len() == 1 && outer.len() == 1, "{entries:?}");
    for (entry, user) in [(inner[0], person), (outer[0], "gateway")] {
        ensure!(entry.text("user") == user && entry.text("initial_user") == user, "{entry:?}");
        ensure!(entry.text("authenticated_user") == "gateway", "{entry:?}");
        let comment: serde_json::Value =
            serde_json::from_str(entry.text("log_comment")).context("log_comment")?;
        ensure!(comment["client"] == "housekey" && comment["subject"] == person, "{comment}");
    }
    Ok(())
}

pub(crate) async fn login_of_the_token(cell: Cell) -> Result<()> {
    for person in ["alice", "bob"] {
        let answer = cell.with_login(person).await?.query(WHO).await?;
        ran_as(&cell, &answer, person).await?;
    }
    Ok(())
}

pub(crate) async fn login_of_the_operator(cell: Cell) -> Result<()> {
    let settings = Settings::login(&cell.world, "alice")?;
    let answer = cell.client(&settings, None).await?.query(WHO).await?;
    ran_as(&cell, &answer, "alice").await?;
    // With tokens, too, as long as nobody is to be impersonated.
    let settings = settings.with_tokens(&cell.world);
    let answer = cell.client(&settings, Some(&cell.token("bob")?)).await?.query(WHO).await?;
    ran_as(&cell, &answer, "alice").await
}

async fn ran_as(cell: &Cell, answer: &Answer, person: &str) -> Result<()> {
    ensure!(answer.rows()? == json!([[person, person]]), "{}", answer.message);
    let entries = query_log::of_request(&cell.world, &answer.id, 1).await?;
    ensure!(entries.len() == 1, "{entries:?}");
    for column in ["user", "initial_user", "authenticated_user"] {
        ensure!(entries[0].text(column) == person, "{column}: {entries:?}");
    }
    Ok(())
}

pub(crate) async fn unusual_name(cell: Cell) -> Result<()> {
    let answer = cell.as_person("zoë-brien").await?.query(WHO).await?;
    ensure!(answer.rows()? == json!([["zoë-brien", "gateway"]]), "{}", answer.message);
    ran_behind_the_gateway(&cell, &answer, "zoë-brien").await
}

/// None of these people exists, and the gateway may become each of them: ClickHouse repeats the name it has read.
pub(crate) async fn names_that_break_careless_quoting(cell: Cell) -> Result<()> {
    for name in [
        "absent o'brien",
        "absent\\",
        "absent\\x61",
        "absent' SELECT 1 --",
        "absent`",
        "absent\"",
        "absent$$",
        "absent'@'%",
        "absent@example.com",
        "absent/*",
        "absent {x:Identifier",
        "absent — 名前",
    ] {
        let answer = cell.as_person(name).await?.query(WHO).await?;
        let text = answer.failure()?;
        // The component that is lent queries takes what its host says for ClickHouse's words, in which quotes are plain.
        let named = match cell.host {
            Host::LentComponent => text.contains(&name.replace('`', "'")),
            Host::NativeHttp
            | Host::NativeTcp
            | Host::Stdio
            | Host::HostedComponent
            | Host::StockWasmtime => text.contains(name),
        };
        ensure!(text.contains("192") && named, "{name}: {text}");
        let entries = query_log::of_request(&cell.world, &answer.id, 1).await?;
        ensure!(entries.iter().all(|entry| entry.number("exception_code") == 192), "{name}: {entries:?}");
    }
    Ok(())
}
