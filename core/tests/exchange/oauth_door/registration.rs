//! Dynamic client registration (RFC 7591).

use super::*;

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
