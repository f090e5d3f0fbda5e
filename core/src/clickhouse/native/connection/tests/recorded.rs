use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::*;
use crate::clickhouse::native::compress::Compression;
use crate::clickhouse::query::QueryEvent;

const DIGEST: &str = "sha256 ";

/// A stream that was recorded from 26.9: the bytes of the server's hello, then those of one answer.
pub(super) struct Recorded {
    pub(super) name: String,
    pub(super) options: Options,
    pub(super) query: Query,
    pub(super) hello: Vec<u8>,
    pub(super) answer: Vec<u8>,
    /// The events as `Debug` shows them, a line each; their digest where they are long.
    events: String,
}

/// Streams are named `{revision}-{what}-{compression}`; the first four bytes are the length of the hello.
pub(super) fn recorded() -> Vec<Recorded> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/native/streams");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "bin"));
    paths.sort();
    assert!(paths.len() > 50);
    paths.iter().map(|path| read_recorded(path)).collect()
}

fn read_recorded(path: &Path) -> Recorded {
    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
    let bytes = fs::read(path).unwrap();
    let (length, bytes) = bytes.split_first_chunk::<4>().unwrap();
    let (hello, answer) = bytes.split_at(u32::from_le_bytes(*length) as usize);
    let is_interserver = name.contains("interserver");
    let revision = name.split('-').next().unwrap().parse().unwrap();
    let mut options = options(if is_interserver { interserver() } else { password() }, revision);
    if !name.ends_with("plain") {
        options.compression = Compression::Lz4;
    }
    let mut query = query(is_interserver.then_some("alice"));
    query.takes_data = name.contains("insert");
    query.has_result = !query.takes_data && !name.contains("no-result");
    Recorded {
        events: fs::read_to_string(path.with_extension("events")).unwrap(),
        hello: hello.to_vec(),
        answer: answer.to_vec(),
        name,
        options,
        query,
    }
}

impl Recorded {
    /// A connection on which the query has been sent.
    pub(super) fn started(&self) -> Connection {
        let mut connection = Connection::new(self.options.clone()).unwrap();
        connection.receive(&self.hello);
        assert_eq!(connection.state(), State::Ready, "{}: {:?}", self.name, connection.ending());
        connection.start_query(&self.query).unwrap();
        connection
    }

    pub(super) fn check(&self, events: &[String]) {
        let mut text = events.concat();
        if self.events.starts_with(DIGEST) {
            let digest: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
            text = format!("{DIGEST}{digest}\n");
        }
        assert_eq!(text, self.events, "{}", self.name);
    }

    /// Places to look at where each takes the whole stream: all where it is short, all of the beginning and some more
    /// where it is long.
    pub(super) fn cuts(&self) -> impl Iterator<Item = usize> {
        let step = self.answer.len().div_ceil(1500).pow(2);
        (0..self.answer.len()).filter(move |cut| *cut < 100 || cut % step == 0)
    }
}

pub(super) fn drain(connection: &mut Connection, events: &mut Vec<String>) {
    while let Some(event) = connection.poll_event() {
        // The recordings have rows one by one.
        if let QueryEvent::Rows(rows) = event {
            events.extend(rows.iter().map(|row| format!("Row(Row({row:?}))\n")));
        } else {
            events.push(format!("{event:?}\n"));
        }
    }
}

#[test]
fn recorded_streams_are_read() {
    for recorded in recorded() {
        let (mut connection, mut events) = (recorded.started(), Vec::new());
        connection.receive(&recorded.answer);
        drain(&mut connection, &mut events);
        recorded.check(&events);
        let state = connection.state();
        let expected = match &*recorded.name {
            name if name.contains("no-result") => State::Closed,
            // The server is asked whether it still listens; it was not in `setting-refused`, where it hung up.
            name if name.contains("refused-early") || name.contains("setting-refused") => State::Pinging,
            _ => State::Ready,
        };
        // A ping was answered while the stream was recorded.
        let answered = recorded.name.contains("refused-early").then_some(State::Ready);
        assert_eq!(state, answered.unwrap_or(expected), "{}: {:?}", recorded.name, connection.ending());
    }
}

#[test]
fn a_hello_may_be_cut_anywhere_and_must_be_whole() {
    for recorded in recorded() {
        for cut in 0..recorded.hello.len() {
            let mut connection = Connection::new(recorded.options.clone()).unwrap();
            connection.receive(&recorded.hello[..cut]);
            assert_eq!(connection.state(), State::Greeting, "{} at {cut}", recorded.name);
            let mut broken = Connection::new(recorded.options.clone()).unwrap();
            broken.receive(&recorded.hello[..cut]);
            broken.receive_end();
            assert_eq!(broken.state(), State::Closed);
            connection.receive(&recorded.hello[cut..]);
            assert_eq!(connection.state(), State::Ready, "{} at {cut}", recorded.name);
        }
    }
}

#[test]
fn changed_bytes_never_panic() {
    for recorded in recorded() {
        for at in recorded.cuts().step_by(3) {
            for change in [0x01, 0x80, 0xff] {
                let mut answer = recorded.answer.clone();
                answer[at] ^= change;
                let (mut connection, mut events) = (recorded.started(), Vec::new());
                connection.receive(&answer);
                drain(&mut connection, &mut events);
                connection.receive_end();
                drain(&mut connection, &mut events);
                assert_eq!(connection.state(), State::Closed);
            }
        }
    }
}
