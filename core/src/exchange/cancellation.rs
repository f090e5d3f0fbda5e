//! How a query is ended on its server over HTTP: by another query under the same login.

use crate::clickhouse::{Exception, QueryRequest, RefusedSetting, RunAs, Setting, Statement};
use crate::sql::{ReadOnlySql, Rules, WritableSql, quote_literal};

/// The setting by which a query takes the place of the one that has its id (ClickHouse, `replace_running_query`). It
/// needs no grant, and ends reads and writes, under `EXECUTE AS` as well (measured on 26.9).
const REPLACE: &str = "replace_running_query";
/// Seconds that the server has for its answer.
const PATIENCE: u64 = 10;

/// The query that ends another one on its server.
pub(super) fn cancellation(request: &QueryRequest) -> Option<QueryRequest> {
    let statement = ReadOnlySql::parse("SELECT 1", &Rules::internal()).ok()?;
    Some(beside(request, Statement::ReadOnly(statement), vec![Setting::new(REPLACE, "1")]))
}

/// What is left to try when a profile does not let a cancellation be sent: `KILL QUERY`, which needs `SELECT` on
/// `system.processes` and works in read-only profiles, too.
pub fn kill_instead(cancellation: &QueryRequest, exception: &Exception) -> Option<QueryRequest> {
    let name = match exception.refused_setting()? {
        RefusedSetting::Unknown(name)
        | RefusedSetting::Constrained(name, _)
        | RefusedSetting::ReadOnlyProfile(name) => name,
    };
    let was_sent = cancellation.settings.iter().any(|setting| setting.name == REPLACE);
    if name != REPLACE || !was_sent {
        return None;
    }
    let sql = format!("KILL QUERY WHERE query_id = {} ASYNC", quote_literal(&cancellation.query_id));
    let rules = Rules { destructive: true, impersonated: false, ..Rules::internal() };
    let statement = Statement::Writable(WritableSql::parse(&sql, &rules).ok()?);
    let query_id = format!("{}-end", cancellation.query_id);
    Some(QueryRequest { query_id, ..beside(cancellation, statement, Vec::new()) })
}

/// A query of our own, by the login of another one.
fn beside(request: &QueryRequest, statement: Statement, settings: Vec<Setting>) -> QueryRequest {
    QueryRequest {
        run_as: RunAs::Login,
        statement,
        parameters: Vec::new(),
        data: None,
        settings,
        progress: false,
        refused: Vec::new(),
        deadline_seconds: PATIENCE,
        ..request.clone()
    }
}
