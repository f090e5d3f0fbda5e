//! A text to the server, with nothing of Housekey's checks before it, on each way that a query of Housekey's takes.

use std::sync::OnceLock;

use anyhow::{Context, Result};
use housekey::clickhouse::Client;
use housekey::host::install_cryptography;
use housekey_core::clickhouse::{
    ChosenBy, Credential, Endpoint, QueryEvent, QueryRequest, ReadLimits, RunAs, Scheme, Setting, Statement,
};
use housekey_core::config::{self, Host, Sources};
use housekey_core::sql::fuzzing::unchecked;
use housekey_core::sql::{DenyList, ImpersonatedUser, Inner};

use super::world::World;

/// What the server made of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It ran, and these are its rows.
    Rows(String),
    /// It was refused, with a code and words.
    Refused(i32, String),
    /// The connection ended otherwise.
    Broken(String),
}

impl Answer {
    /// The code of the refusal.
    pub(crate) fn code(&self) -> Option<i32> {
        match self {
            Self::Refused(code, _) => Some(*code),
            Self::Rows(_) | Self::Broken(_) => None,
        }
    }
}

/// Over HTTP, as who logs in.
pub(crate) async fn http(
    world: &World,
    login: (&str, &str),
    sql: &str,
    settings: &[(&str, &str)],
) -> Result<Answer> {
    let mut url = format!("{}/?default_format=TabSeparatedRaw", world.clickhouse.http_url());
    for (name, value) in settings {
        url.push_str(&format!("&{name}={value}"));
    }
    let request = http_client()
        .post(url)
        .header("X-ClickHouse-User", login.0)
        .header("X-ClickHouse-Key", login.1)
        .body(sql.to_owned());
    let answer = request.send().await.context("sending a statement")?;
    let code = answer.headers().get("x-clickhouse-exception-code").cloned();
    let body = match answer.bytes().await {
        Ok(body) => String::from_utf8_lossy(&body).into_owned(),
        Err(error) => return Ok(Answer::Broken(error.to_string())),
    };
    match code {
        Some(code) => Ok(Answer::Refused(code.to_str()?.parse()?, body)),
        None => Ok(Answer::Rows(body)),
    }
}

/// Over the native protocol, for somebody for whom the cluster's secret vouches.
pub(crate) async fn interserver(
    world: &World,
    person: &str,
    sql: &str,
    settings: &[(&str, &str)],
) -> Result<Answer> {
    let user = ImpersonatedUser::parse(person, &DenyList::new("gateway", &[], &[]))?;
    let request = QueryRequest {
        endpoint: Endpoint {
            scheme: Scheme::Tcp,
            host: "127.0.0.1".to_owned(),
            port: world.clickhouse.tcp_port(),
        },
        chosen_by: ChosenBy::Operator,
        credential: Credential::Cluster {
            name: world.clickhouse.cluster_name().to_owned(),
            secret: world.clickhouse.cluster_secret().into(),
        },
        run_as: RunAs::Interserver(user),
        roles: Vec::new(),
        database: None,
        statement: Statement::Writable(unchecked(sql)),
        parameters: Vec::new(),
        data: None,
        inner: Inner::default(),
        settings: settings.iter().map(|(name, value)| Setting::new((*name).to_owned(), *value)).collect(),
        headers: Vec::new(),
        trace: None,
        query_id: format!("sql-suite-{:032x}", rand::random::<u128>()),
        deadline_seconds: 60,
        progress: false,
        refused: Vec::new(),
        limits: ReadLimits { row_bytes: 16 << 20 },
    };
    let mut answer = native_client().send(&request);
    let mut rows = String::new();
    loop {
        match answer.next().await {
            QueryEvent::Header(_) | QueryEvent::Progress { .. } => {}
            QueryEvent::Rows(more) => rows.push_str(more.text()),
            QueryEvent::End => return Ok(Answer::Rows(rows)),
            QueryEvent::Exception(exception) => {
                return Ok(Answer::Refused(exception.code, exception.message));
            }
            QueryEvent::Broken(text) => return Ok(Answer::Broken(text)),
            QueryEvent::RowTooLong => return Ok(Answer::Broken("a row is too long".to_owned())),
        }
    }
}

fn http_client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        install_cryptography();
        let client = reqwest::Client::builder().no_proxy().build();
        client.unwrap_or_else(|error| panic!("{error}"))
    })
}

fn native_client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        install_cryptography();
        let environment = vec![("MCP_TRANSPORT".to_owned(), "http".to_owned())];
        let sources = Sources { environment, ..Sources::default() };
        let no_file = |path: &str| Err(format!("{path} is not read here"));
        let config = config::load(Host::Native, &sources, &no_file);
        let config = config.unwrap_or_else(|error| panic!("{error}")).config;
        Client::new(&config).unwrap_or_else(|error| panic!("{error}"))
    })
}
