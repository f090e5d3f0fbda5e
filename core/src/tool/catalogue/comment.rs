//! The comment of a view or a table, in the one grammar that tools for reading and for writing share: plain text, or a
//! JSON object with `title`, `description`, `annotations.openWorldHint` and `params`.

use serde_json::{Map, Value};

/// Characters that a title may have.
const LONGEST_TITLE: usize = 120;
/// Characters that a description may have.
const LONGEST_DESCRIPTION: usize = 4000;

/// What a comment says of its tool.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Comment {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) open_world: Option<bool>,
    params: Map<String, Value>,
    /// What of it could not be used.
    pub(super) trouble: Option<&'static str>,
}

impl Comment {
    /// Reads a comment. Whatever does not fit is told in [`Comment::trouble`], and the rest counts.
    pub(super) fn read(text: &str) -> Self {
        let text = text.trim();
        if !text.starts_with('{') {
            return Self::plain(text);
        }
        let mut members = match serde_json::from_str(text) {
            Ok(Value::Object(members)) => members,
            Ok(_) | Err(_) => {
                let trouble =
                    Some("is no JSON object although it begins with `{`: it is taken as plain text");
                return Self { trouble, ..Self::plain(text) };
            }
        };
        let mut comment = Self::default();
        for (name, longest, place) in [
            ("title", LONGEST_TITLE, &mut comment.title),
            ("description", LONGEST_DESCRIPTION, &mut comment.description),
        ] {
            match members.get(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => *place = shown(text, longest),
                Some(_) => comment.trouble = Some("has a `title` or a `description` that is no text"),
            }
        }
        match members.get("annotations").and_then(|annotations| annotations.get("openWorldHint")) {
            None | Some(Value::Null) => {}
            Some(Value::Bool(hint)) => comment.open_world = Some(*hint),
            Some(_) => comment.trouble = Some("has an `openWorldHint` that is neither true nor false"),
        }
        match members.remove("params") {
            None | Some(Value::Null) => {}
            Some(Value::Object(params)) => comment.params = params,
            Some(_) => comment.trouble = Some("has `params` that are no object"),
        }
        comment
    }

    /// What it says of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        shown(self.params.get(name)?.as_str()?, LONGEST_DESCRIPTION)
    }

    fn plain(text: &str) -> Self {
        Self { description: shown(text, LONGEST_DESCRIPTION), ..Self::default() }
    }
}

/// Text as a client may show it: without control characters but line breaks, not without end, and not empty.
pub(super) fn shown(text: &str, longest: usize) -> Option<String> {
    let is_kept = |character: &char| !character.is_control() || *character == '\n';
    let text: String = text.trim().chars().filter(is_kept).take(longest).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn both_forms_are_read() {
        assert_eq!(Comment::read(""), Comment::default());
        let plain = Comment::read("  Revenue\u{7} of a day\n");
        assert_eq!((plain.description, plain.title, plain.trouble), (some("Revenue of a day"), None, None));
        let json = Comment::read(
            r#" {"title": "Revenue", "description": "Of a day", "annotations": {"openWorldHint": true, "readOnlyHint": false}, "params": {"day": "The day", "n": 7}, "more": 1}"#,
        );
        assert_eq!((json.title.clone(), json.description.clone()), (some("Revenue"), some("Of a day")));
        assert_eq!((json.open_world, json.trouble), (Some(true), None));
        assert_eq!(json.parameter("day"), some("The day"));
        assert_eq!((json.parameter("n"), json.parameter("other")), (None, None));
    }

    #[test]
    fn what_is_broken_is_told_and_the_rest_counts() {
        let broken = Comment::read("{not json");
        assert_eq!(broken.description, some("{not json"));
        assert!(broken.trouble.is_some());
        for text in [
            r#"{"title": 1, "description": "d"}"#,
            r#"{"description": "d", "params": []}"#,
            r#"{"description": "d", "annotations": {"openWorldHint": "yes"}}"#,
        ] {
            let comment = Comment::read(text);
            assert!(comment.trouble.is_some(), "{text}");
            assert_eq!(comment.description, some("d"), "{text}");
        }
        let deep = format!("{}{}", "{\"a\":".repeat(500), "}".repeat(500));
        assert!(Comment::read(&deep).trouble.is_some());
        assert_eq!(
            Comment::read(&"é".repeat(9000)).description.unwrap().chars().count(),
            LONGEST_DESCRIPTION
        );
    }
}
