//! Calls over REST: as who, what comes back, what is refused.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{HttpClient, Reply};
use system_tests::gate::Gate;
use system_tests::host::Host;
use system_tests::settings::Settings;

const HEADERS: &[&str] = &[
    "content-type",
    "www-authenticate",
    "allow",
    "cache-control",
    "vary",
    "x-mcp-truncated",
    "access-control-allow-origin",
    "access-control-expose-headers",
];

fn settings(cell: &Cell) -> Result<Settings> {
    Ok(Settings::standard(&cell.world)?.with("MCP_OPENAPI", "http"))
}

async fn client(cell: &Cell) -> Result<HttpClient> {
    cell.http_to(&settings(cell)?, None).await
}

fn headers(of: &[(&'static str, &str)]) -> Result<HeaderMap> {
    of.iter().map(|(name, value)| Ok((name.parse()?, value.parse()?))).collect()
}

/// A GET of this statement below `/openapi/execute_query`.
fn query(sql: &str) -> String {
    let encoded: String = sql.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/openapi/execute_query?query={encoded}")
}

async fn get(client: &HttpClient, path: &str, token: &str) -> Result<Reply> {
    client.send(Method::GET, path, headers(&[("authorization", &format!("Bearer {token}"))])?, "").await
}

async fn post(client: &HttpClient, path: &str, token: &str, body: &Value) -> Result<Reply> {
    let bearer = format!("Bearer {token}");
    let headers = headers(&[("authorization", &bearer), ("content-type", "application/json")])?;
    client.send(Method::POST, path, headers, body.to_string()).await
}

/// What a refusal says; it must be JSON and nothing else.
fn error(reply: &Reply, status: u16) -> Result<String> {
    ensure!(reply.status == status, "{} instead of {status}: {}", reply.status, reply.text());
    ensure!(reply.header("content-type") == "application/json", "{}", reply.header("content-type"));
    let body = reply.json()?;
    ensure!(body.as_object().map(serde_json::Map::len) == Some(1), "{body}");
    Ok(body["error"].as_str().with_context(|| body.to_string())?.to_owned())
}

pub(crate) async fn people(cell: Cell) -> Result<()> {
    let client = client(&cell).await?;
    let sql = "SELECT currentUser(), authenticatedUser()";
    for person in ["alice", "bob"] {
        let token = cell.token(person)?;
        let other = cell.token("carla")?;
        let body = json!({ "query": sql });
        for reply in [
            get(&client, &query(sql), &token).await?,
            post(&client, "/openapi/execute_query", &token, &body).await?,
            // The path comes first.
            get(&client, &format!("/{token}{}", query(sql)), &other).await?,
            post(&client, &format!("/{token}/openapi/execute_query/"), &other, &body).await?,
        ] {
            ensure!(reply.status == 200, "{person}: {} {}", reply.status, reply.text());
            let table = reply.json()?;
            ensure!(table["rows"] == json!([[person, "gateway"]]), "{person}: {table}");
            ensure!(reply.header("x-mcp-truncated").is_empty(), "it is whole");
        }
        let login = json!({ "username": person, "password": cell.world.password(person)? });
        let reply = get(&client, &query("SELECT currentUser()"), &cell.world.mint.token(login)?).await?;
        ensure!(reply.json()?["rows"] == json!([[person]]), "{}", reply.text());
    }
    Ok(())
}

pub(crate) async fn caps(cell: Cell) -> Result<()> {
    let client = client(&cell).await?;
    let token = cell.token("alice")?;
    for (sql, limit, reason) in [
        ("SELECT number FROM numbers(501)", "", "rows"),
        ("SELECT number FROM numbers(10)", "&limit=3", "rows"),
        ("SELECT repeat('x', 1000) FROM numbers(100)", "", "bytes"),
    ] {
        let reply = get(&client, &format!("{}{limit}", query(sql)), &token).await?;
        ensure!(
            reply.status == 200 && reply.header("x-mcp-truncated") == reason,
            "{sql}: {:?}",
            reply.headers
        );
        ensure!(reply.json()?["truncated"]["reason"] == json!(reason), "{}", reply.text());
    }
    let reply = get(&client, &query("SELECT number FROM numbers(500)"), &token).await?;
    ensure!(reply.header("x-mcp-truncated").is_empty() && reply.json()?["count"] == json!(500), "exactly");
    Ok(())
}

pub(crate) async fn refusals(cell: Cell) -> Result<()> {
    let client = client(&cell).await?;
    let walter = cell.token("walter")?;
    let call = "/openapi/execute_query";
    for sql in ["INSERT INTO scratch.notes VALUES (1)", "DROP TABLE scratch.notes", "SELECT 1; SELECT 2"] {
        error(&get(&client, &query(sql), &walter).await?, 400)?;
        error(&post(&client, call, &walter, &json!({ "query": sql })).await?, 400)?;
    }
    ensure!(cell.world.admin("EXISTS TABLE scratch.notes").await?.trim() == "1", "nothing was dropped");
    let told = error(&get(&client, &query("SELECT 1 +"), &walter).await?, 400)?;
    ensure!(told.contains("Code 62"), "{told}");
    let told = error(&get(&client, &query("SELECT * FROM hr.salaries"), &walter).await?, 403)?;
    ensure!(told.contains("Code 497") && !told.contains("gateway"), "{told}");
    for (method, path, status) in [
        (Method::GET, "/openapi/execute_query", 400),
        (Method::GET, "/openapi/execute_query?query=SELECT+1&password=x", 400),
        (Method::GET, "/openapi/execute_query?query=SELECT+1&limit=0", 400),
        (Method::POST, "/openapi/execute_query?query=SELECT+1", 400),
        (Method::POST, "/openapi/no_such_tool", 404),
        (Method::GET, "/openapi/no_such_tool", 405),
        (Method::PUT, "/openapi/execute_query", 405),
        (Method::POST, "/openapi", 405),
    ] {
        let bearer = format!("Bearer {walter}");
        let headers = headers(&[("authorization", &bearer), ("content-type", "application/json")])?;
        let body = if method == Method::GET { "" } else { r#"{"query":"SELECT 1"}"# };
        let reply = client.send(method.clone(), path, headers, body).await?;
        error(&reply, status).with_context(|| format!("{method} {path}"))?;
        ensure!(reply.header("allow").is_empty() != (status == 405), "{method} {path}");
    }
    Ok(())
}

pub(crate) async fn strangers(cell: Cell) -> Result<()> {
    let client = client(&cell).await?;
    let good = cell.token("alice")?;
    let cut = &good[..good.len() - 7];
    let none = client.send(Method::GET, &query("SELECT 1"), HeaderMap::new(), "").await?;
    error(&none, 401)?;
    ensure!(none.header("www-authenticate") == "Bearer realm=\"housekey\"", "{:?}", none.headers);
    for path in [format!("/{cut}{}", query("SELECT 1")), format!("/{cut}/openapi")] {
        let reply = client.send(Method::GET, &path, HeaderMap::new(), "").await?;
        error(&reply, 401)?;
        ensure!(reply.header("www-authenticate").contains("invalid_token"), "{:?}", reply.headers);
        ensure!(!reply.text().contains(&cut[40..60]), "{}", reply.text());
    }
    let cross = headers(&[("sec-fetch-site", "cross-site"), ("authorization", &format!("Bearer {good}"))])?;
    error(&client.send(Method::GET, &query("SELECT 1"), cross, "").await?, 403)?;
    // Who builds a client has no token yet.
    let schema = client.send(Method::GET, "/openapi", HeaderMap::new(), "").await?;
    let schema = schema.json()?;
    ensure!(schema["openapi"] == json!("3.1.0"), "{schema}");
    ensure!(schema["servers"][0]["url"] == json!(client.server().url()), "{}", schema["servers"]);
    Ok(())
}

/// A ClickHouse that hangs up.
pub(crate) async fn nobody_listens(cell: Cell) -> Result<()> {
    let gate = Gate::open().await?;
    let settings = settings(&cell)?.with("CLICKHOUSE_PORT", gate.port().to_string());
    let client = cell.http_to(&settings, None).await?;
    let told = error(&get(&client, &query("SELECT 1"), &cell.token("alice")?).await?, 502)?;
    ensure!(!told.contains(&gate.port().to_string()), "{told}");
    Ok(())
}

/// Every host answers as the native one does.
pub(crate) async fn alike(cell: Cell) -> Result<()> {
    let token = cell.token("alice")?;
    let native = client(&Cell { host: Host::NativeHttp, ..cell.clone() }).await?;
    let other = client(&cell).await?;
    let json = ("content-type", "application/json");
    let mut differences = Vec::new();
    for (method, path, more, body) in [
        (Method::GET, query("SELECT number FROM numbers(1000)"), &[][..], ""),
        (Method::GET, query("SELECT * FROM hr.salaries"), &[], ""),
        (Method::GET, query("SELECT * FROM sales.nothing"), &[("origin", "http://localhost:1")], ""),
        (Method::GET, query("DROP TABLE sales.orders"), &[], ""),
        (Method::GET, format!("/{token}{}&limit=1", query("SELECT 1")), &[], ""),
        (Method::GET, "/openapi/execute_query?query=SELECT+'%2B+%25'".into(), &[], ""),
        (Method::GET, "/openapi/execute_query?quer=1".into(), &[], ""),
        (Method::GET, "/openapi/execute_query?query=%".into(), &[], ""),
        (Method::GET, "/openapi/x".into(), &[], ""),
        (Method::POST, "/openapi/execute_query".into(), &[json], r#"{"query":"SELECT 'é', 1.5, NULL"}"#),
        (Method::POST, "/openapi/execute_query".into(), &[json], r#"{"query":7}"#),
        (Method::POST, "/openapi/execute_query".into(), &[json], "["),
        (Method::POST, "/openapi/execute_query".into(), &[], "{}"),
        (Method::POST, "/openapi/x".into(), &[json], "{}"),
        (Method::POST, "/openapi/x/y".into(), &[json], "{}"),
        (Method::DELETE, "/openapi/execute_query".into(), &[], ""),
        (Method::OPTIONS, "/openapi/execute_query".into(), &[("origin", "http://localhost:1")], ""),
        (Method::POST, "/openapi".into(), &[json], "{}"),
        (Method::GET, "/openapi?x".into(), &[], ""),
    ] {
        let bearer = format!("Bearer {token}");
        let mut all = more.to_vec();
        all.push(("authorization", &bearer));
        let ours = native.send(method.clone(), &path, headers(&all)?, body).await?;
        let theirs = other.send(method.clone(), &path, headers(&all)?, body).await?;
        let heads =
            |reply: &Reply| HEADERS.iter().map(|name| reply.header(name).to_owned()).collect::<Vec<_>>();
        let seen = |reply: &Reply| format!("{} {} {:?}", reply.status, reply.text(), heads(reply));
        if seen(&ours) != seen(&theirs) {
            differences.push(format!(
                "{method} {path}\n  native: {}\n  {}: {}",
                seen(&ours),
                cell.host,
                seen(&theirs)
            ));
        }
    }
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}
