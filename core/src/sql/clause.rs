//! Clauses that an operator may block, by the names that altinity-mcp has for them, and how each is recognised.
//!
//! A word that stands where a name stands (after a dot or `AS`) is no clause. Where it could be either, it is taken
//! for the clause: whoever means a column of that name can quote it.

use super::bracket::{Part, before, follows_dot};
use super::token::{Bracket, TokenKind};

/// A clause or a sort of statement. Only [`Clause::parse`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause(&'static Known);

#[derive(Debug, PartialEq, Eq)]
struct Known {
    name: &'static str,
    sign: Sign,
}

/// What shows that a statement has a clause.
#[derive(Debug, PartialEq, Eq)]
enum Sign {
    /// One of these words begins a statement: the whole one, or one inside brackets, behind `EXPLAIN` or `WITH`.
    Verb(&'static [&'static str]),
    /// These words follow each other, anywhere.
    Words(&'static [&'static str]),
    /// The word, unless a bracket follows: then it is a function.
    Bare(&'static str),
    /// A `SELECT`, also one that is left out before `FROM`.
    Select,
    /// `WITH` before a query, not as in `WITH TOTALS`.
    With,
    /// `SETTINGS`, as a clause and not as a name.
    Settings,
    /// `LIMIT … BY`.
    LimitBy,
    /// `JOIN`, but not `ARRAY JOIN`.
    Join,
    /// The sign `|>`.
    Pipe,
}

impl Clause {
    /// The clause of a name, in any case, with or without blanks and underscores, and with or without the endings of
    /// the peer's parser.
    pub fn parse(name: &str) -> Option<Self> {
        let mut squeezed = squeeze(name);
        for ending in ["CLAUSE", "STMT", "QUERY"] {
            if let Some(rest) = squeezed.strip_suffix(ending).filter(|rest| !rest.is_empty()) {
                squeezed = rest.to_owned();
                break;
            }
        }
        KNOWN.iter().find(|known| squeeze(known.name) == squeezed).map(Self)
    }

    /// Its name, in capitals.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The names there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|known| known.name)
    }

    /// Whether the statement has it.
    pub(super) fn is_in(self, parts: &[Part<'_>]) -> bool {
        (0..parts.len()).any(|index| self.is_at(parts, index))
    }

    fn is_at(self, parts: &[Part<'_>], index: usize) -> bool {
        let Some(part) = parts.get(index) else { return false };
        let word = |at: usize, word: &str| parts.get(at).is_some_and(|part| part.token.is_word(word));
        let opens =
            |at: usize| parts.get(at).is_some_and(|part| part.token.kind == TokenKind::Open(Bracket::Round));
        if let Sign::Pipe = self.0.sign {
            return part.token.text == "|>";
        }
        if part.token.kind != TokenKind::Word || is_name(parts, index) {
            return false;
        }
        match &self.0.sign {
            Sign::Verb(verbs) => part.token.is_word_of(verbs) && begins_statement(parts, index),
            Sign::Words(words) => words.iter().enumerate().all(|(at, one)| word(index + at, one)),
            Sign::Bare(one) => part.token.is_word(one) && !opens(index + 1),
            Sign::Select => {
                part.token.is_word("SELECT") || (part.token.is_word("FROM") && begins_statement(parts, index))
            }
            Sign::With => {
                part.token.is_word("WITH")
                    && !["TOTALS", "ROLLUP", "CUBE", "TIES", "FILL"].iter().any(|next| word(index + 1, next))
            }
            Sign::Settings => {
                part.token.is_word("SETTINGS")
                    && parts.get(index + 1).is_some_and(|next| next.token.is_name())
                    && !before(parts, index).is_some_and(|part| part.token.is_word("SHOW"))
            }
            Sign::LimitBy => part.token.is_word("LIMIT") && limits_by(parts, index),
            Sign::Join => {
                part.token.is_word("JOIN")
                    && !before(parts, index).is_some_and(|part| part.token.is_word("ARRAY"))
            }
            Sign::Pipe => false,
        }
    }
}

/// Whether the word is the name of something: the part of a longer name, or what `AS` gives.
fn is_name(parts: &[Part<'_>], index: usize) -> bool {
    let alias = before(parts, index).is_some_and(|part| part.token.is_word("AS"));
    // `CREATE … AS SELECT` and `EXECUTE AS`-like heads are no aliases.
    let is_query = parts.get(index).is_some_and(|part| part.token.is_word_of(&["SELECT", "WITH", "FROM"]));
    follows_dot(parts, index) || (alias && !is_query)
}

fn begins_statement(parts: &[Part<'_>], index: usize) -> bool {
    const BEFORE: [&str; 13] = [
        "EXPLAIN", "AST", "SYNTAX", "PLAN", "PIPELINE", "ESTIMATE", "TREE", "ANALYZE", "AS", "ALL",
        "DISTINCT", "UNION", "WITH",
    ];
    match before(parts, index) {
        None => true,
        Some(part) => {
            part.token.kind == TokenKind::Open(Bracket::Round) || part.token.is_word_of(&BEFORE) || {
                // `WITH x AS (…) INSERT`, `EXPLAIN a = 1 INSERT`: the verb of the statement after a head.
                let first = parts.first().map(|part| part.token);
                parts.get(index).is_some_and(|part| part.depth == 0)
                    && first.is_some_and(|first| first.is_word_of(&["WITH", "EXPLAIN"]))
                    && matches!(part.token.kind, TokenKind::Close(_) | TokenKind::Number | TokenKind::String)
            }
        }
    }
}

/// Whether `BY` ends the numbers after `LIMIT` before anything else does.
fn limits_by(parts: &[Part<'_>], index: usize) -> bool {
    const ENDS: [&str; 8] = ["SETTINGS", "FORMAT", "UNION", "INTERSECT", "EXCEPT", "LIMIT", "WITH", "INTO"];
    let mut at = index + 1;
    while let Some(part) = parts.get(at) {
        if part.token.is_word("BY") {
            return true;
        }
        if part.token.is_word_of(&ENDS) || matches!(part.token.kind, TokenKind::Close(_)) {
            return false;
        }
        // Over a bracket in one step.
        at = part.partner.unwrap_or(at) + 1;
    }
    false
}

fn squeeze(name: &str) -> String {
    name.chars()
        .filter(|character| !matches!(character, ' ' | '_' | '\t'))
        .map(|character| character.to_ascii_uppercase())
        .collect()
}

const fn verb(name: &'static str, words: &'static [&'static str]) -> Known {
    Known { name, sign: Sign::Verb(words) }
}

const fn words(name: &'static str, words: &'static [&'static str]) -> Known {
    Known { name, sign: Sign::Words(words) }
}

const fn bare(name: &'static str) -> Known {
    Known { name, sign: Sign::Bare(name) }
}

const fn special(name: &'static str, sign: Sign) -> Known {
    Known { name, sign }
}

/// In the order of the alphabet, as `docs/sql.md` lists them.
static KNOWN: &[Known] = &[
    verb("ALTER", &["ALTER"]),
    words("ARRAY JOIN", &["ARRAY", "JOIN"]),
    verb("ATTACH", &["ATTACH"]),
    verb("BACKUP", &["BACKUP"]),
    verb("CHECK", &["CHECK"]),
    verb("CREATE", &["CREATE", "REPLACE"]),
    words("CUBE", &["CUBE"]),
    verb("DELETE", &["DELETE"]),
    verb("DESCRIBE", &["DESCRIBE", "DESC"]),
    verb("DETACH", &["DETACH"]),
    words("DISTINCT", &["DISTINCT"]),
    verb("DROP", &["DROP"]),
    words("EXCEPT", &["EXCEPT"]),
    verb("EXCHANGE", &["EXCHANGE"]),
    verb("EXISTS", &["EXISTS"]),
    verb("EXPLAIN", &["EXPLAIN"]),
    bare("FINAL"),
    bare("FORMAT"),
    words("FROM", &["FROM"]),
    verb("GRANT", &["GRANT"]),
    words("GROUP BY", &["GROUP", "BY"]),
    words("HAVING", &["HAVING"]),
    verb("INSERT", &["INSERT"]),
    words("INTERPOLATE", &["INTERPOLATE"]),
    words("INTERSECT", &["INTERSECT"]),
    words("INTO OUTFILE", &["INTO", "OUTFILE"]),
    special("JOIN", Sign::Join),
    verb("KILL", &["KILL"]),
    words("LIMIT", &["LIMIT"]),
    special("LIMIT BY", Sign::LimitBy),
    words("OFFSET", &["OFFSET"]),
    words("ON CLUSTER", &["ON", "CLUSTER"]),
    verb("OPTIMIZE", &["OPTIMIZE"]),
    words("ORDER BY", &["ORDER", "BY"]),
    special("PIPE", Sign::Pipe),
    words("PREWHERE", &["PREWHERE"]),
    words("QUALIFY", &["QUALIFY"]),
    verb("RENAME", &["RENAME"]),
    verb("RESTORE", &["RESTORE"]),
    verb("REVOKE", &["REVOKE"]),
    words("ROLLUP", &["ROLLUP"]),
    words("SAMPLE", &["SAMPLE"]),
    special("SELECT", Sign::Select),
    verb("SET", &["SET"]),
    special("SETTINGS", Sign::Settings),
    verb("SHOW", &["SHOW"]),
    verb("SYSTEM", &["SYSTEM"]),
    words("TOP", &["SELECT", "TOP"]),
    words("TOTALS", &["WITH", "TOTALS"]),
    verb("TRUNCATE", &["TRUNCATE"]),
    words("UNION", &["UNION"]),
    verb("UPDATE", &["UPDATE"]),
    verb("USE", &["USE"]),
    words("WHERE", &["WHERE"]),
    words("WINDOW", &["WINDOW"]),
    special("WITH", Sign::With),
    words("WITH FILL", &["WITH", "FILL"]),
];

#[cfg(test)]
mod tests {
    use super::super::{ReadOnlySql, Refusal, Rules, WritableSql};
    use super::Clause;

    fn clause(name: &str) -> Clause {
        Clause::parse(name).unwrap_or_else(|| panic!("{name} is no clause"))
    }

    #[test]
    fn names() {
        for (written, name) in [
            ("SETTINGS", "SETTINGS"),
            ("settings", "SETTINGS"),
            ("SettingsClause", "SETTINGS"),
            ("SelectQuery", "SELECT"),
            ("ExplainStmt", "EXPLAIN"),
            ("group by", "GROUP BY"),
            ("GroupByClause", "GROUP BY"),
            ("INTO_OUTFILE", "INTO OUTFILE"),
            ("LimitBy", "LIMIT BY"),
        ] {
            assert_eq!(clause(written).name(), name);
        }
        for wrong in ["", "CLAUSE", "WHEREE", "*", "SELECT *"] {
            assert_eq!(Clause::parse(wrong), None, "{wrong}");
        }
        let listed: Vec<&str> = Clause::names().collect();
        assert!(listed.is_sorted());
        let page = include_str!("../../../docs/sql.md").replace('\n', " ");
        assert!(page.contains(&format!(" {}. ", listed.join(", "))), "docs/sql.md lists other clauses");
    }

    #[test]
    fn a_blocked_clause_is_found() {
        for (name, sql) in [
            ("SETTINGS", "SELECT 1 SETTINGS max_threads = 1"),
            ("SETTINGS", "SELECT (SELECT 1 SETTINGS max_threads = 1)"),
            ("FORMAT", "SELECT 1 FORMAT JSON"),
            ("WHERE", "SELECT 1/**/wHeRe 1"),
            ("WHERE", "SELECT * FROM (SELECT 1 WHERE 1)"),
            ("EXPLAIN", "EXPLAIN SELECT 1"),
            ("EXPLAIN", "SELECT * FROM (EXPLAIN SELECT 1)"),
            ("SELECT", "SELECT 1"),
            ("SELECT", "FROM t"),
            ("SELECT", "DESCRIBE (SELECT 1)"),
            ("SELECT", "EXPLAIN SELECT 1"),
            ("LIMIT", "SELECT 1 LIMIT 1"),
            ("LIMIT BY", "SELECT 1 LIMIT 1 OFFSET 2 BY a"),
            ("LIMIT BY", "SELECT 1 LIMIT (1) BY a"),
            ("ORDER BY", "SELECT a ORDER\nBY a"),
            ("GROUP BY", "SELECT a GROUP BY a"),
            ("HAVING", "SELECT a HAVING a"),
            ("JOIN", "SELECT * FROM a LEFT JOIN b USING c"),
            ("ARRAY JOIN", "SELECT * FROM a ARRAY JOIN b"),
            ("WITH", "WITH 1 AS a SELECT a"),
            ("WITH", "SELECT * FROM (WITH 1 AS a SELECT a)"),
            ("TOTALS", "SELECT a GROUP BY a WITH TOTALS"),
            ("WITH FILL", "SELECT a ORDER BY a WITH FILL"),
            ("UNION", "SELECT 1 UNION ALL SELECT 2"),
            ("EXCEPT", "SELECT 1 EXCEPT SELECT 2"),
            ("PREWHERE", "SELECT 1 FROM t PREWHERE 1"),
            ("SAMPLE", "SELECT 1 FROM t SAMPLE 0.1"),
            ("FINAL", "SELECT 1 FROM t FINAL"),
            ("WINDOW", "SELECT 1 FROM t WINDOW w AS ()"),
            ("QUALIFY", "SELECT 1 FROM t QUALIFY 1"),
            ("INTERPOLATE", "SELECT a ORDER BY a WITH FILL INTERPOLATE (b)"),
            ("SHOW", "SHOW TABLES"),
            ("DESCRIBE", "DESC t"),
            ("EXISTS", "EXISTS t"),
            ("DISTINCT", "SELECT DISTINCT 1"),
            ("TOP", "SELECT TOP 1 a"),
            ("OFFSET", "SELECT a OFFSET 1"),
            ("FROM", "SELECT 1 FROM t"),
            ("PIPE", "FROM t |> WHERE 1"),
            ("INSERT", "INSERT INTO t VALUES (1)"),
            ("INSERT", "WITH a AS (SELECT 1) INSERT INTO t SELECT 1"),
            ("CREATE", "CREATE TABLE t (a Int8) ENGINE = Memory"),
            ("CREATE", "REPLACE TABLE t (a Int8) ENGINE = Memory"),
            ("ALTER", "ALTER TABLE t ADD COLUMN a Int8"),
            ("DROP", "DROP TABLE t"),
            ("ON CLUSTER", "DROP TABLE t ON CLUSTER c"),
        ] {
            assert_eq!(
                refusal(name, sql),
                Some(Refusal::BlockedClause { name: clause(name).name() }),
                "{sql}"
            );
        }
    }

    #[test]
    fn what_only_looks_like_one_is_not() {
        for (name, sql) in [
            ("SETTINGS", "SELECT `settings` FROM t"),
            ("SETTINGS", "SELECT t.settings FROM t"),
            ("SETTINGS", "SHOW SETTINGS LIKE 'x'"),
            ("FORMAT", "SELECT format('{}', 1)"),
            ("WHERE", "SELECT 'where', \"where\", t.where, 1 AS where -- where\nFROM t"),
            ("SELECT", "SHOW TABLES"),
            ("EXISTS", "SELECT 1 WHERE EXISTS (SELECT 1)"),
            ("LIMIT BY", "SELECT a GROUP BY a LIMIT 1"),
            ("LIMIT BY", "SELECT a LIMIT (SELECT 1 GROUP BY 1)"),
            ("JOIN", "SELECT * FROM a ARRAY JOIN b"),
            ("ARRAY JOIN", "SELECT * FROM a JOIN b USING c"),
            ("WITH", "SELECT a GROUP BY a WITH TOTALS"),
            ("FINAL", "SELECT final(1)"),
            ("SET", "SELECT set FROM t"),
            ("UPDATE", "ALTER TABLE t UPDATE a = 1 WHERE 1"),
            ("DROP", "ALTER TABLE t DROP COLUMN a"),
            ("INSERT", "SELECT 'INSERT INTO t'"),
        ] {
            assert_eq!(refusal(name, sql), None, "{sql}");
        }
    }

    fn refusal(name: &str, sql: &str) -> Option<Refusal> {
        let (blocked, allowed) = ([clause(name)], ["max_threads".to_owned()]);
        let rules = Rules {
            allowed_settings: &allowed,
            blocked_clauses: &blocked,
            destructive: true,
            ..Rules::internal()
        };
        let read = ReadOnlySql::parse(sql, &rules).err()?;
        if matches!(read, Refusal::NotReadOnly { .. } | Refusal::WriteAfterWith { .. }) {
            WritableSql::parse(sql, &rules).err()
        } else {
            Some(read)
        }
    }
}
