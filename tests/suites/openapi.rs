//! Programs that other people wrote read the schema of the REST interface, and try everything that it allows and that it
//! does not.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Completion, Trial};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use system_tests::artifact;
use system_tests::cell::Cell;
use system_tests::harness::{self, Verdict};
use system_tests::host::Host;
use system_tests::settings::Settings;
use system_tests::world::world;
use tokio::process::Command;
use tokio::time::timeout;

/// Schemathesis is given less.
const PATIENCE: Duration = Duration::from_secs(170);

fn main() -> ExitCode {
    harness::run(vec![
        trial("schemas_are_valid", schemas_are_valid),
        trial("schemas_fit_chatgpt", schemas_fit_chatgpt),
        trial("schemathesis_finds_nothing", schemathesis_finds_nothing),
    ])
}

/// A trial that is skipped, with the reason, where its programs are not installed; in CI that is a failure.
fn trial<F>(name: &str, body: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<()>>,
{
    harness::trial(name.to_owned(), Verdict::Run, move || async move {
        if let Err(reason) = artifact::python("HOUSEKEY_PYTHON_OPENAPI") {
            ensure!(!harness::is_ci(), "{reason:#}");
            return Ok(Completion::ignored_with(format!("{reason:#}")));
        }
        body().await?;
        Ok(Completion::Completed)
    })
}

async fn python(arguments: &[&str]) -> Result<()> {
    // Some of these programs leave files where they are run.
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(artifact::python("HOUSEKEY_PYTHON_OPENAPI")?);
    command.arg("-m").args(arguments).current_dir(folder.path());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.context("it does not end")??;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(output.status.success(), "{}\n{}", said(&output.stdout), said(&output.stderr));
    Ok(())
}

/// The schema in every form: as a stranger, as a person, as one who may only read, below a token, and where nobody is
/// asked.
async fn schemas() -> Result<Vec<(&'static str, Value)>> {
    let cell = Cell { host: Host::NativeHttp, world: world().await? };
    let asked = Settings::standard(&cell.world)?.with("MCP_OPENAPI", "https");
    let asked = cell.http_to(&asked, None).await?;
    let unasked = Settings::login(&cell.world, "alice")?.with("MCP_OPENAPI", "http");
    let unasked = cell.http_to(&unasked, None).await?;
    let alice = cell.token("alice")?;
    let reader = cell.world.mint.token(json!({ "email": "alice", "read_only": true }))?;
    let header = |token: &str| -> Result<HeaderMap> {
        Ok([("x-housekey-key".parse()?, token.parse()?)].into_iter().collect())
    };
    let mut schemas = Vec::new();
    for (name, client, path, headers) in [
        ("stranger", &asked, "/openapi".to_owned(), HeaderMap::new()),
        ("person", &asked, "/openapi".to_owned(), header(&alice)?),
        ("reader", &asked, "/openapi".to_owned(), header(&reader)?),
        ("below a token", &asked, format!("/{alice}/openapi"), HeaderMap::new()),
        ("nobody is asked", &unasked, "/openapi".to_owned(), HeaderMap::new()),
    ] {
        let reply = client.send(Method::GET, &path, headers, "").await?;
        ensure!(reply.status == 200, "{name}: {}", reply.text());
        schemas.push((name, reply.json()?));
    }
    Ok(schemas)
}

async fn schemas_are_valid() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (name, schema) in schemas().await? {
        let file = folder.path().join("openapi.json");
        std::fs::write(&file, schema.to_string())?;
        let path = file.to_str().context("a path")?;
        python(&["openapi_spec_validator", path]).await.context(name)?;
    }
    // A validator that takes anything would not do.
    let file = folder.path().join("wrong.json");
    std::fs::write(&file, r#"{"openapi":"3.1.0","info":{"title":"x"},"paths":{"x":{"get":{}}}}"#)?;
    let verdict = python(&["openapi_spec_validator", file.to_str().context("a path")?]).await;
    ensure!(verdict.is_err(), "a wrong schema is called valid");
    Ok(())
}

/// What ChatGPT wants of a schema for its actions.
async fn schemas_fit_chatgpt() -> Result<()> {
    for (name, schema) in schemas().await? {
        let mut ids = Vec::new();
        for path in schema["paths"].as_object().context("paths")?.values() {
            for (method, operation) in path.as_object().context("a path")? {
                if method == "parameters" {
                    continue;
                }
                let id = operation["operationId"].as_str().context("an operation without id")?;
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                ensure!(id.len() <= 64 && id.chars().all(is_name), "{name}: {id}");
                let description = operation["description"].as_str().context("a description")?;
                ensure!(description.chars().count() <= 300, "{name}: {id}: {description}");
                ensure!(operation["x-openai-isConsequential"].is_boolean(), "{name}: {id}");
                ids.push(id.to_owned());
            }
        }
        let all = ids.len();
        ids.sort();
        ids.dedup();
        ensure!(ids.len() == all && all > 1, "{name}: {ids:?}");
    }
    Ok(())
}

async fn schemathesis_finds_nothing() -> Result<()> {
    let cell = Cell { host: Host::NativeHttp, world: world().await? };
    let settings = Settings::standard(&cell.world)?.with("MCP_OPENAPI", "http");
    let server = cell.server(&settings).await?;
    let authorization = format!("Authorization: Bearer {}", cell.token("alice")?);
    let schema = format!("{}/openapi", server.url());
    python(&[
        "schemathesis.cli",
        "run",
        &schema,
        "--header",
        &authorization,
        "--phases",
        "examples,coverage,fuzzing",
        "--checks",
        "all",
        // A text that fits the schema is hardly ever SQL, and then it is refused.
        "--exclude-checks",
        "positive_data_acceptance",
        "--max-examples",
        "40",
        "--max-time",
        "90",
        "--seed",
        "1",
        "--generation-database",
        "none",
        "--no-color",
    ])
    .await
}
