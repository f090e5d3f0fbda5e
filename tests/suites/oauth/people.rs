//! Who is let in, and who a person is for ClickHouse.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use system_tests::client::{Client, HttpClient};
use system_tests::host::Host;

use super::house::{House, ask, user_in_log};
use super::journey::Journey;
use super::{Need, trial};

const NODE: &[Need] = &[Need::Node];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("people::who_is_not_let_in_learns_why_at_the_token_endpoint", NODE, not_let_in),
        trial("people::groups_and_hosted_domains_are_asked_for", NODE, groups),
        trial(
            "people::somebody_whom_clickhouse_does_not_know_gets_an_error_and_not_the_gateway",
            NODE,
            unknown,
        ),
        trial("people::nobody_becomes_the_gateway_or_default_or_admin", NODE, reserved),
        trial("people::the_cluster_vouches_for_a_person", NODE, interserver),
        trial("people::roles_of_a_claim_reach_clickhouse_as_far_as_they_are_let", NODE, roles),
        trial("people::who_is_dismissed_loses_access_at_the_next_refresh", NODE, dismissed),
        trial("people::claims_become_headers_and_the_user", NODE, claims_to_headers),
    ]
}

/// Signs somebody in; what the token endpoint says.
async fn outcome(house: &House, login: &str) -> Result<(u16, String)> {
    let journey = Journey::begin(house.server.url()).await?;
    let granted = journey.granted(login).await?;
    Ok((granted.status, granted.body["error"].as_str().unwrap_or_default().to_owned()))
}

async fn not_let_in() -> Result<()> {
    let more = [("MCP_OAUTH_ALLOWED_EMAIL_DOMAINS", "example.com")];
    let house = House::gating(Host::NativeHttp, &more).await?;
    for login in ["mallory", "eve", "carol"] {
        let (status, error) = outcome(&house, login).await?;
        ensure!(matches!(status, 400 | 403) && error == "access_denied", "{login}: {status} {error}");
    }
    let (status, error) = outcome(&house, "alice").await?;
    ensure!(status == 200, "alice: {status} {error}");
    Ok(())
}

async fn groups() -> Result<()> {
    let more =
        [("MCP_OAUTH_ALLOWED_GROUPS", "analysts"), ("MCP_OAUTH_ALLOWED_HOSTED_DOMAINS", "example.com")];
    let house = House::gating(Host::NativeHttp, &more).await?;
    let (status, _) = outcome(&house, "alice").await?;
    ensure!(status == 200, "alice is an analyst: {status}");
    let (_, error) = outcome(&house, "bob").await?;
    ensure!(error == "access_denied", "bob is none: {error}");
    Ok(())
}

async fn unknown() -> Result<()> {
    let options = json!({ "users": { "absent": { "email": "absent@example.com", "email_verified": true } } });
    let house = House::build(Host::NativeHttp, &options, &[]).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let granted = journey.granted("absent").await?;
    let asked = ask(&house.server, Some(granted.access_token()?)).await?;
    ensure!(asked.message["result"]["isError"] == json!(true), "{asked:?}");
    Ok(())
}

/// Names that the provider may write as it likes: only case, blanks or Unicode tell some from the reserved ones.
async fn reserved() -> Result<()> {
    let names = ["default", "Default", "gateway", "ADMIN", " admin", "\u{ff44}efault", "admin\u{200b}"];
    let users: serde_json::Map<String, serde_json::Value> =
        names.iter().enumerate().map(|(at, name)| (format!("person{at}"), json!({ "name": name }))).collect();
    let more = [("MCP_OAUTH_USERNAME_CLAIM", "name")];
    let options = json!({ "users": users });
    let house = House::build(Host::NativeHttp, &options, &more).await?;
    for (at, name) in names.iter().enumerate() {
        let journey = Journey::begin(house.server.url()).await?;
        let granted = journey.granted(&format!("person{at}")).await?;
        if granted.status == 200 {
            let asked = ask(&house.server, Some(granted.access_token()?)).await?;
            ensure!(asked.status == 403, "{name:?} is somebody: {asked:?}");
        } else {
            ensure!(granted.body["error"] == "access_denied", "{name:?}: {granted:?}");
        }
    }
    Ok(())
}

async fn interserver() -> Result<()> {
    let world = system_tests::world::world().await?;
    let clickhouse = world.clickhouse();
    let (port, secret) = (clickhouse.tcp_port().to_string(), clickhouse.cluster_secret().to_owned());
    let name = clickhouse.cluster_name().to_owned();
    let more = [
        ("CLICKHOUSE_PORT", port.as_str()),
        ("CLICKHOUSE_PROTOCOL", "tcp"),
        ("CLICKHOUSE_IMPERSONATION", "interserver"),
        ("CLICKHOUSE_CLUSTER_NAME", name.as_str()),
        ("CLICKHOUSE_CLUSTER_SECRET", secret.as_str()),
    ];
    let house = House::gating(Host::NativeHttp, &more).await?;
    let journey = Journey::begin(house.server.url()).await?;
    for login in ["alice", "bob"] {
        let granted = journey.granted(login).await?;
        ensure!(user_in_log(&house.world, &house.server, granted.access_token()?).await? == login);
    }
    Ok(())
}

/// Roles of a claim that the filter lets through, which nobody was granted: the cluster's member adds them.
async fn roles() -> Result<()> {
    let world = system_tests::world::world().await?;
    let clickhouse = world.clickhouse();
    let (port, secret) = (clickhouse.tcp_port().to_string(), clickhouse.cluster_secret().to_owned());
    let more = [
        ("CLICKHOUSE_PORT", port.as_str()),
        ("CLICKHOUSE_PROTOCOL", "tcp"),
        ("CLICKHOUSE_IMPERSONATION", "interserver"),
        ("CLICKHOUSE_CLUSTER_NAME", clickhouse.cluster_name()),
        ("CLICKHOUSE_CLUSTER_SECRET", secret.as_str()),
        ("MCP_OAUTH_ROLE_CLAIM", "groups"),
        ("MCP_OAUTH_ROLE_FILTER", "pay.*|arch"),
    ];
    let options = json!({ "users": { "alice": { "groups": ["analysts", "payroll", "archivist"] } } });
    let house = House::build(Host::NativeHttp, &options, &more).await?;
    let granted = Journey::begin(house.server.url()).await?.granted("alice").await?;
    let mut client = Client::Http(HttpClient::new(Arc::clone(&house.server), Some(granted.access_token()?))?);
    let paid = client.query("SELECT count() > 0 FROM hr.salaries").await?;
    ensure!(paid.value()? == json!(true) || paid.value()? == json!(1), "{paid:?}");
    // `arch` is a part of a name and no name, so what it begins is not let through.
    let notes = client.query("SELECT count() FROM scratch.notes").await?;
    ensure!(
        notes.failure()?.contains("ACCESS_DENIED") || notes.failure()?.contains("Not enough"),
        "{notes:?}"
    );
    let (_, error) = outcome(&house, "bob").await?;
    ensure!(error == "access_denied", "bob has no role: {error}");
    Ok(())
}

async fn dismissed() -> Result<()> {
    let more = [("MCP_OAUTH_UPSTREAM_OFFLINE_ACCESS", "true")];
    let house = House::gating(Host::NativeHttp, &more).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let first = journey.granted("alice").await?;
    let second = journey.refresh(first.text("refresh_token")?).await?;
    ensure!(second.status == 200, "{second:?}");
    house.provider.revoke("alice").await?;
    let third = journey.refresh(second.text("refresh_token")?).await?;
    ensure!(third.body["error"] == "invalid_grant", "{third:?}");
    Ok(())
}

/// `claims_to_headers` with `X-ClickHouse-User`, as altinity-mcp's documents have it.
async fn claims_to_headers() -> Result<()> {
    let more = [
        ("CLICKHOUSE_IMPERSONATION", "none"),
        ("MCP_OAUTH_CLAIMS_TO_HEADERS", "email=X-ClickHouse-User,sub=X-Subject"),
    ];
    let house = House::gating(Host::NativeHttp, &more).await?;
    let journey = Journey::begin(house.server.url()).await?;
    let granted = journey.granted("alice").await?;
    let asked = ask(&house.server, Some(granted.access_token()?)).await?;
    // The gateway's password is not alice's: ClickHouse was asked as alice, and nobody else answered.
    ensure!(asked.message["result"]["isError"] == json!(true), "{asked:?}");
    ensure!(asked.user().is_err() && !asked.message.to_string().contains("gateway"), "{asked:?}");
    Ok(())
}
