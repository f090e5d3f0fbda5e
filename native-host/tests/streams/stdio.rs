//! The same over standard input and output (MCP, transports, stdio): one stream for everything.

use std::time::Duration;

use housekey::serve::shutdown::{Trigger, channel};
use housekey::serve::stdio;
use housekey_core::exchange::Abilities;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, duplex};
use tokio::time::timeout;

use crate::world::{PATIENCE, chat, chatty_native, hello, request};

struct Stdio {
    input: Option<DuplexStream>,
    output: Lines<BufReader<DuplexStream>>,
    trigger: Trigger,
    end: tokio::task::JoinHandle<()>,
}

impl Stdio {
    fn begin() -> Self {
        let (input, theirs) = duplex(64 << 10);
        let (output, ours) = duplex(64 << 10);
        let (trigger, shutdown) = channel();
        let native = chatty_native(Abilities { sessions: false, ..Abilities::ALL }, &[]);
        let end = tokio::spawn(async move { stdio::run(&native, theirs, ours, &shutdown).await.unwrap() });
        Self { input: Some(input), output: BufReader::new(output).lines(), trigger, end }
    }

    async fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.input.as_mut().unwrap().write_all(line.as_bytes()).await.unwrap();
    }

    async fn next(&mut self) -> Option<Value> {
        let line = timeout(PATIENCE, self.output.next_line()).await.unwrap().unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    async fn message(&mut self) -> Value {
        self.next().await.unwrap()
    }
}

fn stateless(id: i64, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
    });
    request(id, method, params)
}

#[tokio::test]
async fn a_client_is_asked_while_others_go_on() {
    let mut client = Stdio::begin();
    client.send(&hello("2025-11-25")).await;
    assert_eq!(client.message().await["result"]["capabilities"]["resources"]["subscribe"], true);
    client.send(&chat(2, "ask")).await;
    let asked = client.message().await;
    client.send(&request(3, "ping", json!({}))).await;
    assert_eq!(client.message().await["id"], 3);
    let given = json!({ "action": "accept", "content": { "name": "Ada" } });
    // An answer to something else is not taken for this one.
    client.send(&json!({ "jsonrpc": "2.0", "id": "1", "result": given })).await;
    client.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": given })).await;
    let answer = client.message().await;
    assert_eq!(
        (&answer["id"], &answer["result"]["structuredContent"]["name"]["name"]),
        (&json!(2), &json!("Ada"))
    );
    client.send(&request(4, "logging/setLevel", json!({ "level": "error" }))).await;
    assert_eq!(client.message().await["result"], json!({}));
    client.send(&chat(5, "log")).await;
    assert_eq!(client.message().await["id"], 5, "below the level");
    // One who takes back a call that asks hears that the question is taken back, too.
    client.send(&chat(6, "ask")).await;
    let asked = client.message().await;
    client
        .send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 6 } }))
        .await;
    let back = client.message().await;
    assert_eq!(
        (&back["method"], &back["params"]["requestId"]),
        (&json!("notifications/cancelled"), &asked["id"])
    );
    client.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": given })).await;
    client.send(&request(7, "ping", json!({}))).await;
    assert_eq!(client.message().await["id"], 7);
    client.input = None;
    assert!(client.next().await.is_none());
    client.end.await.unwrap();
}

#[tokio::test]
async fn stateless_requests_take_rounds_beside_a_session() {
    let mut client = Stdio::begin();
    let call = json!({ "name": "chat", "arguments": { "what": "ask" } });
    client.send(&stateless(1, "tools/call", call.clone())).await;
    let asked = client.message().await;
    assert_eq!(asked["result"]["resultType"], "input_required");
    let mut again = call;
    again["requestState"] = asked["result"]["requestState"].clone();
    again["inputResponses"] = json!({ "name": { "action": "accept", "content": { "name": "Ada" } } });
    client.send(&stateless(2, "tools/call", again)).await;
    assert_eq!(client.message().await["result"]["structuredContent"]["name"]["name"], "Ada");
}

#[tokio::test]
async fn listeners_share_the_stream_and_are_told_apart() {
    let mut client = Stdio::begin();
    for (id, kind) in [(1, "toolsListChanged"), (2, "promptsListChanged"), (3, "toolsListChanged")] {
        client.send(&stateless(id, "subscriptions/listen", json!({ "notifications": { kind: true } }))).await;
        let first = client.message().await;
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(first["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
    }
    client
        .send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 3 } }))
        .await;
    client
        .send(&stateless(4, "tools/call", json!({ "name": "chat", "arguments": { "what": "change" } })))
        .await;
    let mut seen = [client.message().await, client.message().await];
    seen.sort_by_key(|message| message.get("id").is_some());
    assert_eq!(seen[0]["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
    assert_eq!(seen[1]["id"], 4);
    // The end of the server is said to those who still listen.
    client.trigger.drain();
    let mut ended = Vec::new();
    while let Some(message) = client.next().await {
        ended.push(message);
    }
    for id in [1, 2] {
        assert!(
            ended.iter().any(|message| message["id"] == id && message["result"]["resultType"] == "complete")
        );
        assert!(ended.iter().any(|message| message["params"]["requestId"] == id), "{ended:?}");
    }
    assert_eq!(ended.len(), 4);
    timeout(Duration::from_secs(5), client.end).await.unwrap().unwrap();
}
