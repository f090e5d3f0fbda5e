//! The experiments with `EXECUTE AS`: 476 texts with what a server made of each. They show that the server still does
//! so, and that our own quoting of the same names gives that very user or nobody.

use anyhow::{Context, Result, bail, ensure};
use housekey_core::sql::fuzzing::decode;
use housekey_core::sql::{DenyList, ImpersonatedUser, Inner, ReadOnlySql, Rules, execute_as};

use super::bypass::unescape;
use super::send::{Answer, http};
use super::world::{World, world};

const ATTEMPTS: &str = include_str!("../../../core/tests/data/sql/execute_as_attempts.tsv");

struct Attempt {
    identity: String,
    wrapped: String,
    verdict: &'static str,
}

fn attempts() -> Result<Vec<Attempt>> {
    let attempts: Vec<Attempt> = ATTEMPTS
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [identity, _, wrapped, verdict] = fields.as_slice() else { bail!("four columns: {line}") };
            let (identity, wrapped) = whole(unescape(identity), unescape(wrapped));
            Ok(Attempt { identity, wrapped, verdict })
        })
        .collect::<Result<_>>()?;
    ensure!(attempts.len() == 476, "{} attempts", attempts.len());
    Ok(attempts)
}

/// The name of three hundred letters is written short, and so are the texts with it.
fn whole(identity: String, wrapped: String) -> (String, String) {
    let Some(start) = wrapped.strip_suffix('…') else { return (identity, wrapped) };
    let quote: String =
        start.chars().skip("EXECUTE AS ".len()).take(1).filter(|quote| *quote != 'a').collect();
    let identity = "a".repeat(300);
    let wrapped = format!("EXECUTE AS {quote}{identity}{quote} SELECT currentUser() AS whoami");
    (identity, wrapped)
}

/// Every name, quoted by us: the server runs the statement as exactly that user, or knows nobody of that name.
pub(crate) async fn our_quoting() -> Result<()> {
    let world = world().await?;
    let deny = DenyList::new("gateway", &[], &[]);
    let sql = ReadOnlySql::parse("SELECT currentUser()", &Rules::internal())?;
    let (mut ran, mut unknown, mut refused) = (0, 0, 0);
    for Attempt { identity, .. } in attempts()? {
        let Ok(user) = ImpersonatedUser::parse(&identity, &deny) else {
            refused += 1;
            continue;
        };
        for inner in [Inner::default(), Inner { readonly: true, limit: Some(5) }] {
            match as_gateway(&world, &execute_as(&sql, &user, inner)).await? {
                Answer::Rows(rows) => {
                    ensure!(rows.trim_end_matches('\n') == identity, "{identity:?} became {rows:?}");
                    ran += 1;
                }
                Answer::Refused(192, message) => {
                    ensure!(named(&message)? == identity, "{identity:?} was taken for {message:?}");
                    unknown += 1;
                }
                other @ (Answer::Refused(..) | Answer::Broken(_)) => bail!("{identity:?}: {other:?}"),
            }
        }
    }
    ensure!(ran > 20 && unknown > 300 && refused > 20, "{ran} ran, {unknown} unknown, {refused} refused");
    Ok(())
}

/// Every text as it was sent in the experiments, and the verdict of then.
pub(crate) async fn verdicts() -> Result<()> {
    let world = world().await?;
    for Attempt { identity, wrapped, verdict } in attempts()? {
        // The cluster had another name there.
        let wrapped = wrapped.replace("'mcp_cluster'", "'housekey'");
        let answer = as_gateway(&world, &wrapped).await?;
        agrees(&answer, &identity, verdict).with_context(|| format!("{wrapped:?}: {verdict}: {answer:?}"))?;
    }
    Ok(())
}

fn agrees(answer: &Answer, identity: &str, verdict: &str) -> Result<()> {
    let rows = match answer {
        Answer::Rows(rows) => Some(rows.trim_end_matches('\n')),
        Answer::Refused(..) | Answer::Broken(_) => None,
    };
    let message = match answer {
        Answer::Refused(_, message) => message.as_str(),
        Answer::Rows(_) | Answer::Broken(_) => "",
    };
    if verdict == "OK ran as exact identity" {
        ensure!(rows == Some(identity), "not as the identity");
    } else if verdict.starts_with("192 UNKNOWN_USER, resolved == identity") {
        ensure!(answer.code() == Some(192) && named(message)? == identity, "not unknown under its own name");
    } else if verdict.starts_with("192 UNKNOWN_USER but MISMATCH") {
        ensure!(answer.code() == Some(192), "not unknown");
    } else if let Some(other) = verdict.strip_prefix("MISMATCH: ran as '") {
        ensure!(rows == Some(other.trim_end_matches('\'')), "not as the other");
    } else if verdict.starts_with("ESCAPED") {
        ensure!(rows == Some("pwned"), "the statement was not replaced");
    } else if let Some((_, code)) = verdict.split_once(" code=") {
        let code: String = code.chars().take_while(char::is_ascii_digit).collect();
        ensure!(answer.code() == Some(code.parse()?), "another code");
    } else if verdict.starts_with("[200]") {
        ensure!(rows.is_some(), "refused");
    } else {
        let code: String = verdict.chars().take_while(char::is_ascii_digit).collect();
        ensure!(answer.code() == Some(code.parse()?), "another code");
    }
    Ok(())
}

pub(crate) async fn as_gateway(world: &World, sql: &str) -> Result<Answer> {
    http(world, ("gateway", world.clickhouse.gateway_password()), sql, &[]).await
}

/// The user of "There is no user `…`", without the escapes of the backticks.
pub(crate) fn named(message: &str) -> Result<String> {
    let (_, rest) = message.split_once("There is no user ").with_context(|| message.to_owned())?;
    let end = rest.find(" in `user directories`").with_context(|| message.to_owned())?;
    let quoted = rest.get(..end).unwrap_or_default();
    if !quoted.starts_with('`') {
        return Ok(quoted.to_owned());
    }
    decode(quoted).with_context(|| message.to_owned())
}
