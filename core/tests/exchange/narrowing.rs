//! Whatever a token claims, what is asked of ClickHouse stays within what the operator allows.

use std::num::NonZero;

use housekey_core::address::needs_naming;
use housekey_core::clickhouse::{ChosenBy, Credential, QueryRequest, Reach, RunAs};
use housekey_core::jose::claims::{Claims, Protocol};
use housekey_core::jose::token::{TokenKeys, seal};
use housekey_core::secret::Secret;
use housekey_core::time::UnixTime;
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;

use crate::driver::{Counting, Scripted, rows};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 1","limit":LIMIT}}}"#;

const OPERATOR_SECRETS: [&str; 4] =
    ["operator-cluster", "gateway-password", "operator-header", "operator-setting"];

/// What the operator decided.
#[derive(Clone, Debug)]
struct Operator {
    /// `None` leaves it to ClickHouse's profile, which no claim may raise.
    rows: Option<u64>,
    /// As `rows`.
    seconds: Option<u64>,
    read_only: bool,
    acts: &'static str,
    listed: Vec<&'static str>,
}

fn operators() -> impl Strategy<Value = Operator> {
    let listed =
        vec(select(&["db.example.com", "*.example.org:8443", "10.0.0.7", "127.0.0.1:8124"][..]), 0..3);
    (
        of(1_u64..2000),
        of(1_u64..2000),
        any::<bool>(),
        select(&["none", "execute_as", "interserver"][..]),
        listed,
    )
        .prop_map(|(rows, seconds, read_only, acts, listed)| Operator {
            rows,
            seconds,
            read_only,
            acts,
            listed,
        })
}

fn names() -> impl Strategy<Value = Option<String>> {
    let known = select(&["alice", "gateway", "default", "root", "", " ", "o'brien\\", "bob@example.com"][..]);
    of(prop_oneof![2 => known.prop_map(str::to_owned), 6 => "[a-z]{1,8}", 1 => any::<String>()])
}

fn hosts() -> impl Strategy<Value = Option<String>> {
    let known = select(
        &[
            "clickhouse.internal",
            "db.example.com",
            "a.example.org",
            "10.0.0.7",
            "127.0.0.1",
            "localhost",
            "[::1]",
            "169.254.169.254",
            "127.1",
            "2130706433",
            "::ffff:7f00:1",
            "evil.test",
            "10.1.1.1",
            "a b",
            "x/y",
            "u@h",
        ][..],
    );
    weighted(0.4, prop_oneof![9 => known.prop_map(str::to_owned), 1 => any::<String>()])
}

fn claims() -> impl Strategy<Value = Claims> {
    let person = (names(), names(), weighted(0.1, any::<bool>()), names());
    let login = (names(), names(), names());
    let server = (
        hosts(),
        weighted(0.3, select(&[1_u16, 22, 8123, 8124, 8443][..])),
        weighted(0.2, select(&[Protocol::Http, Protocol::Http, Protocol::Tcp][..])),
        weighted(0.2, any::<bool>()),
        weighted(0.1, any::<bool>()),
        names().prop_flat_map(|path| weighted(0.05, Just(path)).prop_map(Option::flatten)),
    );
    let caps = (of(any::<u32>()), of(any::<u32>()), of(any::<bool>()));
    (person, login, server, caps).prop_map(|(person, login, server, caps)| Claims {
        email: person.0,
        sub: person.1,
        email_verified: person.2,
        name: person.3,
        username: login.0,
        password: login.1.map(Secret::new),
        database: login.2,
        host: server.0,
        port: server.1.and_then(NonZero::new),
        protocol: server.2,
        tls_enabled: server.3,
        tls_insecure_skip_verify: server.4,
        tls_ca_cert: server.5,
        limit: caps.0.and_then(|rows| NonZero::new(u64::from(rows))),
        max_execution_time: caps.1.and_then(|seconds| NonZero::new(u64::from(seconds))),
        read_only: caps.2,
        exp: Some(UnixTime::from_seconds(1_800_003_600)),
        ..Claims::default()
    })
}

/// The query that a call with these claims leads to, if it leads to any.
fn asked(operator: &Operator, claims: &Claims, limit: u64) -> Option<QueryRequest> {
    let rows_cap = operator.rows.map_or("-1".to_owned(), |rows| rows.to_string());
    let seconds = operator.seconds.unwrap_or(0).to_string();
    let listed = operator.listed.join(",");
    let interserver = operator.acts == "interserver";
    let mut server = Scripted::new(&[
        ("MCP_ALLOW_JWE_AUTH", "true"),
        ("MCP_JWE_SECRET_KEY", "outer"),
        ("MCP_JWT_SECRET_KEY", "inner"),
        ("MCP_JWE_ALLOWED_HOSTS", &listed),
        ("CLICKHOUSE_HOST", "clickhouse.internal"),
        ("CLICKHOUSE_USERNAME", "gateway"),
        ("CLICKHOUSE_PASSWORD", "gateway-password"),
        ("CLICKHOUSE_IMPERSONATION", operator.acts),
        ("CLICKHOUSE_PROTOCOL", if interserver { "tcp" } else { "http" }),
        ("CLICKHOUSE_PORT", "8123"),
        ("CLICKHOUSE_CLUSTER_NAME", if interserver { "cluster" } else { "" }),
        ("CLICKHOUSE_CLUSTER_SECRET", if interserver { "operator-cluster" } else { "" }),
        ("CLICKHOUSE_IMPERSONATION_DENY", "root"),
        ("CLICKHOUSE_HTTP_HEADERS", "x-operator=operator-header"),
        ("CLICKHOUSE_EXTRA_SETTINGS", "max_threads=operator-setting"),
        ("CLICKHOUSE_MAX_RESULT_ROWS", &rows_cap),
        ("CLICKHOUSE_MAX_EXECUTION_TIME", &seconds),
        ("CLICKHOUSE_READ_ONLY", if operator.read_only { "true" } else { "false" }),
    ]);
    server.script.push_back(rows(&[1]));
    let keys = TokenKeys::new(&[Secret::from("outer")], &[Secret::from("inner")]).unwrap();
    let token = seal(&keys, claims, &mut Counting(7)).unwrap();
    let body = CALL.replace("LIMIT", &limit.to_string());
    let request = http::Request::post("/mcp")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"));
    let answer = server.http(request.body(&*body).unwrap());
    let queries = server.queries();
    assert_eq!(queries.is_empty(), answer.status() != 200, "{answer:?}");
    queries.first().map(|query| (*query).clone())
}

fn setting<'a>(query: &'a QueryRequest, name: &str) -> Option<&'a str> {
    query.settings.iter().find(|setting| setting.name == name).map(|setting| setting.value.as_str())
}

/// The texts of a claim, of which an empty one counts as absent.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_claim_ever_widens(operator in operators(), claims in claims(), limit in 1_u64..5000) {
        let Some(query) = asked(&operator, &claims, limit) else { return Ok(()) };

        let interserver = operator.acts == "interserver";
        // Rows and seconds: the least of what the operator, the token and the call say. Where the operator leaves it
        // to ClickHouse's profile, nothing is sent that could raise what the profile says.
        let most = operator.rows.and_then(|rows| {
            [Some(rows), claims.limit.map(NonZero::get), Some(limit)].into_iter().flatten().min()
        });
        let rows = match query.run_as {
            RunAs::Login | RunAs::Interserver(_) => setting(&query, "limit").and_then(|rows| rows.parse().ok()),
            RunAs::ExecuteAs(_) => query.inner.limit,
        };
        prop_assert_eq!(rows, most.map(|rows| rows + 1));
        let own = claims.max_execution_time.map(NonZero::get);
        let seconds = operator.seconds.map(|seconds| own.map_or(seconds, |own| own.min(seconds)).to_string());
        prop_assert_eq!(setting(&query, "max_execution_time"), seconds.as_deref());
        let longest = [operator.seconds, own].into_iter().flatten().min().unwrap_or(24 * 3600) + 5;
        prop_assert!(query.deadline_seconds <= longest.min(24 * 3600));

        // Reading only, whoever asks.
        match query.run_as {
            RunAs::Login | RunAs::Interserver(_) => prop_assert_eq!(setting(&query, "readonly"), Some("1")),
            RunAs::ExecuteAs(_) => prop_assert!(query.inner.readonly),
        }

        // The operator's own goes to the operator's own server, for nobody who brings a name.
        let chosen = given(&claims.host).is_some() || claims.port.is_some() || claims.protocol.is_some()
            || claims.tls_enabled.is_some() || claims.tls_insecure_skip_verify == Some(true)
            || given(&claims.tls_ca_cert).is_some();
        let (username, password) = match &query.credential {
            Credential::Password { username, password } => (username.as_str(), password),
            Credential::Cluster { name, secret } => {
                prop_assert!(!chosen && claims.username.as_deref().is_none_or(str::is_empty));
                prop_assert!(matches!(query.run_as, RunAs::Interserver(_)) && interserver);
                (name.as_str(), secret)
            }
            Credential::Bearer(_) | Credential::Header { .. } => panic!("no bearer"),
        };
        if username == "gateway" && password.expose() == "gateway-password" {
            prop_assert!(!chosen || claims.password.as_ref() == Some(password));
        }
        if chosen {
            prop_assert_eq!(query.run_as.clone(), RunAs::Login);
            prop_assert_eq!(Some(username), given(&claims.username));
            prop_assert_eq!(Some(password), claims.password.as_ref());
            let shown = format!("{:?} {:?} {:?}", query.headers, query.settings, query.endpoint);
            prop_assert!(OPERATOR_SECRETS.iter().all(|secret| !shown.contains(secret)), "{}", shown);
            let ChosenBy::Token(server) = &query.chosen_by else { panic!("chosen by the token") };
            let endpoint = &query.endpoint;
            let own = endpoint.host == "clickhouse.internal" && endpoint.port == 8123;
            if !own && !operator.listed.is_empty() {
                let named = matches!(
                    (endpoint.host.as_str(), endpoint.port),
                    ("db.example.com" | "10.0.0.7", _) | ("127.0.0.1", 8124)
                );
                let wild = endpoint.host.ends_with(".example.org") && endpoint.port == 8443;
                prop_assert!(named || wild, "{} is not listed", endpoint);
            }
            if server.reach != Reach::Any {
                prop_assert!(!endpoint.host.parse().is_ok_and(needs_naming), "{}", endpoint);
                prop_assert!(endpoint.host != "localhost");
            }
        } else {
            let scheme = if interserver { "tcp" } else { "http" };
            prop_assert_eq!(query.endpoint.to_string(), format!("{scheme}://clickhouse.internal:8123"));
            prop_assert_eq!(query.chosen_by.clone(), ChosenBy::Operator);
        }
        match (&query.run_as, given(&claims.username)) {
            (RunAs::ExecuteAs(user), None) => {
                let identity = given(&claims.email).or(given(&claims.sub));
                prop_assert_eq!(operator.acts, "execute_as");
                prop_assert_eq!(Some(user.as_str()), identity);
                prop_assert!(!["default", "gateway", "root"].contains(&user.as_str()));
                prop_assert!(given(&claims.email).is_none() || claims.email_verified != Some(false));
            }
            (RunAs::Interserver(user), None) => {
                let identity = given(&claims.email).or(given(&claims.sub)).unwrap_or("gateway");
                prop_assert!(interserver && !identity.is_empty());
                prop_assert_eq!(user.as_str(), identity);
                prop_assert!(!["default", "root"].contains(&user.as_str()));
                prop_assert!(given(&claims.email).is_none() || claims.email_verified != Some(false));
            }
            (RunAs::ExecuteAs(_) | RunAs::Interserver(_), Some(_)) => {
                prop_assert!(false, "a login of its own is not impersonated");
            }
            (RunAs::Login, Some(name)) => {
                prop_assert_eq!(username, name);
                let own = claims.password.clone().unwrap_or_else(|| Secret::from(""));
                prop_assert_eq!(password, &own);
            }
            (RunAs::Login, None) => prop_assert_eq!(operator.acts, "none"),
        }
    }
}
