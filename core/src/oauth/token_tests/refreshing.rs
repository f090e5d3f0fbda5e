//! Refresh tokens, and who may not use them.

use serde_json::json;

use super::*;

const OFFLINE: (&str, &str) = ("MCP_OAUTH_UPSTREAM_OFFLINE_ACCESS", "true");

impl World {
    fn refresh(&mut self, client: &str, token: &str, more: &[(&str, &str)]) -> Said {
        let mut form = vec![("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        form.extend(more);
        self.post(&form)
    }

    /// A login, and the client and refresh token of it.
    fn logged_in(&mut self, changes: Value, more: Value) -> (String, String) {
        let client = self.client("one");
        let code = self.code(&client, |_| {});
        self.script.push_back(tokens(changes, more));
        let said = self.redeem(&client, &code);
        (client, said.text("refresh_token").to_owned())
    }

    /// The same world under another configuration.
    fn under(mut self, more: &[(&str, &str)]) -> Self {
        self.server = World::new(more).server;
        self
    }
}

#[test]
fn a_refresh_gives_a_new_pair_of_the_same_family() {
    let mut world = World::new(&[]);
    let (client, first) = world.logged_in(json!({}), json!({}));
    world.now = NOW + 1000;
    let said = world.refresh(&client, &first, &[("resource", "https://mcp.example.com/mcp/")]);
    assert_eq!((said.status, said.text("scope")), (200, "openid email"));
    let second = said.text("refresh_token").to_owned();
    assert_ne!(first, second);
    assert_eq!(world.refresh_token(&second).exp, NOW + 2_592_000, "the family's end stays");
    assert_eq!(world.access(&said).claims["email"], "ann@example.com");
    // Near its end the access token ends with it, and then nothing is left.
    world.now = NOW + 2_592_000 - 10;
    let said = world.refresh(&client, &second, &[]);
    assert_eq!((said.body["expires_in"].as_u64(), world.access(&said).exp), (Some(10), NOW + 2_592_000));
    world.now = NOW + 2_592_001;
    for token in [&first, &second] {
        world.refresh(&client, token, &[]).refused(400, "invalid_grant");
    }
}

#[test]
fn attack_a_refresh_token_without_its_client_or_for_more() {
    let mut world = World::new(&[]);
    let (client, token) = world.logged_in(json!({}), json!({}));
    let other = world.client("two");
    world.refresh(&other, &token, &[]).refused(400, "invalid_grant");
    world.refresh("unknown", &token, &[]).refused(401, "invalid_client");
    world
        .refresh(&client, &token, &[("resource", "https://other.example.com")])
        .refused(400, "invalid_target");
    for scope in ["openid email admin", "admin", "openid,email"] {
        world.refresh(&client, &token, &[("scope", scope)]).refused(400, "invalid_scope");
    }
    let mut changed = token.clone();
    changed.replace_range(
        token.len() - 4..token.len() - 3,
        if token.as_bytes()[token.len() - 4] == b'A' { "B" } else { "A" },
    );
    world.refresh(&client, &changed, &[]).refused(400, "invalid_grant");
    // RFC 6749 section 6: less may be asked for, and what was granted stays.
    let said = world.refresh(&client, &token, &[("scope", "email")]);
    assert_eq!(world.access(&said).scope, "email");
    assert_eq!(world.refresh_token(said.text("refresh_token")).scope, "openid email");
}

#[test]
fn rules_that_became_stricter_count_at_the_next_refresh() {
    let mut world = World::new(&[]);
    let (client, token) = world.logged_in(json!({}), json!({}));
    let mut world = world.under(&[("MCP_OAUTH_ALLOWED_EMAIL_DOMAINS", "other.com")]);
    world.refresh(&client, &token, &[]).refused(403, "access_denied");
}

#[test]
fn the_provider_is_asked_whether_somebody_still_is_one() {
    let mut world = World::new(&[OFFLINE]);
    let (client, token) = world.logged_in(json!({}), json!({"refresh_token": "upstream one"}));
    // No other ID token, no other refresh token: what was known stands (OpenID Connect Core 1.0 section 12.2).
    world.script.push_back(tokens(json!({}), json!({"id_token": null})));
    let said = world.refresh(&client, &token, &[]);
    assert_eq!(world.posted().last().unwrap().get("refresh_token"), Some("upstream one"));
    assert_eq!(world.access(&said).claims["email"], "ann@example.com");
    let second = said.text("refresh_token").to_owned();
    assert_eq!(world.refresh_token(&second).upstream.as_ref().map(Carried::expose), Some("upstream one"));
    // Another of each takes its place. No nonce comes with it.
    let changes = json!({"nonce": null, "email": "bob@example.com"});
    world.script.push_back(tokens(changes, json!({"refresh_token": "upstream two"})));
    let said = world.refresh(&client, &second, &[]);
    assert_eq!(world.access(&said).claims["email"], "bob@example.com");
    let third = said.text("refresh_token").to_owned();
    assert_eq!(world.refresh_token(&third).upstream.as_ref().map(Carried::expose), Some("upstream two"));
    // Attack: an answer about somebody else.
    for changes in [json!({"sub": "2"}), json!({"iss": "https://idp.example.com/"})] {
        world.script.push_back(tokens(changes, json!({})));
        world.refresh(&client, &third, &[]).refused(400, "invalid_grant");
    }
    world.script.push_back(tokens(json!({"aud": "another client"}), json!({})));
    world.refresh(&client, &third, &[]).refused(502, "server_error");
    // Whoever was dismissed is out; while the provider is away, nobody is.
    world.script.push_back(document(400, r#"{"error":"invalid_grant"}"#));
    world.refresh(&client, &third, &[]).refused(400, "invalid_grant");
    world.script.push_back(document(503, ""));
    world.refresh(&client, &third, &[]).refused(503, "temporarily_unavailable");
}

#[test]
fn an_operator_who_does_not_ask_for_refresh_tokens_keeps_none() {
    let mut world = World::new(&[]);
    let (client, token) = world.logged_in(json!({}), json!({"refresh_token": "upstream one"}));
    assert_eq!(world.refresh_token(&token).upstream, None);
    assert_eq!(world.refresh(&client, &token, &[]).status, 200);
    assert_eq!(world.posted().len(), 1);
}
