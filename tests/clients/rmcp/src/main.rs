//! rmcp, in both eras: `http URL`, `stdio PROGRAM ARGUMENT…` or `refused URL`; prints one JSON report. The scripts beside
//! it do the same with other SDKs.

use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientConfig, ElicitRequestParams, ElicitResult,
    ElicitationAction, Implementation, ProtocolVersion,
};
use rmcp::service::{RequestContext, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, ErrorData, RoleClient};
use serde_json::{Map, Value, json};
use tokio::process::Command;

const WHO: &str = "SELECT currentUser() AS who, toInt64('9223372036854775807') AS big";

/// Says yes to whatever the server asks.
#[derive(Clone, Default)]
struct Yes(Arc<Mutex<Vec<String>>>);

impl ClientHandler for Yes {
    fn get_info(&self) -> ClientConfig {
        // Its builder comes with macros that nothing else here needs.
        let capabilities = serde_json::from_value(json!({ "elicitation": {} })).unwrap_or_default();
        ClientConfig::new(capabilities, Implementation::new("housekey-tests", "1.0.0"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let request = serde_json::to_value(request)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        let message = request["message"].as_str().unwrap_or_default().to_owned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        let fields = request["requestedSchema"]["properties"].as_object().cloned().unwrap_or_default();
        let content: Map<String, Value> =
            fields.into_iter().map(|(name, field)| (name, yes(&field))).collect();
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(Value::Object(content)))
    }
}

fn yes(field: &Value) -> Value {
    match (&field["type"], &field["enum"][0]) {
        (kind, _) if kind == "boolean" => json!(true),
        (_, Value::Null) => json!("yes"),
        (_, first) => first.clone(),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let report = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["refused", url] => match connect(&["http", url], Yes::default()).await {
            Ok(_) => json!({ "refused": false }),
            // It keeps the status to itself, and says what it means.
            Err(error) => {
                let text = format!("{error:#}");
                json!({ "refused": text.contains("Auth required"), "text": text })
            }
        },
        way => {
            let handler = Yes::default();
            session(connect(way, handler.clone()).await?, &handler).await?
        }
    };
    println!("{report}");
    Ok(())
}

/// The era is MCP_TEST_ERA: `legacy` shakes hands, anything else discovers.
async fn connect(way: &[&str], handler: Yes) -> Result<RunningService<RoleClient, Yes>> {
    let lifecycle = match env::var("MCP_TEST_ERA").as_deref() {
        Ok("legacy") => ClientLifecycleMode::Initialize,
        _ => ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::LATEST] },
    };
    Ok(match way {
        ["http", url] => {
            let config =
                StreamableHttpClientTransportConfig::with_uri(*url).auth_header(env::var("MCP_TEST_TOKEN")?);
            handler
                .serve_with_lifecycle(StreamableHttpClientTransport::from_config(config), lifecycle)
                .await?
        }
        ["stdio", program, arguments @ ..] => {
            let settings: HashMap<String, String> = serde_json::from_str(&env::var("MCP_TEST_SETTINGS")?)?;
            let mut command = Command::new(program);
            command.args(arguments).envs(settings);
            handler.serve_with_lifecycle(TokioChildProcess::new(command)?, lifecycle).await?
        }
        _ => bail!("usage: rmcp-client http URL | stdio PROGRAM ARGUMENT… | refused URL"),
    })
}

async fn session(client: RunningService<RoleClient, Yes>, handler: &Yes) -> Result<Value> {
    let revision =
        client.peer_info().context("the server did not say what it is")?.protocol_version.to_string();
    let call = async |tool: &'static str, query: String| {
        let arguments = Map::from_iter([("query".to_owned(), Value::String(query))]);
        anyhow::Ok(client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?)
    };
    let report = if let Ok(statement) = env::var("MCP_TEST_WRITE") {
        let written = call("write_query", statement).await?;
        let questions = handler.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        json!({
            "revision": revision,
            "questions": questions,
            "failed": written.is_error.unwrap_or(false),
            "text": text(&written)?,
        })
    } else {
        let tools = client.list_all_tools().await?;
        let good = call("execute_query", WHO.to_owned()).await?;
        let denied = call("execute_query", "SELECT * FROM hr.salaries".to_owned()).await?;
        let resources = client.list_all_resources().await?;
        let prompts = client.list_all_prompts().await?;
        json!({
            "revision": revision,
            "tools": tools.iter().map(|tool| tool.name.to_string()).collect::<Vec<_>>(),
            "is_structured": good.structured_content.is_some(),
            "structured": good.structured_content,
            "denied": denied.is_error.unwrap_or(false).then(|| text(&denied)).transpose()?,
            "resources": resources.iter().map(|resource| resource.uri.clone()).collect::<Vec<_>>(),
            "prompts": prompts.iter().map(|prompt| prompt.name.clone()).collect::<Vec<_>>(),
        })
    };
    client.cancel().await?;
    Ok(report)
}

fn text(result: &CallToolResult) -> Result<String> {
    let block = serde_json::to_value(result.content.first().context("no content")?)?;
    Ok(block["text"].as_str().unwrap_or_default().to_owned())
}
