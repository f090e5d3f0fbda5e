//! `POST /jwe-token-generator`: what it makes, for whom, what it refuses, and that no answer repeats what came.

use bytes::Bytes;
use housekey_core::clickhouse::Credential;
use housekey_core::config::Host;
use housekey_core::exchange::{GeneratorGate, Refusal};
use housekey_core::jose::claims::Claims;
use housekey_core::jose::token::{LifePolicy, TokenKeys, open};
use housekey_core::secret::Secret;
use housekey_core::time::UnixTime;
use http::{Method, Response};
use serde_json::{Value, json as value};

use crate::driver::{Scripted, json, rows};

const BEARER: &str = "generator-bearer-4711";
const PASSWORD: &str = "Pa55-of-carol";

/// Tokens on, everybody as the configured login.
const SHARED: &[(&str, &str)] = &[
    ("MCP_ALLOW_JWE_AUTH", "true"),
    ("MCP_JWE_SECRET_KEY", "outer"),
    ("MCP_JWT_SECRET_KEY", "inner"),
    ("CLICKHOUSE_USERNAME", "gateway"),
    ("CLICKHOUSE_PASSWORD", "gateway-password"),
    ("MCP_JWE_GENERATOR_TOKEN", BEARER),
];

fn with(more: &[(&'static str, &'static str)]) -> Scripted {
    Scripted::new(&[SHARED, more].concat())
}

fn impersonating() -> Scripted {
    with(&[("CLICKHOUSE_IMPERSONATION", "execute_as"), ("CLICKHOUSE_IMPERSONATION_DENY", "root")])
}

fn own_login() -> Value {
    value!({
        "host": "db.example.com", "port": 8124, "database": "d", "username": "carol", "password": PASSWORD,
        "protocol": "http", "expiry": 600,
    })
}

fn plus(name: &str, extra: Value) -> String {
    let mut body = own_login();
    body[name] = extra;
    body.to_string()
}

fn ask(server: &mut Scripted, authorization: Option<&str>, body: &str) -> Response<Bytes> {
    let request = http::Request::post("/jwe-token-generator").header("host", "mcp.example.com");
    // What old scripts send, without a thought of the type.
    let request =
        request.header("content-type", "application/x-www-form-urlencoded").header("accept", "text/html");
    let request = match authorization {
        Some(value) => request.header("authorization", value),
        None => request,
    };
    server.http(request.body(body).unwrap())
}

fn bearer() -> String {
    format!("Bearer {BEARER}")
}

fn text(answer: &Response<Bytes>) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

fn minted(answer: &Response<Bytes>) -> String {
    assert_eq!(answer.status(), 200, "{}", text(answer));
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let answer = json(answer);
    assert_eq!(answer.as_object().unwrap().len(), 1);
    answer["token"].as_str().unwrap().to_owned()
}

fn claims(server: &Scripted, token: &str) -> Claims {
    let keys = TokenKeys::new(&[Secret::from("outer")], &[Secret::from("inner")]).unwrap();
    open(&keys, token, &LifePolicy::default(), server.now).unwrap()
}

fn select_one(server: &mut Scripted, token: &str) -> Response<Bytes> {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 1"}}}"#;
    let request = http::Request::post("/mcp").header("content-type", "application/json");
    server.http(request.header("authorization", format!("Bearer {token}")).body(body).unwrap())
}

#[test]
fn a_strangers_token_reaches_the_strangers_server() {
    let mut server = with(&[]);
    let token = minted(&ask(&mut server, None, &own_login().to_string()));
    let wanted = Claims {
        host: Some("db.example.com".into()),
        port: std::num::NonZero::new(8124),
        database: Some("d".into()),
        username: Some("carol".into()),
        password: Some(Secret::from(PASSWORD)),
        protocol: Some(housekey_core::jose::claims::Protocol::Http),
        exp: Some(UnixTime::from_seconds(server.now.seconds() + 600)),
        ..Claims::default()
    };
    assert_eq!(claims(&server, &token), wanted);
    server.script.push_back(rows(&[1]));
    assert_eq!(select_one(&mut server, &token).status(), 200);
    let query = server.queries()[0];
    assert_eq!(query.endpoint.to_string(), "http://db.example.com:8124");
    let login = Credential::Password { username: "carol".into(), password: Secret::from(PASSWORD) };
    assert!(query.credential == login && !query.chosen_by.is_operator());
    server.now = UnixTime::from_seconds(server.now.seconds() + 601);
    assert_eq!(select_one(&mut server, &token).status(), 401, "it ends when it should");
}

#[test]
fn what_go_clients_leave_out_is_left_out() {
    let mut server = with(&[]);
    let body = value!({
        "host": "db.example.com", "port": 0, "database": "", "username": "carol", "password": PASSWORD,
        "protocol": "", "limit": 0, "expiry": 0, "tls_enabled": false, "tls_ca_cert": "", "tls_client_cert": "",
        "tls_client_key": "", "tls_insecure_skip_verify": false, "email": null,
    });
    let token = minted(&ask(&mut server, None, &body.to_string()));
    let claims = claims(&server, &token);
    assert_eq!(claims.exp, Some(UnixTime::from_seconds(server.now.seconds() + 3600)));
    assert_eq!((claims.port, claims.protocol, claims.limit, claims.tls_enabled), (None, None, None, None));
}

#[test]
fn strangers_get_nothing_that_they_lack() {
    for (what, body, status, named) in [
        ("nothing", "{}".to_owned(), 403, "`host`"),
        ("a person", r#"{"email":"alice@example.com"}"#.to_owned(), 403, "`host`"),
        ("a person beside a login", plus("email", value!("alice@example.com")), 403, "`email`"),
        ("a subject beside a login", plus("sub", value!("alice")), 403, "`sub`"),
        ("no host", plus("host", value!("")), 403, "`host`"),
        ("no user", plus("username", Value::Null), 403, "`username`"),
        ("no password", plus("password", value!("")), 403, "`password`"),
        ("loopback", plus("host", value!("127.0.0.1")), 403, "allowed_hosts"),
        ("metadata", plus("host", value!("169.254.169.254")), 403, "allowed_hosts"),
        ("no host name", plus("host", value!("db/x?y")), 403, "`host`"),
        ("the native protocol", plus("protocol", value!("tcp")), 403, "`protocol`"),
        ("a claim of its own", plus("exp", value!(4_102_444_800_u64)), 400, "\"exp\""),
        ("an unknown field", plus("allow_all", value!(true)), 400, "\"allow_all\""),
        ("a doubled field", r#"{"host":"a","host":"b"}"#.to_owned(), 400, "\"host\""),
        ("no JSON", "host=db.example.com&username=carol".to_owned(), 400, "not JSON"),
        ("a list", "[]".to_owned(), 400, "object"),
        ("an empty body", String::new(), 400, "not JSON"),
        ("a wrong type", plus("port", value!("8124")), 400, "`port`"),
        ("a huge number", plus("limit", value!(u64::MAX)), 400, "`limit`"),
        ("a negative life", plus("expiry", value!(-3600)), 400, "`expiry`"),
        ("an endless life", plus("expiry", value!(9_007_199_254_740_992_u64)), 400, "`expiry`"),
        (
            "TLS without TLS",
            plus("tls_insecure_skip_verify", value!(true)),
            400,
            "`tls_insecure_skip_verify`",
        ),
    ] {
        let mut server = with(&[("MCP_JWE_TLS_DIRECTORY", "/etc/tls")]);
        let answer = ask(&mut server, None, &body);
        assert_eq!(answer.status().as_u16(), status, "{what}: {}", text(&answer));
        assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8", "{what}");
        assert!(text(&answer).contains(named), "{what}: {}", text(&answer));
        assert!(server.asked.is_empty());
    }
    for file in ["tls_ca_cert", "tls_client_cert", "tls_client_key"] {
        let mut server = with(&[("MCP_JWE_TLS_DIRECTORY", "/etc/tls")]);
        let mut body = own_login();
        (body["tls_enabled"], body[file]) = (value!(true), value!("x.pem"));
        let answer = ask(&mut server, None, &body.to_string());
        assert_eq!(answer.status(), 403);
        assert!(text(&answer).contains(file), "{}", text(&answer));
    }
}

#[test]
fn restrictions_become_claims() {
    let mut server = with(&[]);
    let mut body = own_login();
    (body["read_only"], body["limit"], body["max_execution_time"]) = (value!(true), value!(5), value!(7.0));
    let token = minted(&ask(&mut server, None, &body.to_string()));
    let claims = claims(&server, &token);
    assert_eq!(claims.read_only, Some(true));
    assert_eq!(
        (claims.limit, claims.max_execution_time),
        (std::num::NonZero::new(5), std::num::NonZero::new(7))
    );
}

#[test]
fn the_bearer_has_any_token_made_that_this_server_accepts() {
    let mut server = impersonating();
    let token = minted(&ask(&mut server, Some(&bearer()), r#"{"email":"alice@example.com"}"#));
    server.script.push_back(rows(&[1]));
    assert_eq!(select_one(&mut server, &token).status(), 200);
    minted(&ask(&mut server, Some(&bearer()), &own_login().to_string()));
    minted(&ask(&mut server, Some(&format!("bearer  {BEARER} ")), r#"{"sub":"bob"}"#));
    for (body, named) in [
        ("{}", "email"),
        (r#"{"email":"default"}"#, "act as"),
        (r#"{"email":"root"}"#, "act as"),
        (r#"{"email":"gateway"}"#, "act as"),
        (r#"{"host":"db.example.com","email":"alice"}"#, "password"),
        (r#"{"email":"alice","protocol":"tcp"}"#, "protocol"),
        (r#"{"email":"alice","exp":1}"#, "exp"),
    ] {
        let answer = ask(&mut server, Some(&bearer()), body);
        assert_eq!(answer.status(), 400, "{body}");
        assert!(text(&answer).contains(named), "{body}: {}", text(&answer));
    }
    let mut shared = with(&[]);
    minted(&ask(&mut shared, Some(&bearer()), "{}"));
}

#[test]
fn other_bearers_are_challenged() {
    let mut server = with(&[]);
    for wrong in [
        "Bearer wrong".to_owned(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {}", &BEARER[1..]),
        format!("Bearer {BEARER}x"),
        format!("Bearer x {BEARER}"),
        format!("Basic {BEARER}"),
        format!("Digest {BEARER}"),
        BEARER.to_owned(),
    ] {
        let answer = ask(&mut server, Some(&wrong), &own_login().to_string());
        assert_eq!(answer.status(), 401, "{wrong}");
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer "), "{wrong}");
    }
    let twice = http::Request::post("/jwe-token-generator")
        .header("authorization", bearer())
        .header("authorization", bearer())
        .body("{}");
    assert_eq!(server.http(twice.unwrap()).status(), 400);

    // Without a configured one, none is right, and nobody is told that.
    let mut unset = Scripted::new(&SHARED[..5]);
    let (set, unset) = (ask(&mut server, Some("Bearer x"), "{}"), ask(&mut unset, Some("Bearer x"), "{}"));
    assert_eq!((set.status(), set.headers(), set.body()), (unset.status(), unset.headers(), unset.body()));
    assert!(
        unset.extensions().get::<Refusal>().unwrap().0.contains("generator_token"),
        "but the operator is"
    );
    let mut unset = Scripted::new(&SHARED[..5]);
    for empty in ["Bearer", "Bearer "] {
        assert_eq!(ask(&mut unset, Some(empty), "{}").status(), 401);
    }
}

#[test]
fn ways_in_which_it_is_not_there() {
    let body = own_login().to_string();
    let mut off = Scripted::new(&[]);
    let mut disabled = with(&[("MCP_JWE_GENERATOR", "false")]);
    let local = http::Request::post("/jwe-token-generator").header("host", "localhost");
    let answer = off.http(local.body(&*body).unwrap());
    assert_eq!((answer.status().as_u16(), text(&answer)), (403, "JWE authentication is not enabled\n"));
    let unknown = off.http(http::Request::post("/nowhere").header("host", "localhost").body("").unwrap());
    for authorization in [None, Some(bearer())] {
        let answer = ask(&mut disabled, authorization.as_deref(), &body);
        assert_eq!((answer.status(), answer.body()), (unknown.status(), unknown.body()));
        assert_eq!(ask(&mut impersonating(), None, &body).status(), 403);
    }
    for server in [&mut off, &mut disabled, &mut with(&[])] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH] {
            let request = http::Request::builder().method(method.clone()).uri("/jwe-token-generator/");
            let answer = server.http(request.header("host", "localhost").body("").unwrap());
            assert_eq!(
                (answer.status().as_u16(), &answer.headers()["allow"]),
                (405, &"POST".parse().unwrap()),
                "{method}"
            );
        }
        let preflight = http::Request::options("/jwe-token-generator")
            .header("host", "localhost")
            .header("origin", "http://localhost:1");
        assert_eq!(server.http(preflight.body("").unwrap()).status(), 204);
    }
}

#[test]
fn bodies_are_bounded_whatever_is_declared() {
    let mut server = with(&[]);
    let declared = http::Request::post("/jwe-token-generator").header("content-length", "65537");
    assert_eq!(server.http(declared.body("").unwrap()).status(), 413);
    let padded = format!("{}{}", " ".repeat(64 << 10), own_login());
    assert_eq!(ask(&mut server, None, &padded).status(), 413);
    // A token that could not be read back is not handed out.
    let answer = ask(&mut server, None, &plus("database", value!("d".repeat(60 << 10))));
    assert_eq!(answer.status(), 400, "{}", text(&answer));
}

#[test]
fn lives_are_those_that_this_server_accepts() {
    let mut server = with(&[("MCP_JWE_MAX_LIFETIME", "900")]);
    let token = minted(&ask(&mut server, None, &plus("expiry", value!(0))));
    assert_eq!(claims(&server, &token).exp, Some(UnixTime::from_seconds(server.now.seconds() + 900)));
    minted(&ask(&mut server, None, &plus("expiry", value!(900))));
    for authorization in [None, Some(bearer())] {
        let answer = ask(&mut server, authorization.as_deref(), &plus("expiry", value!(901)));
        assert_eq!(answer.status(), 400);
        assert!(text(&answer).contains("900"), "{}", text(&answer));
    }
}

#[test]
fn a_flood_is_stopped_and_does_not_lock_out_the_bearer() {
    let mut server = with(&[("MCP_JWE_GENERATOR_RATE", "3")]);
    let statuses = |server: &mut Scripted, authorization: &[Option<&str>]| -> Vec<u16> {
        authorization.iter().map(|value| ask(server, *value, "{}").status().as_u16()).collect()
    };
    let flood = [None, Some("Bearer wrong"), Some("Basic x"), None, Some("Bearer wrong"), Some("Basic x")];
    assert_eq!(statuses(&mut server, &flood), [403, 401, 401, 429, 429, 429]);
    let answer = ask(&mut server, None, &own_login().to_string());
    assert_eq!(answer.headers()["retry-after"], "20");
    let bearer = bearer();
    let operator = [Some(&*bearer); 4];
    assert_eq!(statuses(&mut server, &operator), [200, 200, 200, 429], "the bearer has a bucket of its own");
    // What is no request for a token is not counted.
    let get = http::Request::get("/jwe-token-generator").body("").unwrap();
    assert_eq!(server.http(get).status(), 405);
    server.now = UnixTime::from_seconds(server.now.seconds() + 20);
    assert_eq!(statuses(&mut server, &[None, None, Some(&bearer), Some(&bearer)]), [403, 429, 200, 429]);

    let mut unlimited = with(&[("MCP_JWE_GENERATOR_RATE", "0")]);
    assert!(statuses(&mut unlimited, &[None; 200]).iter().all(|status| *status == 403));
}

/// The hosted component forgets its counts, so its host counts for it and must answer in the same words.
#[test]
fn a_gate_in_front_turns_away_as_the_server_itself_does() {
    let variables: &[(&'static str, &'static str)] =
        &[("MCP_JWE_GENERATOR_RATE", "1"), ("MCP_ALLOWED_HOSTS", "mcp.example.com")];
    let mut server = with(variables);
    let gate = GeneratorGate::new(server.service.config(), Host::Native);
    let request = |method: Method, path: &str, host: &str| {
        let request = http::Request::builder().method(method).uri(path).header("host", host);
        request.header("origin", "http://localhost:1").body("{}").unwrap()
    };
    let post = |path| request(Method::POST, path, "mcp.example.com");
    for passed_on in [
        post("/mcp"),
        post("/jwe-token-generator/x"),
        request(Method::OPTIONS, "/jwe-token-generator", "mcp.example.com"),
        post("/jwe-token-generator"),
    ] {
        let (head, _) = passed_on.into_parts();
        assert!(gate.turn_away(server.now, &head).is_none(), "{head:?}");
    }
    server.http(post("/jwe-token-generator"));
    for refused in [
        request(Method::POST, "/jwe-token-generator", "evil.example.com"),
        post("/jwe-token-generator/"),
        request(Method::GET, "/jwe-token-generator", "mcp.example.com"),
    ] {
        let (head, body) = refused.into_parts();
        let turned_away = gate.turn_away(server.now, &head).unwrap();
        let answer = server.http(http::Request::from_parts(head, body));
        assert_eq!(turned_away.status(), answer.status());
        assert_eq!((turned_away.headers(), turned_away.body()), (answer.headers(), answer.body()));
        assert_eq!(turned_away.extensions().get::<Refusal>(), answer.extensions().get::<Refusal>());
    }
}

/// Neither answers nor the log repeat a value, whatever is wrong with the request.
#[test]
fn no_value_is_repeated() {
    let secret = "s3cret-value-of-a-field";
    let names = [
        "host",
        "port",
        "database",
        "username",
        "password",
        "protocol",
        "limit",
        "expiry",
        "tls_enabled",
        "tls_ca_cert",
        "tls_client_cert",
        "tls_client_key",
        "tls_insecure_skip_verify",
        "email",
        "sub",
        "read_only",
        "max_execution_time",
        "unknown",
    ];
    let mut refused = 0;
    for name in names {
        for wrong in
            [value!(secret), value!([secret]), value!({ secret: secret }), value!(format!("{secret}\n/"))]
        {
            for authorization in [None, Some(bearer()), Some(format!("Bearer {secret}"))] {
                let mut server = with(&[("CLICKHOUSE_READ_ONLY", "true")]);
                let answer = ask(&mut server, authorization.as_deref(), &plus(name, wrong.clone()));
                if answer.status() == 200 {
                    continue;
                }
                refused += 1;
                let reason = answer.extensions().get::<Refusal>().unwrap();
                let shown = format!("{answer:?} {reason:?}");
                for hidden in [secret, PASSWORD, BEARER, "gateway-password", "carol"] {
                    assert!(!shown.contains(hidden), "{name}: {shown}");
                }
            }
        }
    }
    assert!(refused > 150, "{refused}");
}
