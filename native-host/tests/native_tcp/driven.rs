//! What the driver leaves on the server when its client goes away, or has enough.

use std::sync::Arc;

use bytes::Bytes;
use housekey::drive::{Client, drive};
use housekey::host::Native;
use housekey::serve;
use housekey::talk::Outbox;
use housekey_core::exchange::{Inbound, Reply, Step, begin};
use tokio::sync::mpsc;

use crate::proxy::Proxy;
use crate::world::{ask, clickhouse, config, is_gone, login, query};

/// Housekey before a proxy, logged in as alice.
async fn native(proxy: &Proxy, more: &[(&str, &str)]) -> Native {
    let (port, password) = (proxy.port.to_string(), clickhouse().await.alice_password());
    let mut variables = vec![
        ("CLICKHOUSE_HOST", "127.0.0.1"),
        ("CLICKHOUSE_PORT", &port),
        ("CLICKHOUSE_USERNAME", "alice"),
        ("CLICKHOUSE_PASSWORD", password),
    ];
    variables.extend(more);
    serve::native(config(&variables)).unwrap()
}

/// The step of a call, and its `query_id`.
fn call(native: &Native, sql: &str) -> (Step, String) {
    let session = native.step(|env| native.service().open_session(env)).unwrap();
    let line =
        |line: String, session| Inbound::Line(Arc::clone(native.service()), Bytes::from(line), session);
    let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    let step = native.step(|env| begin(env, line(hello.to_owned(), session)));
    let Step::Done(Reply::Lines { session: Some(session), .. }) = step else { panic!("no session") };
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"execute_query","arguments":{{"query":"{sql}"}}}}}}"#
    );
    let step = native.step(|env| begin(env, line(call, session)));
    let Step::Query(request, _) = &step else { panic!("no query") };
    let query_id = request.query_id.clone();
    (step, query_id)
}

async fn is_running(query_id: &str) {
    let asked = format!("SELECT count(), sleep(0.05) FROM system.processes WHERE query_id = '{query_id}'");
    while !clickhouse().await.query(&asked).await.unwrap().starts_with("1\t") {}
}

#[tokio::test]
async fn a_driver_that_is_dropped_ends_its_query_on_the_same_connection() {
    let proxy = Proxy::open(clickhouse().await.tcp_port()).await;
    let native = native(&proxy, &[]).await;
    let (step, query_id) = call(&native, "SELECT max(number) FROM numbers(1000000000000)");
    let (outbox, _messages) = mpsc::channel(8);
    let outbox = Outbox::Channel(outbox);
    let client = Client { outbox: &outbox, waiting: None, talk: None };
    tokio::select! {
        _ = drive(&native, step, &client) => panic!("it has ended"),
        () = is_running(&query_id) => {}
    }
    native.background().finished().await;
    is_gone(&query_id).await;
    assert_eq!(proxy.count().made, 1);
}

#[tokio::test]
async fn what_the_cap_cuts_off_leaves_no_query_behind() {
    let proxy = Proxy::open(clickhouse().await.tcp_port()).await;
    let native = native(&proxy, &[("CLICKHOUSE_MAX_RESULT_BYTES", "1000")]).await;
    let (step, query_id) = call(&native, "SELECT number FROM numbers(1000000000000)");
    let (outbox, _messages) = mpsc::channel(8);
    let outbox = Outbox::Channel(outbox);
    let reply = drive(&native, step, &Client { outbox: &outbox, waiting: None, talk: None }).await;
    let Reply::Lines { messages, .. } = reply else { panic!("no lines") };
    assert!(messages.concat().contains("\"isError\":false"), "{messages:?}");
    native.background().finished().await;
    is_gone(&query_id).await;
    // The connection has come to the end of the answer, and serves the next one.
    let next = query(proxy.port, login("alice").await, "SELECT 1");
    let next = housekey_core::clickhouse::QueryRequest { database: Some("default".to_owned()), ..next };
    assert_eq!(ask(native.clickhouse(), &next).await.rows(), ["[1]"]);
    assert_eq!(proxy.count().made, 1);
}
