//! Which queries share a connection, how many connections there are, and what happens to dead ones.

use std::time::Duration;

use housekey::clickhouse::Bounds;
use housekey_core::clickhouse::{Credential, QueryRequest, Reach, RunAs, Setting};
use tokio::task::JoinSet;

use crate::proxy::Proxy;
use crate::world::{
    ask, bounded, chosen_by_token, clickhouse, client, first_row, hear, is_gone, login, person, query,
    vouched,
};

const WHO: &str = "SELECT currentUser()";
/// Longer than any test keeps an answer.
const ENDLESS: &str = "SELECT number FROM numbers(1000000000000)";

async fn proxy() -> Proxy {
    Proxy::open(clickhouse().await.tcp_port()).await
}

#[tokio::test]
async fn a_member_of_a_cluster_serves_everybody_on_one_connection() {
    let (proxy, client) = (proxy().await, client());
    for user in ["alice", "bob", "alice"] {
        let told = ask(&client, &vouched(proxy.port, user, WHO).await).await;
        assert_eq!(told.rows(), [format!(r#"["{user}"]"#)]);
    }
    assert_eq!(proxy.count().made, 1);
}

#[tokio::test]
async fn a_password_shares_its_connection_with_nobody_else() {
    let (proxy, client) = (proxy().await, client());
    for (user, made) in [("alice", 1), ("bob", 2), ("alice", 2), ("bob", 2)] {
        let told = ask(&client, &query(proxy.port, login(user).await, WHO)).await;
        assert_eq!(told.rows(), [format!(r#"["{user}"]"#)]);
        assert_eq!(proxy.count().made, made, "{user}");
    }
    let wrong = Credential::Password { username: "alice".into(), password: "wrong".into() };
    assert_eq!(ask(&client, &query(proxy.port, wrong, WHO)).await.exception().code, 516);
    assert_eq!(proxy.count().made, 3);
    // Nor with another default database, another way to be reached, or the cluster.
    let alice = query(proxy.port, login("alice").await, WHO);
    let elsewhere = QueryRequest { database: Some("system".to_owned()), ..alice.clone() };
    assert_eq!(ask(&client, &elsewhere).await.rows(), [r#"["alice"]"#]);
    assert_eq!(proxy.count().made, 4);
    let by_token =
        QueryRequest { chosen_by: chosen_by_token(Reach::Any, Default::default()), ..alice.clone() };
    assert_eq!(ask(&client, &by_token).await.rows(), [r#"["alice"]"#]);
    assert_eq!(proxy.count().made, 5);
    assert_eq!(ask(&client, &vouched(proxy.port, "bob", WHO).await).await.rows(), [r#"["bob"]"#]);
    assert_eq!(proxy.count().made, 6);
    assert_eq!(ask(&client, &alice).await.rows(), [r#"["alice"]"#]);
    assert_eq!(proxy.count().made, 6);
}

#[tokio::test]
async fn execute_as_leaves_nobody_behind() {
    let (proxy, client) = (proxy().await, client());
    let gateway = query(proxy.port, login("gateway").await, WHO);
    let alice = QueryRequest { run_as: RunAs::ExecuteAs(person("alice")), ..gateway.clone() };
    for (request, user) in [(&alice, "alice"), (&gateway, "gateway"), (&alice, "alice")] {
        assert_eq!(ask(&client, request).await.rows(), [format!(r#"["{user}"]"#)]);
    }
    assert_eq!(proxy.count().made, 1);
}

#[tokio::test]
async fn a_connection_survives_a_query_that_fails_and_not_one_that_closed_it() {
    let (proxy, client) = (proxy().await, bounded(Bounds { of_login: 1, ..Bounds::default() }));
    let alice = query(proxy.port, login("alice").await, WHO);
    let failing =
        QueryRequest { statement: crate::world::statement("SELECT * FROM sales.nothing"), ..alice.clone() };
    assert_eq!(ask(&client, &failing).await.exception().code, 60);
    assert_eq!(ask(&client, &alice).await.rows(), [r#"["alice"]"#]);
    assert_eq!(proxy.count().made, 1);
    // The server closes the connection when it does not know a setting.
    let unknown = QueryRequest { settings: vec![Setting::new("no_such_setting", "1")], ..alice.clone() };
    assert_eq!(ask(&client, &unknown).await.exception().code, 115);
    assert_eq!(ask(&client, &alice).await.rows(), [r#"["alice"]"#]);
    assert!(proxy.count().made <= 2);
}

#[tokio::test]
async fn a_login_has_no_more_connections_than_it_may() {
    let (proxy, client) = (proxy().await, bounded(Bounds { of_login: 2, ..Bounds::default() }));
    let mut asking = JoinSet::new();
    for _ in 0..12 {
        let request = query(proxy.port, login("alice").await, "SELECT sleep(0.05)");
        let client = client.clone();
        asking.spawn(async move { ask(&client, &request).await.rows() });
    }
    while let Some(rows) = asking.join_next().await {
        assert_eq!(rows.unwrap(), ["[0]"]);
    }
    assert_eq!((proxy.count().most, proxy.count().made), (2, 2));
}

#[tokio::test]
async fn waiting_for_a_connection_counts_as_waiting() {
    let (proxy, client) = (proxy().await, bounded(Bounds { of_login: 1, ..Bounds::default() }));
    let endless = query(proxy.port, login("alice").await, ENDLESS);
    let mut first = client.send(&endless);
    first_row(&mut first).await;
    let mut waiting = client.send(&QueryRequest { deadline_seconds: 1, ..endless.clone() });
    assert_eq!(hear(&mut waiting).await.broken(), "ClickHouse did not answer within 1 seconds");
    assert!(!waiting.may_run());
    // Somebody else has a login of their own, and does not wait.
    let bob = query(proxy.port, login("bob").await, WHO);
    assert_eq!(ask(&client, &bob).await.rows(), [r#"["bob"]"#]);
    drop(first);
    let third = query(proxy.port, login("alice").await, WHO);
    assert_eq!(ask(&client, &third).await.rows(), [r#"["alice"]"#]);
    is_gone(&endless.query_id).await;
}

#[tokio::test]
async fn idle_connections_make_room_for_others() {
    let (proxy, client) = (proxy().await, bounded(Bounds { in_all: 2, ..Bounds::default() }));
    for user in ["alice", "bob", "gateway", "admin"] {
        let told = ask(&client, &query(proxy.port, login(user).await, WHO)).await;
        assert_eq!(told.rows(), [format!(r#"["{user}"]"#)]);
        // A socket that was closed here is still open there for a moment.
        proxy.until_open(proxy.count().made.min(2)).await;
    }
    assert!(proxy.count().most <= 3, "{:?}", proxy.count());
    // The one that was used last is still there.
    ask(&client, &query(proxy.port, login("admin").await, WHO)).await.rows();
    assert_eq!(proxy.count().made, 4);
}

#[tokio::test]
async fn servers_of_tokens_do_not_take_the_places_of_the_operators() {
    let (proxy, client) = (proxy().await, bounded(Bounds { in_all: 1, ..Bounds::default() }));
    let alice = query(proxy.port, login("alice").await, ENDLESS);
    let by_token = QueryRequest { chosen_by: chosen_by_token(Reach::Any, Default::default()), ..alice };
    let mut endless = client.send(&by_token);
    first_row(&mut endless).await;
    let told = ask(&client, &query(proxy.port, login("alice").await, WHO)).await;
    assert_eq!(told.rows(), [r#"["alice"]"#]);
}

#[tokio::test]
async fn idle_connections_are_closed_after_their_time() {
    let bounds = Bounds { idle: Duration::from_millis(20), ..Bounds::default() };
    let (proxy, client) = (proxy().await, bounded(bounds));
    for made in 1..=3 {
        ask(&client, &query(proxy.port, login("alice").await, WHO)).await.rows();
        proxy.until_open(0).await;
        assert_eq!(proxy.count().made, made);
    }
}

#[tokio::test]
async fn connections_are_not_used_beyond_their_life() {
    let (proxy, client) = (proxy().await, bounded(Bounds { life: Duration::ZERO, ..Bounds::default() }));
    for made in 1..=3 {
        ask(&client, &query(proxy.port, login("alice").await, WHO)).await.rows();
        assert_eq!(proxy.count().made, made);
    }
}

#[tokio::test]
async fn a_connection_that_died_while_it_was_idle_is_replaced() {
    let bounds = Bounds { ping_after: Duration::ZERO, ..Bounds::default() };
    let (proxy, client) = (proxy().await, bounded(bounds));
    let alice = query(proxy.port, login("alice").await, WHO);
    for _ in 0..2 {
        assert_eq!(ask(&client, &alice).await.rows(), [r#"["alice"]"#]);
    }
    assert_eq!(proxy.count().made, 1, "a ping that is answered keeps it");
    proxy.cut().await;
    assert_eq!(ask(&client, &alice).await.rows(), [r#"["alice"]"#]);
    assert_eq!(proxy.count().made, 2);
    // Now nobody says that it is dead.
    proxy.silence();
    assert_eq!(ask(&client, &alice).await.rows(), [r#"["alice"]"#]);
    assert_eq!(proxy.count().made, 3);
}

#[tokio::test]
async fn whoever_waits_longer_is_served_first() {
    let (proxy, client) = (proxy().await, bounded(Bounds { of_login: 1, ..Bounds::default() }));
    let mut holder = client.send(&query(proxy.port, login("alice").await, ENDLESS));
    first_row(&mut holder).await;
    let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
    let mut waiting = JoinSet::new();
    for number in 0..4 {
        let request = query(proxy.port, login("alice").await, WHO);
        let (client, told) = (client.clone(), told.clone());
        waiting.spawn(async move {
            let mut answer = client.send(&request);
            first_row(&mut answer).await;
            told.send(number).unwrap();
        });
        // On this runtime of one thread the task gets as far as the queue.
        tokio::task::yield_now().await;
    }
    drop(holder);
    waiting.join_all().await;
    for number in 0..4 {
        assert_eq!(order.recv().await, Some(number));
    }
}
