//! Which path means what. A token in a path is taken out here, once, and never shown again.

use std::fmt;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Where a request is headed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The MCP endpoint: `/`, `/mcp`, `/http` and `/sse`, or the same below a token.
    Mcp {
        /// The token of the path.
        token: Option<Secret<String>>,
        /// Whether it is `/sse`, where clients of the older transport look for their stream.
        events: bool,
    },
    /// The REST interface: `/openapi` and what lies deeper, or the same below a token.
    OpenApi {
        /// The token of the path.
        token: Option<Secret<String>>,
        /// What lies deeper.
        path: RestPath,
    },
    /// `/jwe-token-generator`: makes tokens.
    Generator,
    /// `/livez`: the process answers.
    Live,
    /// `/health`: the process can do its work.
    Health,
    /// An endpoint of OAuth. Which paths these are, the configuration says, so [`Route::parse`] knows none.
    OAuth,
}

/// A path of the REST interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestPath {
    /// The schema.
    Schema,
    /// What could be the name of a tool, as it stands in the URL.
    Tool(String),
}

impl RestPath {
    /// What follows the token, if it is one of these.
    fn parse(path: &str) -> Option<Self> {
        match path.strip_prefix("openapi")? {
            "" => Some(Self::Schema),
            rest => rest.strip_prefix('/').map(|name| Self::Tool(name.to_owned())),
        }
    }
}

impl Route {
    /// The route of a path as it stands in a URL; `None` where there is nothing. One trailing slash does not count.
    pub fn parse(path: &str, tokens_in_paths: bool) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let rest = match path {
            "/livez" => return Some(Self::Live),
            "/health" => return Some(Self::Health),
            "/jwe-token-generator" => return Some(Self::Generator),
            // Clients of the older transport with a stream of its own try a POST to its address first.
            "" | "/mcp" | "/http" | "/sse" => {
                return Some(Self::Mcp { token: None, events: path == "/sse" });
            }
            _ => path.strip_prefix('/')?,
        };
        if let Some(path) = RestPath::parse(rest) {
            return Some(Self::OpenApi { token: None, path });
        }
        let (segment, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let token = token(segment).filter(|_| tokens_in_paths)?;
        match rest {
            "" | "mcp" | "http" | "sse" => Some(Self::Mcp { token: Some(token), events: rest == "sse" }),
            rest => RestPath::parse(rest).map(|path| Self::OpenApi { token: Some(token), path }),
        }
    }
}

/// The route as logs and metrics may show it.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mcp { token: None, events: false } => "/mcp",
            Self::Mcp { token: None, events: true } => "/sse",
            Self::Mcp { token: Some(_), events: false } => "/{token}/mcp",
            Self::Mcp { token: Some(_), events: true } => "/{token}/sse",
            Self::OpenApi { token: None, path: RestPath::Schema } => "/openapi",
            Self::OpenApi { token: None, path: RestPath::Tool(_) } => "/openapi/{tool}",
            Self::OpenApi { token: Some(_), path: RestPath::Schema } => "/{token}/openapi",
            Self::OpenApi { token: Some(_), path: RestPath::Tool(_) } => "/{token}/openapi/{tool}",
            Self::Generator => "/jwe-token-generator",
            Self::Live => "/livez",
            Self::Health => "/health",
            Self::OAuth => "/oauth",
        })
    }
}

/// The token that a segment is, or is a damaged form of: that one gets the answer which a token gets, not that of an
/// unknown path. What the escapes stand for need not be UTF-8 to be recognised.
fn token(segment: &str) -> Option<Secret<String>> {
    let decoded = Secret::from(percent_decode_str(segment).decode_utf8_lossy().into_owned());
    looks_like_a_token(decoded.expose()).then_some(decoded)
}

/// The start of a JSON object, plain (RFC 7516 section 7.2) or in base64url as every compact token begins (section
/// 7.1), or else text that could be the parts of one.
fn looks_like_a_token(text: &str) -> bool {
    let text: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    let of_parts =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'=');
    text.starts_with('{')
        || text.starts_with("eyJ")
        || (text.len() >= 32 && text.contains('.') && text.bytes().all(of_parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJBMjU2S1ciLCJlbmMiOi.aaaa.bbbb.cccc.dddd";

    fn mcp(token: Option<&str>) -> Option<Route> {
        Some(Route::Mcp { token: token.map(Secret::from), events: false })
    }

    fn sse(token: Option<&str>) -> Option<Route> {
        Some(Route::Mcp { token: token.map(Secret::from), events: true })
    }

    #[test]
    fn paths_lead_to_routes() {
        let rest = |token: Option<&str>, path| Some(Route::OpenApi { token: token.map(Secret::from), path });
        let tool = |name: &str| RestPath::Tool(name.to_owned());
        for (path, wanted) in [
            ("/".to_owned(), mcp(None)),
            ("/mcp".to_owned(), mcp(None)),
            ("/mcp/".to_owned(), mcp(None)),
            ("/http".to_owned(), mcp(None)),
            ("/sse".to_owned(), sse(None)),
            ("/livez".to_owned(), Some(Route::Live)),
            ("/health/".to_owned(), Some(Route::Health)),
            ("/jwe-token-generator".to_owned(), Some(Route::Generator)),
            ("/jwe-token-generator/".to_owned(), Some(Route::Generator)),
            ("/jwe-token-generator//".to_owned(), None),
            ("/jwe-token-generator/x".to_owned(), None),
            (format!("/{TOKEN}"), mcp(Some(TOKEN))),
            (format!("/{TOKEN}/"), mcp(Some(TOKEN))),
            (format!("/{TOKEN}/mcp"), mcp(Some(TOKEN))),
            (format!("/{TOKEN}/http"), mcp(Some(TOKEN))),
            (format!("/{TOKEN}/sse/"), sse(Some(TOKEN))),
            (format!("/{TOKEN}/openapi"), rest(Some(TOKEN), RestPath::Schema)),
            (format!("/{TOKEN}/openapi/"), rest(Some(TOKEN), RestPath::Schema)),
            (format!("/{TOKEN}/openapi/execute_query"), rest(Some(TOKEN), tool("execute_query"))),
            (format!("/{TOKEN}/openapi/a/b"), rest(Some(TOKEN), tool("a/b"))),
            (format!("/{TOKEN}/openapix"), None),
            (format!("/{TOKEN}/admin"), None),
            (format!("/{TOKEN}/jwe-token-generator"), None),
            (format!("/x/{TOKEN}"), None),
            ("/openapi".to_owned(), rest(None, RestPath::Schema)),
            ("/openapi/".to_owned(), rest(None, RestPath::Schema)),
            ("/openapi/execute_query".to_owned(), rest(None, tool("execute_query"))),
            ("/openapi/execute_query/".to_owned(), rest(None, tool("execute_query"))),
            ("/openapi//".to_owned(), rest(None, tool(""))),
            (format!("/openapi/{TOKEN}"), rest(None, tool(TOKEN))),
            ("/openapix".to_owned(), None),
            ("/openapi%2Fexecute_query".to_owned(), None),
            ("/favicon.ico".to_owned(), None),
            ("/mcp/x".to_owned(), None),
            ("//mcp".to_owned(), None),
        ] {
            assert_eq!(Route::parse(&path, true), wanted, "{path}");
        }
        assert_eq!(Route::parse(&format!("/{TOKEN}"), false), None);
        assert_eq!(Route::parse(&format!("/{TOKEN}/openapi"), false), None);
    }

    #[test]
    fn tokens_are_recognised_as_urls_write_them() {
        for (segment, token) in [
            (TOKEN.replacen('.', "%2E", 1), TOKEN.to_owned()),
            (TOKEN.replacen('.', "%0A%20.", 1), TOKEN.replacen('.', "\n .", 1)),
            (format!("%20{TOKEN}%09"), format!(" {TOKEN}\t")),
            ("e%20yJ".to_owned(), "e yJ".to_owned()),
            ("{\"protected\":\"x\"}".to_owned(), "{\"protected\":\"x\"}".to_owned()),
            ("%7B%22protected%22%3A%22x%2F%22%7D".to_owned(), "{\"protected\":\"x/\"}".to_owned()),
            ("%0a{".to_owned(), "\n{".to_owned()),
        ] {
            assert_eq!(Route::parse(&format!("/{segment}/mcp"), true), mcp(Some(&token)), "{segment}");
        }
    }

    #[test]
    fn damaged_tokens_are_still_tokens() {
        for segment in [
            "eyJ".to_owned(),
            TOKEN.replace('.', ""),
            TOKEN.replacen('.', "%FF", 1),
            TOKEN.replacen('.', "%2", 1),
            TOKEN.replacen('.', "!", 1),
            format!("{TOKEN}=="),
            TOKEN[1..].to_owned(),
            "{".to_owned(),
        ] {
            let route = Route::parse(&format!("/{segment}"), true);
            assert!(matches!(route, Some(Route::Mcp { token: Some(_), .. })), "{segment}");
        }
        for segment in ["robots.txt", "a-name-that-is-longer-than-32-characters", "x%7B"] {
            assert_eq!(Route::parse(&format!("/{segment}"), true), None, "{segment}");
        }
    }

    #[test]
    fn no_route_shows_its_token() {
        for (end, wanted) in [
            ("", "/{token}/mcp"),
            ("/sse", "/{token}/sse"),
            ("/openapi", "/{token}/openapi"),
            ("/openapi/x", "/{token}/openapi/{tool}"),
        ] {
            let route = Route::parse(&format!("/{TOKEN}{end}"), true).unwrap();
            assert_eq!(route.to_string(), wanted);
            assert!(!format!("{route:?}").contains("eyJ"));
        }
        let route = Route::parse(&format!("/openapi/{TOKEN}"), true).unwrap();
        assert_eq!(route.to_string(), "/openapi/{tool}");
    }
}
