//! `params._meta` of a request in the stateless revisions.

use serde_json::Value;

use super::{CLIENT_CAPABILITIES_KEY, LOG_LEVEL_KEY, LogLevel, PROTOCOL_VERSION_KEY};
use crate::jsonrpc::Params;
use crate::trace::TraceContext;

/// What every request of MCP 2026-07-28 carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// The revision as the client wrote it; it may be one that Housekey does not know.
    pub protocol_version: String,
    /// The client's capabilities for this request.
    pub client_capabilities: Value,
}

/// Why `_meta` does not do (MCP 2026-07-28, basic/index: each is `-32602`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// There is none, or it is no object.
    #[error("`params._meta` must be an object with `{PROTOCOL_VERSION_KEY}` and `{CLIENT_CAPABILITIES_KEY}`")]
    Missing,
    /// The revision is missing or no string.
    #[error("`params._meta` must say `{PROTOCOL_VERSION_KEY}`, a string such as \"2026-07-28\"")]
    Version,
    /// The capabilities are missing or no object.
    #[error("`params._meta` must say `{CLIENT_CAPABILITIES_KEY}`, an object; `{{}}` will do")]
    Capabilities,
    /// The log level is not one of the eight.
    #[error(
        "`{LOG_LEVEL_KEY}` must be one of debug, info, notice, warning, error, critical, alert, emergency"
    )]
    LogLevel,
}

impl Meta {
    /// Whether the request speaks of a revision at all, which makes it a stateless one.
    pub fn is_present(params: &Params) -> bool {
        params.get("_meta").and_then(|meta| meta.get(PROTOCOL_VERSION_KEY)).is_some()
    }

    /// The required members.
    pub fn parse(params: &Params) -> Result<Self, MetaError> {
        let meta = params.get("_meta").and_then(Value::as_object).ok_or(MetaError::Missing)?;
        let protocol_version =
            meta.get(PROTOCOL_VERSION_KEY).and_then(Value::as_str).ok_or(MetaError::Version)?.to_owned();
        let client_capabilities = meta
            .get(CLIENT_CAPABILITIES_KEY)
            .filter(|capabilities| capabilities.is_object())
            .ok_or(MetaError::Capabilities)?
            .clone();
        if let Some(level) = meta.get(LOG_LEVEL_KEY)
            && level.as_str().and_then(LogLevel::parse).is_none()
        {
            return Err(MetaError::LogLevel);
        }
        Ok(Self { protocol_version, client_capabilities })
    }
}

/// The least level of the log that a stateless request wants to hear; without it, none is sent (MCP 2026-07-28,
/// utilities/logging).
pub fn log_level(params: &Params) -> Option<LogLevel> {
    LogLevel::parse(params.get("_meta")?.get(LOG_LEVEL_KEY)?.as_str()?)
}

/// The progress token of a request in any revision, with its JSON type.
pub fn progress_token(params: &Params) -> Option<Value> {
    let token = params.get("_meta")?.get("progressToken")?;
    (token.is_string() || token.is_i64() || token.is_u64()).then(|| token.clone())
}

/// Where the request stands in a trace, if its `_meta` says so (MCP SEP-414), in any revision.
pub fn trace_context(params: &Params) -> Option<TraceContext> {
    let meta = params.get("_meta")?;
    let state = meta.get("tracestate").and_then(Value::as_str);
    TraceContext::parse(meta.get("traceparent")?.as_str()?, state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(meta: Value) -> Result<Meta, MetaError> {
        Meta::parse(json!({ "_meta": meta }).as_object().unwrap())
    }

    #[test]
    fn every_required_member_is_demanded() {
        let good = json!({ PROTOCOL_VERSION_KEY: "2026-07-28", CLIENT_CAPABILITIES_KEY: {} });
        assert!(parse(good).is_ok());
        for (meta, error) in [
            (Value::Null, MetaError::Missing),
            (json!([]), MetaError::Missing),
            (json!({ CLIENT_CAPABILITIES_KEY: {} }), MetaError::Version),
            (json!({ PROTOCOL_VERSION_KEY: 1, CLIENT_CAPABILITIES_KEY: {} }), MetaError::Version),
            (json!({ PROTOCOL_VERSION_KEY: "2026-07-28" }), MetaError::Capabilities),
            (json!({ PROTOCOL_VERSION_KEY: "x", CLIENT_CAPABILITIES_KEY: [] }), MetaError::Capabilities),
            (
                json!({ PROTOCOL_VERSION_KEY: "x", CLIENT_CAPABILITIES_KEY: {}, LOG_LEVEL_KEY: "loud" }),
                MetaError::LogLevel,
            ),
        ] {
            assert_eq!(parse(meta), Err(error));
        }
    }

    #[test]
    fn a_trace_is_two_strings() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let read = |meta: Value| trace_context(json!({ "_meta": meta }).as_object().unwrap());
        let trace = read(json!({ "traceparent": parent, "tracestate": "a=b" })).unwrap();
        assert_eq!((trace.parent().as_str(), trace.state.as_str()), (parent, "a=b"));
        assert_eq!(read(json!({ "traceparent": parent, "tracestate": ["a=b"] })).unwrap().state, "");
        for meta in [json!({ "tracestate": "a=b" }), json!({ "traceparent": [parent] }), json!(parent)] {
            assert_eq!(read(meta), None);
        }
    }

    #[test]
    fn a_progress_token_is_a_string_or_an_integer() {
        for (token, taken) in [(json!("a"), true), (json!(7), true), (json!(1.5), false), (json!({}), false)]
        {
            let params = json!({ "_meta": { "progressToken": token.clone() } });
            assert_eq!(progress_token(params.as_object().unwrap()), taken.then_some(token));
        }
    }
}
