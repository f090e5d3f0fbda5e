//! Whether Housekey can act for people as configured, and what is missing if not: for `housekey test-connection`, and
//! for the operator's log ([`Watch`]).
//!
//! `ask` puts the questions, `inquiry` decides which, `advice` judges the answers; `read_only` tries whether a query that
//! reads is held to reading.

mod advice;
mod ask;
mod inquiry;
mod read_only;
mod watch;

use std::process::ExitCode;

use housekey_core::config::{Config, Host, Impersonation, Loaded};
use housekey_core::identity::{Access, Policy};

use crate::clickhouse::Client;
use crate::{cli, logging};
use ask::{Asker, NoAnswer};
use inquiry::{Failed, Reach, reach, try_acting};
use read_only::{Hold, hold};
pub use watch::Watch;

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
    let findings = test(&config, person).await?;
    for line in &findings.lines {
        cli::print(&format!("{line}\n"));
    }
    Ok(if findings.well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a test has found, for people to read.
pub struct Findings {
    /// Each finding, some with a line of advice below.
    pub lines: Vec<String>,
    /// Whether all of it worked.
    pub well: bool,
}

/// Tries the login and, if wanted, to act as a person.
///
/// # Errors
/// There can be no client, or the configuration lets nobody act for this person.
pub async fn test(config: &Config, person: Option<&str>) -> anyhow::Result<Findings> {
    let client = Client::new(config)?;
    let policy = Policy::new(config, Host::Native);
    let name = &config.clickhouse.username;
    let mut lines = Vec::new();
    let mut well = match policy.static_caller(config) {
        Ok(caller) => {
            let tried = attempt(&client, config, &caller.access).await?;
            lines.push(format!("{} as {name}: {}", caller.access.endpoint, told(&tried)));
            let well = tried.is_ok();
            // The gateway runs no statement of anybody's as itself.
            if well && config.clickhouse.impersonation != Impersonation::ExecuteAs {
                hold_line(&client, config, &caller.access, &mut lines).await? && well
            } else {
                well
            }
        }
        // Under a cluster's secret there need be no user of Housekey's own.
        Err(reason) => {
            lines.push(format!("no query can run as {name}: {reason}"));
            person.is_some()
        }
    };
    match person {
        Some(person) if well => {
            let access = policy.acting_for(config, person)?;
            let tried = attempt(&client, config, &access).await?;
            lines.push(format!("acting as {person}: {}", told(&tried)));
            well = tried.is_ok();
            if well {
                well = hold_line(&client, config, &access, &mut lines).await?;
            }
        }
        None if well && config.clickhouse.impersonation == Impersonation::ExecuteAs => {
            let asker = Asker::new(&client, config, &policy.acting_for(config, &stand_in())?)?;
            lines.push(match reach(&asker).await {
                Ok(Reach::Everybody) => format!("{name} may act for everybody"),
                Ok(Reach::Some) => format!("{name} may act for some users: add `--as USER` to try one"),
                Err(failed) => {
                    well = false;
                    format!("{name} can act for nobody: {}", reason(&failed))
                }
            });
        }
        Some(_) | None => {}
    }
    Ok(Findings { lines, well })
}

/// Tells whether read-only is held; `false` if nothing holds it.
async fn hold_line(
    client: &Client,
    config: &Config,
    access: &Access,
    lines: &mut Vec<String>,
) -> anyhow::Result<bool> {
    let held = hold(&Asker::new(client, config, access)?).await;
    lines.push(held.to_string());
    Ok(held != Hold::Nothing)
}

/// A user whom no server has.
fn stand_in() -> String {
    format!("housekey-nobody-{:032x}", rand::random::<u128>())
}

async fn attempt(
    client: &Client,
    config: &Config,
    access: &Access,
) -> anyhow::Result<Result<String, Failed>> {
    Ok(try_acting(&Asker::new(client, config, access)?).await)
}

fn told(tried: &Result<String, Failed>) -> String {
    match tried {
        Ok(row) => format!("version, user and time zone are {row}"),
        Err(failed) => reason(failed),
    }
}

fn reason(Failed { no_answer, missing }: &Failed) -> String {
    let mut text = match no_answer {
        NoAnswer::Exception(exception) => format!("error {}: {}", exception.code, exception.message),
        NoAnswer::NoMember => "no answer: ClickHouse closed the connection without a word".to_owned(),
        NoAnswer::Broken(reason) => format!("no answer: {reason}"),
    };
    if let Some(missing) = missing {
        text.push_str(&format!("\n  What to do: {missing}."));
    }
    text
}
