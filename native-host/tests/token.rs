//! `housekey token` as a shell sees it: what stands on which output, and the exit code.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use housekey_core::jose::token::{TokenKeys, read};
use housekey_core::secret::Secret;
use serde_json::Value;

const SECRETS: [(&str, &str); 2] =
    [("MCP_JWE_SECRET_KEY", "an encryption secret"), ("MCP_JWT_SECRET_KEY", "a signing secret")];

/// What nobody must ever see.
const PASSWORD: &str = "hunter2-in-the-token";

/// Half of a server's environment: with it, none starts.
const HALF: (&str, &str) = ("CLICKHOUSE_PORT", "eight");

/// Runs the program with nothing but these variables around it, and this on its standard input.
fn housekey(environment: &[(&str, &str)], arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_housekey"));
    command.env_clear().envs(environment.iter().copied()).arg("token").args(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who does not read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    for stream in [&output.stdout, &output.stderr] {
        let text = str::from_utf8(stream).unwrap();
        for secret in SECRETS.map(|(_, secret)| secret).into_iter().chain([PASSWORD]) {
            assert!(!text.contains(secret), "{arguments:?} shows a secret: {text}");
        }
    }
    output
}

fn text(stream: &[u8]) -> &str {
    str::from_utf8(stream).unwrap()
}

#[test]
fn a_token_goes_through_a_pipe() {
    let login = ["--host", "db.example.com", "--username", "u", "--password", PASSWORD];
    let made = housekey(&SECRETS, &login, "");
    let token = text(&made.stdout);
    assert_eq!((made.status.code(), text(&made.stderr)), (Some(0), ""));
    assert_eq!((token.lines().count(), token.split('.').count()), (1, 5));
    let good = housekey(&SECRETS, &["inspect"], token);
    assert_eq!((good.status.code(), text(&good.stderr)), (Some(0), ""));
    let shown: Value = serde_json::from_slice(&good.stdout).unwrap();
    assert_eq!((&shown["accepted"], &shown["claims"]["password"]), (&true.into(), &"***".into()));
    for arguments in [&["inspect", "-"][..], &["inspect", token.trim()], &["inspect", "Bearer", token.trim()]]
    {
        let again = housekey(&SECRETS, arguments, token);
        assert_eq!(again.stdout, good.stdout, "{arguments:?}");
    }
}

#[test]
fn a_token_that_does_not_open_leaves_standard_output_empty() {
    let token = text(&housekey(&SECRETS, &["--password", PASSWORD], "").stdout).trim().to_owned();
    let changed = format!("{}{}", if token.ends_with('A') { "B" } else { "A" }, &token[1..]);
    let wrong = [("MCP_JWE_SECRET_KEY", "another secret"), SECRETS[1]];
    let three = token.rsplit_once('.').map(|(rest, _)| rest).unwrap();
    for (environment, input, wanted) in [
        (&SECRETS[..], "", "the token is empty"),
        (&SECRETS, three, "was it copied whole?"),
        (&SECRETS, &changed, "the header is not"),
        (&wrong, &token, "MCP_JWE_SECRET_KEY"),
        (&SECRETS[..1], &token, "no signing secret"),
        (&SECRETS[1..], &token, "give --jwe-secret-key"),
    ] {
        let output = housekey(environment, &["inspect"], input);
        let told = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{told}");
        assert!(told.contains(wanted) && told.lines().count() == 1, "{told}");
        assert!(!told.contains(&token[40..60]), "{told}");
    }
}

#[test]
fn a_token_that_would_be_refused_is_told_about_on_standard_error() {
    let made = housekey(&SECRETS, &["--host", "db.example.com", "--password", PASSWORD], "");
    assert_eq!((made.status.code(), text(&made.stdout).lines().count()), (Some(0), 1));
    assert!(text(&made.stderr).starts_with("housekey: warning: "), "{}", text(&made.stderr));
    let refused = housekey(&SECRETS, &["inspect"], text(&made.stdout));
    let shown: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((refused.status.code(), &shown["accepted"]), (Some(1), &false.into()));
    let reason = shown["reason"].as_str().unwrap();
    assert!(text(&refused.stderr).contains(reason), "{}", text(&refused.stderr));
}

#[test]
fn nothing_is_said_of_a_server_that_does_not_start() {
    let half = [SECRETS[0], SECRETS[1], HALF];
    let made = housekey(&half, &["--email", "alice"], "");
    assert_eq!((made.status.code(), text(&made.stdout).lines().count()), (Some(0), 1));
    let told = text(&made.stderr);
    assert!(told.starts_with("housekey: warning: no server starts") && told.contains(HALF.0), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    let inspected = housekey(&half, &["inspect"], text(&made.stdout));
    let shown: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let shown = shown.as_object().unwrap();
    assert_eq!((inspected.status.code(), &shown["accepted"]), (Some(1), &Value::Null));
    assert!(!shown.contains_key("runs_as") && shown["claims"]["email"] == "alice", "{shown:?}");
    let (told, reason) = (text(&inspected.stderr), shown["reason"].as_str().unwrap());
    assert!(told.contains(HALF.0) && told.contains(reason) && told.lines().count() == 1, "{told}");
}

#[test]
fn a_password_may_come_through_a_pipe() {
    let login = ["--host", "db.example.com", "--username", "u", "--password", "-"];
    let (typed, given) = (format!("{PASSWORD}\nsomething else\n"), [&login[..5], &[PASSWORD]].concat());
    let password_of = |made: &Output| {
        assert_eq!((made.status.code(), text(&made.stderr)), (Some(0), ""));
        let keys = TokenKeys::new(&[Secret::from(SECRETS[0].1)], &[Secret::from(SECRETS[1].1)]).unwrap();
        read(&keys, text(&made.stdout).trim()).unwrap().claims.password
    };
    let typed = password_of(&housekey(&SECRETS, &login, &typed));
    assert_eq!((&typed, &typed), (&Some(PASSWORD.into()), &password_of(&housekey(&SECRETS, &given, ""))));
    let nothing = housekey(&SECRETS, &login, "");
    assert_eq!((nothing.status.code(), text(&nothing.stdout)), (Some(1), ""));
    assert!(text(&nothing.stderr).contains("the password"), "{}", text(&nothing.stderr));
}

#[test]
fn a_configuration_is_all_that_is_printed() {
    for client in ["claude", "cursor", "vscode"] {
        let output = housekey(&SECRETS, &["--email", "alice", "--print-config", client], "");
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(shown.to_string().contains("Bearer eyJ"), "{client}: {shown}");
        assert_eq!(text(&output.stderr), "");
    }
}
