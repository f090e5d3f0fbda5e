//! The tools beside `execute_query`, called by people with different grants: what they see, and what the log says.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{Answer, Client};
use system_tests::query_log;
use system_tests::settings::Settings;

/// Every question of a call ran as the person, under the name of the tool.
async fn ran_as(cell: &Cell, answer: &Answer, person: &str, tool: &str) -> Result<()> {
    let entries = query_log::of_request(&cell.world, &answer.id, 1).await?;
    let mut users = BTreeSet::new();
    for entry in &entries {
        let comment: Value = serde_json::from_str(entry.text("log_comment")).context("log_comment")?;
        ensure!(comment["tool"] == tool && comment["subject"] == person, "{comment}");
        users.insert(entry.text("user"));
    }
    users.remove("gateway");
    ensure!(users == BTreeSet::from([person]), "{users:?}");
    Ok(())
}

fn names(tables: &Value) -> Vec<String> {
    let name = |table: &Value| format!("{}.{}", table["database"], table["name"]).replace('"', "");
    tables["tables"].as_array().into_iter().flatten().map(name).collect()
}

const ALICES: [&str; 3] = ["sales.campaigns", "sales.orders", "sales.revenue_by_product"];
const BOBS: [&str; 3] = ["hr.salaries", "sales.orders", "sales.revenue_by_product"];

pub(crate) async fn databases(cell: Cell) -> Result<()> {
    for (person, wanted) in [("alice", json!([["sales", 3]])), ("bob", json!([["hr", 1], ["sales", 2]]))] {
        let answer = cell.as_person(person).await?.call_tool("list_databases", json!({})).await?;
        let listed = answer.structured()?;
        let own: Vec<Value> = listed["databases"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|database| {
                ["hr", "sales", "scratch"].contains(&database["name"].as_str().unwrap_or_default())
            })
            .map(|database| json!([database["name"], database["tables"]]))
            .collect();
        ensure!(json!(own) == wanted, "{person}: {listed}");
        ran_as(&cell, &answer, person, "list_databases").await?;
    }
    Ok(())
}

/// All pages of a list.
async fn pages(client: &mut Client, mut arguments: Value) -> Result<(Vec<String>, Vec<Value>)> {
    let (mut found, mut tables) = (Vec::new(), Vec::new());
    loop {
        let page = client.call_tool("list_tables", arguments.clone()).await?.structured()?;
        found.extend(names(&page));
        tables.extend(page["tables"].as_array().cloned().unwrap_or_default());
        ensure!(found.len() < 20, "the pages have no end: {found:?}");
        match page.get("next_cursor") {
            Some(cursor) => arguments["cursor"] = cursor.clone(),
            None => return Ok((found, tables)),
        }
    }
}

pub(crate) async fn tables(cell: Cell) -> Result<()> {
    for (person, wanted) in [("alice", ALICES), ("bob", BOBS)] {
        let mut client = cell.as_person(person).await?;
        let answer = client.call_tool("list_tables", json!({})).await?;
        let whole = answer.structured()?;
        ensure!(names(&whole) == wanted && whole["total_tables"] == 3, "{person}: {whole}");
        ran_as(&cell, &answer, person, "list_tables").await?;
        for size in [1, 2, 3] {
            for columns in [false, true] {
                let asked = json!({ "page_size": size, "include_columns": columns });
                let (found, tables) = pages(&mut client, asked).await?;
                ensure!(found == wanted, "{person}, {size} on a page: {found:?}");
                let orders = tables.iter().find(|table| table["name"] == "orders").context("orders")?;
                ensure!(orders["engine"] == "MergeTree" && orders["sorting_key"] == "region, ordered_on, id");
                ensure!(
                    orders["columns"].as_array().map_or(0, Vec::len) == if columns { 7 } else { 0 },
                    "{orders}"
                );
                ensure!(!columns || orders["columns"][0]["comment"] == "Number of the order", "{orders}");
            }
        }
        let like = json!({ "database": "sales", "like": "%e%", "not_like": "%\\_%" });
        let (found, _) = pages(&mut client, like).await?;
        ensure!(found == ["sales.orders"], "{found:?}");
        let (none, _) = pages(&mut client, json!({ "like": "' OR 1 = 1 --" })).await?;
        ensure!(none.is_empty(), "{none:?}");
    }
    Ok(())
}

/// However small the operator's caps, no table is lost and none comes twice.
pub(crate) async fn small_caps(cell: Cell) -> Result<()> {
    for (name, value) in [("CLICKHOUSE_MAX_RESULT_ROWS", "1"), ("CLICKHOUSE_MAX_RESULT_BYTES", "900")] {
        let settings = Settings::standard(&cell.world)?.with(name, value);
        let mut client = cell.client(&settings, Some(&cell.token("alice")?)).await?;
        let (found, _) = pages(&mut client, json!({ "include_columns": true })).await?;
        ensure!(found == ALICES, "{name}: {found:?}");
    }
    Ok(())
}

/// States whose end only the server knows are the same text over both protocols, in the order of the statement.
pub(crate) async fn states(cell: Cell) -> Result<()> {
    let query = "SELECT number AS k, sumMapWithOverflowState([1], [toUInt8(number)]) AS s, [s] AS a \
                 FROM numbers(3) GROUP BY k ORDER BY k DESC";
    let mut alice = cell.as_person("alice").await?;
    let table = alice.call(json!({ "query": query, "limit": 2 })).await?.table()?;
    let state = |sum: u8| {
        let bytes = [1, 1, sum, 0, 0, 0, 0, 0, 0, 0];
        bytes.map(char::from).iter().collect::<String>()
    };
    let rows = [2, 1].map(|k| json!([k.to_string(), state(k), [state(k)]]));
    ensure!(table["rows"] == json!(rows), "{table}");
    let states = "AggregateFunction(1, sumMapWithOverflow, Array(UInt8), Array(UInt8))";
    ensure!(table["types"] == json!(["UInt64", states, format!("Array({states})")]), "{table}");
    ensure!(table["truncated"]["reason"] == "rows", "{table}");
    Ok(())
}

pub(crate) async fn descriptions(cell: Cell) -> Result<()> {
    let mut alice = cell.as_person("alice").await?;
    let asked = json!({ "table": "orders", "database": "sales", "include_create": true });
    let answer = alice.call_tool("describe_table", asked).await?;
    let table = answer.structured()?;
    ensure!(table["total_rows"] == 240 && table["primary_key"] == "region, ordered_on, id", "{table}");
    ensure!(table["columns"].as_array().map(Vec::len) == Some(7), "{table}");
    let id = json!({
        "name": "id", "type": "UInt32", "comment": "Number of the order", "keys": ["primary", "sorting"],
    });
    ensure!(table["columns"][0] == id, "{table}");
    ensure!(
        table["create"].as_str().is_some_and(|text| text.starts_with("CREATE TABLE sales.orders")),
        "{table}"
    );
    ran_as(&cell, &answer, "alice", "describe_table").await?;

    // Of what alice may not see she is not even told that it has a name.
    for wanted in [json!({ "table": "salaries", "database": "hr" }), json!({ "table": "hr.salarie" })] {
        let text = alice.call_tool("describe_table", wanted).await?.failure()?;
        ensure!(text.contains("There is no table") && !text.contains("near it"), "{text}");
    }
    let mut bob = cell.as_person("bob").await?;
    let text =
        bob.call_tool("describe_table", json!({ "table": "salarie", "database": "hr" })).await?.failure()?;
    ensure!(text.contains("near it are hr.salaries"), "{text}");
    let salaries = json!({ "table": "salaries", "database": "hr" });
    ensure!(bob.call_tool("describe_table", salaries).await?.structured()?["name"] == "salaries");

    let settings = Settings::standard(&cell.world)?.with("CLICKHOUSE_DATABASE", "sales");
    let mut client = cell.client(&settings, Some(&cell.token("alice")?)).await?;
    let answer = client.call_tool("describe_table", json!({ "table": "orders" })).await?;
    ensure!(answer.structured()?["database"] == "sales", "the default database: {}", answer.message);
    Ok(())
}

pub(crate) async fn searches(cell: Cell) -> Result<()> {
    let words = json!({ "words": "SALAR order" });
    for (person, salaries) in [("alice", false), ("bob", true)] {
        let answer = cell.as_person(person).await?.call_tool("search_schema", words.clone()).await?;
        let found = answer.structured()?;
        let text = found.to_string();
        ensure!(text.contains("\"salaries\"") == salaries, "{person}: {found}");
        let orders = json!({
            "kind": "table", "database": "sales", "table": "orders", "type": "MergeTree", "words": 1,
            "comment": "Orders of both regions; everyone sees those of their own region",
        });
        ensure!(found["matches"].as_array().is_some_and(|all| all.contains(&orders)), "{person}: {found}");
        ran_as(&cell, &answer, person, "search_schema").await?;
    }
    let both = json!({ "words": "amount price", "limit": 1 });
    let found = cell.as_person("alice").await?.call_tool("search_schema", both).await?.structured()?;
    ensure!(found["matches"][0]["column"] == "amount" && found["matches"][0]["words"] == 2, "{found}");
    Ok(())
}

pub(crate) async fn explanations(cell: Cell) -> Result<()> {
    let mut alice = cell.as_person("alice").await?;
    for (kind, wanted) in [
        ("plan", "ReadFromMergeTree"),
        ("pipeline", "MergeTree"),
        ("syntax", "FROM sales.orders"),
        ("estimate", "table=orders"),
        ("indexes", "PrimaryKey"),
        ("query_tree", "QUERY id"),
        ("ast", "SelectQuery"),
    ] {
        let asked = json!({
            "query": "SELECT count() FROM sales.orders WHERE region = {region:String} AND amount > 1",
            "parameters": { "region": "north" }, "kind": kind,
        });
        let answer = alice.call_tool("explain_query", asked).await?;
        let explained = answer.structured().with_context(|| kind.to_owned())?;
        let lines = explained["lines"].as_array().cloned().unwrap_or_default();
        ensure!(
            lines.iter().any(|line| line.as_str().is_some_and(|line| line.contains(wanted))),
            "{explained}"
        );
        ran_as(&cell, &answer, "alice", "explain_query").await?;
    }
    let denied = json!({ "query": "SELECT * FROM hr.salaries", "kind": "plan" });
    let text = alice.call_tool("explain_query", denied).await?.failure()?;
    ensure!(text.contains("497"), "{text}");
    Ok(())
}

pub(crate) async fn bound_values(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?.with("TOOL_INPUT_SETTINGS", "max_threads");
    let login = json!({ "username": "alice", "password": cell.world.password("alice")? });
    for token in [cell.token("alice")?, cell.world.mint.token(login)?] {
        let mut client = cell.client(&settings, Some(&token)).await?;
        let asked = json!({
            "query": "SELECT {n:UInt64}, {s:String}, {l:Array(String)}, {m:Map(String, UInt8)}, {o:Nullable(Int8)}, \
                      {d:Date}, getSetting('max_threads')",
            "parameters": {
                "n": 18_446_744_073_709_551_615_u64, "s": "it's a\ttab\nand \\", "l": ["x'", "\\"], "m": { "k'": 1 },
                "o": null, "d": "2026-01-31",
            },
            "settings": { "max_threads": "3" },
        });
        let answer = client.call(asked).await?;
        let wanted = json!([[
            "18446744073709551615", "it's a\ttab\nand \\", ["x'", "\\"], { "k'": 1 }, null, "2026-01-31", 3
        ]]);
        ensure!(answer.rows()? == wanted, "{}", answer.message);
        let view = json!({
            "query": "SELECT count() FROM sales.revenue_by_product(since = {since:Date})",
            "parameters": { "since": "2026-02-01" },
        });
        ensure!(client.call(view).await?.value()? != json!("0"));
        let wrong = json!({ "query": "SELECT {n:UInt8}", "parameters": { "n": "1; DROP TABLE x" } });
        ensure!(client.call(wrong).await?.failure()?.contains("457"));
        let endless =
            json!({ "query": "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)", "timeout": 1 });
        let text = client.call(endless).await?.failure()?;
        ensure!(text.contains("159") || text.contains("did not finish"), "{text}");
    }
    Ok(())
}

pub(crate) async fn writes(cell: Cell) -> Result<()> {
    let standard = Settings::standard(&cell.world)?.with("CLICKHOUSE_ALLOW_DESTRUCTIVE", "false");
    let lenient = Settings::standard(&cell.world)?.with("CLICKHOUSE_ALLOW_DESTRUCTIVE", "true");
    let login = json!({ "username": "walter", "password": cell.world.password("walter")? });
    for (way, token) in [("person", cell.token("walter")?), ("login", cell.world.mint.token(login)?)] {
        let table = format!("scratch.tools_{}_{way}", cell.host.name().replace('-', "_"));
        let mut walter = cell.client(&standard, Some(&token)).await?;
        let status = json!({ "columns": ["status"], "types": ["String"], "rows": [["OK"]], "count": 1 });
        cell.world.admin(&format!("CREATE TABLE {table} (id UInt32) ENGINE = MergeTree ORDER BY id")).await?;
        let alter = format!("ALTER TABLE {table} ADD COLUMN word String");
        let altered = walter.call_tool("write_query", json!({ "query": alter })).await?;
        ensure!(altered.table()? == status, "{}", altered.message);
        for (id, word) in [(1, "it's"), (2, "two; DROP")] {
            let insert = json!({
                "query": format!("INSERT INTO {table} (id, word) SELECT {{id:UInt32}}, {{word:String}}"),
                "parameters": { "id": id, "word": word },
            });
            let written = walter.call_tool("write_query", insert).await?;
            ensure!(written.table()? == status, "{}", written.message);
            if way == "person" {
                ran_as(&cell, &written, "walter", "write_query").await?;
            }
        }
        let read = json!({ "query": format!("SELECT id, word FROM {table} ORDER BY id") });
        let rows = walter.call_tool("write_query", read.clone()).await?.rows()?;
        ensure!(rows == json!([[1, "it's"], [2, "two; DROP"]]), "each row once: {rows}");

        // Nobody writes by the tool that reads, without a grant, or with a token that may only read.
        let insert = format!("INSERT INTO {table} SELECT 3, 'x'");
        walter.query(&insert).await?.failure()?;
        let text = cell
            .client(&standard, Some(&cell.token("alice")?))
            .await?
            .call_tool("write_query", json!({ "query": insert }))
            .await?
            .failure()?;
        ensure!(text.contains("497") && text.contains("INSERT"), "{text}");
        let reader = cell.world.mint.token(json!({ "email": "walter", "read_only": true }))?;
        let absent = cell
            .client(&standard, Some(&reader))
            .await?
            .call_tool("write_query", json!({ "query": insert }))
            .await?;
        ensure!(absent.message.get("error").is_some(), "{}", absent.message);
        let drop = json!({ "query": format!("DROP TABLE {table}") });
        let text = walter.call_tool("write_query", drop.clone()).await?.failure()?;
        ensure!(text.contains("allow_destructive"), "{text}");
        ensure!(walter.call(read).await?.table()?["count"] == 2);

        let values = json!({ "query": format!("INSERT INTO {table} VALUES (4, 'four')") });
        let values = walter.call_tool("write_query", values).await?;
        if way == "person" || cell.protocol() == "tcp" {
            let text = values.failure()?;
            ensure!(text.contains("SELECT {a:Type}") || text.contains("INSERT INTO table (a, b)"), "{text}");
        } else {
            ensure!(values.table()? == status, "{}", values.message);
        }
        let mut walter = cell.client(&lenient, Some(&token)).await?;
        let dropped = walter.call_tool("write_query", drop).await?;
        ensure!(dropped.table()? == status, "{}", dropped.message);
    }
    Ok(())
}
