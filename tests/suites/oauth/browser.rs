//! The pages in Debian's Chromium: with and without scripts, on a phone, in a frame, and a second time.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use system_tests::artifact;
use system_tests::host::Host;
use system_tests::idp;

use super::house::{House, user_in_log};
use super::journey::{Journey, parameters};
use super::{Need, trial};

const NEEDS: &[Need] = &[Need::Node, Need::Chromium];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("browser::somebody_signs_in_and_agrees", NEEDS, agrees),
        trial("browser::without_scripts_on_a_phone_in_the_dark", NEEDS, without_scripts),
        trial("browser::somebody_says_no", NEEDS, says_no),
        trial("browser::a_frame_stays_empty", NEEDS, framed),
        trial("browser::a_private_scheme_is_reached", NEEDS, private_scheme),
    ]
}

async fn browse(journey: &Journey, options: Value) -> Result<Value> {
    let mut options = options;
    options["url"] = json!(journey.authorization_url(&[])?);
    options["screenshots"] = json!(screenshots());
    idp::browse(&options).await
}

/// Where people look at what the pages look like.
fn screenshots() -> PathBuf {
    artifact::workspace().join("target/test-logs/screenshots")
}

/// Housekey's own page among those of a visit.
fn consent_page(visit: &Value, base: &str) -> Result<Value> {
    let pages = visit["pages"].as_array().context("pages")?;
    let is_ours = |page: &&Value| page["url"].as_str().is_some_and(|url| url.starts_with(base));
    pages.iter().find(is_ours).cloned().with_context(|| format!("no page of Housekey's: {visit}"))
}

async fn agrees() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let visit = browse(&journey, json!({ "login": "alice" })).await?;
    let called_back = parameters(&visit).with_context(|| house.server.stderr().text())?;
    ensure!(called_back.get("state") == Some(&journey.state), "{called_back:?}");
    let page = consent_page(&visit, house.server.url())?;
    ensure!(page["status"] == 200 && page["fits"] == json!(true), "{page}");
    let policy = page["csp"].as_str().unwrap_or_default();
    ensure!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
    // Nobody listens where the client is called back, and the provider has no icon.
    let is_ours = |complaint: &&Value| !complaint.to_string().contains("Failed to load resource");
    let complaints: Vec<&Value> = visit["console"].as_array().into_iter().flatten().filter(is_ours).collect();
    ensure!(complaints.is_empty(), "the browser complains: {complaints:?}");
    let code = called_back.get("code").context("no code")?;
    let granted = journey.redeem(code).await?;
    ensure!(user_in_log(&house.world, &house.server, granted.access_token()?).await? == "alice");
    Ok(())
}

async fn without_scripts() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let options = json!({ "login": "bob", "javascript": false, "viewport": "phone", "dark": true });
    let visit = browse(&journey, options).await?;
    let page = consent_page(&visit, house.server.url())?;
    ensure!(page["fits"] == json!(true), "wider than a phone: {page}");
    ensure!(parameters(&visit)?.contains_key("code"), "{visit}");
    Ok(())
}

async fn says_no() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let visit = browse(&journey, json!({ "login": "alice", "decision": "deny" })).await?;
    let called_back = parameters(&visit)?;
    ensure!(called_back.get("error").map(String::as_str) == Some("access_denied"), "{called_back:?}");
    ensure!(called_back.get("iss").map(String::as_str) == Some(house.server.url()), "{called_back:?}");
    Ok(())
}

/// Clickjacking: another site's page shows the consent page in a frame (RFC 9700 section 4.16).
async fn framed() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let visit = browse(&journey, json!({ "login": "alice", "frame": true })).await?;
    ensure!(visit["frame"]["blocked"] == json!(true), "{visit}");
    Ok(())
}

/// What Cursor registers.
async fn private_scheme() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey =
        Journey::begin_with(house.server.url(), "cursor://anysphere.cursor-mcp/oauth/callback").await?;
    let visit = browse(&journey, json!({ "login": "alice" })).await?;
    let called_back = parameters(&visit)?;
    let granted = journey.redeem(called_back.get("code").context("no code")?).await?;
    granted.access_token().map(drop)
}
