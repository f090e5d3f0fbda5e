//! The hosts answer alike: status, body and the headers that mean something, to the byte.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{HttpClient, Reply, STATELESS, query, request};
use system_tests::host::Host;

const HEADERS: &[&str] = &[
    "content-type",
    "www-authenticate",
    "allow",
    "cache-control",
    "vary",
    "access-control-allow-origin",
    "access-control-allow-headers",
    "access-control-expose-headers",
];

struct Asked {
    method: Method,
    path: String,
    revision: &'static str,
    message: Value,
    replaced: Vec<(&'static str, &'static str)>,
}

fn post(revision: &'static str, message: Value, replaced: &[(&'static str, &'static str)]) -> Asked {
    Asked { method: Method::POST, path: "/mcp".into(), revision, message, replaced: replaced.to_vec() }
}

fn asked() -> Vec<Asked> {
    let call = |sql: &str| post(STATELESS, request(STATELESS, "q", "tools/call", query(sql)), &[]);
    let list = || request(STATELESS, "l", "tools/list", json!({}));
    let mut asked = vec![
        post(STATELESS, request(STATELESS, "d", "server/discover", json!({})), &[]),
        post(STATELESS, list(), &[]),
        post(STATELESS, list(), &[("origin", "http://localhost:1")]),
        post(STATELESS, list(), &[("origin", "http://evil.example")]),
        post(STATELESS, list(), &[("authorization", "")]),
        post(STATELESS, list(), &[("authorization", "Bearer a.b.c.d.e")]),
        post(STATELESS, list(), &[("mcp-method", "")]),
        post(STATELESS, list(), &[("accept", "text/html")]),
        post(STATELESS, list(), &[("content-type", "text/plain")]),
        post(STATELESS, request(STATELESS, "u", "no/such", json!({})), &[]),
        post(STATELESS, json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }), &[]),
        post(STATELESS, json!(7), &[]),
        post(
            "2025-11-25",
            request("2025-11-25", "i", "initialize", json!({ "protocolVersion": "2025-11-25" })),
            &[],
        ),
        post("2025-03-26", json!([{ "jsonrpc": "2.0", "id": 1, "method": "ping" }]), &[]),
        post("2024-11-05", request("2024-11-05", "q", "tools/call", query("SELECT 1")), &[]),
    ];
    for sql in [
        "SELECT currentUser(), authenticatedUser()",
        "SELECT number, toString(number) FROM numbers(1000)",
        "SELECT repeat('é', 1000) FROM numbers(100)",
        "SELECT * FROM sales.orders ORDER BY id LIMIT 100",
        "SELECT nan, inf, NULL, toDecimal64('1.5', 1), map('a', [1]), unhex('ff')",
        "SELECT 1 FORMAT JSON",
        "SELECT 1 WHERE 0",
        "SELECT * FROM hr.salaries",
        "SELECT * FROM sales.nothing",
        "SELECT 1 +",
        "DROP TABLE sales.orders",
        "",
        "DESCRIBE sales.orders",
        "SHOW TABLES FROM sales",
    ] {
        asked.push(call(sql));
    }
    for (method, path) in [
        (Method::GET, "/mcp"),
        (Method::DELETE, "/mcp"),
        (Method::OPTIONS, "/mcp"),
        (Method::GET, "/nothing"),
        (Method::POST, "/livez"),
        (Method::POST, "/"),
        (Method::POST, "/http"),
    ] {
        asked.push(Asked {
            method,
            path: path.into(),
            revision: STATELESS,
            message: list(),
            replaced: Vec::new(),
        });
    }
    asked
}

async fn ask(client: &HttpClient, asked: &Asked) -> Result<Reply> {
    let client = client.clone().speaking(asked.revision);
    if asked.method == Method::POST && asked.path == "/mcp" {
        return client.post_with(&asked.message, &asked.replaced).await;
    }
    let headers = client.headers(&asked.message)?;
    client.send(asked.method.clone(), &asked.path, headers, asked.message.to_string()).await
}

pub(crate) async fn to_the_byte(cell: Cell) -> Result<()> {
    let token = cell.token("alice")?;
    let native = Cell { host: Host::NativeHttp, ..cell.clone() }.http(Some(&token)).await?;
    let other = cell.http(Some(&token)).await?;
    let mut differences = Vec::new();
    for asked in asked() {
        let (ours, theirs) = (ask(&native, &asked).await?, ask(&other, &asked).await?);
        let what = format!("{} {} {} {:?}", asked.method, asked.path, asked.message, asked.replaced);
        if (ours.status, &ours.body) != (theirs.status, &theirs.body) {
            let (ours, theirs) = ((ours.status, ours.text()), (theirs.status, theirs.text()));
            differences.push(format!("{what}\n  native: {ours:?}\n  {}: {theirs:?}", cell.host));
        }
        for name in HEADERS {
            let (ours, theirs): (Vec<_>, Vec<_>) = (
                ours.headers.get_all(*name).iter().collect(),
                theirs.headers.get_all(*name).iter().collect(),
            );
            if ours != theirs {
                differences.push(format!("{what}\n  {name}: native {ours:?}, {}: {theirs:?}", cell.host));
            }
        }
    }
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}
