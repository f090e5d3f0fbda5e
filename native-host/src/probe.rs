//! `housekey test-connection`: the configured login, tried as the server would use it, and the result in words.

use std::process::ExitCode;

use housekey_core::clickhouse::{
    ChosenBy, Exception, QueryEvent, QueryRequest, ReadLimits, Row, RunAs, Statement,
};
use housekey_core::config::{Config, Impersonation, Loaded};
use housekey_core::identity::static_caller;
use housekey_core::sql::{DenyList, ImpersonatedUser, Inner, ReadOnlySql, Refusal, Rules, WritableSql};

use crate::clickhouse::Client;
use crate::{cli, logging};

/// Seconds that ClickHouse has for each question.
const PATIENCE: u64 = 15;
const QUESTION: &str = "SELECT version() AS version, currentUser() AS user, timezone() AS timezone";

/// Tries the login and, if wanted, to act as a person. The exit code is 0 if all of it worked.
///
/// # Errors
/// The configuration cannot be used at all.
pub async fn run(loaded: Loaded, person: Option<&str>) -> anyhow::Result<ExitCode> {
    let Loaded { config, warnings } = loaded;
    logging::start(config.logging.level);
    for warning in warnings {
        cli::print(&format!("note: {warning}\n"));
    }
    let client = Client::new(&config)?;
    let asked = ask(&client, &config, RunAs::Login, question()).await;
    let endpoint = static_caller(&config).access.endpoint.to_string();
    cli::print(&format!("{endpoint} as {}: {}\n", config.clickhouse.username, told(&asked, login_hint)));
    let mut well = asked.is_ok();
    match person {
        Some(person) if well => {
            let deny = DenyList::new(
                &config.clickhouse.username,
                &config.clickhouse.impersonation_deny,
                &config.clickhouse.impersonation_allow,
            );
            let user = ImpersonatedUser::parse(person, &deny)?;
            let asked = ask(&client, &config, RunAs::ExecuteAs(user), question()).await;
            cli::print(&format!("acting as {person}: {}\n", told(&asked, impersonation_hint)));
            well = asked.is_ok();
        }
        None if well && config.clickhouse.impersonation == Impersonation::ExecuteAs => {
            let asked = ask(&client, &config, RunAs::Login, grant_question()).await;
            let everybody = matches!(&asked, Ok(Row(row)) if row == "[1]");
            let told = if everybody { "everybody" } else { "some users at most: add `--as USER` to try one" };
            cli::print(&format!("{} may act for {told}\n", config.clickhouse.username));
        }
        Some(_) | None => {}
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Why there was no answer.
#[derive(Debug)]
enum NoAnswer {
    Exception(Exception),
    Broken(String),
}

const RULES: Rules<'static> = Rules { allowed_settings: &[], max_length: 1024 };

fn question() -> Result<Statement, Refusal> {
    ReadOnlySql::parse(QUESTION, &RULES).map(Statement::ReadOnly)
}

/// It changes nothing, but it is no statement that a tool would send.
fn grant_question() -> Result<Statement, Refusal> {
    WritableSql::parse("CHECK GRANT IMPERSONATE ON *", &RULES).map(Statement::Writable)
}

async fn ask(
    client: &Client,
    config: &Config,
    run_as: RunAs,
    statement: Result<Statement, Refusal>,
) -> Result<Row, NoAnswer> {
    let statement = statement.map_err(|refusal| NoAnswer::Broken(refusal.to_string()))?;
    let access = static_caller(config).access;
    let request = QueryRequest {
        endpoint: access.endpoint.clone(),
        chosen_by: ChosenBy::Operator,
        credential: access.credential.clone(),
        run_as,
        database: access.database.clone(),
        statement,
        inner: Inner::default(),
        settings: Vec::new(),
        headers: config.clickhouse.http_headers.clone(),
        query_id: format!("housekey-test-{:032x}", rand::random::<u128>()),
        deadline_seconds: PATIENCE,
        limits: ReadLimits { row_bytes: 64 << 10 },
    };
    let mut answer = client.send(&request);
    let mut row = None;
    loop {
        match answer.next().await {
            QueryEvent::Header(_) | QueryEvent::Progress { .. } => {}
            QueryEvent::Row(first) => row = Some(first),
            QueryEvent::End => {
                return row
                    .ok_or_else(|| NoAnswer::Broken("the answer was empty: is this ClickHouse?".into()));
            }
            QueryEvent::Exception(exception) => return Err(NoAnswer::Exception(exception)),
            QueryEvent::Broken(reason) => return Err(NoAnswer::Broken(reason)),
            QueryEvent::RowTooLong => return Err(NoAnswer::Broken("the answer is too long".into())),
        }
    }
}

fn told(asked: &Result<Row, NoAnswer>, hint: fn(i32) -> Option<&'static str>) -> String {
    match asked {
        Ok(Row(row)) => format!("version, user and time zone are {row}"),
        Err(NoAnswer::Broken(reason)) => format!("no answer: {reason}"),
        Err(NoAnswer::Exception(Exception { code, message, .. })) => {
            let hint = hint(*code).map(|hint| format!("\n  {hint}")).unwrap_or_default();
            format!("error {code}: {message}{hint}")
        }
    }
}

const fn login_hint(code: i32) -> Option<&'static str> {
    match code {
        194 | 516 => {
            Some("The user or the password is wrong, or this user may not log in from this address.")
        }
        81 => Some("The database of `clickhouse.database` does not exist, or this user may not see it."),
        _ => None,
    }
}

const fn impersonation_hint(code: i32) -> Option<&'static str> {
    match code {
        344 => Some(
            "The server's configuration has to set access_control_improvements.allow_impersonate_user to 1.",
        ),
        192 => Some("ClickHouse has no user of this name."),
        497 => Some("The login lacks a right: GRANT IMPERSONATE ON this user TO the login."),
        164 => Some(
            "The profile of the login is read-only, which forbids EXECUTE AS: lift it, and grant SELECT only.",
        ),
        62 => Some("This ClickHouse is too old for EXECUTE AS."),
        _ => None,
    }
}
