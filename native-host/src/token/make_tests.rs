//! Tests of [`super`].

use serde_json::Value;

use super::super::judge::tests::judge;
use super::super::{Task, command, task};
use super::*;

const NOW: UnixTime = UnixTime::from_millis(1_000_500);

fn wish_of(line: &str) -> Result<Box<Wish>, clap::Error> {
    let matches = command().try_get_matches_from(["token"].into_iter().chain(line.split_whitespace()))?;
    match task(&matches) {
        Task::Make(wish) => Ok(wish),
        Task::Inspect(question) => panic!("{question:?}"),
    }
}

fn judge_of(environment: &[(&str, &str)]) -> Judge {
    let secrets = [("MCP_JWE_SECRET_KEY", "a"), ("MCP_JWT_SECRET_KEY", "b")];
    let environment: Vec<_> = secrets.iter().chain(environment).copied().collect();
    judge(&environment).unwrap()
}

/// The claims of the token that a command line makes, and what is said against it.
fn made(environment: &[(&str, &str)], line: &str) -> (Claims, Option<String>) {
    let (judge, wish) = (judge_of(environment), wish_of(line).unwrap());
    let claims = wish.claims(|| Ok("typed".into())).unwrap();
    let (token, doubt) = make(&judge, claims, wish.expiry, NOW).unwrap();
    (read(&judge.keys, &token).unwrap().claims, doubt)
}

fn dated(claims: Claims) -> Claims {
    Claims { exp: Some(UnixTime::from_seconds(4600)), ..claims }
}

#[test]
fn only_what_is_given_becomes_a_claim() {
    assert_eq!(made(&[], ""), (dated(Claims::default()), None));
}

#[test]
fn every_flag_becomes_its_claim() {
    let text = |text: &str| Some(text.to_owned());
    for (line, claims) in [
        ("--email alice@example.com", Claims { email: text("alice@example.com"), ..Claims::default() }),
        ("--sub s", Claims { sub: text("s"), ..Claims::default() }),
        ("--host h", Claims { host: text("h"), ..Claims::default() }),
        ("--port 9000", Claims { port: NonZero::new(9000), ..Claims::default() }),
        ("--database d", Claims { database: text("d"), ..Claims::default() }),
        ("--username u", Claims { username: text("u"), ..Claims::default() }),
        ("--password -p", Claims { password: Some("-p".into()), ..Claims::default() }),
        ("--password=", Claims::default()),
        ("--password -", Claims { password: Some("typed".into()), ..Claims::default() }),
        ("--protocol http", Claims { protocol: Some(Protocol::Http), ..Claims::default() }),
        ("--protocol tcp", Claims { protocol: Some(Protocol::Tcp), ..Claims::default() }),
        ("--read-only", Claims { read_only: Some(true), ..Claims::default() }),
        ("--limit 7", Claims { limit: NonZero::new(7), ..Claims::default() }),
        ("--max-execution-time 8", Claims { max_execution_time: NonZero::new(8), ..Claims::default() }),
        ("--tls", Claims { tls_enabled: Some(true), ..Claims::default() }),
        ("--tls-ca-cert /c", Claims { tls_ca_cert: text("/c"), ..Claims::default() }),
        ("--tls-client-cert c", Claims { tls_client_cert: text("c"), ..Claims::default() }),
        ("--tls-client-key k", Claims { tls_client_key: text("k"), ..Claims::default() }),
        ("--tls-insecure-skip-verify", Claims { tls_insecure_skip_verify: Some(true), ..Claims::default() }),
    ] {
        assert_eq!(made(&[], line).0, dated(claims), "{line}");
    }
    assert_eq!(made(&[], "--expiry 60").0.exp, Some(UnixTime::from_seconds(1060)));
}

#[test]
fn values_that_mean_nothing_are_refused_with_what_they_must_be() {
    for (line, wanted) in [
        ("--expiry 0", "from 1 to 3153600000"),
        ("--expiry 3153600001", "from 1 to 3153600000"),
        ("--expiry -1", "from 1 to 3153600000"),
        ("--expiry 1h", "from 1 to 3153600000"),
        ("--limit 0", "at least 1"),
        ("--max-execution-time 1.5", "at least 1"),
        ("--port 65536", "from 1 to 65535"),
        ("--protocol https", "http, tcp"),
        ("--email=", "--email <ADDRESS>"),
        ("--username=", "--username <NAME>"),
        ("--print-config emacs", "claude, cursor, vscode, curl"),
        ("--print-config curl --url localhost:8080", "http://"),
        ("--url http://localhost/mcp", "--print-config"),
        ("--email a inspect", "inspect"),
    ] {
        let error = wish_of(line).map(|wish| panic!("{line}: {wish:?}")).unwrap_err().to_string();
        assert!(error.contains(wanted), "{line}: {error}");
    }
    let error = wish_of("--pasword=hunter2").unwrap_err().to_string();
    assert!(error.contains("--password") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_token_that_would_be_refused_is_warned_about() {
    let list = ("MCP_JWE_ALLOWED_HOSTS", "db.example.com:8443");
    let folder = ("MCP_JWE_TLS_DIRECTORY", "/etc/housekey/tls");
    let login = "--username u --password hunter2";
    let tls = "--host db.example.com --port 8443 --tls";
    for (environment, line, wanted) in [
        (&[][..], "--host h".to_owned(), Some("username and password")),
        (&[], "--protocol http".to_owned(), Some("username and password")),
        (&[], format!("--protocol tcp {login}"), None),
        (&[], format!("--host db.example.com {login}"), None),
        (&[list], format!("--host db.example.com {login}"), Some("server.jwe.allowed_hosts")),
        (&[list], format!("{tls} {login}"), None),
        (&[list], format!("{tls} --tls-ca-cert ca.pem {login}"), Some("server.jwe.tls_directory")),
        (&[list, folder], format!("{tls} --tls-ca-cert ca.pem {login}"), None),
        (&[list, folder], format!("{tls} --tls-ca-cert /etc/passwd {login}"), Some("tls_ca_cert")),
        (&[list, folder], format!("{tls} --tls-client-cert c.pem {login}"), Some("tls_client_key")),
        (&[], format!("--tls-insecure-skip-verify {login}"), Some("tls_enabled")),
        (&[("MCP_JWE_MAX_LIFETIME", "60")], "--expiry 61".to_owned(), Some("--expiry is 61, and")),
        (&[("MCP_JWE_MAX_LIFETIME", "60")], "--expiry 60".to_owned(), None),
    ] {
        let (_, doubt) = made(environment, &line);
        match (wanted, doubt) {
            (None, None) => {}
            (Some(wanted), Some(doubt)) => {
                assert!(doubt.contains(wanted) && !doubt.contains("hunter2"), "{line}: {doubt}");
            }
            (wanted, doubt) => panic!("{line}: {doubt:?} instead of {wanted:?}"),
        }
    }
    let impersonation = [("CLICKHOUSE_IMPERSONATION", "execute_as"), ("CLICKHOUSE_USERNAME", "gateway")];
    assert_eq!(made(&impersonation, "--email alice@example.com").1, None);
    assert!(made(&impersonation, "--email default").1.unwrap().contains("nobody may act"));
    assert!(made(&impersonation, "--read-only").1.unwrap().contains("identity"));
    let doubt = made(&[("CLICKHOUSE_PORT", "eight")], "").1.unwrap();
    assert!(doubt.starts_with("no server starts") && !doubt.contains("would refuse"), "{doubt}");
}

#[test]
fn a_configuration_of_a_client_holds_the_token_and_where_housekey_is() {
    let printed = |environment: &[(&str, &str)], line: &str| {
        printed(&judge_of(environment), &wish_of(line).unwrap(), "the-token")
    };
    let url_of = |environment: &[(&str, &str)], line: &str| {
        let json: Value = serde_json::from_str(&printed(environment, line).unwrap()).unwrap();
        let server = &json["mcpServers"]["housekey"];
        assert_eq!(server["headers"]["Authorization"], "Bearer the-token");
        server["url"].as_str().unwrap().to_owned()
    };
    let public = [("MCP_OAUTH_PUBLIC_RESOURCE_URL", "https://mcp.example.com/mcp"), ("MCP_PORT", "0")];
    assert_eq!(url_of(&[], "--print-config claude"), "http://127.0.0.1:8080/mcp");
    assert_eq!(url_of(&[("MCP_PORT", "9")], "--print-config cursor"), "http://127.0.0.1:9/mcp");
    for (address, wanted) in [
        ("10.0.0.7", "http://10.0.0.7:8080/mcp"),
        ("mcp.lan", "http://mcp.lan:8080/mcp"),
        ("2001:db8::7", "http://[2001:db8::7]:8080/mcp"),
        ("0.0.0.0", "http://127.0.0.1:8080/mcp"),
        ("::", "http://127.0.0.1:8080/mcp"),
    ] {
        assert_eq!(url_of(&[("MCP_ADDRESS", address)], "--print-config claude"), wanted);
    }
    assert_eq!(url_of(&public, "--print-config claude"), "https://mcp.example.com/mcp");
    assert_eq!(url_of(&public, "--print-config claude --url http://h/mcp"), "http://h/mcp");
    assert!(printed(&public[1..], "--print-config vscode").unwrap_err().to_string().contains("--url"));
    for (name, value) in [("MCP_ADDRESS", "fe80::1%eth0"), ("CLICKHOUSE_PORT", "eight")] {
        let error = printed(&[(name, value)], "--print-config vscode").unwrap_err().to_string();
        assert!(error.contains("--url"), "{error}");
        assert_eq!(url_of(&[(name, value)], "--print-config claude --url http://h/mcp"), "http://h/mcp");
    }
    assert_eq!(printed(&[], "").unwrap(), "the-token");
    let curl = printed(&[], "--print-config curl").unwrap();
    assert!(curl.starts_with("curl ") && curl.contains("'Authorization: Bearer the-token'"), "{curl}");
}
