//! Where a JWE token may stand in a request, in altinity-mcp's order: `Authorization: Bearer`, `Authorization:
//! Basic` with the raw token, `x-altinity-mcp-key`, `x-housekey-key`, then the path.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::secret::Secret;

/// Header names that carry a bare token.
const KEY_HEADERS: [&str; 2] = ["x-altinity-mcp-key", "x-housekey-key"];

/// Why no token could be taken from a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// There is none.
    #[error("a bearer token is needed")]
    Missing,
    /// There are two `Authorization` headers, or one that is not text (RFC 6750 section 3.1: `invalid_request`).
    #[error("the Authorization header must stand there once, as text")]
    Malformed,
}

/// The token of a request.
pub fn find(headers: &HeaderMap, path_token: Option<&str>) -> Result<Secret<String>, BearerError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    if let Some(value) = values.next() {
        if values.next().is_some() {
            return Err(BearerError::Malformed);
        }
        let value = value.to_str().map_err(|_| BearerError::Malformed)?;
        if let Some((scheme, token)) = value.trim().split_once(' ')
            && (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("basic"))
            && !token.trim().is_empty()
        {
            return Ok(Secret::from(token.trim()));
        }
    }
    for name in KEY_HEADERS {
        if let Some(token) = headers.get(name) {
            let token = token.to_str().map_err(|_| BearerError::Malformed)?.trim();
            if !token.is_empty() {
                return Ok(Secret::from(token));
            }
        }
    }
    path_token.map(Secret::from).ok_or(BearerError::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(entries: &[(&'static str, &str)], path: Option<&str>) -> Result<String, BearerError> {
        let mut headers = HeaderMap::new();
        for (name, value) in entries {
            headers.append(*name, value.parse().unwrap());
        }
        find(&headers, path).map(|token| token.expose().clone())
    }

    #[test]
    fn places_have_an_order() {
        let all = [("authorization", "Bearer a"), ("x-altinity-mcp-key", "b"), ("x-housekey-key", "c")];
        assert_eq!(found(&all, Some("d")), Ok("a".into()));
        assert_eq!(found(&all[1..], Some("d")), Ok("b".into()));
        assert_eq!(found(&all[2..], Some("d")), Ok("c".into()));
        assert_eq!(found(&[], Some("d")), Ok("d".into()));
        assert_eq!(found(&[("authorization", "basic  a ")], None), Ok("a".into()));
        assert_eq!(found(&[], None), Err(BearerError::Missing));
        assert_eq!(found(&[("authorization", "Bearer ")], None), Err(BearerError::Missing));
        assert_eq!(found(&[("authorization", "Digest x")], None), Err(BearerError::Missing));
        let two = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
        assert_eq!(found(&two, None), Err(BearerError::Malformed));
    }
}
