//! Who runs a query, in each of the three ways to log in.

use housekey_core::clickhouse::{Credential, QueryRequest, RunAs};
use housekey_core::sql::Inner;

use crate::world::{ask, clickhouse, client, login, member, person, query, vouched};

const WHO: &str = "SELECT currentUser(), groupUniqArray(region) FROM sales.orders";

#[tokio::test]
async fn a_password_logs_its_user_in() {
    let port = clickhouse().await.tcp_port();
    let told = ask(&client(), &query(port, login("alice").await, WHO)).await;
    assert_eq!(told.rows(), [r#"["alice",["north"]]"#]);
}

#[tokio::test]
async fn a_login_that_is_refused_is_an_exception_like_over_http() {
    let (port, client) = (clickhouse().await.tcp_port(), client());
    let wrong = Credential::Password { username: "alice".into(), password: "wrong".into() };
    let exception = ask(&client, &query(port, wrong, "SELECT 1")).await.exception();
    assert_eq!(exception.code, 516);
    assert!(exception.message.contains("Authentication failed"), "{exception:?}");
    let nowhere = QueryRequest {
        database: Some("nowhere".to_owned()),
        ..query(port, login("alice").await, "SELECT 1")
    };
    assert_eq!(ask(&client, &nowhere).await.exception().code, 81);
    let here = QueryRequest { database: Some("sales".to_owned()), ..nowhere };
    let here = QueryRequest { statement: crate::world::statement("SELECT count() > 0 FROM orders"), ..here };
    assert_eq!(ask(&client, &here).await.rows(), ["[1]"]);
    for refused in [
        Credential::Password { username: String::new(), password: "".into() },
        Credential::Password { username: " INTERSERVER SECRET ".into(), password: "".into() },
        Credential::Bearer("token".into()),
    ] {
        let mut answer = client.send(&query(port, refused, "SELECT 1"));
        let told = crate::world::hear(&mut answer).await;
        assert_eq!(told.broken(), "the query cannot be sent to ClickHouse as it is");
        assert!(!answer.may_run());
    }
}

#[tokio::test]
async fn execute_as_runs_as_the_person() {
    let (port, client) = (clickhouse().await.tcp_port(), client());
    for (user, region) in [("alice", "north"), ("bob", "south"), ("alice", "north")] {
        let request = QueryRequest {
            run_as: RunAs::ExecuteAs(person(user)),
            inner: Inner { readonly: true, limit: Some(10) },
            ..query(port, login("gateway").await, WHO)
        };
        assert_eq!(ask(&client, &request).await.rows(), [format!(r#"["{user}",["{region}"]]"#)]);
    }
    // Whom the gateway may not become does not get to know who exists.
    for user in ["nobody", "admin"] {
        let request = QueryRequest {
            run_as: RunAs::ExecuteAs(person(user)),
            ..query(port, login("gateway").await, WHO)
        };
        assert_eq!(ask(&client, &request).await.exception().code, 497, "{user}");
    }
}

#[tokio::test]
async fn the_clusters_secret_vouches_for_each_query() {
    let (port, client) = (clickhouse().await.tcp_port(), client());
    for (user, region) in [("alice", "north"), ("bob", "south"), ("alice", "north")] {
        let told = ask(&client, &vouched(port, user, WHO).await).await;
        assert_eq!(told.rows(), [format!(r#"["{user}",["{region}"]]"#)]);
    }
    let salaries = "SELECT count() FROM hr.salaries";
    assert_eq!(ask(&client, &vouched(port, "bob", salaries).await).await.rows(), [r#"["5"]"#]);
    assert_eq!(ask(&client, &vouched(port, "alice", salaries).await).await.exception().code, 497);
}

#[tokio::test]
async fn what_the_cluster_refuses_says_what_may_be_wrong() {
    let port = clickhouse().await.tcp_port();
    let Credential::Cluster { name, secret } = member().await else { panic!() };
    for (name, secret, user) in [
        (name.clone(), "wrong".into(), "alice"),
        ("elsewhere".to_owned(), secret.clone(), "alice"),
        (name.clone(), secret.clone(), "nobody"),
    ] {
        let credential = Credential::Cluster { name, secret };
        let request = QueryRequest { credential, ..vouched(port, user, "SELECT 1").await };
        let client = client();
        let mut answer = client.send(&request);
        let text = crate::world::hear(&mut answer).await.broken();
        assert!(text.contains("the cluster's name or secret is wrong"), "{text}");
        assert!(!answer.may_run());
        // Whoever comes next with the right one is none the worse for it.
        let told = ask(&client, &vouched(port, "alice", "SELECT currentUser()").await).await;
        assert_eq!(told.rows(), [r#"["alice"]"#]);
        // Once the secret was right, the server says who is unknown.
        let nobody = vouched(port, "nobody", "SELECT 1").await;
        assert_eq!(ask(&client, &nobody).await.exception().code, 516);
    }
}

#[tokio::test]
async fn nobody_is_vouched_for_without_the_cluster_and_the_cluster_logs_nobody_in() {
    let (port, client) = (clickhouse().await.tcp_port(), client());
    let person = QueryRequest {
        run_as: RunAs::Interserver(person("alice")),
        ..query(port, login("gateway").await, "SELECT 1")
    };
    let nobody = query(port, member().await, "SELECT 1");
    for request in [person, nobody] {
        let text = ask(&client, &request).await.broken();
        assert_eq!(text, "the query cannot be sent to ClickHouse as it is");
    }
}
