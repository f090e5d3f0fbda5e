//! Codes, and who may not redeem them.

use base64ct::{Base64, Encoding as _};
use serde_json::json;

use super::*;

#[test]
fn a_login_gives_tokens_of_this_server() {
    let mut world = World::new(&[]);
    let said = world.login([tokens(json!({}), json!({}))]);
    assert_eq!(said.status, 200, "{} {:?}", said.body, said.reason);
    assert_eq!((said.text("token_type"), said.text("scope")), ("Bearer", "openid email"));
    assert_eq!(said.body["expires_in"], 3600);
    let access = world.access(&said);
    assert_eq!((access.aud.as_str(), access.iss.as_str()), (RESOURCE, "https://mcp.example.com"));
    assert_eq!((access.iat, access.exp), (NOW, NOW + 3600));
    assert_eq!(keys_of(&access.claims), ["email", "email_verified", "iss", "sub"]);
    let refresh = world.refresh_token(said.text("refresh_token"));
    assert_eq!((refresh.exp, refresh.upstream), (NOW + 2_592_000, None));
    let posted = world.posted();
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", "upstream code"),
        ("redirect_uri", "https://mcp.example.com/oauth/callback"),
        ("code_verifier", "our verifier"),
        ("client_id", "housekey"),
        ("client_secret", "upstream secret"),
    ] {
        assert_eq!(posted[0].get(name), Some(value));
    }
    assert_eq!(world.asked.iter().filter(|ask| ask.authorization.is_some()).count(), 0);
}

#[test]
fn a_provider_that_takes_basic_only_gets_it() {
    let mut world = World::new(&[]);
    world.discovery["token_endpoint_auth_methods_supported"] = json!(["client_secret_basic"]);
    assert_eq!(world.login([tokens(json!({}), json!({}))]).status, 200);
    let ask = world.asked.iter().find(|ask| ask.form.is_some()).unwrap();
    let header = ask.authorization.as_ref().unwrap().expose().strip_prefix("Basic ").unwrap().to_owned();
    assert_eq!(Base64::decode_vec(&header).unwrap(), b"housekey:upstream%20secret");
    assert_eq!((world.posted()[0].get("client_id"), world.posted()[0].get("client_secret")), (None, None));
}

#[test]
fn attack_a_code_is_used_again() {
    let mut world = World::new(&[]);
    let client = world.client("one");
    let code = world.code(&client, |_| {});
    world.script.push_back(tokens(json!({}), json!({})));
    assert_eq!(world.redeem(&client, &code).status, 200);
    world.script.push_back(document(400, r#"{"error":"invalid_grant","error_description":"SECRET"}"#));
    world.redeem(&client, &code).refused(400, "invalid_grant");
}

#[test]
fn attack_a_code_without_what_it_is_bound_to() {
    let other = "a".repeat(43);
    for (name, value, error) in [
        ("code_verifier", "", "invalid_request"),
        ("code_verifier", "short", "invalid_request"),
        ("code_verifier", CHALLENGE, "invalid_grant"),
        ("code_verifier", other.as_str(), "invalid_grant"),
        ("redirect_uri", "http://127.0.0.1:5001/callback", "invalid_grant"),
        ("redirect_uri", "http://127.0.0.1:5000/callback/", "invalid_grant"),
        ("resource", "https://other.example.com/mcp", "invalid_target"),
        ("resource", "https://mcp.example.com", "invalid_target"),
        ("code", "", "invalid_request"),
        ("code", "upstream code", "invalid_grant"),
        ("client_id", "", "invalid_client"),
        ("client_id", "unknown", "invalid_client"),
        ("grant_type", "", "invalid_request"),
        ("grant_type", "password", "unsupported_grant_type"),
        ("grant_type", "refresh_token", "invalid_request"),
    ] {
        let mut world = World::new(&[]);
        let client = world.client("one");
        let code = world.code(&client, |_| {});
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", client.as_str()),
            ("code", code.as_str()),
            ("code_verifier", VERIFIER),
        ];
        form.retain(|(known, _)| *known != name);
        form.push((name, value));
        let status = if error == "invalid_client" { 401 } else { 400 };
        world.post(&form).refused(status, error);
        assert!(world.asked.is_empty(), "{name}={value}: nobody is asked for it");
    }
}

#[test]
fn what_a_client_may_repeat_or_leave_out() {
    for more in [
        &[][..],
        &[("redirect_uri", REDIRECT)],
        &[("resource", RESOURCE)],
        &[("resource", "https://mcp.example.com/mcp/")],
        &[("scope", "anything"), ("unknown", "x")],
    ] {
        let mut world = World::new(&[]);
        let client = world.client("one");
        let code = world.code(&client, |_| {});
        world.script.push_back(tokens(json!({}), json!({})));
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", client.as_str()),
            ("code", code.as_str()),
            ("code_verifier", VERIFIER),
        ];
        form.extend(more);
        assert_eq!(world.post(&form).status, 200, "{more:?}");
    }
}

#[test]
fn attack_a_code_of_somebody_else_or_of_yesterday() {
    let mut world = World::new(&[]);
    let (one, two) = (world.client("one"), world.client("two"));
    let code = world.code(&one, |_| {});
    world.redeem(&two, &code).refused(400, "invalid_grant");
    let mut changed = code.clone();
    changed.pop();
    changed.push(if code.ends_with('A') { 'Q' } else { 'A' });
    world.redeem(&one, &changed).refused(400, "invalid_grant");
    world.now = NOW + 61;
    world.redeem(&one, &code).refused(400, "invalid_grant");
    let mut stranger = World::new(&[("MCP_OAUTH_SIGNING_SECRET", "another secret of thirty-two bytes")]);
    let client = stranger.client("one");
    stranger.redeem(&client, &code).refused(400, "invalid_grant");
    assert!(world.asked.is_empty() && stranger.asked.is_empty());
}

#[test]
fn attack_one_artefact_in_place_of_another() {
    let mut world = World::new(&[]);
    let said = world.login([tokens(json!({}), json!({}))]);
    let (access, refresh) = (said.text("access_token"), said.text("refresh_token"));
    let client = world.client("one");
    let code = world.code(&client, |_| {});
    for text in [access, refresh, client.as_str()] {
        world.redeem(&client, text).refused(400, "invalid_grant");
    }
    for text in [access, code.as_str(), client.as_str()] {
        let form = [("grant_type", "refresh_token"), ("client_id", client.as_str()), ("refresh_token", text)];
        world.post(&form).refused(400, "invalid_grant");
    }
    let keys = world.server.facade().unwrap().1.clone();
    for text in [refresh, code.as_str(), client.as_str()] {
        assert!(AccessToken::open(&keys, text, UnixTime::from_seconds(NOW)).is_err());
    }
}

#[test]
fn the_access_token_alone_opens_the_door() {
    use crate::oauth::bearer::{Proved, judge};
    let mut world = World::new(&[]);
    let said = world.login([tokens(json!({}), json!({}))]);
    let site = Site::configured(&world.server.config, &world.server.oauth);
    let mut proved = |token: &str| world.env(|env, server| judge(env, server, &site, token));
    let Ok(Proved::Person(person)) = proved(said.text("access_token")) else { panic!("it is let in") };
    assert_eq!(person.claims["email"], "ann@example.com");
    assert_eq!(person.expires, Some(UnixTime::from_seconds(NOW + 3600)));
    let id_token = id_token(json!({}));
    for text in [said.text("refresh_token"), id_token.as_str(), "upstream-access"] {
        assert!(proved(text).is_err());
    }
}

#[test]
fn clients_are_named_in_the_form_or_by_basic_without_a_secret() {
    let mut world = World::new(&[]);
    let client = world.client("one");
    let basic = |text: String| format!("Basic {}", Base64::encode_string(text.as_bytes()));
    let form_type = "application/x-www-form-urlencoded";
    for (header, named, good) in [
        (basic(format!("{client}:")), None, true),
        (basic(format!("{client}:")), Some(client.as_str()), true),
        (basic(format!("{client}:secret")), None, false),
        (basic(format!("{client}:")), Some("other"), false),
        (basic(client.clone()), None, false),
        ("Basic !".to_owned(), None, false),
        ("Bearer x".to_owned(), None, false),
    ] {
        let code = world.code(&client, |_| {});
        let mut form =
            vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("code_verifier", VERIFIER)];
        form.extend(named.map(|named| ("client_id", named)));
        world.script = if good { [tokens(json!({}), json!({}))].into() } else { VecDeque::new() };
        let said = world.post_as(form_type, Some(&header), "", &form);
        if good {
            assert_eq!(said.status, 200, "{}", said.body);
        } else {
            said.refused(401, "invalid_client");
        }
    }
}

#[test]
fn only_a_form_in_the_body_counts() {
    let mut world = World::new(&[]);
    let client = world.client("one");
    let code = world.code(&client, |_| {});
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client.as_str()),
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
    ];
    for content_type in ["application/json", "text/plain", "multipart/form-data", ""] {
        world.post_as(content_type, None, "", &form).refused(400, "invalid_request");
    }
    // RFC 6749 section 3.2, and altinity-mcp reads them.
    let query = Form::write(&form);
    world.post_as("application/x-www-form-urlencoded", None, &query, &[]).refused(400, "invalid_request");
}

#[test]
fn what_the_provider_does_wrong_is_an_error_without_its_words() {
    use crate::fetch::FetchFailure::{TimedOut, TooLarge, Unreachable};
    for (fetched, status, error) in [
        (document(401, r#"{"error":"invalid_client","error_description":"SECRET"}"#), 502, "server_error"),
        (document(400, "<html>SECRET</html>"), 502, "server_error"),
        (document(302, "SECRET"), 502, "server_error"),
        (document(200, "<html>SECRET</html>"), 502, "server_error"),
        (document(500, "SECRET"), 503, "temporarily_unavailable"),
        (Err(TimedOut), 503, "temporarily_unavailable"),
        (Err(Unreachable), 503, "temporarily_unavailable"),
        (Err(TooLarge(65_536)), 502, "server_error"),
    ] {
        World::new(&[]).login([fetched]).refused(status, error);
    }
}
