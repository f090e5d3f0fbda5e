//! Sessions of streamable HTTP (MCP 2025-11-25, transports).

use housekey_core::exchange::Abilities;
use serde_json::json;

use crate::world::{Events, World, chat, hello, request};

async fn begin(world: &World, version: &str) -> String {
    let answer = world.post("/mcp", &[], &hello(version)).await;
    assert_eq!(answer.status(), 200);
    answer.headers()["mcp-session-id"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_lives_until_its_client_ends_it() {
    let world = World::chatty(Abilities::ALL).await;
    let id = begin(&world, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    assert_eq!(world.post("/mcp", &session, &request(2, "ping", json!({}))).await.status(), 200);
    assert_eq!(world.post("/mcp", &[], &request(2, "ping", json!({}))).await.status(), 400);
    assert_eq!(world.get("/mcp", &[]).await.status(), 400);
    let delete = async || {
        world
            .http
            .delete(world.url("/mcp"))
            .header("mcp-session-id", &id)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let mut events = Events::of(world.get("/mcp", &session).await);
    assert!(events.next().await.unwrap().data.unwrap().is_empty(), "the priming event");
    assert_eq!(delete().await, 204);
    assert!(events.next().await.is_none());
    assert_eq!(delete().await, 404);
    assert_eq!(world.post("/mcp", &session, &request(2, "ping", json!({}))).await.status(), 404);
    assert_eq!(world.get("/mcp", &session).await.status(), 404);
}

#[tokio::test]
async fn a_call_asks_its_client_on_its_own_stream() {
    let world = World::chatty(Abilities::ALL).await;
    let id = begin(&world, "2025-06-18").await;
    let session = [("mcp-session-id", id.as_str())];
    let mut first = Events::of(world.post("/mcp", &session, &chat(2, "ask")).await);
    let mut second = Events::of(world.post("/mcp", &session, &chat(3, "ask")).await);
    let (asked, other) = (first.message().await, second.message().await);
    assert_ne!(asked["id"], other["id"]);
    for (asked, name) in [(&other, "Bo"), (&asked, "Ada")] {
        let given = json!({ "action": "accept", "content": { "name": name } });
        let response = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": given });
        assert_eq!(world.post("/mcp", &session, &response).await.status(), 202);
    }
    for (events, id, name) in [(&mut first, 2, "Ada"), (&mut second, 3, "Bo")] {
        let answer = events.message().await;
        assert_eq!(answer["id"], id);
        assert_eq!(answer["result"]["structuredContent"]["name"]["name"], name);
        assert!(events.next().await.is_none());
    }
    // Who refuses with an error has not answered.
    let mut events = Events::of(world.post("/mcp", &session, &chat(4, "ask")).await);
    let asked = events.message().await;
    let refused = json!({ "jsonrpc": "2.0", "id": asked["id"], "error": { "code": -1, "message": "no" } });
    world.post("/mcp", &session, &refused).await;
    assert_eq!(events.message().await["result"]["isError"], true);
}

#[tokio::test]
async fn a_stream_that_broke_is_taken_up_again() {
    let world = World::chatty(Abilities::ALL).await;
    let id = begin(&world, "2025-11-25").await;
    let session = [("mcp-session-id", id.as_str())];
    // The server sends the client away, which comes again for the answer.
    let mut events = Events::of(world.post("/mcp", &session, &chat(2, "part")).await);
    let priming = events.next().await.unwrap();
    assert_eq!((priming.data.as_deref(), priming.retry), (Some(""), Some(1000)));
    assert_eq!(events.next().await.unwrap().retry, Some(50));
    assert!(events.next().await.is_none());
    let last = priming.id.unwrap();
    let again = [("mcp-session-id", id.as_str()), ("last-event-id", last.as_str())];
    let mut events = Events::of(world.get("/mcp", &again).await);
    events.next().await.unwrap();
    let answer = events.next().await.unwrap();
    assert_eq!(answer.json()["id"], 2);
    assert!(events.next().await.is_none(), "the end of the answer is the end of the stream");
    // The client goes away by itself, which takes nothing back.
    let mut events = Events::of(world.post("/mcp", &session, &chat(3, "log")).await);
    events.next().await.unwrap();
    let told = events.next().await.unwrap();
    assert_eq!(told.json()["params"]["data"], "begun");
    drop(events);
    let last = told.id.unwrap();
    let again = [("mcp-session-id", id.as_str()), ("last-event-id", last.as_str())];
    let mut events = Events::of(world.get("/mcp", &again).await);
    events.next().await.unwrap();
    assert_eq!(events.message().await["id"], 3);
    for wrong in ["x", "99-1", ""] {
        let wrong = [("mcp-session-id", id.as_str()), ("last-event-id", wrong)];
        assert_eq!(world.get("/mcp", &wrong).await.status(), 404);
    }
}

#[tokio::test]
async fn what_belongs_to_no_request_comes_on_a_stream_of_its_own() {
    let world = World::chatty(Abilities::ALL).await;
    let id = begin(&world, "2025-03-26").await;
    let session = [("mcp-session-id", id.as_str())];
    let mut events = Events::of(world.get("/mcp", &session).await);
    let subscribe = request(2, "resources/subscribe", json!({ "uri": "test://watched" }));
    assert_eq!(world.post("/mcp", &session, &subscribe).await.status(), 200);
    assert_eq!(world.post("/mcp", &session, &chat(3, "update")).await.status(), 200);
    let told = events.next().await.unwrap();
    assert!(told.id.is_some());
    assert_eq!(told.json()["method"], "notifications/resources/updated");
    // A second stream takes the place of the first: each message goes to one.
    let mut second = Events::of(world.get("/mcp", &session).await);
    assert!(events.next().await.is_none());
    world.post("/mcp", &session, &chat(4, "change")).await;
    assert_eq!(second.message().await["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_request_is_taken_back_by_its_id_within_its_session() {
    let world = World::chatty(Abilities::ALL).await;
    let (one, other) = (begin(&world, "2025-11-25").await, begin(&world, "2025-11-25").await);
    let mine = [("mcp-session-id", one.as_str())];
    let theirs = [("mcp-session-id", other.as_str())];
    let back = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 5 } });
    let sleeping = chat(5, "sleep");
    let sleeping = world.post("/mcp", &mine, &sleeping);
    tokio::pin!(sleeping);
    let wait = tokio::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(wait, sleeping.as_mut()).await.is_err());
    assert_eq!(world.post("/mcp", &theirs, &back).await.status(), 202);
    assert!(tokio::time::timeout(wait, sleeping.as_mut()).await.is_err(), "another session's");
    assert_eq!(world.post("/mcp", &mine, &back).await.status(), 202);
    assert_eq!(sleeping.await.status(), 202, "no response");
}
