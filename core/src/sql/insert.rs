//! Where the SQL of an `INSERT` ends and its data begins.
//!
//! The server stops to read tokens there, so nothing after it can be another statement, and a quote in the data need
//! not be closed. Taken too early, SQL would pass for data and go unchecked: whatever is not plainly the head of such
//! an `INSERT` is therefore read as SQL to its end.

use super::bracket::lexical_refusal;
use super::refusal::Refusal;
use super::rules::Rules;
use super::table_function::is_function_outside;
use super::token::{Bracket, Token, TokenKind, Tokens, tokens};

/// The rows of an `INSERT`, in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Data {
    /// The offset after `VALUES`, or after the name that follows `FORMAT`.
    pub(super) begins: usize,
    /// Whether they are in the format `Values`, in which the server computes expressions, subqueries included.
    pub(super) computed: bool,
}

/// Where the rows begin in an `INSERT` that is given them in the text. `None` for every other statement.
pub(super) fn data(sql: &str) -> Option<Data> {
    let mut head = Head { tokens: tokens(sql), next: None };
    head.keyword("INSERT")?;
    head.keyword("INTO")?;
    let _ = head.keyword("TABLE");
    let to_function = head.keyword("FUNCTION").is_some();
    head.name()?;
    while head.kind(TokenKind::Dot).is_some() {
        head.name()?;
    }
    if head.peek()?.kind == TokenKind::Open(Bracket::Round) {
        head.group()?;
    }
    // A function may be followed by PARTITION BY and any expression.
    if to_function && head.peek()?.is_word("PARTITION") {
        return None;
    }
    if head.keyword("SETTINGS").is_some() {
        head.settings()?;
    }
    if let Some(values) = head.keyword("VALUES") {
        return Some(Data { begins: values.end(), computed: true });
    }
    head.keyword("FORMAT")?;
    let format = head.take().filter(Token::is_name)?;
    // With a setting of the server's, settings may follow.
    let settings = head.peek().is_some_and(|token| token.is_word("SETTINGS"));
    let computed = format.name().eq_ignore_ascii_case("Values") || format.text.contains('\\');
    (!settings).then_some(Data { begins: format.end(), computed })
}

/// Checks rows in the format `Values`: constants, and functions of them that stay inside the database. The server would
/// run subqueries there as well (measured on 26.9), and a name of a column has no meaning.
///
/// # Errors
///
/// A [`Refusal`] that names what is no constant.
pub(super) fn check_values(rows: &str, rules: &Rules<'_>) -> Result<(), Refusal> {
    for token in tokens(rows) {
        if let TokenKind::Error(error) = token.kind {
            return Err(lexical_refusal(error, token));
        }
        if token.is_word_of(&["SELECT", "FROM", "WITH", "EXPLAIN", "Identifier"]) {
            return Err(Refusal::QueryInValues { word: token.text.to_ascii_uppercase() });
        }
        if token.is_name() && is_function_outside(token, rules) {
            return Err(Refusal::Outside { name: token.name().into() });
        }
    }
    Ok(())
}

/// The head of the statement, a token at a time: the data may be large and need not consist of tokens. One walk serves
/// it all, since a walk begun anew would forget what it has searched in vain.
struct Head<'a> {
    tokens: Tokens<'a>,
    next: Option<Token<'a>>,
}

impl<'a> Head<'a> {
    fn peek(&mut self) -> Option<Token<'a>> {
        if self.next.is_none() {
            self.next =
                self.tokens.find(|token| !matches!(token.kind, TokenKind::Blank | TokenKind::Comment));
        }
        self.next
    }

    fn take(&mut self) -> Option<Token<'a>> {
        let token = self.peek()?;
        self.next = None;
        Some(token)
    }

    fn keyword(&mut self, word: &str) -> Option<Token<'a>> {
        if self.peek()?.is_word(word) { self.take() } else { None }
    }

    fn kind(&mut self, kind: TokenKind) -> Option<Token<'a>> {
        if self.peek()?.kind == kind { self.take() } else { None }
    }

    /// A name, or a parameter that stands for one.
    fn name(&mut self) -> Option<()> {
        if self.peek()?.kind == TokenKind::Open(Bracket::Curly) {
            return self.group();
        }
        self.take()?.is_name().then_some(())
    }

    /// A bracket and all up to its partner.
    fn group(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            let kind = self.take()?.kind;
            if let TokenKind::Open(_) = kind {
                depth += 1;
            } else if let TokenKind::Close(_) = kind {
                depth = depth.checked_sub(1)?;
            } else if matches!(
                kind,
                TokenKind::Semicolon | TokenKind::VerticalDelimiter | TokenKind::Error(_)
            ) {
                return None;
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// `name = value, …`, where neither has to be looked at: the clause is checked with the rest of the head.
    fn settings(&mut self) -> Option<()> {
        loop {
            self.name()?;
            while self.kind(TokenKind::Dot).is_some() {
                self.name()?;
            }
            if self.peek()?.text.starts_with('=') {
                self.take()?;
                if matches!(self.peek()?.text, "-" | "+") {
                    self.take()?;
                }
                let kind = self.peek()?.kind;
                if let TokenKind::Open(_) = kind {
                    self.group()?;
                } else if matches!(kind, TokenKind::Number | TokenKind::String | TokenKind::Word) {
                    self.take()?;
                } else {
                    return None;
                }
            }
            if self.kind(TokenKind::Comma).is_none() {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Refusal, Rules};
    use super::{check_values, data};

    #[test]
    fn heads() {
        for (sql, rest) in [
            ("INSERT INTO t VALUES (1)", Some(" (1)")),
            ("insert into t values(1", Some("(1")),
            ("INSERT /* x */ INTO d.`t` (a, b) VALUES -- c\n(1)", Some(" -- c\n(1)")),
            ("INSERT INTO TABLE t FORMAT CSV\n';", Some("\n';")),
            ("INSERT INTO TABLE FUNCTION f(a, (b)) VALUES (1)", Some(" (1)")),
            ("INSERT INTO t SETTINGS a=1, values=-2 VALUES (1)", Some(" (1)")),
            ("INSERT INTO t SETTINGS a=[1, 2], b VALUES (1)", Some(" (1)")),
            ("INSERT INTO {d:Identifier}.{t:Identifier} VALUES (1)", Some(" (1)")),
            ("INSERT INTO values VALUES (1)", Some(" (1)")),
            ("INSERT INTO t VALUES", Some("")),
            ("INSERT INTO t (VALUES (1))", None),
            ("INSERT INTO t SELECT 1", None),
            ("INSERT INTO t SELECT 1 FORMAT CSV", None),
            ("INSERT INTO t SETTINGS a=values SELECT 1", None),
            ("INSERT INTO t SETTINGS a=format FORMAT SELECT 1", Some(" 1")),
            ("INSERT INTO t x VALUES (1)", None),
            ("INSERT INTO FUNCTION f() PARTITION BY format SELECT 1", None),
            ("INSERT INTO t FORMAT CSV SETTINGS a=1\n1", None),
            ("INSERT INTO t FORMAT 'CSV'", None),
            ("INSERT INTO t; VALUES (1)", None),
            ("WITH 1 AS a INSERT INTO t VALUES (1)", None),
            ("INSERT INTO t (a; VALUES (1)", None),
            ("SELECT 1 FORMAT CSV", None),
            ("INSERT", None),
            ("", None),
        ] {
            assert_eq!(data(sql).map(|data| &sql[data.begins..]), rest, "{sql}");
        }
        for (sql, computed) in [
            ("INSERT INTO t VALUES", true),
            ("INSERT INTO t FORMAT values (1)", true),
            ("INSERT INTO t FORMAT `V\\x61lues` (1)", true),
            ("INSERT INTO t FORMAT CSV 1", false),
        ] {
            assert_eq!(data(sql).map(|data| data.computed), Some(computed), "{sql}");
        }
    }

    /// Each refused text was run on ClickHouse 26.9, which read a file or another server for it.
    #[test]
    fn values_are_constants() {
        let check = |rows: &str| check_values(rows, &Rules::internal());
        for rows in
            ["(1, 'select; from file(1)'), (NULL, now() + 1) ; -- x", "", "({'a': [1]}, 'it''s \\' ;')"]
        {
            assert_eq!(check(rows), Ok(()), "{rows}");
        }
        for rows in [
            "((SELECT line FROM url('http://x/')))",
            "(concat('a', (FROM url('http://x/'))))",
            "(file('users.xml'))",
            "(`file`('users.xml'))",
            "(`f\\x69le`('users.xml'))",
            "(arrayMap(file, ['users.xml']))",
            "(arrayMap({f:Identifier}, ['users.xml']))",
            "('a'), ('",
        ] {
            assert!(check(rows).is_err(), "{rows}");
        }
        let word = "SELECT".into();
        assert_eq!(check("((SELECT 1))"), Err(Refusal::QueryInValues { word }));
    }
}
