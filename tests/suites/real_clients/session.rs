//! What every scripted client does.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Completion;
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::clients::{Client, Program, Way};
use system_tests::host::Server;
use system_tests::settings::Settings;
use system_tests::{artifact, token};
use tempfile::TempDir;
use tokio::process::Command;

use crate::program::{command, module, node, report};
use crate::{missing, native};

/// Tools, a query as alice, a refusal of ClickHouse, resources and prompts.
pub(crate) async fn goes_well(client: &Client, way: Way, revision: &str) -> Result<Completion> {
    let mut run = match Run::of(client, way, "alice", |settings| settings).await? {
        Ok(run) => run,
        Err(reason) => return missing(&reason),
    };
    run.command.env_remove("MCP_TEST_WRITE");
    let report = report(run.command).await?;
    ensure!(report["revision"] == revision, "{report}");
    let tools = [
        "execute_query",
        "write_query",
        "list_databases",
        "list_tables",
        "describe_table",
        "search_schema",
        "explain_query",
    ];
    ensure!(report["tools"] == json!(tools), "{report}");
    ensure!(report["structured"]["rows"] == json!([["alice", "9223372036854775807"]]), "{report}");
    ensure!(report["structured"]["types"] == json!(["String", "Int64"]), "{report}");
    // The member came with 2025-06-18.
    ensure!(report["is_structured"] == json!(revision >= "2025-06-18"), "{report}");
    ensure!(report["denied"].as_str().is_some_and(|text| text.contains("497")), "{report}");
    ensure!(report["resources"] == json!(["clickhouse://schema"]), "{report}");
    let prompts = ["explore_database", "profile_column", "explain_slow_query"];
    ensure!(report["prompts"] == json!(prompts), "{report}");
    Ok(Completion::Completed)
}

/// A statement that loses rows is run after the client's user has said yes.
pub(crate) async fn is_asked(client: &Client, way: Way) -> Result<Completion> {
    let mut run = match Run::of(client, way, "walter", may_lose).await? {
        Ok(run) => run,
        Err(reason) => return missing(&reason),
    };
    // A table of its own, for cases run at once.
    let table = format!("scratch.asked_{}_{way}", client.name);
    let world = &run.cell.world;
    world.admin(&format!("CREATE TABLE {table} (id UInt32) ENGINE = MergeTree ORDER BY id")).await?;
    world.admin(&format!("INSERT INTO {table} VALUES (1), (2)")).await?;
    run.command.env("MCP_TEST_WRITE", format!("TRUNCATE TABLE {table}"));
    let report = report(run.command).await?;
    let questions = report["questions"].as_array().map(Vec::len);
    ensure!(questions == Some(1), "{report}");
    ensure!(report["failed"] == json!(false), "{report}");
    let left = world.admin(&format!("SELECT count() FROM {table}")).await?;
    ensure!(left.trim() == "0", "{left} rows are left: {report}");
    world.admin(&format!("DROP TABLE {table}")).await?;
    Ok(Completion::Completed)
}

/// An expired token reaches the client's caller as a refusal.
pub(crate) async fn is_refused(client: &Client) -> Result<Completion> {
    let mut command = match command(client) {
        Ok(command) => command,
        Err(reason) => return missing(&reason),
    };
    let cell = native().await?;
    let server = cell.server(&Settings::standard(&cell.world)?).await?;
    let expired = cell.world.mint.token(json!({ "email": "alice", "exp": token::now() - 60 }))?;
    command.args(["refused", &format!("{}/mcp", server.url())]).env("MCP_TEST_TOKEN", expired);
    let report = report(command).await?;
    ensure!(report["refused"] == json!(true), "{report}");
    Ok(Completion::Completed)
}

/// A client that is about to run, and what has to live as long.
struct Run {
    command: Command,
    cell: Cell,
    _server: Option<Arc<Server>>,
    _home: TempDir,
}

impl Run {
    /// A client of somebody's; the inner error says what is missing.
    async fn of(
        client: &Client,
        way: Way,
        person: &str,
        changed: fn(Settings) -> Settings,
    ) -> Result<Result<Self>> {
        let mut command = match command(client) {
            Ok(command) => command,
            Err(reason) => return Ok(Err(reason)),
        };
        let cell = native().await?;
        let (token, home) = (cell.token(person)?, tempfile::tempdir()?);
        let settings = changed(Settings::standard(&cell.world)?);
        let server = match way {
            Way::Stdio => {
                command.arg("stdio").arg(artifact::housekey()?).args(["--transport", "stdio"]);
                hand_on(&mut command, &settings.with("MCP_TOKEN", token));
                None
            }
            Way::Http | Way::Sse => {
                let server = serving(&cell, way, settings).await?;
                let url = endpoint(&server, way);
                if client.program == Program::Bridge {
                    command.arg("stdio").arg(node()?).arg(module("mcp-remote/dist/proxy.js")).arg(&url);
                    command.args([
                        "--transport",
                        &format!("{way}-only"),
                        "--header",
                        "Authorization:${BEARER}",
                    ]);
                    let bearer = Settings::default().with("BEARER", format!("Bearer {token}"));
                    let home = home.path().display().to_string();
                    hand_on(&mut command, &bearer.with("MCP_REMOTE_CONFIG_DIR", &home).with("HOME", home));
                } else {
                    command.args([way.word(), &url]).env("MCP_TEST_TOKEN", token);
                }
                Some(server)
            }
        };
        Ok(Ok(Self { command, cell, _server: server, _home: home }))
    }
}

/// The script hands these on to the server, because an SDK starts one with a bare environment.
fn hand_on(command: &mut Command, settings: &Settings) {
    let settings: serde_json::Map<_, _> =
        settings.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    command.env("MCP_TEST_SETTINGS", Value::Object(settings).to_string());
}

/// A host with these settings that serves this way.
pub(crate) async fn serving(cell: &Cell, way: Way, settings: Settings) -> Result<Arc<Server>> {
    let settings = if way == Way::Sse { settings.with("MCP_TRANSPORT", "sse") } else { settings };
    cell.server(&settings).await
}

fn may_lose(settings: Settings) -> Settings {
    settings.with("CLICKHOUSE_ALLOW_DESTRUCTIVE", "true")
}

/// Where a client that comes this way goes.
pub(crate) fn endpoint(server: &Server, way: Way) -> String {
    format!("{}/{}", server.url(), if way == Way::Sse { "sse" } else { "mcp" })
}
