//! The error answers of the OAuth endpoints (RFC 6749 sections 4.1.2.1 and 5.2, RFC 7591 section 3.2.2, RFC 8707).

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

/// The word for what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OAuthCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    InvalidRedirectUri,
    InvalidClientMetadata,
    UnsupportedGrantType,
    AccessDenied,
    ServerError,
    TemporarilyUnavailable,
}

impl OAuthCode {
    /// The word as it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::AccessDenied => StatusCode::FORBIDDEN,
            Self::ServerError => StatusCode::BAD_GATEWAY,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::InvalidRedirectUri
            | Self::InvalidClientMetadata
            | Self::UnsupportedGrantType => StatusCode::BAD_REQUEST,
        }
    }
}

/// An error as a client is told it. It holds no token, no code and no secret, and nothing that a peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(crate) code: OAuthCode,
    /// What to change, without quotes and backslashes (RFC 6749 section 5.2).
    pub(crate) description: String,
    /// What only the operator is told, if it is more.
    pub(crate) detail: Option<String>,
}

impl OAuthError {
    pub(crate) fn new(code: OAuthCode, description: impl Into<String>) -> Self {
        let description = description.into().replace(['"', '\\', '`'], "'");
        Self { code, description, detail: None }
    }

    /// With what the operator's log says in place of the description.
    pub(crate) fn because(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// What the operator's log says.
    pub(crate) fn reason(&self) -> String {
        let detail = self.detail.as_ref().unwrap_or(&self.description);
        format!("{}: {detail}", self.code.as_str())
    }

    /// The answer to a client that asked directly.
    pub(crate) fn to_json_answer(&self) -> Response<Bytes> {
        let text = json!({ "error": self.code.as_str(), "error_description": self.description }).to_string();
        json_answer(self.code.status(), text)
    }
}

/// A JSON answer that nobody keeps.
pub(crate) fn json_answer(status: StatusCode, text: String) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(text));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    answer
}
