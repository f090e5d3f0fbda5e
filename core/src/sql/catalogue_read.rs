//! Statements that read nothing but the server's own lists of what there is, which a person may know anyway.

use super::rules::LONGEST_OF_OURS;
use super::token::{Bracket, Token, TokenKind, tokens};

/// The tables of `system` that tell what databases, tables, columns and settings there are.
const LISTS: [&str; 4] = ["databases", "tables", "columns", "settings"];
/// What may follow such a table; no comma, behind which another table could stand.
const AFTER: [&str; 9] = ["WHERE", "GROUP", "ORDER", "LIMIT", "AS", "USING", "LEFT", "JOIN", "UNION"];

/// What ends the part of a query in which its tables stand.
const ENDS_TABLES: [&str; 8] =
    ["WHERE", "PREWHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "SETTINGS"];
/// Functions that take a table's name.
const TAKE_TABLES: [&str; 9] = [
    "notIn",
    "globalIn",
    "globalNotIn",
    "nullIn",
    "notNullIn",
    "globalNullIn",
    "globalNotNullIn",
    "joinGet",
    "joinGetOrNull",
];

/// Whether a `SELECT` takes its rows from those lists alone, as far as its words tell: whoever writes it otherwise than
/// Housekey does is told no.
pub fn reads_catalogue(sql: &str) -> bool {
    if sql.len() > LONGEST_OF_OURS {
        return false;
    }
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
    // A name here would be a table, also in brackets.
    let is_set = |at: usize| {
        kind(at) == Some(TokenKind::Open(Bracket::Curly))
            || is_query(at)
            || (opens(at) && matches!(kind(at + 1), Some(TokenKind::String | TokenKind::Number)))
    };
    // For each open bracket, and for none, whether tables stand there now.
    let mut among_tables = vec![false];
    let mut reads = false;
    for (at, token) in words.iter().enumerate() {
        let Some(among) = among_tables.last_mut() else { return false };
        if token.is_word_of(&["FROM", "JOIN"]) {
            if !is_list(at + 1) && !is_query(at + 1) {
                return false;
            }
            (reads, *among) = (true, true);
        } else if token.is_word_of(&ENDS_TABLES) {
            *among = false;
        } else if token.is_word("IN") {
            if !is_set(at + 1) {
                return false;
            }
        } else if token.is_word_of(&TAKE_TABLES) || token.kind == TokenKind::QuotedIdentifier {
            return false;
        } else if let TokenKind::Open(_) = token.kind {
            among_tables.push(false);
        } else if let TokenKind::Close(_) = token.kind {
            among_tables.pop();
        } else if token.kind == TokenKind::Comma && *among {
            return false;
        }
    }
    reads && is_word(0, "SELECT")
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
            ("SELECT * FROM (SELECT 1 FROM system.tables) x, hr.salaries", false),
            (
                "SELECT * FROM system.tables JOIN (SELECT 1 AS n FROM system.tables) AS c USING (n), hr.salaries",
                false,
            ),
            (
                "SELECT * FROM system.tables JOIN (SELECT 1 FROM system.tables) AS c ON a = b, hr.salaries",
                false,
            ),
            ("SELECT * FROM system.tables WHERE name IN (hr.salaries)", false),
            ("SELECT * FROM system.tables WHERE in(name, hr.salaries)", false),
            ("SELECT * FROM system.tables WHERE notIn(name, hr.salaries)", false),
            ("SELECT * FROM system.tables WHERE `in`(name, hr.salaries)", false),
            ("FROM hr.salaries SELECT 1", false),
            ("WITH a AS (SELECT 1) SELECT * FROM a", false),
            ("INSERT INTO t SELECT 1 FROM system.tables", false),
            ("", false),
        ] {
            assert_eq!(reads_catalogue(sql), wanted, "{sql}");
        }
    }
}
