//! How many streams and sessions there may be, of one person and of all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use housekey_core::facts::AccessKey;

/// Places that are taken and given back.
#[derive(Clone)]
pub(crate) struct Places {
    taken: Arc<Mutex<Taken>>,
    all: usize,
    each: usize,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by: BTreeMap<AccessKey, usize>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// This person has as many as they may.
    Theirs,
    /// All together have.
    All,
}

/// A place, given back when it is dropped.
pub(crate) struct Place {
    taken: Arc<Mutex<Taken>>,
    who: AccessKey,
}

impl Places {
    pub(crate) fn new(all: usize, each: usize) -> Self {
        Self { taken: Arc::default(), all, each }
    }

    /// Takes a place for somebody.
    pub(crate) fn take(&self, who: &AccessKey) -> Result<Place, Full> {
        let mut taken = lock(&self.taken);
        if taken.all >= self.all {
            return Err(Full::All);
        }
        let theirs = taken.by.entry(who.clone()).or_default();
        if *theirs >= self.each {
            return Err(Full::Theirs);
        }
        *theirs += 1;
        taken.all += 1;
        Ok(Place { taken: Arc::clone(&self.taken), who: who.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all = taken.all.saturating_sub(1);
        if let Some(theirs) = taken.by.get_mut(&self.who) {
            *theirs = theirs.saturating_sub(1);
            if *theirs == 0 {
                taken.by.remove(&self.who);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use housekey_core::config::{Host, Sources, load};

    use super::*;

    #[test]
    fn places_are_taken_and_given_back() {
        let loaded = load(Host::Native, &Sources::default(), &|_| Err("no files here".into())).unwrap();
        let native = crate::serve::native(loaded.config).unwrap();
        let session = native.step(|env| native.service().open_session(env)).unwrap();
        let somebody = session.principal(native.service()).unwrap();
        let [alice, bob, carol] = [b"a", b"b", b"c"].map(|name| somebody.with(&[name]));
        let places = Places::new(3, 2);
        let (first, _second) = (places.take(&alice).ok().unwrap(), places.take(&alice).ok().unwrap());
        assert_eq!(places.take(&alice).err(), Some(Full::Theirs));
        let _third = places.take(&bob).ok().unwrap();
        assert_eq!(places.take(&carol).err(), Some(Full::All));
        drop(first);
        assert!(places.take(&carol).is_ok() && places.take(&alice).is_ok());
    }
}
