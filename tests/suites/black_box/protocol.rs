//! MCP over HTTP and stdio: revisions, headers, statuses, and who may come at all.

use anyhow::{Result, ensure};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{HANDSHAKES, HttpClient, STATELESS, fresh_id, meta, query, request};
use system_tests::gate::Gate;
use system_tests::poll;
use system_tests::settings::Settings;
use system_tests::stdio::Pipe;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn alice(cell: &Cell) -> Result<HttpClient> {
    cell.http(Some(&cell.token("alice")?)).await
}

/// A response with this status and error code.
fn is_error(what: &str, reply: &system_tests::client::Reply, status: u16, code: i64) -> Result<Value> {
    ensure!(reply.status == status, "{what}: {} {}", reply.status, reply.text());
    let message = reply.json()?;
    ensure!(message["error"]["code"] == json!(code), "{what}: {message}");
    Ok(message)
}

pub(crate) async fn stateless(cell: Cell) -> Result<()> {
    let client = alice(&cell).await?;
    let reply = client.post(&request(STATELESS, "d", "server/discover", json!({}))).await?;
    ensure!(reply.status == 200 && reply.header("content-type") == "application/json", "{:?}", reply.headers);
    let result = reply.json()?["result"].clone();
    ensure!(
        result["supportedVersions"] == json!([STATELESS]) && result["resultType"] == "complete",
        "{result}"
    );
    ensure!(result["capabilities"]["tools"].is_object() && result["cacheScope"] == "private", "{result}");
    ensure!(result["ttlMs"].is_u64(), "{result}");
    ensure!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "housekey", "{result}");

    let tools =
        client.post(&request(STATELESS, "l", "tools/list", json!({}))).await?.json()?["result"]["tools"]
            .clone();
    ensure!(tools.as_array().map(Vec::len) == Some(7) && tools[0]["name"] == "execute_query", "{tools}");
    ensure!(tools[0]["annotations"]["readOnlyHint"] == json!(true), "{tools}");
    ensure!(tools[0]["outputSchema"]["type"] == "object", "{tools}");

    let unknown = client.post(&request(STATELESS, "u", "tools/fold", json!({}))).await?;
    is_error("unknown method", &unknown, 404, -32601)?;
    for removed in ["initialize", "ping", "logging/setLevel", "resources/subscribe"] {
        let reply = client.post(&request(STATELESS, "r", removed, json!({}))).await?;
        ensure!(
            reply.status == 404 || removed == "initialize" && reply.status == 400,
            "{removed}: {}",
            reply.status
        );
    }
    let notification =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "x" } });
    let reply = client.post(&notification).await?;
    ensure!(reply.status == 202 && reply.body.is_empty(), "{} {}", reply.status, reply.text());
    Ok(())
}

pub(crate) async fn headers_and_body(cell: Cell) -> Result<()> {
    let client = alice(&cell).await?;
    let call = request(STATELESS, "m", "tools/call", query("SELECT 1"));
    for (what, replaced) in [
        ("no version", ("mcp-protocol-version", "")),
        ("another version", ("mcp-protocol-version", "2025-11-25")),
        ("no method", ("mcp-method", "")),
        ("another method", ("mcp-method", "tools/list")),
        ("a method in capitals", ("mcp-method", "TOOLS/CALL")),
        ("no name", ("mcp-name", "")),
        ("another name", ("mcp-name", "execute_queries")),
        ("a name that cannot be decoded", ("mcp-name", "=?base64?%%?=")),
    ] {
        let reply = client.post_with(&call, &[replaced]).await?;
        let message = is_error(what, &reply, 400, -32020)?;
        ensure!(message["id"] == "m", "{what}: the id is echoed: {message}");
    }
    for (what, replaced) in [
        ("a name in base64", ("mcp-name", "=?base64?ZXhlY3V0ZV9xdWVyeQ==?=")),
        ("space around it", ("mcp-name", "  execute_query\t")),
    ] {
        let reply = client.post_with(&call, &[replaced]).await?;
        ensure!(reply.status == 200 && reply.json()?.get("result").is_some(), "{what}: {}", reply.text());
    }

    let mut future = call.clone();
    future["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let reply = client.post_with(&future, &[("mcp-protocol-version", "2099-01-01")]).await?;
    let message = is_error("a version of the future", &reply, 400, -32022)?;
    ensure!(
        message["error"]["data"] == json!({ "supported": [STATELESS], "requested": "2099-01-01" }),
        "{message}"
    );

    for (what, key) in [
        ("no version in _meta", "io.modelcontextprotocol/protocolVersion"),
        ("no capabilities in _meta", "io.modelcontextprotocol/clientCapabilities"),
    ] {
        let mut bare = call.clone();
        if let Some(meta) = bare["params"]["_meta"].as_object_mut() {
            meta.remove(key);
        }
        is_error(what, &client.post(&bare).await?, 400, -32602)?;
    }
    let mut bare = call;
    if let Some(params) = bare["params"].as_object_mut() {
        params.remove("_meta");
    }
    is_error("no _meta", &client.post(&bare).await?, 400, -32602)?;
    Ok(())
}

pub(crate) async fn handshakes(cell: Cell) -> Result<()> {
    let token = cell.token("alice")?;
    for revision in HANDSHAKES {
        let client = cell.http(Some(&token)).await?.speaking(revision);
        let hello = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
        let result =
            client.post(&request(revision, "i", "initialize", hello)).await?.json()?["result"].clone();
        ensure!(
            result["protocolVersion"] == revision && result["serverInfo"]["name"] == "housekey",
            "{result}"
        );
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        ensure!(client.post(&initialized).await?.status == 202, "{revision}: initialized");
        let pong = client.post(&request(revision, "p", "ping", json!({}))).await?.json()?;
        ensure!(pong["result"] == json!({}), "{revision}: {pong}");
        let tool =
            client.post(&request(revision, "l", "tools/list", json!({}))).await?.json()?["result"]["tools"]
                [0]
            .clone();
        let (structured, annotated) = (revision >= "2025-06-18", revision >= "2025-03-26");
        ensure!(tool.get("outputSchema").is_some() == structured, "{revision}: {tool}");
        ensure!(tool.get("annotations").is_some() == annotated, "{revision}: {tool}");
        let call = request(revision, &fresh_id(), "tools/call", query("SELECT currentUser() AS who"));
        let result = client.post(&call).await?.json()?["result"].clone();
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap_or_default())?;
        ensure!(text["rows"] == json!([["alice"]]), "{revision}: {result}");
        ensure!(result.get("structuredContent").is_some() == structured, "{revision}: {result}");
        ensure!(result.get("resultType").is_none(), "{revision}: {result}");
        let unknown = client.post(&request(revision, "u", "tools/fold", json!({}))).await?;
        is_error(revision, &unknown, 200, -32601)?;
    }
    let client = cell.http(Some(&token)).await?.speaking("2025-11-25");
    for (asked, agreed) in
        [("1999-01-01", "2025-11-25"), (STATELESS, "2025-11-25"), ("2024-10-07", "2025-11-25")]
    {
        let hello = json!({ "protocolVersion": asked, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello });
        let result = client.post(&message).await?.json()?["result"].clone();
        ensure!(result["protocolVersion"] == agreed, "{asked}: {result}");
    }
    Ok(())
}

pub(crate) async fn batches(cell: Cell) -> Result<()> {
    let client = alice(&cell).await?.speaking("2025-03-26");
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "ping" },
        { "jsonrpc": "2.0", "method": "notifications/initialized" },
        request("2025-03-26", "q", "tools/call", query("SELECT currentUser()")),
        { "jsonrpc": "2.0", "id": 2, "method": "initialize", "params": { "protocolVersion": "2025-03-26" } },
        7,
    ]);
    let reply = client.post(&batch).await?;
    let answers = reply.json()?;
    ensure!(answers.as_array().map(Vec::len) == Some(4), "{answers}");
    ensure!(answers[0] == json!({ "jsonrpc": "2.0", "id": 1, "result": {} }), "{answers}");
    ensure!(answers[1]["id"] == "q" && answers[1]["result"]["isError"] == json!(false), "{answers}");
    ensure!(
        answers[2]["error"]["code"] == json!(-32600) && answers[3]["error"]["code"] == json!(-32600),
        "{answers}"
    );

    let notifications = json!([{ "jsonrpc": "2.0", "method": "notifications/initialized" }]);
    let reply = client.post(&notifications).await?;
    ensure!(reply.status == 202 && reply.body.is_empty(), "{} {}", reply.status, reply.text());
    is_error("an empty array", &client.post(&json!([])).await?, 400, -32600)?;
    for revision in ["2025-06-18", "2025-11-25", STATELESS] {
        let client = alice(&cell).await?.speaking(revision);
        is_error(revision, &client.post(&batch).await?, 400, -32600)?;
    }
    Ok(())
}

pub(crate) async fn heads(cell: Cell) -> Result<()> {
    let client = alice(&cell).await?;
    let message = request(STATELESS, "h", "tools/list", json!({}));
    for (name, value, status) in [
        ("accept", "text/html", 406),
        ("accept", "*/*", 200),
        ("accept", "application/json", 200),
        ("accept", "", 200),
        ("content-type", "text/plain", 415),
        ("content-type", "application/json; charset=utf-8", 200),
    ] {
        let reply = client.post_with(&message, &[(name, value)]).await?;
        ensure!(reply.status == status, "{name}: {value}: {} {}", reply.status, reply.text());
    }
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        for path in ["/mcp", "/", "/http"] {
            let reply = client.send(method.clone(), path, client.headers(&message)?, "").await?;
            ensure!(
                reply.status == 405 && reply.header("allow") == "POST",
                "{method} {path}: {}",
                reply.status
            );
        }
    }
    for path in ["/mcp", "/", "/http", "/mcp/"] {
        let reply = client.send(Method::POST, path, client.headers(&message)?, message.to_string()).await?;
        ensure!(reply.status == 200, "{path}: {}", reply.status);
    }
    for (what, body) in [("half of it", "{"), ("nothing", ""), ("not UTF-8", "\u{fffd}")] {
        let reply = client.send(Method::POST, "/mcp", client.headers(&message)?, body).await?;
        is_error(what, &reply, 400, -32700)?;
    }
    for (what, body) in [
        ("a number", json!(1)),
        ("no version", json!({ "id": 1, "method": "ping" })),
        ("a null id", json!({ "jsonrpc": "2.0", "id": null, "method": "ping" })),
        ("a response", json!({ "jsonrpc": "2.0", "id": 1, "result": {} })),
    ] {
        is_error(what, &client.post(&body).await?, 400, -32600)?;
    }
    Ok(())
}

pub(crate) async fn large_bodies(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?.with("MCP_MAX_BODY_BYTES", "2048");
    let client = cell.http_to(&settings, Some(&cell.token("alice")?)).await?;
    let small = request(STATELESS, &fresh_id(), "tools/call", query("SELECT 1"));
    ensure!(client.post(&small).await?.status == 200, "a small body");
    let large =
        request(STATELESS, &fresh_id(), "tools/call", query(&format!("SELECT 1 -- {}", "x".repeat(4096))));
    let reply = client.post(&large).await?;
    ensure!(reply.status == 413, "{} {}", reply.status, reply.text());
    // A length that nobody declared counts as well.
    let status = undeclared(&client, &large).await?;
    ensure!(status.starts_with("HTTP/1.1 413"), "{status}");
    // At the usual limit, too, where a sandbox must not run out of memory over it.
    let client = cell.http_to(&Settings::standard(&cell.world)?, Some(&cell.token("alice")?)).await?;
    let huge = request(
        STATELESS,
        &fresh_id(),
        "tools/call",
        query(&format!("SELECT 1 -- {}", "x".repeat(17 << 20))),
    );
    let status = undeclared(&client, &huge).await?;
    ensure!(status.starts_with("HTTP/1.1 413") || status == CLOSED, "{status}");
    // Short bodies that would grow: many values, many messages, many words.
    let values = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "x": vec![1; 300_000] } });
    ensure!(client.post(&values).await?.status == 413, "many values");
    let words =
        request(STATELESS, &fresh_id(), "tools/call", query(&format!("SELECT 1{}", "+1".repeat(1 << 20))));
    let reply = client.post(&words).await?;
    ensure!(reply.status == 200 && reply.text().contains("words and signs"), "{}", reply.status);
    Ok(())
}

/// What stands for a status line that was lost, because the connection was closed while much was still being sent.
const CLOSED: &str = "closed";

/// Posts a message in one chunk, and gives back the status line.
async fn undeclared(client: &HttpClient, message: &Value) -> Result<String> {
    let authority = client.server().url().trim_start_matches("http://");
    let mut head = format!("POST /mcp HTTP/1.1\r\nhost: {authority}\r\ntransfer-encoding: chunked\r\n");
    for (name, value) in &client.headers(message)? {
        head.push_str(&format!("{name}: {}\r\n", value.to_str()?));
    }
    let body = message.to_string();
    let (reading, mut writing) = TcpStream::connect(authority).await?.into_split();
    let message = format!("{head}\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    // A server that has seen enough need not read the rest.
    let sending = tokio::spawn(async move {
        let _ = writing.write_all(message.as_bytes()).await;
        writing
    });
    let line = timeout(poll::PATIENCE, BufReader::new(reading).lines().next_line()).await?;
    sending.abort();
    Ok(line.ok().flatten().unwrap_or_else(|| CLOSED.to_owned()))
}

pub(crate) async fn origins(cell: Cell) -> Result<()> {
    let client = alice(&cell).await?;
    let message = request(STATELESS, "o", "tools/list", json!({}));
    for origin in ["http://localhost:3000", "http://127.0.0.1:6274"] {
        let reply = client.post_with(&message, &[("origin", origin)]).await?;
        ensure!(
            reply.status == 200 && reply.header("access-control-allow-origin") == origin,
            "{:?}",
            reply.headers
        );
        let mut ask = HeaderMap::new();
        ask.insert("origin", HeaderValue::from_static("http://localhost:3000"));
        ask.insert("access-control-request-method", HeaderValue::from_static("POST"));
        ask.insert("access-control-request-headers", HeaderValue::from_static("authorization, mcp-method"));
        let reply = client.send(Method::OPTIONS, "/mcp", ask, "").await?;
        ensure!(reply.status == 204, "{} {}", reply.status, reply.text());
        ensure!(
            reply.header("access-control-allow-origin") == "http://localhost:3000",
            "{:?}",
            reply.headers
        );
        ensure!(reply.header("access-control-allow-headers").contains("mcp-method"), "{:?}", reply.headers);
    }
    for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
        let reply = client.post_with(&message, &[("origin", origin)]).await?;
        ensure!(reply.status == 403, "{origin}: {}", reply.status);
        ensure!(reply.header("access-control-allow-origin").is_empty(), "{:?}", reply.headers);
    }
    let settings = Settings::standard(&cell.world)?.with("MCP_CORS_ORIGIN", "https://app.example");
    let client = cell.http_to(&settings, Some(&cell.token("alice")?)).await?;
    for (origin, status) in [("https://app.example", 200), ("http://localhost:3000", 403)] {
        let reply = client.post_with(&message, &[("origin", origin)]).await?;
        ensure!(reply.status == status, "{origin}: {}", reply.status);
    }
    Ok(())
}

pub(crate) async fn rebound_names(cell: Cell) -> Result<()> {
    let client = alice(&cell).await?;
    let message = request(STATELESS, "n", "tools/list", json!({}));
    for (name, status) in [("localhost:1", 200), ("evil.example", 403), ("127.0.0.1.evil.example:8080", 403)]
    {
        let reply = client.post_with(&message, &[("host", name)]).await?;
        ensure!(reply.status == status, "{name}: {}", reply.status);
    }
    Ok(())
}

pub(crate) async fn allowed_hosts(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?.with("MCP_ALLOWED_HOSTS", "mcp.example.com");
    let client = cell.http_to(&settings, Some(&cell.token("alice")?)).await?;
    let message = request(STATELESS, "n", "tools/list", json!({}));
    for (name, status) in [("mcp.example.com", 200), ("mcp.example.com:443", 200), ("evil.example", 403)] {
        let reply = client.post_with(&message, &[("host", name)]).await?;
        ensure!(reply.status == status, "{name}: {} {}", reply.status, reply.text());
    }
    Ok(())
}

pub(crate) async fn signs_of_life(cell: Cell) -> Result<()> {
    let get = async |client: &HttpClient, path| client.send(Method::GET, path, HeaderMap::new(), "").await;
    let client = cell.http(None).await?;
    let reply = get(&client, "/livez").await?;
    ensure!(reply.status == 200 && reply.json()?["status"] == "alive", "{} {}", reply.status, reply.text());
    let reply = get(&client, "/health").await?;
    ensure!(reply.status == 200 && reply.json()?["status"] == "healthy", "{} {}", reply.status, reply.text());

    let open = cell.http_to(&Settings::login(&cell.world, "alice")?, None).await?;
    let reply = get(&open, "/health").await?;
    ensure!(
        reply.status == 200 && reply.json()?["clickhouse"] == "connected",
        "{} {}",
        reply.status,
        reply.text()
    );
    let gate = Gate::open().await?;
    let settings = Settings::login(&cell.world, "alice")?.with("CLICKHOUSE_PORT", gate.port().to_string());
    let reply = get(&cell.http_to(&settings, None).await?, "/health").await?;
    ensure!(
        reply.status == 503 && reply.json()?["status"] == "unhealthy",
        "{} {}",
        reply.status,
        reply.text()
    );
    ensure!(!reply.text().contains(&gate.port().to_string()), "{}", reply.text());
    Ok(())
}

pub(crate) async fn paths(cell: Cell) -> Result<()> {
    let client = alice(&cell).await?;
    let message = request(STATELESS, "p", "tools/list", json!({}));
    for path in ["/favicon.ico", "/mcp/x", "/admin", "/.well-known/oauth-protected-resource"] {
        for method in [Method::GET, Method::POST] {
            let reply = client.send(method, path, client.headers(&message)?, message.to_string()).await?;
            ensure!(reply.status == 404, "{path}: {}", reply.status);
        }
    }
    for path in ["/livez", "/health"] {
        let reply = client.send(Method::POST, path, client.headers(&message)?, message.to_string()).await?;
        ensure!(reply.status == 405 && reply.header("allow") == "GET", "{path}: {}", reply.status);
    }
    Ok(())
}

/// With a token for progress the answer may be a stream of events; its last one is the response.
pub(crate) async fn progress(cell: Cell) -> Result<()> {
    let client = alice(&cell).await?;
    let id = fresh_id();
    let mut call = request(STATELESS, &id, "tools/call", query("SELECT max(number) FROM numbers(300000000)"));
    call["params"]["_meta"]["progressToken"] = json!("mine");
    let reply = client.post(&call).await?;
    ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
    let message = reply.json()?;
    ensure!(message["id"] == json!(id), "{message}");
    ensure!(message["result"]["structuredContent"]["rows"] == json!([["299999999"]]), "{message}");
    if reply.header("content-type").starts_with("text/event-stream") {
        let text = reply.text();
        let notifications: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok()).collect();
        let mut last = 0;
        for notification in
            notifications.iter().filter(|message| message["method"] == "notifications/progress")
        {
            ensure!(notification["params"]["progressToken"] == "mine", "{notification}");
            let progress = notification["params"]["progress"].as_u64().unwrap_or_default();
            ensure!(progress > last, "progress must grow: {notification}");
            last = progress;
        }
    }
    Ok(())
}

pub(crate) async fn stdio(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?.with("MCP_TOKEN", cell.token("alice")?);
    let mut pipe = Pipe::start(&settings)?;
    let early = pipe.ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }), &json!(1)).await?;
    ensure!(early["error"]["code"] == json!(-32602), "no handshake yet: {early}");
    pipe.send("{").await?;
    let broken = pipe.receive().await?;
    ensure!(broken["error"]["code"] == json!(-32700), "{broken}");
    for revision in HANDSHAKES {
        let mut pipe = Pipe::start(&settings)?;
        let hello = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
        let result =
            pipe.ask(&request(revision, "i", "initialize", hello), &json!("i")).await?["result"].clone();
        ensure!(result["protocolVersion"] == revision, "{result}");
        pipe.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
        let call = request(revision, "q", "tools/call", query("SELECT currentUser()"));
        let answer = pipe.ask(&call, &json!("q")).await?;
        ensure!(answer["result"]["isError"] == json!(false), "{revision}: {answer}");
        // Both eras on one stream: `_meta` makes a request stand alone.
        let alone = json!({ "jsonrpc": "2.0", "id": "d", "method": "server/discover", "params": { "_meta": meta() } });
        let answer = pipe.ask(&alone, &json!("d")).await?;
        ensure!(answer["result"]["supportedVersions"] == json!([STATELESS]), "{answer}");
        let answer = pipe.ask(&request(revision, "u", "tools/fold", json!({})), &json!("u")).await?;
        ensure!(answer["error"]["code"] == json!(-32601), "{answer}");
    }
    Ok(())
}
