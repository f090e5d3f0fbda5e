//! What must hold whatever a view, a table, their comments and the arguments of a call hold: the fuzz target calls
//! [`check`], and a test replays its corpus.

use serde_json::Value;

use super::build::build;
use super::found::{FoundColumn, FoundObject, view};
use super::made::MadeTool;
use crate::config::{Pattern, RuleSource, ToolRule};
use crate::sql::{insert_of_bound_values, read_of_bound_values};
use crate::tool::Tool;

/// Takes lines: a database, a name, a comment, a type, arguments as JSON, and the rest as the text that made a view.
#[allow(clippy::panic, reason = "a failed property is reported to the fuzzer by a panic")]
pub fn check(input: &str) {
    let mut lines = input.splitn(6, '\n');
    let mut next = || lines.next().unwrap_or_default().to_owned();
    let (database, name, comment, type_name, arguments, text) =
        (next(), next(), next(), next(), next(), next());
    let arguments = match serde_json::from_str(&arguments) {
        Ok(Value::Object(arguments)) => arguments,
        Ok(_) | Err(_) => serde_json::Map::new(),
    };
    let row = serde_json::json!([database, name, comment, text, 0]).to_string();
    let Some(found) = view(&row) else { panic!("five texts are a view") };
    if let Ok(tool) = MadeTool::of("t".into(), RuleSource::View, &found)
        && let Some(sql) = tool.statement(&arguments)
    {
        assert_eq!(read_of_bound_values(&sql), Some([database.clone(), name.clone()]), "{sql}");
    }
    let column = FoundColumn { name: name.clone(), type_name, has_default: false, comment: comment.clone() };
    let table = FoundObject {
        database: database.clone(),
        name: name.clone(),
        comment,
        columns: vec![column],
        trouble: None,
    };
    if let Ok(tool) = MadeTool::of("t".into(), RuleSource::Table, &table)
        && let Some(sql) = tool.statement(&arguments)
    {
        assert_eq!(insert_of_bound_values(&sql), Some([database.clone(), name.clone()]), "{sql}");
    }
    let Ok(pattern) = Pattern::parse("") else { panic!("an empty expression") };
    let rule = ToolRule { source: RuleSource::View, name: None, prefix: String::new(), pattern };
    let (tools, warnings) = build(&[rule], &[found], &[]);
    assert!(!tools.is_empty() || !warnings.is_empty(), "a view has a tool, or there is a reason");
    for tool in tools {
        let name = &tool.definition().name;
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!((1..=64).contains(&name.len()) && name.bytes().all(fits), "{name}");
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    /// Pieces put together anew, always in the same way.
    #[test]
    fn shuffled_pieces_hold() {
        const PIECES: [&str; 40] = [
            "{",
            "}",
            "a",
            ":",
            "String",
            "Array(",
            ")",
            "(",
            ",",
            "'",
            "`",
            "\"",
            "\\",
            "--",
            "/*",
            "*/",
            ";",
            "=",
            "Enum8('x' = 1)",
            "{a:String}",
            "{a:",
            "{b:Nullable(Int8)}",
            "$$",
            "é",
            "‘",
            "’",
            "Tuple(`a` Int8)",
            "DateTime64(3)",
            ".",
            "@",
            "\0",
            "\r",
            "FROM url('x')",
            "SETTINGS readonly = 0",
            "\"a\":",
            "1",
            "null",
            "[",
            "]",
            " ",
        ];
        let mut state = 3_u64;
        let mut next = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit
        };
        for _ in 0..20_000 {
            let mut lines = Vec::new();
            for line in 0..6 {
                let mut text = String::from(match line {
                    3 => ["String", "Enum8('a' = 1)", "Array(Nullable(Int64))", ""][next(4)],
                    4 => [r#"{"a": "x", "b": 1}"#, r#"{"a": ["'", "\\"], "b": null}"#, "{}"][next(3)],
                    5 => ["CREATE VIEW x AS SELECT ", ""][next(2)],
                    _ => ["a", ""][next(2)],
                });
                for _ in 0..next(if line == 4 { 1 } else { 6 }) {
                    text.push_str(PIECES[next(PIECES.len())]);
                }
                lines.push(text);
            }
            check(&lines.join("\n"));
        }
    }
}
