//! A login from the registration to the tools.

use super::*;

#[test]
fn a_client_registers_and_a_person_signs_in() {
    let mut server = server(&[]);
    let id = client(&mut server, &[WEB, LOCAL, "cursor://anysphere.cursor-mcp/oauth/callback"]);
    let page = get(&mut server, &target(&id, WEB, &[]), &[]);
    assert_eq!(page.status(), 200);
    let shown = text(&page);
    for wanted in ["Tester", "client.example", "idp.example.com", "name=\"remember\""] {
        assert!(shown.contains(wanted), "{wanted} in {shown}");
    }
    let cookie = page.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-housekey-browser="), "{cookie}");
    for attribute in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(attribute), "{attribute}");
    }
    let browser = Browser { cookie: cookies(&page), request: sealed(&page) };
    let onward = decide(&mut server, &browser, "decision=allow", OWN);
    assert_eq!(onward.status(), 303);
    assert_eq!(onward.headers()["referrer-policy"], "no-referrer");
    assert_eq!(onward.headers()["cache-control"], "no-store");
    let url = location(&onward);
    assert!(url.starts_with("https://idp.example.com/authorize?"), "{url}");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "housekey"),
        ("redirect_uri", "https://mcp.example.com/oauth/callback"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameter(&url, name).as_deref(), Some(value), "{name}");
    }
    assert_ne!(parameter(&url, "code_challenge").unwrap(), CHALLENGE, "ours, not the client's");
    assert_eq!(parameter(&url, "nonce").unwrap().len(), 43);
    let state = parameter(&url, "state").unwrap();
    let back = come_back(&mut server, &browser.cookie, &[("code", "upstream"), ("state", &state)]);
    assert_eq!(back.status(), 302, "{back:?}");
    let url = location(&back);
    assert!(url.starts_with("https://client.example/cb?code="), "{url}");
    assert_eq!(parameter(&url, "state").as_deref(), Some("xyz"));
    assert_eq!(parameter(&url, "iss").as_deref(), Some(ISSUER), "RFC 9207");
    assert!(!url.contains("upstream"), "the provider's code is sealed");
    assert!(server.asked.is_empty(), "nothing was fetched");
}

#[test]
fn a_login_ends_with_tools_and_goes_on_with_a_refresh() {
    login_with(&[], "https://mcp.example.com");
    // A slash at the end of either makes no difference, to the request or to the tokens that come of it.
    login_with(&[("MCP_OAUTH_AUDIENCE", "https://tools.example/")], "https://tools.example");
}

fn login_with(more: &[(&str, &str)], resource: &str) {
    const FORM: &str = "application/x-www-form-urlencoded";
    const USERINFO: (&str, &str) = ("MCP_OAUTH_USERINFO_URL", "https://idp.example.com/userinfo");
    let mut server = server(&[more, &[USERINFO]].concat());
    let id = client(&mut server, &[WEB]);
    let page = get(&mut server, &target(&id, WEB, &[("resource", resource)]), &[]);
    let browser = Browser { cookie: cookies(&page), request: sealed(&page) };
    let onward = decide(&mut server, &browser, "decision=allow", OWN);
    let (cookie, state) = (browser.cookie, parameter(&location(&onward), "state").unwrap());
    let back = come_back(&mut server, &cookie, &[("code", "upstream"), ("state", &state)]);
    let code = parameter(&location(&back), "code").unwrap();
    let redeem = query(&[
        ("grant_type", "authorization_code"),
        ("client_id", &id),
        ("code", &code),
        ("redirect_uri", WEB),
        // RFC 7636 appendix B.
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ("resource", &format!("{resource}/")),
    ]);
    server.script.push_back(document(json!({"access_token": "theirs", "token_type": "Bearer"})));
    server.script.push_back(document(json!({"sub": "1", "email": "ann@example.com"})));
    let answer = post(&mut server, "/oauth/token", FORM, &[], &redeem);
    assert_eq!(answer.status(), 200, "{answer:?}");
    let posted = server.asked.iter().find_map(|asked| match asked {
        Asked::Fetch(request) => request.form.as_ref().map(|form| form.expose().clone()),
        Asked::Query(_) | Asked::Ask(_) | Asked::Wait(_) => None,
    });
    let posted = format!("?{}", posted.unwrap());
    assert_eq!(parameter(&posted, "code").as_deref(), Some("upstream"));
    assert_eq!(parameter(&posted, "redirect_uri").as_deref(), Some("https://mcp.example.com/oauth/callback"));

    let list = |server: &mut Scripted, answer: &Response<Bytes>| {
        let bearer = format!("Bearer {}", body_json(answer)["access_token"].as_str().unwrap());
        let body = crate::driver::stateless_body(1, "tools/list", json!({}));
        let request = crate::driver::stateless("tools/list", &json!({})).header("authorization", bearer);
        let mut request = request.body(body.as_str()).unwrap();
        request.headers_mut().insert("host", "mcp.example.com".parse().unwrap());
        server.http(request)
    };
    let listed = list(&mut server, &answer);
    assert_eq!(listed.status(), 200, "{listed:?}");

    server.now = server.now.after(Duration::from_secs(3601));
    assert_eq!(list(&mut server, &answer).status(), 401, "its time is over");
    let token = body_json(&answer)["refresh_token"].as_str().unwrap().to_owned();
    let refresh = query(&[("grant_type", "refresh_token"), ("client_id", &id), ("refresh_token", &token)]);
    let again = post(&mut server, "/oauth/token", FORM, &[], &refresh);
    assert_eq!(again.status(), 200, "{again:?}");
    assert_eq!(list(&mut server, &again).status(), 200);
    // Attack: the code once more, and by now it has expired here, too.
    assert_eq!(body_json(&post(&mut server, "/oauth/token", FORM, &[], &redeem))["error"], "invalid_grant");
}
