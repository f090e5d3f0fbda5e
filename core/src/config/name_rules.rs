//! Names that a key may not hold: settings and headers that Housekey decides, origins and hosts that are none.

use http::uri::{Authority, Uri};

use crate::sql;

/// Settings that no caller may set, as in the peer: they hold the query to its bounds.
static BOUNDS: &[&str] = &[
    "readonly",
    "allow_ddl",
    "allow_introspection_functions",
    "max_execution_time",
    "max_memory_usage",
    "max_result_rows",
    "max_result_bytes",
    "max_rows_to_read",
    "max_bytes_to_read",
    "password",
    "user",
    "database",
];

/// Settings and parameters of the HTTP interface that Housekey sends itself, or whose answer it could not read.
static OWN_SETTINGS: &[&str] = &[
    "readonly",
    "user",
    "password",
    "quota_key",
    "role",
    "database",
    "query",
    "query_id",
    "session_id",
    "session_check",
    "session_timeout",
    "default_format",
    "compress",
    "decompress",
    "max_execution_time",
    "max_result_rows",
    "max_result_bytes",
    "result_overflow_mode",
    "replace_running_query",
    "limit",
    "offset",
    "log_comment",
    "cancel_http_readonly_queries_on_client_close",
    "enable_http_compression",
    "send_progress_in_http_headers",
    "wait_end_of_query",
    "http_wait_end_of_query",
    "http_write_exception_in_output_format",
];

/// Headers that log in, frame the message or choose its format.
static OWN_HEADERS: &[&str] = &[
    "host",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "accept-encoding",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "keep-alive",
    "x-clickhouse-user",
    "x-clickhouse-key",
    "x-clickhouse-ssl-certificate-auth",
    "x-clickhouse-database",
    "x-clickhouse-format",
];

/// Why a caller may not be allowed to set a setting.
pub(super) fn refuse_input_setting(name: &str) -> Option<&'static str> {
    if !is_setting_name(name) {
        Some("is not the name of a setting")
    } else if BOUNDS.contains(&name.to_ascii_lowercase().as_str()) {
        Some("may not be left to callers")
    } else if sql::is_fixed_setting(name) || refuse_extra_setting(name).is_some() {
        Some("is decided by Housekey itself")
    } else {
        None
    }
}

/// The name of a table function, an engine or the like, as it is; `None` if it is none. `*` is none: who lists what
/// reaches outside should know each name.
pub(super) fn outside_name(text: &str) -> Option<String> {
    let is_name = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| text.to_owned())
}

/// Why the operator may not send a setting with every query.
pub(super) fn refuse_extra_setting(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if !is_setting_name(name) {
        Some("is not the name of a setting")
    } else if OWN_SETTINGS.contains(&lower.as_str()) || lower.starts_with("output_format_json") {
        Some("is decided by Housekey itself")
    } else {
        None
    }
}

/// Why a header may not be sent to ClickHouse.
pub(super) fn refuse_header(name: &str, value: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        Some("is not the name of a header")
    } else if OWN_HEADERS.contains(&lower.as_str()) || lower.starts_with("proxy-") {
        Some("is decided by Housekey itself")
    } else if http::HeaderValue::from_str(value).is_err() {
        Some("has a value that no header can have")
    } else {
        None
    }
}

/// An origin as browsers write it (RFC 6454 section 6.2); `None` if it is none.
pub(super) fn origin(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let bare = uri.path() == "/" && uri.query().is_none() && !text.contains('#');
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let authority = host_header(uri.authority()?.as_str())?;
    let own_port = match scheme.as_str() {
        "http" => Some(":80"),
        "https" => Some(":443"),
        _ => None,
    };
    let authority = own_port.and_then(|port| authority.strip_suffix(port)).unwrap_or(&authority);
    bare.then(|| format!("{scheme}://{authority}"))
}

/// A value of `Host` in lower case; `None` if it is none.
pub(super) fn host_header(text: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    let port_is_a_number = match authority.as_str().strip_prefix(authority.host()) {
        Some("") => true,
        Some(_) => authority.port_u16().is_some(),
        None => false,
    };
    (port_is_a_number && !authority.host().is_empty()).then(|| text.to_ascii_lowercase())
}

/// Whether a text is an absolute http or https URL without user, query and fragment.
pub(super) fn is_public_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.authority().is_some_and(|authority| host_header(authority.as_str()).is_some())
        && uri.query().is_none()
        && !text.contains(['#', '?'])
}

/// Whether a text is a URL at which an identity provider may be: https, or http where nothing goes over a network that
/// others can listen to, as far as a name can tell: this computer, or a neighbour in a container's own network.
pub(super) fn is_provider_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let near = match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => !host.contains('.') || host.ends_with(".localhost"),
    };
    host_header(authority.as_str()).is_some()
        && !authority.as_str().contains('@')
        && !text.contains('#')
        && match uri.scheme_str() {
            Some("https") => true,
            Some("http") => near,
            _ => false,
        }
}

/// A private-use URI scheme in lower case (RFC 8252 section 7.1); `None` for what a browser itself acts on.
pub(super) fn private_scheme(text: &str) -> Option<String> {
    const ACTED_ON: &[&str] = &[
        "http",
        "https",
        "javascript",
        "data",
        "file",
        "blob",
        "about",
        "ftp",
        "ws",
        "wss",
        "view-source",
        "vbscript",
        "filesystem",
        "mailto",
        "tel",
        "sms",
        "chrome",
        "intent",
        "jar",
    ];
    let scheme = text.trim_end_matches("://").to_ascii_lowercase();
    let legal = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (legal && !ACTED_ON.contains(&scheme.as_str())).then_some(scheme)
}

/// Whether a text is the path of a URL, as it stands there.
pub(super) fn is_path(text: &str) -> bool {
    let bytes_fit =
        text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"' | b'\\'));
    text.starts_with('/') && !text.starts_with("//") && bytes_fit && text.len() > 1
}

fn is_setting_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (text, expected) in [
            ("https://Example.com", Some("https://example.com")),
            ("https://example.com:443", Some("https://example.com")),
            ("http://example.com:443/", Some("http://example.com:443")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("vscode-webview://abc", Some("vscode-webview://abc")),
            ("https://example.com/path", None),
            ("https://example.com?x", None),
            ("https://user@example.com", None),
            ("https://example.com:x", None),
            ("example.com", None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(origin(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn names_that_housekey_decides_are_refused() {
        assert!(refuse_input_setting("ReadOnly").is_some() && refuse_input_setting("a b").is_some());
        assert!(
            refuse_input_setting("custom_tenant").is_none() && refuse_input_setting("max_threads").is_none()
        );
        assert!(refuse_extra_setting("readonly").is_some() && refuse_extra_setting("max_threads").is_none());
        assert!(
            refuse_header("X-ClickHouse-User", "a").is_some() && refuse_header("X-Tenant", "a").is_none()
        );
        assert!(refuse_header("X-Tenant", "a\r\nb").is_some() && refuse_header("a b", "a").is_some());
        assert!(
            is_public_url("https://mcp.example.com/x")
                && !is_public_url("https://a/?b")
                && !is_public_url("/x")
        );
    }
}
