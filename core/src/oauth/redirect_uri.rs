//! Where an authorization response may go: which redirect URIs a client may have, and which of them is meant.
//!
//! The text is judged by its own characters rather than by a URL parser's reading of them, so that a browser cannot read
//! something else: what browsers repair (blanks, backslashes, letters beyond ASCII) is refused.
//!
//! Deliberately absent: patterns, and any likeness short of equality but for the port on this computer (RFC 9700 section
//! 2.1, RFC 8252 section 7.3).

use crate::address::{canonical_host, host_and_port};

/// Bytes that one may have.
pub(super) const LONGEST: usize = 2048;
/// How many a client may have.
pub(super) const MOST: usize = 20;

/// What receives the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A web server, which its certificate identifies.
    Web,
    /// Whatever program listens on the person's own computer.
    Loopback,
    /// Whatever program the person's system starts for a scheme.
    Private,
}

/// Why a client cannot have a redirect URI. Says nothing of the URI itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RedirectError {
    #[error("a redirect URI has at most {LONGEST} bytes")]
    TooLong,
    #[error("a redirect URI has a character that URIs do not have")]
    Character,
    #[error("a redirect URI has no fragment")]
    Fragment,
    #[error("a redirect URI has no wildcards: it is compared character by character")]
    Wildcard,
    #[error("a redirect URI names no user")]
    User,
    #[error("a redirect URI is absolute, with a scheme and a host")]
    NotAbsolute,
    #[error("a redirect URI of http leads to 127.0.0.1, [::1] or localhost: use https for others")]
    PlainHttp,
    #[error("a redirect URI has the scheme https, http on this computer, or one that the operator allowed")]
    Scheme,
}

/// A redirect URI, taken apart.
struct Parts<'a> {
    scheme: String,
    /// Without the port, as it is written.
    host: &'a str,
    /// Path and query.
    rest: &'a str,
}

/// What a redirect URI leads to, if a client may have it. `schemes` are the private-use ones that the operator allows.
pub(crate) fn check(uri: &str, schemes: &[String]) -> Result<Reach, RedirectError> {
    if uri.len() > LONGEST {
        return Err(RedirectError::TooLong);
    }
    // RFC 6749 section 3.1.2.
    if uri.contains('#') {
        return Err(RedirectError::Fragment);
    }
    if uri.contains('*') {
        return Err(RedirectError::Wildcard);
    }
    // RFC 3986 section 2. A browser takes `\` for `/`.
    let legal = |byte: u8| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte);
    if !uri.bytes().all(legal) {
        return Err(RedirectError::Character);
    }
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("https" | "http") => web(uri),
        // RFC 8252 section 7.1. Of its form only that nobody is named as a user, which would hide what follows.
        Some(scheme) if schemes.iter().any(|allowed| allowed == scheme) => match uri.contains('@') {
            true => Err(RedirectError::User),
            false if uri.len() > scheme.len() + 1 => Ok(Reach::Private),
            false => Err(RedirectError::NotAbsolute),
        },
        Some(_) => Err(RedirectError::Scheme),
        None => Err(RedirectError::NotAbsolute),
    }
}

fn web(uri: &str) -> Result<Reach, RedirectError> {
    let authority = uri.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or(""));
    if authority.contains('@') {
        return Err(RedirectError::User);
    }
    let parts = parts(uri).ok_or(RedirectError::NotAbsolute)?;
    let host = canonical_host(parts.host).ok_or(RedirectError::NotAbsolute)?;
    let literal = matches!(host.as_str(), "127.0.0.1" | "::1" | "localhost") && !parts.host.ends_with('.');
    let near = literal
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match parts.scheme.as_str() {
        "http" if !literal => Err(RedirectError::PlainHttp),
        _ if near => Ok(Reach::Loopback),
        _ => Ok(Reach::Web),
    }
}

/// The host of a URI that leads to a web server, in its canonical spelling.
pub(super) fn web_host(uri: &str) -> Option<String> {
    let is_web = check(uri, &[]) == Ok(Reach::Web);
    parts(uri).filter(|_| is_web).and_then(|parts| canonical_host(parts.host))
}

/// Of what a client would have, what it can have.
pub(super) fn usable(mut uris: Vec<String>, schemes: &[String]) -> Vec<String> {
    uris.retain(|uri| check(uri, schemes).is_ok());
    uris
}

/// The parts of a URI of http or https; `None` where it has no proper authority.
fn parts(uri: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = uri.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end)?;
    let (host, _) = host_and_port(authority)?;
    Some(Parts { scheme: scheme.to_ascii_lowercase(), host, rest })
}

/// Whether a client that registered the one may ask for the other: equal character by character, but that a program on
/// this computer takes whatever port is free (RFC 8252 section 7.3).
pub(crate) fn matches(registered: &str, asked: &str) -> bool {
    if registered == asked {
        return true;
    }
    let both = [registered, asked].map(|uri| check(uri, &[]) == Ok(Reach::Loopback));
    if both != [true, true] {
        return false;
    }
    match (parts(registered), parts(asked)) {
        (Some(one), Some(other)) => {
            one.scheme == other.scheme && one.host == other.host && one.rest == other.rest
        }
        _ => false,
    }
}

/// What a person is shown of a redirect URI: the host in ASCII, so that no letter passes for another, or the scheme of a
/// program.
pub(crate) fn shown(uri: &str) -> String {
    match parts(uri).filter(|parts| matches!(parts.scheme.as_str(), "http" | "https")) {
        Some(parts) => parts.host.to_ascii_lowercase(),
        None => uri.split_once(':').map_or_else(String::new, |(scheme, _)| format!("{scheme}:")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(uri: &str) -> Result<Reach, RedirectError> {
        check(uri, &["cursor".to_owned(), "com.example.app".to_owned()])
    }

    #[test]
    fn what_a_client_may_have() {
        for (uri, reach) in [
            ("https://claude.ai/api/mcp/auth_callback", Reach::Web),
            ("https://a.example:8443/cb?x=1", Reach::Web),
            ("https://a.example", Reach::Web),
            ("HTTPS://A.example/", Reach::Web),
            ("https://xn--bcher-kva.example/", Reach::Web),
            ("http://localhost/callback", Reach::Loopback),
            ("http://LOCALHOST:3000/callback", Reach::Loopback),
            ("http://127.0.0.1:1/", Reach::Loopback),
            ("http://[::1]:65535/cb", Reach::Loopback),
            ("https://localhost:1/", Reach::Loopback),
            ("https://127.0.0.2/", Reach::Loopback),
            ("https://app.localhost/", Reach::Loopback),
            ("cursor://anysphere.cursor-mcp/oauth/callback", Reach::Private),
            ("com.example.app:/callback", Reach::Private),
        ] {
            assert_eq!(judged(uri), Ok(reach), "{uri}");
        }
    }

    #[test]
    fn what_a_client_may_not_have() {
        use RedirectError::{Character, Fragment, NotAbsolute, PlainHttp, Scheme, TooLong, User, Wildcard};
        for (uri, error) in [
            ("", NotAbsolute),
            ("/callback", NotAbsolute),
            ("//a.example/", NotAbsolute),
            ("https:a.example", NotAbsolute),
            ("https:///cb", NotAbsolute),
            ("https://a.example:/", NotAbsolute),
            ("https://a.example:0/", NotAbsolute),
            ("https://a.example:65536/", NotAbsolute),
            ("https://a.example:+1/", NotAbsolute),
            ("https://2130706433/", NotAbsolute),
            ("https://[::1/", NotAbsolute),
            ("https://[::1]x/", NotAbsolute),
            ("https://%61.example/", NotAbsolute),
            ("https://b\u{fc}cher.example/", Character),
            ("https://a.example\\@evil.example/", Character),
            ("https://a.example/\u{0}", Character),
            ("https://a.example/\r\nset-cookie: a=b", Character),
            (" https://a.example/", Character),
            ("https://a.example/\"><script>", Character),
            ("https://a.example/#", Fragment),
            ("https://a.example/cb#x", Fragment),
            ("https://*.example/", Wildcard),
            ("https://a.example/*", Wildcard),
            ("https://good.example@evil.example/", User),
            ("https://good.example:x@evil.example/", User),
            ("cursor://good@evil/", User),
            ("http://a.example/", PlainHttp),
            ("http://localhost.evil.example/", PlainHttp),
            ("http://127.0.0.1.evil.example/", PlainHttp),
            ("http://127.0.0.2/", PlainHttp),
            ("http://localhost./", PlainHttp),
            ("javascript:alert(1)", Scheme),
            ("JavaScript:alert(1)", Scheme),
            ("data:text/html,x", Scheme),
            ("file:///etc/passwd", Scheme),
            ("cursors://a", Scheme),
            ("cursor:", NotAbsolute),
        ] {
            assert_eq!(judged(uri), Err(error), "{uri}");
        }
        assert_eq!(judged(&format!("https://a.example/{}", "x".repeat(LONGEST))), Err(TooLong));
    }

    /// RFC 9700 section 4.1.3 and RFC 8252 section 7.3.
    #[test]
    fn only_the_port_of_this_computer_may_differ() {
        for (registered, asked, wanted) in [
            ("https://a.example/cb", "https://a.example/cb", true),
            ("https://a.example/cb", "https://a.example/cb/", false),
            ("https://a.example/cb", "https://a.example/cb?x=1", false),
            ("https://a.example/cb", "https://a.example/CB", false),
            ("https://a.example/cb", "HTTPS://a.example/cb", false),
            ("https://a.example/cb", "https://a.example:443/cb", false),
            ("https://a.example/cb", "https://a.example:8443/cb", false),
            ("https://a.example/cb", "https://a.example/x/../cb", false),
            ("https://a.example/cb", "https://a.example.evil.example/cb", false),
            ("https://a.example/cb", "http://a.example/cb", false),
            ("http://localhost/cb", "http://localhost:1234/cb", true),
            ("http://localhost:1/cb", "http://localhost/cb", true),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb", true),
            ("http://[::1]:1/cb", "http://[::1]:2/cb", true),
            ("http://127.0.0.1:1/cb", "http://localhost:1/cb", false),
            ("http://localhost:1/cb", "http://localhost:2/cb/..", false),
            ("http://localhost:1/cb", "http://localhost:2/cb?x", false),
            ("http://localhost:1/cb", "http://localhost:2@evil.example/cb", false),
            ("http://localhost:1/cb", "http://localhost.evil.example:1/cb", false),
            ("http://localhost:1/cb", "https://localhost:1/cb", false),
            ("cursor://a/cb", "cursor://a:1/cb", false),
        ] {
            assert_eq!(matches(registered, asked), wanted, "{registered} {asked}");
        }
    }

    #[test]
    fn people_are_shown_the_host() {
        for (uri, wanted) in [
            ("https://A.example:8443/login.bank.example", "a.example"),
            ("http://[::1]:7/", "[::1]"),
            ("https://xn--pple-43d.example/", "xn--pple-43d.example"),
            ("cursor://bank.example/x", "cursor:"),
        ] {
            assert_eq!(shown(uri), wanted);
        }
    }
}
