//! `POST /jwe-token-generator`: what it makes, for whom, what it refuses, and that no answer repeats what came.

mod limits;

use bytes::Bytes;
use housekey_core::clickhouse::{ChosenBy, Credential, Reach};
use housekey_core::exchange::Refusal;
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
        iss: Some("jwe-token-generator".into()),
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
    assert_eq!(
        (claims.port, claims.protocol, claims.limit, claims.tls_enabled),
        (None, None, None, Some(false))
    );
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

/// What the peer's anybody could do: reach the server's own ClickHouse from the server's own address.
#[test]
fn a_stranger_gets_nothing_of_the_servers_place_in_the_network() {
    let here: &[(&'static str, &'static str)] = &[("CLICKHOUSE_HOST", "127.0.0.1")];
    let local = |host: &str| {
        let mut body = own_login();
        (body["host"], body["port"]) = (value!(host), value!(8123));
        body.to_string()
    };
    let mut server = with(here);
    for host in ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254"] {
        let answer = ask(&mut server, None, &local(host));
        assert_eq!(answer.status(), 403, "{host}: {}", text(&answer));
    }
    // Nor does a token of a stranger's, once the operator has changed their mind.
    let mut listed = with(&[here, &[("MCP_JWE_ALLOWED_HOSTS", "127.0.0.1")]].concat());
    let token = minted(&ask(&mut listed, None, &local("127.0.0.1")));
    assert_eq!(select_one(&mut server, &token).status(), 403);
    let mut off =
        with(&[here, &[("MCP_JWE_ALLOWED_HOSTS", "127.0.0.1"), ("MCP_JWE_GENERATOR", "false")]].concat());
    assert_eq!(select_one(&mut off, &token).status(), 403);
    assert!(server.asked.is_empty() && off.asked.is_empty());
    listed.script.push_back(rows(&[1]));
    assert_eq!(select_one(&mut listed, &token).status(), 200);
    // A name is judged by the host that resolves it.
    let token = minted(&ask(&mut server, None, &own_login().to_string()));
    server.script.push_back(rows(&[1]));
    assert_eq!(select_one(&mut server, &token).status(), 200);
    let ChosenBy::Token(chosen) = &server.queries()[0].chosen_by else { panic!("chosen by the token") };
    assert_eq!(chosen.reach, Reach::Public);
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
