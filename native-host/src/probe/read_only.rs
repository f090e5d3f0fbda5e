//! Whether ClickHouse itself holds a query that reads to reading: the second of two layers, tried and not believed.
//!
//! The write that is tried puts a row into nothing, so that it changes nothing even where it goes through. Under
//! `EXECUTE AS` there is no setting around a statement that the person's profile would not have to allow: there, the
//! person's rights are read instead.

use std::fmt;

use housekey_core::clickhouse::RunAs;

use super::ask::{Asker, NoAnswer};

/// Codes of ClickHouse.
const READONLY: i32 = 164;
const ACCESS_DENIED: i32 = 497;

/// What keeps a query that reads from writing, or that nothing does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// The setting `readonly`, for which a write was refused.
    Setting,
    /// The lack of rights to write.
    Grants,
    /// Nothing: a write went through.
    Nothing,
    /// Nothing but the statement's own `readonly` if it is a `SELECT`: the person has this right.
    Right {
        /// Who.
        person: String,
        /// The right, as ClickHouse names it.
        right: String,
    },
    /// It could not be found out.
    Unknown(NoAnswer),
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting => f.write_str("read-only is held by the server: it refuses a write for `readonly`"),
            Self::Grants => f.write_str("read-only is held by the server: the rights to write are missing"),
            Self::Nothing => f.write_str(
                "read-only is not held by the server: a write went through in spite of `readonly`, so that nothing but \
                 Housekey's own checks stands before it; grant the user SELECT only",
            ),
            Self::Right { person, right } => write!(
                f,
                "read-only is held by the server for SELECT alone: {person:?} was granted {right:?}, and under EXECUTE AS \
                 every other statement is held by grants; grant {person:?} SELECT only, unless they are to write"
            ),
            Self::Unknown(NoAnswer::Exception(exception)) => write!(
                f,
                "whether read-only is held by the server is not known: error {}: {}",
                exception.code,
                exception.message.escape_debug()
            ),
            Self::Unknown(NoAnswer::NoMember) => {
                f.write_str("whether read-only is held by the server is not known: ClickHouse said nothing")
            }
            Self::Unknown(NoAnswer::Broken(reason)) => {
                write!(f, "whether read-only is held by the server is not known: {}", reason.escape_debug())
            }
        }
    }
}

/// Tries it, as whom the asker asks.
pub(super) async fn hold(asker: &Asker) -> Hold {
    match asker.run_as() {
        RunAs::Login | RunAs::Interserver(_) => match asker.try_to_write().await {
            Ok(()) => Hold::Nothing,
            Err(NoAnswer::Exception(exception)) if exception.code == READONLY => Hold::Setting,
            // The rights are asked for first: other writes than the one that was tried may still be possible.
            Err(NoAnswer::Exception(exception)) if exception.code == ACCESS_DENIED => {
                by_grants(asker, |right| {
                    let reason = format!(
                        "the write that is tried needs a right that is missing, but {right} is there"
                    );
                    Hold::Unknown(NoAnswer::Broken(reason))
                })
                .await
            }
            Err(no_answer) => Hold::Unknown(no_answer),
        },
        RunAs::ExecuteAs(person) => {
            by_grants(asker, |right| Hold::Right { person: person.as_str().to_owned(), right }).await
        }
    }
}

async fn by_grants(asker: &Asker, otherwise: impl FnOnce(String) -> Hold) -> Hold {
    match asker.grants().await {
        Ok(grants) => grants.iter().find_map(|row| right_to_write(row)).map_or(Hold::Grants, otherwise),
        Err(no_answer) => Hold::Unknown(no_answer),
    }
}

/// The first right of a grant that is about more than reading. A row is a statement:
/// `GRANT SELECT(a, b), INSERT ON d.t TO alice`; one that grants a role has no `ON`.
fn right_to_write(row: &str) -> Option<String> {
    const READING: [&str; 5] = ["SELECT", "dictGet", "CHECK", "USAGE", "displaySecretsInShowAndSelect"];
    let values: Vec<String> = serde_json::from_str(row).ok()?;
    let (rights, _) = values.first()?.strip_prefix("GRANT ")?.split_once(" ON ")?;
    let mut depth = 0_usize;
    let parts = rights.split(move |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    let names = parts.map(|right| right.split('(').next().unwrap_or_default().trim().to_owned());
    names
        .into_iter()
        .find(|name| !name.is_empty() && !READING.contains(&name.as_str()) && !name.starts_with("SHOW"))
}

#[cfg(test)]
mod tests {
    use housekey_core::clickhouse::Exception;

    use super::*;

    #[test]
    fn rights_to_write_are_found() {
        for (grant, right) in [
            ("GRANT SELECT ON sales.* TO alice", None),
            ("GRANT SHOW TABLES, SELECT(a, INSERT), dictGet ON d.t TO alice", None),
            ("GRANT a_role TO alice", None),
            ("REVOKE INSERT ON d.t FROM alice", None),
            ("GRANT SELECT(a, b), INSERT(c) ON d.t TO alice", Some("INSERT")),
            ("GRANT ALL ON *.* TO alice WITH GRANT OPTION", Some("ALL")),
            ("GRANT READ, WRITE ON URL TO alice", Some("READ")),
            ("GRANT CREATE TEMPORARY TABLE ON *.* TO alice", Some("CREATE TEMPORARY TABLE")),
            ("GRANT IMPERSONATE ON bob TO alice", Some("IMPERSONATE")),
        ] {
            let row = serde_json::json!([grant]).to_string();
            assert_eq!(right_to_write(&row).as_deref(), right, "{grant}");
        }
    }

    #[test]
    fn a_finding_is_one_line() {
        let exception = |code| {
            let (name, message) = (String::new(), "a\nb".to_owned());
            NoAnswer::Exception(Exception { code, name, message, before_execution: true })
        };
        let unknown = Hold::Unknown(exception(241));
        assert!(!unknown.to_string().contains('\n'), "{unknown}");
        assert!(Hold::Nothing.to_string().contains("grant the user SELECT only"));
    }
}
