//! What earlier requests learned, bounded in number, in bytes and in time.
//!
//! A fact is something that anybody may ask for again: forgetting one costs a round trip, never an answer. Keys
//! that belong to a person hold a digest of the credential and the configuration's generation, so that no fact
//! serves somebody else or outlives a change of the configuration.

mod key_sets;
mod shelf;
mod web;

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use shelf::Shelf;
pub use web::Learned;
use web::Web;

use crate::clickhouse::{QueryRequest, RunAs};
use crate::jose::jwk::KeySet;
use crate::time::UnixTime;
use crate::tool::Catalogue;

/// How long a refused setting is remembered: profiles change rarely, and a wrong memory only costs a local cut.
const REFUSALS_LIVE: Duration = Duration::from_secs(600);
/// How long a sentence in the log is not repeated.
const SENTENCES_COUNT: Duration = Duration::from_secs(3600);

/// The facts of one host, shared by its requests.
pub struct Facts {
    refusals: Mutex<Shelf<AccessKey, Refusals>>,
    web: Web,
    key_sets: Mutex<Shelf<[u8; 32], Arc<KeySet>>>,
    catalogues: Mutex<Shelf<AccessKey, Arc<Catalogue>>>,
    words: Mutex<Words>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            refusals: Mutex::default(),
            web: Web::default(),
            key_sets: Mutex::new(Shelf::of(64, 8 << 20)),
            catalogues: Mutex::new(Shelf::of(1024, 32 << 20)),
            words: Mutex::default(),
        }
    }
}

/// What the operator is to hear, and what they have heard lately.
struct Words {
    heard: Shelf<String, ()>,
    waiting: VecDeque<String>,
}

impl Default for Words {
    fn default() -> Self {
        Self { heard: Shelf::of(1024, 1 << 20), waiting: VecDeque::new() }
    }
}

impl Words {
    /// Sentences that wait for a host to take them; one that takes none loses them.
    const MOST_WAITING: usize = 64;
}

/// Who asks where, without what proves it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessKey([u8; 32]);

impl AccessKey {
    /// The key of a query's login and person, under one generation of the configuration.
    pub fn of(request: &QueryRequest, generation: u64) -> Self {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        };
        field(&generation.to_be_bytes());
        field(request.endpoint.to_string().as_bytes());
        request.credential.parts().into_iter().for_each(&mut field);
        match &request.run_as {
            RunAs::Login => field(b"login"),
            RunAs::ExecuteAs(user) => {
                field(b"execute_as");
                field(user.as_str().as_bytes());
            }
            RunAs::Interserver(user) => {
                field(b"interserver");
                field(user.as_str().as_bytes());
            }
        }
        // What says more of a person may lead the query elsewhere: a proxy chooses by it.
        field(&u64::try_from(request.headers.len()).unwrap_or(u64::MAX).to_be_bytes());
        for (name, value) in &request.headers {
            field(name.as_bytes());
            field(value.as_bytes());
        }
        // Roles bring profiles of their own.
        field(&u64::try_from(request.roles.len()).unwrap_or(u64::MAX).to_be_bytes());
        request.roles.iter().for_each(|role| field(role.as_bytes()));
        Self(hash.finalize().into())
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same for somebody of whom this is known, too.
    pub fn with(&self, more: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        for bytes in more {
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        }
        Self(hash.finalize().into())
    }
}

/// What a server would not let us set for one login and person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Settings that are not sent again, the oldest first.
    pub settings: Vec<RefusedValue>,
    /// Bounds of the others, each name once.
    pub bounds: Vec<Bounds>,
    /// The profile lets nothing be set (`readonly = 1`).
    pub nothing_settable: bool,
    /// The profile is read-only (`readonly` 1 or 2): the server itself said so.
    pub read_only_profile: bool,
    /// The server does not know the format that tells of progress.
    pub no_progress: bool,
    /// The profile's constraints were asked for, whatever came of it.
    pub inspected: bool,
}

/// Between which values a setting may be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The setting.
    pub name: String,
    /// The least value, as the server writes it.
    pub least: Option<String>,
    /// The greatest value.
    pub most: Option<String>,
}

impl Bounds {
    /// Whether a value lies within. What cannot be compared is for the server to judge.
    fn allow(&self, value: &str) -> bool {
        let beyond = |bound: &Option<String>, order| {
            let bound = bound.as_deref().and_then(number);
            number(value).zip(bound).is_some_and(|(value, bound)| value.partial_cmp(&bound) == Some(order))
        };
        !beyond(&self.least, Ordering::Less) && !beyond(&self.most, Ordering::Greater)
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// A setting that a server would not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedValue {
    /// Its name.
    pub name: String,
    /// The value that was refused; `None` when any is.
    pub value: Option<String>,
}

impl Refusals {
    /// Tokens choose values, so there is a bound on how many are remembered for one login.
    const MOST: usize = 64;

    /// Whether this value is known to be refused.
    pub fn refuse(&self, name: &str, value: &str) -> bool {
        let refuses = |refused: &RefusedValue| {
            refused.name == name && refused.value.as_deref().is_none_or(|refused| refused == value)
        };
        let bounded = |bounds: &Bounds| bounds.name == name && !bounds.allow(value);
        self.nothing_settable || self.settings.iter().any(refuses) || self.bounds.iter().any(bounded)
    }

    /// The greatest value up to this one that is not known to be refused, for a setting of which less is stricter.
    pub fn lowered(&self, name: &str, value: u64) -> Option<u64> {
        let most = self.bounds.iter().find(|bounds| bounds.name == name).and_then(|bounds| {
            let most = bounds.most.as_deref()?;
            // Seconds may have a fraction.
            most.split('.').next()?.trim().parse::<u64>().ok()
        });
        let value = most.map_or(value, |most| most.min(value));
        Some(value).filter(|value| *value > 0 && !self.refuse(name, &value.to_string()))
    }

    /// Bytes that a bound may have.
    const LONGEST_BOUND: usize = 64;

    /// Learns a bound.
    pub fn bound(&mut self, name: &str, least: Option<String>, most: Option<String>) {
        // What is longer is no number, and nothing is compared with it.
        let kept = |bound: Option<String>| bound.filter(|text| text.len() <= Self::LONGEST_BOUND);
        let (least, most) = (kept(least), kept(most));
        if least.is_none() && most.is_none() {
            return;
        }
        let Some(known) = self.bounds.iter_mut().find(|bounds| bounds.name == name) else {
            self.bounds.push(Bounds { name: name.to_owned(), least, most });
            return;
        };
        known.least = least.or(known.least.take());
        known.most = most.or(known.most.take());
    }

    /// Keeps the number of values bounded.
    pub fn forget_the_oldest(&mut self) {
        let surplus = self.settings.len().saturating_sub(Self::MOST);
        self.settings.drain(..surplus);
        let surplus = self.bounds.len().saturating_sub(Self::MOST);
        self.bounds.drain(..surplus);
    }
}

impl Facts {
    /// What is known of the settings that this access may not change.
    pub fn refusals(&self, key: &AccessKey, now: UnixTime) -> Refusals {
        lock(&self.refusals).find(key, now).unwrap_or_default()
    }

    /// Remembers what a server would not let us set.
    pub fn remember_refusals(&self, key: AccessKey, refusals: Refusals, now: UnixTime) {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let settings = refusals.settings.iter().map(|refused| refused.name.len() + text(&refused.value));
        let bounds = refusals.bounds.iter();
        let bounds = bounds.map(|bounds| bounds.name.len() + text(&bounds.least) + text(&bounds.most));
        let bytes = 64 + settings.chain(bounds).map(|length| length + 96).sum::<usize>();
        lock(&self.refusals).insert(key, refusals, bytes, now, now.after(REFUSALS_LIVE));
    }

    /// The tools that rules make for this access, while it is fresh.
    pub fn catalogue(&self, key: &AccessKey, now: UnixTime) -> Option<Arc<Catalogue>> {
        lock(&self.catalogues).find(key, now)
    }

    /// Keeps the tools that rules make for an access until they expire.
    pub fn remember_catalogue(&self, key: AccessKey, catalogue: Arc<Catalogue>, now: UnixTime) {
        let (bytes, expires) = (catalogue.size(), catalogue.expires());
        lock(&self.catalogues).insert(key, catalogue, bytes, now, expires);
    }

    /// Leaves a sentence for the operator's log, unless it was left there lately.
    pub fn tell_operator(&self, sentence: String, now: UnixTime) {
        let mut words = lock(&self.words);
        if words.heard.find(&sentence, now).is_none() && words.waiting.len() < Words::MOST_WAITING {
            let bytes = sentence.len();
            words.heard.insert(sentence.clone(), (), bytes, now, now.after(SENTENCES_COUNT));
            words.waiting.push_back(sentence);
        }
    }

    /// What the operator is to hear. A host with a log takes it after each step.
    pub fn take_words(&self) -> Vec<String> {
        lock(&self.words).waiting.drain(..).collect()
    }
}

/// A poisoned lock only means that another request died between two writes of whole values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::{ReadLimits, Statement};
    use crate::config::{Host, Sources, load};
    use crate::identity::Policy;
    use crate::sql::{ReadOnlySql, Rules};

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    #[test]
    fn bounds_are_compared_as_numbers() {
        let mut known = Refusals::default();
        known.bound("limit", None, Some("100".into()));
        known.bound("limit", Some("9".into()), None);
        known.bound("max_execution_time", None, Some("30.5".into()));
        known.bound("words", Some("a".into()), None);
        for (name, value, refused) in [
            ("limit", "100", false),
            ("limit", "101", true),
            ("limit", "11", false),
            ("limit", "8", true),
            ("words", "0", false),
            ("other", "1000", false),
        ] {
            assert_eq!(known.refuse(name, value), refused, "{name} = {value}");
        }
        assert_eq!(known.lowered("max_execution_time", 600), Some(30));
        assert_eq!(known.lowered("max_execution_time", 20), Some(20));
        assert_eq!(known.lowered("limit", 5), None, "below the least");
        known.settings.push(RefusedValue { name: "max_execution_time".into(), value: None });
        assert_eq!(known.lowered("max_execution_time", 20), None);
    }

    #[test]
    fn a_sentence_is_told_once_until_it_is_old_news() {
        let facts = Facts::default();
        facts.tell_operator("a".into(), at(0));
        facts.tell_operator("a".into(), at(1));
        facts.tell_operator("b".into(), at(1));
        assert_eq!(facts.take_words(), ["a", "b"]);
        facts.tell_operator("a".into(), at(3599));
        assert!(facts.take_words().is_empty());
        facts.tell_operator("a".into(), at(3600));
        assert_eq!(facts.take_words(), ["a"]);
        for number in 0..1000 {
            facts.tell_operator(number.to_string(), at(0));
        }
        assert_eq!(facts.take_words().len(), Words::MOST_WAITING);
    }

    #[test]
    fn what_is_said_of_somebody_to_clickhouse_is_a_part_of_who_they_are() {
        let loaded = load(Host::Native, &Sources::default(), &|_| Err(String::new())).unwrap();
        let caller = Policy::new(&loaded.config, Host::Native).static_caller(&loaded.config).unwrap();
        let key = |headers: &[(&str, &str)]| {
            let sql = Statement::ReadOnly(ReadOnlySql::parse("SELECT 1", &Rules::internal()).unwrap());
            let limits = ReadLimits { row_bytes: 1 };
            let mut request = caller.access.query(&loaded.config, sql, "id".into(), 1, limits);
            let header = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            request.headers = headers.iter().map(header).collect();
            AccessKey::of(&request, 1)
        };
        assert_eq!(key(&[("x-tenant", "a")]), key(&[("x-tenant", "a")]));
        assert_ne!(key(&[("x-tenant", "a")]), key(&[("x-tenant", "b")]));
        assert_ne!(key(&[("x-tenant", "a")]), key(&[]));
        assert_ne!(key(&[("x", "ab")]), key(&[("xa", "b")]));
    }
}
