//! Everything that a network can do to a connection, at every stage of it: each ends in an error in time, and the next
//! query works.

use std::time::{Duration, Instant};

use housekey::clickhouse::Client;
use housekey_core::clickhouse::{Endpoint, QueryEvent, QueryRequest, Setting};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::proxy::{FAIR, Fault, Proxy, Weather};
use crate::world::{ask, clickhouse, client, hear, login, query, vouched};

const WHO: &str = "SELECT currentUser()";
/// Some blocks of 512 KiB.
const LARGE: &str = "SELECT number, toString(number) FROM numbers(200000)";
/// Seconds that a query may take here, and what is granted to a busy machine on top.
const DEADLINE: u64 = 2;
const GRACE: Duration = Duration::from_secs(8);

/// Bytes that a whole exchange takes: of the query, to the server and to the client.
async fn length(request: &QueryRequest) -> [usize; 2] {
    let proxy = Proxy::open(clickhouse().await.tcp_port()).await;
    ask(&client(), &QueryRequest { endpoint: at(request, proxy.port), ..request.clone() }).await.rows();
    proxy.carried()
}

fn at(request: &QueryRequest, port: u16) -> Endpoint {
    Endpoint { port, ..request.endpoint.clone() }
}

/// Asks in bad weather, then in fair weather.
async fn storm(client: &Client, proxy: &Proxy, request: &QueryRequest, weather: Weather) {
    proxy.cut().await;
    proxy.set(weather);
    let made = proxy.count().made;
    let begun = Instant::now();
    // The server may still be at the last one.
    let query_id = format!("native-tcp-{:032x}", rand::random::<u128>());
    let mut answer = client.send(&QueryRequest { query_id, ..request.clone() });
    let text = match hear(&mut answer).await.last {
        QueryEvent::Broken(text) => text,
        // Whom the server hears say good-bye too early it tells so.
        QueryEvent::Exception(exception) if weather.to_client == Fault::None => exception.message,
        other => panic!("{weather:?}: {other:?}"),
    };
    assert!(begun.elapsed() < Duration::from_secs(DEADLINE) + GRACE, "{weather:?}: {text}");
    assert!(!text.contains("127.0.0.1"), "{text}");
    // Only a connection that died before the query is replaced; a query is never sent twice.
    assert_eq!(proxy.count().made, made + 1, "{weather:?}: {text}");
    drop(answer);
    proxy.set(FAIR);
    let next = query(proxy.port, login("alice").await, WHO);
    assert_eq!(ask(client, &next).await.rows(), [r#"["alice"]"#], "{weather:?}");
}

#[tokio::test]
async fn what_comes_from_the_server_may_break_anywhere() {
    let clickhouse = clickhouse().await;
    let proxy = Proxy::open(clickhouse.tcp_port()).await;
    let large = query(proxy.port, login("alice").await, LARGE);
    let [_, whole] =
        length(&QueryRequest { endpoint: at(&large, clickhouse.tcp_port()), ..large.clone() }).await;
    let client = client();
    let request = QueryRequest { deadline_seconds: DEADLINE, ..large };
    // In the hello, in the header of the answer, in a block, in the last block.
    for after in [0, 5, 40, 250, 400, 100_000, whole / 2, whole / 100 * 98] {
        for fault in [Fault::Kill(after), Fault::HalfClose(after), Fault::Garbage(after), Fault::Stall(after)]
        {
            let weather = Weather { to_client: fault, ..FAIR };
            storm(&client, &proxy, &request, weather).await;
        }
    }
}

#[tokio::test]
async fn what_goes_to_the_server_may_break_anywhere() {
    let proxy = Proxy::open(clickhouse().await.tcp_port()).await;
    let client = client();
    // More than the system's buffers take.
    let padded = format!("SELECT length('{}')", "x".repeat(6 << 20));
    let request = QueryRequest {
        deadline_seconds: DEADLINE,
        settings: vec![Setting::new("max_query_size", "10000000")],
        ..query(proxy.port, login("alice").await, &padded)
    };
    for after in [0, 10, 60, 1000, 3 << 20] {
        for fault in [Fault::Kill(after), Fault::HalfClose(after), Fault::Garbage(after), Fault::Stall(after)]
        {
            storm(&client, &proxy, &request, Weather { to_server: fault, ..FAIR }).await;
        }
    }
}

#[tokio::test]
async fn a_member_of_a_cluster_stands_it_too() {
    let proxy = Proxy::open(clickhouse().await.tcp_port()).await;
    let client = client();
    let request = QueryRequest { deadline_seconds: DEADLINE, ..vouched(proxy.port, "alice", LARGE).await };
    for fault in [Fault::Kill(20), Fault::Stall(20), Fault::Kill(100_000), Fault::Stall(100_000)] {
        storm(&client, &proxy, &request, Weather { to_client: fault, ..FAIR }).await;
    }
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let proxy = Proxy::open(clickhouse().await.tcp_port()).await;
    proxy.set(Weather { to_server: Fault::ByteByByte, to_client: Fault::ByteByByte });
    let sql = "SELECT number, toString(number) FROM numbers(100)";
    let rows = ask(&client(), &query(proxy.port, login("alice").await, sql)).await.rows();
    assert_eq!(rows.len(), 100);
    assert_eq!(rows.last().unwrap(), r#"["99","99"]"#);
}

#[tokio::test]
async fn what_is_no_clickhouse_is_told_apart() {
    let client = client();
    for (greeting, text) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "HTTP"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "TLS"),
        (b"", "ClickHouse closed the connection without an answer"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let greet = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(greeting).await.unwrap();
            stream.shutdown().await.unwrap();
            // Who closed with bytes unread would cut its own words short.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        };
        let request = query(port, login("alice").await, WHO);
        let (told, ()) = tokio::join!(ask(&client, &request), greet);
        let told = told.broken();
        assert!(told.contains(text), "{told}");
    }
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let mut answer = client.send(&query(nobody, login("alice").await, WHO));
    assert_eq!(hear(&mut answer).await.broken(), "ClickHouse could not be reached");
    assert!(!answer.may_run());
}

#[tokio::test]
async fn a_server_whose_revision_is_disputed_is_offered_an_older_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Revisions 54492, 54485 and 54488 as the wire has them.
    let (newest, undisputed, disputed) = (b"\xdc\xa9\x03", b"\xd5\xa9\x03", b"\xd8\xa9\x03");
    let serve = async {
        for announced in [newest, undisputed] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = Vec::new();
            while !hello.windows(3).any(|part| part == announced) {
                assert_ne!(stream.read_buf(&mut hello).await.unwrap(), 0, "{hello:?}");
            }
            let greeting = [&b"\x00\x0aClickHouse\x1a\x07"[..], disputed].concat();
            stream.write_all(&greeting).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    };
    let (client, request) = (client(), query(port, login("alice").await, WHO));
    let (told, ()) = tokio::join!(ask(&client, &request), serve);
    assert_eq!(told.broken(), "ClickHouse closed the connection without an answer");
}
