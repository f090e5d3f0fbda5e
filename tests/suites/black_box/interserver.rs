//! Queries as the person who asks, for whom the cluster's secret vouches.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::query_log;
use system_tests::settings::Settings;

/// Housekey as a member of the demo's cluster. The password is garbage: nothing but the secret may count.
pub(crate) fn member(cell: &Cell) -> Result<Settings> {
    Ok(Settings::login(&cell.world, "gateway")?
        .with_tokens(&cell.world)
        .without("CLICKHOUSE_USERNAME")
        .with("CLICKHOUSE_PASSWORD", "not a password of anybody")
        .with("CLICKHOUSE_CLUSTER_NAME", "housekey")
        .with("CLICKHOUSE_CLUSTER_SECRET", cell.world.clickhouse().cluster_secret())
        .with("CLICKHOUSE_IMPERSONATION_DENY", "admin"))
}

async fn as_person(cell: &Cell, settings: &Settings, claims: Value) -> Result<system_tests::client::Client> {
    cell.client(settings, Some(&cell.world.mint.token(claims)?)).await
}

/// Rights, row policies and names are the person's own, and one row of the log says all of it.
pub(crate) async fn people(cell: Cell) -> Result<()> {
    let settings = member(&cell)?;
    for (person, region) in [("alice", "north"), ("bob", "south")] {
        let mut client = as_person(&cell, &settings, json!({ "email": person })).await?;
        let answer = client.query("SELECT currentUser()").await?;
        ensure!(answer.value()? == json!(person), "{}", answer.message);
        let entries = query_log::of_request(&cell.world, &answer.id, 1).await?;
        ensure!(entries.len() == 1, "{entries:?}");
        ensure!(
            entries[0].text("user") == person && entries[0].text("initial_user") == person,
            "{entries:?}"
        );
        ensure!(entries[0].text("authenticated_user").is_empty(), "{entries:?}");
        let answer = client.query("SELECT DISTINCT region FROM sales.orders").await?;
        ensure!(answer.rows()? == json!([[region]]), "{person}: {}", answer.message);
    }
    let text = as_person(&cell, &settings, json!({ "sub": "alice" })).await?;
    let text = { text }.query("SELECT * FROM hr.salaries").await?.failure()?;
    ensure!(text.contains("497") && text.contains("alice"), "{text}");
    Ok(())
}

/// Read-only twice here, too: by our check, and by a setting that the statement cannot take back.
pub(crate) async fn reads_only(cell: Cell) -> Result<()> {
    let settings = member(&cell)?.with("TOOL_INPUT_SETTINGS", "max_block_size");
    let mut walter = as_person(&cell, &settings, json!({ "email": "walter" })).await?;
    let answer = walter.query("SELECT getSetting('readonly')").await?;
    ensure!(answer.value()? == json!(1), "{}", answer.message);
    for sql in ["INSERT INTO scratch.notes VALUES (1)", "DROP TABLE scratch.notes", "SET readonly = 0"] {
        walter.query(sql).await?.failure()?;
    }
    ensure!(
        cell.world.admin("SELECT count() FROM scratch.notes").await?.trim() == "0",
        "something was written"
    );
    let limited = as_person(&cell, &settings, json!({ "email": "alice", "limit": 3 })).await?;
    let table = { limited }.query("SELECT * FROM numbers(100)").await?.table()?;
    ensure!(table["count"] == json!(3) && table["truncated"]["limit"] == json!(3), "{table}");
    Ok(())
}

/// Nobody runs as somebody unnamed, denied or unknown.
pub(crate) async fn nobody(cell: Cell) -> Result<()> {
    let settings = member(&cell)?;
    for (claims, status) in [
        (json!({}), 401),
        (json!({ "email": "" }), 401),
        (json!({ "email": "default" }), 403),
        (json!({ "email": "admin" }), 403),
        (json!({ "email": "alice", "roles": ["reader"] }), 403),
    ] {
        let shown = claims.to_string();
        let client = cell.http_to(&settings, Some(&cell.world.mint.token(claims)?)).await?;
        let message = system_tests::client::request(
            system_tests::client::STATELESS,
            "n",
            "tools/call",
            system_tests::client::query("SELECT 1"),
        );
        let reply = client.post(&message).await?;
        ensure!(reply.status == status, "{shown}: {} {}", reply.status, reply.text());
    }
    let unknown = as_person(&cell, &settings, json!({ "email": "nobody at all" })).await?;
    { unknown }.query("SELECT 1").await?.failure()?;
    Ok(())
}

/// A wrong secret or cluster is a refusal in words, and nothing of the secret is told.
pub(crate) async fn wrong_secrets(cell: Cell) -> Result<()> {
    for (name, value) in [
        ("CLICKHOUSE_CLUSTER_SECRET", "a wrong secret of some length"),
        ("CLICKHOUSE_CLUSTER_NAME", "elsewhere"),
    ] {
        let settings = member(&cell)?.with(name, value);
        let client = as_person(&cell, &settings, json!({ "email": "alice" })).await?;
        let text = { client }.query("SELECT 1").await?.failure()?;
        ensure!(text.contains("cluster") && text.contains("secret"), "{name}: {text}");
        ensure!(!text.contains(value), "{name}: {text}");
    }
    Ok(())
}

/// A token adds the roles that the operator lets it, to this query and no other. ClickHouse asks nobody whether they
/// were granted, so what the operator says is all that stands between a token and a role.
pub(crate) async fn roles(cell: Cell) -> Result<()> {
    const SALARIES: &str = "SELECT count() FROM hr.salaries";
    const NOTES: &str = "SELECT count() FROM scratch.notes";
    const ROLES: &str = "SELECT currentUser(), arraySort(enabledRoles())";
    let settings = member(&cell)?.with("CLICKHOUSE_CLUSTER_ROLES", "pay*,unheard-of");
    for (roles, granted) in [
        (json!([]), json!([])),
        (json!(["payroll"]), json!(["payroll"])),
        // One that exists and is not let, one that is let and does not exist.
        (json!(["archivist"]), json!([])),
        (json!(["payroll", "archivist", "unheard-of", "Payroll", "*"]), json!(["payroll"])),
        // On the same connections again.
        (json!([]), json!([])),
    ] {
        let mut alice = as_person(&cell, &settings, json!({ "email": "alice", "roles": roles })).await?;
        let answer = alice.query(ROLES).await?;
        ensure!(answer.rows()? == json!([["alice", granted]]), "{roles}: {}", answer.message);
        let salaries = alice.query(SALARIES).await?;
        if granted == json!([]) {
            let text = salaries.failure()?;
            ensure!(text.contains("497") && text.contains("alice"), "{roles}: {text}");
        } else {
            ensure!(salaries.value()? == json!("5"), "{roles}: {}", salaries.message);
            let entries = query_log::of_request(&cell.world, &salaries.id, 1).await?;
            ensure!(entries.len() == 1 && entries[0].text("user") == "alice", "{entries:?}");
            let used = entries[0].text("privileges");
            ensure!(used.contains("SELECT") && used.contains("hr.salaries"), "{entries:?}");
        }
        let text = alice.query(NOTES).await?.failure()?;
        ensure!(text.contains("497"), "{roles}: {text}");
        // Her rows are still hers alone.
        let regions = alice.query("SELECT DISTINCT region FROM sales.orders").await?;
        ensure!(regions.rows()? == json!([["north"]]), "{roles}: {}", regions.message);
    }
    Ok(())
}
