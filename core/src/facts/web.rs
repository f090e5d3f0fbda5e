//! What was fetched from the web, and what was tried in vain.
//!
//! A document that has gone stale is kept for a while: when the server that gave it is away, its last good answer still
//! serves. Failures are remembered for a moment, so that a server in trouble is not asked by every request.

use std::time::Duration;

use super::{Facts, lock};
use crate::fetch::{Document, FetchFailure, FetchRequest};
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
    /// When the server was asked last.
    pub tried: UnixTime,
    /// Until when it need not be asked again.
    pub fresh_until: UnixTime,
}

impl Facts {
    /// What is known under a key, unless the time has come to ask again.
    pub fn learned(&self, key: &str, now: UnixTime) -> Option<Learned> {
        lock(&self.web).find(key, now).filter(|learned| now < learned.fresh_until)
    }

    /// Remembers what a fetch gave, if it is one that is remembered.
    pub fn learn(&self, request: &FetchRequest, outcome: &Result<Document, FetchFailure>, now: UnixTime) {
        let Some(remember) = &request.remember else { return };
        let mut web = lock(&self.web);
        let (outcome, lives) = match outcome {
            Ok(document) => {
                let most = match remember.heeds_cache_control {
                    true => document.max_age().map_or(remember.lives, Duration::from_secs),
                    false => remember.lives,
                };
                // The request at hand needs it once more, whatever its server says.
                (Ok(document.clone()), most.min(remember.lives).max(Duration::from_secs(1)))
            }
            Err(failure) => {
                let good = web.find(&remember.key, now).map(|known| known.outcome).filter(Result::is_ok);
                // A client's own document is its server's to take back.
                let good = good.filter(|_| !remember.heeds_cache_control);
                (good.unwrap_or_else(|| Err(failure.clone())), FAILURE_LIVES)
            }
        };
        let body = outcome.as_ref().map_or(0, |document| document.body.len());
        let learned = Learned { outcome, tried: now, fresh_until: now.after(lives) };
        let expires = match (&learned.outcome, web.find(&remember.key, now)) {
            // A failure does not lengthen the life of what it could not replace.
            (Ok(document), Some(known))
                if known.outcome.as_ref() == Ok(document) && lives == FAILURE_LIVES =>
            {
                web.expiry(&remember.key).unwrap_or(learned.fresh_until)
            }
            (Ok(_), _) => learned.fresh_until.after(STALE_SERVES),
            (Err(_), _) => learned.fresh_until,
        };
        web.insert(remember.key.clone(), learned, remember.key.len() + body + 128, now, expires);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

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
        assert_eq!(facts.learned("https://a", at(9)).unwrap().outcome, Ok(document("{}")));
        assert_eq!(facts.learned("https://a", at(10)), None);
        assert_eq!(facts.learned("https://b", at(1)), None);
        let unrepeatable = FetchRequest { remember: None, ..request };
        facts.learn(&unrepeatable, &Ok(document("other")), at(20));
        assert_eq!(facts.learned("https://a", at(20)), None);
    }

    #[test]
    fn failures_are_not_tried_again_at_once_and_the_last_good_answer_serves_for_a_while() {
        let facts = Facts::default();
        let request = FetchRequest::document("https://a", "test", Duration::from_secs(300));
        let failed = Err(FetchFailure::Unreachable);
        facts.learn(&request, &failed, at(0));
        assert_eq!(facts.learned("https://a", at(14)).unwrap().outcome, failed);
        assert_eq!(facts.learned("https://a", at(15)), None);

        facts.learn(&request, &Ok(document("keys")), at(100));
        assert_eq!(facts.learned("https://a", at(400)), None, "stale");
        let mut now = 400;
        while now < 100 + 300 + 3600 {
            facts.learn(&request, &failed, at(now));
            assert_eq!(facts.learned("https://a", at(now)).unwrap().outcome, Ok(document("keys")), "{now}");
            now += 400;
        }
        facts.learn(&request, &failed, at(now + 400));
        assert_eq!(facts.learned("https://a", at(now + 400)).unwrap().outcome, failed, "not for ever");
    }

    #[test]
    fn a_server_may_shorten_the_life_of_its_own_document() {
        let facts = Facts::default();
        let mut request = FetchRequest::document("https://a", "test", Duration::from_secs(300));
        let told = |text: &str| Document { cache_control: Some(text.to_owned()), ..document("{}") };
        facts.learn(&request, &Ok(told("no-store")), at(0));
        assert!(facts.learned("https://a", at(200)).is_some(), "the operator's");
        if let Some(remember) = &mut request.remember {
            remember.heeds_cache_control = true;
        }
        for (text, lives) in [("no-store", 1), ("max-age=60", 60), ("max-age=6000", 300), ("public", 300)] {
            facts.learn(&request, &Ok(told(text)), at(1000));
            assert!(facts.learned("https://a", at(1000 + lives - 1)).is_some(), "{text}");
            assert!(facts.learned("https://a", at(1000 + lives)).is_none(), "{text}");
        }
        facts.learn(&request, &Err(FetchFailure::Status(404)), at(1020));
        assert_eq!(facts.learned("https://a", at(1021)).unwrap().outcome, Err(FetchFailure::Status(404)));
    }
}
