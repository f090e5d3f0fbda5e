//! Clients that are slow, rude or gone.

use std::time::Duration;

use housekey_core::exchange::Abilities;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{Events, PATIENCE, World, chat, hello, until};

/// Sends bytes as they are and reads what comes until the server closes or the time is up.
async fn raw(world: &World, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn heads_and_bodies_have_their_limits() {
    let world = World::product(&[("MCP_MAX_BODY_BYTES", "2048")]).await;
    let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let declared = raw(&world, format!("{head}Content-Length: 4096\r\n\r\n").as_bytes()).await;
    assert!(declared.starts_with("HTTP/1.1 413"), "{declared}");
    let chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n1000\r\n{}\r\n0\r\n\r\n", "x".repeat(4096));
    assert!(raw(&world, chunk.as_bytes()).await.starts_with("HTTP/1.1 413"));
    let header = format!("{head}X-Long: {}\r\n\r\n", "x".repeat(1 << 20));
    assert!(raw(&world, header.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let many: String = (0..200).map(|number| format!("X-{number}: a\r\n")).collect();
    assert!(raw(&world, format!("{head}{many}\r\n").as_bytes()).await.starts_with("HTTP/1.1 431"));
    assert!(raw(&world, b"nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn methods_that_a_path_has_not_are_refused_with_those_it_has() {
    for (world, allowed) in
        [(World::product(&[]).await, "POST"), (World::chatty(Abilities::ALL).await, "GET, POST, DELETE")]
    {
        let answer = world.http.put(world.url("/mcp")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &allowed.parse().unwrap()));
    }
    let world = World::product(&[]).await;
    let answer = world.http.delete(world.url("/sse")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"GET, POST".parse().unwrap()));
}

#[tokio::test]
async fn browsers_may_do_what_they_have_to() {
    let world = World::product(&[]).await;
    let preflight = world
        .http
        .request(reqwest::Method::OPTIONS, world.url("/mcp"))
        .header("origin", "http://localhost:6274")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "mcp-session-id, mcp-param-region")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 204);
    let headers = preflight.headers();
    assert_eq!(headers["access-control-allow-headers"], "mcp-session-id, mcp-param-region");
    assert_eq!(headers["access-control-allow-methods"], "GET, POST, DELETE, OPTIONS");
    assert_eq!(headers["access-control-allow-origin"], "http://localhost:6274");
    let stream = world.get("/sse", &[("origin", "http://localhost:6274")]).await;
    assert_eq!(stream.headers()["access-control-allow-origin"], "http://localhost:6274");
    assert!(stream.headers()["access-control-expose-headers"].to_str().unwrap().contains("mcp-session-id"));
}

#[tokio::test]
async fn a_client_that_leaves_at_any_point_leaves_nothing_behind() {
    let world = World::chatty(Abilities::ALL).await;
    let whole = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        chat(1, "sleep").to_string().len(),
        chat(1, "sleep")
    );
    for cut in (1..=whole.len()).step_by(17).chain([whole.len()]) {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(&whole.as_bytes()[..cut]).await.unwrap();
        drop(stream);
    }
    for cut in [true, false] {
        let mut events = Events::of(world.get("/sse", &[]).await);
        let endpoint = events.next().await.unwrap().data.unwrap();
        world.post(&endpoint, &[], &hello("2025-06-18")).await;
        world.post(&endpoint, &[], &chat(2, "ask")).await;
        if cut {
            events.message().await;
        }
        drop(events);
        until(async || (world.post(&endpoint, &[], &json!({})).await.status() == 404).then_some(())).await;
    }
    world.trigger.drain();
    let end = timeout(PATIENCE, world.end).await.unwrap().unwrap();
    assert_eq!(end, housekey::serve::http::End::Drained, "nothing that runs holds up the end");
}

#[tokio::test]
async fn many_streams_are_open_beside_each_other() {
    let world = World::chatty(Abilities::ALL).await;
    let mut open = Vec::new();
    for _ in 0..60 {
        let answer = world
            .stateless(1, "subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }))
            .await;
        let mut events = Events::of(answer);
        events.message().await;
        open.push(events);
    }
    world.stateless(8, "tools/call", json!({ "name": "chat", "arguments": { "what": "change" } })).await;
    for events in &mut open {
        assert_eq!(events.message().await["method"], "notifications/tools/list_changed");
    }
}
