//! Work that is a few questions to ClickHouse, one after another: what all of them share is here, such as asking anew
//! when a profile refuses one of our settings, or when an answer has what only the server can read.

use serde_json::{Value, json};

use super::constraints::{inspected, inspection};
use super::explain::explain;
use super::plan::{Learned, Plan, Question, learn};
use super::states::States;
use super::time_limit::{TimeLimit, reached};
use super::{Answered, Call, Moment, Task, ToolState, ToolStep};
use crate::clickhouse::{Outcome, QueryRequest};
use crate::env::Env;
use crate::mcp::{CallResult, Questions};

/// The code of a query that took too long (ClickHouse, `TIMEOUT_EXCEEDED`).
const TIMEOUT_EXCEEDED: i32 = 159;

/// How often one question may be asked anew because a profile refused a setting. Each time at least one is left out. Once
/// it is asked for states as text.
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

    /// What follows once the client's user has answered, or cannot be asked, after [`Turn::AskUser`].
    fn user_answered(&self, _env: &mut Env<'_>, _call: &Call, _carried: Value, _answered: Answered) -> Turn {
        Turn::Done(CallResult::Failed("nothing was asked: try again".into()))
    }

    /// What follows from the answer.
    fn answered(&self, env: &mut Env<'_>, call: &Call, carried: Value, answer: Answer) -> Turn;
}

/// An answer, and the request that was answered.
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) sent: QueryRequest,
    /// How long it might take.
    pub(crate) time: TimeLimit,
    /// What asked.
    pub(crate) tool: String,
}

/// What comes next.
pub(crate) enum Turn {
    /// The question after this.
    Ask(Value),
    /// Questions to the client's user.
    AskUser(Questions, Value),
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
        let outcome = match moment {
            Moment::Queried(outcome) => outcome,
            Moment::Answered(answered) => {
                let turn = self.user_answered(env, call, state, answered);
                return take(self, env, call, turn);
            }
            Moment::Fetched(_) | Moment::Woken | Moment::Told => {
                return ToolStep::Done(CallResult::Failed("the query was interrupted: try again".into()));
            }
        };
        let asked = Asked::opened(state);
        // Planned from the same facts, it is the request that was answered, but for its query_id. While the profile is
        // asked for its constraints, it is the request that is to follow.
        let Plan { request: sent, time, theirs, .. } = match asked.planned(self, env, call) {
            Ok(plan) => plan,
            Err(result) => return ToolStep::Done(result),
        };
        if asked.inspecting {
            inspected(env, call, &sent, &outcome);
            return ask(self, env, call, asked.again());
        }
        if let Outcome::Exception(exception) = &outcome
            && asked.attempts < MOST_ATTEMPTS
            && let Some(learned) = learn(env, call, &sent, &theirs, exception)
        {
            return anew(self, env, call, asked, &learned);
        }
        let outcome = match (asked.states, States::split(call, &sent.statement, outcome)) {
            (None, Ok(states)) => {
                let asked = Asked { states: Some(states), ..Asked::first(asked.carried) };
                return ask(self, env, call, asked);
            }
            (None, Err(outcome)) => outcome,
            (Some(states), Ok(_)) => states.told(Outcome::NoResult),
            (Some(states), Err(outcome)) => states.told(outcome),
        };
        let carried = asked.carried;
        let tool = self.name().to_owned();
        let turn = self.answered(env, call, carried, Answer { outcome, sent, time, tool });
        take(self, env, call, turn)
    }
}

fn take<T: Inquiry>(inquiry: &T, env: &mut Env<'_>, call: &Call, turn: Turn) -> ToolStep {
    match turn {
        Turn::Ask(carried) => ask(inquiry, env, call, Asked::first(carried)),
        Turn::AskUser(questions, carried) => ToolStep::Ask(questions, carried),
        Turn::HandOver(task) => ToolStep::HandOver(task),
        Turn::Done(result) => ToolStep::Done(result),
    }
}

fn ask<T: Inquiry>(inquiry: &T, env: &mut Env<'_>, call: &Call, asked: Asked) -> ToolStep {
    match asked.planned(inquiry, env, call) {
        Ok(plan) => ToolStep::Query(Box::new(plan.request), plan.limits, asked.closed()),
        Err(result) => ToolStep::Done(result),
    }
}

/// Asks again without what was refused, or first what else would be.
fn anew<T: Inquiry>(
    inquiry: &T,
    env: &mut Env<'_>,
    call: &Call,
    asked: Asked,
    learned: &Learned,
) -> ToolStep {
    let next = match asked.planned(inquiry, env, call) {
        Ok(plan) => plan.request,
        Err(result) => return ToolStep::Done(result),
    };
    match inspection(env, call, learned, &next) {
        Some((request, limits)) => {
            let asked = Asked { inspecting: true, ..asked };
            ToolStep::Query(Box::new(request), limits, asked.closed())
        }
        None => ask(inquiry, env, call, asked.again()),
    }
}

/// What is kept while ClickHouse answers.
struct Asked {
    /// How often the question has been put.
    attempts: u64,
    /// Whether what is being asked is the profile's constraints.
    inspecting: bool,
    /// Set when states are asked for as text.
    states: Option<States>,
    carried: Value,
}

impl Asked {
    fn first(carried: Value) -> Self {
        Self { attempts: 1, inspecting: false, states: None, carried }
    }

    fn again(self) -> Self {
        Self { attempts: self.attempts.saturating_add(1), inspecting: false, ..self }
    }

    /// The question after what is carried, in the form in which it is asked now.
    fn planned<T: Inquiry>(&self, inquiry: &T, env: &mut Env<'_>, call: &Call) -> Result<Plan, CallResult> {
        let mut question = inquiry.question(call, &self.carried)?;
        if let Some(states) = &self.states {
            question = states.asked(call, question);
        }
        Ok(Plan::new(env, call, inquiry.name(), question))
    }

    fn closed(self) -> ToolState {
        json!([self.attempts, self.inspecting, self.states.map(|states| states.closed()), self.carried])
    }

    fn opened(state: ToolState) -> Self {
        serde_json::from_value::<(u64, bool, Value, Value)>(state).map_or(
            Self { attempts: MOST_ATTEMPTS, ..Self::first(Value::Null) },
            |(attempts, inspecting, states, carried)| Self {
                attempts,
                inspecting,
                states: States::opened(states),
                carried,
            },
        )
    }
}

impl Answer {
    /// What an answer without rows comes to for whoever asked; `None` when there are rows, or success without any.
    pub(crate) fn failure(&self, call: &Call) -> Option<String> {
        match &self.outcome {
            Outcome::Rows { .. } | Outcome::NoResult => None,
            Outcome::Exception(exception) => {
                let mut text = explain(call, Some((&self.sent.statement, self.sent.inner)), exception);
                if exception.code == TIMEOUT_EXCEEDED {
                    text.push(' ');
                    text.push_str(&self.time.told(&self.tool, reached(&exception.message)));
                }
                Some(text)
            }
            // Whatever listens at an address that a token chose, its words are not for the model.
            Outcome::Broken(_) | Outcome::Opaque { .. } if !call.access.chosen_by.is_operator() => Some(
                "The query did not finish: the server that the token names could not be reached in the way that the \
                 token wants, or did not answer as ClickHouse does."
                    .into(),
            ),
            Outcome::Broken(reason) if self.outcome.is_late() => {
                let told = self.time.told(&self.tool, None);
                Some(format!("The query did not finish: {reason}, and was ended there. {told}"))
            }
            Outcome::Broken(reason) | Outcome::Opaque { reason, .. } => {
                Some(format!("The query did not finish: {reason}."))
            }
        }
    }
}
