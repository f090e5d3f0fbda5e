//! A ClickHouse of the reader's own: what it needs, and what it lacks. It is only read.

use housekey_core::sql::{quote_identifier, quote_literal};
use serde_json::Value;

use super::display::Display;
use super::options::NamedServer;
use super::reader::{ReadError, Reader};

/// Prints the statements that an administrator runs there.
pub(super) fn explain(display: &Display, server: &NamedServer) {
    display
        .heading("What your ClickHouse needs (25.11 or later); an administrator runs, where it is missing");
    display.code(&requirements(&server.gateway.username, &server.people));
    display.prose(
        "From 25.11 to 26.2 the server's configuration also needs access_control_improvements / \
         allow_impersonate_user = 1. The gateway's profile must not be read-only: that forbids EXECUTE AS.",
    );
}

fn requirements(gateway: &str, people: &[String]) -> String {
    let gateway = quote_identifier(gateway);
    let mut sql = format!("CREATE USER IF NOT EXISTS {gateway} IDENTIFIED BY '<a long password>';\n");
    for person in people {
        let person = quote_identifier(person);
        sql.push_str(&format!(
            "\nCREATE USER IF NOT EXISTS {person} IDENTIFIED BY '<another password>';\n\
             GRANT SELECT ON <database>.* TO {person};\n\
             GRANT IMPERSONATE ON {person} TO {gateway};\n"
        ));
    }
    sql.push_str(&format!(
        "\nGRANT SELECT ON system.query_log TO {gateway};  -- for the last part of the demo only\n"
    ));
    sql
}

/// Tries the gateway's login and to act as each person. Returns the server's version.
///
/// # Errors
/// Something is missing; what it is has been shown.
pub(super) async fn check(
    display: &Display,
    server: &NamedServer,
    gateway: &Reader,
) -> anyhow::Result<String> {
    display.heading("What is there");
    let who = format!("login as {}", server.gateway.username);
    let width = server.people.iter().map(|person| person.chars().count() + 10).max().unwrap_or_default();
    let width = width.max(who.chars().count());
    let version = match gateway.rows("SELECT version()").await {
        Ok(rows) => {
            rows.first().and_then(|row| row.first()).and_then(Value::as_str).unwrap_or("?").to_owned()
        }
        Err(error) => {
            display.refusal(&who, width, &login_problem(&error));
            anyhow::bail!("Housekey cannot log in to {}", server.gateway.url);
        }
    };
    display.facts(&[(&format!("{who:width$}"), "ok", &format!("version {version}"))]);
    let mut missing = 0;
    for person in &server.people {
        let who = format!("acting as {person}");
        let sql = format!("EXECUTE AS {} SELECT currentUser()", quote_literal(person));
        match gateway.rows(&sql).await {
            Ok(_) => display.facts(&[(&format!("{who:width$}"), "ok", "")]),
            Err(error) => {
                missing += 1;
                display.refusal(&who, width, &person_problem(&error, person, &server.gateway.username));
            }
        }
    }
    if missing > 0 {
        anyhow::bail!(
            "the ClickHouse at {} lacks what is said above; nothing was changed there",
            server.gateway.url
        );
    }
    Ok(version)
}

fn login_problem(error: &ReadError) -> String {
    match error {
        ReadError::Exception { code: 192 | 193 | 194 | 516, .. } => {
            "the user or the password is wrong, or this user may not log in from this address".into()
        }
        ReadError::Exception { .. } => format!("refused: {error}"),
        ReadError::Unreachable(reason) => format!("no answer: {reason}"),
    }
}

fn person_problem(error: &ReadError, person: &str, gateway: &str) -> String {
    let (person, gateway) = (quote_identifier(person), quote_identifier(gateway));
    match error {
        ReadError::Exception { code: 344, .. } => {
            "missing: access_control_improvements.allow_impersonate_user = 1 in the server's configuration"
                .into()
        }
        ReadError::Exception { code: 497, text } if text.contains("IMPERSONATE") => {
            format!("missing: GRANT IMPERSONATE ON {person} TO {gateway}, or the user itself")
        }
        ReadError::Exception { code: 192, .. } => format!("missing: CREATE USER {person}"),
        ReadError::Exception { code: 164, .. } => format!("the profile of {gateway} is read-only: lift it"),
        ReadError::Exception { code: 62, .. } => {
            "this ClickHouse is older than 25.11 and has no EXECUTE AS".into()
        }
        ReadError::Exception { .. } => format!("refused: {error}"),
        ReadError::Unreachable(reason) => format!("no answer: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_quoted() {
        let sql = requirements("gw", &["alice@example.com".to_owned(), "o`b".to_owned()]);
        assert!(sql.contains("GRANT IMPERSONATE ON `alice@example.com` TO `gw`;"), "{sql}");
        assert!(!sql.contains("`o`b`"), "{sql}");
    }

    #[test]
    fn problems_name_their_remedy() {
        let told = |code, text: &str| {
            person_problem(&ReadError::Exception { code, text: text.to_owned() }, "alice", "gw")
        };
        assert!(told(497, "gw: grant IMPERSONATE ON alice").contains("GRANT IMPERSONATE ON `alice` TO `gw`"));
        assert!(told(192, "").contains("CREATE USER `alice`"));
        assert!(told(62, "").contains("25.11"));
        assert!(told(999, "odd").contains("odd"));
    }
}
