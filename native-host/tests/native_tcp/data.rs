//! Data beside a statement: rows that are inserted and tables that are lent to a query, with each login.

use std::sync::Arc;

use housekey::clickhouse::Client;
use housekey_core::clickhouse::{Column, Data, QueryEvent, QueryRequest, RunAs, Statement, Table, Values};
use housekey_core::sql::{Rules, WritableSql};
use serde_json::{Value, json};

use crate::proxy::{FAIR, Fault, Proxy, Weather};
use crate::world::{ask, clickhouse, client, hear, is_gone, login, person, query, statement, vouched};

/// A column of each kind, and what is inserted into it twice. The text is what a query shows of it.
fn kinds() -> Vec<(&'static str, &'static str, [Value; 2])> {
    vec![
        ("flag", "Bool", [json!(true), json!(false)]),
        ("i8", "Int8", [json!(-128), json!(127)]),
        ("u16", "UInt16", [json!(0), json!(65_535)]),
        ("i32", "Int32", [json!(i32::MIN), json!(0)]),
        ("u64", "UInt64", [json!("18446744073709551615"), json!("0")]),
        ("i64", "Int64", [json!("-9223372036854775808"), json!("1")]),
        ("i128", "Int128", [json!("-170141183460469231731687303715884105728"), json!("7")]),
        ("u256", "UInt256", [json!("1000000000000000000000000000000000000000000"), json!("7")]),
        ("f32", "Float32", [json!(0.5), json!(-1.25)]),
        ("f64", "Float64", [json!("inf"), json!(0.1)]),
        ("decimal", "Decimal(18, 4)", [json!("-12.5"), json!("0.0001")]),
        ("text", "String", [json!("it's\n\u{e9}\0"), json!("")]),
        ("fixed", "FixedString(3)", [json!("abc"), json!("xyz")]),
        ("date", "Date", [json!("2026-01-31"), json!("1970-01-01")]),
        ("date32", "Date32", [json!("1900-01-01"), json!("2299-12-31")]),
        ("moment", "DateTime('UTC')", [json!("2026-01-31 10:20:30"), json!("1970-01-01 00:00:00")]),
        (
            "tick",
            "DateTime64(3, 'UTC')",
            [json!("2026-01-31 10:20:30.125"), json!("1970-01-01 00:00:00.000")],
        ),
        ("name", "Enum8('a' = 1, 'b' = -2)", [json!("a"), json!("b")]),
        (
            "uuid",
            "UUID",
            [json!("61f0c404-5cb3-11e7-907b-a6006ad3dba0"), json!("00000000-0000-0000-0000-000000000000")],
        ),
        ("ip4", "IPv4", [json!("10.1.2.3"), json!("0.0.0.0")]),
        ("ip6", "IPv6", [json!("2001:db8::1"), json!("::")]),
        ("maybe", "Nullable(Int32)", [json!(null), json!(5)]),
        ("maybe_date", "Nullable(Date)", [json!(null), json!("2026-01-31")]),
        ("maybe_text", "Nullable(String)", [json!(null), json!("x")]),
        ("low", "LowCardinality(String)", [json!("often"), json!("often")]),
        ("low_maybe", "LowCardinality(Nullable(String))", [json!(null), json!("x")]),
        ("numbers", "Array(Nullable(Int16))", [json!([1, null, -3]), json!([])]),
        ("dates", "Array(Date)", [json!(["2026-01-31", "1970-01-01"]), json!([])]),
        ("nested", "Array(Array(String))", [json!([["a"], [], ["b", "c"]]), json!([[]])]),
        ("pair", "Tuple(UInt8, String)", [json!([1, "x"]), json!([2, ""])]),
        ("dated", "Tuple(Date, Array(UInt8))", [json!(["2026-01-31", [1]]), json!(["1970-01-01", []])]),
        ("map", "Map(String, UInt64)", [json!({ "k": "1", "l": "2" }), json!({})]),
        ("by_number", "Map(UInt8, Date)", [json!({ "7": "2026-01-31" }), json!({})]),
        ("object", "JSON", [json!({ "k": "v", "o": { "p": ["q"] } }), json!({})]),
    ]
}

fn writing(sql: &str) -> Statement {
    Statement::Writable(WritableSql::parse(sql, &Rules::internal()).unwrap())
}

/// As somebody who may write, by a password, by the cluster's secret, and by a gateway.
async fn writers(port: u16, sql: &str) -> [QueryRequest; 3] {
    let own = query(port, login("writer").await, "SELECT 1");
    let vouched = vouched(port, "writer", "SELECT 1").await;
    let acted = QueryRequest {
        run_as: RunAs::ExecuteAs(person("writer")),
        ..query(port, login("gateway").await, "SELECT 1")
    };
    [own, vouched, acted].map(|request| QueryRequest { statement: writing(sql), ..request })
}

fn reading(request: &QueryRequest, sql: &str) -> QueryRequest {
    let query_id = format!("native-tcp-{:032x}", rand::random::<u128>());
    QueryRequest { statement: statement(sql), data: None, query_id, ..request.clone() }
}

fn with_rows(request: &QueryRequest, columns: &[&str], rows: Vec<Vec<Value>>) -> QueryRequest {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    let data = Data { rows: Some(Values { columns, rows }), ..Data::default() };
    QueryRequest { data: Some(Arc::new(data)), ..request.clone() }
}

/// A table of its own for each test.
async fn table(columns: &str) -> String {
    let name = format!("scratch.t{:032x}", rand::random::<u128>());
    let create = format!("CREATE TABLE {name} ({columns}) ENGINE = MergeTree ORDER BY tuple()");
    clickhouse().await.query(&create).await.unwrap();
    name
}

async fn count(table: &str) -> String {
    clickhouse().await.query(&format!("SELECT count() FROM {table}")).await.unwrap().trim().to_owned()
}

#[tokio::test]
async fn rows_of_every_kind_are_inserted_and_read_back() {
    let (port, client, kinds) = (clickhouse().await.tcp_port(), client(), kinds());
    let columns: Vec<_> = kinds.iter().map(|(name, of, _)| format!("{name} {of}")).collect();
    let mut names: Vec<_> = kinds.iter().map(|(name, ..)| *name).collect();
    let rows: Vec<Vec<_>> =
        (0..2).map(|row| kinds.iter().map(|(.., values)| values[row].clone()).collect()).collect();
    for number in 0..3 {
        let table = table(&columns.join(", ")).await;
        let insert = format!("INSERT INTO {table} ({}) VALUES", names.join(", "));
        let request = with_rows(&writers(port, &insert).await[number], &names, rows.clone());
        assert_eq!(ask(&client, &request).await.rows(), Vec::<String>::new());
        let select = format!("SELECT {} FROM {table} ORDER BY i8", names.join(", "));
        let told = ask(&client, &reading(&request, &select)).await.rows();
        let told: Vec<Value> = told.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        assert_eq!(told.len(), 2);
        for (row, told) in rows.iter().zip(&told) {
            for ((name, value), told) in names.iter().zip(row).zip(told.as_array().unwrap()) {
                assert_eq!(value, told, "{name}");
            }
        }
        // The order of the columns is nobody's business.
        names.reverse();
        let shuffled = rows.iter().map(|row| row.iter().rev().cloned().collect()).collect();
        let reversed: Vec<_> = names.clone();
        names.reverse();
        assert_eq!(
            ask(&client, &with_rows(&request, &reversed, shuffled)).await.rows(),
            Vec::<String>::new()
        );
        assert_eq!(count(&table).await, "4");
    }
}

#[tokio::test]
async fn many_rows_are_many_blocks() {
    let proxy = Proxy::open(clickhouse().await.tcp_port()).await;
    let client = client();
    let rows: Vec<Vec<Value>> =
        (0..150_000).map(|row| vec![json!(row), json!(format!("row {row}"))]).collect();
    for number in 0..3 {
        let table = table("id UInt32, text String").await;
        let request = &writers(proxy.port, &format!("INSERT INTO {table} VALUES")).await[number];
        assert_eq!(
            ask(&client, &with_rows(request, &["id", "text"], rows.clone())).await.rows(),
            Vec::<String>::new()
        );
        let check = format!("SELECT count(), sum(id), countIf(text = 'row ' || toString(id)) FROM {table}");
        let told = ask(&client, &reading(request, &check)).await.rows();
        assert_eq!(told, [r#"["150000","11249925000","150000"]"#]);
        // An INSERT without a single row is one, too.
        assert_eq!(
            ask(&client, &with_rows(request, &["id", "text"], Vec::new())).await.rows(),
            Vec::<String>::new()
        );
    }
    assert_eq!(proxy.count().made, 3);
}

#[tokio::test]
async fn what_does_not_fit_inserts_nothing_and_leaves_the_connection_in_order() {
    let proxy = Proxy::open(clickhouse().await.tcp_port()).await;
    let client = client();
    let good = || vec![json!(1), json!("2026-01-31")];
    for number in 0..3 {
        let table = table("id UInt8, day Date").await;
        let request = &writers(proxy.port, &format!("INSERT INTO {table} (id, day) VALUES")).await[number];
        for (columns, rows, wanted) in [
            (&["id", "day"][..], vec![good(), vec![json!(300), json!("2026-01-31")]], "\"id\" takes UInt8"),
            (&["id", "day"], vec![good(), vec![json!(1), json!(null)]], "\"day\" takes Date"),
            (&["id"], vec![vec![json!(1)]], "\"day\" is missing"),
            (&["id", "day", "more"], vec![vec![json!(1), json!("2026-01-31"), json!(1)]], "\"more\""),
            (&["id", "id"], vec![vec![json!(1), json!(1)]], "\"id\" is there twice"),
        ] {
            let text = ask(&client, &with_rows(request, columns, rows)).await.broken();
            assert!(text.contains(wanted), "{text}");
        }
        // What only the server can read, only the server can refuse.
        let bad = with_rows(request, &["id", "day"], vec![good(), vec![json!(1), json!("no day")]]);
        let exception = ask(&client, &bad).await.exception();
        assert!(exception.message.contains("\"day\""), "{exception:?}");
        assert_eq!(ask(&client, &reading(request, "SELECT currentUser()")).await.rows(), [r#"["writer"]"#]);
        assert_eq!(count(&table).await, "0");
    }
    // One for each login, and one more where the server was still to say whether it listens.
    assert!(proxy.count().made <= 6, "{:?}", proxy.count());
}

#[tokio::test]
async fn who_may_not_insert_is_refused_before_the_rows() {
    let (port, client) = (clickhouse().await.tcp_port(), client());
    let table = table("id UInt8").await;
    let insert = writing(&format!("INSERT INTO {table} VALUES"));
    let own = query(port, login("alice").await, "SELECT 1");
    let acted = QueryRequest {
        run_as: RunAs::ExecuteAs(person("alice")),
        ..query(port, login("gateway").await, "SELECT 1")
    };
    for request in [own, vouched(port, "alice", "SELECT 1").await, acted] {
        let request = QueryRequest { statement: insert.clone(), ..request };
        let exception = ask(&client, &with_rows(&request, &["id"], vec![vec![json!(1)]])).await.exception();
        assert_eq!(exception.code, 497, "{exception:?}");
        assert!(exception.message.contains("alice"), "{exception:?}");
    }
    assert_eq!(count(&table).await, "0");
}

#[tokio::test]
async fn tables_are_lent_to_one_query() {
    let (port, client) = (clickhouse().await.tcp_port(), client());
    let column = |name: &str, of: &str| Column { name: name.to_owned(), type_name: of.to_owned() };
    let people = Table {
        name: "people".to_owned(),
        columns: vec![column("id", "UInt32"), column("tags", "Array(Nullable(String))")],
        rows: vec![vec![json!(1), json!(["a", null])], vec![json!(2), json!([])]],
    };
    let wanted = Table {
        name: "wanted".to_owned(),
        columns: vec![column("id", "UInt32")],
        rows: vec![vec![json!(1)]],
    };
    let data = Some(Arc::new(Data { tables: vec![people, wanted], rows: None }));
    let sql = "SELECT currentUser(), id, tags FROM people WHERE id IN (SELECT id FROM wanted)";
    for request in writers(port, "INSERT INTO nowhere VALUES").await {
        let request = reading(&request, sql);
        let lent = QueryRequest { data: data.clone(), ..request.clone() };
        // The statement inside of EXECUTE AS does not see what came with the one outside: nothing is sent.
        if request.run_as.is_wrapped() {
            let mut answer = client.send(&lent);
            assert_eq!(hear(&mut answer).await.broken(), "the query cannot be sent to ClickHouse as it is");
            assert!(!answer.may_run());
            continue;
        }
        assert_eq!(ask(&client, &lent).await.rows(), [r#"["writer",1,["a",null]]"#]);
        // The next query on the connection has none of it.
        let exception = ask(&client, &request).await.exception();
        // Without the table the name is that of a file to this build, which nobody here may read.
        assert!([60, 497].contains(&exception.code), "{exception:?}");
    }
}

#[tokio::test]
async fn an_insert_is_cancelled_in_the_middle() {
    let proxy = Proxy::open(clickhouse().await.tcp_port()).await;
    let client = client();
    let rows: Vec<Vec<Value>> = (0..250).map(|row| vec![json!(row)]).collect();
    for number in 0..3 {
        let table = table("id UInt32, slow UInt8 MATERIALIZED sleepEachRow(0.01)").await;
        let request = with_rows(
            &writers(proxy.port, &format!("INSERT INTO {table} (id) VALUES")).await[number],
            &["id"],
            rows.clone(),
        );
        let mut answer = client.send(&request);
        tokio::select! {
            event = answer.next() => panic!("{event:?}"),
            () = is_at_work(&request.query_id) => {}
        }
        answer.cancel().await.unwrap();
        is_gone(&request.query_id).await;
        // Whatever the server made of it, the next answer is that of the next query.
        assert_eq!(ask(&client, &reading(&request, "SELECT currentUser()")).await.rows(), [r#"["writer"]"#]);
    }
}

/// Waits until the server has the query.
async fn is_at_work(query_id: &str) {
    let asked = format!("SELECT count(), sleep(0.02) FROM system.processes WHERE query_id = '{query_id}'");
    while !clickhouse().await.query(&asked).await.unwrap().starts_with("1\t") {}
}

#[tokio::test]
async fn rows_that_the_network_swallows_are_an_error_and_nothing_is_inserted() {
    let proxy = Proxy::open(clickhouse().await.tcp_port()).await;
    let client: Client = client();
    let rows: Vec<Vec<Value>> = (0..30_000).map(|row| vec![json!(format!("row {row} of many"))]).collect();
    for after in [1000, 100_000] {
        for fault in [Fault::Kill(after), Fault::Stall(after), Fault::HalfClose(after), Fault::Garbage(after)]
        {
            let table = table("text String").await;
            proxy.set(Weather { to_server: fault, ..FAIR });
            let request = QueryRequest {
                deadline_seconds: 2,
                ..writers(proxy.port, &format!("INSERT INTO {table} VALUES")).await[0].clone()
            };
            let mut answer = client.send(&with_rows(&request, &["text"], rows.clone()));
            match hear(&mut answer).await.last {
                QueryEvent::Broken(_) | QueryEvent::Exception(_) => {}
                other => panic!("{fault:?}: {other:?}"),
            }
            drop(answer);
            proxy.cut().await;
            is_gone(&request.query_id).await;
            assert_eq!(count(&table).await, "0", "{fault:?}");
            proxy.set(FAIR);
            assert_eq!(ask(&client, &reading(&request, "SELECT 1")).await.rows(), ["[1]"]);
            proxy.cut().await;
        }
    }
}
