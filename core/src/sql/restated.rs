//! A statement asked again so that some of its columns come as other types.

use super::kind::StatementKind;
use super::quote::{quote_identifier, quote_literal};
use super::read_only::ReadOnlySql;
use super::rules::Rules;

impl ReadOnlySql {
    /// The statement with columns cast by a query around it: each name with the type that it gets. The rows stay the same
    /// and in their order, which a query that only selects keeps. What the statement sets moves to the query around it,
    /// where it is in force for both.
    ///
    /// `None` when it is no `SELECT`, or when the rules do not allow what has come of it.
    pub(crate) fn cast(&self, columns: &[(&str, String)], rules: &Rules<'_>) -> Option<Self> {
        if self.kind() != StatementKind::Select || columns.is_empty() {
            return None;
        }
        let casts: Vec<_> = columns
            .iter()
            .map(|(name, type_name)| {
                let name = quote_identifier(name);
                format!("CAST({name}, {}) AS {name}", quote_literal(type_name))
            })
            .collect();
        let mut text = format!("SELECT * REPLACE ({})\nFROM (\n{}\n)", casts.join(", "), self.body());
        if !self.tail_settings().is_empty() {
            text.push_str("\nSETTINGS ");
            text.push_str(self.tail_settings());
        }
        Self::parse(&text, rules).ok().map(|cast| cast.after(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_are_cast_around() {
        let columns = [("a`b", "Array(String)".to_owned())];
        let allowed = ["max_threads".to_owned()];
        let rules = Rules { allowed_settings: &allowed, max_length: 200, ..Rules::internal() };
        let long = format!("SELECT '{}'", "x".repeat(150));
        for (sql, body, tail) in [
            ("SELECT 1 -- x", "SELECT 1", ""),
            ("WITH 1 AS x SELECT x FORMAT JSON", "WITH 1 AS x SELECT x", ""),
            ("(SELECT 1) UNION ALL (SELECT 2);", "(SELECT 1) UNION ALL (SELECT 2)", ""),
            ("SELECT 1 SETTINGS max_threads = 1", "SELECT 1", "\nSETTINGS max_threads = 1"),
            ("SHOW TABLES", "", ""),
            ("EXPLAIN SELECT 1", "", ""),
            (&long, "", ""),
        ] {
            let parsed = ReadOnlySql::parse(sql, &rules).unwrap();
            let cast = parsed.cast(&columns, &rules);
            let expected = format!(
                "SELECT * REPLACE (CAST(`a\\`b`, 'Array(String)') AS `a\\`b`)\nFROM (\n{body}\n){tail}"
            );
            let expected = Some(expected).filter(|_| !body.is_empty());
            assert_eq!(cast.as_ref().map(|cast| cast.text().to_owned()), expected, "{sql}");
            if let Some(cast) = cast {
                assert_eq!(cast.dropped_format(), parsed.dropped_format());
                assert_eq!(cast.settings(), parsed.settings());
            }
            assert_eq!(parsed.cast(&[], &rules), None);
        }
    }
}
