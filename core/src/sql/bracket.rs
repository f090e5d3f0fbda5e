//! One statement as its significant tokens, with brackets matched.

use super::refusal::Refusal;
use super::token::{Bracket, Token, TokenError, TokenKind, tokens};

/// Significant tokens that a statement may have. Each takes up to 80 bytes while it is checked, and a sandbox that
/// runs out of memory ends without an answer.
const MOST_TOKENS: usize = 200_000;

/// A significant token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The token.
    pub(super) token: Token<'a>,
    /// How many brackets are open around it; a bracket itself counts as outside.
    pub(super) depth: usize,
    /// For a bracket, the index of its partner.
    pub(super) partner: Option<usize>,
}

/// The significant tokens of the only statement in `sql`.
///
/// # Errors
///
/// Any [`Refusal`] about length, characters, quotes, comments, brackets or the number of statements.
pub(super) fn parts(sql: &str, max_length: usize) -> Result<Vec<Part<'_>>, Refusal> {
    if sql.len() > max_length {
        return Err(Refusal::TooLong { length: sql.len(), max: max_length });
    }
    if sql.contains('\0') {
        return Err(Refusal::NulByte);
    }
    let mut found: Vec<Part<'_>> = Vec::new();
    let mut open: Vec<(usize, Bracket)> = Vec::new();
    let mut ended = false;
    for token in tokens(sql) {
        if let TokenKind::Error(error) = token.kind {
            return Err(lexical_refusal(error, token));
        }
        if matches!(token.kind, TokenKind::Blank | TokenKind::Comment) {
            continue;
        }
        if token.kind == TokenKind::Semicolon {
            unclosed(sql, &found, &open)?;
            ended = true;
            continue;
        }
        if ended {
            return Err(Refusal::SeveralStatements);
        }
        if token.kind == TokenKind::VerticalDelimiter {
            return Err(Refusal::VerticalDelimiter);
        }
        let index = found.len();
        if index == MOST_TOKENS {
            return Err(Refusal::TooManyTokens { max: MOST_TOKENS });
        }
        let mut partner = None;
        if let TokenKind::Close(bracket) = token.kind {
            match open.pop() {
                Some((opened, same)) if same == bracket => {
                    partner = Some(opened);
                    if let Some(part) = found.get_mut(opened) {
                        part.partner = Some(index);
                    }
                }
                Some(_) | None => return Err(Refusal::UnopenedBracket { bracket: token.text.into() }),
            }
        }
        found.push(Part { token, depth: open.len(), partner });
        if let TokenKind::Open(bracket) = token.kind {
            open.push((index, bracket));
        }
    }
    unclosed(sql, &found, &open)?;
    if found.is_empty() {
        return Err(Refusal::Empty);
    }
    Ok(found)
}

/// Whether `first` and `second` follow each other as keywords, not as `t.first second`.
pub(super) fn has_keywords(parts: &[Part<'_>], first: &str, second: &str) -> bool {
    parts.iter().enumerate().any(|(index, part)| {
        part.token.is_word(first)
            && parts.get(index + 1).is_some_and(|next| next.token.is_word(second))
            && !follows_dot(parts, index)
    })
}

/// Whether the token before `index` is a dot, so that the one at `index` is a part of a name.
pub(super) fn follows_dot(parts: &[Part<'_>], index: usize) -> bool {
    before(parts, index).is_some_and(|part| part.token.kind == TokenKind::Dot)
}

/// The part before `index`.
pub(super) fn before<'p, 'a>(parts: &'p [Part<'a>], index: usize) -> Option<&'p Part<'a>> {
    parts.get(index.checked_sub(1)?)
}

fn unclosed(sql: &str, found: &[Part<'_>], open: &[(usize, Bracket)]) -> Result<(), Refusal> {
    let Some((index, _)) = open.last() else { return Ok(()) };
    let bracket = found.get(*index).map_or(sql, |part| part.token.text);
    Err(Refusal::UnclosedBracket { bracket: bracket.into() })
}

/// What a token that is none says to the caller.
pub(super) fn lexical_refusal(error: TokenError, token: Token<'_>) -> Refusal {
    match error {
        TokenError::Comment => Refusal::UnclosedComment,
        TokenError::String => Refusal::UnclosedString,
        TokenError::QuotedIdentifier => Refusal::UnclosedIdentifier,
        TokenError::HereDocTag => Refusal::HereDocTag,
        TokenError::Number => Refusal::WrongNumber { text: token.text.into() },
        TokenError::Character => Refusal::UnknownCharacter { text: token.text.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_find_their_partners() {
        let found = parts("f([1], {a:b})", 100).unwrap();
        let partners: Vec<_> = found.iter().map(|part| (part.depth, part.partner)).collect();
        assert_eq!(partners.get(1), Some(&(0, Some(11))));
        assert_eq!(partners.get(2), Some(&(1, Some(4))));
        assert_eq!(partners.get(3), Some(&(2, None)));
        assert_eq!(partners.get(11), Some(&(0, Some(1))));
    }

    #[test]
    fn one_statement_only() {
        for (text, refusal) in [
            ("", Refusal::Empty),
            (" ; -- x\n;", Refusal::Empty),
            ("a;b", Refusal::SeveralStatements),
            (";b", Refusal::SeveralStatements),
            ("(a;)", Refusal::UnclosedBracket { bracket: "(".into() }),
            ("(a]", Refusal::UnopenedBracket { bracket: "]".into() }),
            ("a)", Refusal::UnopenedBracket { bracket: ")".into() }),
            ("a\0", Refusal::NulByte),
        ] {
            assert_eq!(parts(text, 100), Err(refusal), "{text:?}");
        }
        assert_eq!(parts("abc", 2), Err(Refusal::TooLong { length: 3, max: 2 }));
    }
}
