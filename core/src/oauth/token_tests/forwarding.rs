//! Mode `forward`: the identity provider's tokens.

use serde_json::json;

use super::*;

const FORWARD: [(&str, &str); 3] = [
    ("MCP_OAUTH_MODE", "forward"),
    ("MCP_OAUTH_UPSTREAM_OFFLINE_ACCESS", "true"),
    ("CLICKHOUSE_PASSWORD", ""),
];

fn refresh(world: &mut World, client: &str, token: &str) -> Said {
    world.post(&[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)])
}

#[test]
fn the_token_that_clickhouse_judges_is_handed_out() {
    let token = id_token(json!({}));
    let opaque = |more: Value| tokens(json!({}), more);
    let jwt = id_token(json!({"exp": NOW + 77}));
    for (answer, wanted, expires_in) in [
        (answer_with(&token, json!({})), token.as_str(), 300),
        (opaque(json!({"id_token": null})), "upstream-access", 600),
        (opaque(json!({"id_token": null, "expires_in": null})), "upstream-access", 3600),
        (opaque(json!({"id_token": null, "expires_in": null, "access_token": jwt})), jwt.as_str(), 77),
    ] {
        let mut world = World::new(&FORWARD);
        let said = world.login([answer]);
        assert_eq!((said.text("access_token"), said.body["expires_in"].as_u64()), (wanted, Some(expires_in)));
        assert_eq!((said.text("token_type"), said.body.get("refresh_token")), ("Bearer", None));
        assert_eq!(said.text("scope"), "openid email");
    }
}

#[test]
fn attack_an_id_token_of_another_login_is_not_handed_out() {
    for changes in [json!({"nonce": "other"}), json!({"aud": "other"}), json!({"exp": NOW - 100})] {
        World::new(&FORWARD).login([tokens(changes, json!({}))]).refused(502, "server_error");
    }
}

#[test]
fn a_refresh_goes_to_the_provider() {
    let mut world = World::new(&FORWARD);
    let said = world.login([tokens(json!({}), json!({"refresh_token": "upstream one"}))]);
    let first = said.text("refresh_token").to_owned();
    let sealed = world.refresh_token(&first);
    assert_eq!(keys_of(&sealed.claims), ["iss", "sub"]);
    let client = world.client("one");
    assert_eq!(refresh(&mut world, &client, &first).status, 400, "sealed anew, it is another client");

    let client = world.client("one");
    let code = world.code(&client, |_| {});
    world.script = [tokens(json!({}), json!({"refresh_token": "upstream one"}))].into();
    let first = world.redeem(&client, &code).text("refresh_token").to_owned();
    let next = id_token(json!({"nonce": null, "exp": NOW + 200}));
    world.script.push_back(answer_with(&next, json!({})));
    let said = refresh(&mut world, &client, &first);
    assert_eq!((said.text("access_token"), said.body["expires_in"].as_u64()), (next.as_str(), Some(200)));
    assert_eq!(
        world.refresh_token(said.text("refresh_token")).upstream.as_ref().map(Carried::expose),
        Some("upstream one")
    );
    world.script.push_back(tokens(json!({"sub": "2"}), json!({})));
    refresh(&mut world, &client, &first).refused(400, "invalid_grant");
    world.script.push_back(document(400, r#"{"error":"invalid_grant"}"#));
    refresh(&mut world, &client, &first).refused(400, "invalid_grant");
    world.server = World::new(&FORWARD[..1]).server;
    refresh(&mut world, &client, &first).refused(400, "unsupported_grant_type");
}

#[test]
fn rules_refuse_at_once_where_this_server_judges_tokens() {
    let rules = [("MCP_OAUTH_VALIDATE", "true"), ("MCP_OAUTH_ALLOWED_EMAIL_DOMAINS", "other.com")];
    let variables = [&FORWARD[..], &rules].concat();
    World::new(&variables).login([tokens(json!({}), json!({}))]).refused(403, "access_denied");
}
