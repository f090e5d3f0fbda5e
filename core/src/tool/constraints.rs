//! What a profile lets nobody change: asked once, after the first setting that it refused, instead of learned one
//! setting at a time.
//!
//! The question is the login's, or under a cluster's secret the person's: theirs is the profile that judges the settings
//! of a request. What `EXECUTE AS` sets inside the statement is `limit` and `readonly`; of these the refusal itself says
//! enough.

use serde_json::{Value, json};

use super::Call;
use super::plan::Learned;
use crate::clickhouse::{
    Outcome, Parameter, QueryRequest, ReadLimits, RefusedSetting, RowLimits, RunAs, Setting, Statement,
};
use crate::env::Env;
use crate::facts::{AccessKey, RefusedValue};
use crate::sql::{ReadOnlySql, Rules};

/// What is asked. A server that does not know parameters or one of the columns leaves it to learning one by one.
const SQL: &str =
    "SELECT name, readonly, min, max FROM system.settings WHERE has({names:Array(String)}, name)";
/// Seconds that the answer may take.
const PATIENCE: u64 = 10;
/// Bytes that a row of it may have.
const ROW_BYTES: usize = 4096;
/// Settings of one request that are asked for.
const MOST: usize = 256;

/// The question about the settings of a request of which one was refused, if its answer can save anything. `next` is
/// the request that would be sent otherwise.
pub(crate) fn inspection(
    env: &mut Env<'_>,
    call: &Call,
    learned: &Learned,
    next: &QueryRequest,
) -> Option<(QueryRequest, RowLimits)> {
    let inside = |name: &str| next.run_as.is_wrapped() && name == "limit";
    match learned {
        Learned::Setting(RefusedSetting::Unknown(name) | RefusedSetting::Constrained(name, _))
            if !inside(name) => {}
        // A profile that is read-only takes nothing at all, or has taken all but `readonly`, which comes last.
        Learned::Setting(_) | Learned::Format => return None,
    }
    let known = env.facts.refusals(&AccessKey::of(next, call.config.generation), env.now);
    let names = names(next);
    if known.inspected || names.is_empty() || names.len() > MOST {
        return None;
    }
    let statement = ReadOnlySql::parse(SQL, &Rules::internal()).ok()?;
    let limits = ReadLimits { row_bytes: ROW_BYTES };
    let query_id = env.random_id();
    let mut request =
        call.access.query(&call.config, Statement::ReadOnly(statement), query_id, PATIENCE, limits);
    if request.run_as.is_wrapped() {
        request.run_as = RunAs::Login;
    }
    request.parameters = vec![Parameter::json("names", &json!(names)).ok()?];
    // It carries no setting, since any could be refused: not `log_comment`, and not `readonly`, under which every setting
    // would be reported as read-only.
    Some((request, RowLimits { rows: u64::try_from(MOST).ok(), bytes: None }))
}

/// Remembers what the answer says. `next` is the request that the question was about. Without an answer nothing is known
/// better than before, and the question is not put again.
pub(crate) fn inspected(env: &mut Env<'_>, call: &Call, next: &QueryRequest, outcome: &Outcome) {
    let key = AccessKey::of(next, call.config.generation);
    let mut known = env.facts.refusals(&key, env.now);
    known.inspected = true;
    if let Outcome::Rows { rows, truncated: None, .. } = outcome
        && let Some(found) = rows.iter().map(Found::read).collect::<Option<Vec<_>>>()
        && !found.is_empty()
    {
        for name in names(next) {
            match found.iter().find(|found| found.name == name) {
                // A server that does not list it does not know it.
                None | Some(Found { is_fixed: true, .. }) => {
                    known.settings.push(RefusedValue { name: name.to_owned(), value: None });
                }
                Some(Found { least, most, .. }) => known.bound(name, least.clone(), most.clone()),
            }
        }
    }
    known.forget_the_oldest();
    env.facts.remember_refusals(key, known, env.now);
}

/// The settings of a request that are Housekey's to leave out.
fn names(request: &QueryRequest) -> Vec<&str> {
    let names = request.settings.iter().map(|setting: &Setting| &*setting.name);
    names.filter(|name| *name != "readonly").collect()
}

/// A row of the answer.
struct Found {
    name: String,
    is_fixed: bool,
    least: Option<String>,
    most: Option<String>,
}

impl Found {
    fn read(row: &str) -> Option<Self> {
        let (name, readonly, least, most): (String, Value, Option<String>, Option<String>) =
            serde_json::from_str(row).ok()?;
        let is_fixed = match readonly {
            Value::Number(number) => number.as_u64()? != 0,
            Value::Bool(is_fixed) => is_fixed,
            Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        Some(Self { name, is_fixed, least, most })
    }
}
