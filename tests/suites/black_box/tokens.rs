//! Tokens in every form and every place, their claims, and that none of them is written down anywhere.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::client::{HttpClient, Reply, STATELESS, fresh_id, query, request};
use system_tests::host::Host;
use system_tests::query_log;
use system_tests::settings::Settings;
use system_tests::tls_front::TlsFront;
use system_tests::token::{Mint, now};

/// The flattened JSON serialisation (RFC 7516 section 7.2.2) of a compact token.
fn flattened(token: &str) -> Result<String> {
    let parts: Vec<&str> = token.split('.').collect();
    let [protected, encrypted_key, iv, ciphertext, tag] = parts.as_slice() else {
        anyhow::bail!("not a compact token")
    };
    Ok(json!({
        "protected": protected, "encrypted_key": encrypted_key, "iv": iv, "ciphertext": ciphertext, "tag": tag,
    })
    .to_string())
}

/// As a path carries it.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn who() -> Value {
    request(STATELESS, &fresh_id(), "tools/call", query("SELECT currentUser()"))
}

async fn at(client: &HttpClient, path: &str) -> Result<Reply> {
    let message = who();
    client.send(Method::POST, path, client.headers(&message)?, message.to_string()).await
}

fn is_alice(reply: &Reply) -> Result<()> {
    let rows = &reply.json()?["result"]["structuredContent"]["rows"];
    ensure!(reply.status == 200 && *rows == json!([["alice"]]), "{} {}", reply.status, reply.text());
    Ok(())
}

/// White space as shells and mail add it, the JSON serialisation, escapes in a path.
pub(crate) async fn forms(cell: Cell) -> Result<()> {
    let token = cell.token("alice")?;
    let anonymous = cell.http(None).await?;
    let json_form = flattened(&token)?;
    let (start, end) = token.split_at(token.len() / 2);
    for value in [format!("{start} {end}"), json_form.clone(), json_form.replace(',', " , ")] {
        for (name, value) in [("authorization", format!("Bearer {value}")), ("x-housekey-key", value.clone())]
        {
            is_alice(&anonymous.post_with(&who(), &[(name, &value)]).await?)?;
        }
    }
    for segment in [percent_encoded(&json_form), format!("{start}%0A{end}"), format!("%20{token}%09")] {
        for path in [format!("/{segment}"), format!("/{segment}/mcp"), format!("/{segment}/sse")] {
            is_alice(&at(&anonymous, &path).await?).with_context(|| path.len().to_string())?;
        }
    }
    Ok(())
}

/// Every path that takes a token, with a good one, a spoilt one and none.
pub(crate) async fn paths(cell: Cell) -> Result<()> {
    let anonymous = cell.http(None).await?;
    let good = cell.token("alice")?;
    let expired = cell.world.mint.token(json!({ "email": "alice", "exp": now() - 100 }))?;
    let cut = &good[..good.len() - 7];
    for end in ["", "/", "/mcp", "/http", "/sse"] {
        is_alice(&at(&anonymous, &format!("/{good}{end}")).await?).context(end)?;
    }
    // The REST interface is switched off; that is told to those alone who may ask.
    for end in ["/openapi", "/openapi/", "/openapi/execute_query", "/openapi/list_tables?limit=1"] {
        let reply = at(&anonymous, &format!("/{good}{end}")).await?;
        ensure!(
            reply.status == 404 && reply.text().contains("REST"),
            "{end}: {} {}",
            reply.status,
            reply.text()
        );
    }
    let ends = ["", "/mcp", "/sse", "/openapi", "/openapi/execute_query"];
    for (bad, end) in [expired.as_str(), cut].into_iter().flat_map(|bad| ends.map(|end| (bad, end))) {
        let reply = at(&anonymous, &format!("/{bad}{end}")).await?;
        let challenge = reply.header("www-authenticate");
        ensure!(
            reply.status == 401 && challenge.contains("invalid_token"),
            "{end}: {} {challenge}",
            reply.status
        );
        ensure!(
            !reply.text().contains(&bad[40..60]) && !challenge.contains(&bad[40..60]),
            "{end}: {}",
            reply.text()
        );
    }
    // The native code has a stream there, which does not end.
    let without_streams = match cell.host {
        Host::NativeHttp | Host::NativeTcp | Host::Stdio => vec!["/mcp"],
        Host::HostedComponent | Host::LentComponent | Host::StockWasmtime => vec!["/mcp", "/sse"],
    };
    for end in without_streams {
        let reply = anonymous.send(Method::GET, &format!("/{good}{end}"), Default::default(), "").await?;
        ensure!(reply.status == 405 && reply.header("allow") == "POST", "{end}: {}", reply.status);
    }
    Ok(())
}

/// The documented order: a place that comes first is the one that counts, even when it holds rubbish.
pub(crate) async fn order(cell: Cell) -> Result<()> {
    let anonymous = cell.http(None).await?;
    let good = cell.token("alice")?;
    let bad = cell.world.mint.token(json!({ "email": "alice", "exp": now() - 100 }))?;
    let message = who();
    let places = ["authorization", "x-altinity-mcp-key", "x-housekey-key", "path"];
    for (first, second) in places
        .iter()
        .enumerate()
        .flat_map(|(at, first)| places.iter().skip(at + 1).map(move |second| (*first, *second)))
    {
        for (token_first, token_second, wanted) in [(&good, &bad, 200), (&bad, &good, 401)] {
            let mut headers = anonymous.headers(&message)?;
            let mut path = "/mcp".to_owned();
            for (place, token) in [(first, token_first), (second, token_second)] {
                match place {
                    "path" => path = format!("/{token}"),
                    "authorization" => drop(headers.insert(place, format!("Bearer {token}").parse()?)),
                    name => drop(headers.insert(name, token.parse()?)),
                }
            }
            let reply = anonymous.send(Method::POST, &path, headers, message.to_string()).await?;
            ensure!(reply.status == wanted, "{first} before {second}: {} {}", reply.status, reply.text());
        }
    }
    Ok(())
}

/// Several secrets: all open tokens. And what the operator says of dates.
pub(crate) async fn keys_and_dates(cell: Cell) -> Result<()> {
    let (new, old) = (Mint::new(), Mint::new());
    let document = json!({ "server": { "jwe": {
        "enabled": true,
        "jwe_secret_key": [new.jwe_secret, old.jwe_secret],
        "jwt_secret_key": [new.jwt_secret, old.jwt_secret],
        "leeway": 60,
        "max_lifetime": 7200,
    } } });
    let settings = Settings::standard(&cell.world)?
        .without("MCP_ALLOW_JWE_AUTH")
        .without("MCP_JWE_SECRET_KEY")
        .without("MCP_JWT_SECRET_KEY")
        .with("HOUSEKEY_CONFIG", document.to_string());
    let alice = |more: Value| {
        let mut claims = json!({ "email": "alice", "iat": now() });
        if let (Value::Object(claims), Value::Object(more)) = (&mut claims, more) {
            claims.extend(more);
        }
        claims
    };
    let mixed = Mint { jwt_secret: old.jwt_secret.clone(), ..new.clone() };
    for (mint, claims, wanted) in [
        (&new, alice(json!({})), 200),
        (&old, alice(json!({})), 200),
        (&mixed, alice(json!({})), 200),
        (&Mint::new(), alice(json!({})), 401),
        (&new, alice(json!({ "exp": now() - 30 })), 200),
        (&new, alice(json!({ "exp": now() - 90 })), 401),
        (&new, alice(json!({ "nbf": now() + 30 })), 200),
        (&new, alice(json!({ "nbf": now() + 90 })), 401),
        (&new, alice(json!({ "iat": now() + 90 })), 401),
        (&new, alice(json!({ "exp": now() + 9000 })), 401),
        (&new, alice(json!({ "exp": null })), 401),
    ] {
        let shown = claims.to_string();
        let client = cell.http_to(&settings, Some(&mint.token(claims)?)).await?;
        let reply = client.post(&who()).await?;
        ensure!(reply.status == wanted, "{shown}: {} {}", reply.status, reply.text());
    }
    let settings = Settings::standard(&cell.world)?.with("MCP_JWE_ALLOW_NON_EXPIRING", "true");
    let token = cell.world.mint.token(json!({ "email": "alice", "exp": null }))?;
    is_alice(&cell.http_to(&settings, Some(&token)).await?.post(&who()).await?)
}

/// An unknown claim is named, and no value is told.
pub(crate) async fn unknown_claims(cell: Cell) -> Result<()> {
    let token = cell.world.mint.token(json!({ "email": "alice", "allow_everything": "zzz-value" }))?;
    let reply = cell.http(Some(&token)).await?.post(&who()).await?;
    let challenge = reply.header("www-authenticate");
    ensure!(reply.status == 401 && challenge.contains("allow_everything"), "{challenge}");
    ensure!(!challenge.contains("zzz-value") && !reply.text().contains("zzz-value"), "{challenge}");
    Ok(())
}

/// Claims narrow what the operator allows, on the way behind the gateway and with a login of the token's own.
pub(crate) async fn claims_narrow(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?.with("CLICKHOUSE_MAX_RESULT_ROWS", "5");
    let password = cell.world.password("alice")?;
    for login in [json!({ "email": "alice" }), json!({ "username": "alice", "password": password })] {
        let with = |name: &str, value: Value| {
            let mut claims = login.clone();
            claims[name] = value;
            cell.world.mint.token(claims)
        };
        for (limit, rows) in [(2, 2), (100, 5)] {
            let token = with("limit", json!(limit))?;
            let answer =
                cell.client(&settings, Some(&token)).await?.query("SELECT * FROM numbers(50)").await?;
            ensure!(answer.table()?["count"] == json!(rows), "{}", answer.message);
        }
        let token = with("max_execution_time", json!(1))?;
        let slow = "SELECT count() FROM numbers(20) WHERE sleepEachRow(0.3) = 0 SETTINGS max_block_size = 1";
        let settings = settings.clone().with("TOOL_INPUT_SETTINGS", "max_block_size");
        let text = cell.client(&settings, Some(&token)).await?.query(slow).await?.failure()?;
        ensure!(text.contains("TIMEOUT_EXCEEDED") || text.contains("159"), "{text}");
        let token = with("read_only", json!(true))?;
        let answer = cell.client(&settings, Some(&token)).await?.query("SELECT currentUser()").await?;
        ensure!(answer.value()? == json!("alice"), "{}", answer.message);
    }
    Ok(())
}

/// Which servers a token may choose.
pub(crate) async fn chosen_servers(cell: Cell) -> Result<()> {
    let port = cell.clickhouse_port();
    let elsewhere = Settings::standard(&cell.world)?.with("CLICKHOUSE_PORT", "9");
    let password = cell.world.password("alice")?;
    let token = |host: &str, port: u16| {
        let claims = json!({ "host": host, "port": port, "username": "alice", "password": password });
        cell.world.mint.token(claims)
    };
    for (list, host, wanted) in [
        ("", "127.0.0.1", 403),
        ("", "localhost", 403),
        ("", "[::1]", 403),
        ("", "::ffff:127.0.0.1", 403),
        ("", "2130706433", 403),
        ("", "127.1", 403),
        ("", "0.0.0.0", 403),
        ("", "169.254.169.254", 403),
        ("", "fd00:ec2::254", 403),
        ("*", "127.0.0.1", 403),
        ("*", "localhost", 403),
        ("*", "169.254.169.254", 403),
        ("db.example.com", "127.0.0.1", 403),
        ("127.0.0.1:1", "127.0.0.1", 403),
        ("localhost", "127.0.0.1", 403),
        ("127.0.0.1", "127.0.0.1", 200),
        (&format!("127.0.0.1:{port}"), "127.0.0.1", 200),
    ] {
        let settings = elsewhere.clone().with("MCP_JWE_ALLOWED_HOSTS", list);
        let client = cell.http_to(&settings, Some(&token(host, port)?)).await?;
        let reply = client.post(&who()).await?;
        ensure!(reply.status == wanted, "{list:?} {host}: {} {}", reply.status, reply.text());
        if wanted == 200 {
            is_alice(&reply)?;
        }
    }
    // The configured server may always be chosen, with a login of the token's own.
    let settings = Settings::standard(&cell.world)?;
    is_alice(&cell.http_to(&settings, Some(&token("127.0.0.1", port)?)).await?.post(&who()).await?)
}

/// Files and switches of TLS where they cannot be honoured.
pub(crate) async fn tls_at_the_edge(cell: Cell) -> Result<()> {
    for (name, value) in [
        ("tls_ca_cert", json!("ca.pem")),
        ("tls_client_cert", json!("cert.pem")),
        ("tls_client_key", json!("key.pem")),
        ("tls_insecure_skip_verify", json!(true)),
    ] {
        let mut claims = json!({ "username": "alice", "password": "x", "tls_enabled": true });
        claims[name] = value;
        let reply = cell.http(Some(&cell.world.mint.token(claims)?)).await?.post(&who()).await?;
        ensure!(
            reply.status == 403 && reply.text().contains(name),
            "{name}: {} {}",
            reply.status,
            reply.text()
        );
        ensure!(reply.text().contains("native host"), "{}", reply.text());
    }
    Ok(())
}

/// TLS with a server of the token's own, in front of the real ClickHouse, with files below the operator's folder only.
pub(crate) async fn tls_claims(cell: Cell) -> Result<()> {
    let to = cell.clickhouse_port();
    let (front, strict) = (TlsFront::open(to, false).await?, TlsFront::open(to, true).await?);
    let password = cell.world.password("alice")?;
    let outside = TlsFront::open(to, false).await?;
    std::os::unix::fs::symlink(
        format!("{}/ca.pem", outside.folder()),
        format!("{}/link.pem", front.folder()),
    )?;
    let reached = "reached";
    for (server, more, wanted) in [
        (&front, json!({ "tls_ca_cert": "ca.pem" }), reached),
        (&front, json!({ "tls_ca_cert": format!("{}/ca.pem", front.folder()) }), reached),
        (&front, json!({ "tls_insecure_skip_verify": true }), reached),
        (
            &strict,
            json!({ "tls_ca_cert": "ca.pem", "tls_client_cert": "client.pem", "tls_client_key": "client.key" }),
            reached,
        ),
        (&strict, json!({ "tls_ca_cert": "ca.pem" }), "failed"),
        (&front, json!({}), "failed"),
        (&front, json!({ "tls_ca_cert": "other.pem" }), "failed"),
        (&front, json!({ "tls_ca_cert": "absent.pem" }), "failed"),
        (&front, json!({ "tls_ca_cert": "link.pem" }), "failed"),
        (&front, json!({ "tls_ca_cert": "." }), "refused"),
        (&front, json!({ "tls_ca_cert": "../ca.pem" }), "refused"),
        (&front, json!({ "tls_ca_cert": format!("{}/ca.pem", outside.folder()) }), "refused"),
        (&front, json!({ "tls_client_cert": "client.pem" }), "refused"),
    ] {
        let mut claims = json!({
            "host": "127.0.0.1", "port": server.port(), "tls_enabled": true,
            "username": "alice", "password": password,
        });
        let shown = more.to_string();
        if let (Value::Object(claims), Value::Object(more)) = (&mut claims, more) {
            claims.extend(more);
        }
        let settings = Settings::standard(&cell.world)?
            .with("MCP_JWE_ALLOWED_HOSTS", "127.0.0.1")
            .with("MCP_JWE_TLS_DIRECTORY", server.folder());
        let reply =
            cell.http_to(&settings, Some(&cell.world.mint.token(claims)?)).await?.post(&who()).await?;
        let found = match (reply.status, is_alice(&reply).is_ok()) {
            (200, true) => reached,
            (200, false) => "failed",
            (403, _) => "refused",
            _ => "something else",
        };
        ensure!(found == wanted, "{shown}: {} {}", reply.status, reply.text());
        let folders = [&front, &strict, &outside].map(|front| front.folder());
        ensure!(folders.iter().all(|folder| !reply.text().contains(folder)), "{shown}: {}", reply.text());
    }
    Ok(())
}

/// A token in a path, good or bad, stands in no answer, in no log of ours and in none of ClickHouse's.
pub(crate) async fn traces(cell: Cell) -> Result<()> {
    let anonymous = cell.http(None).await?;
    let good = cell.token("alice")?;
    let spoilt = format!("{}AAAA", &good[..good.len() - 4]);
    let mut pieces: Vec<&str> = Vec::new();
    for token in [good.as_str(), spoilt.as_str()] {
        // The header is alike in all tokens; everything behind it is this one's own.
        pieces.extend(token.split('.').skip(1).filter_map(|part| part.get(..16.min(part.len()))));
    }
    for token in [&good, &spoilt] {
        for end in
            ["", "/mcp", "/sse", "/openapi/execute_query", "/elsewhere", "/../x", "?a=b", "/mcp?token=x"]
        {
            let reply = at(&anonymous, &format!("/{token}{end}")).await?;
            let head = format!("{:?}", reply.headers);
            for piece in &pieces {
                ensure!(
                    !reply.text().contains(piece) && !head.contains(piece),
                    "{end}: {} {head}",
                    reply.text()
                );
            }
        }
    }
    let written = anonymous.server().stderr().text();
    for piece in &pieces {
        ensure!(!written.contains(piece), "the host wrote {piece}");
        let found = query_log::find(
            &cell.world,
            &format!(
                "(position(query, '{piece}') > 0 OR position(log_comment, '{piece}') > 0 \
                 OR position(toString(tuple(*)), '{piece}') > 0) AND position(query, 'system.query_log') = 0"
            ),
        )
        .await?;
        ensure!(found.is_empty(), "the query log shows {piece}: {found:?}");
    }
    Ok(())
}
