//! `EXECUTE AS`: one statement with another user's rights.
//!
//! The name goes into a string literal and not into an identifier, because ClickHouse takes `@host` after an
//! identifier as a part of the name, and the statement after it is the caller's. Settings are given to the statement
//! itself: outside it they would belong to the gateway, which then may not use `EXECUTE AS` at all.

use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;

use super::kind::StatementKind;
use super::quote::quote_literal;
use super::read_only::ReadOnlySql;
use super::token::is_blank;
use super::writable::WrappableSql;

/// Names that nobody may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyList {
    denied: Vec<String>,
    guarded: Vec<String>,
    allowed: Vec<String>,
}

impl DenyList {
    /// `default` and the gateway's own name are denied unless `allowed` lists them exactly; whatever `denied` lists
    /// is denied always.
    pub fn new(gateway: &str, denied: &[String], allowed: &[String]) -> Self {
        let denied = denied.iter().map(|name| fold(name)).collect();
        let guarded = ["default", gateway].into_iter().filter(|name| !name.is_empty()).map(fold).collect();
        Self { denied, guarded, allowed: allowed.to_vec() }
    }

    fn denies(&self, name: &str) -> bool {
        let folded = fold(name);
        self.denied.contains(&folded)
            || (self.guarded.contains(&folded) && !self.allowed.iter().any(|allowed| allowed == name))
    }
}

/// A ClickHouse user that a statement may run as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImpersonatedUser(String);

impl ImpersonatedUser {
    /// Bytes that a name may have.
    pub const MAX_LENGTH: usize = 256;

    /// Checks a name.
    ///
    /// # Errors
    ///
    /// An [`IdentityRefusal`] when the name is unfit for a user or denied.
    pub fn parse(name: &str, deny: &DenyList) -> Result<Self, IdentityRefusal> {
        if name.is_empty() {
            return Err(IdentityRefusal::Empty);
        }
        if name.len() > Self::MAX_LENGTH {
            return Err(IdentityRefusal::TooLong { length: name.len() });
        }
        if name.chars().any(char::is_control) {
            return Err(IdentityRefusal::ControlCharacter);
        }
        if name.starts_with(is_margin) || name.ends_with(is_margin) {
            return Err(IdentityRefusal::SurroundingBlank);
        }
        if is_placeholder(name) {
            return Err(IdentityRefusal::Placeholder);
        }
        if deny.denies(name) {
            return Err(IdentityRefusal::Denied);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name that no statement runs as.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdentityRefusal {
    /// No name.
    #[error("the ClickHouse user name is empty")]
    Empty,
    /// More than [`ImpersonatedUser::MAX_LENGTH`] bytes.
    #[error("the ClickHouse user name has {length} bytes and may have 256")]
    TooLong {
        /// Bytes of the name.
        length: usize,
    },
    /// A control character.
    #[error("the ClickHouse user name contains a control character")]
    ControlCharacter,
    /// A blank at an end, also one that cannot be seen.
    #[error("the ClickHouse user name starts or ends with a blank")]
    SurroundingBlank,
    /// `{name:Type}`, which ClickHouse reads as a query parameter even in quotes.
    #[error("the ClickHouse user name contains a query parameter `{{name:Type}}`")]
    Placeholder,
    /// A name on the [`DenyList`].
    #[error("nobody may act as this ClickHouse user")]
    Denied,
}

/// The settings that a statement gets inside `EXECUTE AS`.
///
/// Outside, a setting that the person's profile forbids is silently bent to what it allows; inside it is an error,
/// so that nothing is cut unseen. Only a [`StatementKind::Select`] can carry them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inner {
    /// `readonly=1`, in all queries of the statement. A user whose profile says `readonly=2` is answered with code
    /// 164 that names `readonly`: ask again without.
    pub readonly: bool,
    /// `limit`: the most rows of the whole answer.
    pub limit: Option<u64>,
}

/// The statement as that user.
pub fn execute_as(sql: &ReadOnlySql, user: &ImpersonatedUser, inner: Inner) -> String {
    let mut wrapped = format!("EXECUTE AS {} ", quote_literal(user.as_str()));
    if inner == Inner::default() || sql.kind() != StatementKind::Select {
        wrapped.push_str(sql.text());
        return wrapped;
    }
    if is_wrapped(sql, inner) {
        wrapped.push_str(WRAPPER);
        wrapped.push_str(sql.body());
        wrapped.push_str("\n)");
    } else {
        wrapped.push_str(sql.body());
    }
    wrapped.push_str("\nSETTINGS ");
    if !sql.tail_settings().is_empty() {
        wrapped.push_str(sql.tail_settings());
        wrapped.push_str(", ");
    }
    let limit = inner.limit.map(|limit| format!("limit={limit}"));
    let readonly = inner.readonly.then(|| "readonly=1".to_owned());
    let settings: Vec<String> = limit.into_iter().chain(readonly).collect();
    wrapped.push_str(&settings.join(", "));
    wrapped
}

/// A statement that writes, as that user. Nothing of ours is put into it: what holds a person who may write are their
/// grants.
pub fn execute_as_writable(sql: WrappableSql<'_>, user: &ImpersonatedUser) -> String {
    format!("EXECUTE AS {} {}", quote_literal(user.as_str()), sql.text())
}

/// The byte of [`execute_as_writable`]'s text at which the statement itself begins.
pub fn writable_begins_at(user: &ImpersonatedUser) -> usize {
    "EXECUTE AS  ".len() + quote_literal(user.as_str()).len()
}

/// The byte of [`execute_as`]'s text at which the statement itself begins, to tell positions in errors.
pub fn begins_at(sql: &ReadOnlySql, user: &ImpersonatedUser, inner: Inner) -> usize {
    let named = "EXECUTE AS  ".len() + quote_literal(user.as_str()).len();
    named + if is_wrapped(sql, inner) { WRAPPER.len() } else { 0 }
}

const WRAPPER: &str = "SELECT * FROM (\n";

/// A limit after queries that are joined would cut the last of them alone.
fn is_wrapped(sql: &ReadOnlySql, inner: Inner) -> bool {
    inner != Inner::default()
        && sql.kind() == StatementKind::Select
        && (sql.needs_wrapping() || (inner.limit.is_some() && sql.is_joined()))
}

/// A name as somebody might take it for another's: without blanks, in one case, and in the one spelling that Unicode has
/// for characters that look or mean alike (NFKC, Unicode Standard Annex 15). Lower case may need that once more.
fn fold(name: &str) -> String {
    let bare = name.nfkc().filter(|character| !is_margin(*character));
    bare.flat_map(char::to_lowercase).nfkc().collect()
}

fn is_margin(character: char) -> bool {
    character.is_whitespace() || is_blank(character)
}

fn is_placeholder(name: &str) -> bool {
    let inner = name.split_once('{').and_then(|(_, rest)| rest.split_once(':'));
    inner.is_some_and(|(_, rest)| rest.contains('}'))
}

#[cfg(test)]
mod tests {
    use super::super::{Rules, WritableSql};
    use super::*;

    const READONLY: Inner = Inner { readonly: true, limit: None };

    #[test]
    fn a_limit_cuts_the_whole_answer() {
        let allowed = names(&["max_threads"]);
        let rules = Rules { allowed_settings: &allowed, ..Rules::internal() };
        let user = ImpersonatedUser::parse("u", &DenyList::new("g", &[], &[])).unwrap();
        for (sql, inner) in [
            ("SELECT 1", "SELECT 1\nSETTINGS limit=7, readonly=1"),
            ("SELECT 1 SETTINGS max_threads=2", "SELECT 1\nSETTINGS max_threads=2, limit=7, readonly=1"),
            (
                "SELECT 1 UNION ALL SELECT 2",
                "SELECT * FROM (\nSELECT 1 UNION ALL SELECT 2\n)\nSETTINGS limit=7, readonly=1",
            ),
            (
                "WITH a AS (SELECT 1 UNION ALL SELECT 2) SELECT * FROM a",
                "WITH a AS (SELECT 1 UNION ALL SELECT 2) SELECT * FROM a\nSETTINGS limit=7, readonly=1",
            ),
            ("SHOW TABLES", "SHOW TABLES"),
        ] {
            let sql = ReadOnlySql::parse(sql, &rules).unwrap();
            let both = Inner { readonly: true, limit: Some(7) };
            let text = execute_as(&sql, &user, both);
            assert_eq!(text, format!("EXECUTE AS 'u' {inner}"));
            assert!(text[begins_at(&sql, &user, both)..].starts_with(sql.body()), "{text}");
        }
    }

    #[test]
    fn writes_run_as_somebody_only_without_data_and_not_about_access() {
        let lenient = Rules { destructive: true, impersonated: false, ..Rules::internal() };
        let user = ImpersonatedUser::parse(r"o'b\n", &DenyList::new("g", &[], &[])).unwrap();
        for (sql, inner) in [
            (" INSERT INTO t SELECT 1 ; -- x", Some("INSERT INTO t SELECT 1")),
            ("ALTER TABLE t DELETE WHERE 1", Some("ALTER TABLE t DELETE WHERE 1")),
            ("INSERT INTO t VALUES (1)", None),
            ("INSERT INTO t FORMAT CSV\n1", None),
            ("GRANT SELECT ON t TO a", None),
            ("DROP USER a", None),
        ] {
            let sql = WritableSql::parse(sql, &lenient).unwrap();
            let text = sql.wrappable().map(|sql| execute_as_writable(sql, &user));
            assert_eq!(text, inner.map(|inner| format!(r"EXECUTE AS 'o\'b\\n' {inner}")));
            assert!(text.is_none_or(|text| &text[writable_begins_at(&user)..] == sql.text()));
        }
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_are_checked() {
        let deny = DenyList::new("gateway", &names(&["root", "both"]), &names(&["both"]));
        let long = "x".repeat(257);
        for (name, refusal) in [
            ("", IdentityRefusal::Empty),
            (long.as_str(), IdentityRefusal::TooLong { length: 257 }),
            ("a\nb", IdentityRefusal::ControlCharacter),
            ("a\u{7f}", IdentityRefusal::ControlCharacter),
            ("a\0", IdentityRefusal::ControlCharacter),
            (" a", IdentityRefusal::SurroundingBlank),
            ("a\u{a0}", IdentityRefusal::SurroundingBlank),
            ("default\u{200b}", IdentityRefusal::SurroundingBlank),
            ("{u:Identifier}", IdentityRefusal::Placeholder),
            ("x{u:String}y", IdentityRefusal::Placeholder),
            ("default", IdentityRefusal::Denied),
            ("Default", IdentityRefusal::Denied),
            ("GateWay", IdentityRefusal::Denied),
            ("ROOT", IdentityRefusal::Denied),
            ("both", IdentityRefusal::Denied),
            ("de fault", IdentityRefusal::Denied),
            ("\u{ff44}efault", IdentityRefusal::Denied),
            ("\u{ff27}ateway", IdentityRefusal::Denied),
            ("def\u{200b}ault", IdentityRefusal::Denied),
        ] {
            assert_eq!(ImpersonatedUser::parse(name, &deny), Err(refusal), "{name:?}");
        }
        for name in ["alice", "o'brien", r"corp\alice", "bob@corp.com", "{a}", "a:b", "ＵＡ", "defaults"] {
            assert_eq!(ImpersonatedUser::parse(name, &deny).unwrap().as_str(), name);
        }
        let lenient = DenyList::new("gateway", &[], &names(&["default", "gateway"]));
        assert!(ImpersonatedUser::parse("default", &lenient).is_ok());
        assert!(ImpersonatedUser::parse("gateway", &lenient).is_ok());
        assert_eq!(ImpersonatedUser::parse("Default", &lenient), Err(IdentityRefusal::Denied));
    }

    /// Each form was run on ClickHouse 26.9 and gave getSetting('readonly') = 1 in every branch.
    #[test]
    fn readonly_reaches_every_query() {
        let allowed = names(&["max_threads"]);
        let rules = Rules { allowed_settings: &allowed, ..Rules::internal() };
        let user = ImpersonatedUser::parse(r"o'b\n", &DenyList::new("g", &[], &[])).unwrap();
        for (sql, inner) in [
            ("SELECT 1 -- c", "SELECT 1\nSETTINGS readonly=1"),
            ("SELECT 1 -- c\n+1;", "SELECT 1 -- c\n+1\nSETTINGS readonly=1"),
            ("WITH 1 AS a SELECT a", "WITH 1 AS a SELECT a\nSETTINGS readonly=1"),
            ("FROM t SELECT a FORMAT JSON", "FROM t SELECT a\nSETTINGS readonly=1"),
            ("(SELECT 1)", "SELECT * FROM (\n(SELECT 1)\n)\nSETTINGS readonly=1"),
            ("SELECT 1 UNION ALL SELECT 2", "SELECT 1 UNION ALL SELECT 2\nSETTINGS readonly=1"),
            ("(SELECT 1) UNION ALL SELECT 2", "(SELECT 1) UNION ALL SELECT 2\nSETTINGS readonly=1"),
            (
                "SELECT 1 UNION DISTINCT (SELECT 2) FORMAT CSV SETTINGS max_threads=2",
                "SELECT * FROM (\nSELECT 1 UNION DISTINCT (SELECT 2)\n)\nSETTINGS max_threads=2, readonly=1",
            ),
            (
                "SELECT 1 EXCEPT (SELECT 2)",
                "SELECT * FROM (\nSELECT 1 EXCEPT (SELECT 2)\n)\nSETTINGS readonly=1",
            ),
            ("FROM t |> WHERE 1", "SELECT * FROM (\nFROM t |> WHERE 1\n)\nSETTINGS readonly=1"),
            ("SELECT f(1)", "SELECT f(1)\nSETTINGS readonly=1"),
            ("SELECT 1 SETTINGS max_threads=2", "SELECT 1\nSETTINGS max_threads=2, readonly=1"),
            ("SHOW TABLES FORMAT JSON", "SHOW TABLES"),
            ("EXPLAIN (SELECT 1)", "EXPLAIN (SELECT 1)"),
        ] {
            let sql = ReadOnlySql::parse(sql, &rules).unwrap();
            assert_eq!(execute_as(&sql, &user, READONLY), format!(r"EXECUTE AS 'o\'b\\n' {inner}"));
            assert_eq!(
                execute_as(&sql, &user, Inner::default()),
                format!(r"EXECUTE AS 'o\'b\\n' {}", sql.text())
            );
        }
    }
}
