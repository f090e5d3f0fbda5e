//! Statements of one form only: one view or table by its quoted name, and beside it nothing but values that are bound.
//!
//! Tools that are made of views and tables send no others, so who has not made the statement can tell that it is one.

use super::fuzzing::decode;
use super::token::{Bracket, Token, TokenKind, tokens};

/// The database and the name of what a statement of this form reads: ``SELECT * FROM `d`.`n`(`p` = {p:Type})``.
pub fn read_of_bound_values(sql: &str) -> Option<[String; 2]> {
    let mut reading = Reading::of(sql);
    reading.takes(&["SELECT", "*", "FROM"]).then_some(())?;
    let path = reading.takes_path()?;
    if reading.rest.is_empty() {
        return Some(path);
    }
    reading.takes(&["("]).then_some(())?;
    reading.takes_list(|reading| {
        reading.takes_name().is_some() && reading.takes(&["="]) && reading.takes_value()
    })?;
    (reading.takes(&[")"]) && reading.rest.is_empty()).then_some(path)
}

/// The database and the name of what a statement of this form inserts a row into:
/// ``INSERT INTO `d`.`n` (`c`) SELECT {v:Type}``.
pub fn insert_of_bound_values(sql: &str) -> Option<[String; 2]> {
    let mut reading = Reading::of(sql);
    reading.takes(&["INSERT", "INTO"]).then_some(())?;
    let path = reading.takes_path()?;
    reading.takes(&["("]).then_some(())?;
    let columns = reading.takes_list(|reading| reading.takes_name().is_some())?;
    reading.takes(&[")", "SELECT"]).then_some(())?;
    let values = reading.takes_list(Reading::takes_value)?;
    (columns == values && reading.rest.is_empty()).then_some(path)
}

/// Significant tokens that have not been taken yet.
struct Reading<'a> {
    rest: Vec<Token<'a>>,
}

impl<'a> Reading<'a> {
    fn of(sql: &'a str) -> Self {
        let is_significant = |token: &Token<'_>| !matches!(token.kind, TokenKind::Blank | TokenKind::Comment);
        let mut rest: Vec<_> = tokens(sql).filter(is_significant).collect();
        rest.reverse();
        Self { rest }
    }

    fn takes(&mut self, texts: &[&str]) -> bool {
        texts.iter().all(|text| self.rest.pop().is_some_and(|token| token.text == *text))
    }

    /// A name in backticks.
    fn takes_name(&mut self) -> Option<String> {
        let token = self.rest.pop().filter(|token| token.kind == TokenKind::QuotedIdentifier)?;
        decode(token.text)
    }

    fn takes_path(&mut self) -> Option<[String; 2]> {
        let database = self.takes_name()?;
        self.takes(&["."]).then_some(())?;
        Some([database, self.takes_name()?])
    }

    /// `{name:Type}`, in which no other brace stands.
    fn takes_value(&mut self) -> bool {
        let begins = self.takes(&["{"])
            && self.rest.pop().is_some_and(|token| token.kind == TokenKind::Word)
            && self.takes(&[":"]);
        let mut length = 0;
        while let Some(token) = self.rest.pop().filter(|_| begins) {
            let ends = token.kind == TokenKind::Close(Bracket::Curly);
            let breaks = [TokenKind::Open(Bracket::Curly), TokenKind::Semicolon].contains(&token.kind)
                || matches!(token.kind, TokenKind::Error(_));
            if ends || breaks {
                return ends && length > 0;
            }
            length += 1;
        }
        false
    }

    /// One or more, with commas between; how many.
    fn takes_list(&mut self, mut takes: impl FnMut(&mut Self) -> bool) -> Option<usize> {
        let mut count = 0;
        loop {
            if !takes(self) {
                return None;
            }
            count += 1;
            if self.rest.last().is_none_or(|token| token.kind != TokenKind::Comma) {
                return Some(count);
            }
            self.rest.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_form_is_recognised() {
        let path = || Some(["a".to_owned(), "b`c".to_owned()]);
        for (sql, found) in [
            (r"SELECT * FROM `a`.`b\`c`", path()),
            (r"SELECT * FROM `a`.`b\`c`(`x` = {x:Array(String)}, `y` = {y:Enum8('}' = -1)})", path()),
            (r"SELECT * FROM `a`.`b\`c`(`x` = 'text')", None),
            (r"SELECT * FROM `a`.`b\`c`(`x` = {x:String}) UNION ALL SELECT 1", None),
            (r"SELECT * FROM `a`.`b\`c` WHERE 1", None),
            (r"SELECT * FROM a.`b\`c`", None),
            (r"SELECT * FROM `a`.`b\`c`(`x` = {x:String}", None),
            (r"SELECT * FROM `a`.`b\`c`(`x` = {x:String; 1})", None),
            (r"SELECT * FROM `a`.`b\`c`(`x` = {x:})", None),
            ("", None),
        ] {
            assert_eq!(read_of_bound_values(sql), found, "{sql}");
        }
        for (sql, found) in [
            (r"INSERT INTO `a`.`b\`c` (`x`, `y`) SELECT {v1:Int8}, {v2:String}", path()),
            (r"INSERT INTO `a`.`b\`c` (`x`) SELECT 1", None),
            (r"INSERT INTO `a`.`b\`c` (`x`) SELECT {v1:Int8}, {v2:String}", None),
            (r"INSERT INTO `a`.`b\`c` (`x`) SELECT {v1:Int8} FROM t", None),
            (r"INSERT INTO FUNCTION `a`.`b\`c` (`x`) SELECT {v1:Int8}", None),
            (r"INSERT INTO `a`.`b\`c` SELECT {v1:Int8}", None),
        ] {
            assert_eq!(insert_of_bound_values(sql), found, "{sql}");
        }
    }
}
