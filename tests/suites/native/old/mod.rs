//! ClickHouse 18.16, which is from before settings as text, parameters and clusters with a secret.

mod server;

use std::sync::Arc;

use anyhow::{Result, ensure};
use housekey_core::clickhouse::{Credential, QueryRequest, RunAs, Scheme, Setting, Statement};
use libtest_mimic::{Completion, Trial};
use system_tests::harness::{self, Verdict};
use tokio::sync::Mutex;

use crate::ask::{ask, password, person, query, reading, writing};
use server::Server;

/// What ClickHouse calls its refusals.
const TOO_MANY_ROWS: i32 = 396;
const READONLY: i32 = 164;
const UNKNOWN_USER: i32 = 192;
const WRONG_PASSWORD: i32 = 193;

/// A statement with the rows that it has to give. `readonly` forbids table functions there.
const QUERIES: &[(&str, &[&str])] = &[
    (
        "SELECT user, substring(version(), 1, 6) FROM system.processes WHERE position(query, 'only this one') > 0",
        &[r#"["writer","18.16."]"#],
    ),
    (
        "SELECT number, toString(number), number / 2 FROM system.numbers LIMIT 3",
        &[r#"["0","0",0]"#, r#"["1","1",0.5]"#, r#"["2","2",1]"#],
    ),
    ("SELECT number FROM (SELECT number FROM system.numbers LIMIT 3) WHERE 0", &[]),
    (
        "SELECT [1, NULL], [['a'], []], (toInt8(-1), toDate('2018-12-21'))",
        &[r#"[[1,null],[["a"],[]],[-1,"2018-12-21"]]"#],
    ),
    (
        "SELECT toDecimal64(1.25, 4), toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0'), toFixedString('ab', 3)",
        &[r#"["1.25","61f0c404-5cb3-11e7-907b-a6006ad3dba0","ab\u0000"]"#],
    ),
    (
        "SELECT toDateTime('2018-12-21 10:20:30'), CAST('b', 'Enum8(\\'a\\' = 1, \\'b\\' = 2)'), 1 / 0",
        &[r#"["2018-12-21 10:20:30","b","inf"]"#],
    ),
    (
        "SELECT x FROM (SELECT toLowCardinality(arrayJoin(['a', 'b', 'a'])) AS x)",
        &[r#"["a"]"#, r#"["b"]"#, r#"["a"]"#],
    ),
    (
        "SELECT number % 2 AS k, count() FROM (SELECT number FROM system.numbers LIMIT 5) GROUP BY k WITH TOTALS ORDER BY k",
        &[r#"[0,"3"]"#, r#"[1,"2"]"#],
    ),
];

static SERVER: Mutex<Option<Arc<Server>>> = Mutex::const_new(None);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("values", values),
        trial("readonly", readonly),
        trial("limits", limits),
        trial("refused_settings", refused_settings),
        trial("logins", logins),
        trial("cluster", cluster),
    ]
}

/// Ends the server. Statics are never dropped.
pub(crate) fn end() {
    drop(SERVER.blocking_lock().take());
}

/// A trial that is skipped, with the reason, where the server cannot be had; in CI that is a failure.
fn trial<F>(name: &str, body: impl FnOnce(Arc<Server>) -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<()>>,
{
    harness::trial(format!("old::{name}"), Verdict::Run, move || async move {
        match server().await? {
            Ok(server) => body(server).await?,
            Err(reason) => {
                ensure!(!harness::is_ci(), "{reason}");
                return Ok(Completion::ignored_with(reason));
            }
        }
        Ok(Completion::Completed)
    })
}

/// The server, which the first caller starts, or the reason why there is none.
async fn server() -> Result<Result<Arc<Server>, String>> {
    let mut server = SERVER.lock().await;
    if let Some(server) = &*server {
        return Ok(Ok(Arc::clone(server)));
    }
    let program = match server::program().await {
        Ok(program) => program,
        Err(reason) => return Ok(Err(format!("{reason:#}"))),
    };
    let started = Arc::new(Server::start(&program).await?);
    *server = Some(Arc::clone(&started));
    Ok(Ok(started))
}

fn request(server: &Server, user: &str, statement: Statement) -> QueryRequest {
    query(Scheme::Tcp, server.tcp_port, password(user, &server.password), statement)
}

fn with(request: QueryRequest, settings: &[(&'static str, &str)]) -> QueryRequest {
    let settings = settings.iter().map(|(name, value)| Setting::new(*name, *value)).collect();
    QueryRequest { settings, ..request }
}

async fn values(server: Arc<Server>) -> Result<()> {
    for (sql, wanted) in QUERIES {
        // As Housekey asks: a name for the log, which this server lacks, a limit of time and reading only.
        let settings = [("log_comment", "{}"), ("max_execution_time", "30"), ("readonly", "1")];
        let request = with(request(&server, "writer", reading(sql, &[])?), &settings);
        let told = ask(&request).await.told()?;
        ensure!(told.rows == *wanted, "{sql}: {:?}", told.rows);
        ensure!(!told.columns.is_empty(), "{sql}: no column");
    }
    Ok(())
}

/// In the binary form of its age the setting has to hold what it says: the same write is done without it.
async fn readonly(server: Arc<Server>) -> Result<()> {
    let ask_as = async |user: &str, sql: &str, settings: &[(&'static str, &str)]| {
        anyhow::Ok(ask(&with(request(&server, user, writing(sql)?), settings)).await)
    };
    ask_as("writer", "CREATE TABLE default.notes (id UInt32) ENGINE = Memory", &[]).await?.told()?;
    let insert = "INSERT INTO default.notes SELECT 1";
    for sql in [insert, "DROP TABLE default.notes", "CREATE TABLE default.more (id UInt32) ENGINE = Memory"] {
        for (user, settings) in [("writer", &[("readonly", "1")][..]), ("reader", &[])] {
            let exception = ask_as(user, sql, settings).await?.exception()?;
            ensure!(exception.code == READONLY, "{user}: {sql}: {exception:?}");
        }
    }
    let count = async || {
        let asked = request(&server, "writer", reading("SELECT count() FROM default.notes", &[])?);
        anyhow::Ok(ask(&with(asked, &[("readonly", "1")])).await.told()?.rows)
    };
    ensure!(count().await? == [r#"["0"]"#], "something was written");
    ask_as("writer", insert, &[]).await?.told()?;
    ensure!(count().await? == [r#"["1"]"#], "nothing was written");
    Ok(())
}

async fn limits(server: Arc<Server>) -> Result<()> {
    let asked = request(&server, "writer", reading("SELECT number FROM numbers(100)", &[])?);
    ensure!(ask(&with(asked.clone(), &[("max_result_rows", "100")])).await.told()?.rows.len() == 100);
    let exception = ask(&with(asked, &[("max_result_rows", "99")])).await.exception()?;
    ensure!(exception.code == TOO_MANY_ROWS, "{exception:?}");
    Ok(())
}

/// Nothing is sent without a setting that it was to have.
async fn refused_settings(server: Arc<Server>) -> Result<()> {
    let asked = request(&server, "writer", reading("SELECT 1", &[])?);
    for settings in [[("max_concurrent_queries_for_user", "1")], [("readonly", "yes")]] {
        let text = ask(&with(asked.clone(), &settings)).await.broken()?;
        ensure!(text.contains("cannot be sent"), "{settings:?}: {text}");
    }
    // The connection is as good as before.
    ensure!(ask(&asked).await.told()?.rows == ["[1]"]);
    Ok(())
}

async fn logins(server: Arc<Server>) -> Result<()> {
    let mut asked = request(&server, "writer", reading("SELECT 1", &[])?);
    asked.credential = password("writer", "not its password");
    let exception = ask(&asked).await.exception()?;
    ensure!(exception.code == WRONG_PASSWORD, "{exception:?}");
    Ok(())
}

/// It knows nothing of clusters with a secret, so nobody is vouched for: a member's login is nobody's.
async fn cluster(server: Arc<Server>) -> Result<()> {
    let mut asked = request(&server, "writer", reading("SELECT currentUser()", &[])?);
    let secret = system_tests::secrets::fresh("the secret of no cluster");
    asked.credential = Credential::Cluster { name: "housekey".to_owned(), secret: secret.into() };
    asked.run_as = RunAs::Interserver(person("writer")?);
    let exception = ask(&asked).await.exception()?;
    ensure!(exception.code == UNKNOWN_USER, "{exception:?}");
    Ok(())
}
