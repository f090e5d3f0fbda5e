//! Caps on rows and bytes, and that an answer says exactly when and why it was cut.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::Client;
use system_tests::query_log;
use system_tests::settings::Settings;

async fn both(cell: &Cell) -> Result<[Client; 2]> {
    Ok([cell.as_person("alice").await?, cell.with_login("alice").await?])
}

/// Asks and compares the number of rows and what is said of a cut; `None` means that nothing is.
async fn cut_is(client: &mut Client, arguments: Value, count: u64, cut: Option<(&str, u64)>) -> Result<()> {
    let table = client
        .call(arguments.clone())
        .await?
        .table()
        .map_err(|error| error.context(arguments.to_string()))?;
    let cut = cut.map(|(reason, limit)| json!({ "reason": reason, "limit": limit, "returned_rows": count }));
    ensure!(table["count"] == json!(count), "{arguments}: {} rows", table["count"]);
    ensure!(table.get("truncated") == cut.as_ref(), "{arguments}: {:?}", table.get("truncated"));
    Ok(())
}

fn numbers(count: u64) -> Value {
    json!({ "query": format!("SELECT number FROM numbers({count})") })
}

pub(crate) async fn five_hundred_rows(cell: Cell) -> Result<()> {
    for mut client in both(&cell).await? {
        cut_is(&mut client, numbers(499), 499, None).await?;
        cut_is(&mut client, numbers(500), 500, None).await?;
        cut_is(&mut client, numbers(501), 500, Some(("rows", 500))).await?;
        cut_is(&mut client, numbers(1_000_000_000_000), 500, Some(("rows", 500))).await?;
    }
    Ok(())
}

pub(crate) async fn limit_of_the_call(cell: Cell) -> Result<()> {
    for mut client in both(&cell).await? {
        for (asked, there, count, cut) in [
            (json!(10), 100, 10, Some(("rows", 10))),
            (json!(10.0), 100, 10, Some(("rows", 10))),
            (json!(10), 10, 10, None),
            (json!(1), 2, 1, Some(("rows", 1))),
            (json!(1000), 2000, 500, Some(("rows", 500))),
            (Value::Null, 3, 3, None),
        ] {
            let mut arguments = numbers(there);
            arguments["limit"] = asked;
            cut_is(&mut client, arguments, count, cut).await?;
        }
        for wrong in [json!(0), json!(-1), json!("10"), json!(1.5)] {
            let mut arguments = numbers(1);
            arguments["limit"] = wrong;
            let text = client.call(arguments).await?.failure()?;
            ensure!(text.contains("limit"), "{text}");
        }
    }
    Ok(())
}

pub(crate) async fn limit_of_the_token(cell: Cell) -> Result<()> {
    let mut narrowed = cell.with_claims(json!({ "email": "alice", "limit": 3 })).await?;
    cut_is(&mut narrowed, numbers(4), 3, Some(("rows", 3))).await?;
    cut_is(&mut narrowed, numbers(3), 3, None).await?;
    let mut widened = cell.with_claims(json!({ "email": "alice", "limit": 5000 })).await?;
    cut_is(&mut widened, numbers(5000), 500, Some(("rows", 500))).await
}

pub(crate) async fn limit_of_the_statement(cell: Cell) -> Result<()> {
    for mut client in both(&cell).await? {
        for (limit, count, cut) in [(500, 500, None), (501, 500, Some(("rows", 500))), (7, 7, None)] {
            let sql = format!("SELECT number FROM numbers(1000) LIMIT {limit}");
            cut_is(&mut client, json!({ "query": sql }), count, cut).await?;
        }
    }
    Ok(())
}

pub(crate) async fn bytes(cell: Cell) -> Result<()> {
    for mut client in both(&cell).await? {
        // A row is `["xx…"]` of 1,004 bytes, and the comma between two counts or not: 49 rows either way.
        let table = client.query("SELECT repeat('x', 1000) FROM numbers(60)").await?.table()?;
        let count = table["count"].as_u64().unwrap_or_default();
        ensure!((48..=50).contains(&count), "{count} rows");
        ensure!(table["rows"].to_string().len() <= 50_100, "{} bytes", table["rows"].to_string().len());
        let cut = json!({ "reason": "bytes", "limit": 50_000, "returned_rows": count });
        ensure!(table["truncated"] == cut, "{}", table["truncated"]);
        cut_is(&mut client, json!({ "query": "SELECT repeat('x', 1000) FROM numbers(40)" }), 40, None)
            .await?;
    }
    Ok(())
}

pub(crate) async fn one_huge_row(cell: Cell) -> Result<()> {
    for mut client in both(&cell).await? {
        for size in [60, 5_000, 20_000] {
            let sql = format!("SELECT repeat(repeat('x', 1000), {size})");
            cut_is(&mut client, json!({ "query": sql }), 0, Some(("bytes", 50_000))).await?;
        }
        let sql = "SELECT if(number = 3, repeat('x', 1000000), 'small') FROM numbers(10)";
        cut_is(&mut client, json!({ "query": sql }), 3, Some(("bytes", 50_000))).await?;
    }
    Ok(())
}

pub(crate) async fn subqueries_see_all_rows(cell: Cell) -> Result<()> {
    for mut client in both(&cell).await? {
        for sql in [
            "SELECT count() FROM (SELECT number FROM numbers(100000))",
            "WITH x AS (SELECT number FROM numbers(100000)) SELECT count() FROM x",
            "SELECT count() FROM numbers(200000) WHERE number IN (SELECT number FROM numbers(100000))",
            "SELECT count() FROM numbers(100000) AS a JOIN (SELECT number FROM numbers(100000)) AS b USING (number)",
        ] {
            let value = client.query(sql).await?.value().map_err(|error| error.context(sql))?;
            ensure!(value == json!("100000"), "{sql}: {value}");
        }
    }
    Ok(())
}

pub(crate) async fn statements_without_a_limit(cell: Cell) -> Result<()> {
    for mut client in both(&cell).await? {
        for sql in ["SHOW FUNCTIONS", "SHOW SETTINGS LIKE '%'"] {
            let answer = client.query(sql).await?;
            let table = answer.table().map_err(|error| error.context(sql))?;
            let reason = &table["truncated"]["reason"];
            ensure!(
                reason == "rows" || reason == "bytes",
                "{sql}: {} rows, {}",
                table["count"],
                table["truncated"]
            );
            ensure!(table["count"].as_u64() <= Some(500), "{sql}: {}", table["count"]);
        }
    }
    Ok(())
}

/// With `readonly = 1` in the profile no setting can be sent at all, so every cut is Housekey's own.
pub(crate) async fn profile_that_sets_nothing(cell: Cell) -> Result<()> {
    for name in ["rosa", "rick"] {
        for mut client in [cell.with_login(name).await?, cell.as_person(name).await?] {
            for _ in 0..2 {
                cut_is(&mut client, numbers(500), 500, None).await?;
                cut_is(&mut client, numbers(600), 500, Some(("rows", 500))).await?;
                let value = client.query("SELECT toInt64(1)").await?.value()?;
                ensure!(value == json!("1"), "a string by type: {value}");
                let value = client.query("SELECT nan").await?.value()?;
                ensure!(value == json!("nan") || value.is_null(), "{value}");
            }
        }
    }
    Ok(())
}

/// What a profile forbids is asked once, and what is left is sent.
pub(crate) async fn profile_that_forbids_much(cell: Cell) -> Result<()> {
    let mut client = cell.with_login("sparrow").await?;
    for _ in 0..2 {
        let answer = client.query("SELECT number FROM numbers(600)").await?;
        let table = answer.table()?;
        ensure!(table["count"] == json!(500) && table["truncated"]["limit"] == json!(500), "{table}");
        // What was refused with the request has left no row, so this is the one that ran.
        let entries = query_log::of_request(&cell.world, &answer.id, 1).await?;
        ensure!(entries.len() == 1 && entries[0].number("exception_code") == 0, "{entries:?}");
    }
    let asked = "user = 'sparrow' AND position(query, 'system.settings') > 0";
    ensure!(!query_log::find(&cell.world, asked).await?.is_empty(), "the profile was never asked for");
    let mut person = cell.as_person("sparrow").await?;
    cut_is(&mut person, numbers(600), 500, Some(("rows", 500))).await
}

/// `limit` may be 100 at most and `max_execution_time` may not be changed: both are left out, and nothing is lost.
pub(crate) async fn profile_that_constrains_our_settings(cell: Cell) -> Result<()> {
    for (what, mut client) in
        [("login", cell.with_login("carla").await?), ("person", cell.as_person("carla").await?)]
    {
        cut_is(&mut client, numbers(300), 300, None).await.context(what)?;
        cut_is(&mut client, numbers(600), 500, Some(("rows", 500))).await.context(what)?;
    }
    // A cap that the constraint allows is sent as ever.
    let settings = Settings::standard(&cell.world)?.with("CLICKHOUSE_LIMIT", "50");
    let mut client = cell.client(&settings, Some(&cell.token("carla")?)).await?;
    cut_is(&mut client, numbers(300), 50, Some(("rows", 50))).await
}
