//! Every revision on every host, line by line of `system_tests::protocol`.

use anyhow::{Context, Result, ensure};
use libtest_mimic::Completion;
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{HttpClient, query, request};
use system_tests::host::Host;
use system_tests::protocol::{DIFFERENCES, Probe, REFUSED, REVISIONS};
use system_tests::settings::Settings;
use system_tests::world::world;

const STATELESS: &str = "2026-07-28";

/// What differs between revisions is there in those that have it, and nowhere else.
pub(crate) async fn differences(host: Host) -> Result<Completion> {
    let cell = Cell { host, world: world().await? };
    for revision in REVISIONS {
        let client = cell.http(Some(&cell.token("alice")?)).await?.speaking(revision);
        for difference in DIFFERENCES {
            let has = probe(&client, revision, difference.probe).await;
            let has = has.with_context(|| format!("{revision}: {}", difference.what))?;
            let wanted = difference.revisions.contains(&revision);
            ensure!(has == wanted, "{revision} {}: {has}", difference.what);
        }
    }
    Ok(Completion::Completed)
}

async fn probe(client: &HttpClient, revision: &str, probe: Probe) -> Result<bool> {
    let ask = async |method: &str, params: Value| client.post(&request(revision, "p", method, params)).await;
    Ok(match probe {
        Probe::Handshake => {
            let hello = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
            ask("initialize", hello).await?.json()?["result"]["protocolVersion"] == revision
        }
        Probe::Stateless => {
            let found = ask("server/discover", json!({})).await?.json()?;
            found["result"]["supportedVersions"] == json!([revision])
        }
        Probe::Batch => {
            let reply = client.post(&json!([request(revision, "p", "tools/list", json!({}))])).await?;
            let answers = reply.json()?;
            answers[0]["id"] == "p"
        }
        Probe::ToolMember(member) => {
            let listed = ask("tools/list", json!({})).await?.json()?;
            let tool = listed["result"]["tools"][0].as_object().context("no tool")?;
            tool.contains_key(member)
        }
        Probe::ResultMember(member) => {
            let result = ask("tools/call", query("SELECT currentUser()")).await?.json()?["result"].clone();
            ensure!(result["isError"] == json!(false), "{result}");
            result.get(member).is_some()
        }
        Probe::BadArgumentsAsResult => {
            let bad = json!({ "name": "execute_query", "arguments": { "query": 7 } });
            let answer = ask("tools/call", bad).await?.json()?;
            ensure!(
                answer["result"]["isError"] == json!(true) || answer["error"]["code"] == json!(-32602),
                "{answer}"
            );
            answer.get("result").is_some()
        }
        Probe::AbsentResource(code) => {
            let answer = ask("resources/read", json!({ "uri": "clickhouse://no-such" })).await?.json()?;
            answer["error"]["code"] == json!(code)
        }
        Probe::UnknownMethod(status) => {
            let reply = ask("no/such", json!({})).await?;
            ensure!(reply.json()?["error"]["code"] == json!(-32601), "{}", reply.text());
            reply.status == status
        }
    })
}

/// Each refusal has its status and code.
pub(crate) async fn refusals(host: Host) -> Result<Completion> {
    let cell = Cell { host, world: world().await? };
    let client = cell.http_to(&Settings::standard(&cell.world)?, Some(&cell.token("alice")?)).await?;
    let good = request(STATELESS, "g", "tools/list", json!({}));
    ensure!(client.post(&good).await?.status == 200, "a good request");
    for refused in REFUSED {
        let mut headers = client.headers(&good)?;
        for (name, value) in refused.headers {
            headers.remove(*name);
            if !value.is_empty() {
                headers.insert(*name, value.parse()?);
            }
        }
        let body = refused.body.map_or_else(|| good.to_string(), str::to_owned);
        let reply = client.send(http::Method::POST, "/mcp", headers, body).await?;
        ensure!(reply.status == refused.status, "{}: {} {}", refused.what, reply.status, reply.text());
        if let Some(code) = refused.code {
            ensure!(reply.json()?["error"]["code"] == json!(code), "{}: {}", refused.what, reply.text());
        }
    }
    Ok(Completion::Completed)
}

/// Something is lost only after the person has said so, where their client can ask them: in two requests that any replica
/// may get, so on every host.
pub(crate) async fn questions(host: Host) -> Result<Completion> {
    let cell = Cell { host, world: world().await? };
    let table = format!("scratch.confirmed_{host}");
    cell.world.admin(&format!("CREATE TABLE {table} (id UInt32) ENGINE = MergeTree ORDER BY id")).await?;
    cell.world.admin(&format!("INSERT INTO {table} VALUES (1)")).await?;
    let settings = Settings::standard(&cell.world)?.with("CLICKHOUSE_ALLOW_DESTRUCTIVE", "true");
    let client = cell.http_to(&settings, Some(&cell.token("walter")?)).await?;
    let statement =
        json!({ "name": "write_query", "arguments": { "query": format!("TRUNCATE TABLE {table}") } });
    let mut call = request(STATELESS, "q", "tools/call", statement);
    call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "elicitation": {} });
    let asked = client.post(&call).await?.json()?["result"].clone();
    ensure!(asked["resultType"] == "input_required", "{asked}");
    let count = async || cell.world.admin(&format!("SELECT count() FROM {table}")).await;
    ensure!(count().await?.trim() == "1", "it was run before the answer");
    let (key, _) =
        asked["inputRequests"].as_object().and_then(|asked| asked.iter().next()).context("no question")?;
    call["params"]["requestState"] = asked["requestState"].clone();
    for (confirm, left) in [(false, "1"), (true, "0")] {
        call["params"]["inputResponses"] =
            json!({ key: { "action": "accept", "content": { "confirm": confirm } } });
        let answer = client.post(&call).await?.json()?;
        ensure!(answer["result"]["isError"] == json!(!confirm), "{answer}");
        ensure!(count().await?.trim() == left, "{confirm}: {answer}");
    }
    cell.world.admin(&format!("DROP TABLE {table}")).await?;
    Ok(Completion::Completed)
}
