//! One inquiry: tries to act for somebody, and asks what is needed to say why that does not work.

use housekey_core::clickhouse::RunAs;

use super::advice::{Attempt, Missing, Version};
use super::ask::{Asker, NoAnswer, Question};

/// Why nobody could be acted for.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) no_answer: NoAnswer,
    pub(super) missing: Option<Missing>,
}

/// For whom the gateway may act, as a stand-in of whom nobody has heard shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// For everybody.
    Everybody,
    /// For some.
    Some,
}

/// Tries to act for whom it asks as; the answer is the row of [`Question::Who`].
pub(super) async fn try_acting(asker: &Asker) -> Result<String, Failed> {
    let no_answer = match asker.ask(Question::Who).await {
        Ok(rows) => match rows.into_iter().next() {
            Some(row) => return Ok(row),
            None => NoAnswer::Broken("the answer was empty".into()),
        },
        Err(no_answer) => no_answer,
    };
    Err(explained(asker, no_answer).await)
}

/// What an answer that did not come comes down to.
pub(super) async fn explained(asker: &Asker, no_answer: NoAnswer) -> Failed {
    let version = match (asker.run_as(), &no_answer) {
        // The login itself can still be asked.
        (RunAs::ExecuteAs(_), NoAnswer::Exception(_)) => version(&asker.acting(RunAs::Login)).await,
        (RunAs::Login | RunAs::ExecuteAs(_) | RunAs::Interserver(_), _) => None,
    };
    let attempt = Attempt { credential: asker.credential(), run_as: asker.run_as(), version };
    Failed { missing: attempt.judge(&no_answer), no_answer }
}

/// For whom the gateway may act. It asks as a stand-in: a user that is not there, so that nothing runs as anybody.
pub(super) async fn reach(stand_in: &Asker) -> Result<Reach, Failed> {
    let failed = match try_acting(stand_in).await {
        Ok(_) => return Ok(Reach::Everybody),
        Err(failed) => failed,
    };
    match &failed.missing {
        Some(Missing::User { .. }) => Ok(Reach::Everybody),
        Some(Missing::Grant { login, .. }) => match stand_in.acting(RunAs::Login).ask(Question::Grants).await
        {
            Ok(grants) if !grants.iter().any(|grant| allows_impersonation(grant)) => {
                let missing = Some(Missing::AnyGrant { login: login.clone() });
                Err(Failed { missing, ..failed })
            }
            // Who may not be told of grants may still have them.
            Ok(_) | Err(_) => Ok(Reach::Some),
        },
        Some(_) | None => Err(failed),
    }
}

/// A row is a statement: `GRANT IMPERSONATE ON alice TO gateway`.
fn allows_impersonation(grant: &str) -> bool {
    ["IMPERSONATE", "EXECUTE AS", "GRANT ALL"].iter().any(|right| grant.contains(right))
}

async fn version(asker: &Asker) -> Option<Version> {
    let rows = asker.ask(Question::Who).await.ok()?;
    let row = rows.first()?;
    let values: Vec<String> = serde_json::from_str(row).ok()?;
    Version::parse(values.first()?)
}
