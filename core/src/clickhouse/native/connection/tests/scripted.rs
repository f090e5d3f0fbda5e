use super::recorded::recorded;
use super::*;
use crate::clickhouse::native::block::Block;
use crate::clickhouse::native::error::{Malformed, NativeError};
use crate::clickhouse::native::fuzzing;
use crate::clickhouse::native::login::LoginError;
use crate::clickhouse::native::query::EncodeError;
use crate::clickhouse::native::wire::Writer;
use crate::clickhouse::query::{Column, QueryEvent, Setting};
use crate::clickhouse::{Outcome, RowLimits, Rows};

fn hello(revision: u64) -> Vec<u8> {
    fuzzing::hello(Revision::new(revision))
}

/// A revision whose hello is short.
pub(super) const SHORT: u64 = 54_371;

pub(super) fn greeted(login: Login) -> Connection {
    let mut connection = Connection::new(options(login, Revision::NEWEST.number())).unwrap();
    connection.receive(&hello(SHORT));
    while connection.poll_transmit().is_some() {}
    connection
}

fn running() -> Connection {
    let mut connection = greeted(password());
    connection.start_query(&query(None)).unwrap();
    while connection.poll_transmit().is_some() {}
    connection
}

/// The packet of a block of one `UInt8` column.
pub(super) fn data(rows: &[u8]) -> Vec<u8> {
    let mut packet = Writer::new();
    packet.varuint(1).text("").varuint(0).varuint(1).length(rows.len()).text("n").text("UInt8").raw(rows);
    packet.as_slice().to_vec()
}

pub(super) fn exception(code: i32, message: &str) -> Vec<u8> {
    let mut packet = Writer::new();
    packet.varuint(2).i32(code).text("DB::Exception").text(message).text("").bool(false);
    packet.as_slice().to_vec()
}

pub(super) const END_OF_STREAM: &[u8] = &[5];
pub(super) const PONG: &[u8] = &[4];

pub(super) fn events(connection: &mut Connection) -> Vec<QueryEvent> {
    std::iter::from_fn(|| connection.poll_event()).collect()
}

pub(super) fn header() -> QueryEvent {
    QueryEvent::Header(vec![Column { name: "n".to_owned(), type_name: "UInt8".to_owned() }])
}

fn row(text: &str) -> QueryEvent {
    QueryEvent::Rows([text].iter().collect())
}

pub(super) fn transmitted(connection: &mut Connection) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| connection.poll_transmit()).map(|bytes| bytes.to_vec()).collect()
}

#[test]
fn an_answer_and_the_next() {
    let mut connection = running();
    connection.receive(&[data(&[]), data(&[1, 2])].concat());
    assert_eq!(events(&mut connection), [header(), QueryEvent::Rows(["[1]", "[2]"].iter().collect())]);
    assert_eq!(connection.start_query(&query(None)), Err(StartError::NotReady));
    connection.receive(END_OF_STREAM);
    assert_eq!(events(&mut connection), [QueryEvent::End]);
    assert_eq!(connection.state(), State::Ready);
    assert_eq!(connection.start_query(&query(None)), Ok(()));
    connection.receive(&[data(&[]), exception(395, "DB::Exception: boo")].concat());
    assert!(matches!(&*events(&mut connection), [QueryEvent::Header(_), QueryEvent::Exception(_)]));
    assert_eq!(connection.state(), State::Ready);
}

#[test]
fn progress_is_summed() {
    let mut connection = running();
    connection.receive(&[3, 1, 10, 100, 3, 2, 20, 0]);
    let progress =
        |read_rows, read_bytes| QueryEvent::Progress { read_rows, read_bytes, total_rows: Some(100) };
    assert_eq!(events(&mut connection), [progress(1, 10), progress(3, 30)]);
}

#[test]
fn a_session_that_may_have_changed_is_not_used_again() {
    // A statement that must have a result had none: the session of `EXECUTE AS u` without a statement, for one.
    let mut connection = running();
    connection.receive(END_OF_STREAM);
    assert!(matches!(&*events(&mut connection), [QueryEvent::Broken(_)]));
    assert_eq!(connection.ending(), Some(&Ending::SessionUncertain));
    // A statement that need not have one.
    let mut connection = greeted(password());
    let mut query = query(None);
    query.has_result = false;
    connection.start_query(&query).unwrap();
    connection.receive(END_OF_STREAM);
    assert_eq!(events(&mut connection), [QueryEvent::End]);
    assert_eq!(connection.ending(), Some(&Ending::SessionUncertain));
}

#[test]
fn an_early_exception_asks_whether_the_server_still_listens() {
    let mut connection = running();
    connection.receive(&exception(60, "DB::Exception: no table"));
    assert!(matches!(&*events(&mut connection), [QueryEvent::Exception(_)]));
    assert_eq!(transmitted(&mut connection), [[4]]);
    assert_eq!(connection.state(), State::Pinging);
    connection.receive(PONG);
    assert_eq!(connection.state(), State::Ready);

    let mut connection = running();
    connection.receive(&exception(115, "DB::Exception: Unknown setting 'x'"));
    connection.receive_end();
    let [QueryEvent::Exception(refused)] = &*events(&mut connection) else { panic!("an exception") };
    assert!(refused.refused_setting().is_some());
    assert_eq!(connection.ending(), Some(&Ending::HungUp));
}

#[test]
fn a_cancelled_query_is_read_to_its_end() {
    let mut connection = running();
    connection.receive(&[data(&[]), data(&[1, 2])].concat());
    assert_eq!(connection.poll_event(), Some(header()));
    connection.cancel();
    connection.cancel();
    assert_eq!(transmitted(&mut connection), [[3]]);
    assert_eq!((connection.state(), connection.poll_event()), (State::Cancelling, None));
    connection.receive(&[data(&[3]).as_slice(), END_OF_STREAM].concat());
    assert_eq!((connection.state(), connection.poll_event()), (State::Ready, None));

    // Cancelled before the header, nobody knows what ran.
    let mut connection = running();
    connection.cancel();
    connection.receive(END_OF_STREAM);
    assert_eq!(connection.ending(), Some(&Ending::SessionUncertain));

    // The answer had come before the cancelling.
    let mut connection = running();
    connection.receive(&[data(&[]).as_slice(), END_OF_STREAM].concat());
    assert_eq!(connection.poll_event(), Some(header()));
    connection.cancel();
    connection.receive(&[]);
    assert_eq!((connection.state(), connection.poll_event()), (State::Ready, None));

    // The server goes away meanwhile.
    let mut connection = running();
    connection.cancel();
    connection.receive_end();
    assert_eq!(connection.poll_event(), None);
    assert_eq!(connection.ending(), Some(&Ending::HungUp));
}

#[test]
fn a_row_that_is_too_long_cancels() {
    let mut connection = greeted(password());
    let mut query = query(None);
    query.limits.row_bytes = 3;
    connection.start_query(&query).unwrap();
    while connection.poll_transmit().is_some() {}
    connection.receive(&[data(&[]), data(&[1, 10, 2])].concat());
    assert_eq!(events(&mut connection), [header(), row("[1]"), QueryEvent::RowTooLong]);
    assert_eq!(transmitted(&mut connection), [[3]]);
    connection.receive(END_OF_STREAM);
    assert_eq!(connection.state(), State::Ready);
}

#[test]
fn a_server_that_waits_for_rows_gets_none_and_that_is_said() {
    let mut connection = greeted(password());
    let mut query = query(None);
    (query.has_result, query.takes_data) = (false, true);
    connection.start_query(&query).unwrap();
    while connection.poll_transmit().is_some() {}
    connection.receive(&data(&[]));
    assert_eq!(events(&mut connection), []);
    let mut end = Writer::new();
    end.varuint(2).text("");
    Block::encode_end(&mut end, Revision::new(SHORT));
    assert_eq!(transmitted(&mut connection), [end.as_slice()]);
    connection.receive(END_OF_STREAM);
    assert!(matches!(&*events(&mut connection), [QueryEvent::Broken(_)]));
    assert_eq!(connection.state(), State::Ready);
}

#[test]
fn pings_are_answered_between_queries() {
    let mut connection = greeted(password());
    connection.ping();
    assert_eq!(transmitted(&mut connection), [[4]]);
    assert_eq!(connection.state(), State::Pinging);
    connection.receive(&[3, 0, 0, 0]);
    connection.receive(PONG);
    assert_eq!(connection.state(), State::Ready);
    connection.receive(PONG);
    assert!(matches!(connection.ending(), Some(Ending::Native(NativeError::UnexpectedPacket { .. }))));
}

#[test]
fn who_is_no_server_is_told_apart() {
    let ending = |bytes: &[u8]| {
        let mut connection = Connection::new(options(password(), 54_492)).unwrap();
        connection.receive(bytes);
        match connection.ending() {
            Some(Ending::Native(error)) => error.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ending(b"HTTP/1.0 400 Bad Request"), NativeError::Http);
    assert_eq!(ending(&[0x15, 3, 1, 0, 2, 2, 40]), NativeError::Tls);
    assert_eq!(ending(&[9]), NativeError::UnknownPacket(9));
    assert_eq!(ending(&hello(54_057)), NativeError::TooOld(Revision::new(54_057)));
    assert_eq!(ending(&hello(54_488)), NativeError::Disputed(Revision::new(54_488)));
    let too_long = Malformed::TooLong { what: "the server's name", length: 1 << 20, longest: 4096 };
    assert_eq!(ending(&[0, 0x80, 0x80, 0x40]), NativeError::Malformed(too_long));
}

#[test]
fn a_refused_login_says_why() {
    let mut connection = Connection::new(options(password(), 54_492)).unwrap();
    connection.receive(&exception(516, "DB::Exception: admin: Authentication failed"));
    let Some(ending @ Ending::Refused(exception)) = connection.ending() else { panic!("refused") };
    assert_eq!((exception.code, exception.message.as_str()), (516, "admin: Authentication failed"));
    assert!(matches!(ending.event(), QueryEvent::Exception(_)));
}

#[test]
fn what_hangs_up_on_a_member_of_a_cluster_does_not_name_the_secret() {
    let mut connection = Connection::new(options(interserver(), 54_465)).unwrap();
    assert_eq!(connection.state(), State::Greeting);
    let stream = recorded().into_iter().find(|stream| stream.name == "54480-interserver-plain").unwrap();
    let connection_of = |announce| {
        let mut connection = Connection::new(options(interserver(), announce)).unwrap();
        connection.receive(&stream.hello);
        connection
    };
    let mut refused = connection_of(54_480);
    refused.start_query(&query(Some("alice"))).unwrap();
    for packet in transmitted(&mut refused) {
        assert!(!packet.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    }
    refused.receive_end();
    let [QueryEvent::Broken(text)] = &*events(&mut refused) else { panic!("broken") };
    assert!(text.contains("cluster's name or secret is wrong") && !text.contains(SECRET), "{text}");
    assert!(!format!("{refused:?}").contains(SECRET));

    // Once a query was answered, a hang-up is only that.
    let mut accepted = connection_of(54_480);
    accepted.start_query(&query(Some("alice"))).unwrap();
    accepted.receive(&stream.answer);
    assert_eq!(events(&mut accepted).last(), Some(&QueryEvent::End));
    accepted.start_query(&query(Some("bob"))).unwrap();
    accepted.receive_end();
    assert_eq!(accepted.poll_event(), Some(Ending::HungUp.event()));
    connection.receive_end();
    assert_eq!(connection.ending(), Some(&Ending::InterserverRefused));
}

#[test]
fn logins_and_queries_must_belong_together() {
    let mut connection = greeted(password());
    let refused = connection.start_query(&query(Some("alice")));
    assert_eq!(refused, Err(EncodeError::NoCluster.into()));
    let mut unsendable = query(None);
    unsendable.settings = vec![Setting::new("max_bytes_ratio", "1"), Setting::new("readonly", "1")];
    let refused = connection.start_query(&unsendable);
    assert!(matches!(refused, Err(StartError::Encode(EncodeError::SettingUnknownToOldServer { .. }))));
    assert_eq!((connection.state(), connection.poll_transmit()), (State::Ready, None));
    // The cluster's secret is of no use to a server without the feature.
    let connection = greeted(interserver());
    let none = Ending::Native(NativeError::NoInterserverSecret(Revision::new(SHORT)));
    assert_eq!(connection.ending(), Some(&none));

    let mut options = options(interserver(), 54_480);
    for (login, error) in [
        (Login::Password { user: String::new(), password: Secret::from("") }, LoginError::EmptyUser),
        (
            Login::Password { user: " INTERSERVER SECRET ".to_owned(), password: Secret::from("") },
            LoginError::ReservedUser,
        ),
        (
            Login::Interserver { cluster: String::new(), secret: Secret::from("s"), salt: [0; 32] },
            LoginError::EmptyCluster,
        ),
        (
            Login::Interserver { cluster: "c".to_owned(), secret: Secret::from(""), salt: [0; 32] },
            LoginError::EmptySecret,
        ),
    ] {
        options.login = login;
        assert_eq!(Connection::new(options.clone()).map(|_| ()), Err(error));
    }
}

#[test]
fn nobody_is_vouched_for_without_a_name() {
    let recorded = recorded().into_iter().find(|recorded| recorded.name.contains("interserver")).unwrap();
    let mut connection = Connection::new(recorded.options.clone()).unwrap();
    connection.receive(&recorded.hello);
    assert_eq!(connection.start_query(&query(None)), Err(EncodeError::NobodyToRunAs.into()));
    // Current roles came with a later revision than this.
    let mut roles = query(Some("alice"));
    roles.current_roles = Some(Vec::new());
    assert_eq!(connection.start_query(&roles), Err(EncodeError::Roles.into()));
}

#[test]
fn what_a_packet_may_take_is_bounded() {
    let mut connection =
        Connection::new(Options { packet_bytes: 1000, ..options(password(), 54_492) }).unwrap();
    connection.receive(&hello(SHORT));
    connection.start_query(&query(None)).unwrap();
    let mut packet = Writer::new();
    packet.varuint(1).text("").varuint(0).varuint(1).varuint(2000).text("n").text("UInt8");
    connection.receive(packet.as_slice());
    assert!(matches!(&*events(&mut connection), [QueryEvent::Broken(_)]), "{connection:?}");
    // A message that is announced as longer than memory.
    let mut connection = running();
    let mut packet = Writer::new();
    packet.varuint(2).i32(1).text("DB::Exception").varuint(u64::MAX);
    connection.receive(packet.as_slice());
    assert!(matches!(&*events(&mut connection), [QueryEvent::Broken(_)]));
}

#[test]
fn states_that_only_the_server_can_read_are_told_from_other_failures() {
    let block = |rows: u64| {
        let mut packet = Writer::new();
        packet.varuint(1).text("").varuint(0).varuint(1).varuint(rows).text("s");
        packet.text("AggregateFunction(uniqTheta, UInt64)");
        packet.as_slice().to_vec()
    };
    let outcome = |packets: &[Vec<u8>]| {
        let (mut connection, mut rows) = (running(), Rows::new(RowLimits::default()));
        connection.receive(&packets.concat());
        while let Some(event) = connection.poll_event() {
            let _ = rows.accept(event);
        }
        rows.outcome()
    };
    assert!(matches!(outcome(&[block(0), block(1)]), Outcome::Opaque { columns, .. } if columns.len() == 1));
    assert!(matches!(outcome(&[block(1)]), Outcome::Broken(_)));
    // Of none there is nothing to read.
    assert!(matches!(outcome(&[block(0), END_OF_STREAM.to_vec()]), Outcome::Rows { .. }));
}
