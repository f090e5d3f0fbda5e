//! The engine alone: what core costs of a request, without a socket.

#![expect(clippy::expect_used, clippy::wildcard_enum_match_arm, reason = "a bench that cannot run may stop")]

use std::hint::black_box;
use std::num::NonZero;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use housekey_core::clickhouse::{self, ReadLimits};
use housekey_core::config::{self, Host, Sources};
use housekey_core::env::Env;
use housekey_core::exchange::{Admission, Flow, Inbound, Reply, Service, Step, admit, begin};
use housekey_core::facts::Facts;
use housekey_core::jose::claims::{Claims, Protocol};
use housekey_core::jose::token::{LifePolicy, TokenKeys, open, seal};
use housekey_core::secret::Secret;
use housekey_core::sql::{ReadOnlySql, Rules};
use housekey_core::time::UnixTime;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const BODY: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 1"}}}"#;
const DOCUMENT: &str = r#"{"clickhouse":{"host":"127.0.0.1","port":8123,"username":"gateway","password":"x","impersonation":"execute_as"},
"server":{"jwe":{"enabled":true,"jwe_secret_key":["outer"],"jwt_secret_key":["inner"]}},"logging":{"level":"info"}}"#;
const ANSWER: &[u8] = b"[\"1\"]\n[\"UInt8\"]\n[1]\n";

fn token(rng: &mut impl rand_core::CryptoRng) -> (TokenKeys, String) {
    let keys = TokenKeys::new(&[Secret::from("outer")], &[Secret::from("inner")]).expect("keys");
    let claims = Claims {
        email: Some("alice@example.com".into()),
        exp: Some(UnixTime::from_seconds(1_800_003_600)),
        ..Claims::default()
    };
    let token = seal(&keys, &claims, rng).expect("a token");
    (keys, token)
}

fn login_token(keys: &TokenKeys, rng: &mut impl rand_core::CryptoRng) -> String {
    let claims = Claims {
        host: Some("clickhouse.example.com".into()),
        port: NonZero::new(8443),
        database: Some("default".into()),
        username: Some("alice".into()),
        password: Some(Secret::from("a password of a usual length")),
        protocol: Some(Protocol::Http),
        limit: NonZero::new(1000),
        tls_enabled: Some(true),
        exp: Some(UnixTime::from_seconds(1_800_003_600)),
        ..Claims::default()
    };
    seal(keys, &claims, rng).expect("a token")
}

fn json_serialised(token: &str) -> String {
    let names = ["protected", "encrypted_key", "iv", "ciphertext", "tag"];
    let members: Vec<_> =
        names.iter().zip(token.split('.')).map(|(name, part)| format!("\"{name}\":\"{part}\"")).collect();
    format!("{{{}}}", members.join(","))
}

fn service() -> Arc<Service> {
    let environment = [
        ("MCP_TRANSPORT", "http"),
        ("MCP_ALLOW_JWE_AUTH", "true"),
        ("MCP_JWE_SECRET_KEY", "outer"),
        ("MCP_JWT_SECRET_KEY", "inner"),
        ("CLICKHOUSE_USERNAME", "gateway"),
        ("CLICKHOUSE_IMPERSONATION", "execute_as"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let sources = Sources { document: None, environment, flags: Vec::new() };
    let loaded = config::load(Host::Native, &sources, &|_| Err(String::new())).expect("a configuration");
    Service::product(loaded.config, Host::Native).expect("a service")
}

/// Admission, identity, the checked and wrapped statement, the encoded query, its decoded answer, the reply.
fn exchange(service: &Arc<Service>, env: &mut Env<'_>, head: &http::request::Parts) -> usize {
    let Admission::Read(admitted) = admit(env, service, head) else { return 0 };
    let Step::Query(request, mut waiting) =
        begin(env, Inbound::Http(admitted, Bytes::from_static(BODY.as_bytes())))
    else {
        return 0;
    };
    let sent = clickhouse::http::encode(&request).expect("a request");
    black_box(sent);
    let answer = http::Response::builder()
        .header("x-clickhouse-format", "JSONCompactEachRowWithNamesAndTypes")
        .body(())
        .expect("an answer")
        .into_parts()
        .0;
    let mut response = clickhouse::http::Response::new(&answer, request.limits);
    response.receive(ANSWER);
    response.finish(true);
    while let Some(event) = response.poll_event() {
        if waiting.accept(env, event) == Flow::Stop {
            break;
        }
    }
    match waiting.finish(env) {
        Step::Done(Reply::Http(answer)) => answer.body().len(),
        _ => 0,
    }
}

fn engine(criterion: &mut Criterion) {
    let mut rng = rand::rng();
    let (keys, token) = token(&mut rng);
    // A signed token as altinity-mcp's tools make them, and the same one in the JSON serialisation.
    let login = login_token(&keys, &mut rng);
    let json = json_serialised(&login);
    for (name, token) in [("open a token", &login), ("open a token in JSON", &json)] {
        criterion.bench_function(name, |bench| {
            bench.iter(|| open(&keys, black_box(token), &LifePolicy::default(), NOW).expect("claims"));
        });
    }

    let service = service();
    let facts = Facts::default();
    let head = http::Request::post("/mcp")
        .header("host", "mcp.example.com")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(())
        .expect("a request")
        .into_parts()
        .0;
    criterion.bench_function("one exchange, SELECT 1 as a person", |bench| {
        bench.iter(|| {
            let mut env = Env { now: NOW, rng: &mut rng, facts: &facts };
            let length = exchange(&service, &mut env, &head);
            assert!(length > 0);
        });
    });

    // What an instance of the component does first, and so, at the edge, every request.
    let environment = vec![("HOUSEKEY_CONFIG".to_owned(), DOCUMENT.to_owned())];
    let sources = Sources { document: None, environment, flags: Vec::new() };
    criterion.bench_function("load a configuration and make a service of it", |bench| {
        bench.iter(|| {
            let loaded =
                config::load(Host::Edge, &sources, &|_| Err(String::new())).expect("a configuration");
            Service::product(loaded.config, Host::Edge).expect("a service")
        });
    });

    let sql = "WITH totals AS (SELECT customer, sum(amount) AS total FROM sales.orders WHERE day >= '2026-01-01' \
               GROUP BY customer) SELECT customer, total FROM totals ORDER BY total DESC LIMIT 10";
    let rules = Rules { max_length: 1 << 20, ..Rules::internal() };
    criterion.bench_function("check a statement", |bench| {
        bench.iter(|| ReadOnlySql::parse(black_box(sql), &rules).expect("a read"));
    });

    let mut rows = String::from("[\"n\",\"s\",\"d\"]\n[\"UInt64\",\"String\",\"Decimal(18, 2)\"]\n");
    for n in 0..1000 {
        rows.push_str(&format!("[\"{n}\",\"some text of a usual length\",\"{n}.25\"]\n"));
    }
    criterion.bench_function("decode 1000 rows of three columns", |bench| {
        let answer = http::Response::builder()
            .header("x-clickhouse-format", "JSONCompactEachRowWithNamesAndTypes")
            .body(())
            .expect("an answer")
            .into_parts()
            .0;
        bench.iter(|| {
            let mut response = clickhouse::http::Response::new(&answer, ReadLimits { row_bytes: 1 << 20 });
            let mut events = 0;
            for chunk in rows.as_bytes().chunks(16 << 10) {
                response.receive(chunk);
                while response.poll_event().is_some() {
                    events += 1;
                }
            }
            response.finish(true);
            while response.poll_event().is_some() {
                events += 1;
            }
            events
        });
    });
}

criterion_group!(benches, engine);
criterion_main!(benches);
