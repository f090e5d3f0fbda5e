//! The witness of a statement that may change data.

use super::bracket::parts;
use super::insert::{check_values, data};
use super::outset::{check_outset, checked_clauses, source};
use super::refusal::Refusal;
use super::rules::Rules;
use super::table_function::check_functions;
use super::write_kind::{WriteKind, classify};

/// One statement that may change data, but neither the session, nor guarded settings, nor files of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritableSql {
    text: String,
    kind: WriteKind,
    destructive: bool,
    data: bool,
}

impl WritableSql {
    /// Checks a statement. Data after `INSERT … VALUES` and `INSERT … FORMAT name` is the server's to read.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is not exactly one statement, when it does not write, or when it does what `rules` do not
    /// allow.
    pub fn parse(sql: &str, rules: &Rules<'_>) -> Result<Self, Refusal> {
        if sql.len() > rules.max_length {
            return Err(Refusal::TooLong { length: sql.len(), max: rules.max_length });
        }
        if sql.contains('\0') {
            return Err(Refusal::NulByte);
        }
        let data = data(sql);
        let (head, rows) = data.and_then(|data| sql.split_at_checked(data.begins)).unwrap_or((sql, ""));
        let parts = parts(head, rules.max_length)?;
        check_outset(&parts, rules)?;
        let (kind, destructive) = classify(&parts, rules)?;
        check_functions(&parts, rules)?;
        checked_clauses(&parts, rules)?;
        if data.is_some_and(|data| data.computed) {
            check_values(rows, rules)?;
        }
        let begin = parts.first().map_or(0, |part| part.token.start);
        let text = match data {
            // Not a byte of the data may be lost, blanks at its end neither.
            Some(_) => sql.get(begin..).unwrap_or_default(),
            None => source(sql, &parts),
        };
        // Where the rows would begin and there are none, they come beside the statement.
        let data = !rows.trim_ascii().is_empty();
        Ok(Self { text: text.to_owned(), kind, destructive, data })
    }

    /// A statement that nobody has checked.
    #[cfg(debug_assertions)]
    pub(super) fn unchecked(text: &str) -> Self {
        Self { text: text.to_owned(), kind: WriteKind::Access, destructive: true, data: false }
    }

    /// The statement without comments around it. What follows it when it carries data would become data, too.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it does.
    pub fn kind(&self) -> WriteKind {
        self.kind
    }

    /// Whether it takes away what others may need: rows, columns, tables, names.
    pub fn is_destructive(&self) -> bool {
        self.destructive
    }

    /// Whether the rows to insert stand in the text. Over the native protocol and inside `EXECUTE AS` over HTTP, the
    /// server takes rows from elsewhere and refuses such a statement.
    pub fn carries_data(&self) -> bool {
        self.data
    }

    /// The same statement, if another one may be put around it.
    pub fn wrappable(&self) -> Option<WrappableSql<'_>> {
        (!self.data && self.kind != WriteKind::Access).then_some(WrappableSql(self))
    }

    /// Whether its answer has rows of its own. Any statement may answer with rows when it runs `ON CLUSTER`.
    pub fn returns_rows(&self) -> bool {
        match self.kind {
            WriteKind::Check | WriteKind::Kill | WriteKind::Backup => true,
            WriteKind::Insert
            | WriteKind::Create
            | WriteKind::Attach
            | WriteKind::Undrop
            | WriteKind::Alter
            | WriteKind::Optimize
            | WriteKind::Rename
            | WriteKind::Exchange
            | WriteKind::Detach
            | WriteKind::Drop
            | WriteKind::Truncate
            | WriteKind::Delete
            | WriteKind::Update
            | WriteKind::System
            | WriteKind::Access => false,
        }
    }
}

/// A statement that `EXECUTE AS` may stand in front of: it is one statement, neither about the session nor about
/// access nor `EXECUTE AS` itself, and it has no rows after it, which the server would not read there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrappableSql<'a>(&'a WritableSql);

impl<'a> WrappableSql<'a> {
    /// The statement without comments around it.
    pub fn text(self) -> &'a str {
        self.0.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENIENT: Rules<'static> = Rules { destructive: true, impersonated: false, ..Rules::internal() };

    #[test]
    fn kinds() {
        for (sql, kind, destructive) in [
            ("INSERT INTO t SELECT 1", WriteKind::Insert, false),
            ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", WriteKind::Insert, false),
            ("CREATE TABLE t (a Int8) ENGINE = Memory", WriteKind::Create, false),
            ("CREATE TEMPORARY TABLE t (a Int8)", WriteKind::Create, false),
            ("CREATE OR REPLACE TABLE t (a Int8) ENGINE = Memory", WriteKind::Create, true),
            ("REPLACE TABLE t (a Int8) ENGINE = Memory", WriteKind::Create, true),
            ("CREATE MATERIALIZED VIEW v TO t AS SELECT 1", WriteKind::Create, false),
            ("CREATE FUNCTION f ON CLUSTER c AS (x) -> x + 1", WriteKind::Create, false),
            ("ATTACH TABLE IF NOT EXISTS d.t ON CLUSTER c", WriteKind::Attach, false),
            ("UNDROP TABLE t", WriteKind::Undrop, false),
            (
                "ALTER TABLE d.t ON CLUSTER c ADD COLUMN a Int8, ADD INDEX i a TYPE minmax",
                WriteKind::Alter,
                false,
            ),
            ("ALTER TABLE t (ADD COLUMN a Int8), (DROP COLUMN b)", WriteKind::Alter, true),
            ("ALTER TABLE t ADD COLUMN a Int8, DROP COLUMN b", WriteKind::Alter, true),
            ("ALTER TABLE t UPDATE a = 1 WHERE 1", WriteKind::Alter, true),
            ("ALTER TABLE t MODIFY COMMENT 'x'", WriteKind::Alter, false),
            ("ALTER TABLE t MODIFY TTL d", WriteKind::Alter, true),
            ("OPTIMIZE TABLE t FINAL", WriteKind::Optimize, false),
            ("OPTIMIZE TABLE t DEDUPLICATE", WriteKind::Optimize, true),
            ("RENAME TABLE a TO b", WriteKind::Rename, true),
            ("EXCHANGE TABLES a AND b", WriteKind::Exchange, true),
            ("DETACH TABLE t PERMANENTLY", WriteKind::Detach, true),
            ("DROP TABLE t", WriteKind::Drop, true),
            ("TRUNCATE t", WriteKind::Truncate, true),
            ("DELETE FROM t WHERE 1", WriteKind::Delete, true),
            ("UPDATE t SET a = 1 WHERE 1", WriteKind::Update, true),
            ("KILL QUERY WHERE 1", WriteKind::Kill, true),
            ("SYSTEM FLUSH LOGS", WriteKind::System, true),
            ("GRANT SELECT ON t TO a", WriteKind::Access, true),
            ("CREATE USER a", WriteKind::Access, true),
            ("CREATE ROW POLICY p ON t USING 1", WriteKind::Access, true),
            ("CREATE VIEW v DEFINER = a SQL SECURITY DEFINER AS SELECT 1", WriteKind::Access, true),
            ("CHECK TABLE t", WriteKind::Check, false),
        ] {
            let parsed =
                WritableSql::parse(sql, &LENIENT).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
            assert_eq!((parsed.kind(), parsed.is_destructive()), (kind, destructive), "{sql}");
            let strict = WritableSql::parse(sql, &Rules { impersonated: true, ..LENIENT });
            assert_eq!(strict.is_err(), kind == WriteKind::Access, "{sql}");
            let careful = WritableSql::parse(sql, &Rules { destructive: false, ..LENIENT });
            assert_eq!(careful.is_err(), destructive, "{sql}");
        }
    }

    #[test]
    fn refused_statements() {
        let word = |word: &str| word.to_owned();
        for (sql, refusal) in [
            ("", Refusal::Empty),
            ("DROP TABLE a; DROP TABLE b", Refusal::SeveralStatements),
            ("EXECUTE AS a SELECT 1", Refusal::NestedExecuteAs),
            ("set x = 1", Refusal::SessionStatement { word: word("SET") }),
            ("INSERT INTO t SELECT 1 PARALLEL WITH EXECUTE AS default DROP TABLE t", Refusal::ParallelWith),
            (
                "INSERT INTO t SETTINGS readonly=0 VALUES (1)",
                Refusal::SettingFixed { name: word("readonly") },
            ),
            ("INSERT INTO t SETTINGS a=0 VALUES (1)", Refusal::SettingNotAllowed { name: word("a") }),
            ("SELECT 1", Refusal::OnlyReads { word: word("SELECT") }),
            ("(SELECT 1)", Refusal::OnlyReads { word: word("(") }),
            ("EXPLAIN INSERT INTO t SELECT 1", Refusal::NotWritable { statement: word("EXPLAIN") }),
            ("BACKUP TABLE t TO Disk('d', 'x')", Refusal::Outside { name: word("Disk") }),
            ("CREATE WORKLOAD w", Refusal::NotWritable { statement: word("CREATE WORKLOAD") }),
            ("ATTACH TABLE t FROM '/x' (a Int8) ENGINE = Memory", Refusal::AttachInFull),
            ("ATTACH TABLE t UUID 'x' (a Int8) ENGINE = Memory", Refusal::AttachInFull),
            ("INSERT INTO t FROM INFILE 'x' FORMAT CSV", Refusal::FromInfile),
            ("CREATE FUNCTION f LANGUAGE WASM FROM 'm'", Refusal::FunctionBody),
        ] {
            assert_eq!(WritableSql::parse(sql, &LENIENT), Err(refusal), "{sql}");
        }
    }

    #[test]
    fn data_is_left_alone() {
        for (sql, text, data) in [
            ("-- a\nINSERT INTO t VALUES (1, 'a;b') ; -- x", "INSERT INTO t VALUES (1, 'a;b') ; -- x", true),
            ("INSERT INTO t (a) FORMAT CSV\n1,it's;\n", "INSERT INTO t (a) FORMAT CSV\n1,it's;\n", true),
            ("INSERT INTO TABLE `values` SETTINGS max_threads=1 VALUES (1)", "", true),
            ("INSERT INTO t SELECT 1 ; -- x", "INSERT INTO t SELECT 1", false),
            ("INSERT INTO values SELECT format FROM values", "", false),
        ] {
            let allowed = ["max_threads".to_owned()];
            let parsed = WritableSql::parse(sql, &Rules { allowed_settings: &allowed, ..LENIENT }).unwrap();
            assert_eq!(parsed.text(), if text.is_empty() { sql } else { text });
            assert_eq!(parsed.carries_data(), data, "{sql}");
        }
    }
}
