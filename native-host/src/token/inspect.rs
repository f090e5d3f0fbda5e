//! `housekey token inspect`: opens a token and says what it holds and what a server would do with it, or why
//! it does not open.

use clap::{Arg, ArgMatches, Command};
use housekey_core::clickhouse::{Credential, RunAs};
use housekey_core::identity::Access;
use housekey_core::jose::claims::Claims;
use housekey_core::jose::jwe::JweError;
use housekey_core::jose::jws::JwsError;
use housekey_core::jose::token::{Form, Read, TokenError, read};
use housekey_core::secret::Secret;
use housekey_core::time::UnixTime;
use serde_json::{Value, json};

use super::judge::{Judge, Verdict};
use super::pasted;
use crate::cli::{self, Flags};
use crate::host::now;

/// A token, and with which secrets it is opened.
#[derive(Debug)]
pub struct Question {
    /// The text that holds the token; `None` reads standard input.
    text: Option<Secret<String>>,
    /// The flags that name the secrets, for the configuration.
    pub(super) flags: Flags,
}

/// What came out.
#[derive(Debug)]
struct Report {
    /// For standard output.
    json: Value,
    /// Why the token, although it opens, cannot be said to be accepted.
    not_accepted: Option<String>,
}

pub(super) fn command() -> Command {
    Command::new("inspect")
        .about("Opens a token and prints what it says, without secrets, and what a server would do with it")
        .after_help(
            "A `Bearer …` header or a URL with the token in its path will do as well. On standard input the \
             token stays out of the shell's history. Ends with 1 if the token does not open or would be \
             refused, and if no server starts in this environment, so that nobody can say; the reason is on \
             standard error.",
        )
        .arg(
            Arg::new("token")
                .value_name("TOKEN")
                .num_args(0..)
                .help("The token; `-`, or nothing, reads it from standard input"),
        )
}

pub(super) fn question(matches: &ArgMatches, flags: Flags) -> Question {
    // A header without quotes comes in several words.
    let words: Vec<&str> =
        matches.get_many::<String>("token").into_iter().flatten().map(String::as_str).collect();
    let text = Some(words.join(" ")).filter(|text| !matches!(text.as_str(), "" | "-"));
    Question { text: text.map(Secret::new), flags }
}

/// Prints what the token holds.
pub(super) fn run(judge: &Judge, question: &Question) -> anyhow::Result<()> {
    let text = match &question.text {
        Some(text) => text.clone(),
        None => Secret::new(pasted::from_standard_input()?),
    };
    let Report { json, not_accepted } = report(judge, &text, now())?;
    cli::print(&format!("{json:#}\n"));
    not_accepted.map_or(Ok(()), |reason| Err(anyhow::Error::msg(reason)))
}

fn report(judge: &Judge, text: &Secret<String>, now: UnixTime) -> anyhow::Result<Report> {
    let token = pasted::token(text.expose())?;
    let read = read(&judge.keys, token.expose()).map_err(|error| match advice(&error) {
        None => anyhow::anyhow!("the token does not open: {error}"),
        Some(advice) => anyhow::anyhow!("the token does not open: {error} ({advice})"),
    })?;
    let (verdict, not_accepted) = match judge.verdict(&read.claims, now) {
        Verdict::Accepted(caller) => (json!({ "accepted": true, "runs_as": runs_as(&caller.access) }), None),
        Verdict::Refused(reason) => (
            json!({ "accepted": false, "reason": reason.to_string() }),
            Some(format!("a server with this configuration refuses the token: {reason}")),
        ),
        Verdict::Unknown(reason) => (json!({ "accepted": null, "reason": reason }), Some(reason.to_owned())),
    };
    let mut json = made(&read);
    if let (Value::Object(json), Value::Object(verdict)) = (&mut json, verdict) {
        json.extend(verdict);
    }
    Ok(Report { json, not_accepted })
}

/// What the token says, and how it was made.
fn made(read: &Read) -> Value {
    let Read { claims, form, compressed, wrapping_key, signing_key } = read;
    let written: Value = serde_json::from_str(&claims.to_masked_json()).unwrap_or_default();
    json!({
        "claims": written,
        "dates": dates(claims),
        "form": match form {
            Form::Compact => "compact",
            Form::Json => "json",
        },
        "compressed": compressed,
        "encryption_secret": wrapping_key,
        "signed": signing_key.is_some(),
        "signing_secret": signing_key,
    })
}

/// The dates as people read them.
fn dates(claims: &Claims) -> Value {
    let dates = [("iat", claims.iat), ("nbf", claims.nbf), ("exp", claims.exp)];
    let given = dates.into_iter().filter_map(|(name, date)| Some((name.to_owned(), date?.rfc3339().into())));
    Value::Object(given.collect())
}

/// Where queries go, and with whose rights.
fn runs_as(access: &Access) -> Value {
    json!({
        "endpoint": access.endpoint.to_string(),
        "user": match &access.credential {
            Credential::Password { username, password: _ } => Some(username),
            Credential::Bearer(_) | Credential::Header { .. } | Credential::Cluster { .. } => None,
        },
        "impersonated": match &access.run_as {
            RunAs::Login => None,
            RunAs::ExecuteAs(user) | RunAs::Interserver(user) => Some(user.as_str()),
        },
        "database": access.database,
        "read_only": access.read_only,
        "limit": access.limit,
        "max_execution_time": access.max_execution_time,
    })
}

/// What to look at next, where the reason alone does not say it.
fn advice(error: &TokenError) -> Option<&'static str> {
    if let TokenError::Signature(JwsError::Signature) = error {
        return Some("is MCP_JWT_SECRET_KEY, or --jwt-secret-key, the secret that it was signed with?");
    }
    if *error == TokenError::Unsigned {
        return Some("to see what it says all the same, leave the signing secret out");
    }
    if *error == TokenError::Unverifiable {
        return Some("give MCP_JWT_SECRET_KEY or --jwt-secret-key");
    }
    let TokenError::Encryption(error) = error else { return None };
    if *error == JweError::Undecryptable {
        return Some(
            "is MCP_JWE_SECRET_KEY, or --jwe-secret-key, the secret that it was made with? A token that was \
             changed looks the same",
        );
    }
    if let JweError::Parts { found: 3 } = error {
        return Some("three make a signed JWT, such as those of OAuth");
    }
    let cut = matches!(error, JweError::Parts { .. } | JweError::Base64url { .. } | JweError::Length { .. });
    cut.then_some("was it copied whole?")
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
