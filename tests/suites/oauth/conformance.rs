//! The official suite's scenarios for authorization servers.

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use system_tests::host::Host;
use system_tests::idp;

use super::house::House;
use super::{Need, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("conformance::authorization_server", &[Need::Node], scenarios)]
}

async fn scenarios() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let options = json!({ "issuer": house.server.url(), "resource": house.mcp_url() });
    let result = idp::conformance(&options).await?;
    ensure!(result["failed"] == json!(0) && result["passed"].as_u64().unwrap_or(0) > 0, "{result}");
    ensure!(result["scenarios"].as_array().is_some_and(|scenarios| scenarios.len() >= 2), "{result}");
    Ok(())
}
