//! Registration, the authorization endpoint, the consent page and the callback, and those who would get past them.

use std::time::Duration;

use bytes::Bytes;
use housekey_core::fetch::{Document, FetchFailure, NamedBy};
use http::Response;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::driver::{Asked, Scripted, World, json as body_json};

const BASE: &[(&str, &str)] = &[
    ("MCP_OAUTH_ENABLED", "true"),
    ("MCP_OAUTH_MODE", "gating"),
    ("MCP_OAUTH_ISSUER", "https://idp.example.com"),
    ("MCP_OAUTH_CLIENT_ID", "housekey"),
    ("MCP_OAUTH_CLIENT_SECRET", "shhh"),
    ("MCP_OAUTH_SIGNING_SECRET", "a secret of thirty-two bytes, at least"),
    ("MCP_OAUTH_AUTH_URL", "https://idp.example.com/authorize"),
    ("MCP_OAUTH_TOKEN_URL", "https://idp.example.com/token"),
    ("MCP_OAUTH_PUBLIC_RESOURCE_URL", "https://mcp.example.com"),
    ("MCP_OAUTH_PUBLIC_AUTH_SERVER_URL", "https://mcp.example.com"),
];
const ISSUER: &str = "https://mcp.example.com";
/// The challenge of RFC 7636 appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const WEB: &str = "https://client.example/cb";
const LOCAL: &str = "http://127.0.0.1:1234/cb";

fn server(more: &[(&str, &str)]) -> Scripted {
    Scripted::new(&[BASE, more].concat())
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn query(entries: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        entries.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    pairs.join("&")
}

fn post(
    server: &mut Scripted,
    path: &str,
    media: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response<Bytes> {
    let mut request = http::Request::post(path)
        .header("host", "mcp.example.com")
        .header("content-type", media)
        .header("content-length", body.len());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.http(request.body(body).unwrap())
}

fn get(server: &mut Scripted, target: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    let mut request = http::Request::get(target).header("host", "mcp.example.com");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.http(request.body("").unwrap())
}

fn register(server: &mut Scripted, metadata: &Value) -> Response<Bytes> {
    post(server, "/oauth/register", "application/json", &[], &metadata.to_string())
}

fn client(server: &mut Scripted, uris: &[&str]) -> String {
    let answer = register(server, &json!({ "redirect_uris": uris, "client_name": "Tester" }));
    assert_eq!(answer.status(), 201, "{:?}", answer.body());
    body_json(&answer)["client_id"].as_str().unwrap().to_owned()
}

/// A request in order, with some parameters changed (or, with an empty value, left out).
fn target(client: &str, uri: &str, changes: &[(&str, &str)]) -> String {
    let mut entries = vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", uri),
        ("state", "xyz"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        entries.retain(|(known, _)| known != name);
        if !value.is_empty() {
            entries.push((name, value));
        }
    }
    format!("/oauth/authorize?{}", query(&entries))
}

fn location(answer: &Response<Bytes>) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// A parameter of a URL.
fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.map(|value| percent_decode_str(value).decode_utf8().unwrap().into_owned())
}

fn cookies(answer: &Response<Bytes>) -> String {
    let all = answer.headers().get_all("set-cookie").iter();
    let all: Vec<&str> = all.map(|line| line.to_str().unwrap().split(';').next().unwrap()).collect();
    all.join("; ")
}

fn text(answer: &Response<Bytes>) -> String {
    String::from_utf8(answer.body().to_vec()).unwrap()
}

/// The sealed request of a consent page.
fn sealed(page: &Response<Bytes>) -> String {
    let text = text(page);
    let (_, rest) = text.split_once("name=\"request\" value=\"").expect("a consent page");
    rest.split('"').next().unwrap().to_owned()
}

/// The link on a page that sends nobody anywhere by itself.
fn way_back(page: &Response<Bytes>) -> String {
    assert!(page.status() == 400 && page.headers().get("location").is_none(), "{page:?}");
    let text = text(page);
    let (_, rest) = text.split_once("<a rel=\"noreferrer nofollow\" href=\"").expect("a link");
    let (url, shown) = rest.split_once("\">").unwrap();
    assert!(shown.starts_with("client.example</a>"), "the host is shown: {shown}");
    url.replace("&amp;", "&")
}

/// A browser on a consent page.
struct Browser {
    cookie: String,
    request: String,
}

fn consent_page(server: &mut Scripted, client: &str, uri: &str) -> Browser {
    let page = get(server, &target(client, uri, &[]), &[]);
    assert_eq!(page.status(), 200, "{page:?}");
    Browser { cookie: cookies(&page), request: sealed(&page) }
}

fn decide(server: &mut Scripted, browser: &Browser, more: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    let body = format!("request={}&{more}", browser.request);
    let headers = [headers, &[("cookie", browser.cookie.as_str())]].concat();
    post(server, "/oauth/authorize", "application/x-www-form-urlencoded", &headers, &body)
}

const OWN: &[(&str, &str)] = &[("origin", ISSUER), ("sec-fetch-site", "same-origin")];

/// A browser at the identity provider: its cookie and the state.
fn at_provider(server: &mut Scripted, client: &str, uri: &str) -> (String, String) {
    let browser = consent_page(server, client, uri);
    let answer = decide(server, &browser, "decision=allow", OWN);
    assert_eq!(answer.status(), 303, "{answer:?}");
    let state = parameter(&location(&answer), "state").unwrap();
    (browser.cookie, state)
}

fn come_back(server: &mut Scripted, cookie: &str, entries: &[(&str, &str)]) -> Response<Bytes> {
    get(server, &format!("/oauth/callback?{}", query(entries)), &[("cookie", cookie)])
}

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

/// Registration is lenient in what it does not use, and tells what became of the rest (RFC 7591 section 3.2.1).
#[test]
fn registration_takes_what_clients_send() {
    let mut server = server(&[]);
    let answer = register(
        &mut server,
        &json!({
            "redirect_uris": [WEB, "http://localhost/cb", "cursor://a/b"],
            "client_name": "A \u{202e}\u{0}client",
            "token_endpoint_auth_method": "client_secret_post",
            "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
            "response_types": ["code", "banana"],
            "application_type": "web",
            "contacts": 7,
        }),
    );
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body = body_json(&answer);
    assert_eq!(body["client_name"], "A client");
    assert_eq!(body["token_endpoint_auth_method"], "none");
    assert_eq!(body["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(body["application_type"], "web");
    assert_eq!(body["client_id_issued_at"], 1_800_000_000);
    assert_eq!(body.get("client_secret"), None);
    for (metadata, error) in [
        (json!([]), "invalid_client_metadata"),
        (json!({}), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [7] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["javascript:alert(1)", "http://evil.example/"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": vec![WEB; 21] }), "invalid_redirect_uri"),
        (
            json!({ "redirect_uris": [WEB], "token_endpoint_auth_method": "private_key_jwt" }),
            "invalid_client_metadata",
        ),
        (
            json!({ "redirect_uris": [WEB], "token_endpoint_auth_method": "private_key_jwt",
                    "jwks_uri": "https://10.0.0.1/keys" }),
            "invalid_client_metadata",
        ),
        (
            json!({ "redirect_uris": vec![format!("https://a.example/{}", "x".repeat(1500)); 4] }),
            "invalid_client_metadata",
        ),
    ] {
        let answer = register(&mut server, &metadata);
        assert_eq!(
            (answer.status().as_u16(), &body_json(&answer)["error"]),
            (400, &json!(error)),
            "{metadata}"
        );
    }
}

/// RFC 7591 section 3.2.1: what was taken is what the answer says.
#[test]
fn registration_leaves_out_what_cannot_be_had_here() {
    let mut server = server(&[]);
    let unusable = [
        "unknown://x",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://evil.example/",
        "https://client.example/#x",
        "https://user@client.example/",
    ];
    let all: Vec<&str> = unusable.into_iter().chain([WEB]).collect();
    let answer = register(&mut server, &json!({ "redirect_uris": all }));
    assert_eq!((answer.status().as_u16(), &body_json(&answer)["redirect_uris"]), (201, &json!([WEB])));
    let id = body_json(&answer)["client_id"].as_str().unwrap().to_owned();
    assert_eq!(get(&mut server, &target(&id, WEB, &[]), &[]).status(), 200);
    for uri in unusable {
        let asked = get(&mut server, &target(&id, uri, &[]), &[]);
        assert!(asked.status() == 400 && asked.headers().get("location").is_none(), "{uri}");
        let alone = register(&mut server, &json!({ "redirect_uris": [uri] }));
        assert_eq!(alone.status(), 400, "{uri}");
    }
}

/// Who is told that there are refresh tokens and gets none asks for them in vain.
#[test]
fn refresh_tokens_are_promised_only_where_they_come() {
    for (more, wanted) in [
        (&[][..], json!(["authorization_code", "refresh_token"])),
        (&[("MCP_OAUTH_MODE", "forward")], json!(["authorization_code"])),
        (
            &[("MCP_OAUTH_MODE", "forward"), ("MCP_OAUTH_UPSTREAM_OFFLINE_ACCESS", "true")],
            json!(["authorization_code", "refresh_token"]),
        ),
    ] {
        let mut server = server(more);
        let registered = body_json(&register(&mut server, &json!({ "redirect_uris": [WEB] })));
        assert_eq!(registered["grant_types"], wanted, "{more:?}");
        let metadata = body_json(&get(&mut server, "/.well-known/oauth-authorization-server", &[]));
        assert_eq!(metadata["grant_types_supported"], wanted, "{more:?}");
    }
}

#[test]
fn a_registration_ends_and_is_of_one_deployment() {
    let mut here = server(&[]);
    let id = client(&mut here, &[WEB]);
    let mut elsewhere = server(&[("MCP_OAUTH_SIGNING_SECRET", "another secret of thirty-two bytes here")]);
    assert_eq!(get(&mut elsewhere, &target(&id, WEB, &[]), &[]).status(), 400);
    here.now = here.now.after(Duration::from_secs(366 * 24 * 3600));
    let late = get(&mut here, &target(&id, WEB, &[]), &[]);
    assert!(late.status() == 400 && text(&late).contains("expired"));
}

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

fn document(body: Value) -> World {
    World::Document(Ok(Document {
        status: 200,
        content_type: Some("application/json; charset=utf-8".to_owned()),
        cache_control: None,
        body: Bytes::from(body.to_string()),
    }))
}

const DOCUMENT: &str = "https://client.example/oauth/client.json";

#[test]
fn a_client_is_known_by_its_document() {
    let mut server = server(&[]);
    server.script.push_back(document(json!({
        "client_id": DOCUMENT, "client_name": "Documented", "redirect_uris": [WEB, LOCAL, "unknown://x"],
        "grant_types": ["authorization_code", "banana"],
    })));
    for _ in 0..2 {
        let page = get(&mut server, &target(DOCUMENT, LOCAL, &[]), &[]);
        assert_eq!(page.status(), 200, "{page:?}");
        let shown = text(&page);
        for wanted in ["Documented", "Is published by", "client.example", "a program on this computer"] {
            assert!(shown.contains(wanted), "{wanted}");
        }
        assert!(!shown.contains("name=\"remember\""));
    }
    let [Asked::Fetch(request)] = server.asked.as_slice() else { panic!("it is remembered") };
    assert_eq!(request.url, DOCUMENT);
    assert_eq!(request.named_by, NamedBy::Stranger { listed: false });
    assert!(request.max_bytes <= 8 << 10 && request.deadline <= Duration::from_secs(5));
    let remember = request.remember.as_ref().unwrap();
    assert!(remember.heeds_cache_control && remember.lives <= Duration::from_secs(3600));
    assert_ne!(remember.key, DOCUMENT, "the operator's documents have their URLs as names");
}

/// Server-side request forgery: these are refused before anybody is asked.
#[test]
fn documents_are_fetched_from_the_public_internet_only() {
    let mut server = server(&[]);
    for id in [
        "http://client.example/c.json",
        "https://127.0.0.1/c.json",
        "https://10.0.0.1/c.json",
        "https://[::1]/c.json",
        "https://[::ffff:169.254.169.254]/c.json",
        "https://169.254.169.254/latest/meta-data",
        "https://8.8.8.8/c.json",
        "https://2130706433/c.json",
        "https://0x7f.1/c.json",
        "https://localhost/c.json",
        "https://metadata.google.internal/c.json",
        "https://clickhouse/c.json",
        "https://printer.local/c.json",
        "https://client.example:8443/c.json",
        "https://client.example:22/c.json",
        "https://user@client.example/c.json",
        "https://client.example@10.0.0.1/c.json",
        "https://client.example",
        "https://client.example/",
        "https://client.example/?c",
        "https://client.example/a/../c.json",
        "https://client.example/a/%2e%2E/c.json",
        "https://client.example/a%2fc.json",
        "https://client.example/c.json#x",
        "https://CLIENT.example/c.json",
        "https://client.example./c.json",
        "https://cli\u{e9}nt.example/c.json",
        "ftp://client.example/c.json",
        "file:///etc/passwd",
    ] {
        let answer = get(&mut server, &target(id, WEB, &[]), &[]);
        assert_eq!(answer.status(), 400, "{id}");
    }
    assert!(server.asked.is_empty(), "{:?}", server.asked);
    let mut listed =
        self::server(&[("MCP_OAUTH_CLIENT_DOCUMENT_HOSTS", "client.example:8443,*.trusted.example")]);
    for (id, is_fetched) in [
        ("https://client.example:8443/c.json", true),
        ("https://a.trusted.example/c.json", true),
        ("https://client.example/c.json", false),
        ("https://trusted.example.evil.example/c.json", false),
        ("https://a.trusted.example:8443/c.json", false),
    ] {
        listed.script.clear();
        listed.asked.clear();
        listed.script.push_back(World::Document(Err(FetchFailure::Forbidden)));
        assert_eq!(get(&mut listed, &target(id, WEB, &[]), &[]).status(), 400, "{id}");
        assert_eq!(listed.asked.len(), usize::from(is_fetched), "{id}");
    }
}

#[test]
fn a_document_that_is_not_in_order_makes_no_client() {
    let good = json!({ "client_id": DOCUMENT, "redirect_uris": [WEB] });
    let with = |name: &str, value: Value| {
        let mut document = good.clone();
        document[name] = value;
        document
    };
    let bad: Vec<World> = [
        with("client_id", json!("https://client.example/oauth/other.json")),
        with("client_id", json!("https://client.example/oauth/client.json/")),
        with("client_id", Value::Null),
        with("redirect_uris", json!([])),
        with("redirect_uris", json!(["http://evil.example/", "unknown://x"])),
        with("redirect_uris", json!(vec![WEB; 21])),
        with("client_secret", json!("x")),
        with("token_endpoint_auth_method", json!("client_secret_post")),
        with("token_endpoint_auth_method", json!("tls_client_auth")),
        with("token_endpoint_auth_method", json!("private_key_jwt")),
        json!([]),
    ]
    .into_iter()
    .map(document)
    .collect();
    let typed = |content_type: Option<&str>| {
        let World::Document(Ok(document)) = document(good.clone()) else { panic!("a document") };
        World::Document(Ok(Document { content_type: content_type.map(str::to_owned), ..document }))
    };
    let failures = [
        FetchFailure::Status(302),
        FetchFailure::Status(404),
        FetchFailure::Status(410),
        FetchFailure::TooLarge(8 << 10),
        FetchFailure::Forbidden,
    ];
    let twice = format!(r#"{{"client_id":"{DOCUMENT}","client_id":"x","redirect_uris":["{WEB}"]}}"#);
    let World::Document(Ok(shape)) = document(good.clone()) else { panic!("a document") };
    let bad = bad
        .into_iter()
        .chain([typed(None), typed(Some("text/html")), typed(Some("text/plain; application/json"))])
        .chain(failures.map(|failure| World::Document(Err(failure))))
        .chain([World::Document(Ok(Document { body: Bytes::from(twice), ..shape }))]);
    for (number, world) in bad.enumerate() {
        let mut server = server(&[]);
        server.script.push_back(world);
        let answer = get(&mut server, &target(DOCUMENT, WEB, &[]), &[]);
        assert!(answer.status() == 400 && answer.headers().get("location").is_none(), "{number}: {answer:?}");
    }
    let mut server = server(&[]);
    server.script.push_back(typed(Some("application/oauth-client+json")));
    assert_eq!(get(&mut server, &target(DOCUMENT, WEB, &[]), &[]).status(), 200);
}

/// A client that hears `invalid_client` throws away what it has, which a moment's trouble is no reason for.
#[test]
fn a_document_that_cannot_be_had_now_is_asked_for_again() {
    let redeem = query(&[("grant_type", "authorization_code"), ("client_id", DOCUMENT), ("code", "x")]);
    for (failure, at_authorize, at_token, error) in [
        (FetchFailure::Unreachable, 503, 503, "temporarily_unavailable"),
        (FetchFailure::TimedOut, 503, 503, "temporarily_unavailable"),
        (FetchFailure::Status(429), 503, 503, "temporarily_unavailable"),
        (FetchFailure::Status(502), 503, 503, "temporarily_unavailable"),
        (FetchFailure::Status(404), 400, 401, "invalid_client"),
        (FetchFailure::Status(410), 400, 401, "invalid_client"),
        (FetchFailure::Forbidden, 400, 401, "invalid_client"),
    ] {
        let mut server = server(&[]);
        server.script.push_back(World::Document(Err(failure.clone())));
        let page = get(&mut server, &target(DOCUMENT, WEB, &[]), &[]);
        assert_eq!(page.status(), at_authorize, "{failure}");
        assert_eq!(text(&page).contains("Try again in a minute"), at_authorize == 503, "{failure}");
        let told = post(&mut server, "/oauth/token", "application/x-www-form-urlencoded", &[], &redeem);
        assert_eq!(
            (told.status().as_u16(), &body_json(&told)["error"]),
            (at_token, &json!(error)),
            "{failure}"
        );
        assert_eq!(server.asked.len(), 1, "a failure is remembered for a moment");
        server.now = server.now.after(Duration::from_secs(16));
        server.script.push_back(document(json!({ "client_id": DOCUMENT, "redirect_uris": [WEB] })));
        assert_eq!(get(&mut server, &target(DOCUMENT, WEB, &[]), &[]).status(), 200, "{failure}");
    }
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
