//! A bounded map.

use std::collections::BTreeMap;

use crate::time::UnixTime;

/// A map that forgets: what has expired, and what was used longest ago when it is full.
pub(super) struct Shelf<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    bytes: usize,
    clock: u64,
    most_entries: usize,
    most_bytes: usize,
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self::of(4096, 8 << 20)
    }
}

impl<K, V> Shelf<K, V> {
    pub(super) fn of(most_entries: usize, most_bytes: usize) -> Self {
        Self { entries: BTreeMap::new(), bytes: 0, clock: 0, most_entries, most_bytes }
    }
}

struct Entry<V> {
    value: V,
    bytes: usize,
    expires: UnixTime,
    used: u64,
}

impl<K: Ord + Clone, V: Clone> Shelf<K, V> {
    pub(super) fn find<Q: Ord + ?Sized>(&mut self, key: &Q, now: UnixTime) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.clock += 1;
        let entry = self.entries.get_mut(key)?;
        if entry.expires <= now {
            return None;
        }
        entry.used = self.clock;
        Some(entry.value.clone())
    }

    /// When an entry expires.
    pub(super) fn expiry(&self, key: &K) -> Option<UnixTime> {
        self.entries.get(key).map(|entry| entry.expires)
    }

    pub(super) fn insert(&mut self, key: K, value: V, bytes: usize, now: UnixTime, expires: UnixTime) {
        if bytes > self.most_bytes {
            return;
        }
        self.clock += 1;
        let entry = Entry { value, bytes, expires, used: self.clock };
        if let Some(old) = self.entries.insert(key, entry) {
            self.bytes -= old.bytes;
        }
        self.bytes += bytes;
        if self.entries.len() > self.most_entries || self.bytes > self.most_bytes {
            self.make_room(now);
        }
    }

    fn make_room(&mut self, now: UnixTime) {
        self.entries.retain(|_, entry| entry.expires > now);
        self.bytes = self.entries.values().map(|entry| entry.bytes).sum();
        while self.entries.len() > self.most_entries || self.bytes > self.most_bytes {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(entry) = oldest.and_then(|key| self.entries.remove(&key)) else { return };
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    #[test]
    fn the_least_used_goes_first_when_entries_or_bytes_run_out() {
        let (most_entries, most_bytes) = (4096, 8 << 20);
        let mut shelf = Shelf::<usize, ()>::of(most_entries, most_bytes);
        for key in 0..most_entries {
            shelf.insert(key, (), 1, at(0), at(10));
        }
        assert!(shelf.find(&0, at(1)).is_some());
        shelf.insert(usize::MAX, (), 1, at(1), at(10));
        assert_eq!(shelf.entries.len(), most_entries);
        assert!(shelf.find(&0, at(1)).is_some(), "used a moment ago");
        assert!(shelf.find(&1, at(1)).is_none(), "used longest ago");
        shelf.insert(7, (), most_bytes, at(1), at(10));
        assert_eq!((shelf.entries.len(), shelf.bytes), (1, most_bytes));
        shelf.insert(8, (), most_bytes + 1, at(1), at(10));
        assert_eq!(shelf.entries.len(), 1, "larger than the shelf");
    }
}
