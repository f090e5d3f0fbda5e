//! One ClickHouse for all tests, and the queries that they ask.

use std::sync::Arc;
use std::time::Duration;

use housekey::clickhouse::{Answer, Bounds, Client};
use housekey::demo::clickhouse::{ClickHouse, Options, Silent, cache_folder, demo_data, install};
use housekey::host::install_cryptography;
use housekey_core::clickhouse::{
    ChosenBy, Credential, Endpoint, Exception, QueryEvent, QueryRequest, Reach, ReadLimits, RunAs, Scheme,
    Statement, TokenServer, TokenTls,
};
use housekey_core::config::{self, Config, Host, Sources};
use housekey_core::secret::Secret;
use housekey_core::sql::{DenyList, ImpersonatedUser, Inner, ReadOnlySql, Rules};
use tokio::sync::OnceCell;

/// Somebody who may write, and for whom the gateway may act.
const WRITER: &str = "<writer><password>of the writer</password><networks><ip>127.0.0.1</ip></networks>\
    <profile>default</profile><quota>default</quota><grants>\
    <query>GRANT SELECT, INSERT ON scratch.*</query><query>GRANT CREATE TEMPORARY TABLE ON *.*</query>\
    </grants></writer>";

/// It ends with this process, whose end of a pipe it watches.
pub(crate) async fn clickhouse() -> &'static ClickHouse {
    static CLICKHOUSE: OnceCell<ClickHouse> = OnceCell::const_new();
    CLICKHOUSE
        .get_or_init(|| async {
            install_cryptography();
            let installation = install(&cache_folder().unwrap(), &Silent).await.unwrap();
            let mut init = demo_data();
            init.push("CREATE DATABASE scratch".to_owned());
            let options = Options {
                extra_users: WRITER.to_owned(),
                extra_impersonation: vec!["writer".to_owned()],
                init,
                ..Options::default()
            };
            ClickHouse::start(&installation, options).await.unwrap()
        })
        .await
}

/// A configuration from variables.
pub(crate) fn config(variables: &[(&str, &str)]) -> Config {
    let environment = [("MCP_TRANSPORT", "http"), ("CLICKHOUSE_PROTOCOL", "tcp")];
    let all = environment.iter().chain(variables);
    let environment = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let sources = Sources { environment, ..Sources::default() };
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
    config::load(Host::Native, &sources, &read).unwrap_or_else(|error| panic!("{error}")).config
}

pub(crate) fn client() -> Client {
    bounded(Bounds::default())
}

pub(crate) fn bounded(bounds: Bounds) -> Client {
    Client::with_bounds(&config(&[]), bounds).unwrap()
}

/// Somebody's own login, by the fixture's passwords.
pub(crate) async fn login(user: &str) -> Credential {
    let clickhouse = clickhouse().await;
    let password = match user {
        "alice" => clickhouse.alice_password(),
        "bob" => clickhouse.bob_password(),
        "gateway" => clickhouse.gateway_password(),
        "admin" => clickhouse.admin_password(),
        "writer" => "of the writer",
        other => panic!("there is nobody called {other}"),
    };
    Credential::Password { username: user.to_owned(), password: password.into() }
}

/// The login of a member of the fixture's cluster.
pub(crate) async fn member() -> Credential {
    let clickhouse = clickhouse().await;
    let secret = Secret::from(clickhouse.cluster_secret());
    Credential::Cluster { name: clickhouse.cluster_name().to_owned(), secret }
}

pub(crate) fn person(name: &str) -> ImpersonatedUser {
    ImpersonatedUser::parse(name, &DenyList::new("gateway", &[], &[])).unwrap()
}

pub(crate) fn statement(sql: &str) -> Statement {
    let rules = Rules { max_length: 8 << 20, ..Rules::internal() };
    Statement::ReadOnly(ReadOnlySql::parse(sql, &rules).unwrap())
}

/// A query to a port of this machine.
pub(crate) fn query(port: u16, credential: Credential, sql: &str) -> QueryRequest {
    QueryRequest {
        endpoint: Endpoint { scheme: Scheme::Tcp, host: "127.0.0.1".into(), port },
        chosen_by: ChosenBy::Operator,
        credential,
        run_as: RunAs::Login,
        roles: Vec::new(),
        database: None,
        statement: statement(sql),
        parameters: Vec::new(),
        data: None,
        inner: Inner::default(),
        settings: Vec::new(),
        headers: Vec::new(),
        trace: None,
        query_id: format!("native-tcp-{:032x}", rand::random::<u128>()),
        deadline_seconds: 30,
        progress: false,
        refused: Vec::new(),
        limits: ReadLimits { row_bytes: 1 << 20 },
    }
}

/// A query as somebody for whom the cluster vouches.
pub(crate) async fn vouched(port: u16, user: &str, sql: &str) -> QueryRequest {
    QueryRequest { run_as: RunAs::Interserver(person(user)), ..query(port, member().await, sql) }
}

pub(crate) fn chosen_by_token(reach: Reach, tls: TokenTls) -> ChosenBy {
    ChosenBy::Token(Arc::new(TokenServer { reach, tls }))
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) rows: Vec<String>,
    pub(crate) last: QueryEvent,
}

impl Told {
    /// The rows of an answer that is whole.
    pub(crate) fn rows(self) -> Vec<String> {
        assert_eq!(self.last, QueryEvent::End);
        self.rows
    }

    pub(crate) fn exception(self) -> Exception {
        match self.last {
            QueryEvent::Exception(exception) => exception,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn broken(self) -> String {
        match self.last {
            QueryEvent::Broken(text) => text,
            other => panic!("{other:?} after {} rows", self.rows.len()),
        }
    }
}

pub(crate) async fn ask(client: &Client, request: &QueryRequest) -> Told {
    hear(&mut client.send(request)).await
}

/// Hears an answer to its end. Nothing that a test asks takes a minute.
pub(crate) async fn hear(answer: &mut Answer) -> Told {
    let heard = async {
        let mut rows = Vec::new();
        loop {
            match answer.next().await {
                QueryEvent::Header(_) | QueryEvent::Progress { .. } => {}
                QueryEvent::Rows(more) => rows.extend(more.iter().map(str::to_owned)),
                last => return Told { rows, last },
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), heard).await.expect("an answer hangs")
}

/// Waits for the first row.
pub(crate) async fn first_row(answer: &mut Answer) {
    loop {
        match answer.next().await {
            QueryEvent::Header(_) | QueryEvent::Progress { .. } => {}
            QueryEvent::Rows(_) => return,
            other => panic!("{other:?}"),
        }
    }
}

/// Waits until ClickHouse has ended a query. It looks every 50 ms, and sleeps there.
pub(crate) async fn is_gone(query_id: &str) {
    let asked = format!("SELECT count(), sleep(0.05) FROM system.processes WHERE query_id = '{query_id}'");
    for _ in 0..200 {
        if clickhouse().await.query(&asked).await.unwrap().starts_with("0\t") {
            return;
        }
    }
    panic!("{query_id} still runs");
}
