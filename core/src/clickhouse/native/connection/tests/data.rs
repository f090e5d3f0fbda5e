//! Data beside a statement: external tables before the answer, and rows once the server has said what it wants.

use std::sync::Arc;

use serde_json::{Value, json};

use super::recorded::{drain, recorded};
use super::scripted::{END_OF_STREAM, PONG, SHORT, data, events, exception, greeted, transmitted};
use super::*;
use crate::clickhouse::data::{Data, Table, Values};
use crate::clickhouse::native::block::{Block, Outgoing};
use crate::clickhouse::native::data::DataError;
use crate::clickhouse::native::query::EncodeError;
use crate::clickhouse::native::wire::Writer;
use crate::clickhouse::query::{Column, QueryEvent};

/// An INSERT of rows into columns.
fn inserting(columns: &[&str], rows: &[Value]) -> Query {
    let rows = rows.iter().map(|row| row.as_array().unwrap().clone()).collect();
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    let data = Data { rows: Some(Values { columns, rows }), ..Data::default() };
    Query { takes_data: true, has_result: false, data: Some(Arc::new(data)), ..query(None) }
}

/// A connection that has sent the query, and what it has sent is gone.
fn started(query: &Query) -> Connection {
    let mut connection = greeted(password());
    connection.start_query(query).unwrap();
    transmitted(&mut connection);
    connection
}

/// A packet of data as the client sends it.
fn sent(name: &str, rows: usize, columns: &[(&str, Outgoing)]) -> Vec<u8> {
    let mut packet = Writer::new();
    packet.varuint(2).text(name);
    Block::encode(&mut packet, Revision::new(SHORT), rows, columns);
    packet.as_slice().to_vec()
}

fn end() -> Vec<u8> {
    sent("", 0, &[])
}

#[test]
fn rows_are_sent_when_the_server_waits_for_them() {
    let mut connection = started(&inserting(&["n"], &[json!([1]), json!(["2"])]));
    connection.receive(&data(&[]));
    assert_eq!(events(&mut connection), []);
    let rows = sent("", 2, &[("n", Outgoing::UInt8(vec![1, 2]))]);
    assert_eq!(transmitted(&mut connection), [rows, end()]);
    connection.receive(END_OF_STREAM);
    assert_eq!(events(&mut connection), [QueryEvent::End]);
    assert_eq!(connection.state(), State::Ready);
    // A header again is no second question.
    let mut connection = started(&inserting(&["n"], &[json!([1])]));
    connection.receive(&[data(&[]), data(&[])].concat());
    assert_eq!(events(&mut connection), []);
    assert_eq!(transmitted(&mut connection).len(), 2);
}

#[test]
fn rows_that_do_not_fit_are_not_sent_at_all() {
    for (query, column) in [
        (inserting(&["n"], &[json!([1]), json!([256])]), "\"n\" takes UInt8"),
        (inserting(&["m"], &[json!([1])]), "\"m\""),
        (inserting(&["n", "m"], &[json!([1, 2])]), "\"m\""),
        (inserting(&[], &[]), "\"n\" is missing"),
    ] {
        let mut connection = started(&query);
        connection.receive(&data(&[]));
        assert_eq!(events(&mut connection), []);
        assert_eq!(transmitted(&mut connection), [end()]);
        connection.receive(END_OF_STREAM);
        let [QueryEvent::Broken(text)] = &*events(&mut connection) else { panic!("refused") };
        assert!(text.contains("nothing was inserted") && text.contains(column), "{text}");
        assert_eq!(connection.state(), State::Ready);
    }
}

#[test]
fn rows_that_nobody_waits_for_are_told() {
    let mut connection = started(&inserting(&["n"], &[json!([1])]));
    connection.receive(END_OF_STREAM);
    let [QueryEvent::Broken(text)] = &*events(&mut connection) else { panic!("broken") };
    assert!(text.contains("did not wait for the rows"), "{text}");
    // Nor are they sent with a statement that reads.
    let mut connection = greeted(password());
    let query = Query { takes_data: false, ..inserting(&["n"], &[json!([1])]) };
    let refused = connection.start_query(&query);
    assert_eq!(refused, Err(EncodeError::Data(DataError::NoInsert).into()));
    assert_eq!((connection.state(), connection.poll_transmit()), (State::Ready, None));
}

#[test]
fn what_the_server_refuses_is_an_exception_and_the_connection_is_asked() {
    let mut connection = started(&inserting(&["n"], &[json!([1])]));
    connection.receive(&data(&[]));
    assert_eq!(events(&mut connection), []);
    transmitted(&mut connection);
    connection.receive(&exception(53, "DB::Exception: no such conversion"));
    assert!(matches!(&*events(&mut connection), [QueryEvent::Exception(_)]));
    assert_eq!((connection.state(), transmitted(&mut connection)), (State::Pinging, vec![vec![4]]));
    connection.receive(PONG);
    assert_eq!(connection.state(), State::Ready);
}

#[test]
fn who_cancels_sends_no_more_rows() {
    // Before the server has asked.
    let mut connection = started(&inserting(&["n"], &[json!([1])]));
    connection.cancel();
    connection.receive(&data(&[]));
    assert_eq!((connection.poll_event(), transmitted(&mut connection)), (None, vec![vec![3]]));
    connection.receive(END_OF_STREAM);
    assert_eq!(connection.state(), State::Ready);
    // Between two blocks.
    let rows: Vec<_> = (0..200_000).map(|_| json!([7])).collect();
    let mut connection = started(&inserting(&["n"], &rows));
    connection.receive(&data(&[]));
    assert_eq!(events(&mut connection), []);
    assert!(connection.poll_transmit().unwrap().len() > 60_000);
    connection.cancel();
    assert_eq!(transmitted(&mut connection), [[3]]);
    connection.receive(END_OF_STREAM);
    assert_eq!((connection.poll_event(), connection.state()), (None, State::Ready));
}

#[test]
fn external_tables_go_before_the_end_of_the_query() {
    let table = |name: &str, type_name: &str| Table {
        name: name.to_owned(),
        columns: vec![Column { name: "x".to_owned(), type_name: type_name.to_owned() }],
        rows: vec![vec![json!("a")], vec![json!("b")]],
    };
    let tables = vec![table("one", "String"), table("two", "String")];
    let with = |tables| Query { data: Some(Arc::new(Data { tables, rows: None })), ..query(None) };
    let mut connection = greeted(password());
    connection.start_query(&with(tables)).unwrap();
    let texts = || [("x", Outgoing::String(vec![b"a".to_vec(), b"b".to_vec()]))];
    let packets = transmitted(&mut connection);
    assert_eq!(packets[1..], [sent("one", 2, &texts()), sent("two", 2, &texts()), end()]);

    let mut connection = greeted(password());
    let refused = connection.start_query(&with(vec![table("one", "String"), table("two", "UInt8")]));
    assert!(matches!(refused, Err(StartError::Encode(EncodeError::Data(DataError::Value { row: 1, .. })))));
    assert_eq!((connection.state(), connection.poll_transmit()), (State::Ready, None));
}

/// The INSERTs that were recorded, wherever they are cut: the same rows are sent, once, and only when the whole header
/// has come.
#[test]
fn recorded_headers_are_answered_wherever_they_are_cut() {
    let mut checked = 0;
    for mut stream in recorded().into_iter().filter(|stream| stream.name.contains("insert")) {
        stream.query = inserting(RECORDED, &[json!([1]), json!(["2"])]);
        let mut whole = stream.started();
        transmitted(&mut whole);
        whole.receive(&stream.answer);
        assert_eq!(events(&mut whole), [QueryEvent::End], "{}", stream.name);
        let sent = transmitted(&mut whole);
        assert_eq!(sent.len(), 2, "{}", stream.name);
        for cut in stream.cuts() {
            let mut connection = stream.started();
            transmitted(&mut connection);
            let (first, second) = stream.answer.split_at(cut);
            let (mut all, mut seen) = (Vec::new(), Vec::new());
            for piece in [first, second] {
                connection.receive(piece);
                drain(&mut connection, &mut seen);
                all.extend(transmitted(&mut connection));
            }
            assert_eq!((&all, &*seen), (&sent, &["End\n".to_owned()][..]), "{} at {cut}", stream.name);
            // Whatever ends early is broken, rows or not.
            let mut connection = stream.started();
            connection.receive(first);
            drain(&mut connection, &mut seen);
            connection.receive_end();
            drain(&mut connection, &mut seen);
            assert!(seen.last().is_some_and(|event| event.starts_with("Broken")), "{} at {cut}", stream.name);
        }
        checked += 1;
    }
    assert_eq!(checked, 4);
}

/// The column of the table that was inserted into.
const RECORDED: &[&str] = &["a"];
