//! What becomes of an answer that broke off at states of an aggregate function. Over the native protocol nothing but the
//! function knows where each of them ends, so the statement is asked once more in a form in which the server writes them
//! as text: the text that they are over HTTP.

use serde_json::{Value, json};

use super::Call;
use super::plan::Question;
use crate::clickhouse::{Column, Outcome, Statement, states_as_text};
use crate::sql::{ReadOnlySql, Rules};

/// What is known of the answer that broke off.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct States {
    /// Its columns, each by its name and its type.
    columns: Vec<(String, String)>,
    /// How it broke off, for when there is no other way.
    reason: String,
}

impl States {
    /// Splits off an answer that broke off at states and whose statement can be asked in the other form.
    pub(super) fn split(call: &Call, asked: &Statement, outcome: Outcome) -> Result<Self, Outcome> {
        let Outcome::Opaque { columns, reason } = outcome else { return Err(outcome) };
        let columns = columns.into_iter().map(|Column { name, type_name }| (name, type_name)).collect();
        let states = Self { columns, reason };
        match asked {
            Statement::ReadOnly(sql) if states.cast(call, sql).is_some() => Ok(states),
            Statement::ReadOnly(_) | Statement::Writable(_) => Err(Outcome::Broken(states.reason)),
        }
    }

    /// The question in the other form.
    pub(super) fn asked(&self, call: &Call, question: Question) -> Question {
        let cast = match &question.statement {
            Statement::ReadOnly(sql) => self.cast(call, sql),
            Statement::Writable(_) => None,
        };
        match cast {
            Some(sql) => Question { statement: Statement::ReadOnly(sql), ..question },
            None => question,
        }
    }

    /// The outcome of the question in the other form, with the types that its columns have in the first. What went wrong
    /// with a form that nobody asked for is not told; what was wrong with theirs is.
    pub(super) fn told(self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Rows { mut columns, rows, truncated } => {
                let names = self.columns.iter().map(|(name, _)| name);
                if !names.eq(columns.iter().map(|column| &column.name)) {
                    return Outcome::Broken(self.reason);
                }
                for (column, (_, type_name)) in columns.iter_mut().zip(self.columns) {
                    column.type_name = type_name;
                }
                Outcome::Rows { columns, rows, truncated }
            }
            broken @ Outcome::Broken(_) => broken,
            Outcome::NoResult | Outcome::Exception(_) | Outcome::Opaque { .. } => {
                Outcome::Broken(self.reason)
            }
        }
    }

    fn cast(&self, call: &Call, sql: &ReadOnlySql) -> Option<ReadOnlySql> {
        let casts: Vec<_> = self
            .columns
            .iter()
            .filter_map(|(name, type_name)| Some((name.as_str(), states_as_text(type_name)?)))
            .collect();
        // By its name alone, one of two columns that share it could not be told.
        let count = |name| self.columns.iter().filter(|(other, _)| other == name).count();
        let told_apart = casts.iter().all(|(name, _)| count(*name) == 1);
        sql.cast(&casts, &Rules::of(&call.config)).filter(|_| told_apart)
    }

    /// As it is kept while ClickHouse answers.
    pub(super) fn closed(&self) -> Value {
        json!([self.columns, self.reason])
    }

    /// What was kept.
    pub(super) fn opened(kept: Value) -> Option<Self> {
        serde_json::from_value(kept).ok().map(|(columns, reason)| Self { columns, reason })
    }
}
