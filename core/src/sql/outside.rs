//! What leads out of the database: table functions, table engines, sources of dictionaries, files.

use super::bracket::{Part, has_keywords};
use super::refusal::Refusal;
use super::rules::Rules;
use super::table_function::query_begins;
use super::token::{Bracket, TokenKind};
use super::write_kind::WriteKind;

/// Checks what a statement of this kind may reach beside the table functions in it.
///
/// # Errors
///
/// A [`Refusal`] that names what is not allowed.
pub(super) fn check_write(parts: &[Part<'_>], kind: WriteKind, rules: &Rules<'_>) -> Result<(), Refusal> {
    if has_keywords(parts, "FROM", "INFILE") {
        return Err(Refusal::FromInfile);
    }
    match kind {
        WriteKind::Create => created(parts, rules),
        WriteKind::Backup => backed_up(parts, rules),
        WriteKind::Insert
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
        | WriteKind::Kill
        | WriteKind::System
        | WriteKind::Check
        | WriteKind::Access => Ok(()),
    }
}

/// Whether the operator has listed the name. It is compared as it is written, for so the server compares engines; a
/// name with escapes in it is nobody's.
pub(super) fn is_listed(name: &str, rules: &Rules<'_>) -> bool {
    rules.allowed_table_functions.iter().any(|listed| listed == name)
}

fn created(parts: &[Part<'_>], rules: &Rules<'_>) -> Result<(), Refusal> {
    let object = |word: &str| parts.iter().take(4).any(|part| part.token.is_word(word));
    if object("FUNCTION") {
        return function(parts);
    }
    let query = query_begins(parts);
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| part.depth == 0) {
        let next = parts.get(index + 1);
        if part.token.is_word("ENGINE") {
            let equals = next.is_some_and(|part| part.token.text.starts_with('='));
            if equals || query.is_none_or(|query| index < query) {
                engine(parts, index + 1 + usize::from(equals), rules)?;
            }
        }
        if part.token.is_word("SOURCE") && object("DICTIONARY") {
            let source = parts.get(index + 2).map_or("", |part| part.token.name());
            if !source.eq_ignore_ascii_case("NULL") && !is_listed(source, rules) {
                return Err(Refusal::Outside { name: source.into() });
            }
        }
    }
    Ok(())
}

/// Engines that keep their rows inside the server, under the grants of who asks.
const ENGINES: [&str; 33] = [
    "AggregatingMergeTree",
    "Atomic",
    "CoalescingMergeTree",
    "CollapsingMergeTree",
    "Dictionary",
    "GenerateRandom",
    "GraphiteMergeTree",
    "Join",
    "Lazy",
    "Log",
    "Memory",
    "Merge",
    "MergeTree",
    "Null",
    "Ordinary",
    "ReplacingMergeTree",
    "ReplicatedAggregatingMergeTree",
    "ReplicatedCoalescingMergeTree",
    "ReplicatedCollapsingMergeTree",
    "ReplicatedGraphiteMergeTree",
    "ReplicatedMergeTree",
    "ReplicatedReplacingMergeTree",
    "ReplicatedSummingMergeTree",
    "ReplicatedVersionedCollapsingMergeTree",
    "Set",
    "SharedMergeTree",
    "SharedReplacingMergeTree",
    "StripeLog",
    "SummingMergeTree",
    "TimeSeries",
    "TinyLog",
    "VersionedCollapsingMergeTree",
    "View",
];

fn engine(parts: &[Part<'_>], index: usize, rules: &Rules<'_>) -> Result<(), Refusal> {
    let Some(part) = parts.get(index).filter(|part| part.token.is_name()) else { return Ok(()) };
    let name = part.token.name();
    let arguments = match parts.get(index + 1) {
        Some(open) if open.token.kind == TokenKind::Open(Bracket::Round) => {
            parts.get(index + 2..open.partner.unwrap_or(index + 2)).unwrap_or_default()
        }
        Some(_) | None => &[],
    };
    // A replica names a path in Keeper, where another's table may lie.
    let names_path = name.starts_with("Replicated")
        && arguments.iter().any(|part| matches!(part.token.kind, TokenKind::String | TokenKind::HereDoc));
    if is_listed(name, rules) || (ENGINES.contains(&name) && !names_path) {
        return Ok(());
    }
    Err(Refusal::Outside { name: name.into() })
}

/// `CREATE FUNCTION name AS x -> …` is SQL; any other body is a program.
fn function(parts: &[Part<'_>]) -> Result<(), Refusal> {
    const HEAD: [&str; 7] = ["CREATE", "OR", "REPLACE", "FUNCTION", "IF", "NOT", "EXISTS"];
    let head = parts.iter().take_while(|part| part.token.is_word_of(&HEAD)).count();
    let mut index = head + 1;
    let is = |index: usize, word: &str| parts.get(index).is_some_and(|part| part.token.is_word(word));
    if is(index, "ON") && is(index + 1, "CLUSTER") {
        index += 3;
    }
    if is(index, "AS") { Ok(()) } else { Err(Refusal::FunctionBody) }
}

/// The name of the place that a backup goes to or comes from must be listed.
fn backed_up(parts: &[Part<'_>], rules: &Rules<'_>) -> Result<(), Refusal> {
    let mut places = parts.iter().enumerate().filter(|(index, part)| {
        part.depth == 0
            && part.token.is_word_of(&["TO", "FROM"])
            && parts.get(index + 1).is_some_and(|name| name.token.is_name())
            && parts.get(index + 2).is_some_and(|open| open.token.kind == TokenKind::Open(Bracket::Round))
    });
    let place = places.next_back().and_then(|(index, _)| parts.get(index + 1));
    let name = place.map_or("", |part| part.token.name());
    if is_listed(name, rules) { Ok(()) } else { Err(Refusal::Outside { name: name.into() }) }
}
