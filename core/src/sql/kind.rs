//! What a statement does, by allow-list.

use super::bracket::{Part, before, follows_dot, has_keywords};
use super::refusal::Refusal;
use super::tail::skip_value;
use super::token::{Bracket, TokenKind};

/// The sorts of statement that only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// `SELECT`, also with `WITH` or `FROM` first, in parentheses, and joined by `UNION`, `INTERSECT` or `EXCEPT`.
    Select,
    /// `SHOW …`.
    Show,
    /// `DESCRIBE …` or `DESC …`.
    Describe,
    /// `EXISTS …`.
    Exists,
    /// `EXPLAIN` of a `SELECT`.
    Explain,
}

/// The kind of a statement that reads.
///
/// # Errors
///
/// A [`Refusal`] that names what is not read-only about it.
pub(super) fn kind(parts: &[Part<'_>]) -> Result<StatementKind, Refusal> {
    let first = parts.first().ok_or(Refusal::Empty)?.token;
    if first.kind == TokenKind::Open(Bracket::Round) {
        return parenthesised(parts);
    }
    // A query has no INSERT INTO; WITH may be followed by one, behind any number of names.
    if has_keywords(parts, "INSERT", "INTO") && !first.is_word("INSERT") {
        return Err(Refusal::WriteAfterWith { word: "INSERT".into() });
    }
    if first.is_word_of(&["SELECT", "FROM"]) {
        Ok(StatementKind::Select)
    } else if first.is_word("WITH") {
        with(parts)
    } else if first.is_word("EXPLAIN") {
        explain(parts)
    } else if first.is_word("SHOW") {
        show(parts)
    } else if first.is_word_of(&["DESCRIBE", "DESC"]) {
        Ok(StatementKind::Describe)
    } else if first.is_word("EXISTS") && parts.get(1).is_some_and(|next| next.token.is_name()) {
        Ok(StatementKind::Exists)
    } else {
        Err(Refusal::NotReadOnly { word: shorten(first.text) })
    }
}

/// Whether settings that follow the statement would be taken away from its queries: so it is when the last query
/// stands in parentheses (ClickHouse 26.9 gives them to the outermost statement) and, for safety, with pipes.
pub(super) fn needs_wrapping(body: &[Part<'_>]) -> bool {
    if body.iter().any(|part| part.depth == 0 && part.token.text == "|>") {
        return true;
    }
    let Some(opened) = body.last().and_then(|last| last.partner) else { return false };
    const SET_OPERATIONS: [&str; 3] = ["UNION", "INTERSECT", "EXCEPT"];
    match before(body, opened) {
        None => true,
        Some(part) if part.token.is_word_of(&["ALL", "DISTINCT"]) => {
            before(body, opened - 1).is_some_and(|part| part.token.is_word_of(&SET_OPERATIONS))
        }
        Some(part) => part.token.is_word_of(&SET_OPERATIONS),
    }
}

/// Whether several queries are joined into the answer, outside of any brackets.
pub(super) fn is_joined(body: &[Part<'_>]) -> bool {
    body.iter().enumerate().any(|(index, part)| {
        part.depth == 0
            && part.token.is_word_of(&["UNION", "INTERSECT", "EXCEPT"])
            && !follows_dot(body, index)
    })
}

fn parenthesised(parts: &[Part<'_>]) -> Result<StatementKind, Refusal> {
    let inner = parts.iter().find(|part| part.token.kind != TokenKind::Open(Bracket::Round));
    match inner {
        Some(part) if part.token.is_word_of(&["SELECT", "WITH", "FROM"]) => {
            match has_keywords(parts, "INSERT", "INTO") {
                true => Err(Refusal::WriteAfterWith { word: "INSERT".into() }),
                false => Ok(StatementKind::Select),
            }
        }
        Some(part) => Err(Refusal::NotReadOnly { word: shorten(part.token.text) }),
        None => Err(Refusal::NotReadOnly { word: "(".into() }),
    }
}

/// `WITH` may lead to a query or to a write; the first verb that is not a name decides.
fn with(parts: &[Part<'_>]) -> Result<StatementKind, Refusal> {
    for (index, part) in parts.iter().enumerate().skip(1) {
        let named =
            follows_dot(parts, index) || before(parts, index).is_some_and(|part| part.token.is_word("AS"));
        if part.depth > 0 || named {
            continue;
        }
        if part.token.is_word_of(&["SELECT", "FROM"]) {
            return Ok(StatementKind::Select);
        }
        if part.token.is_word_of(&["INSERT", "DELETE", "UPDATE", "CREATE", "ALTER"]) {
            return Err(Refusal::WriteAfterWith { word: part.token.text.to_ascii_uppercase() });
        }
    }
    Err(Refusal::NotReadOnly { word: "WITH".into() })
}

/// `EXPLAIN [sort] [option = value, …] query`.
fn explain(parts: &[Part<'_>]) -> Result<StatementKind, Refusal> {
    let word = |index: usize, word: &str| parts.get(index).is_some_and(|part| part.token.is_word(word));
    if word(1, "CURRENT") && word(2, "TRANSACTION") && parts.len() == 3 {
        return Ok(StatementKind::Explain);
    }
    let mut index = 1;
    if word(1, "QUERY") && word(2, "TREE") {
        index = 3;
    } else if ["AST", "SYNTAX", "PLAN", "PIPELINE", "ESTIMATE", "ANALYZE"].iter().any(|sort| word(1, sort)) {
        index = 2;
    }
    while parts.get(index + 1).is_some_and(|part| part.token.text.starts_with('=')) {
        index = skip_value(parts, index + 2).ok_or(Refusal::ExplainedStatement)?;
        if parts.get(index).is_some_and(|part| part.token.kind == TokenKind::Comma) {
            index += 1;
        }
    }
    if word(index, "EXPLAIN") {
        return Err(Refusal::ExplainedStatement);
    }
    match kind(parts.get(index..).unwrap_or_default()) {
        Ok(StatementKind::Select) => Ok(StatementKind::Explain),
        Err(refusal @ Refusal::WriteAfterWith { .. }) => Err(refusal),
        Ok(_) | Err(_) => Err(Refusal::ExplainedStatement),
    }
}

fn show(parts: &[Part<'_>]) -> Result<StatementKind, Refusal> {
    const SORTS: [&str; 42] = [
        "ACCESS",
        "CHANGED",
        "CLUSTER",
        "CLUSTERS",
        "COLUMNS",
        "CREATE",
        "CURRENT",
        "DATABASE",
        "DATABASES",
        "DICTIONARIES",
        "DICTIONARY",
        "ENABLED",
        "ENGINES",
        "EXTENDED",
        "FIELDS",
        "FILESYSTEM",
        "FULL",
        "FUNCTIONS",
        "GRANTS",
        "INDEX",
        "INDEXES",
        "INDICES",
        "KEYS",
        "MASKING",
        "MERGES",
        "NAMED",
        "POLICIES",
        "PRIVILEGES",
        "PROCESSLIST",
        "PROFILES",
        "QUOTA",
        "QUOTAS",
        "ROLES",
        "ROW",
        "SETTING",
        "SETTINGS",
        "TABLE",
        "TABLES",
        "TEMPORARY",
        "TYPES",
        "USERS",
        "VIEW",
    ];
    let word = parts.get(1).map(|part| part.token);
    if word.is_some_and(|token| token.is_word_of(&SORTS)) {
        return Ok(StatementKind::Show);
    }
    Err(Refusal::UnknownShow { word: shorten(word.map_or("", |token| token.text)) })
}

/// The caller's word, short enough for a message.
pub(super) fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into(),
    }
}
