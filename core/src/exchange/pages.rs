//! Lists in pages (MCP, server/utilities/pagination). A cursor says where a page begins and in which list: one of a list
//! that has changed since is no longer good, because something would be missed or come twice.
//!
//! Deliberately absent: a seal. Who makes up a cursor sees a part of a list that they may see whole.

use std::ops::Range;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::failure::Failure;
use crate::jose::base64url;
use crate::jsonrpc::Params;

/// Entries of a page. Most servers have less, so most lists are one page.
const PAGE: usize = 200;
/// Characters of a cursor that are looked at.
const LONGEST: usize = 512;

/// What a page of a list has.
pub(super) struct Page {
    range: Range<usize>,
    /// The cursor of the page after this.
    pub(super) next: Option<String>,
}

impl Page {
    /// The entries of the page.
    pub(super) fn of<'a, T>(&self, entries: &'a [T]) -> &'a [T] {
        entries.get(self.range.clone()).unwrap_or_default()
    }

    /// Adds the cursor of the page after this to a result.
    pub(super) fn mark(&self, result: &mut Value) {
        if let (Value::Object(members), Some(next)) = (result, &self.next) {
            members.insert("nextCursor".into(), Value::String(next.clone()));
        }
    }
}

/// The cursor of a request. An empty text is one like any other, and none of ours.
pub(super) fn cursor(params: &Params) -> Result<Option<&str>, Failure> {
    match params.get("cursor") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(cursor)) => Ok(Some(cursor)),
        Some(_) => Err(unknown()),
    }
}

/// The page that a cursor names, of the list that a method has, whose entries have these names.
pub(super) fn page<'a>(
    method: &str,
    names: impl Iterator<Item = &'a str>,
    cursor: Option<&str>,
) -> Result<Page, Failure> {
    let mut hash = Sha256::new();
    hash.update(method.as_bytes());
    let mut count = 0_usize;
    for name in names {
        hash.update([0]);
        hash.update(name.as_bytes());
        count += 1;
    }
    let digest = base64url::encode(hash.finalize().get(..12).unwrap_or_default());
    let write = |start: usize| base64url::encode(format!("{start} {digest}").as_bytes());
    let start = match cursor {
        None => 0,
        Some(cursor) => read(cursor, &digest).filter(|start| *start < count).ok_or_else(unknown)?,
    };
    let end = start.saturating_add(PAGE).min(count);
    Ok(Page { range: start..end, next: (end < count).then(|| write(end)) })
}

fn read(cursor: &str, digest: &str) -> Option<usize> {
    if cursor.len() > LONGEST {
        return None;
    }
    let text = base64url::decode(cursor).ok()?;
    let (start, found) = std::str::from_utf8(&text).ok()?.split_once(' ')?;
    (found == digest).then(|| start.parse().ok())?
}

fn unknown() -> Failure {
    Failure::Params("the cursor is not one of this list: begin without one".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_until_the_end() {
        let names: Vec<String> = (0..PAGE * 2 + 1).map(|number| format!("t{number}")).collect();
        let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = page("tools/list", names.iter().map(String::as_str), cursor.as_deref()).unwrap();
            seen.extend_from_slice(page.of(&names));
            pages += 1;
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!((seen, pages), (names, 3));
    }

    #[test]
    fn a_cursor_is_good_for_its_list_alone() {
        let names: Vec<String> = (0..=PAGE).map(|number| format!("t{number}")).collect();
        let names = || names.iter().map(String::as_str);
        let next = page("tools/list", names(), None).unwrap().next.unwrap();
        assert!(page("tools/list", names(), Some(&next)).is_ok());
        assert!(page("prompts/list", names(), Some(&next)).is_err(), "another method's");
        assert!(page("tools/list", names().skip(1), Some(&next)).is_err(), "the list has changed");
        for wrong in ["", "x", "MA", "=", &next.repeat(99)] {
            assert!(page("tools/list", names(), Some(wrong)).is_err(), "{wrong}");
        }
        let far = base64url::encode(b"999999 x");
        assert!(page("tools/list", names(), Some(&far)).is_err());
    }
}
