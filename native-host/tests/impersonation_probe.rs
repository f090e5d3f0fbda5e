//! What `housekey test-connection` and the log say is missing, against a real ClickHouse.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use housekey::demo::clickhouse::{ClickHouse, Options, Silent, cache_folder, demo_data, install};
use housekey::host::{Native, install_cryptography};
use housekey::probe::{Findings, test};
use housekey::talk::Outbox;
use housekey::{drive, serve};
use housekey_core::clickhouse::{
    ChosenBy, Credential, Endpoint, Exception, QueryEvent, QueryRequest, ReadLimits, RunAs, Scheme, Statement,
};
use housekey_core::config::{self, Config, Host, Sources};
use housekey_core::exchange::{Inbound, Reply, Step, begin};
use housekey_core::sql::{DenyList, ImpersonatedUser, Inner, ReadOnlySql, Rules};
use tokio::sync::{OnceCell, mpsc};
use tracing_subscriber::fmt::MakeWriter;

/// Three gateways with something missing, and one that may be anybody.
const USERS: &str = "
    <powerless><password>p</password><networks><ip>127.0.0.1</ip></networks>
        <profile>default</profile><quota>default</quota><grants><query>GRANT SELECT ON sales.*</query></grants>
    </powerless>
    <fixed><password>p</password><networks><ip>127.0.0.1</ip></networks>
        <profile>fixed</profile><quota>default</quota><grants><query>GRANT IMPERSONATE ON *</query></grants>
    </fixed>
    <mighty><password>p</password><networks><ip>127.0.0.1</ip></networks>
        <profile>default</profile><quota>default</quota><grants><query>GRANT IMPERSONATE ON *</query></grants>
    </mighty>
    <writer><password>p</password><networks><ip>127.0.0.1</ip></networks>
        <profile>default</profile><quota>default</quota>
        <grants><query>GRANT SELECT, INSERT ON sales.*</query><query>GRANT CREATE TEMPORARY TABLE ON *.*</query>
            <query>GRANT TABLE ENGINE ON *</query></grants>
    </writer>
    <inserter><password>p</password><networks><ip>127.0.0.1</ip></networks>
        <profile>default</profile><quota>default</quota><grants><query>GRANT INSERT ON sales.*</query></grants>
    </inserter>";

async fn clickhouse() -> &'static ClickHouse {
    static CLICKHOUSE: OnceCell<ClickHouse> = OnceCell::const_new();
    CLICKHOUSE
        .get_or_init(|| async {
            install_cryptography();
            let installation = install(&cache_folder().unwrap(), &Silent).await.unwrap();
            let options = Options {
                extra_users: USERS.to_owned(),
                extra_impersonation: vec!["writer".to_owned()],
                extra_profiles: "<fixed><readonly>1</readonly></fixed>".to_owned(),
                init: demo_data(),
                ..Options::default()
            };
            ClickHouse::start(&installation, options).await.unwrap()
        })
        .await
}

fn config(variables: &[(&str, &str)]) -> Config {
    let base = [("MCP_TRANSPORT", "stdio"), ("CLICKHOUSE_HOST", "127.0.0.1")];
    let environment =
        base.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let sources = Sources { environment, ..Sources::default() };
    let loaded = config::load(Host::Native, &sources, &|_| Err("no files here".into()));
    loaded.unwrap_or_else(|error| panic!("{error}")).config
}

/// A gateway over HTTP or the native protocol.
async fn gateway(user: &str, password: &str, protocol: &str) -> Config {
    let clickhouse = clickhouse().await;
    let port = if protocol == "tcp" { clickhouse.tcp_port() } else { clickhouse.http_port() }.to_string();
    config(&[
        ("CLICKHOUSE_PORT", &port),
        ("CLICKHOUSE_PROTOCOL", protocol),
        ("CLICKHOUSE_USERNAME", user),
        ("CLICKHOUSE_PASSWORD", password),
        ("CLICKHOUSE_IMPERSONATION", "execute_as"),
        // Only who is asked for a token can be acted for.
        ("MCP_TRANSPORT", "http"),
        ("MCP_ALLOW_JWE_AUTH", "true"),
        ("MCP_JWE_SECRET_KEY", "a secret key of some length, for tests"),
        ("MCP_JWT_SECRET_KEY", "another secret key of some length, for tests"),
    ])
}

async fn member(person: &str, name: &str, secret: &str) -> Config {
    let port = clickhouse().await.tcp_port().to_string();
    config(&[
        ("CLICKHOUSE_PORT", &port),
        ("CLICKHOUSE_PROTOCOL", "tcp"),
        ("CLICKHOUSE_USERNAME", person),
        ("CLICKHOUSE_CLUSTER_NAME", name),
        ("CLICKHOUSE_CLUSTER_SECRET", secret),
    ])
}

async fn found(config: &Config, person: Option<&str>) -> (bool, String) {
    let Findings { lines, well } = test(config, person).await.unwrap();
    (well, lines.join("\n"))
}

#[tokio::test]
async fn a_gateway_hears_what_it_lacks() {
    let password = clickhouse().await.gateway_password();
    for protocol in ["http", "tcp"] {
        for (user, password, person, well, wanted) in [
            ("gateway", password, None, true, "gateway may act for some users"),
            ("gateway", password, Some("alice"), true, r#""alice""#),
            ("gateway", password, Some("alice"), true, "the rights to write are missing"),
            (
                "gateway",
                password,
                Some("writer"),
                true,
                r#""writer" was granted "CREATE TEMPORARY TABLE", and under"#,
            ),
            ("gateway", password, Some("nobody"), false, r#"GRANT IMPERSONATE ON "nobody" TO "gateway""#),
            ("mighty", "p", None, true, "mighty may act for everybody"),
            ("mighty", "p", Some("nobody"), false, r#"ClickHouse has no user "nobody""#),
            ("powerless", "p", None, false, "may act for nobody: GRANT IMPERSONATE"),
            ("powerless", "p", Some("alice"), false, r#"GRANT IMPERSONATE ON "alice" TO "powerless""#),
            ("fixed", "p", None, false, "the profile of the gateway's user is read-only"),
            ("fixed", "p", Some("alice"), false, "the profile of the gateway's user is read-only"),
            ("gateway", "a wrong password", None, false, "the user or the password is wrong"),
        ] {
            let (is_well, text) = found(&gateway(user, password, protocol).await, person).await;
            assert!(text.contains(wanted) && is_well == well, "{protocol} {user} {person:?}: {text}");
            assert!(!text.contains("a wrong password"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_member_hears_that_its_cluster_does_not_take_it() {
    let clickhouse = clickhouse().await;
    let (name, secret) = (clickhouse.cluster_name(), clickhouse.cluster_secret());
    assert!(found(&member("alice", name, secret).await, Some("bob")).await.0);
    for (name, secret, person) in
        [(name, "a wrong secret", "alice"), ("elsewhere", secret, "alice"), (name, secret, "nobody")]
    {
        let (well, text) = found(&member(person, name, secret).await, None).await;
        assert!(!well && text.contains("`clickhouse.cluster_secret`"), "{text}");
        assert!(!text.contains(secret), "{text}");
    }
    // Once the secret was right, it is the user.
    let (well, text) = found(&member("alice", name, secret).await, Some("nobody")).await;
    assert!(!well && text.contains("nobody"), "{text}");
}

/// Where `readonly` can be sent, the server is asked to keep a word that it gives for rights that are there.
#[tokio::test]
async fn whether_read_only_is_held_is_tried() {
    let clickhouse = clickhouse().await;
    let (name, secret) = (clickhouse.cluster_name(), clickhouse.cluster_secret());
    for (person, wanted) in [
        ("writer", "it refuses a write for `readonly`"),
        ("bob", "the rights to write are missing"),
        (
            "inserter",
            "is not known: the write that is tried needs a right that is missing, but INSERT is there",
        ),
    ] {
        let (well, text) = found(&member("alice", name, secret).await, Some(person)).await;
        assert!(well && text.contains(wanted), "{text}");
    }
    for (port, protocol) in [(clickhouse.http_port(), "http"), (clickhouse.tcp_port(), "tcp")] {
        let port = port.to_string();
        let login = config(&[
            ("CLICKHOUSE_PORT", &port),
            ("CLICKHOUSE_PROTOCOL", protocol),
            ("CLICKHOUSE_USERNAME", "writer"),
            ("CLICKHOUSE_PASSWORD", "p"),
        ]);
        let (well, text) = found(&login, None).await;
        assert!(well && text.contains("it refuses a write for `readonly`"), "{protocol}: {text}");
    }
}

/// What was logged in this thread, where all of a test runs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Waits for a line. Others of this thread run meanwhile.
    async fn says(&self, wanted: &str) -> String {
        let waiting = async {
            while !self.text().contains(wanted) {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await;
        assert!(waited.is_ok(), "no {wanted:?} in {}", self.text());
        self.text()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text())
    }
}

/// Asks a query as this service's caller.
async fn call(native: &Native, sql: &str) -> String {
    let session = native.step(|env| native.service().open_session(env)).unwrap();
    let line =
        |line: String, session| Inbound::Line(Arc::clone(native.service()), Bytes::from(line), session);
    let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    let step = native.step(|env| begin(env, line(hello.to_owned(), session)));
    let Step::Done(Reply::Lines { session: Some(session), .. }) = step else { panic!("no session") };
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"execute_query","arguments":{{"query":"{sql}"}}}}}}"#
    );
    let step = native.step(|env| begin(env, line(call, session)));
    let (outbox, _messages) = mpsc::channel(8);
    let outbox = Outbox::Channel(outbox);
    let client = drive::Client { outbox: &outbox, waiting: None, talk: None };
    let reply = drive::drive(native, step, &client).await;
    let Reply::Lines { messages, .. } = reply else { panic!("no lines") };
    messages.concat()
}

fn listen() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let lines = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    (log, tracing::subscriber::set_default(lines))
}

#[tokio::test]
async fn the_log_says_at_the_start_what_is_missing() {
    let password = clickhouse().await.gateway_password();
    let (log, _listening) = listen();
    for (user, password, wanted) in [
        ("gateway", password, "for those on whom IMPERSONATE is granted"),
        ("powerless", "p", "the gateway's user may act for nobody"),
        ("fixed", "p", "read-only, which forbids EXECUTE AS"),
    ] {
        let native = serve::native(gateway(user, password, "http").await).unwrap();
        native.watch().begin();
        let text = log.says(wanted).await;
        assert!(!text.contains(clickhouse().await.gateway_password()), "{text}");
    }
}

#[tokio::test]
async fn the_log_says_once_why_queries_fail_and_nothing_of_them() {
    let (name, secret) = (clickhouse().await.cluster_name(), clickhouse().await.cluster_secret());
    let (log, _listening) = listen();
    let native = serve::native(member("alice", name, "a wrong secret").await).unwrap();
    for _ in 0..2 {
        let answer = call(&native, "SELECT 'confidential'").await;
        assert!(answer.contains("\"isError\":true"), "{answer}");
    }
    log.says("cannot be acted for").await;
    let native = serve::native(member("alice", name, secret).await).unwrap();
    call(&native, "SELECT 'confidential' FROM hr.salaries").await;
    let text = log.says(r#""alice" lacks a right of their own"#).await;
    assert_eq!(text.matches("cannot be acted for").count(), 1, "{text}");
    for hidden in ["confidential", "a wrong secret", secret] {
        assert!(!text.contains(hidden), "{text}");
    }
}

/// A query as somebody, through a gateway that may be anybody.
async fn executed_as(person: &str) -> QueryRequest {
    let rules = Rules::internal();
    let port = clickhouse().await.http_port();
    QueryRequest {
        endpoint: Endpoint { scheme: Scheme::Http, host: "127.0.0.1".into(), port },
        chosen_by: ChosenBy::Operator,
        credential: Credential::Password { username: "mighty".into(), password: "p".into() },
        run_as: RunAs::ExecuteAs(
            ImpersonatedUser::parse(person, &DenyList::new("mighty", &[], &[])).unwrap(),
        ),
        roles: Vec::new(),
        database: None,
        statement: Statement::ReadOnly(ReadOnlySql::parse("SELECT 'confidential'", &rules).unwrap()),
        parameters: Vec::new(),
        data: None,
        inner: Inner::default(),
        settings: Vec::new(),
        headers: Vec::new(),
        trace: None,
        query_id: "the-query".to_owned(),
        deadline_seconds: 30,
        progress: false,
        refused: Vec::new(),
        limits: ReadLimits { row_bytes: 1024 },
    }
}

#[tokio::test]
async fn the_log_says_after_a_failure_what_a_new_attempt_shows() {
    let (log, _listening) = listen();
    for (person, code, message, wanted) in [
        ("nobody", 192, "There is no user confidential", r#"ClickHouse has no user "nobody""#),
        ("alice", 62, "Syntax error: confidential", r#"acting for "alice" works"#),
        ("alice", 49, "For query analysis table expression must be empty: confidential", "bug 100695"),
        ("alice", 497, "alice: Not enough privileges for confidential", "lacks a right of their own"),
    ] {
        let native = serve::native(gateway("mighty", "p", "http").await).unwrap();
        let (name, message) = (String::new(), message.to_owned());
        let event = QueryEvent::Exception(Exception { code, name, message, before_execution: true });
        native.watch().notice(&executed_as(person).await, &event);
        let text = log.says(wanted).await;
        assert!(text.contains("the-query") && !text.contains("confidential"), "{text}");
    }
}
