//! What a guest has in its memory, read byte by byte: once while its query runs, and once after it has answered. The
//! memories are the test's own and outlive their instances, and nothing wipes them.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use housekey_core::config::{self, Config, Host, Sources};
use housekey_core::jose::claims::Claims;
use housekey_core::jose::token::{TokenKeys, seal};
use housekey_core::time::UnixTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use super::hosted::{Gated, InComponent};
use super::http::Server;
use super::lending::Lending;
use super::{native, shutdown};
use crate::component::{Hosted, Limits, World};
use crate::host::now;

/// What no guest may know that queries through its host: how to log in, how to open or make a token, what the
/// operator sends along, and as whom the query runs.
const SECRETS: [(&str, &str); 6] = [
    ("CLICKHOUSE_USERNAME", "the-gateways-own-name"),
    ("CLICKHOUSE_PASSWORD", "the-gateways-own-password"),
    ("MCP_JWE_SECRET_KEY", "what-tokens-are-encrypted-with"),
    ("MCP_JWT_SECRET_KEY", "what-tokens-are-signed-with"),
    ("MCP_JWE_GENERATOR_TOKEN", "what-lets-its-holder-make-tokens"),
    ("CLICKHOUSE_HTTP_HEADERS", "x-key=what-a-proxy-wants-to-see"),
];
const PERSON: &str = "somebody.special@example.com";
const MOST_MEMORY: usize = 16 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_of_this_host_holds_no_secret() {
    let Some(path) = artefact("HOUSEKEY_HOSTED_COMPONENT", "wasm-hosted/housekey_hosted.wasm") else {
        return;
    };
    let house = House::open(&path, World::Hosted).await;
    let token = house.token();
    let (heads, memories) = house.ask_everywhere(&token).await;
    for head in &heads {
        assert!(head.contains("the-gateways-own-password"), "the host logs in: {head}");
    }
    let memory = memories.concat();
    // The search finds what is there: the statement, its rows, and the guest's own environment.
    for known in ["SELECT 'a statement of mine'", "an answer for me", "HOUSEKEY_CONFIG"] {
        assert!(holds(&memory, known), "{known} is nowhere in {} bytes", memory.len());
    }
    for (what, secret) in secrets(&token) {
        assert!(!holds(&memory, &secret), "{what} is in the guest's memory");
    }
}

/// The counterproof: the same search finds all of it where it has to be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_connects_by_itself_holds_them() {
    let Some(path) = artefact("HOUSEKEY_COMPONENT", "wasm/housekey_edge.wasm") else { return };
    let house = House::open(&path, World::Edge).await;
    let token = house.token();
    let (_, memories) = house.ask_everywhere(&token).await;
    let memory = memories.concat();
    for (what, secret) in secrets(&token) {
        assert!(holds(&memory, &secret), "{what} is not found");
    }
}

/// Each secret under a name that a failure may show.
fn secrets(token: &str) -> Vec<(&'static str, String)> {
    let configured = SECRETS.map(|(name, value)| (name, value.trim_start_matches("x-key=").to_owned()));
    // The parts that no two tokens share; the first one only says how it is made.
    let parts: Vec<_> =
        token.split('.').skip(1).map(|part| ("a part of the token", part.to_owned())).collect();
    configured.into_iter().chain(parts).chain([("the person", PERSON.to_owned())]).collect()
}

fn holds(memory: &[u8], text: &str) -> bool {
    // Most places are ruled out by their first byte.
    let (first, rest) = text.as_bytes().split_first().unwrap();
    memory.iter().enumerate().any(|(at, byte)| byte == first && memory[at + 1..].starts_with(rest))
}

/// A built component, or none where nobody has built it. In CI it must be there.
fn artefact(variable: &str, built: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable)
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")).join(built));
    if path.is_file() {
        return Some(path);
    }
    assert!(std::env::var_os(variable).is_none(), "{} is missing", path.display());
    eprintln!("skipped: {} is not built, see tests/setup/build-component", path.display());
    None
}

/// A server with a component behind it, and a ClickHouse of a few lines behind that.
struct House {
    address: std::net::SocketAddr,
    clickhouse: TcpListener,
    config: Config,
    memories: Arc<Memories>,
    _trigger: shutdown::Trigger,
}

impl House {
    async fn open(path: &std::path::Path, world: World) -> Self {
        let clickhouse = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = config(clickhouse.local_addr().unwrap().port());
        let memories = Arc::new(Memories::default());
        let mut engine = wasmtime::Config::new();
        engine.epoch_interruption(true).with_host_memory(Arc::clone(&memories) as Arc<dyn MemoryCreator>);
        engine
            .memory_reservation(0)
            .memory_guard_size(0)
            .memory_reservation_for_growth(0)
            .memory_init_cow(false);
        let hosted = Hosted::load_into(path, Limits::new(Duration::from_secs(60)), &engine).unwrap();
        assert_eq!(hosted.world(), world);
        let app = match world {
            World::Edge => InComponent::Gated(Gated::new(hosted, &config).unwrap()),
            World::Hosted => InComponent::Lending(Lending::new(hosted, native(config.clone()).unwrap())),
        };
        let server = Server::bind("127.0.0.1", 0).await.unwrap();
        let address = server.local_addr();
        let (trigger, shutdown) = shutdown::channel();
        tokio::spawn(async move { server.run(Arc::new(app), Duration::ZERO, &shutdown).await });
        Self { address, clickhouse, config, memories, _trigger: trigger }
    }

    fn token(&self) -> String {
        let jwe = &self.config.server.jwe;
        let keys = TokenKeys::new(&jwe.jwe_secret_key, &jwe.jwt_secret_key).unwrap();
        let exp = UnixTime::from_seconds(now().seconds()).after(Duration::from_secs(600));
        let claims = Claims { email: Some(PERSON.into()), exp: Some(exp), ..Claims::default() };
        seal(&keys, &claims, &mut rand::rng()).unwrap()
    }

    /// Asks with the token in every place, and gives the heads that ClickHouse saw and the memories of the guests.
    async fn ask_everywhere(&self, token: &str) -> (Vec<String>, Vec<Vec<u8>>) {
        let places = [
            ("/mcp".to_owned(), format!("Authorization: Bearer {token}\r\n")),
            ("/mcp".to_owned(), format!("Authorization: Basic {token}\r\n")),
            ("/mcp".to_owned(), format!("X-Altinity-MCP-Key: {token}\r\n")),
            (format!("/mcp?token={token}"), format!("X-Housekey-Key: {token}\r\nCookie: {token}\r\n")),
            (format!("/{token}/mcp"), String::new()),
        ];
        let (mut heads, mut memories) = (Vec::new(), Vec::new());
        for (path, header) in places {
            // An answer without a query is a failure, and is shown instead of waited with.
            let (mut answering, mut asking) = (pin!(self.answer_a_query()), pin!(self.ask(&path, &header)));
            let ((head, memory), answer) = tokio::select! {
                biased;
                answered = &mut answering => (answered, asking.await),
                // The last bytes of an answer may be read before whoever wrote them goes on.
                answer = &mut asking => {
                    assert!(answer.contains("an answer for me"), "{answer}");
                    (answering.await, answer)
                }
            };
            assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("an answer for me"), "{answer}");
            heads.push(head);
            memories.push(memory);
            memories.push(self.memories.newest());
        }
        (heads, memories)
    }

    async fn ask(&self, path: &str, header: &str) -> String {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 'a statement of mine'"}}}"#;
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{header}Content-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Answers the next query, and gives its head and the guest's memory as it was before the answer.
    async fn answer_a_query(&self) -> (String, Vec<u8>) {
        let (mut stream, _) = self.clickhouse.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let memory = self.memories.newest();
        let body = "[\"a\"]\n[\"String\"]\n[\"an answer for me\"]\n";
        let answer = format!(
            "HTTP/1.1 200 OK\r\nX-ClickHouse-Format: JSONCompactEachRowWithNamesAndTypes\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        // The statement is still to be read: closing before would be a reset.
        stream.shutdown().await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        (String::from_utf8(head).unwrap(), memory)
    }
}

fn config(port: u16) -> Config {
    let port = port.to_string();
    let more = [
        ("MCP_TRANSPORT", "http"),
        ("CLICKHOUSE_HOST", "127.0.0.1"),
        ("CLICKHOUSE_PORT", &port),
        ("CLICKHOUSE_IMPERSONATION", "execute_as"),
        ("MCP_ALLOW_JWE_AUTH", "true"),
    ];
    let environment = SECRETS.iter().chain(&more);
    let environment = environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let sources = Sources { environment, ..Sources::default() };
    let loaded = config::load(Host::Native, &sources, &|_| Err(String::new()));
    loaded.unwrap_or_else(|error| panic!("{error}")).config
}

/// The memories of all instances, each with what of it is in use.
#[derive(Default)]
struct Memories(Mutex<Vec<Kept>>);

impl Memories {
    /// The content of the newest one.
    fn newest(&self) -> Vec<u8> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { bytes, size } = all.last().unwrap();
        let used = bytes.iter().take(size.load(Ordering::Relaxed));
        used.map(|byte| byte.load(Ordering::Relaxed)).collect()
    }
}

/// A memory that its instance shares with the test. Atoms may be read while the guest writes.
#[derive(Clone)]
struct Kept {
    bytes: Arc<[AtomicU8]>,
    size: Arc<AtomicUsize>,
}

// SAFETY: the bytes neither move nor shrink, are zero at first, and without a guard every access is checked.
unsafe impl LinearMemory for Kept {
    fn byte_size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    fn byte_capacity(&self) -> usize {
        self.bytes.len()
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        if new_size > self.bytes.len() {
            return Err(wasmtime::Error::msg("there is no more memory"));
        }
        self.size.store(new_size, Ordering::Relaxed);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.bytes.as_ptr().cast_mut().cast()
    }
}

// SAFETY: every memory is made as it was asked for, and has no guard because none is asked for.
unsafe impl MemoryCreator for Memories {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        _: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        assert_eq!(guard, 0);
        let bytes = std::iter::repeat_with(AtomicU8::default).take(MOST_MEMORY).collect();
        let kept = Kept { bytes, size: Arc::new(AtomicUsize::new(minimum)) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(kept.clone());
        Ok(Box::new(kept))
    }
}
