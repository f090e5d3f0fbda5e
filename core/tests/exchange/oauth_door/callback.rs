//! The way back from the identity provider, and who would come back in its name.

use super::*;

/// RFC 9700 sections 4.5 and 4.7: what was begun in one browser ends in no other.
#[test]
fn a_login_comes_back_to_its_own_browser() {
    let mut server = server(&[]);
    let id = client(&mut server, &[WEB]);
    let (cookie, state) = at_provider(&mut server, &id, WEB);
    let victim = consent_page(&mut server, &id, WEB).cookie;
    for foreign in [victim.as_str(), "", "__Host-housekey-browser=x"] {
        let answer = come_back(&mut server, foreign, &[("code", "attackers"), ("state", &state)]);
        assert!(answer.status() == 403 && answer.headers().get("location").is_none());
        assert!(text(&answer).contains("another browser"));
    }
    for entries in [
        &[("code", "x")][..],
        &[("code", "x"), ("state", "made-up")],
        &[("code", "x"), ("state", &state), ("state", "second")],
    ] {
        assert_eq!(come_back(&mut server, &cookie, entries).status(), 400);
    }
    // A consent page's request is no state, nor is a client id.
    for other in [consent_page(&mut server, &id, WEB).request, id.clone()] {
        assert_eq!(come_back(&mut server, &cookie, &[("code", "x"), ("state", &other)]).status(), 400);
    }
    server.now = server.now.after(Duration::from_secs(601));
    let late = come_back(&mut server, &cookie, &[("code", "x"), ("state", &state)]);
    assert!(late.status() == 400 && late.headers().get("location").is_none());
}

/// RFC 9207 section 2.4, and errors of the provider.
#[test]
fn what_the_provider_says_is_its_own_and_is_passed_on() {
    let mut server = server(&[("MCP_OAUTH_UPSTREAM_ISSUER_ALLOWLIST", "https://other.example.com")]);
    let id = client(&mut server, &[WEB]);
    let (cookie, state) = at_provider(&mut server, &id, WEB);
    let long = "x".repeat(4097);
    for (entries, error) in [
        (&[("code", "x"), ("iss", "https://evil.example.com")][..], Some("server_error")),
        (&[("code", "x"), ("iss", "https://idp.example.com/")], None),
        (&[("code", "x"), ("iss", "https://idp.example.com/x")], Some("server_error")),
        (&[("code", "x"), ("iss", "https://IDP.example.com")], Some("server_error")),
        (&[("error", "access_denied"), ("iss", "https://evil.example.com")], Some("server_error")),
        (&[("code", "x"), ("iss", "https://idp.example.com")], None),
        (&[("code", "x"), ("iss", "https://other.example.com")], None),
        (&[("error", "access_denied"), ("error_description", "<script>")], Some("access_denied")),
        (&[("error", "login_required")], Some("access_denied")),
        (&[("error", "temporarily_unavailable")], Some("temporarily_unavailable")),
        (&[("error", "invalid_scope"), ("code", "x")], Some("server_error")),
        (&[], Some("server_error")),
        (&[("code", &long)], Some("server_error")),
    ] {
        let entries = [entries, &[("state", state.as_str())]].concat();
        let answer = come_back(&mut server, &cookie, &entries);
        assert_eq!(answer.status(), 302, "{entries:?}");
        let url = location(&answer);
        assert_eq!(parameter(&url, "error").as_deref(), error, "{entries:?}");
        assert_eq!(parameter(&url, "code").is_some(), error.is_none(), "{entries:?}");
        assert!(!url.contains("%3Cscript"), "{url}");
    }
}

#[test]
fn a_provider_that_promises_its_name_has_to_give_it() {
    let mut server = server(&[("MCP_OAUTH_AUTH_URL", ""), ("MCP_OAUTH_TOKEN_URL", "")]);
    let id = client(&mut server, &[WEB]);
    server.script.push_back(document(json!({
        "issuer": "https://idp.example.com",
        "authorization_endpoint": "https://idp.example.com/authorize?tenant=a",
        "authorization_response_iss_parameter_supported": true,
    })));
    let (cookie, state) = at_provider(&mut server, &id, WEB);
    let without = come_back(&mut server, &cookie, &[("code", "x"), ("state", &state)]);
    assert_eq!(parameter(&location(&without), "error").as_deref(), Some("server_error"));
    let with = [("code", "x"), ("state", &state), ("iss", "https://idp.example.com")];
    assert!(parameter(&location(&come_back(&mut server, &cookie, &with)), "code").is_some());
}
