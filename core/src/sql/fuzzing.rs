//! What must hold for any input: the fuzz target calls [`check`], and a test replays its corpus.

use super::bracket::parts;
use super::token::TokenKind;
use super::{DenyList, ImpersonatedUser, Inner, ReadOnlySql, Rules, WritableSql, execute_as, quote_literal};

/// Panics when the checker contradicts itself about `input`.
#[allow(clippy::panic, reason = "a failed property is reported to the fuzzer by a panic")]
pub fn check(input: &str) {
    let allowed = ["max_threads".to_owned(), "final".to_owned()];
    let rules =
        Rules { allowed_settings: &allowed, max_length: 1 << 20, destructive: true, ..Rules::internal() };
    let deny = DenyList::new("gateway", &[], &[]);
    assert_eq!(decode(&quote_literal(input)).as_deref(), Some(input), "a quoted text reads back");
    if let Ok(writable) = WritableSql::parse(input, &rules) {
        assert_eq!(
            WritableSql::parse(writable.text(), &rules).as_ref(),
            Ok(&writable),
            "checking twice is no change"
        );
    }
    let Ok(sql) = ReadOnlySql::parse(input, &rules) else { return };
    match ReadOnlySql::parse(sql.text(), &rules) {
        Ok(again) => {
            assert_eq!(again.kind(), sql.kind(), "the kind is stable");
            assert_eq!(again.dropped_format(), None, "one format is dropped");
            assert_eq!(again.text(), sql.text(), "the text is stable");
            assert_eq!(again.settings(), sql.settings(), "the settings are stable");
        }
        Err(refusal) => panic!("an accepted statement is refused when read again: {refusal}"),
    }
    for name in [input, r"o'bri\en"] {
        let Ok(user) = ImpersonatedUser::parse(name, &deny) else { continue };
        for inner in [
            Inner::default(),
            Inner { readonly: true, limit: None },
            Inner { readonly: true, limit: Some(9) },
        ] {
            let wrapped = execute_as(&sql, &user, inner);
            let Ok(found) = parts(&wrapped, usize::MAX) else { panic!("not one statement: {wrapped}") };
            let head: Vec<_> = found.iter().take(3).map(|part| part.token).collect();
            assert!(matches!(head.as_slice(), [execute, as_, user_name]
                if execute.text == "EXECUTE" && as_.text == "AS" && user_name.kind == TokenKind::String
                    && decode(user_name.text).as_deref() == Some(name)));
            assert!(
                found
                    .get(3)
                    .is_some_and(|part| matches!(part.token.kind, TokenKind::Word | TokenKind::Open(_)))
            );
        }
    }
}

/// What ClickHouse makes of a quoted text, as its `ReadHelpers` do; `None` when it is not UTF-8.
pub fn decode(quoted: &str) -> Option<String> {
    let mark = quoted.chars().next()?;
    let inner = quoted.strip_prefix(mark)?.strip_suffix(mark)?.as_bytes();
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if char::from(*first) == mark {
            // A doubled mark stands for one.
            rest = rest.split_first()?.1;
            bytes.push(*first);
        } else if *first == b'\\' {
            let (escape, after) = rest.split_first()?;
            rest = after;
            match escape {
                b'x' => {
                    let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                    bytes.push(u8::from_str_radix(digits, 16).ok()?);
                    rest = rest.get(2..)?;
                }
                b'N' => {}
                b'a' => bytes.push(7),
                b'b' => bytes.push(8),
                b'e' => bytes.push(27),
                b'f' => bytes.push(12),
                b'n' => bytes.push(b'\n'),
                b'r' => bytes.push(b'\r'),
                b't' => bytes.push(b'\t'),
                b'v' => bytes.push(11),
                b'0' => bytes.push(0),
                b'\\' | b'\'' | b'"' | b'`' | b'/' | b'=' => bytes.push(*escape),
                other => bytes.extend([b'\\', *other]),
            }
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{check, decode};

    #[test]
    fn the_corpus_holds() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/sql");
        let Ok(seeds) = std::fs::read_dir(folder) else { return };
        for seed in seeds {
            check(&String::from_utf8_lossy(&std::fs::read(seed.unwrap().path()).unwrap()));
        }
    }

    /// Statements cut into words and put together anew, always in the same way.
    #[test]
    fn shuffled_words_hold() {
        const WORDS: [&str; 48] = [
            "SELECT",
            "1",
            "FORMAT",
            "JSON",
            "SETTINGS",
            "max_threads",
            "=",
            "2",
            ",",
            "final",
            "(",
            ")",
            "UNION",
            "ALL",
            "WITH",
            "AS",
            "x",
            "FROM",
            "'a;b'",
            "-- c\n",
            "/*",
            "*/",
            "$$",
            ";",
            "INTO",
            "OUTFILE",
            "EXPLAIN",
            "SHOW",
            "TABLES",
            "*",
            ".",
            "`q`",
            "“t”",
            "{",
            "}",
            "@",
            "EXCEPT",
            "|>",
            "DESC",
            "EXISTS",
            "format",
            "settings",
            "[",
            "]",
            "'",
            "\\",
            "where",
            "\u{a0}",
        ];
        let mut state = 1_u64;
        let mut next = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit
        };
        for _ in 0..60_000 {
            let mut text = String::from(["SELECT 1 ", "(SELECT 1 ", "SHOW TABLES ", "WITH ", ""][next(5)]);
            for _ in 0..next(10) {
                text.push_str(WORDS[next(WORDS.len())]);
                text.push_str([" ", "", "\n"][next(3)]);
            }
            check(&text);
        }
    }

    #[test]
    fn decoding() {
        for (quoted, text) in [(r"'u\\x61'", r"u\x61"), ("'a''b'", "a'b"), (r"'\N\q'", r"\q")] {
            assert_eq!(decode(quoted).as_deref(), Some(text), "{quoted}");
        }
        assert_eq!(decode(r"'u\x61'").as_deref(), Some("ua"));
        assert_eq!(decode("'a"), None);
    }
}
