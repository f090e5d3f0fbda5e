//! Resources, prompts and completion, as the people who ask.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{Client, fresh_id};

async fn ask(client: &mut Client, method: &str, params: Value) -> Result<Value> {
    client.ask(&fresh_id(), method, params).await
}

/// The text of a resource, as the JSON that it is.
async fn read(client: &mut Client, uri: &str) -> Result<Value> {
    let answer = ask(client, "resources/read", json!({ "uri": uri })).await?;
    let result = answer.get("result").with_context(|| answer.to_string())?;
    let content = &result["contents"][0];
    ensure!(content["uri"] == json!(uri) && content["mimeType"] == json!("application/json"), "{result}");
    ensure!(result["cacheScope"] == json!("private") && result["ttlMs"].is_u64(), "{result}");
    Ok(serde_json::from_str(content["text"].as_str().unwrap_or_default())?)
}

pub(crate) async fn catalogue(cell: Cell) -> Result<()> {
    for (person, wanted) in [
        ("alice", vec![("sales", "campaigns"), ("sales", "orders"), ("sales", "revenue_by_product")]),
        ("bob", vec![("hr", "salaries"), ("sales", "orders"), ("sales", "revenue_by_product")]),
    ] {
        for mut client in [cell.as_person(person).await?, cell.with_login(person).await?] {
            let text = read(&mut client, "clickhouse://schema").await?;
            let tables = text["tables"].as_array().with_context(|| text.to_string())?;
            let names: Vec<_> = tables
                .iter()
                .map(|table| (table["database"].as_str().unwrap_or(""), table["name"].as_str().unwrap_or("")))
                .collect();
            ensure!(names == wanted && text["count"] == json!(wanted.len()), "{person}: {text}");
            let orders = tables.iter().find(|table| table["name"] == json!("orders"));
            let orders = orders.context("orders")?;
            ensure!(orders["engine"].is_string() && orders["total_rows"].is_u64(), "{orders}");
        }
    }
    Ok(())
}

pub(crate) async fn structure(cell: Cell) -> Result<()> {
    let mut alice = cell.as_person("alice").await?;
    let text = read(&mut alice, "clickhouse://table/sales/orders").await?;
    ensure!(text["count"] == json!(7) && text["columns"].as_array().map(Vec::len) == Some(7), "{text}");
    let first = &text["columns"][0];
    for name in ["name", "type", "default_kind", "default_expression", "comment"] {
        ensure!(first[name].is_string(), "{name}: {first}");
    }
    for name in ["is_in_partition_key", "is_in_sorting_key", "is_in_primary_key", "is_in_sampling_key"] {
        ensure!(first[name] == json!(0) || first[name] == json!(1), "{name}: {first}");
    }
    let is_key = |column: &Value| column["is_in_sorting_key"] == json!(1);
    ensure!(text["columns"].as_array().is_some_and(|columns| columns.iter().any(is_key)), "{text}");
    // What is not there and what may not be seen cannot be told apart.
    for uri in ["clickhouse://table/hr/salaries", "clickhouse://table/hr/nothing", "clickhouse://table/no/no"]
    {
        let answer = ask(&mut alice, "resources/read", json!({ "uri": uri })).await?;
        let error = &answer["error"];
        ensure!(error["code"] == json!(-32602) && error["data"] == json!({ "uri": uri }), "{answer}");
        let message = error["message"].as_str().unwrap_or_default();
        ensure!(message == format!("there is no resource {uri:?}"), "{answer}");
    }
    Ok(())
}

/// Names that break careless quoting, written as RFC 3986 wants them.
pub(crate) async fn odd_names(cell: Cell) -> Result<()> {
    let mut walter = cell.as_person("walter").await?;
    for (name, segment) in [
        ("a/b c", "a%2Fb%20c"),
        ("x' OR 1=1 --", "x%27%20OR%201%3D1%20--"),
        ("tab\there", "tab%09here"),
        ("back\\slash", "back%5Cslash"),
        ("größe%41", "gr%C3%B6%C3%9Fe%2541"),
    ] {
        let suffix = fresh_id();
        let quoted =
            format!("{name} {suffix}").replace('\\', "\\\\").replace('\t', "\\t").replace('`', "\\`");
        cell.world.admin(&format!("CREATE TABLE scratch.`{quoted}` (`c'1` UInt8) ENGINE = Memory")).await?;
        let uri = format!("clickhouse://table/scratch/{segment}%20{suffix}");
        let text = read(&mut walter, &uri).await;
        let value = format!("{name} {suffix}");
        let completed = complete(&mut walter, "table", &value, json!({ "database": "scratch" })).await;
        cell.world.admin(&format!("DROP TABLE scratch.`{quoted}`")).await?;
        let text = text?;
        ensure!(text["columns"][0]["name"] == json!("c'1") && text["table"] == json!(value), "{text}");
        let completed = completed?;
        ensure!(completed == json!({ "values": [value], "total": 1, "hasMore": false }), "{completed}");
    }
    Ok(())
}

async fn complete(client: &mut Client, argument: &str, value: &str, context: Value) -> Result<Value> {
    let params = json!({
        "ref": { "type": "ref/resource", "uri": "clickhouse://table/{database}/{table}" },
        "argument": { "name": argument, "value": value },
        "context": { "arguments": context },
    });
    let answer = ask(client, "completion/complete", params).await?;
    let completion = answer["result"].get("completion").with_context(|| answer.to_string())?;
    Ok(completion.clone())
}

pub(crate) async fn names(cell: Cell) -> Result<()> {
    let whole = |values: &[&str]| json!({ "values": values, "total": values.len(), "hasMore": false });
    for (person, databases, of_sales, of_hr) in
        [("alice", &["sales"][..], &["orders"][..], &[][..]), ("bob", &["sales"], &["orders"], &["salaries"])]
    {
        for mut client in [cell.as_person(person).await?, cell.with_login(person).await?] {
            for (argument, value, context, wanted) in [
                ("database", "sal", json!({}), databases),
                ("database", "%", json!({}), &[]),
                ("table", "or", json!({ "database": "sales" }), of_sales),
                ("table", "s", json!({ "database": "hr" }), of_hr),
                ("table", "salar", json!({}), of_hr),
                ("table", "' OR 1=1 --", json!({}), &[]),
            ] {
                let completed = complete(&mut client, argument, value, context).await?;
                ensure!(completed == whole(wanted), "{person} {argument} {value}: {completed}");
            }
        }
    }
    let params = json!({
        "ref": { "type": "ref/prompt", "name": "profile_column" },
        "argument": { "name": "column", "value": "am" },
        "context": { "arguments": { "database": "hr", "table": "salaries" } },
    });
    let seen = |answer: &Value| answer["result"]["completion"]["values"].clone();
    let alice = ask(&mut cell.as_person("alice").await?, "completion/complete", params.clone()).await?;
    ensure!(seen(&alice) == json!([]), "{alice}");
    let mut all = params;
    all["argument"]["value"] = json!("");
    let bob = ask(&mut cell.as_person("bob").await?, "completion/complete", all).await?;
    ensure!(seen(&bob).as_array().is_some_and(|columns| !columns.is_empty()), "{bob}");
    Ok(())
}

pub(crate) async fn prompts(cell: Cell) -> Result<()> {
    let mut client = cell.as_person("alice").await?;
    let listed = ask(&mut client, "prompts/list", json!({})).await?;
    let prompts = listed["result"]["prompts"].as_array().with_context(|| listed.to_string())?;
    ensure!(prompts.len() == 3, "{listed}");
    for prompt in prompts {
        let named = |argument: &Value| argument["name"].as_str().unwrap_or_default().to_owned();
        let arguments: Vec<String> =
            prompt["arguments"].as_array().into_iter().flatten().map(named).collect();
        let values: Value = arguments.iter().map(|name| (name.clone(), json!("sales"))).collect();
        let params = json!({ "name": prompt["name"], "arguments": values });
        let given = ask(&mut client, "prompts/get", params).await?;
        let text = given["result"]["messages"][0]["content"]["text"].as_str().unwrap_or_default();
        ensure!(text.contains("sales"), "{given}");
        let missing = ask(&mut client, "prompts/get", json!({ "name": prompt["name"] })).await?;
        ensure!(missing["error"]["code"] == json!(-32602), "{missing}");
    }
    Ok(())
}
