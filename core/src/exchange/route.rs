//! Which path means what. A token in a path is taken out here, once, and never shown again.

use std::fmt;

use crate::secret::Secret;

/// Where a request is headed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The MCP endpoint: `/`, `/mcp`, `/http`, or the same below a token.
    Mcp {
        /// The token of the path.
        token: Option<Secret<String>>,
    },
    /// `/livez`: the process answers.
    Live,
    /// `/health`: the process can do its work.
    Health,
}

impl Route {
    /// The route of a path; `None` where there is nothing. One trailing slash does not count.
    pub fn parse(path: &str, tokens_in_paths: bool) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let rest = match path {
            "/livez" => return Some(Self::Live),
            "/health" => return Some(Self::Health),
            "" | "/mcp" | "/http" => return Some(Self::Mcp { token: None }),
            _ => path.strip_prefix('/')?,
        };
        let (token, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let is_endpoint = matches!(rest, "" | "mcp" | "http");
        if tokens_in_paths && is_endpoint && looks_like_a_token(token) {
            return Some(Self::Mcp { token: Some(Secret::from(token)) });
        }
        None
    }
}

/// The route as logs and metrics may show it.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mcp { token: None } => "/mcp",
            Self::Mcp { token: Some(_) } => "/{token}/mcp",
            Self::Live => "/livez",
            Self::Health => "/health",
        })
    }
}

/// Five parts of base64url (RFC 7516 section 3.1), or something that starts like one: a damaged token gets the
/// answer that a token gets, not that of an unknown path.
fn looks_like_a_token(segment: &str) -> bool {
    segment.len() >= 32
        && segment.contains('.')
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_routes() {
        let token = "eyJhbGciOiJBMjU2S1ciLCJlbmMiOi.aaaa.bbbb.cccc.dddd";
        let mcp = |token: Option<&str>| Some(Route::Mcp { token: token.map(Secret::from) });
        for (path, wanted) in [
            ("/".to_owned(), mcp(None)),
            ("/mcp".to_owned(), mcp(None)),
            ("/mcp/".to_owned(), mcp(None)),
            ("/http".to_owned(), mcp(None)),
            ("/livez".to_owned(), Some(Route::Live)),
            ("/health/".to_owned(), Some(Route::Health)),
            (format!("/{token}"), mcp(Some(token))),
            (format!("/{token}/"), mcp(Some(token))),
            (format!("/{token}/mcp"), mcp(Some(token))),
            (format!("/{token}/http"), mcp(Some(token))),
            (format!("/{token}/admin"), None),
            ("/favicon.ico".to_owned(), None),
            ("/mcp/x".to_owned(), None),
            ("//mcp".to_owned(), None),
        ] {
            assert_eq!(Route::parse(&path, true), wanted, "{path}");
        }
        assert_eq!(Route::parse(&format!("/{token}"), false), None);
        assert_eq!(Route::parse(&format!("/{token}"), true).unwrap().to_string(), "/{token}/mcp");
    }
}
