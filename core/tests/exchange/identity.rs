//! Who may ask, and as whom the query runs.

use std::num::NonZero;

use housekey_core::clickhouse::{Credential, Exception, QueryEvent, RunAs};
use housekey_core::jose::claims::Claims;
use housekey_core::jose::token::{TokenKeys, seal};
use housekey_core::secret::Secret;
use housekey_core::time::UnixTime;

use crate::driver::{Counting, Scripted, World, rows};

pub(crate) const SECURE: &[(&str, &str)] = &[
    ("MCP_ALLOW_JWE_AUTH", "true"),
    ("MCP_JWE_SECRET_KEY", "outer"),
    ("MCP_JWT_SECRET_KEY", "inner"),
    ("CLICKHOUSE_USERNAME", "gateway"),
    ("CLICKHOUSE_PASSWORD", "gateway-password"),
    ("CLICKHOUSE_IMPERSONATION", "execute_as"),
    ("CLICKHOUSE_IMPERSONATION_DENY", "root"),
    ("CLICKHOUSE_HTTP_HEADERS", "x-operator=secret"),
];

pub(crate) const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 1"}}}"#;

pub(crate) fn token(claims: Claims) -> String {
    let keys = TokenKeys::new(&[Secret::from("outer")], &[Secret::from("inner")]).unwrap();
    let claims = Claims { exp: claims.exp.or(Some(UnixTime::from_seconds(1_800_003_600))), ..claims };
    seal(&keys, &claims, &mut Counting(7)).unwrap()
}

fn ask(server: &mut Scripted, token: &str) -> http::Response<bytes::Bytes> {
    let request = http::Request::post("/mcp")
        .header("host", "mcp.example.com")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2025-11-25")
        .header("authorization", format!("Bearer {token}"));
    server.http(request.body(CALL).unwrap())
}

pub(crate) fn person(email: &str) -> Claims {
    Claims { email: Some(email.into()), ..Claims::default() }
}

#[test]
fn a_person_is_impersonated_by_the_gateway() {
    let mut server = Scripted::new(SECURE);
    server.script.push_back(rows(&[1]));
    let answer = ask(&mut server, &token(person("o'brien@example.com")));
    assert_eq!(answer.status(), 200);
    let query = server.queries()[0];
    let Credential::Password { username, .. } = &query.credential else { panic!("a password") };
    assert_eq!(username, "gateway");
    let RunAs::ExecuteAs(user) = &query.run_as else { panic!("EXECUTE AS") };
    assert_eq!(user.as_str(), "o'brien@example.com");
    assert!(
        query.settings.iter().all(|setting| setting.name != "readonly"),
        "it would stop EXECUTE AS itself"
    );
    assert!(query.inner.readonly);
    assert_eq!(query.inner.limit, Some(501));
    let outside = query.settings.iter().any(|setting| setting.name == "limit");
    assert!(!outside, "outside, the person's profile would bend it without a word");
    let comment = query.settings.iter().find(|setting| setting.name == "log_comment").unwrap();
    assert!(comment.value.contains("o'brien@example.com"));
}

/// What comes with the request is refused by the gateway's profile, what stands inside by the person's.
#[test]
fn a_read_only_gateway_is_no_proof_of_a_read_only_person() {
    for (setting, still_asked) in [("max_execution_time", true), ("readonly", false)] {
        let mut server = Scripted::new(SECURE);
        let exception = Exception {
            code: 164,
            name: "READONLY".into(),
            message: format!("Cannot modify '{setting}' setting in readonly mode"),
            before_execution: true,
        };
        server.script.push_back(World::Rows(vec![QueryEvent::Exception(exception)]));
        server.script.push_back(rows(&[1]));
        server.script.push_back(rows(&[1]));
        let token = token(person("alice"));
        ask(&mut server, &token);
        ask(&mut server, &token);
        let asked: Vec<bool> = server.queries().iter().map(|query| query.inner.readonly).collect();
        assert_eq!(asked, [true, still_asked, still_asked], "{setting}");
    }
}

#[test]
fn a_token_with_a_login_uses_it_and_nothing_of_the_operators() {
    let mut server = Scripted::new(SECURE);
    server.script.push_back(rows(&[1]));
    let claims =
        Claims { username: Some("carol".into()), email: Some("bob@example.com".into()), ..Claims::default() };
    ask(&mut server, &token(claims));
    let query = server.queries()[0];
    let wanted = Credential::Password { username: "carol".into(), password: Secret::from("") };
    assert_eq!((&query.credential, &query.run_as), (&wanted, &RunAs::Login));
}

#[test]
fn an_address_that_a_token_chose_gets_nothing_of_the_operators() {
    let mut server = Scripted::new(SECURE);
    server.script.push_back(rows(&[1]));
    let claims = Claims {
        host: Some("elsewhere.example.com".into()),
        port: NonZero::new(8124),
        username: Some("carol".into()),
        password: Some(Secret::from("own")),
        ..Claims::default()
    };
    ask(&mut server, &token(claims));
    let query = server.queries()[0];
    assert_eq!(query.endpoint.to_string(), "http://elsewhere.example.com:8124");
    let wanted = Credential::Password { username: "carol".into(), password: Secret::from("own") };
    assert_eq!((&query.credential, &query.run_as), (&wanted, &RunAs::Login));
    assert!(!query.chosen_by.is_operator() && query.headers.is_empty());
}

#[test]
fn tokens_that_grant_nothing_never_reach_clickhouse() {
    let here = || Some("elsewhere.example.com".to_owned());
    for (what, claims, status) in [
        ("neither user nor person", Claims::default(), 401),
        ("a host alone", Claims { host: here(), ..person("alice") }, 401),
        ("a port alone", Claims { port: NonZero::new(1), ..person("alice") }, 401),
        ("a host and a user", Claims { host: here(), username: Some("u".into()), ..Claims::default() }, 401),
        (
            "a host and a password",
            Claims { host: here(), password: Some(Secret::from("p")), ..person("alice") },
            401,
        ),
        ("a password alone", Claims { password: Some(Secret::from("p")), ..person("alice") }, 401),
        ("TLS alone", Claims { tls_enabled: Some(true), ..person("alice") }, 401),
        ("default", person("default"), 403),
        ("the gateway", person("gateway"), 403),
        ("a denied name", person("root"), 403),
        ("an unchecked address", Claims { email_verified: Some(false), ..person("alice") }, 403),
        ("a file of the server", Claims { tls_ca_cert: Some("/etc/passwd".into()), ..person("alice") }, 401),
        (
            "a file of the server, with a login",
            Claims {
                tls_enabled: Some(true),
                tls_ca_cert: Some("/etc/passwd".into()),
                username: Some("u".into()),
                password: Some(Secret::from("p")),
                ..Claims::default()
            },
            403,
        ),
    ] {
        let mut server = Scripted::new(SECURE);
        let answer = ask(&mut server, &token(claims));
        assert_eq!(answer.status().as_u16(), status, "{what}");
        assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401, "{what}");
        assert!(server.asked.is_empty(), "{what}");
    }
}

#[test]
fn no_token_or_a_bad_one_is_challenged() {
    let mut server = Scripted::new(SECURE);
    let good = token(person("alice"));
    let expired = token(Claims { exp: Some(UnixTime::from_seconds(1_799_999_999)), ..person("alice") });
    let other = TokenKeys::new(&[Secret::from("outer")], &[Secret::from("other")]).unwrap();
    let claims = Claims { exp: Some(UnixTime::from_seconds(1_800_003_600)), ..person("alice") };
    let forged = seal(&other, &claims, &mut Counting(3)).unwrap();
    let unsigned = TokenKeys::new(&[Secret::from("outer")], &[]).unwrap();
    let unsigned = seal(&unsigned, &claims, &mut Counting(3)).unwrap();
    for bad in ["x", &good[..good.len() - 2], &expired, &forged, &unsigned] {
        let answer = ask(&mut server, bad);
        assert_eq!(answer.status(), 401);
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
        assert!(
            challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""),
            "{challenge}"
        );
    }
    let bare = http::Request::post("/mcp").header("content-type", "application/json").body(CALL).unwrap();
    let answer = server.http(bare);
    assert_eq!(answer.status(), 401);
    assert!(
        !answer.headers()["www-authenticate"].to_str().unwrap().contains("error="),
        "RFC 6750 section 3.1"
    );
    assert!(server.asked.is_empty());
}

#[test]
fn claims_only_ever_narrow() {
    let mut server = Scripted::new(SECURE);
    for (limit, time, asked_rows, asked_time) in [(5, 7, 6, "7"), (100_000, 100_000, 501, "600")] {
        server.script.push_back(rows(&[1]));
        let claims =
            Claims { limit: NonZero::new(limit), max_execution_time: NonZero::new(time), ..person("alice") };
        ask(&mut server, &token(claims));
        let query = *server.queries().last().unwrap();
        let seconds = query.settings.iter().find(|setting| setting.name == "max_execution_time").unwrap();
        assert_eq!((query.inner.limit, seconds.value.as_str()), (Some(asked_rows), asked_time));
    }
}

#[test]
fn a_line_based_stream_is_bound_to_its_token() {
    let alice = token(person("alice"));
    let mut variables = SECURE.to_vec();
    let mut without = Scripted::new(&variables);
    let service = without.service.clone();
    assert!(service.open_session(&mut without.env()).is_err(), "no token, no start");

    variables.push(("MCP_TOKEN", &alice));
    variables.push(("MCP_TRANSPORT", "stdio"));
    let mut server = Scripted::new(&variables);
    let service = server.service.clone();
    let mut session = service.open_session(&mut server.env()).unwrap();
    let early = server.line(CALL, &mut session);
    assert!(format!("{early:?}").contains("-32602"), "{early:?}");
    server.line(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#,
        &mut session,
    );
    server.script.push_back(rows(&[1]));
    let reply = server.line(CALL, &mut session);
    assert!(format!("{reply:?}").contains("structuredContent"), "{reply:?}");
    let RunAs::ExecuteAs(user) = &server.queries()[0].run_as else { panic!("EXECUTE AS") };
    assert_eq!(user.as_str(), "alice");

    server.now = UnixTime::from_seconds(1_800_003_601);
    let late = server.line(CALL, &mut session);
    assert!(format!("{late:?}").contains("expired"), "{late:?}");
    assert_eq!(server.queries().len(), 1);
}

#[test]
fn roles_are_added_as_far_as_the_operator_lets_them_and_nowhere_else() {
    let member: &[(&str, &str)] = &[
        ("MCP_ALLOW_JWE_AUTH", "true"),
        ("MCP_JWE_SECRET_KEY", "outer"),
        ("MCP_JWT_SECRET_KEY", "inner"),
        ("CLICKHOUSE_PROTOCOL", "tcp"),
        ("CLICKHOUSE_CLUSTER_NAME", "c"),
        ("CLICKHOUSE_CLUSTER_SECRET", "of the cluster"),
    ];
    let open = [member, &[("CLICKHOUSE_CLUSTER_ROLES", "analyst_*,reader")]].concat();
    let with = |claims: Claims| Claims {
        roles: ["analyst_eu", "reader", "readers", "admin"].map(str::to_owned).into(),
        ..claims
    };
    let login = Claims { username: Some("u".into()), ..Claims::default() };
    let elsewhere = Claims { host: Some("h".into()), password: Some(Secret::from("p")), ..login.clone() };
    for (variables, claims, wanted) in [
        (&*open, with(person("alice")), Some(vec!["analyst_eu", "reader"])),
        (&*open, person("alice"), Some(Vec::new())),
        (&*open, with(login), None),
        (&*open, with(elsewhere), None),
        (member, with(person("alice")), None),
        (SECURE, with(person("alice")), None),
    ] {
        let mut server = Scripted::new(variables);
        server.script.push_back(rows(&[1]));
        let status = ask(&mut server, &token(claims)).status();
        let asked = server.queries().first().map(|query| query.roles.clone());
        assert_eq!(asked, wanted.map(|roles| roles.into_iter().map(str::to_owned).collect()), "{status}");
        assert!(asked.is_some() || status == 403, "{status}");
    }
}

#[test]
fn what_a_profile_of_roles_refuses_is_nothing_that_the_person_lacks_without_them() {
    let mut server = Scripted::new(&[
        ("MCP_ALLOW_JWE_AUTH", "true"),
        ("MCP_JWE_SECRET_KEY", "outer"),
        ("MCP_JWT_SECRET_KEY", "inner"),
        ("CLICKHOUSE_PROTOCOL", "tcp"),
        ("CLICKHOUSE_CLUSTER_NAME", "c"),
        ("CLICKHOUSE_CLUSTER_SECRET", "of the cluster"),
        ("CLICKHOUSE_CLUSTER_ROLES", "reader"),
    ]);
    let message = "Cannot modify 'limit' setting in readonly mode".to_owned();
    let exception = Exception { code: 164, name: String::new(), message, before_execution: true };
    server.script.push_back(World::Rows(vec![QueryEvent::Exception(exception)]));
    server.script.push_back(rows(&[1]));
    let with_role = Claims { roles: vec!["reader".to_owned()], ..person("alice") };
    let sets = |server: &Scripted| !server.queries().last().unwrap().settings.is_empty();
    assert_eq!(ask(&mut server, &token(with_role.clone())).status(), 200);
    assert!(!sets(&server), "a profile in which nothing can be set");
    server.script.push_back(rows(&[1]));
    assert_eq!(ask(&mut server, &token(with_role)).status(), 200);
    assert_eq!((server.queries().len(), sets(&server)), (3, false), "it is remembered");
    server.script.push_back(rows(&[1]));
    assert_eq!(ask(&mut server, &token(person("alice"))).status(), 200);
    assert!(sets(&server), "without the role the profile is another");
}
