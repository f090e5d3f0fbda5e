//! What was fetched from the web, and what was tried in vain.
//!
//! A document that has gone stale is kept for a while: when the server that gave it is away, its last good answer still
//! serves. Failures are remembered for a moment, so that a server in trouble is not asked by every request.

use std::sync::Mutex;
use std::time::Duration;

use super::shelf::Shelf;
use super::{Facts, lock};
use crate::fetch::{Document, FetchFailure, FetchRequest, NamedBy};
use crate::time::UnixTime;

/// How long a failure is not tried again.
const FAILURE_LIVES: Duration = Duration::from_secs(15);
/// How long a stale document serves where no fresh one can be had.
const STALE_SERVES: Duration = Duration::from_secs(3600);

/// What a fetch gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The document, or why there is none.
    pub outcome: Result<Document, FetchFailure>,
    /// Why the last question was in vain, where an older document serves on.
    pub failure: Option<FetchFailure>,
    /// When the server was asked last.
    pub tried: UnixTime,
    /// Until when it need not be asked again.
    pub fresh_until: UnixTime,
}

/// The places of what was fetched. Strangers fill one of their own, and so do their tokens: nothing that they have Housekey
/// ask for takes the place of an identity provider's keys.
pub(super) struct Web {
    operators: Mutex<Shelf<String, Learned>>,
    strangers: Mutex<Shelf<String, Learned>>,
    tokens: Mutex<Shelf<String, Learned>>,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            operators: Mutex::new(Shelf::of(256, 8 << 20)),
            strangers: Mutex::new(Shelf::of(1024, 4 << 20)),
            tokens: Mutex::new(Shelf::of(4096, 8 << 20)),
        }
    }
}

impl Web {
    fn shelf(&self, request: &FetchRequest) -> &Mutex<Shelf<String, Learned>> {
        match request.named_by {
            NamedBy::Stranger { .. } => &self.strangers,
            NamedBy::Operator if request.form.is_some() => &self.tokens,
            NamedBy::Operator => &self.operators,
        }
    }
}

impl Facts {
    /// What is known of the answer to a question, unless the time has come to ask again.
    pub fn learned(&self, request: &FetchRequest, now: UnixTime) -> Option<Learned> {
        let remember = request.remember.as_ref()?;
        let learned = lock(self.web.shelf(request)).find(&remember.key, now);
        learned.filter(|learned| now < learned.fresh_until)
    }

    /// Remembers what a fetch gave, if it is one that is remembered.
    pub fn learn(&self, request: &FetchRequest, outcome: &Result<Document, FetchFailure>, now: UnixTime) {
        let Some(remember) = &request.remember else { return };
        let mut shelf = lock(self.web.shelf(request));
        let known = shelf.find(&remember.key, now);
        let (learned, expires) = match outcome {
            Ok(document) => {
                let most = match remember.heeds_cache_control {
                    true => document.max_age().map_or(remember.lives, Duration::from_secs),
                    false => remember.lives,
                };
                // The request at hand needs it once more, whatever its server says.
                let fresh_until = now.after(most.min(remember.lives).max(Duration::from_secs(1)));
                let outcome = Ok(document.clone());
                (Learned { outcome, failure: None, tried: now, fresh_until }, fresh_until.after(STALE_SERVES))
            }
            Err(failure) => {
                let fresh_until = now.after(FAILURE_LIVES);
                let failure = failure.clone();
                // A client's own document, and what is said of a token, are their servers' to take back.
                let good = known.filter(|known| known.outcome.is_ok() && !remember.heeds_cache_control);
                match good {
                    // A failure does not lengthen the life of what it could not replace.
                    Some(Learned { outcome, .. }) => {
                        let expires = shelf.expiry(&remember.key).unwrap_or(fresh_until);
                        (Learned { outcome, failure: Some(failure), tried: now, fresh_until }, expires)
                    }
                    None => {
                        let outcome = Err(failure);
                        (Learned { outcome, failure: None, tried: now, fresh_until }, fresh_until)
                    }
                }
            }
        };
        let body = learned.outcome.as_ref().map_or(0, |document| document.body.len());
        shelf.insert(remember.key.clone(), learned, remember.key.len() + body + 128, now, expires);
    }
}

impl Learned {
    /// What the last question gave: for who asked it together with others.
    pub fn into_last(self) -> Result<Document, FetchFailure> {
        match self.failure {
            Some(failure) => Err(failure),
            None => self.outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::secret::Secret;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    fn document(body: &'static str) -> Document {
        Document {
            status: 200,
            content_type: None,
            cache_control: None,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn a_document_is_fresh_for_its_time() {
        let facts = Facts::default();
        let request = FetchRequest::document("https://a", "test", Duration::from_secs(10));
        facts.learn(&request, &Ok(document("{}")), at(0));
        assert_eq!(facts.learned(&request, at(9)).unwrap().outcome, Ok(document("{}")));
        assert_eq!(facts.learned(&request, at(10)), None);
        let other = FetchRequest::document("https://b", "test", Duration::from_secs(10));
        assert_eq!(facts.learned(&other, at(1)), None);
        let unrepeatable = FetchRequest { remember: None, ..request.clone() };
        facts.learn(&unrepeatable, &Ok(document("other")), at(20));
        assert_eq!(facts.learned(&request, at(20)), None);
    }

    #[test]
    fn failures_are_not_tried_again_at_once_and_the_last_good_answer_serves_for_a_while() {
        let facts = Facts::default();
        let request = FetchRequest::document("https://a", "test", Duration::from_secs(300));
        let failed = Err(FetchFailure::Unreachable);
        facts.learn(&request, &failed, at(0));
        assert_eq!(facts.learned(&request, at(14)).unwrap().outcome, failed);
        assert_eq!(facts.learned(&request, at(15)), None);

        facts.learn(&request, &Ok(document("keys")), at(100));
        assert_eq!(facts.learned(&request, at(400)), None, "stale");
        let mut now = 400;
        while now < 100 + 300 + 3600 {
            facts.learn(&request, &failed, at(now));
            assert_eq!(facts.learned(&request, at(now)).unwrap().outcome, Ok(document("keys")), "{now}");
            now += 400;
        }
        facts.learn(&request, &failed, at(now + 400));
        assert_eq!(facts.learned(&request, at(now + 400)).unwrap().outcome, failed, "not for ever");
    }

    #[test]
    fn a_server_may_shorten_the_life_of_its_own_document() {
        let facts = Facts::default();
        let mut request = FetchRequest::document("https://a", "test", Duration::from_secs(300));
        let told = |text: &str| Document { cache_control: Some(text.to_owned()), ..document("{}") };
        facts.learn(&request, &Ok(told("no-store")), at(0));
        assert!(facts.learned(&request, at(200)).is_some(), "the operator's");
        if let Some(remember) = &mut request.remember {
            remember.heeds_cache_control = true;
        }
        for (text, lives) in [("no-store", 1), ("max-age=60", 60), ("max-age=6000", 300), ("public", 300)] {
            facts.learn(&request, &Ok(told(text)), at(1000));
            assert!(facts.learned(&request, at(1000 + lives - 1)).is_some(), "{text}");
            assert!(facts.learned(&request, at(1000 + lives)).is_none(), "{text}");
        }
        facts.learn(&request, &Err(FetchFailure::Status(404)), at(1020));
        assert_eq!(facts.learned(&request, at(1021)).unwrap().outcome, Err(FetchFailure::Status(404)));
    }

    /// Two ask together while the server is away: what the one hears must not count as an answer for the other.
    #[test]
    fn a_failure_is_handed_on_as_a_failure() {
        let facts = Facts::default();
        let request = FetchRequest::document("https://a", "test", Duration::from_secs(300));
        facts.learn(&request, &Ok(document("keys")), at(0));
        for round in 0..20 {
            let now = at(300 + 200 * round);
            facts.learn(&request, &Err(FetchFailure::Unreachable), now);
            let Some(known) = facts.learned(&request, now) else { panic!("a failure is remembered") };
            facts.learn(&request, &known.into_last(), now);
        }
        assert_eq!(facts.learned(&request, at(4100)).unwrap().outcome, Err(FetchFailure::Unreachable));
    }

    #[test]
    fn strangers_displace_only_each_other() {
        let facts = Facts::default();
        let keys = FetchRequest::document("https://idp/keys", "test", Duration::from_secs(300));
        facts.learn(&keys, &Ok(document("keys")), at(0));
        for number in 0..5000 {
            let stranger = FetchRequest {
                named_by: NamedBy::Stranger { listed: false },
                ..FetchRequest::document(&format!("https://x/{number}"), "test", Duration::from_secs(300))
            };
            facts.learn(&stranger, &Err(FetchFailure::Unreachable), at(1));
            let token = FetchRequest { form: Some(Secret::from("token=x")), ..stranger };
            let token = FetchRequest { named_by: NamedBy::Operator, ..token };
            facts.learn(&token, &Ok(document("{}")), at(1));
        }
        assert!(facts.learned(&keys, at(2)).is_some());
    }
}
