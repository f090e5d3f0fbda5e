//! Who signed in: ID tokens that prove nothing, userinfo, and rules.

use serde_json::json;

use super::*;
use crate::jose::test_provider::{key_id, public, sign_as};

fn userinfo(body: Value) -> Fetched {
    document(200, &body.to_string())
}

#[test]
fn attack_id_tokens_that_prove_nothing() {
    // OpenID Connect Core 1.0 section 3.1.3.7, item by item.
    for changes in [
        json!({"iss": "https://evil.example.com"}),
        json!({"iss": null}),
        json!({"iss": "https://idp.example.com//"}),
        json!({"aud": "another client"}),
        json!({"aud": "housekey/"}),
        json!({"aud": null}),
        json!({"aud": ["housekey", "another client"]}),
        json!({"azp": "another client"}),
        json!({"exp": NOW - 60}),
        json!({"exp": null}),
        json!({"nbf": NOW + 61}),
        json!({"iat": NOW + 61}),
        json!({"nonce": "of another login"}),
        json!({"nonce": null}),
        json!({"at_hash": "of another token"}),
        json!({"at_hash": 7}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"events": {}}),
    ] {
        let mut world = World::new(&[]);
        let said = world.login([tokens(changes.clone(), json!({}))]);
        assert_eq!(said.status, 502, "{changes}");
        said.refused(502, "server_error");
    }
}

#[test]
fn id_tokens_at_the_edge_of_what_is_taken() {
    for changes in [
        json!({"iss": "https://idp.example.com/"}),
        json!({"aud": ["housekey"]}),
        json!({"aud": ["housekey", "another client"], "azp": "housekey"}),
        json!({"exp": NOW - 59}),
        json!({"nbf": NOW + 60, "iat": NOW + 60}),
        // The left half of SHA-256 over `upstream-access`, computed apart.
        json!({"at_hash": at_hash("upstream-access")}),
    ] {
        let mut world = World::new(&[]);
        let said = world.login([tokens(changes.clone(), json!({}))]);
        assert_eq!(said.status, 200, "{changes} {:?}", said.reason);
    }
}

fn at_hash(token: &str) -> String {
    use sha2::Digest as _;
    crate::jose::base64url::encode(&sha2::Sha256::digest(token)[..16])
}

#[test]
fn attack_signatures_of_nobody() {
    let body = claims(json!({})).to_string();
    let encoded = |text: &str| crate::jose::base64url::encode(text.as_bytes());
    let public_key = public(Algorithm::Es256).to_string();
    let hs256 = {
        use crate::jose::jws::{SigningKey, sign};
        sign(&SigningKey::derive(&public_key), body.as_bytes()).unwrap().to_string()
    };
    let mut changed = id_token(json!({}));
    let end = changed.len() - 3;
    changed.replace_range(end..end + 1, if changed.as_bytes()[end] == b'A' { "B" } else { "A" });
    for token in [
        format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded(&body)),
        hs256,
        changed,
        sign_as(Algorithm::Es256, r#"{"alg":"RS256","kid":"rsa"}"#, &body),
        sign_as(
            Algorithm::Es256,
            &format!(r#"{{"alg":"ES256","kid":"p256","jwk":{public_key},"crit":["x"]}}"#),
            &body,
        ),
        sign_as(Algorithm::Es256, r#"{"alg":"ES256","kid":"p256","typ":"at+jwt"}"#, &body),
        sign_as(Algorithm::Es256, r#"{"alg":"ES256","kid":"p256","typ":"logout+jwt"}"#, &body),
        "opaque".to_owned(),
    ] {
        World::new(&[]).login([answer_with(&token, json!({}))]).refused(502, "server_error");
    }
}

#[test]
fn keys_that_were_rotated_are_fetched_once_and_not_at_the_pace_of_tokens() {
    let mut world = World::new(&[]);
    assert_eq!(world.login([tokens(json!({}), json!({}))]).status, 200);
    let jwks_asked = |world: &World| world.asked.iter().filter(|ask| ask.url.ends_with("/jwks")).count();
    assert_eq!(jwks_asked(&world), 1);
    let header = r#"{"alg":"ES256","kid":"new"}"#;
    let rotated =
        || answer_with(&sign_as(Algorithm::Es256, header, &claims(json!({})).to_string()), json!({}));
    // The floor: what was fetched a moment ago is not fetched again.
    world.login([rotated()]).refused(502, "server_error");
    assert_eq!(jwks_asked(&world), 1);
    world.now = NOW + 31;
    let mut key = public(Algorithm::Es256);
    key["kid"] = json!("new");
    world.jwks = json!({ "keys": [key] }).to_string();
    let said = world.login([rotated()]);
    assert_eq!((said.status, jwks_asked(&world)), (200, 2), "{:?}", said.reason);
    let old = answer_with(&id_token(json!({})), json!({}));
    world.login([old]).refused(502, "server_error");
    assert_eq!(jwks_asked(&world), 2, "{}", key_id(Algorithm::Es256));
    // The provider's code was redeemed once in each login, though keys were fetched meanwhile.
    assert_eq!(world.posted().len(), 4);
}

#[test]
fn without_an_id_token_userinfo_says_who_it_is() {
    let mut world = World::new(&[]);
    let answers = [
        tokens(json!({}), json!({"id_token": null})),
        userinfo(json!({"sub": "1", "email": "ann@example.com", "iss": ISSUER, "irrelevant": [1]})),
    ];
    let said = world.login(answers);
    let access = world.access(&said);
    assert_eq!(Value::Object(access.claims), json!({"sub": "1", "email": "ann@example.com"}));
    let ask = world.asked.last().unwrap();
    assert_eq!(ask.authorization.as_ref().unwrap().expose(), "Bearer upstream-access");
    for answer in [
        userinfo(json!({"email": "ann@example.com"})),
        userinfo(json!([])),
        document(401, r#"{"error":"SECRET"}"#),
        document(200, "<html>SECRET</html>"),
        // A signed answer, which nobody asked for.
        document(200, &id_token(json!({}))),
        Err(FetchFailure::TimedOut),
    ] {
        let tokens = tokens(json!({}), json!({"id_token": null}));
        World::new(&[]).login([tokens, answer]).refused(502, "server_error");
    }
}

#[test]
fn userinfo_adds_what_the_id_token_lacks_and_only_then() {
    let rules = [("MCP_OAUTH_ALLOWED_EMAIL_DOMAINS", "example.com")];
    let bare = || tokens(json!({"email": null, "email_verified": null}), json!({}));
    let email = json!({"sub": "1", "email": "ann@example.com", "email_verified": true});
    let mut world = World::new(&rules);
    let said = world.login([bare(), userinfo(email.clone())]);
    assert_eq!(world.access(&said).claims["email"], "ann@example.com");
    // Enough is there, so nobody is asked (the script would panic).
    assert_eq!(World::new(&rules).login([tokens(json!({}), json!({}))]).status, 200);
    assert_eq!(World::new(&[]).login([bare()]).status, 200);
    // Attack: the access token of another login was put in place.
    let mut other = email;
    other["sub"] = json!("2");
    World::new(&rules).login([bare(), userinfo(other)]).refused(502, "server_error");
    // Providers refuse userinfo for tokens of another resource. The rule then refuses, and the operator reads why.
    let said = World::new(&rules).login([bare(), document(403, "SECRET")]);
    said.refused(403, "access_denied");
    assert!(said.reason.unwrap().contains("userinfo has status 403"));
    // Attack: the verified address of a profile vouches for another.
    let ceo = tokens(json!({"email": "ceo@example.com", "email_verified": null}), json!({}));
    let mine = userinfo(json!({"sub": "1", "email": "me@evil.test", "email_verified": true}));
    World::new(&rules).login([ceo, mine]).refused(403, "access_denied");
}

#[test]
fn people_whom_the_rules_do_not_let_in_learn_it_at_once() {
    const DOMAIN: (&str, &str) = ("MCP_OAUTH_ALLOWED_EMAIL_DOMAINS", "example.com");
    const GROUPS: (&str, &str) = ("MCP_OAUTH_ALLOWED_GROUPS", "dba,ops");
    const VERIFIED: (&str, &str) = ("MCP_OAUTH_REQUIRE_EMAIL_VERIFIED", "true");
    for (rule, changes, is_in) in [
        (DOMAIN, json!({}), true),
        (DOMAIN, json!({"email_verified": "true"}), true),
        (DOMAIN, json!({"email_verified": false}), false),
        (DOMAIN, json!({"email": "ann@evil.test"}), false),
        (DOMAIN, json!({"email": "ann@evil.test@example.com"}), false),
        (DOMAIN, json!({"email": "ann@sub.example.com"}), false),
        (VERIFIED, json!({"email_verified": "false"}), false),
        (VERIFIED, json!({"email_verified": 1}), false),
        (GROUPS, json!({"groups": ["users", "ops"]}), true),
        (GROUPS, json!({"groups": ["users"]}), false),
        (GROUPS, json!({"groups": []}), false),
        (("MCP_OAUTH_ALLOWED_HOSTED_DOMAINS", "example.com"), json!({"hd": "other.com"}), false),
    ] {
        let mut world = World::new(&[rule]);
        let said = world.login([tokens(changes.clone(), json!({}))]);
        if is_in {
            assert_eq!(said.status, 200, "{rule:?} {changes} {:?}", said.reason);
        } else {
            said.refused(403, "access_denied");
        }
    }
}

#[test]
fn tokens_hold_what_is_read_and_fit_into_a_header() {
    let groups: Vec<String> = (0..300).map(|number| format!("group-{number}-0123456789abcdef")).collect();
    let wanted = ("MCP_OAUTH_ALLOWED_GROUPS", "group-7-0123456789abcdef");
    let mut world = World::new(&[wanted]);
    let said = world.login([tokens(json!({"groups": groups, "picture": "x".repeat(2000)}), json!({}))]);
    assert_eq!(world.access(&said).claims["groups"], json!([wanted.1]));
    assert!(said.text("access_token").len() < 1500);
    let long = tokens(json!({"name": "x".repeat(8000)}), json!({}));
    World::new(&[]).login([long]).refused(502, "server_error");
}

#[test]
fn a_name_that_nobody_may_have_is_refused_with_the_login() {
    let acts = [
        ("CLICKHOUSE_IMPERSONATION", "execute_as"),
        ("CLICKHOUSE_USERNAME", "gateway"),
        ("CLICKHOUSE_PASSWORD", "x"),
    ];
    let mut world = World::new(&acts);
    assert_eq!(world.login([tokens(json!({}), json!({}))]).status, 200);
    let mut named = acts.to_vec();
    named.push(("MCP_OAUTH_USERNAME_CLAIM", "preferred_username"));
    World::new(&named)
        .login([tokens(json!({"preferred_username": "default"}), json!({}))])
        .refused(403, "access_denied");
}
