//! `subscriptions/listen` (MCP 2026-07-28, server/utilities/subscriptions).

use housekey_core::exchange::Abilities;
use serde_json::json;

use crate::world::{Events, World, token, until};

#[tokio::test]
async fn who_listens_is_told_until_the_end() {
    let world = World::chatty(Abilities::ALL).await;
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    let mut events = Events::of(world.stateless(7, "subscriptions/listen", wanted).await);
    let first = events.next().await.unwrap();
    assert!(first.id.is_none(), "nothing to take up again in this revision");
    let first = first.json();
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(first["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
    // Another kind of change is not for this one.
    for what in ["update", "change"] {
        world.stateless(8, "tools/call", json!({ "name": "chat", "arguments": { "what": what } })).await;
    }
    let told = events.message().await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
    world.trigger.drain();
    let last = events.message().await;
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!(7), &json!("complete")));
    assert!(events.next().await.is_none());
    assert_eq!(world.end.await.unwrap(), housekey::serve::http::End::Drained);
}

#[tokio::test]
async fn one_person_listens_no_more_often_than_they_may() {
    let world = World::chatty(Abilities::ALL).await;
    let listen = async || {
        world
            .stateless(1, "subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }))
            .await
    };
    let mut open = Vec::new();
    for _ in 0..64 {
        let answer = listen().await;
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    let refused = listen().await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"5".parse().unwrap()));
    drop(open);
    until(async || (listen().await.status() == 200).then_some(())).await;
}

#[tokio::test]
async fn the_product_has_nothing_to_hear_of_without_rules() {
    let world = World::product(&[]).await;
    let answer = world.stateless(1, "subscriptions/listen", json!({ "notifications": {} })).await;
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn who_listens_does_so_no_longer_than_their_token_lasts() {
    let world = World::secure().await;
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    assert_eq!(world.stateless(7, "subscriptions/listen", wanted.clone()).await.status(), 401);
    let short = token("alice", 2);
    let mut events = Events::of(world.stateless_as(Some(&short), 7, "subscriptions/listen", wanted).await);
    assert_eq!(events.message().await["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(events.message().await["result"]["resultType"], "complete");
    assert!(events.next().await.is_none());
}
