//! What ClickHouse writes down of people for whom the cluster's secret vouches: who it was, and never with which login.

use anyhow::{Context as _, Result, bail, ensure};
use housekey_core::clickhouse::{Credential, QueryRequest, RunAs, Scheme};
use serde_json::Value;
use system_tests::poll;
use system_tests::world::{World, world};

use crate::ask::{Outcome, ask, person, query, reading};

const AUTHENTICATION_FAILED: i32 = 516;

fn vouched_for(world: &World, cluster: &str, secret: &str, user: &str) -> Result<QueryRequest> {
    let credential = Credential::Cluster { name: cluster.to_owned(), secret: secret.to_owned().into() };
    let port = world.clickhouse().tcp_port();
    let request = query(Scheme::Tcp, port, credential, reading("SELECT currentUser()", &[])?);
    Ok(QueryRequest { run_as: RunAs::Interserver(person(user)?), ..request })
}

/// The rows of a log that fulfil a condition, as soon as there are `wanted` of them.
async fn rows(world: &World, table: &str, condition: &str, wanted: usize) -> Result<Vec<Value>> {
    let sql = format!(
        "SELECT * REPLACE (type::String AS type, interface::String AS interface) FROM system.{table} \
         WHERE {condition} ORDER BY event_time_microseconds FORMAT JSONEachRow \
         SETTINGS output_format_json_named_tuples_as_objects = 1"
    );
    poll::until(&format!("{wanted} rows of {table} with {condition}"), async || {
        world.admin("SYSTEM FLUSH LOGS").await?;
        let text = world.admin(&sql).await?;
        let rows: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok((rows.len() >= wanted).then_some(rows))
    })
    .await
}

/// Two people on one connection are two people in both logs.
pub(crate) async fn vouched() -> Result<()> {
    let world = world().await?;
    for user in ["alice", "bob"] {
        let request = vouched_for(&world, "housekey", world.clickhouse().cluster_secret(), user)?;
        ensure!(ask(&request).await.told()?.rows == [format!(r#"["{user}"]"#)]);
        let condition = format!("query_id = '{}' AND type != 'QueryStart'", request.query_id);
        let queries = rows(&world, "query_log", &condition, 1).await?;
        ensure!(queries.len() == 1, "{queries:?}");
        for (column, wanted) in [
            ("type", "QueryFinish"),
            ("user", user),
            ("initial_user", user),
            ("authenticated_user", ""),
            ("interface", "TCP_Interserver"),
            ("client_name", "housekey"),
        ] {
            ensure!(queries[0][column] == wanted, "{column}: {}", queries[0][column]);
        }
        // The port tells the connection, and the time tells the query from others on it.
        let port = queries[0]["port"].as_u64().context("the port of a query")?;
        let condition = format!(
            "client_port = {port} AND interface = 'TCP_Interserver' AND user = '{user}' AND type = 'LoginSuccess'"
        );
        let logins = rows(&world, "session_log", &condition, 1).await?;
        ensure!(logins.iter().all(|login| login["failure_reason"] == ""), "{logins:?}");
    }
    Ok(())
}

/// Whoever is refused is in the log of sessions with the reason, and nothing of theirs ever ran.
pub(crate) async fn refused() -> Result<()> {
    let world = world().await?;
    let secret = world.clickhouse().cluster_secret();
    let unknown = vouched_for(&world, "housekey", secret, "nobody there")?;
    match ask(&unknown).await {
        // So it says on a connection that somebody known has used; on a new one it hangs up.
        Outcome::Exception(exception) => ensure!(exception.code == AUTHENTICATION_FAILED, "{exception:?}"),
        Outcome::Broken(text) => ensure!(text.contains("there is no such user"), "{text}"),
        Outcome::Told(told) => bail!("{told:?}"),
    }
    let logins = rows(&world, "session_log", "user = 'nobody there'", 1).await?;
    ensure!(logins.iter().all(|login| login["type"] == "LoginFailure"), "{logins:?}");

    let elsewhere = vouched_for(&world, "elsewhere", secret, "alice")?;
    let wrong = system_tests::secrets::fresh("a wrong secret");
    let wrong = vouched_for(&world, "housekey", &wrong, "alice")?;
    for request in [&elsewhere, &wrong] {
        let text = ask(request).await.broken()?;
        ensure!(text.contains("the cluster's name or secret is wrong"), "{text}");
    }
    let reason = "position(failure_reason, 'elsewhere') > 0";
    let logins = rows(&world, "session_log", reason, 1).await?;
    ensure!(logins.iter().all(|login| login["type"] == "LoginFailure"), "{logins:?}");
    // What is there of those would be there by now: their sessions came before this one.
    let ids = [&unknown, &elsewhere, &wrong].map(|request| format!("'{}'", request.query_id)).join(", ");
    let ran = rows(&world, "query_log", &format!("query_id IN ({ids})"), 0).await?;
    let done = ran.iter().filter(|row| row["type"] == "QueryStart" || row["type"] == "QueryFinish").count();
    ensure!(done == 0, "{ran:?}");
    Ok(())
}
