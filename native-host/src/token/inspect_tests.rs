//! Tests of [`super`].

use housekey_core::jose::jwe::{self, ContentType, WrappingKey};
use housekey_core::jose::jws::{self, SigningKey};
use housekey_core::jose::token::{TokenKeys, seal};

use super::super::judge::tests::judge;
use super::super::{Task, command, task};
use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_795_132_800);

const SIGNED: [(&str, &str); 1] =
    [("HOUSEKEY_CONFIG", "server: { jwe: { jwe_secret_key: [new, old], jwt_secret_key: [one, two] } }")];
const PLAIN: [(&str, &str); 1] = [("HOUSEKEY_CONFIG", "server: { jwe: { jwe_secret_key: [new, old] } }")];

/// A token of these claims, sealed by `old` and, if there is one, signed by the given secret.
fn token(claims: &str, signed_by: Option<&str>) -> String {
    let key = WrappingKey::derive("old");
    let mut rng = rand::rng();
    match signed_by {
        None => jwe::seal(&key, ContentType::Json, claims.as_bytes(), &mut rng).unwrap(),
        Some(secret) => {
            let signed = jws::sign(&SigningKey::derive(secret), claims.as_bytes()).unwrap();
            jwe::seal(&key, ContentType::Jwt, signed.as_bytes(), &mut rng).unwrap()
        }
    }
}

fn inspected(environment: &[(&str, &str)], text: &str) -> anyhow::Result<Report> {
    report(&judge(environment)?, &Secret::from(text), NOW)
}

#[test]
fn a_good_token_is_shown_without_its_secrets() {
    let claims =
        r#"{"username":"u","password":"hunter2","host":"h.example","exp":1795132860,"iat":1795132800}"#;
    let Report { json, not_accepted } = inspected(&SIGNED, &token(claims, Some("two"))).unwrap();
    let wanted = json!({
        "accepted": true,
        "claims": {
            "exp": 1_795_132_860, "host": "h.example", "iat": 1_795_132_800, "password": "***",
            "username": "u",
        },
        "compressed": false,
        "dates": { "exp": "2026-11-20T00:01:00Z", "iat": "2026-11-20T00:00:00Z" },
        "encryption_secret": 2,
        "form": "compact",
        "runs_as": {
            "database": "default",
            "endpoint": "http://h.example:8123",
            "impersonated": null,
            "limit": null,
            "max_execution_time": null,
            "read_only": false,
            "user": "u",
        },
        "signed": true,
        "signing_secret": 2,
    });
    assert_eq!((json, not_accepted), (wanted, None));
}

#[test]
fn a_person_is_shown_behind_the_gateway() {
    let gateway = [("CLICKHOUSE_IMPERSONATION", "execute_as"), ("CLICKHOUSE_USERNAME", "gateway")];
    let environment: Vec<_> = PLAIN.into_iter().chain(gateway).collect();
    let token = token(r#"{"email":"alice@example.com","exp":1795132860}"#, None);
    let Report { json, not_accepted } = inspected(&environment, &format!("Bearer {token}")).unwrap();
    assert_eq!(not_accepted, None);
    assert_eq!(json["runs_as"]["impersonated"], "alice@example.com");
    assert_eq!(json["runs_as"]["user"], "gateway");
    assert_eq!((&json["signed"], &json["signing_secret"]), (&json!(false), &Value::Null));
}

#[test]
fn a_token_that_opens_but_is_refused_is_shown_with_the_reason() {
    let list = [("MCP_JWE_ALLOWED_HOSTS", "db.example.com")];
    let life = [("MCP_JWE_MAX_LIFETIME", "10")];
    for (environment, claims, wanted) in [
        (&[][..], r#"{"password":"hunter2","exp":1795132799}"#, "expired"),
        (&[], r#"{"password":"hunter2","exp":1795132860,"nbf":1795132801}"#, "not valid before"),
        (&[], r#"{"password":"hunter2","exp":1795132860,"iat":1795132801}"#, "which has not come"),
        (&[], r#"{"password":"hunter2"}"#, "never expires"),
        (&life, r#"{"password":"hunter2","exp":1795132811}"#, "the 10 seconds"),
        (&[], r#"{"password":"hunter2","exp":1795132860,"host":"h"}"#, "without a username"),
        (
            &list,
            r#"{"password":"hunter2","exp":1795132860,"host":"h","username":"u"}"#,
            "`server.jwe.allowed_hosts` does not list",
        ),
    ] {
        let environment: Vec<_> = PLAIN.iter().chain(environment).copied().collect();
        let Report { json, not_accepted } = inspected(&environment, &token(claims, None)).unwrap();
        let refused = not_accepted.unwrap();
        assert!(refused.contains(wanted), "{claims}: {refused}");
        assert_eq!(json["accepted"], false);
        assert!(refused.ends_with(json["reason"].as_str().unwrap()), "{refused}");
        assert_eq!((&json["runs_as"], &json["claims"]["password"]), (&Value::Null, &json!("***")));
        assert!(!json.to_string().contains("hunter2") && !refused.contains("hunter2"));
    }
}

#[test]
fn where_no_server_starts_nothing_is_said_of_what_one_would_do() {
    let environment: Vec<_> = PLAIN.into_iter().chain([("CLICKHOUSE_PORT", "eight")]).collect();
    for claims in [r#"{"exp":1795132860}"#, r#"{"exp":1795132799}"#] {
        let Report { json, not_accepted } = inspected(&environment, &token(claims, None)).unwrap();
        let reason = not_accepted.unwrap();
        assert!(reason.contains("CLICKHOUSE_PORT"), "{reason}");
        let json = json.as_object().unwrap();
        assert_eq!((&json["accepted"], &json["reason"]), (&Value::Null, &json!(reason)));
        assert!(!json.contains_key("runs_as") && json.contains_key("claims"), "{json:?}");
    }
}

#[test]
fn a_token_that_does_not_open_is_refused_in_one_line_that_says_why() {
    let good = token(r#"{"exp":1795132860,"password":"hunter2"}"#, Some("one"));
    let plain = token(r#"{"exp":1795132860,"password":"hunter2"}"#, None);
    let unknown = token(r#"{"exp":1795132860,"secure":"hunter2"}"#, Some("one"));
    let forged = token(r#"{"exp":1795132860,"password":"hunter2"}"#, Some("three"));
    let (start, last) = good.split_at(good.len() - 1);
    let segments: Vec<&str> = good.split('.').collect();
    let wrong = [("MCP_JWE_SECRET_KEY", "wrong"), ("MCP_JWT_SECRET_KEY", "one")];
    let jwt = jws::sign(&SigningKey::derive("one"), b"{}").unwrap();
    for (environment, text, wanted) in [
        (&SIGNED[..], "  ".to_owned(), "the token is empty"),
        (&SIGNED, "garbage".to_owned(), "five parts, this text has 1 (was it copied whole?)"),
        (&SIGNED, jwt.to_string(), "five parts, this text has 3 (three make a signed JWT"),
        (&SIGNED, segments[..4].join("."), "five parts, this text has 4"),
        (&SIGNED, start.to_owned(), "authentication tag"),
        (&SIGNED, format!("{start}="), "the authentication tag is not base64url"),
        (
            &SIGNED,
            format!("{start}{}", if last == "A" { "Q" } else { "A" }),
            "no key opens the token (is MCP_JWE",
        ),
        (&wrong, good.clone(), "no key opens the token (is MCP_JWE"),
        (&SIGNED, "{}".to_owned(), "lacks the member"),
        (&SIGNED, format!("e30.{}", segments[1..].join(".")), "the header is not"),
        (&SIGNED, forged, "no signing key verifies the token (is MCP_JWT"),
        (&SIGNED, plain, "encrypted but not signed"),
        (&PLAIN, good.clone(), "no signing secret to verify it (give MCP_JWT"),
        (&SIGNED, unknown, "the claim \"secure\" is not known"),
        (&SIGNED, "http://localhost:8080/mcp".to_owned(), "no token in the path"),
    ] {
        let error = inspected(environment, &text).unwrap_err().to_string();
        assert!(error.contains(wanted) && !error.contains('\n'), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{text}: {error}");
    }
}

#[test]
fn every_kind_of_paste_opens() {
    let secrets = [Secret::from("new")];
    let keys = TokenKeys::new(&secrets, &[]).unwrap();
    let claims = Claims { exp: Some(NOW), ..Claims::default() };
    let token = seal(&keys, &claims, &mut rand::rng()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let json = json!({
        "protected": parts[0],
        "encrypted_key": parts[1],
        "iv": parts[2],
        "ciphertext": parts[3],
        "tag": parts[4],
    });
    for (text, form) in [
        (format!("Authorization: Bearer {token}"), "compact"),
        (format!("http://localhost:8080/{token}/sse"), "compact"),
        (token.replace('.', ".\n  "), "compact"),
        (json.to_string(), "json"),
        (format!("{}\n", json!({ "token": token })), "compact"),
    ] {
        let report = inspected(&PLAIN, &text).unwrap();
        assert_eq!((&report.json["form"], report.not_accepted), (&json!(form), None), "{text}");
    }
}

#[test]
fn the_token_is_an_argument_or_comes_from_standard_input() {
    let text_of = |line: &str| {
        let matches = command().try_get_matches_from(line.split_whitespace()).unwrap();
        let Task::Inspect(question) = task(&matches) else { panic!("{line} is no question") };
        assert!(!format!("{question:?}").contains("aa.bb"), "{question:?}");
        (question.text.map(|text| text.expose().clone()), question.flags)
    };
    let flags = vec![("jwe-secret-key".to_owned(), vec!["a".to_owned(), "b".to_owned()])];
    assert_eq!(text_of("token inspect"), (None, Vec::new()));
    assert_eq!(text_of("token inspect -"), (None, Vec::new()));
    assert_eq!(text_of("token inspect aa.bb"), (Some("aa.bb".to_owned()), Vec::new()));
    let line = "token inspect --jwe-secret-key a Authorization: Bearer aa.bb --jwe-secret-key b";
    assert_eq!(text_of(line), (Some("Authorization: Bearer aa.bb".to_owned()), flags));
}
