//! What must hold for any bytes that a server may send; fuzz targets and tests call these.
#![doc(hidden)]

use super::compress::{self, Compression};
use super::connection::{Connection, State};
use super::login::{Client, Login, Options};
use super::query::Query;
use super::revision::{Feature, Revision};
use super::wire::{Reader, Writer};
use crate::clickhouse::query::{QueryEvent, ReadLimits};
use crate::secret::Secret;
use crate::sql::{DenyList, ImpersonatedUser};

/// Revisions on both sides of what changes the form of packets; a fuzzer's first byte picks one.
const REVISIONS: &[u64] = &[
    54_058, 54_372, 54_405, 54_420, 54_429, 54_441, 54_454, 54_460, 54_463, 54_469, 54_470, 54_474, 54_480,
    54_481, 54_485, 54_492,
];

/// Memory that a packet may take here.
const PACKET_BYTES: usize = 1 << 20;

/// Reads `data` behind its first two bytes as a server's hello and what follows before any query: whole, and divided
/// as the second byte says, with the same result.
///
/// # Panics
///
/// When the result depends on the division.
pub fn check_hello(data: &[u8]) {
    let [choice, division, bytes @ ..] = data else { return };
    let greeted = |size: usize| {
        let mut connection = connection(*choice)?;
        for piece in bytes.chunks(size.max(1)) {
            connection.receive(piece);
        }
        let before = (connection.state(), connection.ending().cloned());
        connection.receive_end();
        assert_eq!(connection.state(), State::Closed, "a connection outlives its end");
        Some(before)
    };
    assert_eq!(greeted(bytes.len()), greeted(usize::from(*division)), "a hello depends on its division");
}

/// Reads `data` behind its first two bytes as the answer to a query: whole, and divided as the second byte says, with
/// the same events. They end, and rows are JSON.
///
/// # Panics
///
/// When one of these does not hold.
pub fn check_packets(data: &[u8]) {
    let [choice, division, bytes @ ..] = data else { return };
    let whole = answer(*choice, bytes, bytes.len());
    assert_eq!(whole, answer(*choice, bytes, usize::from(*division)), "events depend on the division");
    let Some((last, before)) = whole.split_last() else { return };
    assert!(is_last(last) && !before.iter().any(is_last), "one event ends an answer: {whole:?}");
    for event in before {
        let QueryEvent::Rows(rows) = event else { continue };
        assert!(!rows.is_empty(), "rows that are none");
        for row in rows.iter() {
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(row).is_ok(), "not JSON: {row}");
        }
    }
}

/// Opens `data` as compressed frames, as it is and behind the checksum that fits; then seals it and opens
/// that.
///
/// # Panics
///
/// When what was sealed does not open, or when more comes out than may.
pub fn check_frames(data: &[u8]) {
    let mut plain = Vec::new();
    let mut reader = Reader::new(data);
    while compress::open_frame(&mut reader, &mut plain, PACKET_BYTES).is_ok() {}
    assert!(plain.len() <= PACKET_BYTES, "a frame outgrows its limit");
    let summed = [compress::checksum(data).as_slice(), data].concat();
    let _ = compress::open_frame(&mut Reader::new(&summed), &mut Vec::new(), PACKET_BYTES);
    let mut sealed = Writer::new();
    compress::seal_frames(data, &mut sealed);
    let (mut reader, mut opened) = (Reader::whole(sealed.as_slice()), Vec::new());
    while reader.remaining() > 0 {
        let result = compress::open_frame(&mut reader, &mut opened, data.len());
        assert_eq!(result, Ok(()), "what was sealed does not open");
    }
    assert_eq!(opened, data);
}

fn answer(choice: u8, bytes: &[u8], size: usize) -> Vec<QueryEvent> {
    let Some(mut connection) = connection(choice) else { return Vec::new() };
    connection.receive(&hello(Revision::new(revision(choice))));
    if connection.start_query(&query(choice)).is_err() {
        return Vec::new();
    }
    let mut events = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        connection.receive(piece);
        events.extend(std::iter::from_fn(|| connection.poll_event()));
    }
    connection.receive_end();
    events.extend(std::iter::from_fn(|| connection.poll_event()));
    assert_eq!(connection.state(), State::Closed, "a connection outlives its end");
    events
}

fn is_last(event: &QueryEvent) -> bool {
    match event {
        QueryEvent::Header(_) | QueryEvent::Rows(_) | QueryEvent::Progress { .. } => false,
        QueryEvent::RowTooLong | QueryEvent::Exception(_) | QueryEvent::Broken(_) | QueryEvent::End => true,
    }
}

fn revision(choice: u8) -> u64 {
    REVISIONS.get(usize::from(choice >> 2) % REVISIONS.len()).copied().unwrap_or_default()
}

fn is_interserver(choice: u8) -> bool {
    choice & 2 == 2
}

fn connection(choice: u8) -> Option<Connection> {
    let login = if is_interserver(choice) {
        Login::Interserver { cluster: "c".to_owned(), secret: Secret::from("s"), salt: [0; 32] }
    } else {
        Login::Password { user: "u".to_owned(), password: Secret::from("p") }
    };
    let mut options = Options::new(login, Client::named("fuzz", [0; 3]));
    options.announce = Revision::new(revision(choice));
    options.compression = if choice & 1 == 1 { Compression::Lz4 } else { Compression::Off };
    options.packet_bytes = PACKET_BYTES;
    Connection::new(options).ok()
}

/// The hello of a server of this revision.
pub(super) fn hello(revision: Revision) -> Vec<u8> {
    let mut hello = Writer::new();
    hello.varuint(0).text("ClickHouse").varuint(26).varuint(9).varuint(revision.number());
    if revision.has(Feature::VersionedParallelReplicas) {
        hello.varuint(8);
    }
    hello.text("UTC");
    if revision.has(Feature::ServerDisplayName) {
        hello.text("server");
    }
    if revision.has(Feature::VersionPatch) {
        hello.varuint(2);
    }
    if revision.has(Feature::ChunkedPackets) {
        hello.text("notchunked").text("notchunked");
    }
    if revision.has(Feature::PasswordComplexityRules) {
        hello.varuint(1).text(".{12}").text("be at least 12 characters long");
    }
    if revision.has(Feature::InterserverNonce) {
        hello.u64(7);
    }
    if revision.has(Feature::ServerSettings) {
        hello.text("max_threads").varuint(0).text("2").text("");
    }
    if revision.has(Feature::QueryPlans) {
        hello.varuint(19);
    }
    if revision.has(Feature::ClusterFunctions) {
        hello.varuint(10);
    }
    hello.as_slice().to_vec()
}

fn query(choice: u8) -> Query {
    let user = ImpersonatedUser::parse("alice", &DenyList::new("", &[], &[])).ok();
    Query {
        text: "SELECT 1".to_owned(),
        id: "q".to_owned(),
        user: user.filter(|_| is_interserver(choice)),
        settings: Vec::new(),
        parameters: Vec::new(),
        external_roles: Vec::new(),
        current_roles: None,
        trace: None,
        quota_key: String::new(),
        agent: String::new(),
        started: 0,
        takes_data: false,
        data: None,
        has_result: true,
        limits: ReadLimits { row_bytes: 4096 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_holds_and_its_mutations() {
        for (folder, check) in [
            ("native_hello", check_hello as fn(&[u8])),
            ("native_packets", check_packets),
            ("native_frames", check_frames),
        ] {
            let path = format!("{}/fuzz/corpus/{folder}", env!("CARGO_MANIFEST_DIR"));
            for entry in std::fs::read_dir(path).unwrap() {
                let seed = std::fs::read(entry.unwrap().path()).unwrap();
                check(&seed);
                let mut state = 1_u32;
                for _ in 0..300 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let mut mutated = seed.clone();
                    let at = (state >> 8) as usize % mutated.len();
                    match state >> 30 {
                        0 => mutated.truncate(at),
                        1 => mutated[at] = (state >> 4) as u8,
                        2 => mutated.extend_from_slice(&seed[at..]),
                        _ => drop(mutated.remove(at)),
                    }
                    check(&mutated);
                }
            }
        }
    }
}
