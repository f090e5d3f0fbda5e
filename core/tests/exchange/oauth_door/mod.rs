//! Registration, the authorization endpoint, the consent page and the callback, and those who would get past them.

use std::time::Duration;

use bytes::Bytes;
use housekey_core::fetch::{Document, FetchFailure, NamedBy};
use http::Response;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::driver::{Asked, Scripted, World, json as body_json};

mod callback;
mod consent;
mod documents;
mod login;
mod registration;
mod request;

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

fn document(body: Value) -> World {
    World::Document(Ok(Document {
        status: 200,
        content_type: Some("application/json; charset=utf-8".to_owned()),
        cache_control: None,
        body: Bytes::from(body.to_string()),
    }))
}

const DOCUMENT: &str = "https://client.example/oauth/client.json";
