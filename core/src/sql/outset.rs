//! What no statement may do, whether it reads or writes.

use super::bracket::{Part, before, follows_dot, has_keywords};
use super::refusal::Refusal;
use super::rules::Rules;
use super::tail::{SettingsClause, settings_clauses};
use super::token::{Bracket, TokenKind};

/// Checks what does not depend on the sort of the statement.
///
/// # Errors
///
/// A [`Refusal`].
pub(super) fn check_outset(parts: &[Part<'_>], rules: &Rules<'_>) -> Result<(), Refusal> {
    let first = parts.first().ok_or(Refusal::Empty)?.token;
    if matches!(first.kind, TokenKind::At | TokenKind::DoubleAt) {
        return Err(Refusal::LeadingAt);
    }
    if first.is_word("EXECUTE") {
        return Err(Refusal::NestedExecuteAs);
    }
    if first.is_word_of(&["SET", "USE", "BEGIN", "START", "COMMIT", "ROLLBACK"]) {
        return Err(Refusal::SessionStatement { word: first.text.to_ascii_uppercase() });
    }
    if has_keywords(parts, "PARALLEL", "WITH") {
        return Err(Refusal::ParallelWith);
    }
    if has_keywords(parts, "INTO", "OUTFILE") {
        return Err(Refusal::IntoOutfile);
    }
    if hides_execute_as(parts) {
        return Err(Refusal::NestedExecuteAs);
    }
    match rules.blocked_clauses.iter().find(|clause| clause.is_in(parts)) {
        Some(clause) => Err(Refusal::BlockedClause { name: clause.name() }),
        None => Ok(()),
    }
}

/// Whether `EXECUTE AS` stands where a statement could begin. In a query, a column may be called `execute` and have an
/// alias; only a bracket before it could make a statement of it there.
fn hides_execute_as(parts: &[Part<'_>]) -> bool {
    let is_query = parts.first().is_some_and(|first| {
        first.token.is_word_of(&["SELECT", "WITH", "FROM"])
            || first.token.kind == TokenKind::Open(Bracket::Round)
    });
    parts.iter().enumerate().any(|(index, part)| {
        part.token.is_word("EXECUTE")
            && parts.get(index + 1).is_some_and(|next| next.token.is_word("AS"))
            && !follows_dot(parts, index)
            && (!is_query
                || before(parts, index)
                    .is_some_and(|part| part.token.kind == TokenKind::Open(Bracket::Round)))
    })
}

/// The clauses that change settings, after the names in them were found allowed.
///
/// # Errors
///
/// A [`Refusal`] about settings.
pub(super) fn checked_clauses(parts: &[Part<'_>], rules: &Rules<'_>) -> Result<Vec<SettingsClause>, Refusal> {
    let clauses = settings_clauses(parts)?;
    for name in clauses.iter().flat_map(|clause| &clause.names) {
        if is_fixed_setting(name) {
            return Err(Refusal::SettingFixed { name: name.clone() });
        }
        if !rules.allowed_settings.contains(name) {
            return Err(Refusal::SettingNotAllowed { name: name.clone() });
        }
    }
    Ok(clauses)
}

/// Settings that bound what a person may do, that shape the answer which Housekey decodes, or that name a disk
/// outside.
pub(crate) fn is_fixed_setting(name: &str) -> bool {
    const FIXED: [&str; 24] = [
        "readonly",
        "allow_ddl",
        "allow_introspection_functions",
        "allow_custom_error_code_in_throwif",
        "max_execution_time",
        "max_memory_usage",
        "max_result_rows",
        "max_result_bytes",
        "max_rows_to_read",
        "max_bytes_to_read",
        "limit",
        "offset",
        "user",
        "password",
        "database",
        "profile",
        "dialect",
        "implicit_select",
        "log_comment",
        "query_id",
        "replace_running_query",
        "result_overflow_mode",
        "disk",
        "table_disk",
    ];
    let name = name.to_lowercase();
    FIXED.contains(&name.as_str()) || name.starts_with("http_") || name.starts_with("output_format_")
}

/// The source of some parts, comments between them included.
pub(super) fn source<'a>(sql: &'a str, parts: &[Part<'_>]) -> &'a str {
    match (parts.first(), parts.last()) {
        (Some(first), Some(last)) => sql.get(first.token.start..last.token.end()).unwrap_or_default(),
        _ => "",
    }
}
