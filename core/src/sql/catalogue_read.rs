//! Statements that read nothing but the server's own lists of what there is, which a person may know anyway.

use super::token::{Bracket, Token, TokenKind, tokens};

/// The tables of `system` that tell what databases, tables, columns and settings there are.
const LISTS: [&str; 4] = ["databases", "tables", "columns", "settings"];
/// What may follow such a table; no comma, behind which another table could stand.
const AFTER: [&str; 9] = ["WHERE", "GROUP", "ORDER", "LIMIT", "AS", "USING", "LEFT", "JOIN", "UNION"];

/// Whether a `SELECT` takes its rows from those lists alone, as far as its words tell: whoever writes it otherwise than
/// Housekey does is told no.
pub fn reads_catalogue(sql: &str) -> bool {
    let is_significant = |token: &Token<'_>| !matches!(token.kind, TokenKind::Blank | TokenKind::Comment);
    let words: Vec<_> = tokens(sql).filter(is_significant).collect();
    let is_word = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is_word(word));
    let kind = |at: usize| words.get(at).map(|token| token.kind);
    let opens = |at: usize| kind(at) == Some(TokenKind::Open(Bracket::Round));
    let is_list = |at: usize| {
        is_word(at, "system")
            && kind(at + 1) == Some(TokenKind::Dot)
            && words
                .get(at + 2)
                .is_some_and(|token| token.kind == TokenKind::Word && LISTS.contains(&token.text))
            && words.get(at + 3).is_none_or(|token| {
                token.is_word_of(&AFTER) || token.kind == TokenKind::Close(Bracket::Round)
            })
    };
    let is_query = |at: usize| opens(at) && is_word(at + 1, "SELECT");
    is_word(0, "SELECT")
        && words.iter().any(|token| token.is_word("FROM"))
        && words.iter().enumerate().all(|(at, token)| {
            if token.is_word_of(&["FROM", "JOIN"]) {
                is_list(at + 1) || is_query(at + 1)
            } else if token.is_word("IN") {
                // A name here would be a table.
                opens(at + 1) || kind(at + 1) == Some(TokenKind::Open(Bracket::Curly))
            } else {
                // Another table could stand behind one.
                token.kind != TokenKind::Comma || !ends_a_table(&words, at)
            }
        })
}

/// Whether what stands before `at` is a table or a query behind `FROM` or `JOIN`, perhaps with a name of its own.
fn ends_a_table(words: &[Token<'_>], at: usize) -> bool {
    let named =
        at.checked_sub(2).and_then(|before| words.get(before)).is_some_and(|token| token.is_word("AS"));
    let Some(last) = at.checked_sub(if named { 3 } else { 1 }) else { return false };
    let is_of_system =
        last.checked_sub(2).and_then(|before| words.get(before)).is_some_and(|token| token.is_word("system"));
    is_of_system || closes_a_table(words, last)
}

/// Whether the bracket at `at` closes what began behind `FROM` or `JOIN`.
fn closes_a_table(words: &[Token<'_>], at: usize) -> bool {
    let mut depth = 0_usize;
    for (index, token) in words.iter().enumerate().take(at + 1).rev() {
        if let TokenKind::Close(_) = token.kind {
            depth += 1;
        } else if let TokenKind::Open(_) = token.kind {
            depth = depth.saturating_sub(1);
        } else if depth > 0 {
            continue;
        }
        if depth == 0 {
            let before = index.checked_sub(1).and_then(|before| words.get(before));
            let opens = matches!(token.kind, TokenKind::Open(_));
            return opens && before.is_some_and(|token| token.is_word_of(&["FROM", "JOIN"]));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::reads_catalogue;

    #[test]
    fn only_the_lists_are_read() {
        for (sql, wanted) in [
            ("SELECT name FROM system.tables WHERE database = {d:String} ORDER BY name LIMIT 3", true),
            ("SELECT a, (SELECT count() FROM system.databases) FROM system.columns", true),
            ("SELECT 1 FROM (SELECT 1 FROM system.tables UNION ALL SELECT 2 FROM system.columns) AS a", true),
            (
                "SELECT n FROM system.databases LEFT JOIN (SELECT 1 AS n FROM system.tables) AS c USING n",
                true,
            ),
            ("SELECT n FROM system.tables WHERE database NOT IN ('a', 'b') AND x IN {l:Array(String)}", true),
            ("SELECT 1", false),
            ("SELECT * FROM hr.salaries", false),
            ("SELECT * FROM system.query_log", false),
            ("SELECT * FROM system.tables, hr.salaries", false),
            ("SELECT * FROM system.tables AS a, hr.salaries", false),
            ("SELECT * FROM (SELECT 1 FROM system.tables), hr.salaries", false),
            ("SELECT * FROM system.tables JOIN hr.salaries USING name", false),
            ("SELECT * FROM system.tables WHERE name IN salaries", false),
            ("SELECT * FROM system.tables WHERE name IN (SELECT name FROM hr.salaries)", false),
            ("SELECT * FROM system.`tables`", false),
            ("SELECT * FROM system.tables x", false),
            ("FROM hr.salaries SELECT 1", false),
            ("WITH a AS (SELECT 1) SELECT * FROM a", false),
            ("INSERT INTO t SELECT 1 FROM system.tables", false),
            ("", false),
        ] {
            assert_eq!(reads_catalogue(sql), wanted, "{sql}");
        }
    }
}
