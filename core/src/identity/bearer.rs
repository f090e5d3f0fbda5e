//! Where a token may stand in a request, and which place counts when there are several. The order is altinity-mcp's
//! and differs from route to route; the first place that holds anything decides, also when that is no good token.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::secret::Secret;

/// Why no token could be taken from a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// There is none.
    #[error("a bearer token is needed")]
    Missing,
    /// The header stands there twice, or it is not text (RFC 6750 section 3.1: `invalid_request`).
    #[error("the {0} header must stand there once, as text")]
    Malformed(&'static str),
}

/// The places of a route, the first one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `Authorization: Bearer`, or `Basic` with the raw token; `x-altinity-mcp-key`; `x-housekey-key`; the path.
    Mcp,
    /// The REST interface: the path, then the headers in the same order.
    OpenApi,
    /// With OAuth on, whose `Authorization` is: the path, `x-altinity-mcp-key`, `x-housekey-key`.
    BesideOauth,
}

#[derive(Clone, Copy)]
enum Place {
    Authorization,
    Key(&'static str),
    Path,
}

const ALTINITY: Place = Place::Key("x-altinity-mcp-key");
const HOUSEKEY: Place = Place::Key("x-housekey-key");

impl Order {
    const fn places(self) -> &'static [Place] {
        match self {
            Self::Mcp => &[Place::Authorization, ALTINITY, HOUSEKEY, Place::Path],
            Self::OpenApi => &[Place::Path, Place::Authorization, ALTINITY, HOUSEKEY],
            Self::BesideOauth => &[Place::Path, ALTINITY, HOUSEKEY],
        }
    }
}

/// The token of a request. A place that is empty, or an `Authorization` of another scheme, is passed over.
pub fn find(
    headers: &HeaderMap,
    path_token: Option<&str>,
    order: Order,
) -> Result<Secret<String>, BearerError> {
    for place in order.places() {
        let token = match place {
            Place::Authorization => authorization(headers)?,
            Place::Key(name) => once(headers, name)?.map(str::trim),
            Place::Path => path_token,
        };
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            return Ok(Secret::from(token));
        }
    }
    Err(BearerError::Missing)
}

/// The token of `Authorization`. With `Basic` it is the token as it is, not a name and a password in base64.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, BearerError> {
    let credentials = credentials(headers)?;
    Ok(credentials.and_then(|(scheme, token)| {
        let ours = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("basic");
        ours.then_some(token)
    }))
}

/// The scheme of `Authorization` and what follows it (RFC 9110 section 11.6.2).
pub fn credentials(headers: &HeaderMap) -> Result<Option<(&str, &str)>, BearerError> {
    let value = once(headers, AUTHORIZATION.as_str())?.map(str::trim);
    Ok(value.map(|value| value.split_once(' ').map_or((value, ""), |(scheme, rest)| (scheme, rest.trim()))))
}

/// The value of a header that stands there at most once.
pub(crate) fn once<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, BearerError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(BearerError::Malformed(name));
    }
    value.to_str().map(Some).map_err(|_| BearerError::Malformed(name))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(
        entries: &[(&'static str, &str)],
        path: Option<&str>,
        order: Order,
    ) -> Result<String, BearerError> {
        let mut headers = HeaderMap::new();
        for (name, value) in entries {
            headers.append(*name, value.parse().unwrap());
        }
        find(&headers, path, order).map(|token| token.expose().clone())
    }

    /// A request with a token in each of these places, which is the name of its place.
    fn held_by(places: &[&'static str], order: Order) -> Result<String, BearerError> {
        let headers: Vec<(&'static str, &str)> = places
            .iter()
            .filter_map(|place| match *place {
                "path" => None,
                "bearer" => Some(("authorization", "Bearer bearer")),
                "basic" => Some(("authorization", "Basic basic")),
                name => Some((name, name)),
            })
            .collect();
        found(&headers, places.contains(&"path").then_some("path"), order)
    }

    #[test]
    fn every_place_beats_every_later_one() {
        for (order, places) in [
            (Order::Mcp, &["bearer", "x-altinity-mcp-key", "x-housekey-key", "path"][..]),
            (Order::Mcp, &["basic", "x-altinity-mcp-key", "x-housekey-key", "path"]),
            (Order::OpenApi, &["path", "bearer", "x-altinity-mcp-key", "x-housekey-key"]),
            (Order::OpenApi, &["path", "basic", "x-altinity-mcp-key", "x-housekey-key"]),
            (Order::BesideOauth, &["path", "x-altinity-mcp-key", "x-housekey-key"]),
        ] {
            for (at, first) in places.iter().enumerate() {
                assert_eq!(held_by(&[first], order), Ok((*first).to_owned()), "{order:?}");
                for second in &places[at + 1..] {
                    for pair in [[*first, *second], [*second, *first]] {
                        assert_eq!(held_by(&pair, order), Ok((*first).to_owned()), "{order:?} {pair:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn with_oauth_authorization_is_not_looked_at() {
        for header in ["bearer", "basic"] {
            assert_eq!(held_by(&[header], Order::BesideOauth), Err(BearerError::Missing));
            assert_eq!(held_by(&[header, "x-housekey-key"], Order::BesideOauth), Ok("x-housekey-key".into()));
        }
        let two = [("authorization", "Bearer a"), ("authorization", "Bearer b"), ("x-housekey-key", "c")];
        assert_eq!(found(&two, None, Order::BesideOauth), Ok("c".into()));
    }

    #[test]
    fn empty_places_and_other_schemes_are_passed_over() {
        for value in ["Bearer", "Bearer ", "Digest x", "basic", "x"] {
            assert_eq!(
                found(&[("authorization", value)], None, Order::Mcp),
                Err(BearerError::Missing),
                "{value}"
            );
            let key = [("authorization", value), ("x-altinity-mcp-key", " "), ("x-housekey-key", "c")];
            assert_eq!(found(&key, None, Order::Mcp), Ok("c".into()), "{value}");
        }
        assert_eq!(found(&[("authorization", "basic  a ")], None, Order::Mcp), Ok("a".into()));
        assert_eq!(found(&[("authorization", "bEARER a b")], None, Order::Mcp), Ok("a b".into()));
        assert_eq!(found(&[], None, Order::Mcp), Err(BearerError::Missing));
    }

    #[test]
    fn a_header_twice_or_in_no_text_is_malformed() {
        for name in ["authorization", "x-altinity-mcp-key", "x-housekey-key"] {
            for values in [["Bearer a", "Bearer b"], ["Bearer a", "Bearer a"], ["", "Bearer a"]] {
                let two = values.map(|value| (name, value));
                for order in [Order::Mcp, Order::OpenApi] {
                    assert_eq!(found(&two, None, order), Err(BearerError::Malformed(name)));
                }
            }
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_bytes(b"Bearer \xff").unwrap());
            assert_eq!(find(&headers, None, Order::Mcp), Err(BearerError::Malformed(name)));
        }
    }
}
