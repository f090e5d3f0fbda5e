//! JSON-RPC 2.0 as MCP narrows it: ids are strings or integers, parameters are objects, and a batch is only legal
//! in one revision.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

/// The text is not JSON (JSON-RPC 2.0 section 5.1).
pub const PARSE_ERROR: i32 = -32700;
/// The JSON is not a request (JSON-RPC 2.0 section 5.1).
pub const INVALID_REQUEST: i32 = -32600;
/// No such method (JSON-RPC 2.0 section 5.1).
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The parameters do not fit the method (JSON-RPC 2.0 section 5.1).
pub const INVALID_PARAMS: i32 = -32602;
/// The server is at fault (JSON-RPC 2.0 section 5.1).
pub const INTERNAL_ERROR: i32 = -32603;
/// No such resource (MCP 2025-11-25, server/resources, and before).
pub const RESOURCE_NOT_FOUND: i32 = -32002;
/// Headers and body disagree (MCP 2026-07-28, transports).
pub const HEADER_MISMATCH: i32 = -32020;
/// The request needs a capability that the client did not declare (MCP 2026-07-28).
pub const MISSING_CLIENT_CAPABILITY: i32 = -32021;
/// No such protocol version (MCP 2026-07-28, versioning).
pub const UNSUPPORTED_PROTOCOL_VERSION: i32 = -32022;
/// Housekey's own: the caller's token has run out. Outside the range that JSON-RPC reserves.
pub const TOKEN_EXPIRED: i32 = 401;

/// Values that the JSON of a body may have: as a tree each takes up to 100 bytes, and a sandbox that runs out of
/// memory ends without an answer.
pub const MOST_VALUES: usize = 200_000;

/// Whether a JSON text has few enough values to become a tree. Texts count once, however long they are.
pub fn fits_in_memory(json: &[u8]) -> bool {
    let (mut values, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    values <= MOST_VALUES
}

/// A JSON text as a value, in which no object has a member twice.
///
/// Readers differ in which of two they take, so an intermediary could route by one what is answered by the other
/// (RFC 8259 section 4).
///
/// # Errors
/// The text is not JSON or, with [`serde_json::error::Category::Data`], a member stands twice.
pub fn parse_unique(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Unique>(text).map(|unique| unique.0)
}

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without doubled members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Unique(member))) = members.next_entry::<String, Unique>()? {
            if map.insert(name, member).is_some() {
                return Err(serde::de::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

/// The id of a request: a string or an integer, never null (MCP, base protocol).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestId {
    /// An integer.
    Number(i64),
    /// A string.
    Text(String),
}

impl RequestId {
    /// The id as a log may show it: its beginning, in quotes, with nothing that could end a line.
    pub fn for_log(&self) -> String {
        let text = match self {
            Self::Number(number) => return number.to_string(),
            Self::Text(text) => text,
        };
        let cut: String = text.chars().take(64).collect();
        format!("{cut:?}")
    }

    /// The id that a JSON value stands for, if it is one.
    pub fn parse(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_i64().map(Self::Number),
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The id as a JSON value of its own type.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Number(number) => json!(number),
            Self::Text(text) => json!(text),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The parameters of a request or notification; empty when there were none.
pub type Params = Map<String, Value>;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A request, which wants a response.
    Request {
        /// Its id.
        id: RequestId,
        /// The method.
        method: String,
        /// The parameters.
        params: Params,
    },
    /// A notification, which wants none.
    Notification {
        /// The method.
        method: String,
        /// The parameters.
        params: Params,
    },
    /// A response to a request of ours.
    Response {
        /// The id of our request.
        id: RequestId,
        /// Its result, or the error object.
        result: Result<Value, Value>,
    },
}

/// A JSON value that is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    /// The id, when it could be read: the error response carries it.
    pub id: Option<RequestId>,
    /// What is wrong.
    pub reason: &'static str,
}

impl Message {
    /// The message that a JSON value stands for.
    pub fn parse(value: Value) -> Result<Self, Malformed> {
        let Value::Object(mut members) = value else {
            return Err(Malformed { id: None, reason: "a JSON-RPC message is a JSON object" });
        };
        let id = members.get("id").and_then(RequestId::parse);
        let malformed = |reason| Malformed { id: id.clone(), reason };
        if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(malformed("`jsonrpc` must be \"2.0\""));
        }
        if members.contains_key("id") && id.is_none() {
            return Err(malformed("`id` must be a string or an integer"));
        }
        let Some(method) = members.remove("method") else {
            return Self::response(members, id);
        };
        let Value::String(method) = method else { return Err(malformed("`method` must be a string")) };
        let params = match members.remove("params") {
            None => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => return Err(malformed("`params` must be an object")),
        };
        Ok(match id {
            Some(id) => Self::Request { id, method, params },
            None => Self::Notification { method, params },
        })
    }

    fn response(mut members: Map<String, Value>, id: Option<RequestId>) -> Result<Self, Malformed> {
        let outcome = match (members.remove("result"), members.remove("error")) {
            (Some(result), None) => Ok(result),
            (None, Some(error)) => Err(error),
            (None, None) => return Err(Malformed { id, reason: "`method` is missing" }),
            (Some(_), Some(_)) => {
                return Err(Malformed { id, reason: "a response has `result` or `error`, not both" });
            }
        };
        match id {
            Some(id) => Ok(Self::Response { id, result: outcome }),
            None => Err(Malformed { id: None, reason: "a response needs the `id` of its request" }),
        }
    }
}

/// An error response's object.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorObject {
    /// The code.
    pub code: i32,
    /// One sentence.
    pub message: String,
    /// More for programs.
    pub data: Option<Value>,
}

/// The text of a response whose result is JSON text already.
pub fn result_text(id: &RequestId, result: &str) -> String {
    let mut text = String::with_capacity(result.len() + 64);
    text.push_str("{\"jsonrpc\":\"2.0\",\"id\":");
    text.push_str(&id.to_json().to_string());
    text.push_str(",\"result\":");
    text.push_str(result);
    text.push('}');
    text
}

/// The text of an error response. The id is left out when it could not be read.
pub fn error_text(id: Option<&RequestId>, error: &ErrorObject) -> String {
    let mut object = json!({ "code": error.code, "message": error.message });
    if let (Some(data), Value::Object(members)) = (&error.data, &mut object) {
        members.insert("data".to_owned(), data.clone());
    }
    let mut message = json!({ "jsonrpc": "2.0", "error": object });
    if let (Some(id), Value::Object(members)) = (id, &mut message) {
        members.insert("id".to_owned(), id.to_json());
    }
    message.to_string()
}

/// The text of a request.
pub fn request_text(id: &RequestId, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id.to_json(), "method": method, "params": params }).to_string()
}

/// The text of a notification.
pub fn notification_text(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Message, Malformed> {
        Message::parse(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn an_id_stays_on_its_line_of_the_log() {
        assert_eq!(RequestId::Number(-7).for_log(), "-7");
        let forged = RequestId::Text("x\n2026-11-29T00:00:00Z INFO housekey: all is well".into());
        assert!(!forged.for_log().contains('\n'), "{}", forged.for_log());
        assert!(RequestId::Text("a".repeat(1 << 20)).for_log().len() < 100);
    }

    #[test]
    fn doubled_members_are_refused_and_all_else_is_read_as_it_is() {
        for text in
            [r#"{"id":1,"id":2}"#, r#"{"params":{"name":"a","name":"b"}}"#, r#"[{"a":[{"b":1,"b":1}]}]"#]
        {
            assert!(parse_unique(text.as_bytes()).unwrap_err().is_data(), "{text}");
        }
        for text in [
            r#"{"a":[1,-2,3.5,1e300,18446744073709551615,"x\u00e9",true,null],"b":{"a":{}}}"#,
            "\"x\"",
            "null",
        ] {
            assert_eq!(parse_unique(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        }
        assert!(parse_unique(b"{").unwrap_err().is_eof());
    }

    #[test]
    fn values_are_counted_outside_of_texts() {
        let list = |count| format!("[{}1]", "1,".repeat(count));
        assert!(fits_in_memory(list(MOST_VALUES - 1).as_bytes()));
        assert!(!fits_in_memory(list(MOST_VALUES).as_bytes()));
        let text = format!(r#"{{"query": "SELECT \"{}\""}}"#, ",[{".repeat(MOST_VALUES));
        assert!(fits_in_memory(text.as_bytes()));
    }

    #[test]
    fn messages_are_told_apart() {
        assert_eq!(
            parse(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
            Ok(Message::Request { id: RequestId::Number(1), method: "ping".into(), params: Map::new() })
        );
        assert!(matches!(
            parse(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
            Ok(Message::Notification { .. })
        ));
        assert!(matches!(
            parse(r#"{"jsonrpc":"2.0","id":"a","result":{}}"#),
            Ok(Message::Response { result: Ok(_), .. })
        ));
        assert!(matches!(
            parse(r#"{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":""}}"#),
            Ok(Message::Response { result: Err(_), .. })
        ));
    }

    #[test]
    fn malformed_messages_keep_an_id_that_can_be_read() {
        let seven = Some(RequestId::Number(7));
        for (text, id) in [
            ("[]", None),
            ("3", None),
            (r#"{"id":7,"method":"ping"}"#, seven.clone()),
            (r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, seven.clone()),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, None),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, None),
            (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, None),
            (r#"{"jsonrpc":"2.0","id":7,"method":8}"#, seven.clone()),
            (r#"{"jsonrpc":"2.0","id":7,"method":"a","params":[]}"#, seven.clone()),
            (r#"{"jsonrpc":"2.0","id":7}"#, seven.clone()),
            (r#"{"jsonrpc":"2.0","id":7,"result":1,"error":{}}"#, seven),
            (r#"{"jsonrpc":"2.0","result":1}"#, None),
        ] {
            assert_eq!(parse(text).unwrap_err().id, id, "{text}");
        }
    }

    #[test]
    fn an_id_keeps_its_type() {
        assert_eq!(result_text(&RequestId::Number(1), "{}"), r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        assert_eq!(
            result_text(&RequestId::Text("1".into()), "{}"),
            r#"{"jsonrpc":"2.0","id":"1","result":{}}"#
        );
        let error = ErrorObject { code: PARSE_ERROR, message: "no".into(), data: None };
        assert!(!error_text(None, &error).contains("\"id\""));
    }
}
