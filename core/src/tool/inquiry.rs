//! Work that is a few questions to ClickHouse, one after another: what all of them share is here, such as asking anew
//! when a profile refuses one of our settings.

use serde_json::{Value, json};

use super::explain::explain;
use super::plan::{Plan, Question, learn};
use super::{Call, Moment, Task, ToolState, ToolStep};
use crate::clickhouse::{Outcome, QueryRequest, Statement};
use crate::env::Env;
use crate::mcp::CallResult;

/// How often one question may be asked anew because a profile refused a setting. Each time at least one is left out.
const MOST_ATTEMPTS: u64 = 12;

/// Questions to ClickHouse, each a function of the call and of what is carried over from the answers before.
pub(crate) trait Inquiry: Send + Sync {
    /// What the query log calls this work: the name of the tool.
    fn name(&self) -> &str;

    /// What comes first.
    fn begin(&self, _env: &mut Env<'_>, _call: &Call) -> Turn {
        Turn::Ask(Value::Null)
    }

    /// The question after what is carried. It is put again, word for word, when a setting was refused.
    fn question(&self, call: &Call, carried: &Value) -> Result<Question, CallResult>;

    /// What follows from the answer.
    fn answered(&self, env: &mut Env<'_>, call: &Call, carried: Value, answer: Answer) -> Turn;
}

/// An answer, and the request that was answered.
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) sent: QueryRequest,
}

/// What comes next.
pub(crate) enum Turn {
    /// The question after this.
    Ask(Value),
    /// Another task.
    HandOver(std::sync::Arc<dyn Task>),
    /// Nothing more.
    Done(CallResult),
}

impl<T: Inquiry> Task for T {
    fn start(&self, env: &mut Env<'_>, call: &Call) -> ToolStep {
        let turn = self.begin(env, call);
        take(self, env, call, turn)
    }

    fn resume(&self, env: &mut Env<'_>, call: &Call, state: ToolState, moment: Moment) -> ToolStep {
        let Moment::Queried(outcome) = moment else {
            return ToolStep::Done(CallResult::Failed("the query was interrupted: try again".into()));
        };
        let (attempts, carried) = opened(state);
        // Planned from the same facts, it is the request that was answered, but for its query_id.
        let sent = match self.question(call, &carried) {
            Ok(question) => Plan::new(env, call, self.name(), question).request,
            Err(result) => return ToolStep::Done(result),
        };
        if let Outcome::Exception(exception) = &outcome
            && attempts < MOST_ATTEMPTS
            && learn(env, call, &sent, exception)
        {
            return ask(self, env, call, carried, attempts + 1);
        }
        let turn = self.answered(env, call, carried, Answer { outcome, sent });
        take(self, env, call, turn)
    }
}

fn take<T: Inquiry>(inquiry: &T, env: &mut Env<'_>, call: &Call, turn: Turn) -> ToolStep {
    match turn {
        Turn::Ask(carried) => ask(inquiry, env, call, carried, 1),
        Turn::HandOver(task) => ToolStep::HandOver(task),
        Turn::Done(result) => ToolStep::Done(result),
    }
}

fn ask<T: Inquiry>(inquiry: &T, env: &mut Env<'_>, call: &Call, carried: Value, attempts: u64) -> ToolStep {
    match inquiry.question(call, &carried) {
        Ok(question) => {
            let plan = Plan::new(env, call, inquiry.name(), question);
            ToolStep::Query(Box::new(plan.request), plan.limits, json!([attempts, carried]))
        }
        Err(result) => ToolStep::Done(result),
    }
}

fn opened(state: ToolState) -> (u64, Value) {
    match state {
        Value::Array(mut parts) if parts.len() == 2 => {
            let carried = parts.pop().unwrap_or_default();
            (parts.pop().and_then(|attempts| attempts.as_u64()).unwrap_or(MOST_ATTEMPTS), carried)
        }
        _ => (MOST_ATTEMPTS, Value::Null),
    }
}

impl Answer {
    /// What an answer without rows comes to for whoever asked; `None` when there are rows, or success without any.
    pub(crate) fn failure(&self, call: &Call) -> Option<String> {
        match &self.outcome {
            Outcome::Rows { .. } | Outcome::NoResult => None,
            Outcome::Exception(exception) => {
                let sent = match &self.sent.statement {
                    Statement::ReadOnly(sql) => Some((sql, self.sent.inner)),
                    Statement::Writable(_) => None,
                };
                Some(explain(call, sent, exception))
            }
            // Whatever listens at an address that a token chose, its words are not for the model.
            Outcome::Broken(_) if !call.access.chosen_by.is_operator() => Some(
                "The query did not finish: the server that the token names could not be reached in the way that the \
                 token wants, or did not answer as ClickHouse does."
                    .into(),
            ),
            Outcome::Broken(reason) => Some(format!("The query did not finish: {reason}.")),
        }
    }
}
