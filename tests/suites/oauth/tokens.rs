//! Codes and tokens in wrong hands, twice, too late, or for something else (RFC 9700).

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use system_tests::host::Host;
use system_tests::idp;
use system_tests::poll;

use super::house::{House, ask, ask_with, user_in_log};
use super::journey::{Journey, parameters};
use super::{Need, trial};

const NODE: &[Need] = &[Need::Node];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("tokens::a_code_works_once", NODE, replay),
        trial("tokens::a_code_is_worth_nothing_to_others", NODE, stolen_code),
        trial("tokens::a_code_is_no_token_and_a_token_no_code", NODE, substitution),
        trial("tokens::a_refresh_token_rotates_and_belongs_to_its_client", NODE, refresh),
        trial("tokens::an_access_token_runs_out", NODE, expiry),
        trial("tokens::a_stranger_is_told_where_to_go", NODE, challenge),
        trial("tokens::tokens_count_only_in_headers", NODE, places),
        trial("tokens::a_sign_in_that_began_in_another_browser_ends_nowhere", NODE, another_browser),
        trial("tokens::a_new_signing_secret_takes_over_while_the_old_one_still_opens", NODE, new_secret),
    ]
}

async fn replay() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let code = journey.code("alice").await?;
    let first = journey.redeem(&code).await?;
    ensure!(user_in_log(&house.world, &house.server, first.access_token()?).await? == "alice");
    let second = journey.redeem(&code).await?;
    ensure!(second.status == 400 && second.body["error"] == "invalid_grant", "{second:?}");
    Ok(())
}

async fn stolen_code() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let other = Journey::begin(house.server.url()).await?;
    let code = journey.code("alice").await?;
    for (what, changed) in [
        ("another client", vec![("client_id", other.client_id.as_str())]),
        ("no verifier", vec![("code_verifier", "")]),
        ("another verifier", vec![("code_verifier", other.verifier.as_str())]),
        ("another redirect URI", vec![("redirect_uri", "http://127.0.0.1:8765/other")]),
        ("another resource", vec![("resource", "https://other.example/mcp")]),
    ] {
        let granted = journey.redeem_with(&code, &changed).await?;
        ensure!(granted.status >= 400, "{what}: {granted:?}");
        let error = granted.body["error"].as_str().unwrap_or_default();
        let wanted = ["invalid_grant", "invalid_request", "invalid_target"];
        ensure!(wanted.contains(&error), "{what}: {granted:?}");
    }
    // None of that has used it up.
    let granted = journey.redeem(&code).await?;
    ensure!(granted.status == 200, "{granted:?}");
    Ok(())
}

async fn substitution() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let code = journey.code("alice").await?;
    let granted = journey.redeem(&code).await?;
    let (access, refresh) = (granted.access_token()?, granted.text("refresh_token")?);
    for (what, token) in
        [("a code", &*code), ("a refresh token", refresh), ("a client id", &journey.client_id)]
    {
        let asked = ask(&house.server, Some(token)).await?;
        ensure!(asked.status == 401 && asked.challenge.contains("invalid_token"), "{what}: {asked:?}");
    }
    for (what, token) in [("an access token", access), ("a code", &*code)] {
        let refreshed = journey.refresh(token).await?;
        ensure!(refreshed.body["error"] == "invalid_grant", "{what}: {refreshed:?}");
    }
    let redeemed = journey.redeem(refresh).await?;
    ensure!(redeemed.body["error"] == "invalid_grant", "{redeemed:?}");
    // A token of another house, which has another secret.
    let elsewhere = House::gating(Host::NativeHttp, &[]).await?;
    let asked = ask(&elsewhere.server, Some(access)).await?;
    ensure!(asked.status == 401, "{asked:?}");
    // A token with one character changed.
    let mut changed = access.to_owned();
    let last = changed.pop().context("a token")?;
    changed.push(if last == 'A' { 'Q' } else { 'A' });
    let asked = ask(&house.server, Some(&changed)).await?;
    ensure!(asked.status == 401, "{asked:?}");
    Ok(())
}

async fn refresh() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let other = Journey::begin(house.server.url()).await?;
    let first = journey.granted("bob").await?;
    let stolen = other.refresh(first.text("refresh_token")?).await?;
    ensure!(stolen.body["error"] == "invalid_grant", "{stolen:?}");
    let second = journey.refresh(first.text("refresh_token")?).await?;
    ensure!(second.text("refresh_token")? != first.text("refresh_token")?, "not rotated");
    ensure!(user_in_log(&house.world, &house.server, second.access_token()?).await? == "bob");
    Ok(())
}

async fn expiry() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[("MCP_OAUTH_ACCESS_TOKEN_TTL_SECONDS", "2")]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let granted = journey.granted("alice").await?;
    ensure!(granted.body["expires_in"] == json!(2), "{granted:?}");
    let token = granted.access_token()?;
    let asked = poll::until("the end of a token", async || {
        let asked = ask(&house.server, Some(token)).await?;
        Ok((asked.status != 200).then_some(asked))
    })
    .await?;
    ensure!(asked.status == 401 && asked.challenge.contains("error=\"invalid_token\""), "{asked:?}");
    ensure!(asked.challenge.contains("resource_metadata=\""), "{asked:?}");
    Ok(())
}

async fn challenge() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let asked = ask(&house.server, None).await?;
    ensure!(asked.status == 401 && !asked.challenge.contains("error="), "{asked:?}");
    let (_, rest) = asked.challenge.split_once("resource_metadata=\"").context("no metadata")?;
    let url = rest.split('"').next().unwrap_or_default();
    let http = system_tests::client::plain_http()?;
    let metadata: serde_json::Value = serde_json::from_str(&http.get(url).send().await?.text().await?)?;
    ensure!(metadata["resource"] == json!(house.mcp_url()), "{metadata}");
    let issuer = metadata["authorization_servers"][0].as_str().context("an issuer")?;
    for form in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let text = http.get(format!("{issuer}{form}")).send().await?.text().await?;
        let metadata: serde_json::Value = serde_json::from_str(&text)?;
        ensure!(metadata["issuer"] == json!(issuer), "{metadata}");
        ensure!(metadata["code_challenge_methods_supported"] == json!(["S256"]), "{metadata}");
    }
    Ok(())
}

/// MCP authorization, access token usage: never in the query. altinity-mcp's own headers count, too.
async fn places() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let granted = journey.granted("alice").await?;
    let token = granted.access_token()?;
    for name in ["x-oauth-token", "x-altinity-oauth-token"] {
        let asked = ask_with(&house.server, None, &[(name, token)]).await?;
        ensure!(asked.user()? == "alice", "{name}: {asked:?}");
    }
    let http = system_tests::client::plain_http()?;
    let url = format!("{}?access_token={token}", house.mcp_url());
    let answer = http.post(url).header("content-type", "application/json").body("{}").send().await?;
    ensure!(answer.status() == 401, "{}", answer.status());
    Ok(())
}

/// Login CSRF and code injection (RFC 9700 section 4.7): who got `state` in one browser cannot have another one go on.
async fn another_browser() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    // As far as the provider's answer, which is kept from Housekey.
    let callback = format!("{}/oauth/callback", house.server.url());
    let visit = journey.visit(json!({ "login": "alice", "callback": callback })).await?;
    let answer = visit["final_url"].as_str().context("the provider's answer")?.to_owned();
    ensure!(answer.starts_with(&callback), "{visit}");
    let elsewhere = idp::visit(&json!({ "url": answer, "callback": journey.redirect_uri })).await?;
    ensure!(elsewhere["reached"] == json!(false), "another browser got a code: {elsewhere}");
    Ok(())
}

async fn new_secret() -> Result<()> {
    let house = House::gating(Host::NativeHttp, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let granted = journey.granted("alice").await?;
    let old = house.settings.find("MCP_OAUTH_SIGNING_SECRET").context("a secret")?;
    let new = system_tests::secrets::fresh("a newer signing secret");
    let document = json!({ "server": { "oauth": {
        "identity_map": [{ "rule": "strip_domain", "domain": "example.com" }],
        "signing_secret": [new, old],
    } } });
    let settings = house
        .settings
        .clone()
        .without("MCP_OAUTH_SIGNING_SECRET")
        .with("HOUSEKEY_CONFIG", document.to_string());
    let newer = std::sync::Arc::new(system_tests::host::Server::start(Host::NativeHttp, &settings).await?);
    // The resource has moved with the port, so a token is for the old one; a refresh makes one for that, too.
    let refreshed = journey.at(newer.url()).refresh(granted.text("refresh_token")?).await?;
    ensure!(refreshed.status == 200, "{refreshed:?}");
    let asked = ask(&house.server, Some(granted.access_token()?)).await?;
    ensure!(asked.user()? == "alice", "{asked:?}");
    let asked = ask(&house.server, Some(refreshed.access_token()?)).await?;
    ensure!(asked.status == 401, "the old server has the new secret: {asked:?}");
    ensure!(parameters(&journey.visit(json!({ "login": "alice" })).await?).is_ok());
    Ok(())
}
