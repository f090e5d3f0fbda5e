//! Where a page ended. Nothing is kept for it: a cursor names the last table, and the next page begins after it.
//!
//! It is not sealed. Who forges one begins elsewhere in a list of what they may see anyway.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::jose::base64url;

/// Bytes that a cursor may have: two names, as ClickHouse limits them, many times over.
const LONGEST: usize = 8192;

/// The last table of a page, and what the pages are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    #[serde(rename = "a")]
    after: (String, String),
    #[serde(rename = "f")]
    filters: Vec<String>,
}

/// The filters of a list, each by its name and value.
pub(super) type Filters<'a> = [(&'static str, Option<&'a str>)];

impl Cursor {
    /// After this table of the list with these filters.
    pub(super) fn after(database: &str, table: &str, filters: &Filters<'_>) -> Self {
        let filters = filters.iter().map(|(_, value)| digest(*value)).collect();
        Self { after: (database.to_owned(), table.to_owned()), filters }
    }

    /// The text that a client carries.
    pub(super) fn encode(&self) -> String {
        base64url::encode(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }

    /// The table after which a page of the list with these filters begins.
    ///
    /// # Errors
    ///
    /// Says which filter is not the one that the cursor was made with.
    pub(super) fn open(text: &str, filters: &Filters<'_>) -> Result<(String, String), String> {
        let unknown = || {
            "`cursor` is not one of this tool's: leave it out to begin, then pass on `next_cursor`".to_owned()
        };
        if text.len() > LONGEST {
            return Err(unknown());
        }
        let bytes = base64url::decode(text).map_err(|_| unknown())?;
        let cursor: Self = serde_json::from_slice(&bytes).map_err(|_| unknown())?;
        if cursor.filters.len() != filters.len() {
            return Err(unknown());
        }
        match filters.iter().zip(&cursor.filters).find(|((_, value), made)| digest(*value) != **made) {
            None => Ok(cursor.after),
            Some(((name, _), _)) => Err(format!(
                "`cursor` belongs to a list with another `{name}`: repeat the arguments of the first page, or leave \
                 the cursor out"
            )),
        }
    }
}

/// Tells values apart; an absent one from an empty one, too.
fn digest(value: Option<&str>) -> String {
    let Some(value) = value else { return String::new() };
    let hash = Sha256::digest(value.as_bytes());
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_with_its_filters_only() {
        let filters = [("database", Some("sales")), ("like", None)];
        let text = Cursor::after("sales", "o'rders\n表", &filters).encode();
        assert_eq!(Cursor::open(&text, &filters), Ok(("sales".into(), "o'rders\n表".into())));
        for (filters, name) in [
            ([("database", Some("hr")), ("like", None)], "`database`"),
            ([("database", None), ("like", None)], "`database`"),
            ([("database", Some("sales")), ("like", Some(""))], "`like`"),
        ] {
            let refusal = Cursor::open(&text, &filters).unwrap_err();
            assert!(refusal.contains(name) && refusal.starts_with("`cursor`"), "{refusal}");
        }
        let other = base64url::encode(br#"{"a":["x","y"],"f":[]}"#);
        let long = "A".repeat(10_000);
        for text in ["", "x", "=", "e30", &other, &long] {
            let refusal = Cursor::open(text, &filters).unwrap_err();
            assert!(refusal.contains("not one of this tool's"), "{text}: {refusal}");
        }
    }
}
