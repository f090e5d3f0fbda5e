//! What may follow a statement: `SETTINGS`, which can also end a query inside it, and `FORMAT`.

use super::bracket::{Part, before, follows_dot};
use super::refusal::Refusal;
use super::token::{Bracket, TokenKind};

/// A `SETTINGS` clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SettingsClause {
    /// The index of the keyword.
    pub(super) keyword: usize,
    /// The index after its last part.
    pub(super) end: usize,
    /// The names it sets, in order.
    pub(super) names: Vec<String>,
}

/// A statement without its tail, and the tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// How many parts the body has.
    pub(super) body: usize,
    /// The format that was asked for.
    pub(super) format: Option<String>,
    /// The `SETTINGS` clauses after the body, as ranges of parts without the keyword, in order.
    pub(super) settings: Vec<(usize, usize)>,
}

/// Every clause that changes settings, at any depth.
///
/// The word may also name a column, a table or a function. It is a clause when a name and `=` follow, and when a name
/// alone follows (ClickHouse then sets it to true) in a place where no operand can begin.
///
/// # Errors
///
/// [`Refusal::SettingsUnreadable`].
pub(super) fn settings_clauses(parts: &[Part<'_>]) -> Result<Vec<SettingsClause>, Refusal> {
    let mut clauses = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let named = follows_dot(parts, index) || is_shown(parts, index);
        if part.token.is_word("SETTINGS") && !named {
            clauses.extend(clause(parts, index)?);
        }
    }
    Ok(clauses)
}

/// Whether `index` is the object of `SHOW [CHANGED | CREATE] SETTINGS`.
fn is_shown(parts: &[Part<'_>], index: usize) -> bool {
    let head = parts.get(..index).unwrap_or_default();
    match head {
        [show] => show.token.is_word("SHOW"),
        [show, sort] => show.token.is_word("SHOW") && sort.token.is_word_of(&["CHANGED", "CREATE"]),
        _ => false,
    }
}

/// Takes `FORMAT` and `SETTINGS` off the end, in whatever order they stand.
///
/// # Errors
///
/// [`Refusal::SeveralFormats`].
pub(super) fn split(parts: &[Part<'_>], clauses: &[SettingsClause]) -> Result<Tail, Refusal> {
    let mut tail = Tail { body: parts.len(), format: None, settings: Vec::new() };
    // From the last one on: those behind the body have been taken off.
    let mut left = clauses.iter().rev().peekable();
    loop {
        while left.next_if(|clause| clause.keyword >= tail.body).is_some() {}
        let last_clause = left.peek().filter(|clause| {
            clause.end == tail.body && parts.get(clause.keyword).is_some_and(|part| part.depth == 0)
        });
        if let Some(clause) = last_clause
            && clause.keyword > 0
        {
            tail.settings.push((clause.keyword + 1, clause.end));
            tail.body = clause.keyword;
        } else if let Some(format) = trailing_format(parts.get(..tail.body).unwrap_or_default()) {
            if tail.format.replace(format).is_some() {
                return Err(Refusal::SeveralFormats);
            }
            tail.body -= 2;
        } else {
            tail.settings.reverse();
            return Ok(tail);
        }
    }
}

/// The index after the value that starts at `index`: a literal, a collection, a parameter or a call.
pub(super) fn skip_value(parts: &[Part<'_>], index: usize) -> Option<usize> {
    let signed = parts.get(index)?.token.text;
    let index = if signed == "-" || signed == "+" { index + 1 } else { index };
    let part = parts.get(index)?;
    match part.token.kind {
        TokenKind::Open(_) => Some(part.partner? + 1),
        TokenKind::Word => match parts.get(index + 1) {
            Some(next) if next.token.kind == TokenKind::Open(Bracket::Round) => Some(next.partner? + 1),
            Some(_) | None => Some(index + 1),
        },
        TokenKind::Number | TokenKind::String | TokenKind::HereDoc | TokenKind::QuotedIdentifier => {
            Some(index + 1)
        }
        TokenKind::Blank
        | TokenKind::Comment
        | TokenKind::Close(_)
        | TokenKind::Comma
        | TokenKind::Semicolon
        | TokenKind::Dot
        | TokenKind::Asterisk
        | TokenKind::Operator
        | TokenKind::At
        | TokenKind::DoubleAt
        | TokenKind::Dollar
        | TokenKind::VerticalDelimiter
        | TokenKind::Error(_) => None,
    }
}

/// The clause whose keyword stands at `keyword`, if it is one.
fn clause(parts: &[Part<'_>], keyword: usize) -> Result<Option<SettingsClause>, Refusal> {
    if !parts.get(keyword + 1).is_some_and(|part| part.token.is_name()) {
        return Ok(None);
    }
    let mut names = Vec::new();
    let mut index = keyword + 1;
    loop {
        let mut name = String::new();
        loop {
            let part =
                parts.get(index).filter(|part| part.token.is_name()).ok_or(Refusal::SettingsUnreadable)?;
            if part.token.kind == TokenKind::QuotedIdentifier && part.token.text.contains('\\') {
                return Err(Refusal::SettingsUnreadable);
            }
            name.push_str(part.token.name());
            index += 1;
            if !kind_at(parts, index, TokenKind::Dot) {
                break;
            }
            name.push('.');
            index += 1;
        }
        if parts.get(index).is_some_and(|part| part.token.text == "=" || part.token.text == "==") {
            index = skip_value(parts, index + 1).ok_or(Refusal::SettingsUnreadable)?;
        } else if names.is_empty() && is_operand(parts, keyword) {
            return Ok(None);
        }
        names.push(name);
        if !kind_at(parts, index, TokenKind::Comma) {
            return Ok(Some(SettingsClause { keyword, end: index, names }));
        }
        index += 1;
    }
}

/// Whether `settings name` reads as a column or table: by what stands before it, or because the name is really the
/// keyword that goes on after an operand.
fn is_operand(parts: &[Part<'_>], keyword: usize) -> bool {
    const AFTER_OPERAND: [&str; 45] = [
        "AND",
        "ANTI",
        "ANY",
        "ARRAY",
        "AS",
        "ASC",
        "ASOF",
        "BETWEEN",
        "CROSS",
        "DESC",
        "DIV",
        "END",
        "EXCEPT",
        "FORMAT",
        "FROM",
        "FULL",
        "GLOBAL",
        "GROUP",
        "HAVING",
        "ILIKE",
        "IN",
        "INNER",
        "INTERSECT",
        "INTO",
        "IS",
        "JOIN",
        "LEFT",
        "LIKE",
        "LIMIT",
        "MOD",
        "NOT",
        "NULLS",
        "ON",
        "OR",
        "ORDER",
        "PREWHERE",
        "QUALIFY",
        "RIGHT",
        "SAMPLE",
        "SEMI",
        "SETTINGS",
        "THEN",
        "UNION",
        "WHERE",
        "WINDOW",
    ];
    let opens = before(parts, keyword).is_some_and(|part| {
        matches!(part.token.kind, TokenKind::Comma | TokenKind::Open(_))
            || (part.token.kind == TokenKind::Operator && part.token.text != "|>")
    });
    let goes_on = parts.get(keyword + 1).is_some_and(|part| part.token.is_word_of(&AFTER_OPERAND))
        && !kind_at(parts, keyword + 2, TokenKind::Comma);
    opens || goes_on
}

/// The name after a `FORMAT` that ends the parts and stands where an operand is complete.
fn trailing_format(parts: &[Part<'_>]) -> Option<String> {
    let name = parts.last()?;
    let keyword = parts.len().checked_sub(2)?;
    let part = parts.get(keyword)?;
    let is_clause = part.token.is_word("FORMAT")
        && part.depth == 0
        && name.token.is_name()
        && keyword > 1
        && completes_operand(parts, keyword - 1);
    is_clause.then(|| name.token.name().to_owned())
}

/// Whether an operand or a clause may end with the part at `index`, so that `FORMAT` after it is the keyword.
pub(super) fn completes_operand(parts: &[Part<'_>], index: usize) -> bool {
    const EXPECTS_OPERAND: [&str; 40] = [
        "AND",
        "AS",
        "BETWEEN",
        "BY",
        "CASE",
        "DISTINCT",
        "DIV",
        "ELSE",
        "EXCEPT",
        "EXISTS",
        "FROM",
        "HAVING",
        "ILIKE",
        "IN",
        "INTERSECT",
        "INTERVAL",
        "IS",
        "JOIN",
        "LIKE",
        "LIMIT",
        "MOD",
        "NOT",
        "OFFSET",
        "ON",
        "OR",
        "PREWHERE",
        "QUALIFY",
        "REGEXP",
        "REPLACE",
        "SAMPLE",
        "SELECT",
        "STEP",
        "THEN",
        "TO",
        "TOP",
        "UNION",
        "USING",
        "WHEN",
        "WHERE",
        "WITH",
    ];
    let Some(part) = parts.get(index) else { return false };
    let previous = before(parts, index);
    let after = |kind| previous.is_some_and(|part| part.token.kind == kind);
    let after_word = |words: &[&str]| previous.is_some_and(|part| part.token.is_word_of(words));
    if part.token.kind == TokenKind::Word {
        return after(TokenKind::Dot) || after_word(&["AS"]) || !part.token.is_word_of(&EXPECTS_OPERAND);
    }
    if part.token.kind == TokenKind::Asterisk {
        return after(TokenKind::Comma)
            || after(TokenKind::Dot)
            || after_word(&["SELECT", "DISTINCT", "ALL"]);
    }
    matches!(
        part.token.kind,
        TokenKind::QuotedIdentifier
            | TokenKind::String
            | TokenKind::HereDoc
            | TokenKind::Number
            | TokenKind::Close(_)
    )
}

fn kind_at(parts: &[Part<'_>], index: usize, kind: TokenKind) -> bool {
    parts.get(index).is_some_and(|part| part.token.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::super::bracket::parts;
    use super::{settings_clauses, split};

    #[test]
    fn tails() {
        for (sql, body, format, settings) in [
            ("SELECT 1", 2, None, 0),
            ("SELECT 1 FORMAT a", 2, Some("a"), 0),
            ("SELECT 1 FORMAT a SETTINGS x=1", 2, Some("a"), 1),
            ("SELECT 1 SETTINGS x=1 FORMAT `a`", 2, Some("a"), 1),
            ("SELECT 1 SETTINGS x=1 FORMAT a SETTINGS y", 2, Some("a"), 2),
            ("SELECT 1 SETTINGS x={'a':1}, y=-1, z=f(1, 2), w", 2, None, 1),
            ("SELECT 1 UNION SELECT 2 SETTINGS x=1", 5, None, 1),
            ("SELECT 1 SETTINGS x=1 UNION SELECT 2", 9, None, 0),
            ("SELECT (SELECT 1 SETTINGS x=1)", 9, None, 0),
            ("SELECT format x", 3, None, 0),
            ("SELECT a.* FORMAT x", 4, Some("x"), 0),
            ("SELECT a * format x", 5, None, 0),
        ] {
            let parts = parts(sql, 1000).unwrap();
            let tail = split(&parts, &settings_clauses(&parts).unwrap()).unwrap();
            assert_eq!(
                (tail.body, tail.format.as_deref(), tail.settings.len()),
                (body, format, settings),
                "{sql}"
            );
        }
    }
}
