//! The engine alone: how many messages a second one core deals with, and how often each asks for memory. No socket, no
//! ClickHouse: the world answers at once. `cargo bench -p housekey-core --bench messages`

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench that cannot run may stop, and says what it has counted"
)]

use std::alloc::System;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use housekey_core::clickhouse::{Column, QueryEvent};
use housekey_core::config::{self, Host, Sources};
use housekey_core::env::Env;
use housekey_core::exchange::{Admission, Flow, Inbound, Reply, Service, Step, admit, begin};
use housekey_core::facts::Facts;
use housekey_core::jose::claims::Claims;
use housekey_core::jose::token::{TokenKeys, seal};
use housekey_core::secret::Secret;
use housekey_core::time::UnixTime;
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
/// Messages over which memory is counted.
const COUNTED: usize = 1000;

/// A message with its head, and how many messages it is.
struct Case {
    name: &'static str,
    head: http::request::Parts,
    body: Bytes,
    messages: u64,
}

impl Case {
    fn handshake(name: &'static str, token: &str, version: &str, body: &Value, messages: u64) -> Self {
        Self::new(name, token, &[("mcp-protocol-version", version)], body, messages)
    }

    fn stateless(name: &'static str, token: &str, method: &str, mut params: Value) -> Self {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let tool = params["name"].as_str().unwrap_or_default().to_owned();
        let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        if !tool.is_empty() {
            headers.push(("mcp-name", &tool));
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        Self::new(name, token, &headers, &body, 1)
    }

    fn new(name: &'static str, token: &str, headers: &[(&str, &str)], body: &Value, messages: u64) -> Self {
        let mut head = http::Request::post("/mcp")
            .header("host", "mcp.example.com")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            head = head.header(*name, *value);
        }
        let head = head.body(()).expect("a request").into_parts().0;
        Self { name, head, body: Bytes::from(body.to_string()), messages }
    }
}

fn service() -> (Arc<Service>, String) {
    let environment = [
        ("MCP_TRANSPORT", "http"),
        ("MCP_ALLOWED_HOSTS", "mcp.example.com"),
        ("MCP_ALLOW_JWE_AUTH", "true"),
        ("MCP_JWE_SECRET_KEY", "outer"),
        ("MCP_JWT_SECRET_KEY", "inner"),
        ("CLICKHOUSE_USERNAME", "gateway"),
        ("CLICKHOUSE_IMPERSONATION", "execute_as"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let sources = Sources { document: None, environment, flags: Vec::new() };
    let loaded = config::load(Host::Native, &sources, &|_| Err(String::new())).expect("a configuration");
    let keys = TokenKeys::new(&[Secret::from("outer")], &[Secret::from("inner")]).expect("keys");
    let claims = Claims {
        email: Some("alice@example.com".into()),
        exp: Some(UnixTime::from_seconds(1_800_003_600)),
        ..Claims::default()
    };
    let token = seal(&keys, &claims, &mut rand::rng()).expect("a token");
    (Service::product(loaded.config, Host::Native).expect("a service"), token)
}

/// From the head to the whole answer; its length.
fn answer(service: &Arc<Service>, facts: &Facts, case: &Case) -> usize {
    let mut rng = rand::rng();
    let mut env = Env { now: NOW, rng: &mut rng, facts };
    let Admission::Read(admitted) = admit(&mut env, service, &case.head) else {
        panic!("{} is refused", case.name)
    };
    let mut step = begin(&mut env, Inbound::Http(admitted, case.body.clone()));
    loop {
        step = match step {
            Step::Done(Reply::Http(answer)) => {
                assert!(answer.status() == 200, "{}: {answer:?}", case.name);
                return answer.body().len();
            }
            Step::Query(_, mut waiting) => {
                let header = vec![Column { name: "1".into(), type_name: "UInt8".into() }];
                let row = ["[1]"].iter().collect();
                for event in [QueryEvent::Header(header), QueryEvent::Rows(row), QueryEvent::End] {
                    if waiting.accept(&mut env, event) == Flow::Stop {
                        break;
                    }
                }
                waiting.finish(&mut env)
            }
            Step::Done(_) | Step::Fetch(..) | Step::Ask(..) | Step::Tell(..) | Step::Wait(..) => {
                panic!("{} waits for something else", case.name)
            }
        };
    }
}

fn cases(token: &str) -> Vec<Case> {
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "bench", "version": "1" } } });
    let list = |id| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" });
    let query = json!({ "name": "execute_query", "arguments": { "query": "SELECT 1" } });
    let call = |id| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": query });
    let batch: Vec<Value> = (0..10).map(call).collect();
    vec![
        Case::handshake("initialize, 2025-11-25", token, "2025-11-25", &hello, 1),
        Case::stateless("server/discover, 2026-07-28", token, "server/discover", json!({})),
        Case::handshake("tools/list, 2025-11-25", token, "2025-11-25", &list(1), 1),
        Case::stateless("tools/list, 2026-07-28", token, "tools/list", json!({})),
        Case::handshake("tools/call, 2025-11-25", token, "2025-11-25", &call(1), 1),
        Case::stateless("tools/call, 2026-07-28", token, "tools/call", query.clone()),
        Case::handshake("batch of ten tools/call, 2025-03-26", token, "2025-03-26", &json!(batch), 10),
    ]
}

fn messages(criterion: &mut Criterion) {
    let (service, token) = service();
    let facts = Facts::default();
    for case in cases(&token) {
        answer(&service, &facts, &case);
        let region = Region::new(COUNTING);
        for _ in 0..COUNTED {
            answer(&service, &facts, &case);
        }
        let stats = region.change();
        let each = |count: usize| count as f64 / COUNTED as f64 / case.messages as f64;
        let (times, bytes) = (each(stats.allocations + stats.reallocations), each(stats.bytes_allocated));
        println!("{}: {times:.1} allocations and {bytes:.0} bytes a message", case.name);
        let mut group = criterion.benchmark_group("messages");
        group.throughput(Throughput::Elements(case.messages));
        group.bench_function(case.name, |bench| bench.iter(|| answer(&service, &facts, &case)));
        group.finish();
    }
}

criterion_group!(benches, messages);
criterion_main!(benches);
