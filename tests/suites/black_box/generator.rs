//! `POST /jwe-token-generator`: what it makes, for whom, and what it refuses.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{HttpClient, Reply, STATELESS, fresh_id, query, request};
use system_tests::secrets;
use system_tests::settings::Settings;

const PATH: &str = "/jwe-token-generator";

/// Tokens are on, and everybody runs as the configured login or as their own.
fn without_impersonation(cell: &Cell) -> Result<Settings> {
    let listed = format!("127.0.0.1:{}", cell.clickhouse_port());
    Ok(Settings::login(&cell.world, "bob")?
        .with_tokens(&cell.world)
        .with("MCP_JWE_ALLOWED_HOSTS", listed)
        .with("MCP_JWE_GENERATOR_RATE", "0"))
}

async fn ask(client: &HttpClient, bearer: Option<&str>, body: impl Into<reqwest::Body>) -> Result<Reply> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse()?);
    if let Some(bearer) = bearer {
        headers.insert("authorization", format!("Bearer {bearer}").parse()?);
    }
    client.send(Method::POST, PATH, headers, body).await
}

/// The token of an answer, whose shape is that of the peer's documents.
fn token(reply: &Reply) -> Result<String> {
    ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
    ensure!(reply.header("content-type").starts_with("application/json"), "{}", reply.header("content-type"));
    ensure!(reply.header("cache-control") == "no-store", "{}", reply.header("cache-control"));
    let answer: Value = serde_json::from_slice(&reply.body)?;
    ensure!(answer.as_object().is_some_and(|members| members.len() == 1), "{answer}");
    Ok(secrets::remember("a minted token", answer["token"].as_str().context("no token")?))
}

fn own_login(cell: &Cell) -> Result<Value> {
    Ok(json!({
        "host": "127.0.0.1",
        "port": cell.clickhouse_port(),
        "database": "default",
        "username": "alice",
        "password": cell.world.password("alice")?,
        "protocol": cell.protocol(),
        "expiry": 600,
        "limit": 3,
    }))
}

async fn runs_as(cell: &Cell, settings: &Settings, token: &str, person: &str) -> Result<()> {
    let client = cell.http_to(settings, Some(token)).await?;
    let message = request(STATELESS, &fresh_id(), "tools/call", query("SELECT currentUser()"));
    let reply = client.post(&message).await?;
    let rows = &reply.json()?["result"]["structuredContent"]["rows"];
    ensure!(*rows == json!([[person]]), "{} {}", reply.status, reply.text());
    Ok(())
}

/// What a stranger gets is what they brought.
pub(crate) async fn strangers(cell: Cell) -> Result<()> {
    let settings = without_impersonation(&cell)?;
    let client = cell.http_to(&settings, None).await?;
    let minted = token(&ask(&client, None, own_login(&cell)?.to_string()).await?)?;
    runs_as(&cell, &settings, &minted, "alice").await?;

    let with = |name: &str, value: Value| -> Result<String> {
        let mut body = own_login(&cell)?;
        body[name] = value;
        Ok(body.to_string())
    };
    for (what, body, status) in [
        ("nothing", "{}".to_owned(), 403),
        ("an e-mail address", json!({ "email": "alice" }).to_string(), 403),
        ("an e-mail address beside a login", with("email", json!("bob"))?, 403),
        ("a subject beside a login", with("sub", json!("bob"))?, 403),
        ("no host", with("host", json!(""))?, 403),
        ("no user", with("username", json!(""))?, 403),
        ("no password", with("password", Value::Null)?, 403),
        ("a metadata address", with("host", json!("169.254.169.254"))?, 403),
        ("this machine", with("port", json!(22))?, 403),
        ("no JSON", "{".to_owned(), 400),
        ("nothing at all", String::new(), 400),
        ("a list", "[]".to_owned(), 400),
        ("an unknown field", with("admin", json!(true))?, 400),
        ("a field twice", r#"{"host":"a","host":"b"}"#.to_owned(), 400),
        ("a text for a number", with("port", json!("8123"))?, 400),
        ("a negative life", with("expiry", json!(-1))?, 400),
        ("a port beyond ports", with("port", json!(65536))?, 400),
    ] {
        let reply = ask(&client, None, body).await?;
        ensure!(reply.status == status, "{what}: {} {}", reply.status, reply.text());
        ensure!(secrets::shown_in(&reply.text()).is_empty(), "{what}: {}", reply.text());
    }
    // This server's own place in the network is nothing that a stranger has, not even towards the configured ClickHouse.
    for list in ["", "*"] {
        let client = cell.http_to(&settings.clone().with("MCP_JWE_ALLOWED_HOSTS", list), None).await?;
        for host in ["127.0.0.1", "10.0.0.1"] {
            let reply = ask(&client, None, with("host", json!(host))?).await?;
            ensure!(reply.status == 403, "{list:?} {host}: {} {}", reply.status, reply.text());
        }
        let own = cell.http_to(&settings.clone().with("MCP_JWE_ALLOWED_HOSTS", list), Some(&minted)).await?;
        let message = request(STATELESS, &fresh_id(), "tools/call", query("SELECT 1"));
        let reply = own.post(&message).await?;
        ensure!(reply.status == 403, "{list:?}: {} {}", reply.status, reply.text());
    }
    let reply = ask(&client, None, with("admin", json!(true))?).await?;
    ensure!(reply.text().contains("admin"), "the field is named: {}", reply.text());
    let reply = ask(&client, None, vec![b' '; 70 << 10]).await?;
    ensure!(reply.status == 413, "{}", reply.status);
    Ok(())
}

/// Methods, and the ways in which it is not there.
pub(crate) async fn statuses(cell: Cell) -> Result<()> {
    let client = cell.http_to(&without_impersonation(&cell)?, None).await?;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let reply = client.send(method.clone(), PATH, HeaderMap::new(), "").await?;
        ensure!(reply.status == 405 && reply.header("allow") == "POST", "{method}: {}", reply.status);
    }
    let off = Settings::login(&cell.world, "bob")?;
    let reply = ask(&cell.http_to(&off, None).await?, None, own_login(&cell)?.to_string()).await?;
    ensure!(reply.status == 403, "without tokens: {} {}", reply.status, reply.text());
    let switched_off = without_impersonation(&cell)?.with("MCP_JWE_GENERATOR", "false");
    let reply = ask(&cell.http_to(&switched_off, None).await?, None, own_login(&cell)?.to_string()).await?;
    ensure!(reply.status == 404, "switched off: {} {}", reply.status, reply.text());
    let reply = ask(&cell.http(None).await?, None, own_login(&cell)?.to_string()).await?;
    ensure!(reply.status == 403, "with impersonation: {} {}", reply.status, reply.text());
    Ok(())
}

/// The operator's own tool has any token made, and nobody else has.
pub(crate) async fn bearer(cell: Cell) -> Result<()> {
    let key = secrets::fresh("a generator token");
    let settings = Settings::standard(&cell.world)?
        .with("MCP_JWE_GENERATOR_TOKEN", &*key)
        .with("MCP_JWE_GENERATOR_RATE", "0");
    let client = cell.http_to(&settings, None).await?;
    let minted = token(&ask(&client, Some(&key), json!({ "email": "alice" }).to_string()).await?)?;
    runs_as(&cell, &settings, &minted, "alice").await?;
    let minted = token(&ask(&client, Some(&key), own_login(&cell)?.to_string()).await?)?;
    runs_as(&cell, &settings, &minted, "alice").await?;
    for (bearer, status) in [
        (None, 403),
        (Some("wrong"), 401),
        (Some(&key[1..]), 401),
        (Some(&*format!("{key}x")), 401),
        (Some(&*cell.token("alice")?), 401),
    ] {
        let reply = ask(&client, bearer, json!({ "email": "alice" }).to_string()).await?;
        ensure!(reply.status == status, "{} {}", reply.status, reply.text());
    }
    // Not even the operator's tool gets a token that this server would refuse.
    let reply = ask(&client, Some(&key), json!({ "email": "default" }).to_string()).await?;
    ensure!(reply.status == 400, "{} {}", reply.status, reply.text());
    // Without a configured bearer nobody is the operator's tool.
    let unset = Settings::standard(&cell.world)?.with("MCP_JWE_GENERATOR_RATE", "0");
    let client = cell.http_to(&unset, None).await?;
    let reply = ask(&client, Some("anything"), json!({ "email": "alice" }).to_string()).await?;
    ensure!(reply.status == 401, "{} {}", reply.status, reply.text());
    Ok(())
}

/// A flood of strangers is answered with 429 and does not lock out the operator's tool.
pub(crate) async fn rate(cell: Cell) -> Result<()> {
    let key = secrets::fresh("a generator token");
    let settings = without_impersonation(&cell)?
        .with("MCP_JWE_GENERATOR_TOKEN", &*key)
        .with("MCP_JWE_GENERATOR_RATE", "5");
    let client = cell.http_to(&settings, None).await?;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(ask(&client, None, "{}").await?.status);
    }
    ensure!(statuses[..5] == [403; 5] && statuses[6..] == [429; 2], "{statuses:?}");
    let reply = ask(&client, Some("wrong"), "{}").await?;
    let pause: u64 = reply.header("retry-after").parse().context("Retry-After")?;
    ensure!(reply.status == 429 && (1..=60).contains(&pause), "{} {pause}", reply.status);
    token(&ask(&client, Some(&key), own_login(&cell)?.to_string()).await?)?;
    Ok(())
}
