//! The token endpoint over HTTP: what its answers are besides their content, which the endpoint's own tests try.

use crate::driver::{Scripted, json};

const GATING: [(&str, &str); 6] = [
    ("MCP_OAUTH_ENABLED", "true"),
    ("MCP_OAUTH_MODE", "gating"),
    ("MCP_OAUTH_ISSUER", "https://idp.example.com"),
    ("MCP_OAUTH_CLIENT_ID", "housekey"),
    ("MCP_OAUTH_SIGNING_SECRET", "a secret of thirty-two bytes, at least"),
    ("MCP_OAUTH_PUBLIC_RESOURCE_URL", "https://mcp.example.com/mcp"),
];

fn post(path: &str, body: &'static str) -> http::Request<&'static str> {
    http::Request::post(path)
        .header("host", "mcp.example.com")
        .header("origin", "https://app.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .unwrap()
}

#[test]
fn errors_are_json_that_nobody_keeps_and_that_pages_may_read() {
    for path in ["/oauth/token", "/token", "/oauth/token/"] {
        for (body, status, error) in [
            ("", 400, "invalid_request"),
            ("grant_type=password", 400, "unsupported_grant_type"),
            ("grant_type=authorization_code", 401, "invalid_client"),
            ("grant_type=authorization_code&client_id=x&code=y", 401, "invalid_client"),
            ("grant_type=refresh_token&client_id=x&refresh_token=y", 401, "invalid_client"),
            ("grant_type=refresh_token&grant_type=refresh_token", 400, "invalid_request"),
        ] {
            let mut server = Scripted::new(&GATING);
            let answer = server.http(post(path, body));
            assert_eq!(answer.status().as_u16(), status, "{path} {body}");
            assert_eq!(json(&answer)["error"], error, "{path} {body}");
            let headers = answer.headers();
            assert_eq!(headers["content-type"], "application/json");
            assert_eq!(headers["cache-control"], "no-store");
            assert_eq!(headers["access-control-allow-origin"], "*");
            assert!(server.asked.is_empty(), "nobody is asked about a stranger");
        }
    }
}

#[test]
fn tokens_are_not_had_by_get() {
    let mut server = Scripted::new(&GATING);
    let uri = "/oauth/token?grant_type=authorization_code&client_id=x&code=y&code_verifier=z";
    let answer = server.http(http::Request::get(uri).header("host", "mcp.example.com").body("").unwrap());
    assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"POST".parse().unwrap()));
}
