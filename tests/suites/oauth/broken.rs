//! A provider that errs on purpose: nothing that it says wrongly makes a token.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use system_tests::host::{Host, Server};
use system_tests::idp::BrokenProvider;
use system_tests::world::world;

use super::house::{ask, people};
use super::journey::Journey;
use super::{Need, trial};

const NODE: &[Need] = &[Need::Node];

/// What goes wrong at a login, and must end in an error of the token endpoint.
const AT_LOGIN: &[&str] = &[
    "wrong_aud",
    "missing_aud",
    "aud_prefix",
    "aud_among_others_foreign_azp",
    "foreign_azp",
    "wrong_iss",
    "missing_iss",
    "expired",
    "missing_exp",
    "not_yet_valid",
    "issued_in_future",
    "wrong_nonce",
    "missing_nonce",
    "missing_sub",
    "unknown_kid",
    "alg_none",
    "alg_none_odd_case",
    "hs256_pem",
    "hs256_modulus",
    "hs256_client_secret",
    "other_key",
    "other_key_without_kid",
    "embedded_jwk",
    "embedded_jku",
    "unknown_crit",
    "tampered",
    "signature_cut",
    "doubled_claim",
    "encrypted",
    "email_unverified",
    "token_500",
    "token_html",
    "token_redirect",
    "token_huge",
    "token_invalid_grant",
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("broken::no_fault_at_a_login_makes_a_token", NODE, faults),
        trial("broken::userinfo_of_somebody_else_is_not_believed", NODE, userinfo),
        trial("broken::an_answer_of_another_issuer_is_refused", NODE, mix_up),
        trial("broken::a_discovery_document_of_another_issuer_is_refused", NODE, discovery),
        trial("broken::no_forged_access_token_is_let_in", NODE, forged),
    ]
}

/// A provider that errs, and a Housekey before it.
struct Pair {
    provider: BrokenProvider,
    server: Arc<Server>,
}

async fn pair(mode: &str, more: &[(&str, &str)]) -> Result<Pair> {
    let world = world().await?;
    let claims = json!({ "sub": "alice", "email": "alice@example.com", "email_verified": true });
    let provider = BrokenProvider::start(&json!({ "claims": claims })).await?;
    let mut settings = people(&world)?
        .with("MCP_OAUTH_MODE", mode)
        .with("MCP_OAUTH_ISSUER", provider.issuer()?)
        .with("MCP_OAUTH_CLIENT_ID", provider.client_id()?)
        .with("MCP_OAUTH_CLIENT_SECRET", provider.client_secret()?);
    for (name, value) in more {
        settings = settings.with(name, *value);
    }
    let server = Arc::new(Server::start(Host::NativeHttp, &settings).await?);
    Ok(Pair { provider, server })
}

async fn faults() -> Result<()> {
    let Pair { provider, server } = pair("gating", &[]).await?;
    let known = provider.service().get("/__faults").await?.to_string();
    for fault in AT_LOGIN {
        ensure!(known.contains(fault), "the provider knows no fault {fault}: {known}");
        let journey = Journey::begin(server.url()).await?;
        provider.next(fault).await?;
        let granted = journey.granted("alice").await.with_context(|| (*fault).to_owned())?;
        ensure!(granted.status >= 400, "{fault}: {granted:?}");
        ensure!(granted.body.get("access_token").is_none(), "{fault}: {granted:?}");
    }
    // It was not for want of anything else.
    provider.always(&json!({})).await?;
    let granted = Journey::begin(server.url()).await?.granted("alice").await?;
    ensure!(ask(&server, Some(granted.access_token()?)).await?.user()? == "alice");
    Ok(())
}

/// OpenID Connect Core section 5.3.2.
async fn userinfo() -> Result<()> {
    let Pair { provider, server } = pair("gating", &[]).await?;
    provider.always(&json!({ "fault": "no_id_token" })).await?;
    let granted = Journey::begin(server.url()).await?.granted("alice").await?;
    ensure!(ask(&server, Some(granted.access_token()?)).await?.user()? == "alice", "userinfo alone will do");
    // The ID token says that alice was here and gives no address; userinfo gives bob's, of another subject.
    let bob = json!({ "sub": "bob", "email": "bob@example.com", "email_verified": true });
    provider.always(&json!({ "fault": "email_absent" })).await?;
    let asked = |log: &serde_json::Value| log["endpoints"]["GET /userinfo"].as_u64().unwrap_or(0);
    let before = asked(&provider.service().log().await?);
    provider.next_with(&json!({ "fault": "userinfo_other_sub", "claims": bob })).await?;
    let granted = Journey::begin(server.url()).await?.granted("alice").await?;
    ensure!(granted.body["error"] == "server_error", "{granted:?}");
    ensure!(granted.body.get("access_token").is_none(), "{granted:?}");
    ensure!(asked(&provider.service().log().await?) > before, "nobody asked userinfo");
    Ok(())
}

/// Mix-up (RFC 9207 section 2.4, RFC 9700 section 4.4).
async fn mix_up() -> Result<()> {
    let Pair { provider, server } = pair("gating", &[]).await?;
    let journey = Journey::begin(server.url()).await?;
    provider.next("foreign_callback_iss").await?;
    let called_back = journey.called_back("alice").await?;
    ensure!(called_back.get("error").map(String::as_str) == Some("server_error"), "{called_back:?}");
    // The next answer is of the right one.
    journey.code("alice").await?;
    Ok(())
}

async fn discovery() -> Result<()> {
    let Pair { provider, server } = pair("gating", &[]).await?;
    provider.always(&json!({ "fault": "discovery_foreign_issuer" })).await?;
    let journey = Journey::begin(server.url()).await?;
    let visit = journey.visit(json!({ "login": "alice" })).await?;
    let log = provider.service().log().await?;
    ensure!(log["endpoints"]["GET /authorize"].as_u64().unwrap_or(0) == 0, "sent there all the same: {log}");
    ensure!(server.stderr().text().contains("names another issuer"), "{}", server.stderr().text());
    ensure!(!visit.to_string().contains("code="), "{visit}");
    Ok(())
}

/// Mode `resource`: what the provider signs, and what only looks as if it had.
async fn forged() -> Result<()> {
    let Pair { provider, server } =
        pair("resource", &[("MCP_OAUTH_AUDIENCE", "https://mcp.example.com")]).await?;
    let claims =
        json!({ "aud": "https://mcp.example.com", "email": "alice@example.com", "email_verified": true });
    let order = |fault: &str| json!({ "kind": "access", "fault": fault, "claims": claims });
    let good = provider.mint(&json!({ "kind": "access", "claims": claims })).await?;
    ensure!(ask(&server, Some(&good)).await?.user()? == "alice", "a good token");
    for fault in [
        "wrong_aud",
        "missing_aud",
        "aud_prefix",
        "wrong_iss",
        "missing_iss",
        "expired",
        "missing_exp",
        "not_yet_valid",
        "unknown_kid",
        "alg_none",
        "hs256_pem",
        "hs256_modulus",
        "other_key",
        "embedded_jwk",
        "embedded_jku",
        "unknown_crit",
        "tampered",
        "signature_cut",
        "doubled_claim",
    ] {
        let token = provider.mint(&order(fault)).await.with_context(|| fault.to_owned())?;
        let asked = ask(&server, Some(&token)).await?;
        ensure!(asked.status == 401 && asked.challenge.contains("invalid_token"), "{fault}: {asked:?}");
    }
    // A nonce is what tells an ID token from the access tokens of providers that do not say what is what.
    let mut claims = claims;
    claims["nonce"] = json!("of a login");
    let id_token = provider.mint(&json!({ "kind": "id", "claims": claims })).await?;
    let asked = ask(&server, Some(&id_token)).await?;
    ensure!(asked.status == 401, "an ID token: {asked:?}");
    Ok(())
}
