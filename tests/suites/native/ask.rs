//! A query by Housekey's own client, with nothing of Housekey around it.

use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use housekey::clickhouse::Client;
use housekey::host::install_cryptography;
use housekey_core::clickhouse::{
    ChosenBy, Column, Credential, Endpoint, Exception, QueryEvent, QueryRequest, ReadLimits, RunAs, Scheme,
    Statement,
};
use housekey_core::config::{self, Host, Sources};
use housekey_core::sql::{DenyList, ImpersonatedUser, Inner, ReadOnlySql, Rules, WritableSql};

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<String>,
}

/// How an answer ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Told(Told),
    Exception(Exception),
    Broken(String),
}

impl Outcome {
    pub(crate) fn told(self) -> Result<Told> {
        match self {
            Self::Told(told) => Ok(told),
            Self::Exception(exception) => bail!("{exception:?}"),
            Self::Broken(text) => bail!("{text}"),
        }
    }

    pub(crate) fn exception(self) -> Result<Exception> {
        match self {
            Self::Exception(exception) => Ok(exception),
            Self::Told(told) => bail!("no exception, but {told:?}"),
            Self::Broken(text) => bail!("no exception, but {text}"),
        }
    }

    pub(crate) fn broken(self) -> Result<String> {
        match self {
            Self::Broken(text) => Ok(text),
            Self::Told(told) => bail!("not broken, but {told:?}"),
            Self::Exception(exception) => bail!("not broken, but {exception:?}"),
        }
    }
}

/// One client for all cases, so that they share its connections.
fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        install_cryptography();
        let environment =
            [("MCP_TRANSPORT", "http")].map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let sources = Sources { environment, ..Sources::default() };
        let no_file = |path: &str| Err(format!("{path} is not read here"));
        let config = config::load(Host::Native, &sources, &no_file);
        let config = config.unwrap_or_else(|error| panic!("{error}")).config;
        Client::new(&config).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// A query of a server on this machine.
pub(crate) fn query(scheme: Scheme, port: u16, credential: Credential, statement: Statement) -> QueryRequest {
    QueryRequest {
        endpoint: Endpoint { scheme, host: "127.0.0.1".to_owned(), port },
        chosen_by: ChosenBy::Operator,
        credential,
        run_as: RunAs::Login,
        roles: Vec::new(),
        database: None,
        statement,
        parameters: Vec::new(),
        data: None,
        inner: Inner::default(),
        settings: Vec::new(),
        headers: Vec::new(),
        trace: None,
        query_id: format!("native-suite-{:032x}", rand::random::<u128>()),
        deadline_seconds: 120,
        progress: false,
        refused: Vec::new(),
        limits: ReadLimits { row_bytes: 64 << 20 },
    }
}

pub(crate) fn password(username: &str, password: &str) -> Credential {
    Credential::Password { username: username.to_owned(), password: password.into() }
}

pub(crate) fn person(name: &str) -> Result<ImpersonatedUser> {
    ImpersonatedUser::parse(name, &DenyList::new("gateway", &[], &[])).context("a name that is refused")
}

/// A statement that reads, and may set these.
pub(crate) fn reading(sql: &str, settings: &[String]) -> Result<Statement> {
    let rules = Rules { allowed_settings: settings, max_length: 8 << 20, ..Rules::internal() };
    Ok(Statement::ReadOnly(ReadOnlySql::parse(sql, &rules)?))
}

pub(crate) fn writing(sql: &str) -> Result<Statement> {
    let rules = Rules { max_length: 8 << 20, destructive: true, impersonated: false, ..Rules::internal() };
    Ok(Statement::Writable(WritableSql::parse(sql, &rules)?))
}

/// Asks, and hears the answer to its end.
pub(crate) async fn ask(request: &QueryRequest) -> Outcome {
    let mut answer = client().send(request);
    let (mut columns, mut rows) = (Vec::new(), Vec::new());
    loop {
        match answer.next().await {
            QueryEvent::Header(header) => columns = header,
            QueryEvent::Rows(more) => rows.extend(more.iter().map(str::to_owned)),
            QueryEvent::Progress { .. } => {}
            QueryEvent::End => return Outcome::Told(Told { columns, rows }),
            QueryEvent::Exception(exception) => return Outcome::Exception(exception),
            QueryEvent::Broken(text) => return Outcome::Broken(text),
            QueryEvent::RowTooLong => return Outcome::Broken("a row is too long".to_owned()),
        }
    }
}
