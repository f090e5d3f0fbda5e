//! The questions that make a catalogue. Each reads a page of what the rules match and goes on after its last row, since
//! the operator's caps on rows and bytes hold for these answers, too.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::build::{MOST_TOOLS, build, cut, matching};
use super::found::{self, FoundObject};
use super::{Catalogue, WORK};
use crate::clickhouse::{Lines, Outcome, Parameter, ParameterError, Statement};
use crate::config::{RuleSource, ToolRule};
use crate::env::Env;
use crate::mcp::{CallResult, Definition};
use crate::sql::{ReadOnlySql, Rules};
use crate::tool::inquiry::{Answer, Inquiry, Turn};
use crate::tool::plan::Question;
use crate::tool::{Call, Table, Task};

/// Views that a rule may match. The text that made one is read only if it can have parameters, and not without end:
/// it has to fit into the cap on bytes.
const VIEWS: &str = "SELECT database, name, substring(comment, 1, 8192), \
    if(length(create_table_query) <= 16384 AND position(create_table_query, '{') > 0, create_table_query, ''), \
    toUInt8(length(create_table_query) > 16384 AND position(create_table_query, '{') > 0) \
    FROM system.tables \
    WHERE engine = 'View' AND database NOT IN ('', 'system', 'INFORMATION_SCHEMA', 'information_schema') \
    AND match(concat(database, '.', name), {rules:String}) \
    AND (database, name) > ({database:String}, {name:String}) \
    ORDER BY database, name";

/// Tables that rows can go into, as far as their engine tells.
const TABLES: &str = "SELECT database, name, substring(comment, 1, 8192) \
    FROM system.tables \
    WHERE engine NOT IN ('View', 'MaterializedView', 'LiveView', 'WindowView', 'Alias', 'Dictionary', 'Merge') \
    AND database NOT IN ('', 'system', 'INFORMATION_SCHEMA', 'information_schema') \
    AND match(concat(database, '.', name), {rules:String}) \
    AND (database, name) > ({database:String}, {name:String}) \
    ORDER BY database, name";

/// Their columns, but for those that no value can be given for.
const COLUMNS: &str = "SELECT database, table, position, name, type, default_kind, substring(comment, 1, 1024) \
    FROM system.columns \
    WHERE database NOT IN ('', 'system', 'INFORMATION_SCHEMA', 'information_schema') \
    AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') \
    AND match(concat(database, '.', table), {rules:String}) \
    AND (database, table, position) > ({database:String}, {name:String}, {position:UInt64}) \
    ORDER BY database, table, position";

pub(super) const STATEMENTS: [&str; 3] = [VIEWS, TABLES, COLUMNS];

/// Rows that a page may have; the caps may be lower.
const PAGE_ROWS: u64 = 2000;
/// Pages that are read. Each is a round trip, and a person waits.
const MOST_PAGES: u32 = 32;
/// Seconds that the server may take for a page.
const PATIENCE_SECONDS: u64 = 20;
/// Bytes of what was found, roughly.
const MOST_BYTES: usize = 4 << 20;
/// How long a failure is remembered.
const FAILURE_LIVES: Duration = Duration::from_secs(10);

/// Makes a catalogue of all tools at hand and then does what was asked.
pub(super) struct Loading {
    pub(super) then: Then,
}

/// What becomes of the list of all tools.
type Present = Box<dyn Fn(&[&Definition]) -> CallResult + Send + Sync>;

/// What was asked.
pub(super) enum Then {
    /// All tools.
    List { table: Table, present: Present },
    /// One of the tools that rules made.
    Call(String),
}

/// How far the questions have come.
#[derive(Default, Serialize, Deserialize)]
struct Progress {
    stage: Stage,
    /// The last row that was seen in this stage: database, name and position.
    after: [String; 3],
    pages: u32,
    bytes: usize,
    views: Vec<FoundObject>,
    tables: Vec<FoundObject>,
    cut: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
enum Stage {
    #[default]
    Views,
    Tables,
    Columns,
    End,
}

impl Inquiry for Loading {
    fn name(&self) -> &str {
        WORK
    }

    fn begin(&self, env: &mut Env<'_>, call: &Call) -> Turn {
        if let Some(catalogue) = super::known(env, &call.config, &call.access) {
            return self.end(call, &catalogue);
        }
        let mut progress = Progress::default();
        progress.skip(call);
        self.next(env, call, progress)
    }

    fn question(&self, call: &Call, carried: &Value) -> Result<Question, CallResult> {
        let progress = Progress::open(carried)?;
        let (sql, source) = match progress.stage {
            Stage::Views => (VIEWS, RuleSource::View),
            Stage::Tables => (TABLES, RuleSource::Table),
            Stage::Columns | Stage::End => (COLUMNS, RuleSource::Table),
        };
        let refused = |reason: String| CallResult::Failed(reason);
        let statement =
            ReadOnlySql::parse(sql, &Rules::internal()).map_err(|refusal| refused(refusal.to_string()))?;
        let parameters =
            progress.parameters(rules(call), source).map_err(|error| refused(error.to_string()))?;
        Ok(Question {
            parameters,
            rows: Some(PAGE_ROWS),
            seconds: Some(PATIENCE_SECONDS),
            ..Question::new(Statement::ReadOnly(statement))
        })
    }

    fn answered(&self, env: &mut Env<'_>, call: &Call, carried: Value, answer: Answer) -> Turn {
        let mut progress = match Progress::open(&carried) {
            Ok(progress) => progress,
            Err(result) => return Turn::Done(result),
        };
        if let Some(reason) = answer.failure(call) {
            return self.finish(env, call, Vec::new(), Vec::new(), Some(reason));
        }
        let (rows, truncated) = match answer.outcome {
            Outcome::Rows { rows, truncated, .. } => (rows, truncated.is_some()),
            Outcome::NoResult | Outcome::Exception(_) | Outcome::Broken(_) | Outcome::Opaque { .. } => {
                (Lines::default(), false)
            }
        };
        progress.take(call, &rows, truncated);
        self.next(env, call, progress)
    }
}

impl Loading {
    /// Asks on, or makes the catalogue of what was found.
    fn next(&self, env: &mut Env<'_>, call: &Call, progress: Progress) -> Turn {
        if progress.stage != Stage::End {
            return match serde_json::to_value(progress) {
                Ok(carried) => Turn::Ask(carried),
                Err(_) => Turn::Done(unreadable()),
            };
        }
        let (tools, mut warnings) = build(rules(call), &progress.views, &progress.tables);
        if progress.cut && !warnings.contains(&cut()) {
            warnings.push(cut());
        }
        self.finish(env, call, tools, warnings, None)
    }

    fn finish(
        &self,
        env: &mut Env<'_>,
        call: &Call,
        tools: Vec<Arc<super::made::MadeTool>>,
        warnings: Vec<String>,
        failure: Option<String>,
    ) -> Turn {
        let ttl = Duration::from_secs(call.config.server.tools.ttl);
        let lives = if failure.is_some() { ttl.min(FAILURE_LIVES) } else { ttl };
        let expires = env.now.after(lives);
        let expires = call.access.expires.map_or(expires, |token| token.min(expires));
        let catalogue = Arc::new(Catalogue::new(tools, warnings, failure, expires));
        for warning in &catalogue.warnings {
            env.facts.tell_operator(warning.clone(), env.now);
        }
        if let Some(reason) = &catalogue.failure {
            let text = format!("The tools of `server.tools` could not be looked for: {reason}");
            env.facts.tell_operator(text, env.now);
        }
        if let Some(key) = call.catalogue_key() {
            env.facts.remember_catalogue(key, Arc::clone(&catalogue), env.now);
        }
        self.end(call, &catalogue)
    }

    /// Does what was asked.
    fn end(&self, call: &Call, catalogue: &Catalogue) -> Turn {
        match &self.then {
            Then::List { table, present } => {
                let own = table.definitions(&call.access);
                let made = catalogue.tools.iter().map(|tool| crate::tool::Tool::definition(&**tool));
                let all: Vec<&Definition> = own.chain(made).collect();
                Turn::Done(present(&all))
            }
            Then::Call(name) => match (catalogue.find(name), &catalogue.failure) {
                (Some(tool), _) => {
                    let task: Arc<dyn Task> = Arc::clone(tool) as Arc<dyn Task>;
                    Turn::HandOver(task)
                }
                (None, Some(reason)) => Turn::Done(CallResult::Failed(format!(
                    "Whether there is a tool `{name}` could not be found out, so it was not called. {reason}"
                ))),
                (None, None) => Turn::Done(CallResult::Absent(name.clone())),
            },
        }
    }
}

impl Progress {
    fn open(carried: &Value) -> Result<Self, CallResult> {
        Self::deserialize(carried).map_err(|_| unreadable())
    }

    fn parameters(&self, rules: &[ToolRule], source: RuleSource) -> Result<Vec<Parameter>, ParameterError> {
        let patterns: Vec<String> = rules
            .iter()
            .filter(|rule| rule.source == source)
            .map(|rule| format!("(?:{})", rule.pattern.as_str()))
            .collect();
        let [database, name, position] = &self.after;
        let mut parameters = vec![
            Parameter::text("rules", &patterns.join("|"))?,
            Parameter::text("database", database)?,
            Parameter::text("name", name)?,
        ];
        if matches!(self.stage, Stage::Columns | Stage::End) {
            let position = if position.is_empty() { "0" } else { position };
            parameters.push(Parameter::text("position", position)?);
        }
        Ok(parameters)
    }

    /// Takes a page and says, by its stage, what comes next.
    fn take(&mut self, call: &Call, rows: &Lines, truncated: bool) {
        self.pages += 1;
        let mut last = None;
        for row in rows.iter() {
            self.bytes += row.len();
            last = self.take_row(call, row).or(last);
        }
        let full = self.pages >= MOST_PAGES
            || self.bytes > MOST_BYTES
            || self.views.len().max(self.tables.len()) > MOST_TOOLS;
        match last {
            // More of the same.
            Some(last) if truncated && !full => self.after = last,
            // A page without a row that is cut all the same: what comes next fits into no cap.
            _ => {
                self.cut |= truncated;
                // Columns that were not seen could be required: a table without all of them has no tool.
                if truncated && self.stage == Stage::Columns {
                    self.forget_after(last);
                }
                self.pass(call);
            }
        }
    }

    /// A row that the rules match is kept. Where it stands is returned in any case.
    fn take_row(&mut self, call: &Call, row: &str) -> Option<[String; 3]> {
        match self.stage {
            Stage::Views | Stage::Tables => {
                let views = self.stage == Stage::Views;
                let object = if views { found::view(row)? } else { found::table(row)? };
                let place = [object.database.clone(), object.name.clone(), String::new()];
                let source = if views { RuleSource::View } else { RuleSource::Table };
                if matching(rules(call), source, &object.full_name()).next().is_some() {
                    if views { self.views.push(object) } else { self.tables.push(object) }
                }
                Some(place)
            }
            Stage::Columns | Stage::End => {
                let (place, column) = found::column(row)?;
                let [database, name, _] = &place;
                let is_its = |table: &&mut FoundObject| table.database == *database && table.name == *name;
                if let Some(table) = self.tables.iter_mut().find(is_its) {
                    table.push(column);
                }
                Some(place)
            }
        }
    }

    /// Forgets the tables from the last column on that was seen.
    fn forget_after(&mut self, last: Option<[String; 3]>) {
        let [database, name, _] = last.unwrap_or_else(|| self.after.clone());
        self.tables.retain(|table| (&table.database, &table.name) < (&database, &name));
    }

    /// Goes on to the next stage that has something to ask.
    fn pass(&mut self, call: &Call) {
        self.stage = match self.stage {
            Stage::Views => Stage::Tables,
            Stage::Tables => Stage::Columns,
            Stage::Columns | Stage::End => Stage::End,
        };
        self.after = Default::default();
        self.skip(call);
    }

    /// Passes over stages without rules, and over writing for those who may only read.
    fn skip(&mut self, call: &Call) {
        let has = |source| rules(call).iter().any(|rule| rule.source == source);
        let idle = match self.stage {
            Stage::Views => !has(RuleSource::View),
            Stage::Tables => call.access.read_only || !has(RuleSource::Table),
            Stage::Columns => self.tables.is_empty(),
            Stage::End => false,
        };
        if idle {
            self.pass(call);
        }
    }
}

fn rules(call: &Call) -> &[ToolRule] {
    &call.config.server.tools.rules
}

fn unreadable() -> CallResult {
    CallResult::Failed("the look at views and tables was interrupted: try again".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_questions_only_read() {
        for sql in STATEMENTS {
            assert_eq!(ReadOnlySql::parse(sql, &Rules::internal()).unwrap().text(), sql);
        }
    }
}
