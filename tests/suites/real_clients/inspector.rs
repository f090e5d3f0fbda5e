//! The inspector, which does one thing a run.

use anyhow::{Context, Result, ensure};
use libtest_mimic::Completion;
use serde_json::{Value, json};
use system_tests::artifact;
use system_tests::clients::{Client, Way};
use system_tests::settings::Settings;

use crate::program::{command, report};
use crate::session::{endpoint, serving};
use crate::{missing, native};

/// Lists and calls as two people, each of whom is shown what they may read.
pub(crate) async fn session(client: &Client, way: Way, era: &str) -> Result<Completion> {
    if let Err(reason) = command(client) {
        return missing(&reason);
    }
    let cell = native().await?;
    let server = match way {
        Way::Stdio => None,
        Way::Http | Way::Sse => Some(serving(&cell, way, Settings::standard(&cell.world)?).await?),
    };
    let home = tempfile::tempdir()?;
    let ask = async |person: &str, method: &[&str]| {
        let (mut command, token) = (command(client)?, cell.token(person)?);
        command.arg("--cli").env("HOME", home.path());
        match &server {
            Some(server) => {
                command.args([&endpoint(server, way), "--transport", way.word()]);
                command.args(["--header", &format!("Authorization: Bearer {token}")]);
            }
            None => {
                command.arg(artifact::housekey()?);
                let settings = Settings::standard(&cell.world)?.with("MCP_TOKEN", token);
                for (name, value) in settings.with("MCP_TRANSPORT", "stdio").iter() {
                    command.args(["-e", &format!("{name}={value}")]);
                }
            }
        }
        command.args(["--protocol-era", era]).args(method);
        report(command).await
    };
    // With `--strict` a schema that some client could not take ends it with an error.
    let tools = ask("alice", &["--method", "tools/list", "--strict"]).await?;
    ensure!(tools["tools"][0]["name"] == "execute_query", "{tools}");
    let call = |tool, argument| ["--method", "tools/call", "--tool-name", tool, "--tool-arg", argument];
    let result = ask("alice", &call("execute_query", "query=SELECT currentUser()")).await?;
    ensure!(result["structuredContent"]["rows"] == json!([["alice"]]), "{result}");
    // Campaigns are for alice alone.
    for (person, wanted) in [
        ("alice", json!(["campaigns", "orders", "revenue_by_product"])),
        ("bob", json!(["orders", "revenue_by_product"])),
    ] {
        let result = ask(person, &call("list_tables", "database=sales")).await?;
        let tables = result["structuredContent"]["tables"].as_array().context("tables")?;
        let names: Vec<&Value> = tables.iter().map(|table| &table["name"]).collect();
        ensure!(json!(names) == wanted, "{result}");
    }
    let resources = ask("alice", &["--method", "resources/list"]).await?;
    ensure!(resources["resources"][0]["uri"] == "clickhouse://schema", "{resources}");
    let prompts = ask("alice", &["--method", "prompts/list"]).await?;
    ensure!(prompts["prompts"][0]["name"] == "explore_database", "{prompts}");
    Ok(Completion::Completed)
}
