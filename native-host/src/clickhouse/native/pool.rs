//! Connections that are kept, and how many there may be.
//!
//! A connection belongs to one query at a time, in a [`Lease`]. A lease that is dropped closes it; only
//! [`Lease::give_back`] keeps it, and only if nothing of the query is left on it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::key::Key;
use super::session::Session;

/// For how long a connection lives for which a token's files were read: one that was renewed or taken away is noticed
/// after this time, as it is over HTTP.
const FRESH: Duration = Duration::from_secs(60);

/// How many connections of the native protocol there may be, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections of one login to one server. Further queries wait, the first first.
    pub of_login: usize,
    /// Connections in all, those that are idle included. Servers that tokens choose have as many of their own, so that
    /// a slow one of theirs does not keep everybody from the operator's.
    pub in_all: usize,
    /// How long a connection is kept without a query.
    pub idle: Duration,
    /// How long a connection is used, so that an address that moved is noticed.
    pub life: Duration,
    /// After how much idleness a connection has to answer a ping before a query goes out on it.
    pub ping_after: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            of_login: 64,
            in_all: 256,
            idle: Duration::from_secs(60),
            life: Duration::from_secs(600),
            ping_after: Duration::from_secs(5),
        }
    }
}

pub(super) struct Pool {
    bounds: Bounds,
    /// One permit for each connection that a query has, or is about to make.
    in_all: Arc<Semaphore>,
    store: Mutex<Store>,
}

#[derive(Default)]
struct Store {
    groups: HashMap<Arc<Key>, Group>,
    /// Idle connections of all groups.
    idle: usize,
    is_swept: bool,
}

/// What there is for one key.
struct Group {
    places: Arc<Semaphore>,
    /// The one that was used last is the last.
    idle: Vec<Idle>,
    /// Queries that have a place or wait for one.
    guests: usize,
}

struct Idle {
    session: Session,
    since: Instant,
}

impl Pool {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        let in_all = Arc::new(Semaphore::new(bounds.in_all));
        Arc::new(Self { bounds, in_all, store: Mutex::default() })
    }

    /// Waits until there may be one connection more.
    pub(super) async fn enter(self: &Arc<Self>, key: Key) -> Option<Place> {
        let guest = Guest::new(self, Arc::new(key));
        // Semaphores are fair, and no permit is held by anybody who waits for one of the first kind.
        let of_login = Arc::clone(&guest.places).acquire_owned().await.ok()?;
        let in_all = Arc::clone(&self.in_all).acquire_owned().await.ok()?;
        Some(Place { _of_login: of_login, _in_all: in_all, guest })
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self, key: &Key) -> Duration {
        if key.reads_files_of_tokens() { self.bounds.life.min(FRESH) } else { self.bounds.life }
    }

    /// Closes what was idle for too long. `false` when nothing is left to watch.
    fn sweep(&self) -> bool {
        // They are dropped after the lock: closing a socket is a system call.
        let mut closing = Vec::new();
        let mut store = self.store();
        let mut left = 0;
        for (key, group) in &mut store.groups {
            let life = self.life(key);
            closing.extend(group.idle.extract_if(.., |idle| {
                idle.since.elapsed() >= self.bounds.idle || idle.session.age() >= life
            }));
            left += group.idle.len();
        }
        store.groups.retain(|_, group| !group.is_forsaken());
        store.idle = left;
        store.is_swept = left > 0;
        left > 0
    }

    fn watch(self: &Arc<Self>, store: &mut Store) {
        if store.is_swept {
            return;
        }
        // Without a runtime, which is the very end of the process, nobody has to watch.
        if let Ok(runtime) = Handle::try_current() {
            store.is_swept = true;
            let (pool, pause) = (Arc::downgrade(self), self.bounds.idle / 2);
            runtime.spawn(keep_sweeping(pool, pause.max(Duration::from_millis(1))));
        }
    }
}

async fn keep_sweeping(pool: Weak<Pool>, pause: Duration) {
    loop {
        sleep(pause).await;
        match pool.upgrade() {
            Some(pool) if pool.sweep() => {}
            Some(_) | None => return,
        }
    }
}

impl Group {
    fn is_forsaken(&self) -> bool {
        self.guests == 0 && self.idle.is_empty()
    }
}

impl Store {
    /// Takes the connection that was idle for the longest time.
    fn oldest(&mut self) -> Option<Idle> {
        let groups = self.groups.values_mut().filter(|group| !group.idle.is_empty());
        let oldest = groups.min_by_key(|group| group.idle.first().map(|idle| idle.since))?;
        self.idle = self.idle.saturating_sub(1);
        Some(oldest.idle.remove(0))
    }
}

/// Counts a query at its key for as long as it is there.
struct Guest {
    pool: Arc<Pool>,
    key: Arc<Key>,
    places: Arc<Semaphore>,
}

impl Guest {
    fn new(pool: &Arc<Pool>, key: Arc<Key>) -> Self {
        let mut store = pool.store();
        let group = store.groups.entry(Arc::clone(&key)).or_insert_with(|| Group {
            places: Arc::new(Semaphore::new(pool.bounds.of_login)),
            idle: Vec::new(),
            guests: 0,
        });
        group.guests += 1;
        let places = Arc::clone(&group.places);
        drop(store);
        Self { pool: Arc::clone(pool), key, places }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut store = self.pool.store();
        if let Some(group) = store.groups.get_mut(&self.key) {
            group.guests = group.guests.saturating_sub(1);
            if group.is_forsaken() {
                store.groups.remove(&self.key);
            }
        }
    }
}

/// The right to one connection. Its permits go before it stops to be a guest.
pub(super) struct Place {
    _of_login: OwnedSemaphorePermit,
    _in_all: OwnedSemaphorePermit,
    guest: Guest,
}

impl Place {
    /// A kept connection that is still good, the one that was used last first.
    pub(super) async fn kept(&self) -> Option<Session> {
        let pool = &self.guest.pool;
        while let Some(Idle { mut session, since }) = self.take_idle() {
            let idle = since.elapsed();
            let young = idle < pool.bounds.idle && session.age() < pool.life(&self.guest.key);
            if young && session.lives(idle, pool.bounds.ping_after).await {
                return Some(session);
            }
            // Where one has died in its sleep the older ones have too, and each may take its time to be found dead.
            if idle >= pool.bounds.ping_after {
                while self.take_idle().is_some() {}
            }
        }
        None
    }

    /// Closes idle connections of others until one more is within the bounds.
    pub(super) fn make_room(&self) {
        let pool = &self.guest.pool;
        loop {
            let mut store = pool.store();
            if store.idle <= pool.in_all.available_permits() {
                return;
            }
            let oldest = store.oldest();
            drop(store);
            if oldest.is_none() {
                return;
            }
        }
    }

    pub(super) fn lease(self, session: Session) -> Lease {
        Lease { session, place: self }
    }

    fn take_idle(&self) -> Option<Idle> {
        let mut store = self.guest.pool.store();
        let idle = store.groups.get_mut(&self.guest.key)?.idle.pop()?;
        store.idle = store.idle.saturating_sub(1);
        Some(idle)
    }
}

/// A connection for one query. Dropping it closes the connection before its place is free.
pub(super) struct Lease {
    session: Session,
    place: Place,
}

impl Lease {
    pub(super) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Keeps the connection for another query, if it is fit for one.
    pub(super) fn give_back(mut self) {
        let Guest { pool, key, .. } = &self.place.guest;
        if !self.session.is_reusable() || self.session.age() >= pool.life(key) {
            return;
        }
        let mut store = pool.store();
        if let Some(group) = store.groups.get_mut(key) {
            group.idle.push(Idle { session: self.session, since: Instant::now() });
            store.idle += 1;
            pool.watch(&mut store);
        }
    }
}
