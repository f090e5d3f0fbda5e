//! Clients that are known by a document of theirs.

use super::*;

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
