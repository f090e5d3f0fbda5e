//! The URIs of Housekey's own resources, `clickhouse://schema` and `clickhouse://table/{database}/{table}`.
//!
//! Scheme and host are compared without case, as RFC 3986 section 6.2.2.1 has it. Each segment of the path is decoded
//! by itself, so a table may be called `a/b`: its URI has `a%2Fb`.

use crate::transport::percent;

const SCHEME: &str = "clickhouse://";

/// What one of our URIs names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// All tables.
    Schema,
    /// One table.
    Table {
        /// Its database.
        database: String,
        /// Its name.
        table: String,
    },
}

impl Named {
    /// The URI's meaning; `None` where it is none of ours or malformed.
    pub(super) fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_at_checked(SCHEME.len())?;
        // A query or a fragment would be something that we pass over.
        if !scheme.eq_ignore_ascii_case(SCHEME) || rest.contains(['?', '#']) {
            return None;
        }
        let mut parts = rest.split('/');
        let host = parts.next()?;
        match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) if host.eq_ignore_ascii_case("schema") => Some(Self::Schema),
            (Some(database), Some(table), None) if host.eq_ignore_ascii_case("table") => {
                let segment = |text: &str| percent::decode(text).filter(|name| !name.is_empty());
                Some(Self::Table { database: segment(database)?, table: segment(table)? })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Named;

    fn table(database: &str, table: &str) -> Option<Named> {
        Some(Named::Table { database: database.into(), table: table.into() })
    }

    #[test]
    fn uris_name_what_they_say() {
        for (uri, wanted) in [
            ("clickhouse://schema", Some(Named::Schema)),
            ("ClickHouse://SCHEMA", Some(Named::Schema)),
            ("clickhouse://table/sales/orders", table("sales", "orders")),
            ("clickhouse://Table/Sales/Orders", table("Sales", "Orders")),
            ("clickhouse://table/a%2Fb/c%20d", table("a/b", "c d")),
            ("clickhouse://table/a%252Fb/%F0%9F%8F%A0", table("a%2Fb", "🏠")),
            ("clickhouse://table/größe/t", table("größe", "t")),
            ("clickhouse://table/../x", table("..", "x")),
        ] {
            assert_eq!(Named::parse(uri), wanted, "{uri}");
        }
    }

    #[test]
    fn what_is_no_uri_of_ours_names_nothing() {
        for uri in [
            "",
            "clickhouse://",
            "clickhouse:/schema",
            "http://schema",
            "clickhouse://schema/",
            "clickhouse://schema?x",
            "clickhouse://schema#x",
            "clickhouse://schemas",
            "clickhouse://table",
            "clickhouse://table/a",
            "clickhouse://table/a/",
            "clickhouse://table//b",
            "clickhouse://table/a/b/c",
            "clickhouse://table/a/b/",
            "clickhouse://table/a/b?c",
            "clickhouse://table/a/%zz",
            "clickhouse://table/a/%2",
            "clickhouse://table/a/%FF",
            "clickhouse://table/%/b",
            "clickhouse://user@table/a/b",
            "clickhouse://table:1/a/b",
            "clickhouse:ö//",
        ] {
            assert_eq!(Named::parse(uri), None, "{uri}");
        }
    }
}
