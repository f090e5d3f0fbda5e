//! What a server can ask of a client, which clients can be asked it, and which answers count as one.
//!
//! The same three requests exist in every revision: with a handshake the server sends them itself, without one they are
//! part of a result (MCP 2026-07-28, multi round-trip requests).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Revision;

const ELICITATION: &str = "elicitation/create";
const SAMPLING: &str = "sampling/createMessage";
const ROOTS: &str = "roots/list";

/// A request from the server to the client.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerRequest {
    /// The MCP method: `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: &'static str,
    /// Its parameters.
    pub params: Value,
}

impl ServerRequest {
    /// Has the client's user fill in a form. The schema is a flat object (MCP, client/elicitation).
    pub fn form(message: &str, schema: Value) -> Self {
        Self { method: ELICITATION, params: json!({ "message": message, "requestedSchema": schema }) }
    }

    /// Has the client's user visit a page.
    pub fn visit(message: &str, url: &str) -> Self {
        Self { method: ELICITATION, params: json!({ "mode": "url", "message": message, "url": url }) }
    }

    /// Has the client's model say something. The parameters are those of `sampling/createMessage`.
    pub fn sampling(params: Value) -> Self {
        Self { method: SAMPLING, params }
    }

    /// Asks which folders the client works in.
    pub fn roots() -> Self {
        Self { method: ROOTS, params: json!({}) }
    }

    /// The request of that method, if a server may send one.
    pub(crate) fn parse(value: &Value) -> Option<Self> {
        let wanted = value.get("method").and_then(Value::as_str)?;
        let method = [ELICITATION, SAMPLING, ROOTS].into_iter().find(|method| *method == wanted)?;
        Some(Self { method, params: value.get("params").cloned().unwrap_or_else(|| json!({})) })
    }

    /// As it stands in `inputRequests`.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "method": self.method, "params": self.params })
    }

    fn is_visit(&self) -> bool {
        self.method == ELICITATION && self.params.get("mode").and_then(Value::as_str) == Some("url")
    }

    /// What the client must have declared, as `data.requiredCapabilities` names it (MCP 2026-07-28, error codes).
    fn needs(&self) -> (&'static str, Value) {
        match self.method {
            ELICITATION if self.is_visit() => ("elicitation", json!({ "url": {} })),
            ELICITATION => ("elicitation", json!({})),
            SAMPLING => ("sampling", json!({})),
            _ => ("roots", json!({})),
        }
    }

    /// Whether a result is an answer to this: its shape, and for a form that it has what the form needs. A refusal is an
    /// answer, too. Anything else never lets a tool go on.
    pub(crate) fn is_answered_by(&self, result: &Value) -> bool {
        let Value::Object(result) = result else { return false };
        match self.method {
            ELICITATION => match result.get("action").and_then(Value::as_str) {
                Some("accept") if self.is_visit() => true,
                Some("accept") => result.get("content").is_some_and(|content| self.fits(content)),
                Some("decline" | "cancel") => true,
                Some(_) | None => false,
            },
            SAMPLING => {
                let said =
                    result.get("content").is_some_and(|content| content.is_object() || content.is_array());
                said && result.get("role").is_some_and(Value::is_string)
            }
            _ => result.get("roots").is_some_and(Value::is_array),
        }
    }

    /// Whether the content of a form has what its schema requires, each of its type.
    fn fits(&self, content: &Value) -> bool {
        let Value::Object(content) = content else { return false };
        let schema = self.params.get("requestedSchema");
        let required = schema.and_then(|schema| schema.get("required")).and_then(Value::as_array);
        let has = |name: &Value| name.as_str().is_some_and(|name| content.contains_key(name));
        if !required.into_iter().flatten().all(has) {
            return false;
        }
        let properties = schema.and_then(|schema| schema.get("properties"));
        content.iter().all(|(name, value)| {
            let kind = properties.and_then(|properties| properties.get(name)?.get("type")?.as_str());
            match kind {
                Some("string") => value.is_string(),
                Some("integer") => value.is_i64() || value.is_u64(),
                Some("number") => value.is_number(),
                Some("boolean") => value.is_boolean(),
                Some("array") => value.is_array(),
                Some(_) | None => true,
            }
        })
    }
}

/// Questions that are put together, each under a key of the tool's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Questions {
    pub(crate) requests: BTreeMap<String, ServerRequest>,
    pub(crate) needs_state: bool,
}

impl Questions {
    /// One question. What answers it without our own state, which proves that it was asked, does not count.
    pub fn one(key: &str, request: ServerRequest) -> Self {
        Self::new([(key, request)])
    }

    /// Several at once. With none, a client without a session just comes again with the state.
    pub fn new<'a>(requests: impl IntoIterator<Item = (&'a str, ServerRequest)>) -> Self {
        let requests = requests.into_iter().map(|(key, request)| (key.to_owned(), request)).collect();
        Self { requests, needs_state: true }
    }

    /// Also takes answers that come without state, as in a first request that brings them along.
    pub fn or_brought_along(self) -> Self {
        Self { needs_state: false, ..self }
    }
}

/// The answers to questions, by their keys. Each has the shape that answers its question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers(pub(crate) BTreeMap<String, Value>);

impl Answers {
    /// The whole result, such as `{"action":"accept","content":{…}}`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// What the user filled into a form, if they did; for a page, nothing.
    pub fn accepted(&self, key: &str) -> Option<Map<String, Value>> {
        let answer = self.0.get(key)?;
        let accepted = answer.get("action").and_then(Value::as_str) == Some("accept");
        accepted.then(|| answer.get("content").and_then(Value::as_object).cloned().unwrap_or_default())
    }
}

/// What a client can be asked: as it declared, and as far as there is a way to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientAbilities {
    /// Its user fills in forms.
    pub forms: bool,
    /// Its user visits pages.
    pub visits: bool,
    /// Its model says something.
    pub sampling: bool,
    /// It lists its folders.
    pub roots: bool,
}

impl ClientAbilities {
    /// What a client declares in a revision. `elicitation: {}` means forms alone.
    pub fn declared(capabilities: &Value, revision: Revision) -> Self {
        let has = |name: &str| capabilities.get(name).is_some_and(Value::is_object);
        let elicitation = capabilities.get("elicitation").and_then(Value::as_object);
        let elicitation = elicitation.filter(|_| revision.has_elicitation());
        let mode = |name: &str| elicitation.is_some_and(|modes| modes.contains_key(name));
        Self {
            forms: elicitation.is_some() && (mode("form") || !mode("url")),
            visits: mode("url") && revision.has_visits(),
            sampling: has("sampling"),
            roots: has("roots"),
        }
    }

    fn can(self, request: &ServerRequest) -> bool {
        match request.method {
            ELICITATION if request.is_visit() => self.visits,
            ELICITATION => self.forms,
            SAMPLING => self.sampling,
            _ => self.roots,
        }
    }

    /// What a client would have to declare to be asked these; `None` when it can be.
    pub(crate) fn lacks(self, questions: &Questions) -> Option<Value> {
        let mut lacking = Map::new();
        for request in questions.requests.values().filter(|request| !self.can(request)) {
            let (name, needs) = request.needs();
            let known = lacking.entry(name).or_insert_with(|| json!({}));
            if let (Value::Object(known), Value::Object(needs)) = (known, needs) {
                known.extend(needs);
            }
        }
        (!lacking.is_empty()).then_some(Value::Object(lacking))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_can_what_they_declare_in_their_revision() {
        let read = |capabilities: Value, revision| ClientAbilities::declared(&capabilities, revision);
        let none = ClientAbilities::default();
        let forms = ClientAbilities { forms: true, ..none };
        for (capabilities, revision, wanted) in [
            (json!({}), Revision::LATEST, none),
            (json!({ "elicitation": {} }), Revision::LATEST, forms),
            (json!({ "elicitation": { "form": {} } }), Revision::LATEST, forms),
            (
                json!({ "elicitation": { "url": {} } }),
                Revision::LATEST,
                ClientAbilities { visits: true, ..none },
            ),
            (json!({ "elicitation": { "url": {} } }), Revision::V2025_06_18, none),
            (json!({ "elicitation": {} }), Revision::V2025_03_26, none),
            (json!({ "elicitation": true, "sampling": null }), Revision::LATEST, none),
            (
                json!({ "sampling": {}, "roots": { "listChanged": true } }),
                Revision::V2024_11_05,
                ClientAbilities { sampling: true, roots: true, ..none },
            ),
        ] {
            assert_eq!(read(capabilities.clone(), revision), wanted, "{capabilities} {revision}");
        }
    }

    #[test]
    fn what_is_lacking_is_named_as_the_client_would_declare_it() {
        let form = ServerRequest::form("?", json!({}));
        let all = Questions::new([
            ("a", form.clone()),
            ("b", ServerRequest::visit("?", "https://a.example")),
            ("c", ServerRequest::sampling(json!({}))),
            ("d", ServerRequest::roots()),
        ]);
        let lacking = ClientAbilities::default().lacks(&all).unwrap();
        assert_eq!(lacking, json!({ "elicitation": { "url": {} }, "sampling": {}, "roots": {} }));
        let forms = ClientAbilities { forms: true, ..ClientAbilities::default() };
        assert_eq!(forms.lacks(&Questions::one("a", form)), None);
    }

    #[test]
    fn only_what_has_the_shape_of_an_answer_is_one() {
        let schema = json!({ "type": "object", "required": ["name"],
                             "properties": { "name": { "type": "string" }, "age": { "type": "integer" } } });
        let form = ServerRequest::form("Who?", schema);
        for (result, wanted) in [
            (json!({ "action": "accept", "content": { "name": "A", "age": 3 } }), true),
            (json!({ "action": "accept", "content": { "name": "A", "more": [] } }), true),
            (json!({ "action": "decline" }), true),
            (json!({ "action": "cancel" }), true),
            (json!({ "action": "accept", "content": { "age": 3 } }), false),
            (json!({ "action": "accept", "content": { "name": 3 } }), false),
            (json!({ "action": "accept" }), false),
            (json!({ "action": "Accept", "content": { "name": "A" } }), false),
            (json!({ "content": { "name": "A" } }), false),
            (json!(7), false),
            (json!(null), false),
            (json!("accept"), false),
        ] {
            assert_eq!(form.is_answered_by(&result), wanted, "{result}");
        }
        let said = json!({ "role": "assistant", "content": { "type": "text", "text": "x" }, "model": "m" });
        assert!(ServerRequest::sampling(json!({})).is_answered_by(&said));
        assert!(!ServerRequest::sampling(json!({})).is_answered_by(&json!({ "role": "assistant" })));
        assert!(ServerRequest::roots().is_answered_by(&json!({ "roots": [] })));
        assert!(!ServerRequest::roots().is_answered_by(&json!({ "roots": {} })));
    }
}
