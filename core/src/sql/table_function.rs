//! Table functions, found by where they stand, and the few ordinary functions that reach as far.
//!
//! ClickHouse has no keyword before a table function: a name and a bracket are one where a table is expected. In such
//! a place only names that are known to stay inside the database pass, so a function that a later server brings is
//! refused until somebody has looked at it. The server compares names by case and takes quoted ones, escapes
//! included; a name with an escape in it is on no list. A name with a dot is never a table function, so a view with
//! parameters passes as `database.view(…)`.

use super::bracket::{Part, before, follows_dot};
use super::outside::is_listed;
use super::reach::{FUNCTIONS, INSIDE, OUTSIDE};
use super::refusal::Refusal;
use super::rules::Rules;
use super::tail::completes_operand;
use super::token::{Bracket, Token, TokenKind};

/// Checks every function of a statement.
///
/// # Errors
///
/// [`Refusal::Outside`] with the name of one that is not allowed.
pub(super) fn check_functions(parts: &[Part<'_>], rules: &Rules<'_>) -> Result<(), Refusal> {
    let mut scopes = vec![Scope { created_from: query_begins(parts), ..Scope::default() }];
    for (index, part) in parts.iter().enumerate() {
        let kind = part.token.kind;
        if let TokenKind::Open(bracket) = kind {
            let tables = bracket == Bracket::Round && is_place(parts, index, &scopes);
            let list = if tables { List::Tables } else { List::Other };
            scopes.push(Scope { opened: Some(index), list, ..Scope::default() });
        } else if matches!(kind, TokenKind::Close(_)) {
            if scopes.len() > 1 {
                scopes.pop();
            }
        } else if matches!(kind, TokenKind::Word | TokenKind::Operator)
            && let Some(scope) = scopes.last_mut()
        {
            scope.step(parts, index);
        }
        check_reference(parts, index, rules)?;
        if !part.token.is_name() || follows_dot(parts, index) || !opens(parts, index + 1) {
            continue;
        }
        check_call(parts, index, &scopes, rules)?;
        if is_place(parts, index, &scopes) || is_argument_place(parts, index, &scopes) {
            check_table_function(part, rules)?;
        }
    }
    Ok(())
}

/// What a comma means inside a bracket, or outside of all.
#[derive(Clone, Copy, Debug, Default)]
struct Scope {
    /// The bracket.
    opened: Option<usize>,
    /// Outside of all brackets: where the query of a `CREATE` begins.
    created_from: Option<usize>,
    /// What the comma parts.
    list: List,
    /// Whether a query has begun in it.
    query: bool,
    /// The last `FROM` that leads to tables.
    from: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum List {
    #[default]
    Other,
    Tables,
}

impl Scope {
    fn step(&mut self, parts: &[Part<'_>], index: usize) {
        // None of them can be an alias without `AS`.
        const ENDS: [&str; 16] = [
            "EXCEPT",
            "FORMAT",
            "GROUP",
            "HAVING",
            "INTERSECT",
            "INTO",
            "LIMIT",
            "OFFSET",
            "ORDER",
            "PREWHERE",
            "QUALIFY",
            "SETTINGS",
            "UNION",
            "WHERE",
            "WINDOW",
            "WITH",
        ];
        let Some(part) = parts.get(index) else { return };
        if part.token.text == "|>" {
            self.list = List::Other;
        } else if part.token.is_word("FROM") {
            if self.is_clause(parts, index) {
                (self.list, self.query, self.from) = (List::Tables, true, Some(index));
            }
        } else if part.token.is_word("JOIN") && !is_named(parts, index) {
            self.list = if is_array_join(parts, index) { List::Other } else { List::Tables };
        } else if part.token.is_word("SELECT") {
            self.query = true;
            let first = self.opened.is_some_and(|opened| opened + 1 == index);
            if first || (!is_named(parts, index) && !is_select_alias(parts, index)) {
                self.list = List::Other;
            }
        } else if part.token.is_word_of(&ENDS) && !is_named(parts, index) {
            self.query |= part.token.is_word("WITH");
            self.list = List::Other;
        }
    }

    /// Whether `FROM` leads to tables, and is not a part of `EXTRACT(… FROM …)` or `IS DISTINCT FROM`.
    fn is_clause(&self, parts: &[Part<'_>], index: usize) -> bool {
        const CALLEES: [&str; 4] = ["EXTRACT", "OVERLAY", "SUBSTRING", "TRIM"];
        if follows_dot(parts, index) || is_comparison(parts, index) {
            return false;
        }
        let called = self.opened.and_then(|opened| before(parts, opened));
        let in_call = called.is_some_and(|part| part.token.is_word_of(&CALLEES));
        let first = self.opened.is_some_and(|opened| opened + 1 == index);
        self.query || first || !in_call
    }
}

/// Whether the word can only be a name: after a dot, `AS` or what wants a table.
fn is_named(parts: &[Part<'_>], index: usize) -> bool {
    follows_dot(parts, index)
        || before(parts, index).is_some_and(|part| {
            part.token.is_word_of(&["AS", "FROM", "JOIN"]) || part.token.kind == TokenKind::Comma
        })
}

/// Whether `SELECT` behind a table may be its alias: the server takes it for one where that can be read.
fn is_select_alias(parts: &[Part<'_>], index: usize) -> bool {
    parts.get(index + 1).is_some_and(|next| {
        matches!(next.token.kind, TokenKind::Comma | TokenKind::Open(Bracket::Round))
            || next.token.is_word_of(&["FINAL", "STREAM", "SAMPLE"])
    })
}

/// Whether `FROM` ends `IS [NOT] DISTINCT FROM` behind an operand. A column may be called `is` and have the alias
/// `distinct`: then tables follow.
fn is_comparison(parts: &[Part<'_>], index: usize) -> bool {
    let word = |at: usize, word: &str| parts.get(at).is_some_and(|part| part.token.is_word(word));
    let Some(distinct) = index.checked_sub(1).filter(|at| word(*at, "DISTINCT")) else { return false };
    let is = match distinct.checked_sub(1) {
        Some(at) if word(at, "NOT") => at.checked_sub(1),
        at => at,
    };
    let Some(is) = is.filter(|at| word(*at, "IS") && !follows_dot(parts, *at)) else { return false };
    let Some(operand) = is.checked_sub(1) else { return false };
    let after =
        |at: usize, words: &[&str]| before(parts, at).is_some_and(|part| part.token.is_word_of(words));
    // What may stand between `SELECT` and the first column looks like an operand, too.
    let is_modifier = match parts.get(operand) {
        Some(part) if part.token.kind == TokenKind::Word => {
            part.token.is_word_of(&["ALL", "TIES"]) && !follows_dot(parts, operand)
        }
        Some(part) if part.token.kind == TokenKind::Number => after(operand, &["TOP"]),
        Some(part) => part.partner.is_some_and(|open| after(open, &["ON", "TOP"])),
        None => true,
    };
    !is_modifier && completes_operand(parts, operand)
}

/// Whether `JOIN` is the second word of `ARRAY JOIN`. A table, an alias or a column may be called `array`, too.
fn is_array_join(parts: &[Part<'_>], index: usize) -> bool {
    let Some(array) = index.checked_sub(1) else { return false };
    let Some(table) = array.checked_sub(1) else { return false };
    parts.get(array).is_some_and(|part| part.token.is_word("ARRAY"))
        && !follows_dot(parts, array)
        && !before(parts, array).is_some_and(|part| part.token.is_word("AS"))
        && completes_operand(parts, table)
}

/// Whether a table may stand where `index` stands, also in brackets around a list of tables.
fn is_place(parts: &[Part<'_>], index: usize, scopes: &[Scope]) -> bool {
    const NO_TABLES: [&str; 5] = ["SELECT", "WITH", "FROM", "EXPLAIN", "USING"];
    if parts.get(index).is_some_and(|part| part.token.is_word_of(&NO_TABLES)) {
        return false;
    }
    let Some(scope) = scopes.last() else { return false };
    let Some(part) = before(parts, index) else { return false };
    // A bracket before it stood in such a place itself.
    if matches!(part.token.kind, TokenKind::Comma | TokenKind::Open(Bracket::Round)) {
        scope.list == List::Tables
    } else {
        after_keyword(parts, index - 1, scope)
    }
}

/// Whether the word at `keyword` is one that a table follows.
fn after_keyword(parts: &[Part<'_>], keyword: usize, scope: &Scope) -> bool {
    let Some(part) = parts.get(keyword).filter(|_| !follows_dot(parts, keyword)) else { return false };
    let word = |word: &str| part.token.is_word(word);
    let after = |words: &[&str]| before(parts, keyword).is_some_and(|part| part.token.is_word_of(words));
    if word("FROM") {
        scope.from == Some(keyword)
    } else if word("JOIN") {
        !is_array_join(parts, keyword)
    } else if word("FUNCTION") {
        true
    } else if word("DESCRIBE") || word("DESC") {
        keyword == 0
    } else if word("TABLE") {
        after(&["DESCRIBE", "DESC"])
    } else {
        word("AS") && is_created_as(parts, keyword, scope)
    }
}

/// Whether the `AS` may lead to a table function in a statement that makes a table: it stands outside of brackets,
/// and no query begins before it. The table may be called `as`, too.
fn is_created_as(parts: &[Part<'_>], index: usize, scope: &Scope) -> bool {
    let makes = parts.first().is_some_and(|first| first.token.is_word_of(&["CREATE", "ATTACH", "REPLACE"]));
    makes
        && parts.get(index).is_some_and(|part| part.depth == 0)
        && scope.created_from.is_none_or(|query| index <= query)
}

/// The `AS` behind which the query of a `CREATE` begins.
pub(super) fn query_begins(parts: &[Part<'_>]) -> Option<usize> {
    parts.iter().enumerate().position(|(index, part)| {
        part.depth == 0
            && part.token.is_word("AS")
            && parts.get(index + 1).is_some_and(|next| {
                next.token.is_word_of(&["SELECT", "WITH", "FROM"])
                    || next.token.kind == TokenKind::Open(Bracket::Round)
            })
    })
}

/// Whether a function around the place takes table functions there: `loop(f(…))`, `viewIfPermitted(… ELSE f(…))`.
fn is_argument_place(parts: &[Part<'_>], index: usize, scopes: &[Scope]) -> bool {
    let Some(callee) = callee(parts, scopes) else { return false };
    let is = |name: &str| callee.token.name().eq_ignore_ascii_case(name);
    let after = before(parts, index).map(|part| part.token);
    (is("loop") && after.is_some_and(|token| matches!(token.kind, TokenKind::Open(_))))
        || (is("viewIfPermitted") && after.is_some_and(|token| token.is_word("ELSE")))
}

/// The name before the bracket around the place.
fn callee<'p, 'a>(parts: &'p [Part<'a>], scopes: &[Scope]) -> Option<&'p Part<'a>> {
    let opened = scopes.last()?.opened?;
    before(parts, opened).filter(|part| part.token.is_name())
}

fn check_table_function(part: &Part<'_>, rules: &Rules<'_>) -> Result<(), Refusal> {
    let name = part.token.name();
    let inside = INSIDE.iter().any(|known| known.eq_ignore_ascii_case(name));
    if inside || is_listed(name, rules) {
        return Ok(());
    }
    Err(Refusal::Outside { name: name.into() })
}

/// Refuses a call of what is known to reach outside.
fn check_known(part: &Part<'_>, rules: &Rules<'_>) -> Result<(), Refusal> {
    let name = part.token.name();
    let lower = name.to_ascii_lowercase();
    // `s3Cluster`, `icebergAzure`, `deltaLakeS3Cluster` and the like are of a family.
    const FAMILIES: [&str; 6] = ["azureblobstorage", "deltalake", "hdfs", "hudi", "iceberg", "paimon"];
    let known = OUTSIDE.contains(&lower.as_str())
        || FAMILIES.iter().any(|family| lower.starts_with(family))
        || lower.strip_suffix("cluster").is_some_and(|base| OUTSIDE.contains(&base))
        || is_escaped(part.token);
    if known && !is_listed(name, rules) {
        return Err(Refusal::Outside { name: name.into() });
    }
    Ok(())
}

/// Refuses a call of an ordinary function that reaches outside. Behind `IN`, where servers before the present query
/// analysis had table functions, and in what is sent to another server, those are refused that are known.
fn check_call(parts: &[Part<'_>], index: usize, scopes: &[Scope], rules: &Rules<'_>) -> Result<(), Refusal> {
    let Some(part) = parts.get(index) else { return Ok(()) };
    if is_function_outside(part.token, rules) {
        return Err(Refusal::Outside { name: part.token.name().into() });
    }
    const SENDERS: [&str; 4] = ["cluster", "clusterAllReplicas", "remote", "remoteSecure"];
    let sent = callee(parts, scopes)
        .is_some_and(|callee| SENDERS.iter().any(|name| callee.token.name().eq_ignore_ascii_case(name)));
    let mut at = index;
    while before(parts, at).is_some_and(|part| part.token.kind == TokenKind::Open(Bracket::Round)) {
        at -= 1;
    }
    if sent || before(parts, at).is_some_and(|part| part.token.is_word("IN")) {
        return check_known(part, rules);
    }
    Ok(())
}

/// Refuses such a function where it is named without being called: `APPLY(file)`, `arrayMap(file, …)`. A parameter
/// in its place could be any name.
fn check_reference(parts: &[Part<'_>], index: usize, rules: &Rules<'_>) -> Result<(), Refusal> {
    let Some(part) = parts.get(index) else { return Ok(()) };
    let parameter = part.token.kind == TokenKind::Open(Bracket::Curly)
        && parts.get(index + 2).is_some_and(|part| part.token.text == ":")
        && parts.get(index + 3).is_some_and(|part| part.token.is_word("Identifier"));
    let name = part.token.is_name() && !follows_dot(parts, index) && is_function_outside(part.token, rules);
    if !parameter && !name {
        return Ok(());
    }
    let refusal = || {
        let name = if parameter { "{…:Identifier}" } else { part.token.name() };
        Err(Refusal::Outside { name: name.into() })
    };
    let mut at = index;
    loop {
        let Some(part) = before(parts, at) else { return Ok(()) };
        if part.token.is_word("APPLY") {
            return refusal();
        }
        if part.token.kind != TokenKind::Open(Bracket::Round) {
            return Ok(());
        }
        at -= 1;
        if let Some(callee) = before(parts, at).filter(|part| part.token.is_name()) {
            if callee.token.is_word("APPLY") {
                return refusal();
            }
            let lower = callee.token.name().to_ascii_lowercase();
            let takes_functions =
                lower.starts_with("array") || lower.starts_with("map") || is_escaped(callee.token);
            let mut next = part_end(parts, index);
            while parts.get(next).is_some_and(|part| part.token.kind == TokenKind::Close(Bracket::Round)) {
                next += 1;
            }
            let more = parts.get(next).is_some_and(|part| part.token.kind == TokenKind::Comma);
            return if takes_functions && more { refusal() } else { Ok(()) };
        }
    }
}

/// The index after a name, or after the bracket that opens there.
fn part_end(parts: &[Part<'_>], index: usize) -> usize {
    parts.get(index).and_then(|part| part.partner).unwrap_or(index) + 1
}

/// Whether the name is that of an ordinary function that reaches outside, or may be.
pub(super) fn is_function_outside(token: Token<'_>, rules: &Rules<'_>) -> bool {
    let name = token.name();
    let known = FUNCTIONS.contains(&name.to_ascii_lowercase().as_str());
    (known || is_escaped(token)) && !is_listed(name, rules)
}

/// Whether a quoted name may be another than it looks.
fn is_escaped(token: Token<'_>) -> bool {
    token.kind == TokenKind::QuotedIdentifier && token.text.contains('\\')
}

fn opens(parts: &[Part<'_>], index: usize) -> bool {
    parts.get(index).is_some_and(|part| part.token.kind == TokenKind::Open(Bracket::Round))
}
