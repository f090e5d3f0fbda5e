//! Heads of messages between `wasi:http` and the types of the `http` crate.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode, Uri, request, response};

/// Header fields as `wasi:http` has them.
pub type Fields = Vec<(String, Vec<u8>)>;

/// Why a head cannot be used. The text is for whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadHead(pub &'static str);

/// The head of a request that came in.
///
/// Most runtimes keep `Host` to themselves and hand over the authority instead, so it becomes part of the URI, where
/// HTTP/2 has it too.
///
/// # Errors
/// When the method, the target or a header field is not one.
pub fn request_head(
    method: &str,
    authority: Option<&str>,
    path: Option<&str>,
    fields: Fields,
) -> Result<request::Parts, BadHead> {
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = Method::from_bytes(method.as_bytes()).map_err(|_| BadHead("the method is malformed"))?;
    let path = path.filter(|path| !path.is_empty()).unwrap_or("/");
    let target = match authority.filter(|authority| !authority.is_empty()) {
        // The scheme is not known for certain, and nothing depends on it; a URI with an authority needs one.
        Some(authority) => Uri::builder().scheme("http").authority(authority).path_and_query(path).build(),
        None => Uri::builder().path_and_query(path).build(),
    };
    head.uri = target.map_err(|_| BadHead("the request target is malformed"))?;
    head.headers = headers(fields)?;
    Ok(head)
}

/// The head of an answer that came in.
///
/// # Errors
/// When the status or a header field is not one.
pub fn response_head(status: u16, fields: Fields) -> Result<response::Parts, BadHead> {
    let (mut head, ()) = http::Response::new(()).into_parts();
    head.status = StatusCode::from_u16(status).map_err(|_| BadHead("the status is out of range"))?;
    head.headers = headers(fields)?;
    Ok(head)
}

/// The fields of a message that goes out, with the length of its body when that is known.
///
/// Fields that only concern one connection (RFC 9110 section 7.6.1) and `Host` belong to the runtime; it would refuse
/// them all if one were there.
pub fn fields(headers: &HeaderMap, length: Option<usize>) -> Fields {
    let mut fields: Fields = headers
        .iter()
        .filter(|(name, _)| !is_of_the_connection(name) && *name != HOST && *name != CONTENT_LENGTH)
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    if let Some(length) = length {
        fields.push((CONTENT_LENGTH.as_str().to_owned(), length.to_string().into_bytes()));
    }
    fields
}

/// Whether an answer with this status has a body at all (RFC 9110 section 6.4.1).
pub fn has_body(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

/// The length of a body, as its head declares it.
pub fn declared_length(head: &request::Parts) -> Option<usize> {
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn headers(fields: Fields) -> Result<HeaderMap, BadHead> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| BadHead("a header name is malformed"))?;
        let value = HeaderValue::from_bytes(&value).map_err(|_| BadHead("a header value is malformed"))?;
        headers.try_append(name, value).map_err(|_| BadHead("there are too many headers"))?;
    }
    Ok(headers)
}

fn is_of_the_connection(name: &HeaderName) -> bool {
    [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE]
        .contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> (String, Vec<u8>) {
        (name.to_owned(), value.as_bytes().to_vec())
    }

    #[test]
    fn a_request_keeps_its_authority_path_query_and_repeated_fields() {
        let sent = vec![field("Accept", "a"), field("accept", "b")];
        let head = request_head("POST", Some("[::1]:8080"), Some("/mcp?x=1%20"), sent).unwrap();
        assert_eq!(head.method, Method::POST);
        assert_eq!(head.uri.authority().unwrap(), "[::1]:8080");
        assert_eq!(head.uri.path_and_query().unwrap(), "/mcp?x=1%20");
        assert_eq!(head.headers.get_all("accept").iter().count(), 2);
        let head = request_head("GET", None, None, Vec::new()).unwrap();
        assert_eq!((head.uri.path(), head.uri.authority()), ("/", None));
    }

    #[test]
    fn malformed_heads_are_answers_and_no_traps() {
        for (method, authority, path, fields, wanted) in [
            ("P OST", None, None, Vec::new(), "the method is malformed"),
            ("GET", Some("a b"), None, Vec::new(), "the request target is malformed"),
            ("GET", None, Some("/a b"), Vec::new(), "the request target is malformed"),
            ("GET", None, None, vec![field("a b", "")], "a header name is malformed"),
            ("GET", None, None, vec![field("a", "b\nc")], "a header value is malformed"),
        ] {
            assert_eq!(request_head(method, authority, path, fields).unwrap_err(), BadHead(wanted));
        }
        assert_eq!(response_head(42, Vec::new()).unwrap_err(), BadHead("the status is out of range"));
        assert_eq!(response_head(200, vec![field("x", "y")]).unwrap().headers["x"], "y");
    }

    #[test]
    fn a_length_is_read_from_the_head() {
        let head = request_head("POST", None, None, vec![field("content-length", "12")]).unwrap();
        assert_eq!(declared_length(&head), Some(12));
    }

    #[test]
    fn fields_of_the_connection_stay_behind() {
        let mut headers = HeaderMap::new();
        for name in
            ["connection", "keep-alive", "transfer-encoding", "host", "te", "content-length", "x-kept"]
        {
            headers.insert(name, HeaderValue::from_static("1"));
        }
        assert_eq!(fields(&headers, None), [field("x-kept", "1")]);
        assert_eq!(fields(&headers, Some(7)), [field("x-kept", "1"), field("content-length", "7")]);
        assert!(has_body(StatusCode::OK) && !has_body(StatusCode::NO_CONTENT));
    }
}
