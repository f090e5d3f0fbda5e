//! What can go wrong with a message, and what a stranger is told of it.
//!
//! [`Failure`] is what happened; [`Disclosure`] is what leaves the process. [`disclose`] is the only way from one
//! to the other, one exhaustive match, so that a leak shows in review of this file.

use serde_json::{Value, json};

use super::generator::GeneratorError;
use super::oauth::{Challenge, OAuthTrouble};
use super::rest::RestError;
use crate::identity::{BearerError, PolicyError};
use crate::jose::token::TokenError;
use crate::jsonrpc::{self, ErrorObject};
use crate::mcp::{MetaError, Revision, supported_versions};
use crate::oauth::TokenRefusal;
use crate::transport::guard::GuardError;
use crate::transport::headers::{HeadError, MismatchError};
use crate::transport::parameter_headers::ParameterError;

/// Why a message is not answered with a result, grouped by who can mend it.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The browser's page or the name it used is not let in.
    Guard(GuardError),
    /// There is nothing at this path.
    NoSuchPath,
    /// The path is one of the REST interface, which is switched off.
    NoRest,
    /// A call over REST.
    Rest(RestError),
    /// The path takes other methods only.
    Method {
        /// The value of `Allow`.
        allow: &'static str,
    },
    /// No token, or none that can be read.
    Bearer(BearerError),
    /// A token that does not open or has run out.
    Token(TokenError),
    /// A genuine token that grants nothing here.
    Policy(PolicyError),
    /// An OAuth token is missing or not good; where to get a better one.
    OAuth(OAuthTrouble, Box<Challenge>),
    /// Whether a token is good takes more questions than one request may ask.
    Unsettled,
    /// No token is made.
    Generator(GeneratorError),
    /// The head of the request.
    Head(HeadError),
    /// The body is longer than allowed, whatever was declared.
    BodyTooLarge(usize),
    /// The body took too long to arrive.
    BodyTooSlow,
    /// The body ended before its end.
    BodyBroken,
    /// The body has more JSON values than [`jsonrpc::MOST_VALUES`].
    TooManyValues,
    /// The body is not JSON.
    NotJson,
    /// The JSON is not a message.
    Malformed(&'static str),
    /// An array where none may be.
    Batch(&'static str),
    /// `_meta` lacks something.
    Meta(MetaError),
    /// Headers and body disagree.
    Mismatch(MismatchError),
    /// The header of a parameter and the parameter disagree.
    Parameter(ParameterError),
    /// The revision is not one that a request may name.
    Version {
        /// As the client wrote it.
        requested: String,
    },
    /// No such method in this revision.
    NoSuchMethod(String),
    /// No such tool.
    NoSuchTool(String),
    /// No such prompt.
    NoSuchPrompt(String),
    /// No such resource, or none that this caller may see.
    NoSuchResource {
        /// As the client wrote it.
        uri: String,
        /// Which decides on the code.
        revision: Revision,
    },
    /// The parameters do not fit.
    Params(String),
    /// A method other than a tool could not be done; the text is for whoever asked.
    NotDone(String),
    /// The request cannot be done without something that the client has not declared.
    MissingCapability {
        /// As the client would declare it.
        required: Value,
    },
    /// A request outside of a session where one is needed.
    NoSession,
    /// The older transport, where nothing outlives a request.
    NoStreams,
    /// A session that is not there, any more or for this caller.
    UnknownSession,
    /// Somebody has as many streams open as they may.
    TooManyStreams,
    /// All together have.
    Busy,
    /// A line-based stream without a handshake and without `_meta`.
    NoHandshake,
    /// The token of a line-based stream has run out.
    SessionExpired,
}

impl From<RestError> for Failure {
    fn from(error: RestError) -> Self {
        Self::Rest(error)
    }
}

impl From<GeneratorError> for Failure {
    fn from(error: GeneratorError) -> Self {
        Self::Generator(error)
    }
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Disclosure {
    /// The HTTP status in the stateless revisions, and for everything before a message is known.
    pub status: u16,
    /// The error object, for an error within JSON-RPC.
    pub rpc: Option<ErrorObject>,
    /// The plain text, for an error before JSON-RPC.
    pub text: String,
    /// `WWW-Authenticate` (RFC 6750 section 3).
    pub challenge: Option<String>,
    /// `Allow` (RFC 9110 section 15.5.6).
    pub allow: Option<&'static str>,
    /// `Retry-After` in seconds (RFC 9110 section 10.2.3).
    pub retry_after: Option<u64>,
}

/// Why a request was refused, in words for the operator's log; it travels in the answer's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl Refusal {
    /// The reason with the detail that a stranger is not told. It holds no token, no secret and no statement.
    pub(super) fn of(failure: &Failure) -> Self {
        if let Failure::Token(error) = failure {
            return Self(error.to_string());
        }
        // What a caller or ClickHouse says of a call may hold parts of the statement.
        if let Failure::Rest(error) = failure {
            return Self(match error {
                RestError::NoSuchTool(_) => "there is no such tool".to_owned(),
                RestError::Query(_) => "the query of the URL does not fit".to_owned(),
                RestError::Failed { blame, reason: _ } => format!("the call failed: {blame:?}"),
                RestError::Null(_) => "an argument is null".to_owned(),
                RestError::OtherSite | RestError::NotAnObject => error.to_string(),
            });
        }
        match failure {
            Failure::OAuth(OAuthTrouble::Unavailable(reason), _) => return Self(reason.clone()),
            Failure::OAuth(OAuthTrouble::Refused(refusal), _) => {
                let detail = std::error::Error::source(refusal).map(ToString::to_string);
                return Self(match detail {
                    Some(detail) => format!("{refusal}: {detail}"),
                    None => refusal.to_string(),
                });
            }
            _ => {}
        }
        if let Failure::Generator(GeneratorError::WrongBearer { configured: false }) = failure {
            return Self("a bearer token was given, but `server.jwe.generator_token` is not set".to_owned());
        }
        Self(disclose(failure).text)
    }
}

/// What a failure looks like from outside.
pub fn disclose(failure: &Failure) -> Disclosure {
    let rpc = |status, code, message: String| Disclosure {
        status,
        rpc: Some(ErrorObject { code, message, data: None }),
        text: String::new(),
        challenge: None,
        allow: None,
        retry_after: None,
    };
    match failure {
        Failure::Guard(error) => plain(403, error.to_string()),
        Failure::NoSuchPath => plain(404, "there is nothing here: the MCP endpoint is /mcp".into()),
        Failure::NoRest => plain(404, "the REST interface is switched off: the MCP endpoint is /mcp".into()),
        Failure::Method { allow } => {
            Disclosure { allow: Some(allow), ..plain(405, format!("this path takes {allow} only")) }
        }
        Failure::Bearer(BearerError::Missing) => challenged(401, "", "a bearer token is needed"),
        Failure::Bearer(error @ BearerError::Malformed(_)) => {
            challenged(400, "invalid_request", &error.to_string())
        }
        Failure::Token(error) => challenged(401, "invalid_token", &error.public_reason()),
        // What may be impersonated is the operator's policy, and the caller has proved who they are: they may know.
        Failure::Policy(
            error @ (PolicyError::NoIdentity
            | PolicyError::EndpointWithoutLogin
            | PolicyError::PasswordWithoutUsername),
        ) => challenged(401, "invalid_token", &error.to_string()),
        Failure::Policy(
            error @ (PolicyError::Identity(_)
            | PolicyError::EmailNotVerified
            | PolicyError::GeneratorOff
            | PolicyError::Roles
            | PolicyError::Admission(_)
            | PolicyError::Protocol
            | PolicyError::Server(_)),
        ) => plain(403, error.to_string()),
        Failure::OAuth(trouble, challenge) => oauth(trouble, challenge),
        Failure::Unsettled => Disclosure {
            retry_after: Some(15),
            ..plain(503, "the access token cannot be judged now: try again later".into())
        },
        Failure::Generator(error) => generator(error),
        Failure::Rest(RestError::NoSuchTool(name)) => {
            let cut: String = name.chars().take(64).collect();
            plain(404, RestError::NoSuchTool(cut).to_string())
        }
        Failure::Rest(error @ RestError::OtherSite) => plain(403, error.to_string()),
        Failure::Rest(error @ (RestError::Query(_) | RestError::NotAnObject | RestError::Null(_))) => {
            plain(400, error.to_string())
        }
        Failure::Rest(RestError::Failed { blame, reason }) => plain(blame.status(), reason.clone()),
        Failure::Head(
            error @ (HeadError::NotAcceptable
            | HeadError::NotJsonAcceptable
            | HeadError::NotEventsAcceptable),
        ) => plain(406, error.to_string()),
        Failure::Head(error @ HeadError::UnsupportedMediaType) => plain(415, error.to_string()),
        Failure::Head(error @ HeadError::TooLarge(_)) => plain(413, error.to_string()),
        Failure::BodyTooLarge(most) => plain(413, HeadError::TooLarge(*most).to_string()),
        Failure::BodyTooSlow => plain(408, "the body took too long".into()),
        Failure::BodyBroken => plain(400, "the body broke off".into()),
        Failure::TooManyValues => rpc(
            413,
            jsonrpc::INVALID_REQUEST,
            format!("the JSON may have {} values at most", jsonrpc::MOST_VALUES),
        ),
        Failure::NotJson => rpc(400, jsonrpc::PARSE_ERROR, "the message is not JSON".into()),
        Failure::Malformed(reason) | Failure::Batch(reason) => {
            rpc(400, jsonrpc::INVALID_REQUEST, (*reason).to_owned())
        }
        Failure::Meta(error) => rpc(400, jsonrpc::INVALID_PARAMS, error.to_string()),
        Failure::Mismatch(error) => rpc(400, jsonrpc::HEADER_MISMATCH, error.to_string()),
        Failure::Parameter(error) => rpc(400, jsonrpc::HEADER_MISMATCH, error.to_string()),
        Failure::Version { requested } => {
            let message = format!("the protocol version {} is not supported", shortened(requested));
            let data = json!({ "supported": supported_versions(), "requested": requested });
            with_data(rpc(400, jsonrpc::UNSUPPORTED_PROTOCOL_VERSION, message), data)
        }
        Failure::NoSuchMethod(method) => {
            rpc(404, jsonrpc::METHOD_NOT_FOUND, format!("there is no method {}", shortened(method)))
        }
        Failure::NoSuchTool(name) => {
            rpc(200, jsonrpc::INVALID_PARAMS, format!("there is no tool {}", shortened(name)))
        }
        Failure::NoSuchPrompt(name) => {
            rpc(200, jsonrpc::INVALID_PARAMS, format!("there is no prompt {}", shortened(name)))
        }
        Failure::NoSuchResource { uri, revision } => {
            let code = match revision.has_own_code_for_absent_resources() {
                true => jsonrpc::RESOURCE_NOT_FOUND,
                false => jsonrpc::INVALID_PARAMS,
            };
            let message = format!("there is no resource {}", shortened(uri));
            let uri: String = uri.chars().take(LONGEST_URI).collect();
            with_data(rpc(200, code, message), json!({ "uri": uri }))
        }
        Failure::Params(reason) => rpc(200, jsonrpc::INVALID_PARAMS, reason.clone()),
        Failure::NotDone(reason) => rpc(200, jsonrpc::INTERNAL_ERROR, reason.clone()),
        // MCP 2026-07-28, error codes.
        Failure::MissingCapability { required } => with_data(
            rpc(
                400,
                jsonrpc::MISSING_CLIENT_CAPABILITY,
                "this cannot be done without asking, and the client has not declared that it can be asked".into(),
            ),
            json!({ "requiredCapabilities": required }),
        ),
        // MCP 2025-11-25, transports, session management.
        Failure::NoSession => plain(400, "the header Mcp-Session-Id is missing: send `initialize` first".into()),
        Failure::UnknownSession => plain(404, "there is no such session: send `initialize` again".into()),
        Failure::NoStreams => Disclosure {
            allow: Some("POST"),
            ..plain(
                405,
                "this server keeps nothing from one request to the next, so it has no event streams: POST messages \
                 here (streamable HTTP)"
                    .into(),
            )
        },
        Failure::TooManyStreams => Disclosure {
            retry_after: Some(5),
            ..plain(429, "this caller has too many streams open: close one".into())
        },
        Failure::Busy => Disclosure {
            retry_after: Some(5),
            ..plain(503, "too many streams are open: try again later".into())
        },
        Failure::NoHandshake => {
            let message =
                "send `initialize` first, or give every request its `params._meta` (MCP 2026-07-28)";
            rpc(400, jsonrpc::INVALID_PARAMS, message.into())
        }
        Failure::SessionExpired => rpc(
            401,
            jsonrpc::TOKEN_EXPIRED,
            "the token of this session has expired: start it with a new one".into(),
        ),
    }
}

/// Strangers are told what they would need; none of the texts holds what they sent, but for names of fields.
fn generator(error: &GeneratorError) -> Disclosure {
    let text = error.to_string();
    match error {
        GeneratorError::JweOff
        | GeneratorError::Impersonation
        | GeneratorError::NotOwn { .. }
        | GeneratorError::Reserved { .. }
        | GeneratorError::StrangersPolicy(_) => plain(403, text),
        GeneratorError::TooMany { seconds } => Disclosure { retry_after: Some(*seconds), ..plain(429, text) },
        // Whether a bearer token is configured is nobody's business.
        GeneratorError::WrongBearer { configured: _ } => challenged(401, "invalid_token", &text),
        GeneratorError::OtherScheme => challenged(401, "", &text),
        GeneratorError::Wish(_) | GeneratorError::BearersPolicy(_) | GeneratorError::Unsealed(_) => {
            plain(400, text)
        }
    }
}

/// What a client without a good OAuth token is told: always where to find out how to get one (RFC 9728 section 5.1), and
/// what is wrong with the one that it has, if it has one (RFC 6750 section 3.1).
fn oauth(trouble: &OAuthTrouble, challenge: &Challenge) -> Disclosure {
    let (status, error, text) = match trouble {
        OAuthTrouble::Missing => (401, "", "an OAuth access token is needed".to_owned()),
        OAuthTrouble::Malformed(name) => (400, "invalid_request", BearerError::Malformed(name).to_string()),
        OAuthTrouble::Refused(refusal @ TokenRefusal::Scope) => {
            (403, "insufficient_scope", refusal.to_string())
        }
        OAuthTrouble::Refused(refusal) => (401, "invalid_token", refusal.to_string()),
        OAuthTrouble::Unavailable(_) => {
            let text =
                "the access token cannot be judged now: the identity provider does not answer".to_owned();
            return Disclosure { retry_after: Some(15), ..plain(503, text) };
        }
    };
    let mut told = challenged(status, error, &text);
    if let Some(header) = &mut told.challenge {
        let Challenge { resource_metadata, scope } = challenge;
        let quoted = |text: &str| text.replace(['"', '\\'], "");
        header.push_str(&format!(", resource_metadata=\"{}\"", quoted(resource_metadata)));
        if !scope.is_empty() {
            header.push_str(&format!(", scope=\"{}\"", quoted(scope)));
        }
    }
    told
}

fn plain(status: u16, text: String) -> Disclosure {
    Disclosure { status, rpc: None, text, challenge: None, allow: None, retry_after: None }
}

/// A refusal with its challenge. Without a token there is no `error` (RFC 6750 section 3.1).
fn challenged(status: u16, error: &str, description: &str) -> Disclosure {
    let challenge = if error.is_empty() {
        "Bearer realm=\"housekey\"".to_owned()
    } else {
        // RFC 6750 section 3 allows neither quotes nor backslashes in a description.
        let description = description.replace(['"', '\\'], "'").replace('`', "'");
        format!("Bearer realm=\"housekey\", error=\"{error}\", error_description=\"{description}\"")
    };
    Disclosure { challenge: Some(challenge), ..plain(status, description.to_owned()) }
}

fn with_data(mut disclosure: Disclosure, data: Value) -> Disclosure {
    if let Some(error) = &mut disclosure.rpc {
        error.data = Some(data);
    }
    disclosure
}

/// Characters of a client's URI that it is told back.
const LONGEST_URI: usize = 2048;

/// A client's own words, quoted and cut, so that an answer stays small.
fn shortened(text: &str) -> String {
    let cut: String = text.chars().take(64).collect();
    if cut.len() < text.len() { format!("{cut:?}…") } else { format!("{cut:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::generator::WishError;
    use crate::exchange::rest::{Blame, QueryError};
    use crate::identity::ChoiceError;
    use crate::sql::{DenyList, ImpersonatedUser};

    /// Every failure and all that leaves the process of it: a change here is a change of what strangers are told.
    #[test]
    fn what_is_told() {
        let denied = ImpersonatedUser::parse("default", &DenyList::new("gateway", &[], &[])).unwrap_err();
        let table = [
            (Failure::Guard(GuardError::Host), "403 the Host header is not one of `server.allowed_hosts`"),
            (Failure::Guard(GuardError::Origin), "403 the Origin is not one of `server.cors_origin`"),
            (Failure::NoSuchPath, "404 there is nothing here: the MCP endpoint is /mcp"),
            (Failure::NoRest, "404 the REST interface is switched off: the MCP endpoint is /mcp"),
            (Failure::Method { allow: "POST" }, "405 this path takes POST only | Allow: POST"),
            (
                Failure::Bearer(BearerError::Missing),
                "401 a bearer token is needed | Bearer realm=\"housekey\"",
            ),
            (
                Failure::Bearer(BearerError::Malformed("x-housekey-key")),
                "400 the x-housekey-key header must stand there once, as text | Bearer realm=\"housekey\", \
                 error=\"invalid_request\", error_description=\"the x-housekey-key header must stand there once, as text\"",
            ),
            (Failure::Token(TokenError::NonExpiring), &told_of(&TokenError::NonExpiring)),
            (
                Failure::Policy(PolicyError::NoIdentity),
                "401 the token names neither a username nor an identity (`email` or `sub`) | Bearer realm=\"housekey\", \
                 error=\"invalid_token\", error_description=\"the token names neither a username nor an identity \
                 ('email' or 'sub')\"",
            ),
            (
                Failure::Policy(PolicyError::EndpointWithoutLogin),
                "401 a token that names a host, a port, a protocol or TLS must bring its own username and password | \
                 Bearer realm=\"housekey\", error=\"invalid_token\", error_description=\"a token that names a host, a \
                 port, a protocol or TLS must bring its own username and password\"",
            ),
            (
                Failure::Policy(PolicyError::PasswordWithoutUsername),
                "401 the token has a password without a username | Bearer realm=\"housekey\", error=\"invalid_token\", \
                 error_description=\"the token has a password without a username\"",
            ),
            (
                Failure::Policy(PolicyError::GeneratorOff),
                "403 the token was made by `/jwe-token-generator`, which is switched off",
            ),
            (Failure::Policy(PolicyError::Identity(denied.clone())), &format!("403 {denied}")),
            (Failure::Policy(PolicyError::EmailNotVerified), "403 the token's `email` is not verified"),
            (
                Failure::Policy(PolicyError::Protocol),
                "403 the token's `protocol` is \"tcp\", which works on the native host only",
            ),
            (
                Failure::Policy(PolicyError::Server(ChoiceError::NotAllowed)),
                "403 the token names a ClickHouse server that `server.jwe.allowed_hosts` does not list",
            ),
            (
                Failure::Head(HeadError::NotAcceptable),
                "406 Accept must allow application/json or text/event-stream",
            ),
            (Failure::Head(HeadError::UnsupportedMediaType), "415 Content-Type must be application/json"),
            (Failure::Head(HeadError::TooLarge(9)), "413 the body may have 9 bytes at most"),
            (Failure::Head(HeadError::NotJsonAcceptable), "406 Accept must allow application/json"),
            (Failure::BodyTooSlow, "408 the body took too long"),
            (Failure::BodyBroken, "400 the body broke off"),
            (
                Failure::Rest(RestError::NoSuchTool("x\"".into())),
                "404 there is no tool \"x\\\"\": /openapi lists what there is",
            ),
            (Failure::Rest(RestError::OtherSite), "403 a page of another site may not have this fetched"),
            (
                Failure::Rest(RestError::Query(QueryError::Unknown("sql".into()))),
                "400 there is no query parameter \"sql\"",
            ),
            (
                Failure::Rest(RestError::NotAnObject),
                "400 the body must be a JSON object: the arguments by their names",
            ),
            (Failure::Rest(RestError::Null("a".into())), "400 `a` is null: leave it out"),
            (Failure::Rest(RestError::Failed { blame: Blame::Rights, reason: "no".into() }), "403 no"),
            (Failure::BodyTooLarge(9), "413 the body may have 9 bytes at most"),
            (Failure::TooManyValues, "413 -32600 the JSON may have 200000 values at most"),
            (Failure::NotJson, "400 -32700 the message is not JSON"),
            (Failure::Malformed("x"), "400 -32600 x"),
            (Failure::Batch("x"), "400 -32600 x"),
            (
                Failure::Meta(MetaError::Version),
                "400 -32602 `params._meta` must say `io.modelcontextprotocol/protocolVersion`, a string such as \
                 \"2026-07-28\"",
            ),
            (
                Failure::Mismatch(MismatchError::Missing("mcp-method")),
                "400 -32020 the header mcp-method is missing",
            ),
            (
                Failure::Version { requested: "1".into() },
                "400 -32022 the protocol version \"1\" is not supported {\"requested\":\"1\",\"supported\":[\"2026-07-28\"]}",
            ),
            (
                Failure::NoSuchMethod("a\n".repeat(99)),
                &format!("404 -32601 there is no method {:?}…", "a\n".repeat(32)),
            ),
            (Failure::NoSuchTool("x".into()), "200 -32602 there is no tool \"x\""),
            (Failure::NoSuchPrompt("x".into()), "200 -32602 there is no prompt \"x\""),
            (
                Failure::NoSuchResource { uri: "x:y".into(), revision: Revision::V2025_11_25 },
                "200 -32002 there is no resource \"x:y\" {\"uri\":\"x:y\"}",
            ),
            (
                Failure::NoSuchResource { uri: "x:y".into(), revision: Revision::V2026_07_28 },
                "200 -32602 there is no resource \"x:y\" {\"uri\":\"x:y\"}",
            ),
            (Failure::Params("x".into()), "200 -32602 x"),
            (Failure::NotDone("x".into()), "200 -32603 x"),
            (
                Failure::Parameter(ParameterError::Missing("region".into())),
                "400 -32020 the header Mcp-Param-region is missing",
            ),
            (
                Failure::MissingCapability { required: json!({ "sampling": {} }) },
                "400 -32021 this cannot be done without asking, and the client has not declared that it can be asked \
                 {\"requiredCapabilities\":{\"sampling\":{}}}",
            ),
            (Failure::NoSession, "400 the header Mcp-Session-Id is missing: send `initialize` first"),
            (
                Failure::NoStreams,
                "405 this server keeps nothing from one request to the next, so it has no event streams: POST messages \
                 here (streamable HTTP) | Allow: POST",
            ),
            (Failure::Head(HeadError::NotEventsAcceptable), "406 Accept must allow text/event-stream"),
            (Failure::UnknownSession, "404 there is no such session: send `initialize` again"),
            (
                Failure::TooManyStreams,
                "429 this caller has too many streams open: close one | Retry-After: 5",
            ),
            (Failure::Busy, "503 too many streams are open: try again later | Retry-After: 5"),
            (
                Failure::NoHandshake,
                "400 -32602 send `initialize` first, or give every request its `params._meta` (MCP 2026-07-28)",
            ),
            (
                Failure::SessionExpired,
                "401 401 the token of this session has expired: start it with a new one",
            ),
        ];
        for (failure, wanted) in table {
            assert_eq!(told(&disclose(&failure)), wanted, "{failure:?}");
        }
    }

    #[test]
    fn what_is_told_of_the_generator() {
        let wrong_bearer = "401 the bearer token is not the one of the token generator | Bearer realm=\"housekey\", \
                            error=\"invalid_token\", error_description=\"the bearer token is not the one of the \
                            token generator\"";
        let table = [
            (GeneratorError::JweOff, "403 JWE authentication is not enabled"),
            (
                GeneratorError::TooMany { seconds: 7 },
                "429 too many tokens were asked for: try again later | Retry-After: 7",
            ),
            (GeneratorError::WrongBearer { configured: true }, wrong_bearer),
            (GeneratorError::WrongBearer { configured: false }, wrong_bearer),
            (
                GeneratorError::OtherScheme,
                "401 the token generator takes no other `Authorization` than its bearer token | Bearer \
                 realm=\"housekey\"",
            ),
            (
                GeneratorError::Impersonation,
                "403 while people are impersonated, tokens are made for the generator's bearer token only",
            ),
            (GeneratorError::Wish(WishError::NotJson), "400 the body is not JSON"),
            (
                GeneratorError::NotOwn { field: "password" },
                "403 without the generator's bearer token, a token must carry its own `host`, `username` and \
                 `password`: `password` is missing",
            ),
            (GeneratorError::Reserved { field: "email" }, "403 `email` needs the generator's bearer token"),
            (
                GeneratorError::StrangersPolicy(PolicyError::Protocol),
                "403 this server would refuse such a token: the token's `protocol` is \"tcp\", which works on the native host only",
            ),
            (
                GeneratorError::BearersPolicy(PolicyError::NoIdentity),
                "400 this server would refuse such a token: the token names neither a username nor an identity \
                 (`email` or `sub`)",
            ),
            (
                GeneratorError::Unsealed(TokenError::NonExpiring),
                "400 no token can be made of this: the token never expires",
            ),
        ];
        for (error, wanted) in table {
            assert_eq!(told(&disclose(&error.clone().into())), wanted, "{error:?}");
        }
        let unset = Refusal::of(&GeneratorError::WrongBearer { configured: false }.into());
        assert!(unset.0.contains("server.jwe.generator_token"), "the operator hears more");
    }

    fn told_of(error: &TokenError) -> String {
        let reason = error.public_reason();
        format!(
            "401 {reason} | Bearer realm=\"housekey\", error=\"invalid_token\", error_description=\"{}\"",
            reason.replace('`', "'")
        )
    }

    fn told(disclosure: &Disclosure) -> String {
        let mut text = disclosure.status.to_string();
        match &disclosure.rpc {
            Some(error) => {
                text.push_str(&format!(" {} {}", error.code, error.message));
                text.extend(error.data.iter().map(|data| format!(" {data}")));
            }
            None => text.push_str(&format!(" {}", disclosure.text)),
        }
        text.extend(disclosure.challenge.iter().map(|challenge| format!(" | {challenge}")));
        text.extend(disclosure.allow.iter().map(|allow| format!(" | Allow: {allow}")));
        text.extend(disclosure.retry_after.iter().map(|seconds| format!(" | Retry-After: {seconds}")));
        text
    }
}
