//! What a statement that writes does, by allow-list, and whether it takes something away.

use super::bracket::{Part, before, follows_dot, has_keywords};
use super::kind::{kind, shorten};
use super::outside;
use super::refusal::Refusal;
use super::rules::Rules;
use super::token::{Bracket, TokenKind};

/// The sorts of statement that write, or that do more than read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    /// `INSERT INTO …`, also behind `WITH`.
    Insert,
    /// `CREATE …` of a table, view, dictionary, database, function or index.
    Create,
    /// `ATTACH …` of what was detached.
    Attach,
    /// `UNDROP TABLE …`.
    Undrop,
    /// `ALTER TABLE …` or `ALTER DATABASE …`.
    Alter,
    /// `OPTIMIZE TABLE …`.
    Optimize,
    /// `RENAME …`.
    Rename,
    /// `EXCHANGE …`.
    Exchange,
    /// `DETACH …`.
    Detach,
    /// `DROP …`.
    Drop,
    /// `TRUNCATE …`.
    Truncate,
    /// `DELETE FROM …`.
    Delete,
    /// `UPDATE … SET …`.
    Update,
    /// `KILL …`.
    Kill,
    /// `SYSTEM …`.
    System,
    /// `BACKUP …` and `RESTORE …`.
    Backup,
    /// `CHECK …`, which reads and may take long.
    Check,
    /// A statement about users, roles, policies, quotas, profiles and named collections, or about whose rights a view
    /// has.
    Access,
}

/// What a statement does, and whether it takes something away.
///
/// # Errors
///
/// A [`Refusal`] when it does not write, or does what `rules` do not allow.
pub(super) fn classify(parts: &[Part<'_>], rules: &Rules<'_>) -> Result<(WriteKind, bool), Refusal> {
    let (kind, destructive) = class(parts)?;
    if kind == WriteKind::Access && rules.impersonated {
        return Err(Refusal::AccessUnderImpersonation { statement: head(parts) });
    }
    outside::check_write(parts, kind, rules)?;
    if destructive && !rules.destructive {
        return Err(Refusal::Destructive { statement: head(parts) });
    }
    Ok((kind, destructive))
}

fn class(parts: &[Part<'_>]) -> Result<(WriteKind, bool), Refusal> {
    let first = parts.first().ok_or(Refusal::Empty)?.token;
    let is = |index: usize, word: &str| parts.get(index).is_some_and(|part| part.token.is_word(word));
    let verb = first.text.to_ascii_uppercase();
    let named = first.kind == TokenKind::Word;
    let found = match verb.as_str() {
        _ if !named => None,
        "INSERT" if is(1, "INTO") => Some((WriteKind::Insert, false)),
        "WITH" if leads_to_insert(parts) => Some((WriteKind::Insert, false)),
        "CREATE" | "REPLACE" => created(parts),
        "ATTACH" => Some((attached(parts)?, false)),
        "ALTER" => altered(parts),
        "DROP" | "DETACH" | "TRUNCATE" => dropped(parts, &verb),
        "UNDROP" if is(1, "TABLE") => Some((WriteKind::Undrop, false)),
        "OPTIMIZE" if is(1, "TABLE") => Some((
            WriteKind::Optimize,
            parts.iter().any(|part| part.token.is_word_of(&["DEDUPLICATE", "CLEANUP"])),
        )),
        "RENAME" => Some((WriteKind::Rename, true)),
        "EXCHANGE" => Some((WriteKind::Exchange, true)),
        "DELETE" if is(1, "FROM") => Some((WriteKind::Delete, true)),
        "UPDATE" => Some((WriteKind::Update, true)),
        "KILL" => Some((WriteKind::Kill, true)),
        "SYSTEM" => Some((WriteKind::System, true)),
        "BACKUP" => Some((WriteKind::Backup, false)),
        "RESTORE" => Some((WriteKind::Backup, true)),
        "CHECK" => Some((WriteKind::Check, false)),
        "GRANT" | "REVOKE" => Some((WriteKind::Access, true)),
        "MOVE" if is_access(parts, 1) => Some((WriteKind::Access, true)),
        _ => None,
    };
    match found {
        // Whoever may say with whose rights a view runs may give rights away.
        Some((WriteKind::Create | WriteKind::Alter, _)) if names_definer(parts) => {
            Ok((WriteKind::Access, true))
        }
        Some(found) => Ok(found),
        None if kind(parts).is_ok() => Err(Refusal::OnlyReads { word: shorten(first.text) }),
        None => Err(Refusal::NotWritable { statement: head(parts) }),
    }
}

/// `CREATE [OR REPLACE] [TEMPORARY] …` and `REPLACE …`.
fn created(parts: &[Part<'_>]) -> Option<(WriteKind, bool)> {
    let is = |index: usize, word: &str| parts.get(index).is_some_and(|part| part.token.is_word(word));
    let mut index = 1;
    let mut replaces = is(0, "REPLACE");
    if is(1, "OR") && is(2, "REPLACE") {
        (index, replaces) = (3, true);
    }
    if is_access(parts, index) {
        return Some((WriteKind::Access, true));
    }
    if is(index, "TEMPORARY") || is(index, "UNIQUE") {
        index += 1;
    }
    const OBJECTS: [&str; 9] =
        ["TABLE", "VIEW", "MATERIALIZED", "LIVE", "WINDOW", "DICTIONARY", "DATABASE", "FUNCTION", "INDEX"];
    let known = parts.get(index).is_some_and(|part| part.token.is_word_of(&OBJECTS));
    known.then_some((WriteKind::Create, replaces))
}

/// `ATTACH` of something by its name alone. The full form says where data lies, which may be somebody else's.
fn attached(parts: &[Part<'_>]) -> Result<WriteKind, Refusal> {
    const WORDS: [&str; 9] =
        ["TABLE", "DATABASE", "DICTIONARY", "VIEW", "MATERIALIZED", "TEMPORARY", "IF", "NOT", "EXISTS"];
    let rest = parts.get(1..).unwrap_or_default();
    let heads = rest.iter().take_while(|part| part.token.is_word_of(&WORDS)).count();
    let name = rest.get(heads..).unwrap_or_default();
    let ends_at = 1 + 2 * usize::from(name.get(1).is_some_and(|part| part.token.kind == TokenKind::Dot));
    let is_name = name.iter().take(ends_at).step_by(2).all(|part| part.token.is_name());
    let after = name.get(ends_at..).unwrap_or_default();
    let ends = match after {
        [] => true,
        [on, cluster, name] => {
            on.token.is_word("ON")
                && cluster.token.is_word("CLUSTER")
                && (name.token.is_name() || name.token.kind == TokenKind::String)
        }
        _ => false,
    };
    if heads > 0 && !name.is_empty() && is_name && ends {
        Ok(WriteKind::Attach)
    } else {
        Err(Refusal::AttachInFull)
    }
}

fn altered(parts: &[Part<'_>]) -> Option<(WriteKind, bool)> {
    let is = |index: usize, word: &str| parts.get(index).is_some_and(|part| part.token.is_word(word));
    if is_access(parts, 1) {
        return Some((WriteKind::Access, true));
    }
    let object = 1 + usize::from(is(1, "TEMPORARY"));
    if !(is(object, "TABLE") || is(object, "DATABASE")) {
        return None;
    }
    let mut index = object + 1;
    while parts.get(index + 1).is_some_and(|part| part.token.kind == TokenKind::Dot) {
        index += 2;
    }
    index = parts.get(index).and_then(|part| part.partner).unwrap_or(index) + 1;
    if is(index, "ON") && is(index + 1, "CLUSTER") {
        index += 3;
    }
    let commands = parts.get(index..).unwrap_or_default();
    Some((WriteKind::Alter, !commands_only_add(commands)))
}

/// Whether each command of an `ALTER` is one that takes nothing away. A comma inside a command begins a piece that is
/// none of these, and counts against it.
fn commands_only_add(commands: &[Part<'_>]) -> bool {
    const HARMLESS: [(&str, &[&str]); 4] = [
        ("ADD", &["COLUMN", "INDEX", "CONSTRAINT", "PROJECTION", "STATISTICS"]),
        ("COMMENT", &["COLUMN"]),
        ("MODIFY", &["COMMENT"]),
        ("MATERIALIZE", &["INDEX", "PROJECTION", "STATISTICS"]),
    ];
    let Some(level) = commands.first().map(|part| part.depth) else { return false };
    let mut pieces = commands.split(|part| part.depth == level && part.token.kind == TokenKind::Comma);
    pieces.all(|piece| {
        let piece = match piece {
            [open, inner @ ..] if open.token.kind == TokenKind::Open(Bracket::Round) => inner,
            piece => piece,
        };
        match piece {
            [first, second, ..] => HARMLESS
                .iter()
                .any(|(verb, objects)| first.token.is_word(verb) && second.token.is_word_of(objects)),
            _ => false,
        }
    })
}

fn dropped(parts: &[Part<'_>], verb: &str) -> Option<(WriteKind, bool)> {
    const OBJECTS: [&str; 9] =
        ["TABLE", "TABLES", "VIEW", "DICTIONARY", "DATABASE", "FUNCTION", "INDEX", "TEMPORARY", "ALL"];
    if is_access(parts, 1) {
        return Some((WriteKind::Access, true));
    }
    let known = parts.get(1).is_some_and(|part| part.token.is_word_of(&OBJECTS));
    match verb {
        "DROP" if known => Some((WriteKind::Drop, true)),
        "DETACH" if known => Some((WriteKind::Detach, true)),
        // The word TABLE may be left out.
        "TRUNCATE" => Some((WriteKind::Truncate, true)),
        _ => None,
    }
}

/// Whether the words at `index` name something that decides about access.
fn is_access(parts: &[Part<'_>], index: usize) -> bool {
    const ENTITIES: [&str; 11] = [
        "USER", "ROLE", "ROW", "POLICY", "QUOTA", "SETTINGS", "PROFILE", "NAMED", "MASKING", "ROLES", "USERS",
    ];
    parts.get(index).is_some_and(|part| part.token.is_word_of(&ENTITIES))
}

fn names_definer(parts: &[Part<'_>]) -> bool {
    has_keywords(parts, "SQL", "SECURITY")
        || parts.iter().enumerate().any(|(index, part)| {
            part.token.is_word("DEFINER")
                && !follows_dot(parts, index)
                && parts.get(index + 1).is_some_and(|next| next.token.text == "=" || next.token.is_name())
        })
}

/// Whether the first verb behind `WITH` that is not a name is `INSERT`.
fn leads_to_insert(parts: &[Part<'_>]) -> bool {
    let verb = parts.iter().enumerate().skip(1).find(|(index, part)| {
        let named =
            follows_dot(parts, *index) || before(parts, *index).is_some_and(|part| part.token.is_word("AS"));
        part.depth == 0 && !named && part.token.is_word_of(&["SELECT", "FROM", "INSERT"])
    });
    verb.is_some_and(|(index, part)| {
        part.token.is_word("INSERT") && parts.get(index + 1).is_some_and(|part| part.token.is_word("INTO"))
    })
}

/// The words with which the statement begins, for a message.
fn head(parts: &[Part<'_>]) -> String {
    let words = parts.iter().map(|part| part.token).take_while(|token| token.kind == TokenKind::Word);
    let words: Vec<String> = words.take(2).map(|token| shorten(token.text).to_ascii_uppercase()).collect();
    let first = parts.first().map(|part| shorten(part.token.text)).unwrap_or_default();
    let object = words.get(1).filter(|word| OBJECT_WORDS.contains(&word.as_str()));
    match (words.first(), object) {
        (Some(verb), Some(object)) => format!("{verb} {object}"),
        (Some(verb), None) => verb.clone(),
        (None, _) => first,
    }
}

/// Words that a message may take for a part of the verb; anything else may be a name of the caller's.
const OBJECT_WORDS: [&str; 24] = [
    "TABLE",
    "TABLES",
    "VIEW",
    "MATERIALIZED",
    "DICTIONARY",
    "DATABASE",
    "FUNCTION",
    "INDEX",
    "USER",
    "ROLE",
    "ROW",
    "POLICY",
    "QUOTA",
    "SETTINGS",
    "PROFILE",
    "NAMED",
    "MASKING",
    "WORKLOAD",
    "RESOURCE",
    "OR",
    "FROM",
    "QUERY",
    "MUTATION",
    "TEMPORARY",
];
