//! The consent page, and those who would get past it.

use super::*;

/// MCP security best practices, "Confused Deputy Problem": a session at the identity provider is no consent.
#[test]
fn nobody_gets_to_the_provider_without_consent() {
    let mut server = server(&[]);
    let other_page = "https://client.example/other";
    let id = client(&mut server, &[WEB, LOCAL, other_page]);
    let browser = consent_page(&mut server, &id, WEB);
    let allowed = decide(&mut server, &browser, "decision=allow&remember=yes", OWN);
    let remembered = format!("{}; {}", browser.cookie, cookies(&allowed));
    assert!(remembered.contains("__Host-housekey-consent="));
    let with = |server: &mut Scripted, target: &str| get(server, target, &[("cookie", &remembered)]);
    let again = with(&mut server, &target(&id, WEB, &[]));
    assert!(again.status() == 302 && location(&again).starts_with("https://idp.example.com/"));
    let silent = with(&mut server, &target(&id, WEB, &[("prompt", "none")]));
    assert_eq!(parameter(&location(&silent), "prompt").as_deref(), Some("none"));
    // Another client, another address, a client that wants the question: all are asked about.
    let other = client(&mut server, &[WEB]);
    for target in
        [target(&other, WEB, &[]), target(&id, LOCAL, &[]), target(&id, WEB, &[("prompt", "consent")])]
    {
        assert_eq!(with(&mut server, &target).status(), 200, "{target}");
    }
    // A program on this computer is asked about each time (RFC 8252 section 8.6), whatever the form says.
    let local = consent_page(&mut server, &id, LOCAL);
    let allowed = decide(&mut server, &local, "decision=allow&remember=yes", OWN);
    assert!(allowed.status() == 303 && !cookies(&allowed).contains("consent"));
    // A made-up cookie is none, and neither is one that is too old.
    let forged =
        get(&mut server, &target(&id, WEB, &[]), &[("cookie", "__Host-housekey-consent=e30..a.b.c")]);
    assert_eq!(forged.status(), 200);
    server.now = server.now.after(Duration::from_secs(31 * 24 * 3600));
    assert_eq!(with(&mut server, &target(&id, WEB, &[])).status(), 200);
}

#[test]
fn a_consent_form_counts_from_its_own_page_only() {
    let mut server = server(&[]);
    let id = client(&mut server, &[WEB]);
    let browser = consent_page(&mut server, &id, WEB);
    let attacker = consent_page(&mut server, &id, WEB);
    let foreign = Browser { cookie: attacker.cookie, request: browser.request.clone() };
    let without = Browser { cookie: String::new(), request: browser.request.clone() };
    let twice = Browser { cookie: format!("{0}; {0}", browser.cookie), request: browser.request.clone() };
    for (browser, headers) in [
        (&foreign, OWN),
        (&without, OWN),
        (&twice, OWN),
        (&browser, &[("origin", "https://evil.example")][..]),
        (&browser, &[("origin", "null")]),
        (&browser, &[("origin", "http://mcp.example.com")]),
        (&browser, &[("origin", ISSUER), ("sec-fetch-site", "cross-site")]),
        (&browser, &[("origin", ISSUER), ("sec-fetch-site", "same-site")]),
    ] {
        let answer = decide(&mut server, browser, "decision=allow", headers);
        assert!(answer.status() == 403 && answer.headers().get("location").is_none(), "{headers:?}");
    }
    for body in ["decision=allow", "decision=maybe&request=x", "", "request=a&request=b"] {
        let headers = [("cookie", browser.cookie.as_str())];
        let media = "application/x-www-form-urlencoded";
        assert_eq!(post(&mut server, "/oauth/authorize", media, &headers, body).status(), 400, "{body}");
    }
    assert_eq!(decide(&mut server, &browser, "", OWN).status(), 400, "no decision");
    let json =
        post(&mut server, "/oauth/authorize", "text/plain", &[("cookie", &browser.cookie)], "request=x");
    assert_eq!(json.status(), 400, "no form");
    let refused = decide(&mut server, &browser, "decision=deny", OWN);
    assert_eq!(refused.status(), 303);
    assert_eq!(parameter(&location(&refused), "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&location(&refused), "iss").as_deref(), Some(ISSUER));
    server.now = server.now.after(Duration::from_secs(601));
    let late = decide(&mut server, &browser, "decision=allow", OWN);
    assert!(late.status() == 400 && late.headers().get("location").is_none());
}

#[test]
fn nobody_frames_the_page_or_writes_into_it() {
    let mut server = server(&[]);
    let evil = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let answer = register(&mut server, &json!({ "redirect_uris": [WEB], "client_name": evil }));
    let id = body_json(&answer)["client_id"].as_str().unwrap().to_owned();
    let page =
        get(&mut server, &target(&id, WEB, &[("state", evil), ("scope", evil), ("login_hint", evil)]), &[]);
    assert_eq!(page.status(), 200);
    let shown = text(&page);
    assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.headers()["x-frame-options"], "DENY");
    assert_eq!(page.headers()["cache-control"], "no-store");
    assert_eq!(page.headers()["referrer-policy"], "same-origin");
    assert!(page.headers().get("access-control-allow-origin").is_none());
    let broken = get(&mut server, &format!("{}&{}=1&{0}=2", target(&id, WEB, &[]), escape(evil)), &[]);
    assert!(!text(&broken).contains("<script"));
}

/// Where there is no TLS, browsers refuse `__Host-` and `Secure`.
#[test]
fn a_plain_site_has_plain_cookies() {
    let plain = [
        ("MCP_OAUTH_PUBLIC_RESOURCE_URL", "http://localhost:8080"),
        ("MCP_OAUTH_PUBLIC_AUTH_SERVER_URL", "http://localhost:8080"),
    ];
    let mut server = server(&plain);
    let id = client(&mut server, &[LOCAL]);
    let page = get(&mut server, &target(&id, LOCAL, &[]), &[]);
    let cookie = page.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("housekey-browser=") && !cookie.contains("Secure"), "{cookie}");
    let browser = Browser { cookie: cookies(&page), request: sealed(&page) };
    let answer = decide(&mut server, &browser, "decision=allow", &[("origin", "http://localhost:8080")]);
    assert_eq!(answer.status(), 303);
}
