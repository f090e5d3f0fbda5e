//! The answer of a call: its result as it is, or what went wrong as `{"error": "…"}`.

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;

use super::{Blame, RestError};
use crate::clickhouse::{Outcome, QueryRequest};
use crate::exchange::admit::{failure_answer, json_answer};
use crate::exchange::failure::{Failure, disclose};
use crate::exchange::running::Scene;
use crate::mcp::CallResult;
use crate::time::UnixTime;
use crate::tool::Moment;

/// Says why an answer was cut, to clients that look at no body.
const TRUNCATED: HeaderName = HeaderName::from_static("x-mcp-truncated");

/// What is known of the last query of a call, and so whose turn it is when the call has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::exchange) struct Ending {
    until: Option<UnixTime>,
    blame: Blame,
}

impl Ending {
    /// Another query is asked.
    pub(in crate::exchange) fn asked(&mut self, now: UnixTime, request: &QueryRequest) {
        let patience = std::time::Duration::from_secs(request.deadline_seconds);
        *self = Self { until: Some(now.after(patience)), blame: Blame::default() };
    }

    /// It has ended.
    pub(in crate::exchange) fn heard(&mut self, now: UnixTime, moment: &Moment) {
        let Moment::Queried(outcome) = moment else { return };
        self.blame = match outcome {
            Outcome::Rows { .. } | Outcome::NoResult => Blame::Caller,
            Outcome::Exception(exception) => Blame::of_code(exception.code),
            Outcome::Broken(_) if self.until.is_some_and(|until| now >= until) => Blame::Time,
            Outcome::Broken(_) | Outcome::Opaque { .. } => Blame::Server,
        };
    }
}

/// The answer to a call.
pub(in crate::exchange) fn answer(scene: &Scene, ending: Ending, result: &CallResult) -> Response<Bytes> {
    let error = match result {
        CallResult::Structured(text) => {
            let mut answer = json_answer(200, Some(text.clone()), scene.origin());
            if let Some(reason) = cut(text) {
                answer.headers_mut().insert(TRUNCATED, HeaderValue::from_static(reason));
            }
            return answer;
        }
        CallResult::Failed(reason) => RestError::Failed { blame: ending.blame, reason: reason.clone() },
        CallResult::BadArguments(reason) => {
            RestError::Failed { blame: Blame::Caller, reason: reason.clone() }
        }
        CallResult::Absent(name) => RestError::NoSuchTool(name.clone()),
        // REST has bodies of JSON alone.
        CallResult::Content { content, structured, is_error } => match (structured, is_error) {
            (Some(structured), false) => {
                return json_answer(200, Some(structured.to_string()), scene.origin());
            }
            (_, false) => {
                return json_answer(200, Some(json!({ "content": content }).to_string()), scene.origin());
            }
            (_, true) => RestError::Failed {
                blame: Blame::Caller,
                reason: "the tool failed in a way that has no text".into(),
            },
        },
    };
    refusal(&error.into(), scene.origin())
}

/// Refuses a request in JSON, with the status and the headers that any refusal of its kind has.
pub(in crate::exchange) fn refusal(failure: &Failure, origin: Option<&str>) -> Response<Bytes> {
    let disclosure = disclose(failure);
    let text = disclosure.rpc.map_or(disclosure.text, |error| error.message);
    let mut answer = failure_answer(failure, origin);
    *answer.body_mut() = Bytes::from(json!({ "error": text }).to_string());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Why a result was cut, if it says that it was.
fn cut(result: &str) -> Option<&'static str> {
    #[derive(Deserialize)]
    struct Result {
        truncated: Option<Truncated>,
    }
    #[derive(Deserialize)]
    struct Truncated {
        reason: String,
    }
    match serde_json::from_str::<Result>(result).ok()?.truncated?.reason.as_str() {
        "rows" => Some("rows"),
        "bytes" => Some("bytes"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ending(seconds: u64, outcome: Outcome) -> Ending {
        let begun = UnixTime::from_seconds(100);
        let mut ending =
            Ending { until: Some(begun.after(Duration::from_secs(30))), blame: Blame::default() };
        ending.heard(begun.after(Duration::from_secs(seconds)), &Moment::Queried(outcome));
        ending
    }

    #[test]
    fn a_silence_that_lasts_as_long_as_anybody_waits_is_one_of_time() {
        let broken = || Outcome::Broken(String::new());
        for (seconds, outcome, blame) in [
            (29, broken(), Blame::Server),
            (30, broken(), Blame::Time),
            (31, broken(), Blame::Time),
            (31, Outcome::NoResult, Blame::Caller),
        ] {
            assert_eq!(ending(seconds, outcome).blame, blame, "{seconds}");
        }
    }

    #[test]
    fn a_result_says_itself_whether_it_was_cut() {
        for (text, wanted) in [
            (r#"{"rows":[["truncated"]],"count":1}"#, None),
            (r#"{"rows":[],"truncated":{"reason":"rows","limit":1,"returned_rows":0}}"#, Some("rows")),
            (r#"{"truncated":{"reason":"bytes"}}"#, Some("bytes")),
            (r#"{"truncated":{"reason":"x\r\ny"}}"#, None),
            (r#"{"rows":[{"truncated":{"reason":"rows"}}]}"#, None),
            ("[]", None),
        ] {
            assert_eq!(cut(text), wanted, "{text}");
        }
    }
}
