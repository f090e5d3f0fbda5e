//! The query parameters that a text of the server declares, such as the one that made a view: `{name:Type}`.
//!
//! The text is somebody else's. What of it goes into a statement again is the name, which is a bare word, and the
//! type, which is written anew from tokens that a type can have.

use thiserror::Error;

use super::token::{Bracket, Token, TokenKind, tokens};

/// Bytes that the text of a type may have.
const LONGEST_TYPE: usize = 4096;
/// How deep the brackets of a type may nest.
const DEEPEST: usize = 48;
/// Bytes that the name of a parameter may have.
const LONGEST_NAME: usize = 128;

/// A parameter that a text declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredParameter {
    /// Letters, digits and `_`, no digit first.
    pub name: String,
    /// Its type.
    pub type_text: TypeText,
}

/// The text of one type: a word, and perhaps something in brackets. It cannot end the braces, the call or the
/// statement that it is put into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeText(String);

/// Why a text declares nothing that could be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeclarationError {
    /// Quotes or comments without end, or characters that belong to nothing.
    #[error("its text cannot be read")]
    Unreadable,
    /// A name that no query parameter of ours can have.
    #[error("it has a parameter whose name is not made of letters, digits and `_`")]
    Name,
    /// What stands after the colon is no type.
    #[error("the type of its parameter `{name}` cannot be read")]
    Type {
        /// The parameter.
        name: String,
    },
}

impl TypeText {
    /// Reads a type as a server writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let found: Vec<Token<'_>> = significant(text).collect();
        Self::of(&found)
    }

    /// The type.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(found: &[Token<'_>]) -> Option<Self> {
        let mut text = String::new();
        let mut open = 0_usize;
        let mut closed = false;
        for (at, token) in found.iter().enumerate() {
            // One word, then at most one pair of brackets around all the rest.
            let fits = match (at, token.kind) {
                (0, kind) => kind == TokenKind::Word,
                (1, kind) => kind == TokenKind::Open(Bracket::Round),
                _ => !closed,
            };
            if !fits {
                return None;
            }
            match token.kind {
                TokenKind::Word | TokenKind::Number | TokenKind::Comma | TokenKind::Dot => {}
                TokenKind::String if token.text.starts_with('\'') => {}
                TokenKind::QuotedIdentifier if token.text.starts_with(['`', '"']) => {}
                TokenKind::Operator if matches!(token.text, "=" | "-") => {}
                TokenKind::Open(Bracket::Round) if open < DEEPEST => open += 1,
                TokenKind::Close(Bracket::Round) if open > 0 => {
                    open -= 1;
                    closed = open == 0;
                }
                TokenKind::Blank
                | TokenKind::Comment
                | TokenKind::String
                | TokenKind::QuotedIdentifier
                | TokenKind::HereDoc
                | TokenKind::Open(_)
                | TokenKind::Close(_)
                | TokenKind::Semicolon
                | TokenKind::Asterisk
                | TokenKind::Operator
                | TokenKind::At
                | TokenKind::DoubleAt
                | TokenKind::Dollar
                | TokenKind::VerticalDelimiter
                | TokenKind::Error(_) => return None,
            }
            if needs_blank(&text, token) {
                text.push(' ');
            }
            text.push_str(token.text);
        }
        let whole = open == 0 && !text.is_empty() && (found.len() == 1 || closed);
        (whole && text.len() <= LONGEST_TYPE).then_some(Self(text))
    }
}

/// The parameters, in their order, each name once. What stands in quotes or comments is none, and neither is a map such
/// as `{'a': 1}`.
///
/// # Errors
///
/// A [`DeclarationError`] when there is one that cannot be used, or when the text cannot be read to its end.
pub fn declared_parameters(text: &str) -> Result<Vec<DeclaredParameter>, DeclarationError> {
    let found: Vec<Token<'_>> = significant(text).collect();
    if found.iter().any(|token| matches!(token.kind, TokenKind::Error(_))) {
        return Err(DeclarationError::Unreadable);
    }
    let mut parameters: Vec<DeclaredParameter> = Vec::new();
    let mut rest = found.as_slice();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let [name, colon, inner @ ..] = after else { break };
        let begins = first.kind == TokenKind::Open(Bracket::Curly)
            && name.kind == TokenKind::Word
            && colon.text == ":";
        if !begins {
            continue;
        }
        let is_end = |token: &Token<'_>| token.kind == TokenKind::Close(Bracket::Curly);
        let end = inner.iter().position(is_end).ok_or(DeclarationError::Unreadable)?;
        if !is_name(name.text) {
            return Err(DeclarationError::Name);
        }
        let type_text = TypeText::of(inner.get(..end).unwrap_or_default())
            .ok_or_else(|| DeclarationError::Type { name: name.text.to_owned() })?;
        rest = inner.get(end..).unwrap_or_default();
        if !parameters.iter().any(|parameter| parameter.name == name.text) {
            parameters.push(DeclaredParameter { name: name.text.to_owned(), type_text });
        }
    }
    Ok(parameters)
}

fn significant(text: &str) -> impl Iterator<Item = Token<'_>> {
    tokens(text).filter(|token| !matches!(token.kind, TokenKind::Blank | TokenKind::Comment))
}

/// Whether the token would otherwise grow together with what stands before it.
fn needs_blank(before: &str, token: &Token<'_>) -> bool {
    match before.chars().next_back() {
        None | Some('(' | '-' | '.') => false,
        Some(',' | '=') => true,
        Some(_) => !matches!(
            token.kind,
            TokenKind::Open(_) | TokenKind::Close(_) | TokenKind::Comma | TokenKind::Dot
        ),
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        declared_parameters(text)
            .unwrap()
            .into_iter()
            .map(|parameter| (parameter.name, parameter.type_text.0))
            .collect()
    }

    #[test]
    fn parameters_are_found_outside_of_quotes_and_comments() {
        let pair = |name: &str, type_text: &str| (name.to_owned(), type_text.to_owned());
        for (text, wanted) in [
            ("CREATE VIEW a.b AS SELECT 1", vec![]),
            ("SELECT * FROM o WHERE on >= {since:Date}", vec![pair("since", "Date")]),
            ("SELECT { a : Nullable( Int32 ) }, {a:Nullable(Int32)}", vec![pair("a", "Nullable(Int32)")]),
            (
                "SELECT '{a:String}', `{b:String}`, \"{c:String}\", $$ {d:String} $$ /* {e:String} */ -- {f:String}\n",
                vec![],
            ),
            ("SELECT 'it''s {a:String}' , 'b\\'{b:String}', {c:String}", vec![pair("c", "String")]),
            (
                "SELECT {a:Array(Map(String, Decimal(10,2)))}",
                vec![pair("a", "Array(Map(String, Decimal(10, 2)))")],
            ),
            ("SELECT {a:Enum8('}' = -1, 'it\\'s'=2)}", vec![pair("a", "Enum8('}' = -1, 'it\\'s' = 2)")]),
            (
                "SELECT {a:Tuple(`a b` Int8, c DateTime64(3, 'UTC'))}",
                vec![pair("a", "Tuple(`a b` Int8, c DateTime64(3, 'UTC'))")],
            ),
            (
                "SELECT {a:JSON(max_dynamic_paths=2, a.b UInt64)}",
                vec![pair("a", "JSON(max_dynamic_paths = 2, a.b UInt64)")],
            ),
            ("SELECT {'a': 1}, {}, {a, b}, {1:Int8}", vec![]),
            ("SELECT {'a': {b:Int8}}", vec![pair("b", "Int8")]),
            ("SELECT {t:Identifier}, {a:/* x */ UInt8}", vec![pair("t", "Identifier"), pair("a", "UInt8")]),
            (
                "CREATE VIEW `a`.`{x:String}` COMMENT '{y:String}' AS SELECT {z:UInt8}",
                vec![pair("z", "UInt8")],
            ),
        ] {
            assert_eq!(found(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_could_leave_its_place_is_no_type() {
        for (text, error) in [
            ("SELECT {a:String", DeclarationError::Unreadable),
            ("SELECT 'a {b:String}", DeclarationError::Unreadable),
            ("SELECT {a$b:String}", DeclarationError::Name),
            ("SELECT {a:}", DeclarationError::Type { name: "a".into() }),
            ("SELECT {a:String) FROM url('x'}", DeclarationError::Type { name: "a".into() }),
            ("SELECT {a:String(1) String(2)}", DeclarationError::Type { name: "a".into() }),
            ("SELECT {a:String, {b:String}", DeclarationError::Type { name: "a".into() }),
            ("SELECT {a:Array({b:String})}", DeclarationError::Type { name: "a".into() }),
            ("SELECT {a:Array(String;)}", DeclarationError::Type { name: "a".into() }),
            ("SELECT {a:Array(1 + 1)}", DeclarationError::Type { name: "a".into() }),
            ("SELECT {a:'String'}", DeclarationError::Type { name: "a".into() }),
            ("SELECT {a:`String`}", DeclarationError::Type { name: "a".into() }),
            ("SELECT {a:Enum8($$x$$ = 1)}", DeclarationError::Type { name: "a".into() }),
            ("SELECT {a:Enum8(‘x’ = 1)}", DeclarationError::Type { name: "a".into() }),
        ] {
            assert_eq!(declared_parameters(text), Err(error), "{text}");
        }
        assert_eq!(TypeText::parse(&format!("{}String{}", "Array(".repeat(60), ")".repeat(60))), None);
        assert_eq!(TypeText::parse(&format!("Enum8('{}' = 1)", "x".repeat(LONGEST_TYPE))), None);
        assert_eq!(TypeText::parse(""), None);
        assert_eq!(TypeText::parse("Int8 -- x").unwrap().as_str(), "Int8");
    }

    #[test]
    fn a_type_that_was_read_reads_as_itself_again() {
        for text in [
            "Int8",
            "Array(Nullable(String))",
            "Enum16('a' = -1, 'b,)' = 2)",
            "Tuple(\"x\" A, B)",
            "Decimal(1, 2)",
        ] {
            assert_eq!(TypeText::parse(text).unwrap().as_str(), text);
        }
    }
}
