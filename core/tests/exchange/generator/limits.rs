//! Bounds of the generator: bodies, lives, and how many requests it answers.

use housekey_core::config::Host;
use housekey_core::exchange::{GeneratorGate, Refusal};
use housekey_core::time::UnixTime;
use http::Method;
use serde_json::json as value;

use super::{ask, bearer, claims, minted, own_login, plus, text, with};
use crate::driver::Scripted;

#[test]
fn bodies_are_bounded_whatever_is_declared() {
    let mut server = with(&[]);
    let declared = http::Request::post("/jwe-token-generator").header("content-length", "65537");
    assert_eq!(server.http(declared.body("").unwrap()).status(), 413);
    let padded = format!("{}{}", " ".repeat(64 << 10), own_login());
    assert_eq!(ask(&mut server, None, &padded).status(), 413);
    let mut small = with(&[("MCP_MAX_BODY_BYTES", "1024")]);
    assert_eq!(ask(&mut small, None, &" ".repeat(1025)).status(), 413);
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
fn an_unnamed_life_is_an_hour_however_long_lives_may_be() {
    let mut server = with(&[("MCP_JWE_MAX_LIFETIME", "31536000")]);
    let token = minted(&ask(&mut server, None, &plus("expiry", value!(null))));
    assert_eq!(claims(&server, &token).exp, Some(UnixTime::from_seconds(server.now.seconds() + 3600)));
}

#[test]
fn a_page_that_is_let_in_may_read_when_to_come_back() {
    let mut server = with(&[("MCP_JWE_GENERATOR_RATE", "1")]);
    ask(&mut server, None, "{}");
    let request = http::Request::post("/jwe-token-generator").header("origin", "http://localhost:1");
    let answer = server.http(request.body("{}").unwrap());
    assert_eq!(answer.status(), 429);
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("retry-after"), "{exposed}");
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
