//! The REST interface: the same calls as over MCP, other answers.

use std::sync::Arc;

use bytes::Bytes;
use housekey_core::clickhouse::{Column, Exception, QueryEvent, RunAs, Statement};
use housekey_core::env::Env;
use housekey_core::jose::claims::Claims;
use housekey_core::mcp::{CallResult, Definition, Hints};
use housekey_core::tool::{Call, Moment, Table, Task, Tool, ToolState, ToolStep};
use http::Response;
use serde_json::json;

use crate::driver::{Scripted, World, json as body_of, rows};
use crate::identity::{SECURE, person, token};
use crate::read_only::tools;

const OPEN: &[(&str, &str)] = &[("MCP_OPENAPI", "http")];

fn secure() -> Scripted {
    Scripted::new(&[SECURE, OPEN].concat())
}

fn send(
    server: &mut Scripted,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response<Bytes> {
    let mut request = http::Request::builder().method(method).uri(target);
    for (name, value) in [("host", "localhost:8080")].iter().chain(headers) {
        request = request.header(*name, *value);
    }
    server.http(request.body(body).unwrap())
}

fn get(server: &mut Scripted, target: &str) -> Response<Bytes> {
    send(server, "GET", target, &[], "")
}

fn post(server: &mut Scripted, target: &str, body: &str) -> Response<Bytes> {
    send(server, "POST", target, &[("content-type", "application/json")], body)
}

/// Status and reason of an answer that must be a refusal in JSON with nothing beside its reason.
fn refused(answer: &Response<Bytes>) -> (u16, String) {
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body = body_of(answer);
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    (answer.status().as_u16(), body["error"].as_str().unwrap().to_owned())
}

#[test]
fn a_call_is_answered_with_its_result_alone() {
    let mut server = Scripted::new(OPEN);
    for answer in [
        {
            server.script.push_back(rows(&[1, 2]));
            get(&mut server, "/openapi/execute_query?query=SELECT+number+FROM%20numbers(2)&limit=5")
        },
        {
            server.script.push_back(rows(&[1, 2]));
            let body = r#"{"query":"SELECT number FROM numbers(2)","limit":5}"#;
            post(&mut server, "/openapi/execute_query/", body)
        },
    ] {
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (200, &"application/json".parse().unwrap())
        );
        assert_eq!(
            body_of(&answer),
            json!({ "columns": ["n"], "types": ["UInt8"], "rows": [[1], [2]], "count": 2 })
        );
        assert!(!answer.headers().contains_key("x-mcp-truncated"));
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
    for query in server.queries() {
        assert!(
            matches!(&query.statement, Statement::ReadOnly(sql) if sql.text() == "SELECT number FROM numbers(2)")
        );
        assert_eq!(query.inner.limit, Some(6));
        let comment = query.settings.iter().find(|setting| setting.name == "log_comment").unwrap();
        assert!(comment.value.contains("execute_query"));
    }
}

#[test]
fn an_answer_that_was_cut_says_so_in_its_head() {
    for (variables, values, reason) in [
        (&[("CLICKHOUSE_MAX_RESULT_ROWS", "1")], &[1_u8, 2][..], "rows"),
        (&[("CLICKHOUSE_MAX_RESULT_BYTES", "6")], &[1, 2], "bytes"),
    ] {
        let mut server = Scripted::new(&[OPEN, variables].concat());
        server.script.push_back(rows(values));
        let answer = get(&mut server, "/openapi/execute_query?query=SELECT+1");
        assert_eq!(answer.headers()["x-mcp-truncated"], reason);
        assert_eq!(body_of(&answer)["truncated"]["reason"], reason);
    }
}

#[test]
fn calls_run_as_the_person_whose_token_stands_first() {
    let mut server = secure();
    let (alice, bob) = (token(person("alice")), token(person("bob")));
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    for (target, header, wanted) in [
        ("/openapi/execute_query".to_owned(), bearer(&alice), "alice"),
        ("/openapi/execute_query".to_owned(), ("x-altinity-mcp-key", bob.clone()), "bob"),
        (format!("/{alice}/openapi/execute_query"), bearer(&bob), "alice"),
        (format!("/{bob}/openapi/execute_query/"), ("x-housekey-key", alice.clone()), "bob"),
    ] {
        server.script.push_back(rows(&[1]));
        let headers = [(header.0, &*header.1)];
        let answer = send(&mut server, "GET", &format!("{target}?query=SELECT+1"), &headers, "");
        assert_eq!(answer.status(), 200, "{wanted}");
        let queries = server.queries();
        let last = queries.last().unwrap();
        assert!(matches!(&last.run_as, RunAs::ExecuteAs(user) if user.as_str() == wanted));
        assert!(last.inner.readonly);
    }
}

#[test]
fn strangers_are_challenged_in_json() {
    let mut server = secure();
    let good = token(person("alice"));
    let cut = &good[..good.len() - 3];
    for (method, target, challenge) in [
        ("GET", "/openapi/execute_query?query=SELECT+1".to_owned(), "Bearer realm"),
        ("POST", "/openapi/execute_query".to_owned(), "Bearer realm"),
        ("POST", "/openapi/no_such_tool".to_owned(), "Bearer realm"),
        ("GET", format!("/{cut}/openapi/execute_query?query=SELECT+1"), "invalid_token"),
        ("GET", format!("/{cut}/openapi"), "invalid_token"),
    ] {
        let headers = [("content-type", "application/json")];
        let answer = send(&mut server, method, &target, &headers, "{}");
        assert_eq!(refused(&answer).0, 401, "{method}");
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().contains(challenge));
        assert!(!String::from_utf8_lossy(answer.body()).contains(&cut[..20]));
    }
    // A token that is shown must be good even where none is needed.
    let answer = send(&mut server, "GET", "/openapi", &[("x-housekey-key", cut)], "");
    assert_eq!(refused(&answer).0, 401);
    let answer =
        send(&mut server, "GET", "/openapi", &[("x-housekey-key", "a"), ("x-housekey-key", "b")], "");
    assert_eq!(refused(&answer).0, 400);
    assert!(server.asked.is_empty());
}

#[test]
fn the_head_is_judged_before_the_body_and_everything_is_told_in_json() {
    let json = ("content-type", "application/json");
    let call = "/openapi/execute_query";
    for (method, target, headers, body, wanted, reason) in [
        ("POST", "/openapi", &[json][..], "{}", 405, "GET only"),
        ("HEAD", "/openapi", &[], "", 405, "GET only"),
        ("GET", "/openapi/other", &[], "", 405, "POST only"),
        ("PUT", "/openapi/other", &[json], "{}", 405, "POST only"),
        ("DELETE", call, &[], "", 405, "GET, POST only"),
        ("HEAD", "/openapi/execute_query?query=SELECT+1", &[], "", 405, "GET, POST only"),
        ("POST", "/openapi/other", &[json], "{}", 404, "there is no tool \"other\""),
        ("POST", "/openapi/", &[json], "{}", 405, "GET only"),
        ("POST", "/openapi/a/b", &[json], "{}", 404, "there is no tool \"a/b\""),
        ("POST", "/openapi/tools/call", &[json], "{}", 404, "there is no tool"),
        ("GET", "/openapi?x=1", &[], "", 400, "no query parameter \"x\""),
        ("POST", "/openapi/execute_query?query=SELECT+1", &[json], "{}", 400, "no query parameter \"query\""),
        ("GET", call, &[], "", 400, "`query` is missing"),
        ("GET", "/openapi/execute_query?query=", &[], "", 400, "`query` is empty"),
        ("GET", "/openapi/execute_query?query=SELECT+1&limit=0", &[], "", 400, "`limit` must be"),
        (
            "GET",
            "/openapi/execute_query?query=SELECT+1&limit=x",
            &[],
            "",
            400,
            "\"limit\" must be a whole number",
        ),
        (
            "GET",
            "/openapi/execute_query?query=SELECT+1&readonly=0",
            &[],
            "",
            400,
            "no query parameter \"readonly\"",
        ),
        ("GET", "/openapi/execute_query?query=SELECT+1&query=DROP", &[], "", 400, "given twice"),
        ("GET", "/openapi/execute_query?query=50%", &[], "", 400, "percent"),
        ("GET", "/openapi/execute_query?query=INSERT+INTO+t+VALUES+(1)", &[], "", 400, "INSERT"),
        ("GET", "/openapi/execute_query?query=DROP+TABLE+t", &[], "", 400, "DROP"),
        ("GET", "/openapi/execute_query?query=SELECT+1;DROP+TABLE+t", &[], "", 400, ""),
        (
            "GET",
            "/openapi/execute_query?query=SELECT+1",
            &[("accept", "text/html")],
            "",
            406,
            "application/json",
        ),
        ("GET", "/openapi", &[("accept", "text/event-stream")], "", 406, "application/json"),
        ("POST", call, &[json, ("accept", "text/*")], "{}", 406, "application/json"),
        ("POST", call, &[], "{}", 415, "Content-Type"),
        ("POST", call, &[("content-type", "text/plain")], "{}", 415, "Content-Type"),
        ("POST", call, &[json, ("content-length", "99999999999")], "{}", 413, "bytes"),
        ("POST", call, &[json], "", 400, "not JSON"),
        ("POST", call, &[json], "{", 400, "not JSON"),
        ("POST", call, &[json], "[]", 400, "JSON object"),
        ("POST", call, &[json], "\"SELECT 1\"", 400, "JSON object"),
        ("POST", call, &[json], r#"{"query":"SELECT 1","query":"SELECT 2"}"#, 400, "twice"),
        ("POST", call, &[json], r#"{"query":1}"#, 400, "`query` must be a string"),
        ("POST", call, &[json], r#"{"query":"SELECT 1","sql":""}"#, 400, "no argument \"sql\""),
        ("GET", "/openapi/execute_query?query=SELECT+1", &[], "surplus", 413, "0 bytes"),
        ("GET", "/openapi", &[("origin", "https://evil.example")], "", 403, "Origin"),
        ("GET", "/openapi", &[("host", "evil.example")], "", 403, "Host"),
        (
            "GET",
            "/openapi/execute_query?query=SELECT+1",
            &[("sec-fetch-site", "cross-site")],
            "",
            403,
            "another site",
        ),
        (
            "GET",
            "/openapi/execute_query?query=SELECT+1",
            &[("sec-fetch-site", "same-site")],
            "",
            403,
            "another site",
        ),
    ] {
        let mut server = Scripted::new(OPEN);
        let answer = send(&mut server, method, target, headers, body);
        let (status, told) = refused(&answer);
        assert!(status == wanted && told.contains(reason), "{method} {target}: {status} {told}");
        assert_eq!(answer.headers().contains_key("allow"), status == 405, "{method} {target}");
        assert!(server.asked.is_empty(), "{method} {target}");
    }
}

#[test]
fn people_who_follow_a_link_and_pages_that_are_let_in_are_served() {
    for headers in [
        &[("sec-fetch-site", "none")][..],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:3000")],
    ] {
        let mut server = Scripted::new(OPEN);
        server.script.push_back(rows(&[1]));
        let answer = send(&mut server, "GET", "/openapi/execute_query?query=SELECT+1", headers, "");
        assert_eq!(answer.status(), 200, "{headers:?}");
    }
}

#[test]
fn what_clickhouse_says_decides_on_the_status() {
    for (code, wanted) in [
        (62, 400),
        (47, 400),
        (60, 400),
        (241, 400),
        (164, 403),
        (497, 403),
        (516, 403),
        (192, 403),
        (201, 429),
        (210, 502),
        (202, 503),
        (159, 504),
    ] {
        let mut server = Scripted::new(OPEN);
        let exception =
            Exception { code, name: "NAME".into(), message: "words".into(), before_execution: false };
        server.script.push_back(World::Rows(vec![QueryEvent::Exception(exception)]));
        let answer = get(&mut server, "/openapi/execute_query?query=SELECT+1");
        let (status, told) = refused(&answer);
        assert_eq!(status, wanted, "{code}");
        assert!(told.contains(&format!("Code {code} (NAME): words")), "{told}");
    }
    let mut server = Scripted::new(OPEN);
    server.script.push_back(World::Rows(vec![QueryEvent::Broken("ClickHouse could not be reached".into())]));
    let (status, told) = refused(&get(&mut server, "/openapi/execute_query?query=SELECT+1"));
    assert!(status == 502 && told.contains("could not be reached"), "{status} {told}");
}

#[test]
fn errors_are_logged_without_the_words_of_the_statement() {
    let mut server = Scripted::new(OPEN);
    for target in [
        "/openapi/execute_query?query=DROP+TABLE+secret_plans",
        "/openapi/execute_query?secret_plans=1",
        "/openapi/secret_plans",
    ] {
        let answer =
            if target.contains('?') { get(&mut server, target) } else { post(&mut server, target, "{}") };
        let logged = answer.extensions().get::<housekey_core::exchange::Refusal>().unwrap();
        assert!(!logged.0.contains("secret_plans"), "{}", logged.0);
    }
}

/// A tool under the name of the one that can be called by GET, which writes.
struct Impostor(Definition);

impl Tool for Impostor {
    fn definition(&self) -> &Definition {
        &self.0
    }
}

impl Task for Impostor {
    fn start(&self, _: &mut Env<'_>, _: &Call) -> ToolStep {
        ToolStep::Done(CallResult::Structured(r#"{"written":true}"#.into()))
    }

    fn resume(&self, _: &mut Env<'_>, _: &Call, _: ToolState, _: Moment) -> ToolStep {
        panic!("it never pauses")
    }
}

#[test]
fn nothing_that_writes_can_be_fetched() {
    let impostor = Impostor(Definition {
        name: "execute_query".into(),
        title: "Write".into(),
        description: "Writes".into(),
        input_schema: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
        output_schema: None,
        hints: Hints { read_only: false, destructive: true, idempotent: false, open_world: false },
    });
    let mut server = Scripted::with_tools(OPEN, Table::new(vec![Arc::new(impostor)]));
    let answer = get(&mut server, "/openapi/execute_query");
    assert_eq!(refused(&answer).0, 405);
    assert_eq!(answer.headers()["allow"], "POST");
    assert_eq!(post(&mut server, "/openapi/execute_query", "{}").status(), 200);
    let schema = body_of(&get(&mut server, "/openapi"));
    let path = &schema["paths"]["/openapi/execute_query"];
    assert!(path.get("get").is_none() && path["post"]["operationId"] == "execute_query", "{path}");
    assert_eq!(path["post"]["x-openai-isConsequential"], true);
}

#[test]
fn who_may_only_read_finds_no_path_that_writes() {
    let variables = [SECURE, OPEN].concat();
    let mut server = Scripted::with_tools(&variables, tools());
    let paths = |server: &mut Scripted, token: Option<&str>| -> Vec<String> {
        let header = token.map(|token| ("x-housekey-key", token));
        let schema = body_of(&send(server, "GET", "/openapi", header.as_slice(), ""));
        schema["paths"].as_object().unwrap().keys().cloned().collect()
    };
    let (all, reads) = (token(person("alice")), token(Claims { read_only: Some(true), ..person("alice") }));
    assert_eq!(paths(&mut server, Some(&all)), ["/openapi/execute_query", "/openapi/write"]);
    assert_eq!(paths(&mut server, Some(&reads)), ["/openapi/execute_query"]);
    assert_eq!(paths(&mut server, None), ["/openapi/execute_query"]);
    for (token, method, wanted) in
        [(&all, "POST", 200), (&reads, "POST", 404), (&all, "GET", 405), (&reads, "GET", 405)]
    {
        let headers = [("x-housekey-key", token.as_str()), ("content-type", "application/json")];
        let body = if method == "POST" { "{}" } else { "" };
        let answer = send(&mut server, method, "/openapi/write", &headers, body);
        assert_eq!(answer.status().as_u16(), wanted, "{method}");
    }
}

#[test]
fn the_schema_says_where_it_is_and_how_to_say_who_asks() {
    let mut server = secure();
    let alice = token(person("alice"));
    let open = body_of(&get(&mut server, "/openapi"));
    assert_eq!(open["openapi"], "3.1.0");
    assert_eq!(open["servers"], json!([{ "url": "http://localhost:8080" }]));
    assert_eq!(open["security"], json!([{ "token": [] }]));
    let path = &open["paths"]["/openapi/execute_query"];
    assert_eq!(path["get"]["operationId"], "execute_query");
    assert_eq!(path["post"]["operationId"], "execute_query_by_post");
    assert_eq!(path["get"]["parameters"][1]["name"], "query");
    assert_eq!(path["get"]["parameters"][1]["required"], true);
    assert!(path["get"]["description"].as_str().unwrap().len() <= 300);

    let below = get(&mut server, &format!("/{alice}/openapi"));
    assert!(!String::from_utf8_lossy(below.body()).contains(&alice[..20]), "a schema is passed on");
    let below = body_of(&below);
    assert_eq!((below.get("security"), below["components"].get("securitySchemes")), (None, None));
    let path = &below["paths"]["/{jwe_token}/openapi/execute_query"];
    assert_eq!(path["parameters"][0]["x-oai-meta"]["securityType"], "user_api_key");
    assert_eq!(path["post"]["requestBody"]["content"]["application/json"]["schema"]["required"][0], "query");

    let mut free = Scripted::new(OPEN);
    assert_eq!(body_of(&get(&mut free, "/openapi")).get("security"), None, "nobody is asked");
}

#[test]
fn the_servers_name_is_the_operators_or_that_of_the_request() {
    let named = |variables: &[(&str, &str)], headers: &[(&str, &str)], target: &str| {
        let mut server = Scripted::new(&[SECURE, OPEN, variables].concat());
        let mut request = http::Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = server.http(request.body("").unwrap());
        body_of(&answer)["servers"][0]["url"].as_str().unwrap().to_owned()
    };
    let public = |url| [("MCP_OAUTH_PUBLIC_RESOURCE_URL", url)];
    let host = [("host", "a.example:81")];
    let proxied =
        [("host", "a.example"), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")];
    assert_eq!(named(&[], &host, "/openapi"), "http://a.example:81");
    assert_eq!(named(&[("MCP_OPENAPI", "https")], &host, "/openapi"), "https://a.example:81");
    assert_eq!(named(&[], &proxied, "/openapi"), "http://a.example");
    assert_eq!(named(&[], &[], "http://b.example/openapi"), "http://b.example");
    assert_eq!(named(&[], &[("host", "user@b.example")], "/openapi"), "/");
    assert_eq!(named(&[], &[("host", "b.example/\"x")], "/openapi"), "/");
    assert_eq!(named(&public("https://p.example/mcp"), &host, "/openapi"), "https://p.example");
    assert_eq!(named(&public("https://p.example/a/"), &host, "/openapi"), "https://p.example/a");
}

#[test]
fn switched_off_it_is_not_there() {
    let mut server = Scripted::new(SECURE);
    for target in ["/openapi", "/openapi/execute_query?query=SELECT+1"] {
        let answer = get(&mut server, target);
        assert_eq!(answer.status(), 404);
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
        assert!(!String::from_utf8_lossy(answer.body()).contains("REST"));
    }
    let answer = get(&mut server, &format!("/{}/openapi", token(person("alice"))));
    assert_eq!(answer.status(), 404);
    assert!(String::from_utf8_lossy(answer.body()).contains("switched off"));
    assert!(server.asked.is_empty());
}

#[test]
fn a_guest_sees_the_call_without_the_token() {
    let mut server = secure();
    let alice = token(person("alice"));
    for (method, target, wanted) in [
        (
            "GET",
            format!("/{alice}/openapi/execute_query?query=SELECT+1%2B1&limit=2"),
            "/openapi/execute_query?query=SELECT+1%2B1&limit=2",
        ),
        ("POST", format!("/{alice}/openapi/execute_query/"), "/openapi/execute_query"),
        ("POST", format!("/{alice}/mcp"), "/mcp"),
    ] {
        let request = http::Request::builder()
            .method(method)
            .uri(target)
            .header("host", "localhost")
            .header("content-type", "application/json");
        let (head, ()) = request.body(()).unwrap().into_parts();
        let service = Arc::clone(&server.service);
        let housekey_core::exchange::Admission::Read(admitted) =
            housekey_core::exchange::admit(&mut server.env(), &service, &head)
        else {
            panic!("admitted")
        };
        assert_eq!(admitted.bare_target(), wanted);
        assert_eq!(admitted.bind().unwrap().access().subject.as_deref(), Some("alice"));
        assert!(admitted.stream_head().is_none() || wanted == "/mcp");
    }
}

#[test]
fn rows_that_talk_of_being_cut_are_not() {
    let mut server = Scripted::new(OPEN);
    let header = vec![Column { name: "truncated".into(), type_name: "String".into() }];
    let row = r#"["{\"truncated\":{\"reason\":\"rows\"}}"]"#;
    server.script.push_back(World::Rows(vec![
        QueryEvent::Header(header),
        QueryEvent::Rows([row].iter().collect()),
        QueryEvent::End,
    ]));
    let answer = get(&mut server, "/openapi/execute_query?query=SELECT+1");
    assert!(!answer.headers().contains_key("x-mcp-truncated"));
}

#[test]
fn null_is_no_argument() {
    let mut server = Scripted::new(OPEN);
    let answer = post(&mut server, "/openapi/execute_query", r#"{"query":"SELECT 1","limit":null}"#);
    assert_eq!(refused(&answer), (400, "`limit` is null: leave it out".to_owned()));
    assert!(server.queries().is_empty());
}
