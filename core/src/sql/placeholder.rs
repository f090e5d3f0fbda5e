//! Which query parameters a statement asks for.

use std::collections::BTreeSet;

use super::token::{Bracket, TokenKind, tokens};

/// More names than this are not looked for: no call can have so many values.
const MOST: usize = 1024;

/// The names in `{name:Type}`, in their order, each once, and of very many the first. What stands in quotes or comments is none, and neither is
/// a map such as `{'a': 1}`.
pub fn placeholders(sql: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut known = BTreeSet::new();
    let significant =
        tokens(sql).filter(|token| !matches!(token.kind, TokenKind::Blank | TokenKind::Comment));
    let mut before: [Option<(TokenKind, &str)>; 2] = [None; 2];
    for token in significant {
        if let [Some(open), Some(name)] = before
            && matches!(open, (TokenKind::Open(Bracket::Curly), _))
            && matches!(name, (TokenKind::Word, _))
            && token.text == ":"
            && known.insert(name.1)
        {
            names.push(name.1.to_owned());
            if names.len() >= MOST {
                break;
            }
        }
        before = [before[1], Some((token.kind, token.text))];
    }
    names
}

#[cfg(test)]
mod tests {
    use super::placeholders;

    #[test]
    fn what_is_a_placeholder() {
        for (sql, names) in [
            ("SELECT {a:Int8}, { b /* x */ : Array(String) }, {a : Int8}", vec!["a", "b"]),
            ("SELECT '{a:Int8}', `{b:Int8}`, $$ {c:Int8} $$ -- {d:Int8}\n", vec![]),
            ("SELECT {'a': 1}, {a, b}, {1:Int8}, x::Int8", vec![]),
            ("SELECT * FROM {t:Identifier} WHERE a = {x_1:Map(String, Int8)}", vec!["t", "x_1"]),
            ("SELECT 'never closed {a:Int8}", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(placeholders(sql), names, "{sql}");
        }
    }
}
