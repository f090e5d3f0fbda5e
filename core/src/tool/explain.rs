//! A ClickHouse error in words that help a model to correct its query, or a person to see whom to ask.
//!
//! Under `EXECUTE AS` the server speaks of a text that nobody but Housekey wrote: positions are counted from the
//! wrapper's beginning, and what stands after the statement is shown as if it belonged to it. Here the wrapper is taken
//! out again.

use super::Call;
use crate::clickhouse::{Exception, RunAs, Statement};
use crate::sql::{Inner, begins_at, writable_begins_at};

/// The code of a syntax error (ClickHouse, `SYNTAX_ERROR`).
const SYNTAX_ERROR: i32 = 62;

/// Bytes of ClickHouse's words that are told.
const LONGEST_MESSAGE: usize = 2000;

/// The text of a refused query. `sent` is the statement and what was set inside its wrapper.
pub(super) fn explain(call: &Call, sent: Option<(&Statement, Inner)>, exception: &Exception) -> String {
    let mut text = format!("ClickHouse refused the query. Code {}", exception.code);
    if !exception.name.is_empty() {
        text.push_str(&format!(" ({})", exception.name));
    }
    text.push_str(": ");
    text.push_str(told(call, sent, exception).trim_end_matches('.'));
    text.push('.');
    text
}

/// What the message comes to for whoever sent the statement, without its code.
pub(crate) fn told(call: &Call, sent: Option<(&Statement, Inner)>, exception: &Exception) -> String {
    impersonation_hint(call, exception).unwrap_or_else(|| plain(&unwrapped(call, sent, exception)))
}

/// On one line, with plain quotes and of a length that a model can read: some clients stall on a text with backticks and
/// line breaks.
fn plain(message: &str) -> String {
    let mut plain = String::with_capacity(message.len().min(LONGEST_MESSAGE));
    for character in message.chars() {
        if plain.len() >= LONGEST_MESSAGE {
            plain.push('…');
            break;
        }
        plain.push(match character {
            '`' | '‘' | '’' => '\'',
            '“' | '”' => '"',
            blank if blank.is_control() => ' ',
            other => other,
        });
    }
    plain
}

/// The message as if the statement had been sent bare.
fn unwrapped(call: &Call, sent: Option<(&Statement, Inner)>, exception: &Exception) -> String {
    let (RunAs::ExecuteAs(user), Some((statement, inner))) = (&call.access.run_as, sent) else {
        return exception.message.clone();
    };
    let message = without_inner_settings(&exception.message, inner);
    if exception.code != SYNTAX_ERROR || message.contains("Max query size exceeded") {
        return message;
    }
    let (prefix, text) = match statement {
        Statement::ReadOnly(sql) => (begins_at(sql, user, inner), sql.text()),
        Statement::Writable(sql) => (writable_begins_at(user), sql.text()),
    };
    syntax_error(&message, prefix, text).unwrap_or(message)
}

/// Without the settings inside the wrapper, as ClickHouse formats them in its messages: they stand last.
fn without_inner_settings(message: &str, inner: Inner) -> String {
    let limit = inner.limit.map(|limit| format!("limit = {limit}, ")).unwrap_or_default();
    let forms = [
        format!(" SETTINGS {limit}readonly = 1"),
        format!(", {limit}readonly = 1"),
        " SETTINGS readonly = 1".to_owned(),
        ", readonly = 1".to_owned(),
    ];
    // Of what ends last, the longest.
    let last = forms
        .iter()
        .filter_map(|form| message.rfind(form.as_str()).map(|at| (at, form.len())))
        .max_by_key(|(at, length)| (at + length, *length));
    match last.filter(|_| inner.readonly) {
        Some((at, length)) => {
            let (before, after) = (message.get(..at), message.get(at + length..));
            format!("{}{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        None => message.to_owned(),
    }
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
    .map(|text| text.trim_end().to_owned())
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
        // The name before the colon tells whose profile it is.
        164 if exception.message.contains("Cannot execute query in readonly mode")
            && !exception.message.starts_with(&format!("{person}: ")) =>
        {
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
    fn words_are_on_one_line_with_plain_quotes_and_an_end() {
        let name = "Unknown table expression identifier `o'brien`.`t\"x`\n\tin scope\u{7}";
        assert_eq!(plain(name), "Unknown table expression identifier 'o'brien'.'t\"x'  in scope ");
        assert_eq!(plain("“typographic” ‘quotes’"), "\"typographic\" 'quotes'");
        let long = plain(&"é".repeat(5000));
        assert!(long.ends_with("é…") && long.len() <= LONGEST_MESSAGE + 4, "{}", long.len());
        assert_eq!(plain(&long), long, "said twice it is the same");
    }

    #[test]
    fn only_our_own_settings_are_taken_out() {
        let inner = Inner { readonly: true, limit: Some(501) };
        for (message, wanted) in [
            ("In scope SELECT x SETTINGS limit = 501, readonly = 1. Maybe y", "In scope SELECT x. Maybe y"),
            ("In scope SELECT x SETTINGS readonly = 1", "In scope SELECT x"),
            ("SELECT x SETTINGS max_threads = 2, readonly = 1", "SELECT x SETTINGS max_threads = 2"),
            (
                "SELECT ' SETTINGS readonly = 1 x' SETTINGS limit = 501, readonly = 1",
                "SELECT ' SETTINGS readonly = 1 x'",
            ),
            ("Cannot modify 'readonly' setting", "Cannot modify 'readonly' setting"),
        ] {
            assert_eq!(without_inner_settings(message, inner), wanted);
        }
        let bare = "SELECT ' SETTINGS readonly = 1'";
        assert_eq!(without_inner_settings(bare, Inner::default()), bare);
    }
}
