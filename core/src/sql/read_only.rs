//! The witnesses: a statement that was checked.

use super::bracket::{Part, has_keywords, parts};
use super::kind::{StatementKind, is_joined, kind, needs_wrapping};
use super::refusal::Refusal;
use super::tail::{SettingsClause, settings_clauses, split};
use super::token::TokenKind;

/// What a statement may do beyond reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules<'a> {
    /// The settings that a statement may change, compared by case as ClickHouse does. Those that guard the server
    /// stay forbidden even when listed.
    pub allowed_settings: &'a [String],
    /// Bytes that a statement may have.
    pub max_length: usize,
}

/// One statement that only reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOnlySql {
    text: String,
    body_length: usize,
    tail_settings: String,
    wrap: bool,
    joined: bool,
    kind: StatementKind,
    dropped_format: Option<String>,
    settings: Vec<String>,
}

impl ReadOnlySql {
    /// Checks a statement.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is not exactly one statement, when it does more than read, or when it changes a setting
    /// that `rules` do not allow.
    pub fn parse(sql: &str, rules: &Rules<'_>) -> Result<Self, Refusal> {
        let parts = parts(sql, rules.max_length)?;
        check_outset(&parts)?;
        kind(&parts)?;
        let clauses = checked_clauses(&parts, rules)?;
        let tail = split(&parts, &clauses)?;
        let body = parts.get(..tail.body).unwrap_or_default();
        // Once more, because a verb that decided may have been the name of a format.
        let kind = kind(body)?;
        let tail_settings: Vec<&str> = tail
            .settings
            .iter()
            .map(|(start, end)| source(sql, parts.get(*start..*end).unwrap_or_default()))
            .collect();
        let tail_settings = tail_settings.join(", ");
        let mut text = source(sql, body).to_owned();
        let body_length = text.len();
        if !tail_settings.is_empty() {
            text.push_str("\nSETTINGS ");
            text.push_str(&tail_settings);
        }
        let mut settings: Vec<String> = Vec::new();
        for name in clauses.into_iter().flat_map(|clause| clause.names) {
            if !settings.contains(&name) {
                settings.push(name);
            }
        }
        let (wrap, joined) = (needs_wrapping(body), is_joined(body));
        Ok(Self {
            text,
            body_length,
            tail_settings,
            wrap,
            joined,
            kind,
            dropped_format: tail.format,
            settings,
        })
    }

    /// The statement without a trailing `;` and `FORMAT` and without comments around it. Text on a new line after it
    /// cannot be swallowed by it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it does.
    pub fn kind(&self) -> StatementKind {
        self.kind
    }

    /// The format that was asked for and is not sent: Housekey chooses the format of answers.
    pub fn dropped_format(&self) -> Option<&str> {
        self.dropped_format.as_deref()
    }

    /// The names that its own `SETTINGS` clauses set, at any depth, each once.
    pub fn settings(&self) -> &[String] {
        &self.settings
    }

    /// The statement without the settings after it.
    pub(super) fn body(&self) -> &str {
        self.text.get(..self.body_length).unwrap_or_default()
    }

    /// What follows `SETTINGS` after the statement; empty without such a clause.
    pub(super) fn tail_settings(&self) -> &str {
        &self.tail_settings
    }

    /// Whether several queries make up its answer.
    pub(super) fn is_joined(&self) -> bool {
        self.joined
    }

    /// Whether settings reach its queries only from a query around it.
    pub(super) fn needs_wrapping(&self) -> bool {
        self.wrap
    }
}

/// One statement that may change data, but neither the session, nor guarded settings, nor files of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritableSql {
    text: String,
}

impl WritableSql {
    /// Checks a statement. Data after `INSERT … FORMAT` is read as SQL and therefore often refused: send it apart.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is not exactly one statement or when it leaves its bounds.
    pub fn parse(sql: &str, rules: &Rules<'_>) -> Result<Self, Refusal> {
        let parts = parts(sql, rules.max_length)?;
        check_outset(&parts)?;
        checked_clauses(&parts, rules)?;
        Ok(Self { text: source(sql, &parts).to_owned() })
    }

    /// The statement without a trailing `;` and without comments around it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What no statement may do, whether it reads or writes.
fn check_outset(parts: &[Part<'_>]) -> Result<(), Refusal> {
    let first = parts.first().ok_or(Refusal::Empty)?.token;
    if matches!(first.kind, TokenKind::At | TokenKind::DoubleAt) {
        return Err(Refusal::LeadingAt);
    }
    if first.is_word("EXECUTE") {
        return Err(Refusal::NestedExecuteAs);
    }
    if first.is_word_of(&["SET", "USE", "BEGIN", "START", "COMMIT", "ROLLBACK"]) {
        return Err(Refusal::SessionStatement { word: first.text.to_ascii_uppercase() });
    }
    if has_keywords(parts, "PARALLEL", "WITH") {
        return Err(Refusal::ParallelWith);
    }
    if has_keywords(parts, "INTO", "OUTFILE") {
        return Err(Refusal::IntoOutfile);
    }
    Ok(())
}

/// The clauses that change settings, after the names in them were found allowed.
fn checked_clauses(parts: &[Part<'_>], rules: &Rules<'_>) -> Result<Vec<SettingsClause>, Refusal> {
    let clauses = settings_clauses(parts)?;
    for name in clauses.iter().flat_map(|clause| &clause.names) {
        if is_fixed(name) {
            return Err(Refusal::SettingFixed { name: name.clone() });
        }
        if !rules.allowed_settings.contains(name) {
            return Err(Refusal::SettingNotAllowed { name: name.clone() });
        }
    }
    Ok(clauses)
}

/// Settings that bound what a person may do, or that shape the answer which Housekey decodes.
fn is_fixed(name: &str) -> bool {
    const FIXED: [&str; 22] = [
        "readonly",
        "allow_ddl",
        "allow_introspection_functions",
        "allow_custom_error_code_in_throwif",
        "max_execution_time",
        "max_memory_usage",
        "max_result_rows",
        "max_result_bytes",
        "max_rows_to_read",
        "max_bytes_to_read",
        "limit",
        "offset",
        "user",
        "password",
        "database",
        "profile",
        "dialect",
        "implicit_select",
        "log_comment",
        "query_id",
        "replace_running_query",
        "result_overflow_mode",
    ];
    let name = name.to_lowercase();
    FIXED.contains(&name.as_str()) || name.starts_with("http_") || name.starts_with("output_format_")
}

/// The source of some parts, comments between them included.
fn source<'a>(sql: &'a str, parts: &[Part<'_>]) -> &'a str {
    match (parts.first(), parts.last()) {
        (Some(first), Some(last)) => sql.get(first.token.start..last.token.end()).unwrap_or_default(),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statements and verdicts; those about syntax were compared with ClickHouse 26.9.
    const VERDICTS: &str = include_str!("../../tests/data/sql/verdicts.tsv");

    fn allowed() -> Vec<String> {
        vec!["max_threads".to_owned(), "use_query_cache".to_owned()]
    }

    fn unescape(text: &str) -> String {
        let mut plain = String::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            plain.push(match (character, character == '\\') {
                (_, true) => match characters.next().unwrap() {
                    'n' => '\n',
                    't' => '\t',
                    '0' => '\0',
                    other => other,
                },
                (other, false) => other,
            });
        }
        plain
    }

    #[test]
    fn verdicts() {
        let allowed = allowed();
        let rules = Rules { allowed_settings: &allowed, max_length: 2000 };
        let mut rows = 0;
        for line in VERDICTS.lines().skip(1) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [sql, verdict, reason, format] = fields.as_slice() else { panic!("four columns: {line}") };
            let sql = unescape(sql);
            match ReadOnlySql::parse(&sql, &rules) {
                Ok(parsed) => {
                    assert_eq!(
                        (*verdict, *reason),
                        ("accepted", format!("{:?}", parsed.kind()).as_str()),
                        "{sql}"
                    );
                    assert_eq!(parsed.dropped_format().unwrap_or_default(), *format, "{sql}");
                }
                Err(refusal) => {
                    assert_eq!(*verdict, "refused", "{sql}: {refusal}");
                    assert!(format!("{refusal:?}").starts_with(reason), "{sql}: {refusal:?}");
                }
            }
            super::super::fuzzing::check(&sql);
            rows += 1;
        }
        assert!(rows >= 150, "{rows}");
    }

    #[test]
    fn texts() {
        let allowed = allowed();
        let rules = Rules { allowed_settings: &allowed, max_length: 200 };
        for (sql, text, settings) in [
            ("-- a\nSELECT 1 -- b\n ; ", "SELECT 1", vec![]),
            ("\u{feff}SELECT /* a */ 1 -- b\n+1 # c", "SELECT /* a */ 1 -- b\n+1", vec![]),
            ("SELECT 1 FORMAT JSON", "SELECT 1", vec![]),
            (
                "SELECT 1 SETTINGS max_threads=1 FORMAT a SETTINGS use_query_cache;",
                "SELECT 1\nSETTINGS max_threads=1, use_query_cache",
                vec!["max_threads", "use_query_cache"],
            ),
            (
                "SELECT (SELECT 1 SETTINGS max_threads=1) SETTINGS max_threads=2",
                "SELECT (SELECT 1 SETTINGS max_threads=1)\nSETTINGS max_threads=2",
                vec!["max_threads"],
            ),
        ] {
            let parsed = ReadOnlySql::parse(sql, &rules).unwrap();
            assert_eq!(parsed.text(), text);
            assert_eq!(parsed.settings(), settings);
        }
        let long = format!("SELECT '{}'", "é".repeat(100));
        assert_eq!(ReadOnlySql::parse(&long, &rules), Err(Refusal::TooLong { length: 209, max: 200 }));
    }

    #[test]
    fn fixed_settings_cannot_be_allowed() {
        let listed =
            ["readonly", "max_execution_time", "http_x", "output_format_x", "LIMIT"].map(str::to_owned);
        let rules = Rules { allowed_settings: &listed, max_length: 2000 };
        for name in &listed {
            let refusal = Err(Refusal::SettingFixed { name: name.clone() });
            assert_eq!(ReadOnlySql::parse(&format!("SELECT 1 SETTINGS {name}=1"), &rules), refusal);
        }
    }

    #[test]
    fn writable_statements() {
        let rules = Rules { allowed_settings: &[], max_length: 2000 };
        for sql in ["INSERT INTO t VALUES (1, 'a;b')", "CREATE TABLE t (a Int8) ENGINE = Memory", "SELECT 1"]
        {
            assert_eq!(WritableSql::parse(&format!(" {sql} ; -- x"), &rules).unwrap().text(), sql);
        }
        for (sql, refusal) in [
            ("", Refusal::Empty),
            ("DROP TABLE a; DROP TABLE b", Refusal::SeveralStatements),
            ("EXECUTE AS a SELECT 1", Refusal::NestedExecuteAs),
            ("set x = 1", Refusal::SessionStatement { word: "SET".into() }),
            ("INSERT INTO t SELECT 1 PARALLEL WITH EXECUTE AS default DROP TABLE t", Refusal::ParallelWith),
            ("SELECT 1 INTO OUTFILE 'a'", Refusal::IntoOutfile),
            (
                "INSERT INTO t SETTINGS readonly=0 VALUES (1)",
                Refusal::SettingFixed { name: "readonly".into() },
            ),
            ("INSERT INTO t SETTINGS a=0 VALUES (1)", Refusal::SettingNotAllowed { name: "a".into() }),
        ] {
            assert_eq!(WritableSql::parse(sql, &rules), Err(refusal), "{sql}");
        }
    }
}
