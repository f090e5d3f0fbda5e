//! A query as an HTTP request.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use ::http::{Method, Request, Uri};
use base64ct::{Base64, Encoding as _};
use bytes::Bytes;

use super::{FORMAT, PROGRESS_FORMAT};
use crate::clickhouse::query::{Credential, Protocol, QueryRequest, RunAs, Setting, Statement};
use crate::sql::{execute_as, execute_as_writable};
use crate::trace::TraceContext;

/// Why a query cannot be put on the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The host is not a host name, an IPv4 address or an IPv6 address without brackets.
    #[error("{host:?} is not a host name or an IP address")]
    Host {
        /// The host as it was given.
        host: String,
    },
    /// The user name is empty, which the server would take for `default`.
    #[error("the ClickHouse user name is empty")]
    EmptyUser,
    /// The user name fits no HTTP header and, because of a colon, not Basic authentication either.
    #[error("the ClickHouse user name or password has characters that HTTP cannot carry")]
    Credential,
    /// The bearer token has characters that no token has.
    #[error("the bearer token has characters that HTTP cannot carry")]
    Bearer,
    /// A setting has the name of a URL parameter that is not a setting, such as `query` or `session_id`.
    #[error("{name:?} is not the name of a setting")]
    SettingName {
        /// The name.
        name: String,
    },
    /// A header that Housekey or the connection sets itself.
    #[error("the header {name:?} is set by Housekey and cannot be sent to ClickHouse from the configuration")]
    ReservedHeader {
        /// The header's name.
        name: String,
    },
    /// A header whose name or value HTTP does not allow.
    #[error("the header {name:?} is not valid in HTTP")]
    Header {
        /// The header's name.
        name: String,
    },
    /// The settings and parameters do not fit into a URL.
    #[error("the settings and parameters take {length} bytes in the URL, and at most {longest} fit")]
    UriTooLong {
        /// Bytes that the URL would take.
        length: usize,
        /// Bytes that it may take.
        longest: usize,
    },
    /// A statement with rows after it, or about access, was to run under `EXECUTE AS`.
    #[error("a statement that carries rows or is about access cannot run under EXECUTE AS")]
    WritableImpersonation,
    /// The endpoint speaks another protocol.
    #[error("the endpoint speaks ClickHouse's native protocol, not HTTP")]
    NativeEndpoint,
    /// Rows or tables beside the statement.
    #[error(
        "data beside a statement travels over ClickHouse's native protocol only: set `clickhouse.protocol: tcp`"
    )]
    Data,
    /// The secret of a cluster, or a user for whom it vouches.
    #[error("a cluster's secret vouches for users over the native protocol only, not over HTTP")]
    Interserver,
}

/// Longest URL that the `http` crate represents. The server would take 1 MiB, and 131072 bytes per value.
const LONGEST_URI: usize = 65_534;

/// Parameters of the HTTP interface that are not settings (ClickHouse documentation, "HTTP interface"). As a
/// setting's name they would change who asks, what is asked or how the answer looks.
const NOT_SETTINGS: &[&str] = &[
    "buffer_size",
    "client_protocol_version",
    "close_session",
    "compress",
    "database",
    "decompress",
    "default_format",
    "password",
    "query",
    "query_id",
    "quota_key",
    "role",
    "session_check",
    "session_id",
    "session_timeout",
    "stacktrace",
    "user",
    "wait_end_of_query",
];

/// Headers that an operator cannot set, in lower case: ours, and those that belong to the connection.
const RESERVED_HEADERS: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-clickhouse-database",
    "x-clickhouse-format",
    "x-clickhouse-key",
    "x-clickhouse-query-id",
    "x-clickhouse-ssl-certificate-auth",
    "x-clickhouse-user",
];

/// Encodes a query as a POST to `{endpoint}/`.
///
/// The SQL is the body; the database, the `query_id` and the settings are URL parameters, credentials are headers.
/// `readonly` goes last: the server refuses the first change that it does not allow, so a profile with
/// `readonly=1` names another setting and one with `readonly=2` names `readonly`.
pub fn encode(query: &QueryRequest) -> Result<Request<Bytes>, EncodeError> {
    if query.endpoint.scheme.protocol() == Protocol::Tcp {
        return Err(EncodeError::NativeEndpoint);
    }
    if query.data.is_some() {
        return Err(EncodeError::Data);
    }
    let body = statement_text(query)?;
    let uri = encode_uri(query)?;
    let mut headers = encode_credential(&query.credential)?;
    let format = if query.progress { PROGRESS_FORMAT } else { FORMAT };
    headers.insert("x-clickhouse-format", HeaderValue::from_static(format));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    for (name, value) in &query.headers {
        let (name, value) = operator_header(name, value)?;
        headers.append(name, value);
    }
    if let Some(trace) = &query.trace {
        insert_trace(trace, &mut headers);
    }
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

fn statement_text(query: &QueryRequest) -> Result<String, EncodeError> {
    match (&query.run_as, &query.statement) {
        (RunAs::Login, Statement::ReadOnly(sql)) => Ok(sql.text().to_owned()),
        (RunAs::Login, Statement::Writable(sql)) => Ok(sql.text().to_owned()),
        (RunAs::ExecuteAs(user), Statement::ReadOnly(sql)) => Ok(execute_as(sql, user, query.inner)),
        // Sent as it is, it would run with the rights of the login.
        (RunAs::ExecuteAs(user), Statement::Writable(sql)) => match sql.wrappable() {
            Some(sql) => Ok(execute_as_writable(sql, user)),
            None => Err(EncodeError::WritableImpersonation),
        },
        (RunAs::Interserver(_), Statement::ReadOnly(_) | Statement::Writable(_)) => {
            Err(EncodeError::Interserver)
        }
    }
}

fn encode_uri(query: &QueryRequest) -> Result<Uri, EncodeError> {
    let endpoint = &query.endpoint;
    let not_a_host = || EncodeError::Host { host: endpoint.host.clone() };
    let is_name = |host: &str| {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    if !is_name(&endpoint.host) && endpoint.host.parse::<Ipv6Addr>().is_err() {
        return Err(not_a_host());
    }
    let mut uri = format!("{endpoint}/?");
    if let Some(database) = &query.database {
        push_parameter(&mut uri, "database", database);
    }
    push_parameter(&mut uri, "query_id", &query.query_id);
    // One parameter for each (ClickHouse documentation, "HTTP interface", setting a role with query parameters).
    for role in &query.roles {
        push_parameter(&mut uri, "role", role);
    }
    for parameter in &query.parameters {
        push_parameter(&mut uri, &format!("param_{}", parameter.name()), parameter.as_written());
    }
    let is_readonly = |setting: &&Setting| setting.name == "readonly";
    let settings = query.settings.iter();
    for setting in settings.clone().filter(|s| !is_readonly(s)).chain(settings.filter(is_readonly)) {
        let no_setting = NOT_SETTINGS.contains(&&*setting.name) || setting.name.starts_with("param_");
        if setting.name.is_empty() || no_setting {
            return Err(EncodeError::SettingName { name: setting.name.clone().into_owned() });
        }
        push_parameter(&mut uri, &setting.name, &setting.value);
    }
    if uri.len() > LONGEST_URI {
        return Err(EncodeError::UriTooLong { length: uri.len(), longest: LONGEST_URI });
    }
    Uri::try_from(uri).map_err(|_| not_a_host())
}

fn push_parameter(uri: &mut String, name: &str, value: &str) {
    if !uri.ends_with('?') {
        uri.push('&');
    }
    push_encoded(uri, name);
    uri.push('=');
    push_encoded(uri, value);
}

/// Percent-encodes all but the unreserved characters of RFC 3986 section 2.3.
fn push_encoded(uri: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            uri.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
}

/// Names and passwords go in headers of their own, whose bytes the server takes as UTF-8 (measured on 26.9). It
/// trims them, though, and headers have no control characters; Basic authentication carries the rest.
fn encode_credential(credential: &Credential) -> Result<HeaderMap, EncodeError> {
    let mut headers = HeaderMap::new();
    match credential {
        Credential::Bearer(token) => {
            let token = token.expose();
            if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(EncodeError::Bearer);
            }
            headers
                .insert(AUTHORIZATION, secret_value(&format!("Bearer {token}")).ok_or(EncodeError::Bearer)?);
        }
        Credential::Header { name, value } => {
            let (name, _) = operator_header(name, "")?;
            let value = value.expose();
            if value.is_empty() || !value.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(EncodeError::Bearer);
            }
            headers.insert(name, secret_value(value).ok_or(EncodeError::Bearer)?);
        }
        Credential::Cluster { .. } => return Err(EncodeError::Interserver),
        Credential::Password { username, .. } if username.is_empty() => return Err(EncodeError::EmptyUser),
        Credential::Password { username, password } => {
            let password = password.expose();
            if let (Some(user), Some(key)) = (exact_value(username), exact_value(password)) {
                headers.insert("x-clickhouse-user", user);
                if !password.is_empty() {
                    headers.insert("x-clickhouse-key", key);
                }
            } else if username.contains(':') {
                return Err(EncodeError::Credential);
            } else {
                let pair = Base64::encode_string(format!("{username}:{password}").as_bytes());
                let value = secret_value(&format!("Basic {pair}")).ok_or(EncodeError::Credential)?;
                headers.insert(AUTHORIZATION, value);
            }
        }
    }
    Ok(headers)
}

/// A header value that arrives as it was, if there is one.
fn exact_value(text: &str) -> Option<HeaderValue> {
    let is_trimmed = |c: char| matches!(c, ' ' | '\t');
    if text.starts_with(is_trimmed) || text.ends_with(is_trimmed) {
        return None;
    }
    secret_value(text)
}

fn secret_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Replaces what an operator has configured under these names: one trace for all requests is none.
fn insert_trace(trace: &TraceContext, headers: &mut HeaderMap) {
    let values = [("traceparent", trace.parent()), ("tracestate", trace.state.clone())];
    for (name, value) in values {
        headers.remove(name);
        if let Some(value) = HeaderValue::try_from(value).ok().filter(|value| !value.is_empty()) {
            headers.insert(name, value);
        }
    }
}

fn operator_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), EncodeError> {
    let invalid = || EncodeError::Header { name: name.to_owned() };
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
    if RESERVED_HEADERS.contains(&parsed.as_str()) {
        return Err(EncodeError::ReservedHeader { name: name.to_owned() });
    }
    Ok((parsed, secret_value(value).ok_or_else(invalid)?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clickhouse::{ChosenBy, Endpoint, ReadLimits, Scheme};
    use crate::secret::Secret;

    fn query() -> QueryRequest {
        QueryRequest {
            endpoint: Endpoint { scheme: Scheme::Http, host: "ch.local".to_owned(), port: 8123 },
            chosen_by: ChosenBy::Operator,
            credential: password("ann", "pw"),
            run_as: RunAs::Login,
            roles: Vec::new(),
            database: None,
            statement: read_only("SELECT 1"),
            parameters: Vec::new(),
            data: None,
            inner: crate::sql::Inner { readonly: true, limit: None },
            settings: Vec::new(),
            headers: Vec::new(),
            trace: None,
            query_id: "q".to_owned(),
            deadline_seconds: 30,
            progress: false,
            refused: Vec::new(),
            limits: ReadLimits { row_bytes: 1000 },
        }
    }

    fn read_only(sql: &str) -> Statement {
        let rules = crate::sql::Rules::internal();
        Statement::ReadOnly(crate::sql::ReadOnlySql::parse(sql, &rules).unwrap())
    }

    fn password(username: &str, password: &str) -> Credential {
        Credential::Password { username: username.to_owned(), password: Secret::from(password) }
    }

    #[test]
    fn a_query_becomes_a_post() {
        let mut query = query();
        query.endpoint.host = "::1".to_owned();
        query.database = Some("a&b é".to_owned());
        query.settings = vec![
            Setting::new("readonly", "1"),
            Setting::new("max_threads", "3"),
            Setting::new("log_comment", "+=#"),
        ];
        query.headers = vec![("X-Trace".to_owned(), "é".to_owned())];
        let request = encode(&query).unwrap();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(
            request.uri().to_string(),
            "http://[::1]:8123/?database=a%26b%20%C3%A9&query_id=q&max_threads=3&log_comment=%2B%3D%23&readonly=1"
        );
        assert_eq!(request.body(), "SELECT 1");
        let headers: Vec<_> =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(
            headers,
            [
                ("x-clickhouse-user", b"ann".as_slice()),
                ("x-clickhouse-key", b"pw"),
                ("x-clickhouse-format", b"JSONCompactEachRowWithNamesAndTypes"),
                ("content-type", b"text/plain; charset=utf-8"),
                ("x-trace", "é".as_bytes()),
            ]
        );
        assert!(request.headers()["x-clickhouse-key"].is_sensitive());
        query.progress = true;
        let request = encode(&query).unwrap();
        assert_eq!(request.headers()["x-clickhouse-format"], "JSONCompactEachRowWithProgress");
    }

    #[test]
    fn each_role_is_a_parameter_that_nothing_gets_out_of() {
        let query = QueryRequest { roles: vec!["a".into(), "b&readonly=0".into()], ..query() };
        let uri = encode(&query).unwrap().uri().to_string();
        assert!(uri.contains("&role=a&role=b%26readonly%3D0"), "{uri}");
    }

    #[test]
    fn data_is_not_left_behind() {
        let query = QueryRequest { data: Some(Arc::default()), ..query() };
        assert_eq!(encode(&query).unwrap_err(), EncodeError::Data);
    }

    #[test]
    fn a_trace_goes_along_once() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut query = query();
        let configured = [("TraceParent", "of the operator"), ("tracestate", "of the operator")];
        query.headers = configured.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        for (state, expected) in [("a=b", Some("a=b")), ("", None)] {
            query.trace = TraceContext::parse(parent, [state]);
            let request = encode(&query).unwrap();
            let all: Vec<_> = request.headers().get_all("traceparent").iter().collect();
            assert_eq!(all, [parent]);
            let state = request.headers().get("tracestate").map(|value| value.to_str().unwrap());
            assert_eq!(state, expected);
        }
    }

    #[test]
    fn credentials_find_a_header_that_carries_them() {
        let bearer = |token: &str| Credential::Bearer(Secret::from(token));
        let header = |name: &str, value: &str| Credential::Header {
            name: name.to_owned(),
            value: Secret::from(value),
        };
        let one = |name: &str, value: &str| Ok(vec![(name.to_owned(), value.as_bytes().to_vec())]);
        let table = [
            (password("élan", ""), one("x-clickhouse-user", "élan")),
            (password("a", " x"), one("authorization", "Basic YTogeA==")),
            (password("a", "x\n"), one("authorization", "Basic YTp4Cg==")),
            (password("a:b", "x\n"), Err(EncodeError::Credential)),
            (password("", "x"), Err(EncodeError::EmptyUser)),
            (bearer("a.b.c"), one("authorization", "Bearer a.b.c")),
            (bearer("a b"), Err(EncodeError::Bearer)),
            (bearer("a\r\nx"), Err(EncodeError::Bearer)),
            (bearer(""), Err(EncodeError::Bearer)),
            (header("X-Proof", "a.b.c"), one("x-proof", "a.b.c")),
            (header("X-Proof", "a\r\nx"), Err(EncodeError::Bearer)),
            (header("X-Proof", ""), Err(EncodeError::Bearer)),
            (
                header("X-ClickHouse-User", "a"),
                Err(EncodeError::ReservedHeader { name: "X-ClickHouse-User".to_owned() }),
            ),
        ];
        for (credential, expected) in table {
            let headers = encode_credential(&credential).map(|headers| {
                headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
            });
            assert_eq!(headers, expected, "{credential:?}");
        }
    }

    #[test]
    fn what_would_change_the_request_is_refused() {
        let reserved = |name: &str| EncodeError::ReservedHeader { name: name.to_owned() };
        let invalid = |name: &str| EncodeError::Header { name: name.to_owned() };
        let table = [
            ("Host", "x", reserved("Host")),
            ("AUTHORIZATION", "x", reserved("AUTHORIZATION")),
            ("X-ClickHouse-Format", "CSV", reserved("X-ClickHouse-Format")),
            ("Transfer-Encoding", "chunked", reserved("Transfer-Encoding")),
            ("X-A", "b\r\nX-C: d", invalid("X-A")),
            ("X A", "b", invalid("X A")),
        ];
        for (name, value, expected) in table {
            let mut query = query();
            query.headers = vec![(name.to_owned(), value.to_owned())];
            assert_eq!(encode(&query).unwrap_err(), expected);
        }
        for name in ["query", "session_id", "user", ""] {
            let mut query = query();
            query.settings = vec![Setting::new(name, "1")];
            assert_eq!(encode(&query).unwrap_err(), EncodeError::SettingName { name: name.to_owned() });
        }
        for host in ["", "a/b", "u@h", "a:80", "a b", "[::1]", "é", "a?b", "a#b"] {
            let mut query = query();
            query.endpoint.host = host.to_owned();
            assert_eq!(encode(&query).unwrap_err(), EncodeError::Host { host: host.to_owned() });
        }
        let mut query = query();
        query.settings = vec![Setting::new("log_comment", "x".repeat(70_000))];
        assert!(matches!(encode(&query).unwrap_err(), EncodeError::UriTooLong { .. }));
    }
}
