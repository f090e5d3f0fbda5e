//! Answers that are cut short, and what is left of their queries.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use housekey::clickhouse::Bounds;
use housekey_core::clickhouse::{
    ChosenBy, Endpoint, QueryEvent, QueryRequest, Reach, ReadLimits, Setting, TokenTls,
};

use crate::proxy::Proxy;
use crate::world::{
    ask, bounded, chosen_by_token, clickhouse, client, first_row, hear, is_gone, login, query, vouched,
};

const WHO: &str = "SELECT currentUser()";
const ENDLESS: &str = "SELECT number FROM numbers(1000000000000)";

/// So slow that little is on its way when the server is asked to stop.
fn slow(request: QueryRequest) -> QueryRequest {
    QueryRequest { settings: vec![Setting::new("max_block_size", "10")], ..request }
}

async fn proxy() -> Proxy {
    Proxy::open(clickhouse().await.tcp_port()).await
}

#[tokio::test]
async fn a_query_is_cancelled_on_its_own_connection() {
    let (proxy, client) = (proxy().await, client());
    for request in [
        slow(query(proxy.port, login("alice").await, ENDLESS)),
        slow(vouched(proxy.port, "bob", ENDLESS).await),
    ] {
        let before = proxy.count().made;
        let mut answer = client.send(&request);
        first_row(&mut answer).await;
        assert!(answer.may_run());
        answer.cancel().await.unwrap();
        assert!(!answer.may_run());
        is_gone(&request.query_id).await;
        assert!(matches!(answer.next().await, QueryEvent::Broken(_)));
        // The connection is used again, and nothing of the old answer is on it.
        let next = QueryRequest { statement: crate::world::statement("SELECT 42"), ..request };
        assert_eq!(ask(&client, &next).await.rows(), ["[42]"]);
        assert_eq!(proxy.count().made, before + 1);
    }
}

#[tokio::test]
async fn a_query_without_a_row_is_cancelled_too() {
    let (proxy, client) = (proxy().await, client());
    let request = query(proxy.port, login("alice").await, "SELECT count() FROM numbers(1000000000000)");
    let mut answer = client.send(&request);
    while !matches!(answer.next().await, QueryEvent::Progress { .. }) {}
    answer.cancel().await.unwrap();
    is_gone(&request.query_id).await;
    assert_eq!(ask(&client, &query(proxy.port, login("alice").await, WHO)).await.rows(), [r#"["alice"]"#]);
}

#[tokio::test]
async fn a_query_that_was_not_sent_needs_no_cancelling() {
    let (proxy, client) = (proxy().await, client());
    let mut answer = client.send(&query(proxy.port, login("alice").await, WHO));
    assert!(!answer.may_run());
    answer.cancel().await.unwrap();
    assert_eq!(proxy.count().made, 0);
}

#[tokio::test]
async fn a_query_that_was_late_is_cancelled() {
    let (proxy, client) = (proxy().await, client());
    let request = QueryRequest {
        deadline_seconds: 1,
        ..query(proxy.port, login("alice").await, "SELECT count() FROM numbers(1000000000000)")
    };
    let mut answer = client.send(&request);
    assert_eq!(hear(&mut answer).await.broken(), "ClickHouse did not answer within 1 seconds");
    assert!(answer.may_run());
    assert!(!answer.drain(1 << 20, Duration::from_millis(1)).await);
    answer.cancel().await.unwrap();
    is_gone(&request.query_id).await;
}

#[tokio::test]
async fn an_answer_that_is_dropped_ends_its_query_and_its_connection() {
    let (proxy, client) = (proxy().await, client());
    let request = query(proxy.port, login("alice").await, ENDLESS);
    let mut answer = client.send(&request);
    first_row(&mut answer).await;
    drop(answer);
    proxy.until_open(0).await;
    is_gone(&request.query_id).await;
    assert_eq!(ask(&client, &query(proxy.port, login("alice").await, WHO)).await.rows(), [r#"["alice"]"#]);
    assert_eq!(proxy.count().made, 2);
}

#[tokio::test]
async fn a_panic_closes_the_connection() {
    let (proxy, client) = (proxy().await, client());
    let request = query(proxy.port, login("alice").await, ENDLESS);
    let panicking = {
        let (client, request) = (client.clone(), request.clone());
        tokio::spawn(async move {
            let mut answer = client.send(&request);
            first_row(&mut answer).await;
            std::panic::resume_unwind(Box::new("on purpose"));
        })
    };
    assert!(panicking.await.unwrap_err().is_panic());
    proxy.until_open(0).await;
    is_gone(&request.query_id).await;
    assert_eq!(ask(&client, &query(proxy.port, login("alice").await, WHO)).await.rows(), [r#"["alice"]"#]);
}

#[tokio::test]
async fn a_rest_that_is_small_is_read() {
    let (proxy, client) = (proxy().await, client());
    let mut answer = client.send(&query(proxy.port, login("alice").await, "SELECT number FROM numbers(100)"));
    first_row(&mut answer).await;
    assert!(answer.drain(64 << 10, Duration::from_secs(10)).await);
    assert_eq!(ask(&client, &query(proxy.port, login("alice").await, WHO)).await.rows(), [r#"["alice"]"#]);
    assert_eq!(proxy.count().made, 1);
    // One that is large is not, and can still be cancelled.
    let large = slow(query(proxy.port, login("alice").await, ENDLESS));
    let mut answer = client.send(&large);
    first_row(&mut answer).await;
    assert!(!answer.drain(64 << 10, Duration::from_secs(10)).await);
    answer.cancel().await.unwrap();
    is_gone(&large.query_id).await;
    assert_eq!(ask(&client, &query(proxy.port, login("alice").await, WHO)).await.rows(), [r#"["alice"]"#]);
    assert_eq!(proxy.count().made, 1);
}

#[tokio::test]
async fn a_row_that_is_too_long_ends_the_answer_and_not_the_connection() {
    let (proxy, client) = (proxy().await, bounded(Bounds { of_login: 1, ..Bounds::default() }));
    let request = QueryRequest {
        limits: ReadLimits { row_bytes: 100 },
        ..query(proxy.port, login("alice").await, "SELECT repeat('x', 1000) FROM numbers(1000000000000)")
    };
    let request = slow(request);
    let mut answer = client.send(&request);
    assert_eq!(hear(&mut answer).await.last, QueryEvent::RowTooLong);
    is_gone(&request.query_id).await;
    assert_eq!(ask(&client, &query(proxy.port, login("alice").await, WHO)).await.rows(), [r#"["alice"]"#]);
    assert_eq!(proxy.count().made, 1);
}

#[tokio::test]
async fn a_future_that_is_dropped_loses_no_byte() {
    let (proxy, client) = (proxy().await, client());
    let sql = "SELECT number, toString(number) FROM numbers(20000)";
    let mut answer = client.send(&query(proxy.port, login("alice").await, sql));
    let mut rows = 0;
    loop {
        // Polled once and dropped, again and again.
        match futures_util::FutureExt::now_or_never(answer.next()) {
            None => tokio::task::yield_now().await,
            Some(QueryEvent::Header(_) | QueryEvent::Progress { .. }) => {}
            Some(QueryEvent::Rows(more)) => {
                for row in more.iter() {
                    assert_eq!(row, format!(r#"["{rows}","{rows}"]"#));
                    rows += 1;
                }
            }
            Some(QueryEvent::End) => break,
            Some(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(rows, 20_000);
}

/// An address of this machine that is not its loopback, if it has one. Nothing is sent.
fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_loopback())
}

#[tokio::test]
async fn blocks_are_compressed_unless_they_stay_on_this_machine() {
    let sql = "SELECT number, 'the same text' FROM numbers(100000)";
    let mut addresses = vec![(IpAddr::from([127, 0, 0, 1]), false)];
    addresses.extend(outer_address().map(|address| (address, true)));
    for (address, is_compressed) in addresses {
        let proxy = Proxy::open_at(address, clickhouse().await.tcp_port()).await;
        let request = query(proxy.port, login("alice").await, sql);
        let endpoint = Endpoint { host: address.to_string(), ..request.endpoint.clone() };
        // With a setting of the caller's, LZ4 is asked for by name; without one the server takes what it likes best.
        for settings in [Vec::new(), vec![Setting::new("max_block_size", "10000")]] {
            let request = QueryRequest { endpoint: endpoint.clone(), settings, ..request.clone() };
            let rows = ask(&client(), &request).await.rows();
            assert_eq!(rows.len(), 100_000);
            assert_eq!(rows.last().unwrap(), r#"["99999","the same text"]"#);
            let [_, bytes] = proxy.carried();
            assert_eq!(bytes < 100_000 * 16, is_compressed, "{address}: {bytes}");
        }
    }
}

/// A row of 40 MiB is too long for the reader in both cases; from a server of a token's own not even the block is held.
#[tokio::test]
async fn a_tokens_own_server_may_take_less_memory() {
    let sql = "SELECT repeat(repeat('x', 1000), 40000)";
    for (chosen_by, wanted) in [
        (ChosenBy::Operator, "RowTooLong"),
        (chosen_by_token(Reach::Any, TokenTls::default()), "33554432 bytes"),
    ] {
        let (proxy, client) = (proxy().await, client());
        let request = QueryRequest { chosen_by, ..query(proxy.port, login("alice").await, sql) };
        let last = format!("{:?}", ask(&client, &request).await.last);
        assert!(last.contains(wanted), "{last}");
    }
}
