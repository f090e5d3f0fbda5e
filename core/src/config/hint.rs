//! What somebody may have meant.

use super::key::{Key, keys};
use crate::sql::Clause;

/// The variables of ClickHouse's own MCP server in Python, and what they are here.
static PYTHON_SERVER: &[(&str, &str)] = &[
    ("CLICKHOUSE_USER", "the user is `CLICKHOUSE_USERNAME`"),
    ("CLICKHOUSE_SECURE", "TLS is `CLICKHOUSE_TLS`, and off unless it is set"),
    ("CLICKHOUSE_VERIFY", "certificates are verified unless `CLICKHOUSE_TLS_INSECURE_SKIP_VERIFY` is set"),
    ("CLICKHOUSE_SERVER_HOST_NAME", "the certificate's name is always `CLICKHOUSE_HOST`"),
    ("CLICKHOUSE_SNI", "the certificate's name is always `CLICKHOUSE_HOST`"),
    ("CLICKHOUSE_ROLE", "give the user default roles in ClickHouse"),
    ("CLICKHOUSE_PROXY_PATH", "ClickHouse is asked at the root path"),
    ("CLICKHOUSE_CONNECT_TIMEOUT", "the time of a whole query is `CLICKHOUSE_MAX_EXECUTION_TIME`"),
    ("CLICKHOUSE_SEND_RECEIVE_TIMEOUT", "the time of a whole query is `CLICKHOUSE_MAX_EXECUTION_TIME`"),
    ("CLICKHOUSE_ENABLED", "the ClickHouse tools are always there"),
    ("CLICKHOUSE_ALLOW_WRITE_ACCESS", "this release has no tool that writes"),
    ("CLICKHOUSE_WRITE_ACCESS", "this release has no tool that writes"),
    ("CLICKHOUSE_ALLOW_DROP", "the switch for what takes something away is `CLICKHOUSE_ALLOW_DESTRUCTIVE`"),
    ("CHDB_ENABLED", "there is no chDB here"),
    ("CLICKHOUSE_MCP_SERVER_TRANSPORT", "the transport is `MCP_TRANSPORT`"),
    ("CLICKHOUSE_MCP_BIND_HOST", "the address is `MCP_ADDRESS`"),
    ("CLICKHOUSE_MCP_BIND_PORT", "the port is `MCP_PORT`"),
    ("CLICKHOUSE_MCP_QUERY_TIMEOUT", "the time of a query is `CLICKHOUSE_MAX_EXECUTION_TIME`"),
    ("CLICKHOUSE_MCP_AUTH_TOKEN", "callers bring JWE tokens when `MCP_ALLOW_JWE_AUTH` is set"),
    ("CLICKHOUSE_MCP_AUTH_DISABLED", "authentication is off unless `MCP_ALLOW_JWE_AUTH` is set"),
    ("CLICKHOUSE_MCP_MIDDLEWARE", "there is no middleware here"),
    ("FASTMCP_SERVER_AUTH", "callers bring JWE tokens when `MCP_ALLOW_JWE_AUTH` is set"),
    ("MCP_MIDDLEWARE_MODULE", "there is no middleware here"),
    ("MCP_CLICKHOUSE_TRUSTSTORE_DISABLE", "trusted authorities are `CLICKHOUSE_TLS_CA_CERT`"),
];

/// A warning about a variable that is not ours but looks as if it should be.
pub(super) fn stray_variable(name: &str) -> Option<String> {
    if let Some((_, instead)) = PYTHON_SERVER.iter().find(|(theirs, _)| *theirs == name) {
        return Some(format!(
            "`{name}` is a variable of another ClickHouse MCP server and is ignored: {instead}."
        ));
    }
    if !(name.starts_with("MCP_") || name.starts_with("CLICKHOUSE_")) {
        return None;
    }
    let known = variables().flat_map(|variable| [variable.to_owned(), format!("{variable}_FILE")]);
    let (distance, meant) = closest(name, known)?;
    (distance <= 2)
        .then(|| format!("`{name}` is not a variable of Housekey and is ignored; did you mean `{meant}`?"))
}

/// The key of a document that somebody may have meant by a path.
pub(super) fn nearest_path(path: &str) -> Option<String> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let by_name = paths().filter(|known| last(known) == last(path));
    // A right name in a wrong place is a better guess than a name that is only similar.
    closest(path, by_name.map(str::to_owned)).map(|(_, meant)| meant).or_else(|| abbreviated(path)).or_else(
        || {
            let sections =
                paths().filter_map(|known| known.rsplit_once('.')).map(|(section, _)| section.to_owned());
            near(path, paths().map(str::to_owned).chain(sections))
        },
    )
}

/// The flag that somebody may have meant, with its dashes.
pub(super) fn nearest_flag(flag: &str) -> Option<String> {
    near(flag, super::flags().map(|spec| spec.name.to_owned())).map(|name| format!("--{name}"))
}

/// The clauses whose names are nearest to this one, the nearest first.
pub(super) fn near_clauses(name: &str) -> Vec<&'static str> {
    const MANY: usize = 3;
    let squeeze = |name: &str| -> String {
        name.chars()
            .take(80)
            .filter(char::is_ascii_alphabetic)
            .map(|letter| letter.to_ascii_uppercase())
            .collect()
    };
    let name = squeeze(name);
    let mut names: Vec<_> = Clause::names().collect();
    names.sort_by_key(|other| {
        let other = squeeze(other);
        (strsim::damerau_levenshtein(&name, &other), !other.starts_with(&name))
    });
    names.truncate(MANY);
    names
}

/// The shortest key of the same section whose words begin with those that were written: `max_rows` for
/// `max_result_rows`, `user` for `username`.
fn abbreviated(path: &str) -> Option<String> {
    let (section, name) = path.rsplit_once('.')?;
    let fits = |known: &&str| {
        known.rsplit_once('.').is_some_and(|(other, full)| {
            other == section
                && name.split('_').all(|word| full.split('_').any(|whole| whole.starts_with(word)))
        })
    };
    paths().filter(fits).min_by_key(|known| known.len()).map(str::to_owned)
}

/// Every path that a document may hold, aliases included.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    keys()
        .filter(|key| key.in_document)
        .flat_map(|key| [Some(key.path), key.alias.map(|alias| alias.path)])
        .flatten()
}

fn variables() -> impl Iterator<Item = &'static str> {
    let of_key = |key: &'static Key| [key.variable, key.alias.map(|alias| alias.variable)];
    keys().flat_map(of_key).flatten().chain([super::layers::DOCUMENT_VARIABLE])
}

fn near(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let (distance, meant) = closest(name, known)?;
    (distance <= (name.chars().count() / 3).max(3)).then_some(meant)
}

/// The name with the fewest edits; among equals the one that begins alike.
fn closest(name: &str, known: impl Iterator<Item = String>) -> Option<(usize, String)> {
    // The distance takes time in the product of the lengths, and a stranger's name may be long.
    let name: String = name.chars().take(80).collect();
    known
        .map(|other| (strsim::damerau_levenshtein(&name, &other), strsim::jaro_winkler(&name, &other), other))
        .min_by(|left, right| left.0.cmp(&right.0).then(right.1.total_cmp(&left.1)))
        .map(|(distance, _, other)| (distance, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_right_one() {
        for (path, meant) in [
            ("clickhouse.user", "clickhouse.username"),
            ("clickhouse.hots", "clickhouse.host"),
            ("server.jwe_secret_key", "server.jwe.jwe_secret_key"),
            ("clickhouse.max_rows", "clickhouse.max_result_rows"),
            ("max_result_rows", "clickhouse.max_result_rows"),
            ("clickhosue", "clickhouse"),
            ("sever", "server"),
        ] {
            assert_eq!(nearest_path(path).as_deref(), Some(meant), "{path}");
        }
        assert_eq!(nearest_path("something_entirely_different"), None);
        assert_eq!(nearest_flag("clickhouse-hst").as_deref(), Some("--clickhouse-host"));
        assert_eq!(nearest_flag("readonly").as_deref(), Some("--read-only"));
    }

    #[test]
    fn stray_variables_are_named() {
        for (name, part) in [
            ("CLICKHOUSE_USER", "`CLICKHOUSE_USERNAME`"),
            ("CLICKHOUSE_SECURE", "`CLICKHOUSE_TLS`"),
            ("CLICKHOUSE_MCP_BIND_PORT", "`MCP_PORT`"),
            ("CLICKHOUSE_PASWORD", "`CLICKHOUSE_PASSWORD`"),
            ("MCP_TOKN_FILE", "`MCP_TOKEN_FILE`"),
        ] {
            assert!(stray_variable(name).is_some_and(|text| text.contains(part)), "{name}");
        }
        for name in ["HOME", "PORT", "CLICKHOUSE_PORT_9000_TCP", "MCP_INSPECTOR_THEME"] {
            assert_eq!(stray_variable(name), None);
        }
    }
}
