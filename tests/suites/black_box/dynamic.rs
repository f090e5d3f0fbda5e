//! Tools that rules make of views and tables: everybody sees those of their own grants, values stay values, and rows go
//! in as the person.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{Answer, Client, fresh_id};
use system_tests::query_log;
use system_tests::settings::Settings;

use crate::interserver::member;

const RULES: &str = r#"{"server": {"tools": [
    {"type": "read", "name": "execute_query"},
    {"type": "read", "view_regexp": "^sales\\."},
    {"type": "read", "view_regexp": "^reports\\.", "prefix": "rep_"},
    {"type": "write", "table_regexp": "^scratch\\.entries$", "mode": "insert", "name": "add_entry"}
]}}"#;

/// Everybody behind the gateway.
fn standard(cell: &Cell) -> Result<Settings> {
    Ok(Settings::standard(&cell.world)?.with("HOUSEKEY_CONFIG", RULES))
}

async fn person(cell: &Cell, settings: &Settings, claims: Value) -> Result<Client> {
    cell.client(settings, Some(&cell.world.mint.token(claims)?)).await
}

async fn call(client: &mut Client, name: &str, arguments: Value) -> Result<Answer> {
    let id = fresh_id();
    let message = client.ask(&id, "tools/call", json!({ "name": name, "arguments": arguments })).await?;
    Ok(Answer { id, message })
}

async fn list(client: &mut Client) -> Result<Vec<Value>> {
    let message = client.ask(&fresh_id(), "tools/list", json!({})).await?;
    message["result"]["tools"].as_array().cloned().with_context(|| message.to_string())
}

fn names(tools: &[Value]) -> BTreeSet<&str> {
    tools.iter().filter_map(|tool| tool["name"].as_str()).collect()
}

/// Everything that belongs to a request ran as one person.
async fn ran_as(cell: &Cell, answer: &Answer, person: &str, tool: &str) -> Result<()> {
    let entries = query_log::of_request(&cell.world, &answer.id, 1).await?;
    let users: BTreeSet<&str> =
        entries.iter().map(|entry| entry.text("user")).filter(|user| *user != "gateway").collect();
    ensure!(users == BTreeSet::from([person]), "{entries:?}");
    let of_tool = format!("\"tool\":\"{tool}\"");
    ensure!(entries.iter().any(|entry| entry.text("log_comment").contains(&of_tool)), "{entries:?}");
    Ok(())
}

const REVENUE: &str = "sales_revenue_by_product";

/// Both ways to be somebody, as far as the host has them.
fn ways(cell: &Cell) -> Result<Vec<Settings>> {
    let mut ways = vec![standard(cell)?];
    if cell.protocol() == "tcp" {
        ways.push(member(cell)?.with("HOUSEKEY_CONFIG", RULES));
    }
    Ok(ways)
}

pub(crate) async fn tools_of_a_person(cell: Cell) -> Result<()> {
    for settings in ways(&cell)? {
        for (email, wanted) in [
            ("alice", BTreeSet::from(["execute_query", REVENUE])),
            ("vic", BTreeSet::from(["execute_query", "rep_reports_echo"])),
            (
                "vera",
                BTreeSet::from([
                    "execute_query",
                    "rep_reports",
                    "rep_reports_echo",
                    "rep_reports_quo_te_d_x_string",
                    "add_entry",
                ]),
            ),
        ] {
            let mut client = person(&cell, &settings, json!({ "email": email })).await?;
            let listed = list(&mut client).await?;
            ensure!(names(&listed) == wanted, "{email}: {:?}", names(&listed));
        }
        let mut reader = person(&cell, &settings, json!({ "email": "vera", "read_only": true })).await?;
        let listed = list(&mut reader).await?;
        ensure!(listed.len() == 4 && !names(&listed).contains("add_entry"), "{:?}", names(&listed));
        let refused = call(&mut reader, "add_entry", json!({ "id": 1 })).await?;
        ensure!(refused.message["error"]["code"] == json!(-32602), "{}", refused.message);
        let mut vic = person(&cell, &settings, json!({ "email": "vic" })).await?;
        let refused = call(&mut vic, "rep_reports", json!({})).await?;
        ensure!(refused.message["error"]["code"] == json!(-32602), "{}", refused.message);
    }
    Ok(())
}

pub(crate) async fn rows_of_a_person(cell: Cell) -> Result<()> {
    for settings in ways(&cell)? {
        let mut seen = Vec::new();
        for email in ["alice", "bob"] {
            let mut client = person(&cell, &settings, json!({ "email": email })).await?;
            let answer = call(&mut client, REVENUE, json!({ "since": "2026-03-01" })).await?;
            let sql = "SELECT product, sum(quantity), sum(amount) FROM sales.orders WHERE ordered_on >= '2026-03-01' GROUP BY product ORDER BY sum(amount) DESC";
            ensure!(answer.rows()? == client.query(sql).await?.rows()?, "{}", answer.message);
            ran_as(&cell, &answer, email, REVENUE).await?;
            seen.push(answer.rows()?);
            let missing = call(&mut client, REVENUE, json!({})).await?.failure()?;
            ensure!(missing.contains("`since` is missing"), "{missing}");
            let wrong = call(&mut client, REVENUE, json!({ "since": "yesterday" })).await?.failure()?;
            ensure!(wrong.contains("Date"), "{wrong}");
        }
        ensure!(seen[0] != seen[1], "both see the same rows: {seen:?}");
    }
    Ok(())
}

pub(crate) async fn hostile_values(cell: Cell) -> Result<()> {
    for settings in ways(&cell)? {
        let mut client = person(&cell, &settings, json!({ "email": "vic" })).await?;
        for text in [
            "it's",
            "back\\slash \\n \\N",
            "line\nbreak\ttab\r",
            "'); DROP TABLE sales.orders; --",
            "{s:UInt8} {p:String}",
            "\"double\" `tick` $$here$$ /* x */",
            "é 日本 \u{2028} 🦀",
            "",
        ] {
            let arguments = json!({
                "s": text, "a": [text, "]"], "d": "123456789012345.12345", "e": "it's",
                "at": "2026-01-02T03:04:05.678+01:00",
            });
            let answer = call(&mut client, "rep_reports_echo", arguments).await?;
            let wanted = json!([[
                text,
                [text, "]"],
                "123456789012345.12345",
                null,
                "it's",
                "2026-01-02 02:04:05.678"
            ]]);
            ensure!(answer.rows()? == wanted, "{text:?}: {}", answer.message);
        }
        for (name, value, part) in [
            ("n", json!(2_147_483_648_u32), "does not fit into Int32"),
            ("e", json!("y"), "must be one of"),
            ("d", json!("1; SELECT 1"), "must be a decimal number"),
            ("a", json!("['x']"), "must be an array"),
        ] {
            let mut arguments = json!({ "s": "", "a": [], "d": 1, "e": "x", "at": "2026-01-01 00:00:00" });
            arguments[name] = value;
            let refused = call(&mut client, "rep_reports_echo", arguments).await?.failure()?;
            ensure!(refused.contains(part), "{refused}");
        }
    }
    Ok(())
}

pub(crate) async fn hostile_names(cell: Cell) -> Result<()> {
    for settings in ways(&cell)? {
        let mut client = person(&cell, &settings, json!({ "email": "vera" })).await?;
        let listed = list(&mut client).await?;
        let find = |name: &str| listed.iter().find(|tool| tool["name"] == name).context("not listed");
        let quoted = find("rep_reports_quo_te_d_x_string")?;
        ensure!(
            quoted["inputSchema"]["required"] == json!(["p", "n"]),
            "what stands in quotes is no parameter: {quoted}"
        );
        ensure!(quoted["inputSchema"]["properties"]["n"]["type"] == "string", "{quoted}");
        let answer = call(
            &mut client,
            "rep_reports_quo_te_d_x_string",
            json!({ "p": "`", "n": "18446744073709551615" }),
        )
        .await?;
        ensure!(answer.rows()? == json!([["{a:String}", "`", "18446744073709551615"]]), "{}", answer.message);
        ran_as(&cell, &answer, "vera", "rep_reports_quo_te_d_x_string").await?;
        let answer = call(&mut client, "rep_reports", json!({})).await?;
        ensure!(answer.rows()? == json!([[1]]), "{}", answer.message);
        let echo = find("rep_reports_echo")?;
        ensure!(echo["title"] == "Echo" && echo["annotations"]["openWorldHint"] == true, "{echo}");
        ensure!(echo["inputSchema"]["properties"]["s"]["description"] == "Any text", "{echo}");
    }
    Ok(())
}

pub(crate) async fn rows_that_go_in(cell: Cell) -> Result<()> {
    for settings in ways(&cell)? {
        let mut client = person(&cell, &settings, json!({ "email": "vera" })).await?;
        let text = format!("it's {}\n`\\", fresh_id());
        let answer =
            call(&mut client, "add_entry", json!({ "id": 7, "text": text, "at": "2026-01-02T03:04:05Z" }))
                .await?;
        let done = answer.message["result"]["structuredContent"].clone();
        ensure!(
            done == json!({ "status": "OK", "table": "`scratch`.`entries`", "columns": ["id", "text", "at"] }),
            "{}",
            answer.message
        );
        ran_as(&cell, &answer, "vera", "add_entry").await?;
        let sql = format!(
            "SELECT id, toUnixTimestamp(at) FROM scratch.entries WHERE text = '{}'",
            text.replace('\\', "\\\\").replace('\'', "\\'")
        );
        let found = client.query(&sql).await?.rows()?;
        ensure!(found == json!([[7, 1_767_323_045]]), "{found}");
        let refused = call(&mut client, "add_entry", json!({ "text": "x" })).await?.failure()?;
        ensure!(refused.contains("`id` is missing"), "{refused}");
        let refused = call(&mut client, "add_entry", json!({ "id": 1, "kept": 1 })).await?.failure()?;
        ensure!(refused.contains("there is no argument"), "a column that the server computes: {refused}");
    }
    Ok(())
}
