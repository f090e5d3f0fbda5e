//! Quoting. ClickHouse reads backslash escapes in every sort of quotes, so a backslash is escaped in all of them.

/// Text as a string literal in single quotes.
pub fn quote_literal(text: &str) -> String {
    quote(text, '\'')
}

/// A name as an identifier in backticks.
pub fn quote_identifier(text: &str) -> String {
    quote(text, '`')
}

fn quote(text: &str, mark: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(mark);
    for character in text.chars() {
        let escape = match character {
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '\0' => '0',
            '\u{8}' => 'b',
            '\u{c}' => 'f',
            '\\' => '\\',
            other if other == mark => mark,
            other => {
                quoted.push(other);
                continue;
            }
        };
        quoted.push('\\');
        quoted.push(escape);
    }
    quoted.push(mark);
    quoted
}

#[cfg(test)]
mod tests {
    use super::super::fuzzing::decode;
    use super::super::token::{TokenKind, tokens};
    use super::{quote_identifier, quote_literal};

    #[test]
    fn known_texts() {
        for (text, literal, identifier) in [
            ("", "''", "``"),
            ("o'brien", r"'o\'brien'", "`o'brien`"),
            ("a`b", "'a`b'", r"`a\`b`"),
            (r"trail\", r"'trail\\'", r"`trail\\`"),
            (r"u\x61", r"'u\\x61'", r"`u\\x61`"),
            ("a\n\r\t\0\u{8}\u{c}", r"'a\n\r\t\0\b\f'", r"`a\n\r\t\0\b\f`"),
            ("’‘“” $$ é", "'’‘“” $$ é'", "`’‘“” $$ é`"),
        ] {
            assert_eq!(quote_literal(text), literal);
            assert_eq!(quote_identifier(text), identifier);
        }
    }

    #[test]
    fn what_is_quoted_reads_back() {
        const ALPHABET: [&str; 24] = [
            "\\",
            "'",
            "`",
            "\"",
            "\\'",
            "''",
            "x",
            "x61",
            "0",
            "n",
            "N",
            "\n",
            "\0",
            "\t",
            "’",
            "é",
            "$$",
            "/*",
            "--",
            ";",
            "{u:String}",
            "\u{8}",
            "\u{c}",
            "\r",
        ];
        let mut state = 7_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..state % 9 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(ALPHABET[(state >> 33) as usize % ALPHABET.len()]);
            }
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            for (quoted, kind) in [
                (quote_literal(&text), TokenKind::String),
                (quote_identifier(&text), TokenKind::QuotedIdentifier),
            ] {
                assert_eq!(decode(&quoted).as_deref(), Some(text.as_str()), "{quoted}");
                let found: Vec<_> = tokens(&quoted).map(|token| token.kind).collect();
                assert_eq!(found, [kind], "{quoted}");
            }
        }
    }

    /// The hostile names of the experiments against a server, with every quoting that let one through.
    #[test]
    fn hostile_names_stay_themselves() {
        for name in include_str!("../../tests/data/sql/hostile_names.txt").lines() {
            let name = decode(&format!("'{}'", name.replace('\'', "\\'"))).unwrap();
            assert_eq!(decode(&quote_literal(&name)), Some(name.clone()), "{name}");
            assert_eq!(tokens(&quote_literal(&name)).count(), 1, "{name}");
        }
    }
}
