//! Requests that take several rounds (MCP 2026-07-28, basic/utilities/mrtr): a tool that asks ends its request with what
//! it asks and a sealed state, and the next request, which brings the answers, goes on from there.
//!
//! The state comes back from a stranger, so nothing in it counts before it has been opened: it is bound to who asked, to
//! the method, to a digest of everything that the request said, and to ten minutes.
//!
//! Deliberately absent: single use. For ten minutes a client can repeat what its person has said yes to, and turn a no into a
//! yes; but one that would do so could have made up the answer in the first place.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::principal::principal;
use super::running::Scene;
use crate::env::Env;
use crate::jose::base64url;
use crate::jsonrpc::Params;
use crate::mcp::{Answers, Questions, ServerRequest, result_meta};
use crate::time::UnixTime;
use crate::tool::ToolState;

/// The purpose of the keys.
pub(super) const PURPOSE: &str = "request-state";
/// How long a client may take.
const LIVES: Duration = Duration::from_secs(600);
/// Characters of a state that are looked at.
const LONGEST: usize = 1 << 20;

/// What a request brings that goes on, or may have to be gone on with.
pub(super) struct Trip {
    binding: String,
    /// Answers that came without a state.
    brought: Map<String, Value>,
    /// Whether it is a further round: its result is for nobody's cache (MCP 2026-07-28, caching).
    pub(super) goes_on: bool,
}

/// Where a request goes on.
pub(super) struct Resumed {
    questions: Questions,
    answers: Answers,
    state: ToolState,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    binding: String,
    until: u64,
    questions: BTreeMap<String, Value>,
    answers: BTreeMap<String, Value>,
    state: Value,
}

/// What becomes of a request that goes on.
pub(super) enum Onward {
    /// All is answered.
    Resume(ToolState, Answers),
    /// Something is missing, or has not the shape of an answer: the rest is asked again.
    Again(Questions, Answers, ToolState),
}

impl Trip {
    /// Takes what belongs to rounds out of the parameters of a stateless request.
    pub(super) fn begin(
        env: &Env<'_>,
        scene: &Scene,
        method: &str,
        params: &mut Params,
    ) -> Result<(Self, Option<Resumed>), Failure> {
        let wrong = |reason: &str| Failure::Params(reason.to_owned());
        let brought = match params.remove("inputResponses") {
            None => None,
            Some(Value::Object(brought)) => Some(brought),
            Some(_) => return Err(wrong("`inputResponses` must be an object")),
        };
        let state = match params.remove("requestState") {
            None => None,
            Some(Value::String(state)) => Some(state),
            Some(_) => return Err(wrong("`requestState` must be a string")),
        };
        let who = principal(&scene.service.config, &scene.caller.access);
        let mut hash = Sha256::new();
        hash.update(who.as_ref().map_or([0; 32].as_slice(), |who| who.as_bytes()));
        field(&mut hash, method.as_bytes());
        for (name, value) in params.iter().filter(|(name, _)| *name != "_meta").collect::<BTreeMap<_, _>>() {
            field(&mut hash, name.as_bytes());
            canonical(&mut hash, value);
        }
        let binding = base64url::encode(&hash.finalize());
        let goes_on = brought.is_some() || state.is_some();
        let brought = brought.unwrap_or_default();
        let resumed = match state {
            None => None,
            Some(state) => Some(open(env, scene, &state, &binding, &brought)?),
        };
        Ok((Self { binding, brought, goes_on }, resumed))
    }

    /// The answers to questions, where the request brought all of them along.
    pub(super) fn brought_along(&self, questions: &Questions) -> Option<Answers> {
        if questions.needs_state || questions.requests.is_empty() {
            return None;
        }
        let answers = take(questions, Answers::default(), &self.brought);
        (answers.0.len() == questions.requests.len()).then_some(answers)
    }

    /// The text of the result that asks; `None` where nothing can be sealed.
    pub(super) fn asking(
        &self,
        env: &mut Env<'_>,
        scene: &Scene,
        questions: &Questions,
        answers: &Answers,
        state: ToolState,
    ) -> Option<String> {
        let keys = scene.service.sealing.as_ref()?;
        let asked = |(key, request): (&String, &ServerRequest)| (key.clone(), request.to_json());
        let sealed = Sealed {
            binding: self.binding.clone(),
            until: env.now.after(LIVES).millis(),
            questions: questions.requests.iter().map(asked).collect(),
            answers: answers.0.clone(),
            state,
        };
        let state = keys.seal_json(env.rng, &sealed).ok().filter(|state| state.len() <= LONGEST)?;
        let open = questions.requests.iter().filter(|(key, _)| answers.get(key).is_none());
        let open: Map<String, Value> = open.map(asked).collect();
        let mut result =
            json!({ "resultType": "input_required", "requestState": state, "_meta": result_meta() });
        if let (Value::Object(members), false) = (&mut result, open.is_empty()) {
            members.insert("inputRequests".into(), Value::Object(open));
        }
        Some(result.to_string())
    }
}

impl Resumed {
    /// Whether it can go on.
    pub(super) fn onward(self) -> Onward {
        let Self { questions, answers, state } = self;
        match questions.requests.keys().all(|key| answers.get(key).is_some()) {
            true => Onward::Resume(state, answers),
            false => Onward::Again(questions, answers, state),
        }
    }
}

fn open(
    env: &Env<'_>,
    scene: &Scene,
    state: &str,
    binding: &str,
    brought: &Map<String, Value>,
) -> Result<Resumed, Failure> {
    // Why it is not taken would tell whoever tries others how far they have come.
    let refused = || Failure::Params("`requestState` is not one that goes on from here: begin anew".into());
    let keys = scene.service.sealing.as_ref().ok_or_else(refused)?;
    let sealed: Sealed = keys.open_json(state, LONGEST).map_err(|_| refused())?;
    if sealed.binding != binding || env.now > UnixTime::from_millis(sealed.until) {
        return Err(refused());
    }
    let mut requests = BTreeMap::new();
    for (key, request) in sealed.questions {
        requests.insert(key, ServerRequest::parse(&request).ok_or_else(refused)?);
    }
    let questions = Questions { requests, needs_state: true };
    let answers = take(&questions, Answers(sealed.answers), brought);
    Ok(Resumed { questions, answers, state: sealed.state })
}

/// Adds what answers a question that is still open. What answers none is passed over.
fn take(questions: &Questions, mut answers: Answers, brought: &Map<String, Value>) -> Answers {
    for (key, request) in &questions.requests {
        if let Some(answer) = brought.get(key).filter(|answer| request.is_answered_by(answer)) {
            answers.0.entry(key.clone()).or_insert_with(|| answer.clone());
        }
    }
    answers
}

fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(bytes);
}

/// A digest that does not depend on the order in which a client writes members, and on everything else: with the number of
/// its parts, where a value ends is told as well as where it begins.
fn canonical(hash: &mut Sha256, value: &Value) {
    let count = |parts: usize| u64::try_from(parts).unwrap_or(u64::MAX).to_be_bytes();
    match value {
        Value::Array(elements) => {
            field(hash, b"[");
            field(hash, &count(elements.len()));
            elements.iter().for_each(|element| canonical(hash, element));
            field(hash, b"]");
        }
        Value::Object(members) => {
            field(hash, b"{");
            field(hash, &count(members.len()));
            for (name, member) in members.iter().collect::<BTreeMap<_, _>>() {
                field(hash, name.as_bytes());
                canonical(hash, member);
            }
            field(hash, b"}");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => field(hash, value.to_string().as_bytes()),
        Value::String(text) => {
            field(hash, b"\"");
            field(hash, text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_differ_have_digests_that_differ() {
        let digest = |value: &Value| {
            let mut hash = Sha256::new();
            canonical(&mut hash, value);
            hash.finalize().to_vec()
        };
        for (one, other) in [
            (json!({ "m": { "a": 1, "n": 2 } }), json!({ "m": { "a": 1 }, "n": 2 })),
            (json!([[1], 2]), json!([[1, 2]])),
            (json!([[]]), json!([[], []])),
            (json!(["a", "b"]), json!(["ab"])),
            (json!({ "a": "[" }), json!({ "a": [] })),
            (json!("1"), json!(1)),
            (json!(null), json!("null")),
        ] {
            assert_ne!(digest(&one), digest(&other), "{one} {other}");
        }
        assert_eq!(digest(&json!({ "a": 1, "b": [2] })), digest(&json!({ "b": [2], "a": 1 })));
    }
}
