//! Requests at the authorization endpoint, and those that lead nowhere.

use super::*;

/// Without a client and a redirect URI that are certain, nobody is sent anywhere (RFC 9700 section 4.11).
#[test]
fn redirect_tricks_lead_nowhere() {
    let mut server = server(&[]);
    let id = client(&mut server, &[WEB, "http://localhost/cb"]);
    for uri in [
        "https://client.example/cb/",
        "https://client.example/cb?next=https://evil.example",
        "https://client.example.evil.example/cb",
        "https://client.example@evil.example/cb",
        "https://evil.example/?https://client.example/cb",
        "https://client.example/cb#@evil.example",
        "https://client.example/x/../cb",
        "https://client.example/CB",
        "HTTPS://client.example/cb",
        "https://client.example:8443/cb",
        "https://client.example:443/cb",
        "http://client.example/cb",
        "//evil.example/cb",
        "https://evil.example\\@client.example/cb",
        "http://localhost:1@evil.example/cb",
        "http://localhost.evil.example/cb",
        "http://127.0.0.1:1/cb",
        "javascript:alert(1)",
        "https://client.example/cb\r\nlocation: https://evil.example",
    ] {
        let answer = get(&mut server, &target(&id, uri, &[]), &[]);
        assert_eq!(answer.status(), 400, "{uri}");
        assert!(answer.headers().get("location").is_none(), "{uri}");
        assert_eq!(answer.headers()["x-frame-options"], "DENY");
    }
    for broken in [
        "/oauth/authorize".to_owned(),
        target("", WEB, &[]),
        target(&id, "", &[]),
        target("garbage", WEB, &[]),
        format!("{}&redirect_uri=https%3A%2F%2Fevil.example", target(&id, WEB, &[])),
        format!("{}&client_id=x", target(&id, WEB, &[])),
        format!("{}&state=2", target(&id, WEB, &[])),
    ] {
        let answer = get(&mut server, &broken, &[]);
        assert!(answer.status() == 400 && answer.headers().get("location").is_none(), "{broken}");
    }
    assert_eq!(get(&mut server, &target(&id, "http://localhost:61234/cb", &[]), &[]).status(), 200);
}

/// PKCE cannot be talked out of (RFC 7636 section 7.2), nor the resource into another.
#[test]
fn what_is_wrong_with_a_request_is_told_to_its_client() {
    let mut server = server(&[]);
    let id = client(&mut server, &[WEB, LOCAL]);
    for (changes, error) in [
        (vec![("response_type", "")], "invalid_request"),
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_type", "code id_token")], "unsupported_response_type"),
        (vec![("code_challenge", "")], "invalid_request"),
        (vec![("code_challenge_method", "")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("code_challenge", "short")], "invalid_request"),
        (vec![("response_mode", "fragment")], "invalid_request"),
        (vec![("request", "e30.e30.")], "request_not_supported"),
        (vec![("request_uri", "https://evil.example/")], "request_uri_not_supported"),
        (vec![("resource", "https://other.example/")], "invalid_target"),
        (vec![("resource", "https://mcp.example.com.evil.example")], "invalid_target"),
        (vec![("prompt", "none")], "interaction_required"),
        (vec![("prompt", "none login")], "invalid_request"),
    ] {
        let answer = get(&mut server, &target(&id, LOCAL, &changes), &[]);
        assert_eq!(answer.status(), 302, "{changes:?}");
        let linked = way_back(&get(&mut server, &target(&id, WEB, &changes), &[]));
        for (url, uri) in [(location(&answer), LOCAL), (linked, WEB)] {
            assert!(url.starts_with(&format!("{uri}?")), "{url}");
            assert_eq!(parameter(&url, "error").as_deref(), Some(error), "{changes:?}");
            assert_eq!(parameter(&url, "state").as_deref(), Some("xyz"));
            assert_eq!(parameter(&url, "iss").as_deref(), Some(ISSUER));
        }
    }
    for state in ["a\r\nb", "\u{e9}", &"x".repeat(4097)] {
        let url = location(&get(&mut server, &target(&id, LOCAL, &[("state", state)]), &[]));
        let linked = way_back(&get(&mut server, &target(&id, WEB, &[("state", state)]), &[]));
        for url in [url, linked] {
            assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"));
            assert_eq!(parameter(&url, "state"), None);
        }
    }
    for changes in [("resource", "https://MCP.example.com/"), ("scope", "banana"), ("state", "")] {
        assert_eq!(get(&mut server, &target(&id, WEB, &[changes]), &[]).status(), 200, "{changes:?}");
    }
}

/// RFC 9700 section 4.11.2: whoever registers, or publishes a document, has no page of theirs shown by a link to us.
#[test]
fn nobody_is_sent_to_a_strangers_server_before_they_act() {
    const AWAY: &str = "https://other.example/cb";
    let asked = [("prompt", "none")];
    for (hosts, uri, sends) in [
        ("client.example", WEB, true),
        ("*.example", WEB, true),
        ("*", WEB, false),
        ("", WEB, false),
        ("client.example", AWAY, false),
        ("", LOCAL, true),
    ] {
        let mut server = server(&[("MCP_OAUTH_CLIENT_DOCUMENT_HOSTS", hosts)]);
        server
            .script
            .push_back(document(json!({ "client_id": DOCUMENT, "redirect_uris": [WEB, AWAY, LOCAL] })));
        let answer = get(&mut server, &target(DOCUMENT, uri, &asked), &[]);
        assert_eq!(answer.headers().contains_key("location"), sends, "{hosts} {uri}: {answer:?}");
    }
    let mut server = server(&[]);
    let id = client(&mut server, &[WEB, "cursor://a/b"]);
    assert!(!get(&mut server, &target(&id, WEB, &asked), &[]).headers().contains_key("location"));
    assert!(get(&mut server, &target(&id, "cursor://a/b", &asked), &[]).headers().contains_key("location"));
}

/// What a client and the operator wish of the login.
#[test]
fn wishes_reach_the_provider() {
    let onward = |more: &[(&str, &str)], changes: &[(&str, &str)]| {
        let mut server = server(more);
        let id = client(&mut server, &[WEB]);
        let page = get(&mut server, &target(&id, WEB, changes), &[]);
        let browser = Browser { cookie: cookies(&page), request: sealed(&page) };
        location(&decide(&mut server, &browser, "decision=allow", OWN))
    };
    let offline = ("MCP_OAUTH_UPSTREAM_OFFLINE_ACCESS", "true");
    let google = ("MCP_OAUTH_ISSUER", "https://accounts.google.com");
    let url = onward(&[], &[("prompt", "login"), ("login_hint", "me@example.com")]);
    assert_eq!(parameter(&url, "prompt").as_deref(), Some("login"));
    assert_eq!(parameter(&url, "login_hint").as_deref(), Some("me@example.com"));
    assert_eq!(parameter(&onward(&[], &[("prompt", "consent banana")]), "prompt"), None);
    let url = onward(&[offline], &[]);
    assert!(parameter(&url, "scope").unwrap().ends_with("offline_access"));
    assert_eq!(parameter(&url, "access_type"), None);
    let url = onward(&[offline, google, ("MCP_OAUTH_ALLOWED_HOSTED_DOMAINS", "example.com")], &[]);
    assert!(!parameter(&url, "scope").unwrap().contains("offline_access"));
    assert_eq!(parameter(&url, "access_type").as_deref(), Some("offline"));
    assert_eq!(parameter(&url, "prompt").as_deref(), Some("consent"));
    assert_eq!(parameter(&url, "hd").as_deref(), Some("example.com"));
    let url = onward(&[("MCP_OAUTH_UPSTREAM_FORCE_CONSENT", "true")], &[("prompt", "login")]);
    assert_eq!(parameter(&url, "prompt").as_deref(), Some("login consent"));
}

#[test]
fn a_provider_that_is_away_stops_the_login_and_nobody_else() {
    let mut server = server(&[("MCP_OAUTH_AUTH_URL", ""), ("MCP_OAUTH_TOKEN_URL", "")]);
    let id = client(&mut server, &[WEB, LOCAL]);
    for _ in 0..2 {
        server.script.push_back(World::Document(Err(FetchFailure::Unreachable)));
    }
    let answer = get(&mut server, &target(&id, LOCAL, &[]), &[]);
    assert_eq!(parameter(&location(&answer), "error").as_deref(), Some("temporarily_unavailable"));
    let page = get(&mut server, &target(&id, WEB, &[]), &[]);
    assert!(page.status() == 503 && text(&page).contains("error=temporarily_unavailable"), "{page:?}");
}

/// What travels has to fit where it travels: through `state` into a code that still opens.
#[test]
fn what_is_too_long_is_refused_before_the_login() {
    let mut server = server(&[]);
    let uri = format!("https://client.example/{}", "x".repeat(1900));
    let id = client(&mut server, &[&uri]);
    let state = "\"".repeat(4096);
    let page = get(&mut server, &target(&id, &uri, &[("state", &state)]), &[]);
    let browser = Browser { cookie: cookies(&page), request: sealed(&page) };
    let answer = decide(&mut server, &browser, "decision=allow", OWN);
    assert_eq!(parameter(&location(&answer), "error").as_deref(), Some("invalid_request"));
    let state = "x".repeat(4096);
    let page = get(&mut server, &target(&id, &uri, &[("state", &state)]), &[]);
    let browser = Browser { cookie: cookies(&page), request: sealed(&page) };
    let onward = decide(&mut server, &browser, "decision=allow", OWN);
    let sent = parameter(&location(&onward), "state").unwrap();
    let code = "c".repeat(4096);
    let back = come_back(&mut server, &browser.cookie, &[("code", &code), ("state", &sent)]);
    assert!(parameter(&location(&back), "code").unwrap().len() <= 16 << 10);
}

/// `server.oauth.audience`, by which tokens can be asked for that are let in under it.
#[test]
fn the_operators_name_for_the_resource_is_one() {
    for (audience, resource, is) in [
        ("urn:tools", "urn:tools", true),
        ("https://tools.example/", "https://tools.example", true),
        ("https://tools.example", "https://tools.example/", true),
        ("https://tools.example", "https://tools.example/mcp", false),
        ("https://tools.example", "https://TOOLS.example.evil.example", false),
        ("https://tools.example", "https://mcp.example.com/mcp", true),
    ] {
        let mut server = server(&[("MCP_OAUTH_AUDIENCE", audience)]);
        let id = client(&mut server, &[LOCAL]);
        let answer = get(&mut server, &target(&id, LOCAL, &[("resource", resource)]), &[]);
        assert_eq!(answer.status() == 200, is, "{audience} {resource}: {answer:?}");
    }
}
