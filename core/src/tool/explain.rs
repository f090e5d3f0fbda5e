//! A ClickHouse error in words that help a model to correct its query, or a person to see whom to ask.
//!
//! Under `EXECUTE AS` the server speaks of a text that nobody but Housekey wrote: positions are counted from the
//! wrapper's beginning, and what stands after the statement is shown as if it belonged to it. Here the wrapper is taken
//! out again.

use super::Call;
use crate::clickhouse::{Exception, RunAs};
use crate::sql::{Inner, ReadOnlySql, execute_as, quote_literal};

/// The code of a syntax error (ClickHouse, `SYNTAX_ERROR`).
const SYNTAX_ERROR: i32 = 62;

/// The text of a refused query.
pub(super) fn explain(call: &Call, statement: Option<&ReadOnlySql>, exception: &Exception) -> String {
    let mut text = format!("ClickHouse refused the query. Code {}", exception.code);
    if !exception.name.is_empty() {
        text.push_str(&format!(" ({})", exception.name));
    }
    text.push_str(": ");
    match impersonation_hint(call, exception) {
        Some(hint) => text.push_str(&hint),
        None => text.push_str(unwrapped(call, statement, exception).trim_end_matches('.')),
    }
    text.push('.');
    text
}

/// The message as if the statement had been sent bare.
fn unwrapped(call: &Call, statement: Option<&ReadOnlySql>, exception: &Exception) -> String {
    let (RunAs::ExecuteAs(user), Some(statement)) = (&call.access.run_as, statement) else {
        return exception.message.clone();
    };
    let message = without_inner_settings(&exception.message);
    if exception.code != SYNTAX_ERROR {
        return message;
    }
    let wrapped = execute_as(statement, user, Inner { readonly: true, limit: Some(1) });
    let named = format!("EXECUTE AS {} ", quote_literal(user.as_str())).len();
    let first_line = statement.text().lines().next().unwrap_or_default();
    let begins = wrapped.get(named..).and_then(|rest| rest.find(first_line)).unwrap_or_default();
    syntax_error(&message, named + begins, statement.text()).unwrap_or(message)
}

/// The settings inside the wrapper, as ClickHouse formats a statement in its messages.
fn without_inner_settings(message: &str) -> String {
    let mut text = message.to_owned();
    while let Some(end) = text.find("readonly = 1") {
        let before = text.get(..end).unwrap_or_default();
        let Some(start) = before.rfind(" SETTINGS ") else { break };
        let between = before.get(start + " SETTINGS ".len()..).unwrap_or_default();
        let is_ours = between.is_empty()
            || between.strip_prefix("limit = ").is_some_and(|rest| {
                rest.strip_suffix(", ").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            });
        if !is_ours {
            break;
        }
        text.replace_range(start..end + "readonly = 1".len(), "");
    }
    text
}

/// `Syntax error: failed at position N (token) (line L, col C): rest. Expected …`, told of the statement itself.
fn syntax_error(message: &str, prefix: usize, statement: &str) -> Option<String> {
    const MARK: &str = "failed at position ";
    let (_, rest) = message.split_once(MARK)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let position: usize = rest.get(..digits)?.parse().ok()?;
    let expected = message.find("Expected ").and_then(|at| message.get(at..)).unwrap_or_default();
    let offset = position.checked_sub(1)?.checked_sub(prefix)?;
    let from = statement.get(offset..).map(str::trim_end).filter(|rest| !rest.is_empty());
    Some(match from {
        Some(from) => {
            let near: String = from.chars().take(60).collect();
            format!("Syntax error at position {} of the statement, near {near:?}. {expected}", offset + 1)
        }
        None => format!("Syntax error: the statement ends too early. {expected}"),
    })
}

/// What an error of the impersonation itself means, in words that name neither the gateway's login nor its grants.
fn impersonation_hint(call: &Call, exception: &Exception) -> Option<String> {
    let RunAs::ExecuteAs(person) = &call.access.run_as else { return None };
    let person = person.as_str();
    let about_impersonation = exception.message.contains("IMPERSONATE");
    match exception.code {
        344 if about_impersonation => Some(
            "this server does not let one user act for another; its operator must set \
             access_control_improvements.allow_impersonate_user to 1"
                .into(),
        ),
        497 if about_impersonation => Some(format!(
            "Housekey may not act for {person}; an operator must GRANT IMPERSONATE ON {person} to its gateway user"
        )),
        192 => Some(format!("ClickHouse has no user {person}; an operator must create it, or the token is wrong")),
        164 if exception.message.contains("Cannot execute query in readonly mode") => {
            Some("the profile of Housekey's gateway user is read-only, which forbids EXECUTE AS; an operator must \
                  lift it and give the people behind it SELECT grants only"
                .into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_statement() {
        let prefix = "EXECUTE AS 'alice' ".len();
        for (message, statement, wanted) in [
            (
                "Syntax error: failed at position 39 (=) (line 2, col 15): =501, readonly=1. Expected one of: AFTER",
                "SELECT 1 +",
                "Syntax error: the statement ends too early. Expected one of: AFTER",
            ),
            (
                "Syntax error: failed at position 29 (FORM) (line 1, col 29): FORM t. Expected one of: FROM",
                "SELECT a FORM t b",
                "Syntax error at position 10 of the statement, near \"FORM t b\". Expected one of: FROM",
            ),
        ] {
            assert_eq!(syntax_error(message, prefix, statement).as_deref(), Some(wanted));
        }
        assert_eq!(syntax_error("Max query size exceeded", prefix, "SELECT 1"), None);
        assert_eq!(syntax_error("failed at position 3 (x)", prefix, "SELECT 1"), None);
    }

    #[test]
    fn only_our_own_settings_are_taken_out() {
        for (message, wanted) in [
            ("In scope SELECT x SETTINGS limit = 501, readonly = 1. Maybe y", "In scope SELECT x. Maybe y"),
            ("In scope SELECT x SETTINGS readonly = 1", "In scope SELECT x"),
            (
                "SELECT x SETTINGS max_threads = 2, readonly = 1",
                "SELECT x SETTINGS max_threads = 2, readonly = 1",
            ),
            ("Cannot modify 'readonly' setting", "Cannot modify 'readonly' setting"),
        ] {
            assert_eq!(without_inner_settings(message), wanted);
        }
    }
}
