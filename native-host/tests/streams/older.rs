//! HTTP+SSE (MCP 2024-11-05, transports).

use housekey_core::exchange::Abilities;
use serde_json::json;

use crate::world::{Events, SECURE, World, chat, hello, request, token, until};

async fn open(world: &World, path: &str, headers: &[(&str, &str)]) -> (Events, String) {
    let mut events = Events::of(world.get(path, headers).await);
    let first = events.next().await.unwrap();
    assert_eq!(first.kind.as_deref(), Some("endpoint"), "the first event");
    let endpoint = first.data.unwrap();
    assert!(endpoint.starts_with('/'), "a relative address: {endpoint}");
    (events, endpoint)
}

#[tokio::test]
async fn messages_are_posted_and_answered_on_the_stream() {
    let world = World::product(&[]).await;
    let (mut events, endpoint) = open(&world, "/sse", &[]).await;
    let accepted = world.post(&endpoint, &[], &hello("2024-11-05")).await;
    assert_eq!((accepted.status().as_u16(), accepted.text().await.unwrap().as_str()), (202, "Accepted"));
    let answer = events.message().await;
    assert_eq!(answer["result"]["protocolVersion"], "2024-11-05");
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(world.post(&endpoint, &[], &initialized).await.status(), 202);
    world.post(&endpoint, &[], &request(2, "tools/list", json!({}))).await;
    assert_eq!(events.message().await["id"], 2);
    // What is no message is answered on the stream, too.
    let broken = world.http.post(world.url(&endpoint)).header("content-type", "application/json").body("{");
    assert_eq!(broken.send().await.unwrap().status(), 202);
    assert_eq!(events.message().await["error"]["code"], -32700);
    // Streamable HTTP is served beside it, at the same address.
    for path in ["/sse", "/mcp"] {
        assert_eq!(world.post(path, &[], &hello("2025-06-18")).await.status(), 200);
    }
    let other = format!("{}x", endpoint);
    assert_eq!(world.post(&other, &[], &hello("2024-11-05")).await.status(), 404);
    drop(events);
    until(async || (world.post(&endpoint, &[], &hello("2024-11-05")).await.status() == 404).then_some(()))
        .await;
}

#[tokio::test]
async fn a_client_is_asked_and_told_on_its_stream() {
    let world = World::chatty(Abilities::ALL).await;
    let (mut events, endpoint) = open(&world, "/sse", &[]).await;
    world.post(&endpoint, &[], &hello("2025-06-18")).await;
    let declared = events.message().await["result"]["capabilities"].clone();
    assert_eq!(declared["resources"]["subscribe"], true);
    world.post(&endpoint, &[], &chat(2, "ask")).await;
    let asked = events.message().await;
    assert_eq!(asked["method"], "elicitation/create");
    let given = json!({ "action": "accept", "content": { "name": "Ada" } });
    let response = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": given });
    // One that answers nothing is passed over.
    let stray = json!({ "jsonrpc": "2.0", "id": 999, "result": {} });
    assert_eq!(world.post(&endpoint, &[], &stray).await.status(), 202);
    assert_eq!(world.post(&endpoint, &[], &response).await.status(), 202);
    let answer = events.message().await;
    assert_eq!(
        (&answer["id"], &answer["result"]["structuredContent"]["name"]["name"]),
        (&json!(2), &json!("Ada"))
    );
    world.post(&endpoint, &[], &request(3, "resources/subscribe", json!({ "uri": "test://watched" }))).await;
    assert_eq!(events.message().await["result"], json!({}));
    // What another client does is told to this one.
    world.stateless(9, "tools/call", json!({ "name": "chat", "arguments": { "what": "update" } })).await;
    let told = events.message().await;
    assert_eq!(
        (&told["method"], &told["params"]["uri"]),
        (&json!("notifications/resources/updated"), &json!("test://watched"))
    );
    // A request that is taken back is not answered.
    world.post(&endpoint, &[], &chat(4, "sleep")).await;
    let back = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 4 } });
    world.post(&endpoint, &[], &back).await;
    world.post(&endpoint, &[], &request(5, "ping", json!({}))).await;
    assert_eq!(events.message().await["id"], 5);
}

#[tokio::test]
async fn a_session_belongs_to_who_opened_it() {
    let world = World::product(SECURE).await;
    assert_eq!(world.get("/sse", &[]).await.status(), 401);
    let (alice, bob) = (token("alice", 600), token("bob", 600));
    let bearer = |token: &str| format!("Bearer {token}");
    let (mut events, endpoint) = open(&world, "/sse", &[("authorization", &bearer(&alice))]).await;
    assert_eq!(world.post(&endpoint, &[], &hello("2024-11-05")).await.status(), 401);
    let foreign = [("authorization", bearer(&bob))];
    let foreign: Vec<(&str, &str)> = foreign.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(world.post(&endpoint, &foreign, &hello("2024-11-05")).await.status(), 404);
    let evil = [("authorization", bearer(&alice)), ("origin", "https://evil.example".to_owned())];
    let evil: Vec<(&str, &str)> = evil.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(world.post(&endpoint, &evil, &hello("2024-11-05")).await.status(), 403);
    assert_eq!(world.get("/sse", &evil).await.status(), 403);
    assert_eq!(
        world.post(&endpoint, &[("authorization", &bearer(&alice))], &hello("2024-11-05")).await.status(),
        202
    );
    assert_eq!(events.message().await["id"], 1);
    // A token in the path is one in both addresses.
    let (mut events, endpoint) = open(&world, &format!("/{bob}/sse"), &[]).await;
    assert!(endpoint.starts_with(&format!("/{bob}/sse?")), "{endpoint}");
    assert_eq!(world.post(&endpoint, &[], &hello("2024-11-05")).await.status(), 202);
    assert_eq!(events.message().await["id"], 1);
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_with_the_server() {
    let world = World::product(SECURE).await;
    let short = format!("Bearer {}", token("alice", 1));
    let (mut events, endpoint) = open(&world, "/sse", &[("authorization", &short)]).await;
    assert!(events.next().await.is_none());
    let late = world.post(&endpoint, &[("authorization", &short)], &hello("2024-11-05")).await.status();
    assert!(late == 401 || late == 404, "the token or the session is over: {late}");
    let long = format!("Bearer {}", token("alice", 600));
    let (mut events, _) = open(&world, "/sse", &[("authorization", &long)]).await;
    world.trigger.drain();
    assert!(events.next().await.is_none());
    assert_eq!(world.end.await.unwrap(), housekey::serve::http::End::Drained);
}

#[tokio::test]
async fn one_person_has_no_more_streams_than_they_may() {
    let world = World::product(&[]).await;
    let mut open_streams = Vec::new();
    let refused = loop {
        let answer = world.get("/sse", &[]).await;
        if answer.status() != 200 {
            break answer;
        }
        open_streams.push(answer);
        assert!(open_streams.len() <= 128);
    };
    assert_eq!((refused.status().as_u16(), open_streams.len()), (429, 128));
    assert_eq!(refused.headers()["retry-after"], "5");
    drop(open_streams);
    until(async || (world.get("/sse", &[]).await.status() == 200).then_some(())).await;
}
