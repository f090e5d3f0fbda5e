//! How many streams and sessions there may be, of one person and of all.

use std::collections::BTreeMap;

use housekey_core::facts::AccessKey;
use tokio::sync::watch;

/// Places that are taken and given back.
#[derive(Clone)]
pub(crate) struct Places {
    taken: watch::Sender<Taken>,
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
    taken: watch::Sender<Taken>,
    who: AccessKey,
}

impl Places {
    pub(crate) fn new(all: usize, each: usize) -> Self {
        Self { taken: watch::Sender::default(), all, each }
    }

    /// Takes a place for somebody.
    pub(crate) fn take(&self, who: &AccessKey) -> Result<Place, Full> {
        let mut full = None;
        self.taken.send_if_modified(|taken| {
            full = self.full(taken, who);
            if full.is_none() {
                *taken.by.entry(who.clone()).or_default() += 1;
                taken.all += 1;
            }
            full.is_none()
        });
        match full {
            Some(full) => Err(full),
            None => Ok(Place { taken: self.taken.clone(), who: who.clone() }),
        }
    }

    /// Why there is no place for somebody.
    fn full(&self, taken: &Taken, who: &AccessKey) -> Option<Full> {
        if taken.all >= self.all {
            return Some(Full::All);
        }
        let theirs = taken.by.get(who).copied().unwrap_or_default();
        (theirs >= self.each).then_some(Full::Theirs)
    }

    /// Comes back once nobody has a place.
    pub(super) async fn given_back(&self) {
        let mut taken = self.taken.subscribe();
        let _ = taken.wait_for(|taken| taken.all == 0).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.send_modify(|taken| {
            taken.all = taken.all.saturating_sub(1);
            if let Some(theirs) = taken.by.get_mut(&self.who) {
                *theirs = theirs.saturating_sub(1);
                if *theirs == 0 {
                    taken.by.remove(&self.who);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use housekey_core::config::{Host, Sources, load};

    use super::*;

    fn somebody() -> AccessKey {
        let loaded = load(Host::Native, &Sources::default(), &|_| Err("no files here".into())).unwrap();
        let native = crate::serve::native(loaded.config).unwrap();
        let session = native.step(|env| native.service().open_session(env)).unwrap();
        session.principal(native.service()).unwrap()
    }

    #[test]
    fn places_are_taken_and_given_back() {
        let somebody = somebody();
        let [alice, bob, carol] = [b"a", b"b", b"c"].map(|name| somebody.with(&[name]));
        let places = Places::new(3, 2);
        let (first, _second) = (places.take(&alice).ok().unwrap(), places.take(&alice).ok().unwrap());
        assert_eq!(places.take(&alice).err(), Some(Full::Theirs));
        let _third = places.take(&bob).ok().unwrap();
        assert_eq!(places.take(&carol).err(), Some(Full::All));
        drop(first);
        assert!(places.take(&carol).is_ok() && places.take(&alice).is_ok());
    }

    #[tokio::test]
    async fn whoever_waits_for_the_last_place_hears_of_it() {
        let somebody = somebody();
        let places = Places::new(3, 2);
        places.given_back().await;
        let (first, second) = (places.take(&somebody).ok().unwrap(), places.take(&somebody).ok().unwrap());
        let given_back = places.given_back();
        tokio::pin!(given_back);
        drop(first);
        assert!(by_now(given_back.as_mut()).await.is_none(), "one is taken still");
        drop(second);
        given_back.await;
    }

    /// What a future has come to by now.
    async fn by_now<F: Future + Unpin>(future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = std::future::ready(()) => None,
        }
    }
}
