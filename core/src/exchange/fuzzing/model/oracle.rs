//! What was sent, and what may come of it.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;

use crate::exchange::Question;
use crate::exchange::fuzzing::fail;
use crate::jsonrpc::RequestId;

/// Remembers one message, and judges what its sender hears.
pub(super) struct Witness {
    /// The message; null where the text is none.
    message: Value,
    /// How far the request has come, as was last heard.
    progress: Option<f64>,
    /// What its client was asked.
    asked: Vec<RequestId>,
}

impl Witness {
    pub(super) fn of(text: &str) -> Self {
        Self { message: serde_json::from_str(text).unwrap_or_default(), progress: None, asked: Vec::new() }
    }

    fn meta(&self, key: &str) -> Option<&Value> {
        self.message.get("params")?.get("_meta")?.get(key)
    }

    /// Whether the request says its revision itself.
    pub(super) fn stands_alone(&self) -> bool {
        self.meta("io.modelcontextprotocol/protocolVersion").is_some()
    }

    pub(super) fn asks_for(&self, method: &str) -> bool {
        id(&self.message).is_some() && self.message.get("method").and_then(Value::as_str) == Some(method)
    }

    pub(super) fn is_request(&self, wanted: &RequestId) -> bool {
        self.message.get("method").is_some() && id(&self.message).as_ref() == Some(wanted)
    }

    pub(super) fn is_response(&self, wanted: &RequestId) -> bool {
        self.message.get("method").is_none() && id(&self.message).as_ref() == Some(wanted)
    }

    pub(super) fn takes_back(&self, wanted: &RequestId) -> bool {
        let method = self.message.get("method").and_then(Value::as_str);
        let named = self.message.pointer("/params/requestId").and_then(RequestId::parse);
        method == Some("notifications/cancelled") && named.as_ref() == Some(wanted)
    }

    pub(super) fn was_asked(&self, id: &RequestId) -> bool {
        self.asked.contains(id)
    }

    /// What its client was asked.
    pub(super) fn questions(&self) -> impl Iterator<Item = RequestId> {
        self.asked.iter().cloned()
    }

    /// The id, of a request.
    pub(super) fn request_id(&self) -> Option<RequestId> {
        self.message.get("method").and_then(|_| id(&self.message))
    }

    pub(super) fn ask(&mut self, question: &Question) {
        let Ok(text) = serde_json::from_str::<Value>(&question.text) else { fail("a question is not JSON") };
        assert!(id(&text).as_ref() == Some(&question.id), "a question has another id than it says");
        assert!(!question.text.contains('\n'), "a message is one line");
        self.asked.push(question.id.clone());
    }

    /// Something that comes before the answer.
    pub(super) fn hear(&mut self, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else { fail("a notification is not JSON") };
        assert!(!text.contains('\n'), "a message is one line");
        assert!(message.get("id").is_none(), "a notification with an id");
        match message.get("method").and_then(Value::as_str) {
            Some("notifications/progress") => {
                let token = message.pointer("/params/progressToken");
                let given = |message: &Value| message.pointer("/params/_meta/progressToken") == token;
                assert!(token.is_some() && self.messages().iter().any(given), "another's token of progress");
                // Several messages of an array may have given the same.
                if self.message.is_array() {
                    return;
                }
                let Some(now) = message.pointer("/params/progress").and_then(Value::as_f64) else {
                    fail("progress without a number")
                };
                assert!(self.progress.is_none_or(|before| now > before), "progress that does not grow");
                self.progress = Some(now);
            }
            Some("notifications/message") => {
                let wanted = self.meta("io.modelcontextprotocol/logLevel").and_then(Value::as_str);
                assert!(!self.stands_alone() || wanted.is_some(), "a log message that nobody asked for");
                let level = message.pointer("/params/level").and_then(Value::as_str);
                assert!(wanted != Some("error") || level == Some("error"), "a log message below its level");
            }
            _ => fail("a notification that belongs to no request"),
        }
    }

    /// An answer over HTTP; whether it is a result.
    pub(super) fn judge_answer(&self, answer: &http::Response<Bytes>) -> bool {
        if answer.body().is_empty() {
            assert!(self.ids().is_empty() || !answer.status().is_success(), "a request without an answer");
            return false;
        }
        let Some(body) = body(answer) else {
            // Who has no session is refused before anything is read as JSON-RPC.
            assert!(answer.status().is_client_error(), "an answer is not JSON");
            return false;
        };
        match (&self.message, &body) {
            (Value::Array(_), Value::Array(answers)) => {
                self.judge_batch(answers);
                false
            }
            (_, body) => self.judge(body),
        }
    }

    /// The answers on a line-based stream; whether one is a result.
    pub(super) fn judge_lines(&self, messages: &[String]) -> bool {
        let parsed =
            |text: &String| serde_json::from_str::<Value>(text).ok().filter(|_| !text.contains('\n'));
        let all: Option<Vec<Value>> = messages.iter().map(parsed).collect();
        let Some(all) = all else { fail("a line is not a message") };
        if let Value::Array(_) = self.message {
            let answers: Vec<Value> = all.into_iter().flat_map(flattened).collect();
            self.judge_batch(&answers);
            return false;
        }
        let (told, answers): (Vec<Value>, Vec<Value>) =
            all.into_iter().partition(|message| message.get("method").is_some());
        assert!(told.iter().all(|message| message.get("id").is_none()), "a request among the answers");
        if is_request(&self.message) {
            assert!(answers.len() == 1, "a request has one answer");
        }
        // Of a message that cannot be read, at most that much is said.
        assert!(answers.len() <= 1, "a message has one answer at most");
        answers.iter().any(|answer| self.judge(answer))
    }

    fn judge_batch(&self, answers: &[Value]) {
        let mut open = self.ids();
        for answer in answers {
            if let Some(id) = id(answer) {
                let at = open.iter().position(|wanted| *wanted == id);
                assert!(at.is_some(), "an answer to another request, or a second one");
                at.map(|at| open.remove(at));
            } else {
                assert!(answer.get("error").is_some(), "a result without an id");
            }
        }
    }

    /// One answer to the one message; whether it is a result.
    fn judge(&self, answer: &Value) -> bool {
        assert!(
            answer.get("result").is_some() != answer.get("error").is_some(),
            "neither a result nor an error"
        );
        let given = id(answer);
        let wanted = id(&self.message);
        assert!(given.is_none() || given == wanted, "an answer to another request");
        let Some(result) = answer.get("result") else { return false };
        assert!(is_request(&self.message) && given.is_some(), "a result that nobody asked for");
        let kind = result.get("resultType").and_then(Value::as_str);
        if self.stands_alone() {
            assert!(
                matches!(kind, Some("complete" | "input_required")),
                "a result that does not say what it is"
            );
        } else {
            assert!(kind.is_none(), "a result with a member of a later revision");
        }
        true
    }

    fn messages(&self) -> &[Value] {
        let one = std::slice::from_ref(&self.message);
        self.message.as_array().map_or(one, Vec::as_slice)
    }

    /// The ids of the requests in it, in order; one that comes twice is there twice.
    fn ids(&self) -> Vec<RequestId> {
        let readable = self.messages().iter().filter(|message| message.get("method").is_some());
        readable.filter_map(id).collect()
    }

    /// A message to who listens by this request.
    pub(super) fn judge_tag(&self, text: &str) {
        judge_notice(text, id(&self.message).as_ref());
    }
}

/// A message to who listens, or to a session, that something has changed.
pub(super) fn judge_notice(text: &str, listener: Option<&RequestId>) {
    let Ok(message) = serde_json::from_str::<Value>(text) else { fail("a notice is not JSON") };
    assert!(message.get("id").is_none() && !text.contains('\n'), "a notice is a notification of one line");
    let tag =
        message.pointer("/params/_meta/io.modelcontextprotocol~1subscriptionId").and_then(RequestId::parse);
    assert!(tag.as_ref() == listener, "a notice with another's tag");
}

/// Whether a message is the result of this request.
pub(super) fn is_result_of(text: &str, wanted: &RequestId) -> bool {
    let message: Value = serde_json::from_str(text).unwrap_or_default();
    message.get("result").is_some() && id(&message).as_ref() == Some(wanted)
}

/// The one JSON text of an answer: its body, or the one event of a stream, for who takes nothing else.
pub(super) fn body(answer: &http::Response<Bytes>) -> Option<Value> {
    let text = std::str::from_utf8(answer.body()).ok()?;
    let is_stream = answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    if !is_stream {
        return serde_json::from_str(text).ok();
    }
    let mut data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let only = data.next()?;
    data.next().is_none().then(|| serde_json::from_str(only).ok())?
}

/// The state that a client is to bring back.
pub(super) fn request_state(answer: &Value) -> Option<String> {
    Some(answer.get("result")?.get("requestState")?.as_str()?.to_owned())
}

fn flattened(message: Value) -> Vec<Value> {
    match message {
        Value::Array(messages) => messages,
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            vec![other]
        }
    }
}

fn id(message: &Value) -> Option<RequestId> {
    message.get("id").and_then(RequestId::parse)
}

/// Whether a message is a request as JSON-RPC wants it.
fn is_request(message: &Value) -> bool {
    let Value::Object(members) = message else { return false };
    let names: BTreeSet<&str> = members.keys().map(String::as_str).collect();
    names.is_subset(&["jsonrpc", "id", "method", "params"].into())
        && members.get("jsonrpc").and_then(Value::as_str) == Some("2.0")
        && members.get("method").is_some_and(Value::is_string)
        && members.get("params").is_none_or(Value::is_object)
        && id(message).is_some()
}
