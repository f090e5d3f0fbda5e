//! Where a token may stand: every place, every spelling in a path, the order of two, and no trace of any.

use bytes::Bytes;
use housekey_core::exchange::{Refusal, Route, StreamWish};
use housekey_core::jose::claims::Claims;
use housekey_core::time::UnixTime;
use http::{Request, Response};

use crate::driver::{Scripted, rows};
use crate::identity::{CALL, SECURE, person, token};

fn post(server: &mut Scripted, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    let mut request = Request::post(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.script.clear();
    server.script.push_back(rows(&[1]));
    server.http(request.body(CALL).unwrap())
}

/// RFC 7516 section 7.2.2.
fn flattened(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    format!(
        r#"{{"protected":"{}","encrypted_key":"{}","iv":"{}","ciphertext":"{}","tag":"{}"}}"#,
        parts[0], parts[1], parts[2], parts[3], parts[4]
    )
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'-' | b'_' | b'.' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// As URLs may write a token.
fn spellings(token: &str) -> Vec<String> {
    let (start, end) = token.split_at(50);
    let json = flattened(token);
    vec![
        token.to_owned(),
        token.replace('.', "%2e"),
        format!("%20{start}%0A{end}%09"),
        escaped(&json),
        escaped(&json.replace(',', " ,\n")),
        json,
    ]
}

fn expired() -> String {
    token(Claims { exp: Some(UnixTime::from_seconds(1_799_999_999)), ..person("alice") })
}

#[test]
fn every_spelling_in_every_path_is_a_token() {
    let mut server = Scripted::new(SECURE);
    for segment in spellings(&token(person("alice"))) {
        for end in ["", "/", "/mcp", "/http", "/sse", "/sse/"] {
            let answer = post(&mut server, &format!("/{segment}{end}"), &[]);
            assert_eq!(answer.status(), 200, "{segment}{end}");
        }
        for end in ["/openapi", "/openapi/", "/openapi/execute_query?query=x"] {
            let answer = post(&mut server, &format!("/{segment}{end}"), &[]);
            assert_eq!(answer.status(), 404);
            assert!(String::from_utf8_lossy(answer.body()).contains("REST"), "{end}");
        }
        assert_eq!(post(&mut server, &format!("/{segment}/elsewhere"), &[]).status(), 404);
        let get = Request::get(format!("/{segment}/mcp")).body("").unwrap();
        let answer = server.http(get);
        assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"POST".parse().unwrap()));
        let get = Request::get(format!("/{segment}/sse")).body("").unwrap();
        assert_eq!(server.wish(get), Ok(Some(StreamWish::Events)));
    }
    let token = token(person("alice"));
    assert_eq!(post(&mut server, "/sse", &[("x-housekey-key", &token)]).status(), 200);
    let queries = server.queries().len();
    for path in ["/openapi", "/openapi/execute_query"] {
        assert_eq!(post(&mut server, path, &[("x-housekey-key", &token)]).status(), 404);
    }
    assert_eq!(server.queries().len(), queries);
}

#[test]
fn bad_tokens_in_paths_are_challenged() {
    let mut server = Scripted::new(SECURE);
    let good = token(person("alice"));
    for bad in [&good[..good.len() - 7], &good[..40], "eyJ", "{", "%7B%22protected%22%3A1%7D", &expired()] {
        for end in ["", "/mcp", "/http", "/sse", "/openapi", "/openapi/execute_query"] {
            let answer = post(&mut server, &format!("/{bad}{end}"), &[]);
            assert_eq!(answer.status(), 401, "{bad}{end}");
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.contains("invalid_token"), "{bad}{end}");
        }
    }
    assert!(server.asked.is_empty());
}

/// The first place decides, also when it holds a token that is no good.
#[test]
fn the_first_place_decides() {
    let (good, bad) = (token(person("alice")), expired());
    let status = |path: Option<&str>, end: &str, headers: &[(&str, &str)]| {
        let path = path.map_or_else(|| "/mcp".to_owned(), |token| format!("/{token}{end}"));
        post(&mut Scripted::new(SECURE), &path, headers).status().as_u16()
    };
    let places = ["authorization", "x-altinity-mcp-key", "x-housekey-key"];
    for scheme in ["Bearer", "Basic"] {
        let value = |place: &str, token: &str| match place {
            "authorization" => format!("{scheme} {token}"),
            _ => token.to_owned(),
        };
        for (first, second, wanted) in [(&good, &bad, 200), (&bad, &good, 401)] {
            for (at, place) in places.iter().enumerate() {
                let earlier = value(place, first);
                assert_eq!(
                    status(Some(second), "/mcp", &[(place, &earlier)]),
                    wanted,
                    "{place} before the path"
                );
                for later in &places[at + 1..] {
                    let headers = [(*later, &*value(later, second)), (*place, &*earlier)];
                    assert_eq!(status(None, "", &headers), wanted, "{place} before {later}");
                }
                // The REST interface reads the path first.
                let wanted = if wanted == 200 { 404 } else { 401 };
                let later = value(place, second);
                assert_eq!(
                    status(Some(first), "/openapi/x", &[(place, &later)]),
                    wanted,
                    "the path before {place}"
                );
            }
        }
    }
}

#[test]
fn a_place_twice_is_a_malformed_request() {
    let good = token(person("alice"));
    let bearer = format!("Bearer {good}");
    for (name, value) in
        [("authorization", &bearer), ("x-altinity-mcp-key", &good), ("x-housekey-key", &good)]
    {
        let answer = post(&mut Scripted::new(SECURE), "/mcp", &[(name, value), (name, value)]);
        assert_eq!(answer.status(), 400, "{name}");
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().contains("invalid_request"));
        assert!(String::from_utf8_lossy(answer.body()).contains(name));
    }
}

/// No piece of a token that came in a path, good or spoilt, stands in an answer, in what the operator is told of a
/// refusal, or in what logs show of a route.
#[test]
fn tokens_in_paths_leave_no_trace() {
    const PIECE: usize = 12;
    let good = token(person("alice"));
    let signature = token(person("bob"));
    let spoilt = [
        good[..good.len() - 7].to_owned(),
        format!("{}AAAA", &good[..good.len() - 4]),
        good.replacen('.', "!", 2),
        format!("{good}.{good}"),
        good.replace('.', "%FF"),
        format!("{}{}", &good[..200], &signature[200..]),
        expired(),
        token(Claims { username: Some("u".into()), host: Some("db".into()), ..Claims::default() }),
        token(person("default")),
    ];
    let ends = [
        "",
        "/",
        "/mcp",
        "/http",
        "/sse",
        "/openapi",
        "/openapi/x",
        "/x",
        "/../x",
        "?a=b",
        "/jwe-token-generator",
    ];
    let mut seen = 0;
    for token in std::iter::once(&good).chain(&spoilt) {
        let pieces: Vec<&[u8]> = token.as_bytes().windows(PIECE).collect();
        for (segment, end) in spellings_of_any(token).iter().flat_map(|s| ends.map(|end| (s.clone(), end))) {
            let target = format!("/{segment}{end}");
            let over_rest = Scripted::new(&[SECURE, &[("MCP_OPENAPI", "http")]].concat());
            for mut server in [Scripted::new(SECURE), over_rest, Scripted::new(&[])] {
                let answer =
                    post(&mut server, &target, &[("host", "localhost"), ("origin", "http://localhost")]);
                let refusal = answer.extensions().get::<Refusal>();
                let path = target.split('?').next().unwrap();
                let route = Route::parse(path, true);
                let shown = format!(
                    "{answer:?} {refusal:?} {route:?} {}",
                    route.as_ref().map_or(String::new(), ToString::to_string)
                );
                for query in server.queries() {
                    assert!(!format!("{query:?}").contains(&good[..PIECE]));
                }
                let found = shown.as_bytes().windows(PIECE).find(|window| pieces.contains(window));
                assert_eq!(found.map(String::from_utf8_lossy), None, "{}", server.asked.len());
                seen += 1;
            }
        }
    }
    assert!(seen > 500);
}

/// Some of the spelled forms need five parts.
fn spellings_of_any(token: &str) -> Vec<String> {
    if token.split('.').count() == 5 { spellings(token) } else { vec![token.to_owned(), escaped(token)] }
}
