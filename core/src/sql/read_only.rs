//! The witness of a statement that only reads.

use super::bracket::parts;
use super::kind::{StatementKind, is_joined, kind, needs_wrapping};
use super::outset::{check_outset, checked_clauses, source};
use super::refusal::Refusal;
use super::rules::Rules;
use super::table_function::check_functions;
use super::tail::split;

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
        check_outset(&parts, rules)?;
        kind(&parts)?;
        check_functions(&parts, rules)?;
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

    /// This statement in place of another, of which it keeps what was dropped.
    pub(super) fn after(self, other: &Self) -> Self {
        Self { dropped_format: other.dropped_format.clone(), ..self }
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
        let rules = Rules { allowed_settings: &allowed, max_length: 2000, ..Rules::internal() };
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
        let rules = Rules { allowed_settings: &allowed, max_length: 200, ..Rules::internal() };
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
        let rules = Rules { allowed_settings: &listed, max_length: 2000, ..Rules::internal() };
        for name in &listed {
            let refusal = Err(Refusal::SettingFixed { name: name.clone() });
            assert_eq!(ReadOnlySql::parse(&format!("SELECT 1 SETTINGS {name}=1"), &rules), refusal);
        }
    }
}
