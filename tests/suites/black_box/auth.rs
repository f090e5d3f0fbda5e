//! Every way in which authentication is refused, and that nothing reaches ClickHouse then.

use anyhow::{Result, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{STATELESS, fresh_id, query, request};
use system_tests::gate::Gate;
use system_tests::host;
use system_tests::settings::Settings;
use system_tests::stdio::Pipe;
use system_tests::token::{Mint, now};
use system_tests::{poll, secrets};

/// What is expected of a refusal.
struct Refusal {
    what: &'static str,
    token: Option<String>,
    status: u16,
    challenge: &'static str,
}

/// Of Housekey's own questions nobody is to be counted.
fn unprobed(settings: &Settings) -> Settings {
    settings.clone().with("CLICKHOUSE_IMPERSONATION_PROBE", "false")
}

/// Presents each token to a host whose ClickHouse is a gate, and looks who came to it.
async fn are_refused(cell: &Cell, settings: &Settings, refusals: Vec<Refusal>) -> Result<()> {
    let gate = Gate::open().await?;
    let settings = unprobed(settings).with("CLICKHOUSE_PORT", gate.port().to_string());
    let server = cell.server(&settings).await?;
    for Refusal { what, token, status, challenge } in refusals {
        let client = system_tests::client::HttpClient::new(server.clone(), token.as_deref())?;
        for message in [
            request(STATELESS, &fresh_id(), "tools/call", query("SELECT 1")),
            request(STATELESS, &fresh_id(), "tools/list", json!({})),
            request(
                "2025-11-25",
                &fresh_id(),
                "initialize",
                json!({ "protocolVersion": "2025-11-25", "capabilities": {} }),
            ),
        ] {
            let reply = client.post(&message).await?;
            ensure!(reply.status == status, "{what}: {} {}", reply.status, reply.text());
            let found = reply.header("www-authenticate");
            if challenge.is_empty() {
                ensure!(found.is_empty(), "{what}: {found}");
            } else {
                ensure!(found.starts_with("Bearer ") && found.contains(challenge), "{what}: {found}");
            }
            ensure!(secrets::shown_in(&reply.text()).is_empty(), "{what}: a secret in {}", reply.text());
        }
    }
    let visitors = gate.visitors().await?;
    ensure!(visitors == 0, "{} connections reached ClickHouse", visitors);
    Ok(())
}

const INVALID: &str = "error=\"invalid_token\"";

fn refusal(
    what: &'static str,
    token: impl Into<Option<String>>,
    status: u16,
    challenge: &'static str,
) -> Refusal {
    Refusal { what, token: token.into(), status, challenge }
}

/// Another character at a place of the token.
fn flipped(token: &str, at: usize) -> String {
    let mut bytes = token.as_bytes().to_vec();
    if let Some(byte) = bytes.get_mut(at) {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn bad_tokens(cell: &Cell) -> Result<Vec<Refusal>> {
    let mint = &cell.world.mint;
    let good = mint.token(json!({ "email": "alice" }))?;
    let unsigned = Mint { jwt_secret: None, ..mint.clone() };
    let other_signer = Mint { jwt_secret: Mint::new().jwt_secret, ..mint.clone() };
    let other_sealer = Mint { jwe_secret: Mint::new().jwe_secret, ..mint.clone() };
    let claims = || json!({ "email": "alice" });
    let parts: Vec<&str> = good.split('.').collect();
    let mut refusals = vec![
        refusal("garbage", "garbage".to_owned(), 401, INVALID),
        refusal("five empty parts", "....".to_owned(), 401, INVALID),
        refusal("truncated", good[..good.len() / 2].to_owned(), 401, INVALID),
        refusal("without its tag", parts[..4].join("."), 401, INVALID),
        refusal("a part too many", format!("{good}.x"), 401, INVALID),
        refusal("expired", mint.token(json!({ "email": "alice", "exp": now() - 10 }))?, 401, INVALID),
        refusal("not yet valid", mint.token(json!({ "email": "alice", "nbf": now() + 600 }))?, 401, INVALID),
        refusal(
            "issued in the future",
            mint.token(json!({ "email": "alice", "iat": now() + 600 }))?,
            401,
            INVALID,
        ),
        refusal("without an end", mint.token(json!({ "email": "alice", "exp": null }))?, 401, INVALID),
        refusal("signed with another secret", other_signer.token(claims())?, 401, INVALID),
        refusal("encrypted with another secret", other_sealer.token(claims())?, 401, INVALID),
        refusal("encrypted and not signed", unsigned.token(claims())?, 401, INVALID),
        refusal("an unknown claim", mint.token(json!({ "email": "alice", "admin": true }))?, 401, INVALID),
        refusal(
            "a claim of an OAuth code",
            mint.token(json!({ "email": "alice", "code_challenge": "x" }))?,
            401,
            INVALID,
        ),
        refusal("a claim of the wrong type", mint.token(json!({ "email": ["alice"] }))?, 401, INVALID),
        refusal(
            "a claim twice",
            mint.seal(br#"{"email":"alice","email":"bob","exp":4102444800}"#)?,
            401,
            INVALID,
        ),
        refusal("claims that are no object", mint.seal(b"[]")?, 401, INVALID),
    ];
    // One changed character in each part, and in its last place.
    let mut at = 0;
    for part in &parts {
        refusals.push(refusal("a flipped character", flipped(&good, at + part.len() / 2), 401, INVALID));
        at += part.len() + 1;
    }
    Ok(refusals)
}

pub(crate) async fn every_refusal(cell: Cell) -> Result<()> {
    let mut refusals = bad_tokens(&cell)?;
    refusals.push(Refusal { what: "no token", token: None, status: 401, challenge: "Bearer" });
    are_refused(&cell, &Settings::standard(&cell.world)?, refusals).await
}

/// Without a signing secret, claims are plain JSON; a signed token cannot be verified then.
pub(crate) async fn unsigned_token(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?.without("MCP_JWT_SECRET_KEY");
    let mint = Mint { jwt_secret: None, ..cell.world.mint.clone() };
    let client = cell.http_to(&settings, Some(&mint.token(json!({ "email": "alice" }))?)).await?;
    let message = request(STATELESS, &fresh_id(), "tools/call", query("SELECT currentUser()"));
    let reply = client.post(&message).await?;
    ensure!(reply.json()?["result"]["structuredContent"]["rows"] == json!([["alice"]]), "{}", reply.text());
    let signed = refusal("signed, and no secret to verify it", cell.token("alice")?, 401, INVALID);
    are_refused(&cell, &settings, vec![signed]).await
}

pub(crate) async fn tokens_without_identity(cell: Cell) -> Result<()> {
    let mint = &cell.world.mint;
    let refusals = vec![
        refusal("no identity", mint.token(json!({}))?, 401, INVALID),
        refusal("only a name", mint.token(json!({ "name": "Alice", "hd": "example.com" }))?, 401, INVALID),
        refusal("an empty identity", mint.token(json!({ "email": "", "sub": "" }))?, 401, INVALID),
    ];
    are_refused(&cell, &Settings::standard(&cell.world)?, refusals).await
}

pub(crate) async fn tokens_that_choose_a_server(cell: Cell) -> Result<()> {
    let mint = &cell.world.mint;
    let mut refusals = Vec::new();
    for claims in [
        json!({ "email": "alice", "host": "127.0.0.1" }),
        json!({ "email": "alice", "port": 8123 }),
        json!({ "email": "alice", "protocol": "http" }),
        json!({ "email": "alice", "tls_enabled": false }),
        json!({ "host": "127.0.0.1" }),
        json!({ "username": "alice", "host": "127.0.0.1" }),
    ] {
        refusals.push(refusal("a server without a login", mint.token(claims)?, 401, INVALID));
    }
    if matches!(cell.host, host::Host::HostedComponent | host::Host::StockWasmtime) {
        let claims = json!({ "username": "alice", "password": "x", "protocol": "tcp" });
        refusals.push(refusal("sockets in a component", mint.token(claims)?, 403, ""));
    }
    for claims in [
        json!({ "username": "alice", "password": "x", "tls_enabled": true, "tls_ca_cert": "/etc/ssl/cert.pem" }),
        json!({ "username": "alice", "password": "x", "tls_insecure_skip_verify": true }),
    ] {
        refusals.push(refusal("what is not supported", mint.token(claims)?, 403, ""));
    }
    are_refused(&cell, &Settings::standard(&cell.world)?, refusals).await?;

    // With a login of its own, a token may choose; what the operator configured is not sent there.
    let claims = json!({
        "username": "alice",
        "password": cell.world.password("alice")?,
        "host": "127.0.0.1",
        "port": cell.clickhouse_port(),
    });
    let gate = Gate::open().await?;
    let settings = unprobed(&Settings::standard(&cell.world)?)
        .with("CLICKHOUSE_PORT", gate.port().to_string())
        .with("MCP_JWE_ALLOWED_HOSTS", "127.0.0.1");
    let answer =
        cell.client(&settings, Some(&mint.token(claims)?)).await?.query("SELECT currentUser()").await?;
    ensure!(answer.value()? == json!("alice") && gate.visitors().await? == 0, "{}", answer.message);
    Ok(())
}

/// The gateway itself, `default` and whom the operator denies, on every host.
pub(crate) async fn denied_people(cell: Cell) -> Result<()> {
    for name in ["gateway", "default", "admin"] {
        let token = cell.token(name)?;
        if cell.host.speaks_http() {
            let denied = refusal("denied by name", token, 403, "");
            are_refused(&cell, &Settings::standard(&cell.world)?, vec![denied]).await?;
        } else {
            let settings = Settings::standard(&cell.world)?.with("MCP_TOKEN", token);
            let ended = host::run_to_end(cell.host, &settings, &[]).await?;
            ensure!(!ended.status.success(), "{name}: {}", ended.stderr);
        }
    }
    Ok(())
}

pub(crate) async fn places_of_the_token(cell: Cell) -> Result<()> {
    let token = cell.token("alice")?;
    let anonymous = cell.http(None).await?;
    let message = request(STATELESS, "place", "tools/call", query("SELECT currentUser()"));
    let bearer = format!("Bearer {token}");
    let basic = format!("basic {token}");
    for (name, value) in [
        ("authorization", &bearer),
        ("authorization", &basic),
        ("x-altinity-mcp-key", &token),
        ("x-housekey-key", &token),
    ] {
        let reply = anonymous.post_with(&message, &[(name, value)]).await?;
        ensure!(reply.status == 200, "{name}: {} {}", reply.status, reply.text());
        ensure!(rows(&reply.json()?) == json!([["alice"]]), "{name}: {}", reply.text());
    }
    for path in [format!("/{token}"), format!("/{token}/"), format!("/{token}/mcp"), format!("/{token}/http")]
    {
        let reply =
            anonymous.send(Method::POST, &path, anonymous.headers(&message)?, message.to_string()).await?;
        ensure!(
            reply.status == 200 && rows(&reply.json()?) == json!([["alice"]]),
            "{} {}",
            reply.status,
            reply.text()
        );
    }
    let spoilt = format!("/{}", flipped(&token, token.len() - 10));
    let reply =
        anonymous.send(Method::POST, &spoilt, anonymous.headers(&message)?, message.to_string()).await?;
    ensure!(reply.status == 401 && reply.header("www-authenticate").contains(INVALID), "{}", reply.status);
    // Two of them are a request that cannot be understood (RFC 6750 section 3.1).
    let mut twice: HeaderMap = anonymous.headers(&message)?;
    twice.append("authorization", bearer.parse()?);
    twice.append("authorization", basic.parse()?);
    let reply = anonymous.send(Method::POST, "/mcp", twice, message.to_string()).await?;
    ensure!(
        reply.status == 400 && reply.header("www-authenticate").contains("invalid_request"),
        "{}",
        reply.status
    );
    Ok(())
}

fn rows(message: &Value) -> Value {
    message["result"]["structuredContent"]["rows"].clone()
}

pub(crate) async fn stdio_without_a_token(cell: Cell) -> Result<()> {
    let ended = host::run_to_end(cell.host, &Settings::standard(&cell.world)?, &[]).await?;
    ensure!(!ended.status.success() && ended.stderr.contains("MCP_TOKEN"), "{:?}", ended);
    Ok(())
}

pub(crate) async fn stdio_with_bad_tokens(cell: Cell) -> Result<()> {
    let gate = Gate::open().await?;
    let settings =
        unprobed(&Settings::standard(&cell.world)?).with("CLICKHOUSE_PORT", gate.port().to_string());
    for Refusal { what, token, .. } in bad_tokens(&cell)? {
        let settings = settings.clone().with("MCP_TOKEN", token.unwrap_or_default());
        let ended = host::run_to_end(cell.host, &settings, &[]).await?;
        ensure!(!ended.status.success(), "{what}: {}", ended.stderr);
    }
    let visitors = gate.visitors().await?;
    ensure!(visitors == 0, "{} connections reached ClickHouse", visitors);
    Ok(())
}

pub(crate) async fn stdio_token_that_expires(cell: Cell) -> Result<()> {
    let token = cell.world.mint.token(json!({ "email": "alice", "exp": now() + 12 }))?;
    let mut pipe = Pipe::start(&Settings::standard(&cell.world)?.with("MCP_TOKEN", token))?;
    let first = request(STATELESS, "first", "tools/call", query("SELECT currentUser()"));
    let answer = pipe.ask(&first, &json!("first")).await?;
    ensure!(rows(&answer) == json!([["alice"]]), "{answer}");
    let refusal = poll::until("the end of the token", async || {
        let id = fresh_id();
        let message = request(STATELESS, &id, "tools/list", json!({}));
        let answer = pipe.ask(&message, &json!(id)).await?;
        Ok(answer.get("error").cloned())
    })
    .await?;
    ensure!(refusal["code"] == json!(401), "{refusal}");
    Ok(())
}
