//! ClickHouse's lexer, over borrowed text: its blanks, comments, quotes, here-documents and operators.
//!
//! What ClickHouse reads as an error token is one here too; callers refuse it. Sources: the server's `Lexer.cpp` and
//! the behaviour of 26.9, which differs in where it allows here-documents.

use super::number::{Extent, end_of_fraction, end_of_number};

/// A piece of SQL text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// What it is.
    pub(super) kind: TokenKind,
    /// Exactly the bytes of the source.
    pub(super) text: &'a str,
    /// The offset of its first byte.
    pub(super) start: usize,
}

impl Token<'_> {
    /// The offset of the byte after it.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword, in any case and without quotes.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is one of these keywords.
    pub(super) fn is_word_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }

    /// Whether it can name something: a bare word or a quoted identifier.
    pub(super) fn is_name(&self) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::QuotedIdentifier)
    }

    /// The name without the quotes around it; escapes inside stay as they are.
    pub(super) fn name(&self) -> &str {
        if self.kind != TokenKind::QuotedIdentifier {
            return self.text;
        }
        let mut inner = self.text.chars();
        inner.next();
        inner.next_back();
        inner.as_str()
    }
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Blank,
    Comment,
    Word,
    QuotedIdentifier,
    String,
    HereDoc,
    Number,
    Open(Bracket),
    Close(Bracket),
    Comma,
    Semicolon,
    Dot,
    Asterisk,
    Operator,
    At,
    DoubleAt,
    Dollar,
    VerticalDelimiter,
    Error(TokenError),
}

/// The sorts of brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    Round,
    Square,
    Curly,
}

/// Why a token is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    Comment,
    String,
    QuotedIdentifier,
    HereDocTag,
    Number,
    Character,
}

/// The tokens of a text, blanks and comments included; together they are the text.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    previous: Option<TokenKind>,
    /// How many `$tag$` were searched to the end of the text in vain; bounded, because each search costs its length.
    unclosed_tags: usize,
}

/// More `$tag$` without an end than this and the text is refused.
const MAX_UNCLOSED_TAGS: usize = 32;

/// Splits a text into tokens.
pub(super) fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, at: 0, previous: None, unclosed_tags: 0 }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.text.get(self.at..)?;
        let first = rest.chars().next()?;
        let (kind, end) = self.token(first, rest);
        let end = end.clamp(self.at + first.len_utf8(), self.text.len());
        let token = Token { kind, text: self.text.get(self.at..end)?, start: self.at };
        self.at = end;
        if !matches!(kind, TokenKind::Blank | TokenKind::Comment) {
            self.previous = Some(kind);
        }
        Some(token)
    }
}

impl Tokens<'_> {
    /// The kind of the token that starts with `first`, and the offset after it.
    fn token(&mut self, first: char, rest: &str) -> (TokenKind, usize) {
        let at = self.at;
        match first {
            '0'..='9' => self.number(),
            '\'' => self.quoted('\'', TokenKind::String, TokenError::String),
            '"' | '`' => self.quoted(first, TokenKind::QuotedIdentifier, TokenError::QuotedIdentifier),
            '(' => (TokenKind::Open(Bracket::Round), at + 1),
            ')' => (TokenKind::Close(Bracket::Round), at + 1),
            '[' => (TokenKind::Open(Bracket::Square), at + 1),
            ']' => (TokenKind::Close(Bracket::Square), at + 1),
            '{' => (TokenKind::Open(Bracket::Curly), at + 1),
            '}' => (TokenKind::Close(Bracket::Curly), at + 1),
            ',' => (TokenKind::Comma, at + 1),
            ';' => (TokenKind::Semicolon, at + 1),
            '*' => (TokenKind::Asterisk, at + 1),
            '.' => self.dot(),
            '@' if rest.starts_with("@@") => (TokenKind::DoubleAt, at + 2),
            '@' => (TokenKind::At, at + 1),
            '\\' if rest.starts_with("\\G") => (TokenKind::VerticalDelimiter, at + 2),
            '#' if rest.starts_with("# ") || rest.starts_with("#!") => self.line_comment(),
            '-' if rest.starts_with("--") => self.line_comment(),
            '/' if rest.starts_with("//") => self.line_comment(),
            '/' if rest.starts_with("/*") => self.block_comment(),
            '‘' => self.typographic('’', TokenKind::String, TokenError::String),
            '“' => self.typographic('”', TokenKind::QuotedIdentifier, TokenError::QuotedIdentifier),
            '$' => self.dollar(rest),
            'x' | 'X' | 'b' | 'B' if self.byte(at + 1) == b'\'' && at + 2 < self.text.len() => {
                self.digit_string(first.eq_ignore_ascii_case(&'x'))
            }
            _ if is_word_byte(self.byte(at)) => (TokenKind::Word, self.end_of_word(at)),
            _ if is_blank(first) => {
                (TokenKind::Blank, at + rest.len() - rest.trim_start_matches(is_blank).len())
            }
            _ => match OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
                Some(operator) => (TokenKind::Operator, at + operator.len()),
                None => (TokenKind::Error(TokenError::Character), at + first.len_utf8()),
            },
        }
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn end_of_word(&self, from: usize) -> usize {
        let mut end = from;
        while is_word_byte(self.byte(end)) || self.byte(end) == b'$' {
            end += 1;
        }
        end
    }

    /// A number, or a name that starts with digits.
    fn number(&self) -> (TokenKind, usize) {
        let extent = end_of_number(self.text.as_bytes(), self.at, self.previous == Some(TokenKind::Dot));
        let end = extent.end;
        let mut word_end = end;
        while is_word_byte(self.byte(word_end)) {
            word_end += 1;
        }
        if word_end == end {
            return (number_kind(extent), end);
        }
        let word = self.text.get(self.at..word_end).unwrap_or_default();
        match word.bytes().all(is_word_byte) {
            true => (TokenKind::Word, word_end),
            false => (TokenKind::Error(TokenError::Number), word_end),
        }
    }

    /// A dot between names, or the start of a fraction where no operand stands before it.
    fn dot(&self) -> (TokenKind, usize) {
        let after_operand = matches!(
            self.previous,
            Some(
                TokenKind::Close(Bracket::Round | Bracket::Square)
                    | TokenKind::Word
                    | TokenKind::QuotedIdentifier
                    | TokenKind::Number
            )
        );
        if after_operand || !self.byte(self.at + 1).is_ascii_digit() {
            return (TokenKind::Dot, self.at + 1);
        }
        let extent = end_of_fraction(self.text.as_bytes(), self.at);
        (number_kind(extent), extent.end)
    }

    /// Text in `quote`, where a backslash or a second quote escapes.
    fn quoted(&self, quote: char, kind: TokenKind, error: TokenError) -> (TokenKind, usize) {
        let mut at = self.at + 1;
        while at < self.text.len() {
            let byte = self.byte(at);
            if byte == b'\\' {
                at += 2;
            } else if char::from(byte) != quote {
                at += 1;
            } else if char::from(self.byte(at + 1)) == quote {
                at += 2;
            } else {
                return (kind, at + 1);
            }
        }
        (TokenKind::Error(error), self.text.len())
    }

    /// Text in typographic quotes, which knows no escapes.
    fn typographic(&self, close: char, kind: TokenKind, error: TokenError) -> (TokenKind, usize) {
        let inner = self.at + close.len_utf8();
        match self.text.get(inner..).and_then(|rest| rest.find(close)) {
            Some(length) => (kind, inner + length + close.len_utf8()),
            None => (TokenKind::Error(error), self.text.len()),
        }
    }

    /// `x'…'` and `b'…'`.
    fn digit_string(&self, hex: bool) -> (TokenKind, usize) {
        let mut at = self.at + 2;
        while if hex { self.byte(at).is_ascii_hexdigit() } else { matches!(self.byte(at), b'0' | b'1') } {
            at += 1;
        }
        match self.byte(at) {
            b'\'' => (TokenKind::String, at + 1),
            _ => (TokenKind::Error(TokenError::String), self.text.len()),
        }
    }

    /// A here-document, a lone dollar sign or a name. Older servers take any text as the tag of a here-document,
    /// newer ones only word characters: where the two would differ the token is an error.
    fn dollar(&mut self, rest: &str) -> (TokenKind, usize) {
        let tag = rest.get(1..).and_then(|after| after.find('$')).and_then(|length| rest.get(..length + 2));
        if let Some(tag) = tag {
            let close = rest.get(tag.len()..).and_then(|body| body.find(tag));
            if let Some(length) = close {
                if tag.bytes().all(|byte| is_word_byte(byte) || byte == b'$') {
                    return (TokenKind::HereDoc, self.at + length + 2 * tag.len());
                }
                return (TokenKind::Error(TokenError::HereDocTag), self.text.len());
            }
            self.unclosed_tags += 1;
            if self.unclosed_tags > MAX_UNCLOSED_TAGS {
                return (TokenKind::Error(TokenError::HereDocTag), self.text.len());
            }
        }
        if !is_word_byte(self.byte(self.at + 1)) {
            return (TokenKind::Dollar, self.at + 1);
        }
        (TokenKind::Word, self.end_of_word(self.at))
    }

    fn line_comment(&self) -> (TokenKind, usize) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        (TokenKind::Comment, self.at + rest.find('\n').unwrap_or(rest.len()))
    }

    /// `/* … */`, nested as the SQL standard has it.
    fn block_comment(&self) -> (TokenKind, usize) {
        let (mut at, mut level) = (self.at + 2, 1_usize);
        while at + 1 < self.text.len() {
            match (self.byte(at), self.byte(at + 1)) {
                (b'/', b'*') => (at, level) = (at + 2, level + 1),
                (b'*', b'/') if level == 1 => return (TokenKind::Comment, at + 2),
                (b'*', b'/') => (at, level) = (at + 2, level - 1),
                _ => at += 1,
            }
        }
        (TokenKind::Error(TokenError::Comment), self.text.len())
    }
}

/// Longer operators before their beginnings.
const OPERATORS: [&str; 26] = [
    "<=>", "!~*", "->", "==", "!=", "!~", "<=", "<>", ">=", "::", "||", "|>", "~*", "+", "-", "/", "%", "=",
    "<", ">", "?", ":", "|", "^", "~", "−",
];

fn number_kind(extent: Extent) -> TokenKind {
    if extent.finished { TokenKind::Number } else { TokenKind::Error(TokenError::Number) }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What ClickHouse skips as blank: more than Rust's `is_whitespace`, and less.
pub(super) fn is_blank(character: char) -> bool {
    matches!(
        character,
        '\t'..='\r' | ' ' | '\u{85}' | '\u{A0}' | '\u{180E}' | '\u{2000}'..='\u{200D}' | '\u{2028}' | '\u{2029}'
            | '\u{202F}' | '\u{205F}' | '\u{2060}' | '\u{3000}' | '\u{FEFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        tokens(text)
            .filter(|token| token.kind != TokenKind::Blank)
            .map(|token| (token.kind, token.text))
            .collect()
    }

    #[test]
    fn single_tokens() {
        use TokenKind::*;
        #[rustfmt::skip]
        let table = [
            ("a$b", Word), ("$a", Word), ("_1", Word), ("1x", Word), ("1__0", Word), ("1_000", Number),
            ("0x1p3", Number), (".5", Number), ("'a''b'", String), ("'a\\'b'", String), ("''", String),
            ("x'41'", String), ("B'01'", String), ("‘it’", String), ("“a”", QuotedIdentifier),
            ("`a``b`", QuotedIdentifier), ("\"a\\\"b\"", QuotedIdentifier), ("$$a;b$$", HereDoc),
            ("$t$ '$$ $t$", HereDoc), ("$", Dollar), ("-- x", Comment), ("//x", Comment), ("# x", Comment),
            ("#!x", Comment), ("/* /* */ */", Comment), ("/**/", Comment), ("\\G", VerticalDelimiter),
            ("@", At), ("@@", DoubleAt), ("−", Operator), ("|>", Operator), ("<=>", Operator),
            ("::", Operator), ("\u{200b}\u{a0}\u{feff} \t\u{b}\u{c}\u{85}", Blank), (";", Semicolon),
            ("*", Asterisk), ("'", Error(TokenError::String)), ("'a\\", Error(TokenError::String)),
            ("'a\\'", Error(TokenError::String)), ("x'4z'", Error(TokenError::String)),
            ("`a", Error(TokenError::QuotedIdentifier)), ("“a", Error(TokenError::QuotedIdentifier)),
            ("/*/", Error(TokenError::Comment)), ("/* /* */", Error(TokenError::Comment)),
            ("$a b$x$a b$", Error(TokenError::HereDocTag)), ("1.2x", Error(TokenError::Number)), ("1e", Error(TokenError::Number)), ("1e_", Word),
            ("#", Error(TokenError::Character)), ("&", Error(TokenError::Character)),
            ("!", Error(TokenError::Character)), ("é", Error(TokenError::Character)),
            ("\0", Error(TokenError::Character)), ("\u{7f}", Error(TokenError::Character)),
            ("\u{1680}", Error(TokenError::Character)), ("\\", Error(TokenError::Character)),
        ];
        for (text, kind) in table {
            let found: Vec<_> = tokens(text).map(|token| (token.kind, token.text)).collect();
            assert_eq!(found, [(kind, text)], "{text:?}");
        }
    }

    #[test]
    fn borders() {
        use TokenKind::*;
        for (text, expected) in [
            ("1--x\n+1", vec![(Number, "1"), (Comment, "--x"), (Operator, "+"), (Number, "1")]),
            ("1-- x\r+1", vec![(Number, "1"), (Comment, "-- x\r+1")]),
            ("t.1.2", vec![(Word, "t"), (Dot, "."), (Number, "1"), (Dot, "."), (Number, "2")]),
            ("SELECT .5", vec![(Word, "SELECT"), (Dot, "."), (Number, "5")]),
            ("+.5", vec![(Operator, "+"), (Number, ".5")]),
            ("a$b$c$b$", vec![(Word, "a$b$c$b$")]),
            ("1$a", vec![(Number, "1"), (Word, "$a")]),
            ("a->-1", vec![(Word, "a"), (Operator, "->"), (Operator, "-"), (Number, "1")]),
            ("0b12", vec![(Number, "0b12")]),
            ("'a'x'41'", vec![(String, "'a'"), (String, "x'41'")]),
            ("x '4'", vec![(Word, "x"), (String, "'4'")]),
        ] {
            assert_eq!(kinds(text), expected, "{text:?}");
        }
    }

    #[test]
    fn tokens_are_the_text() {
        let text = "\u{feff}SELECT 'é' || “ü”, $$x$$ /* ö */ -- ß\n , {a:UInt8} é";
        assert_eq!(tokens(text).map(|token| token.text).fold(String::new(), |all, piece| all + piece), text);
    }
}
