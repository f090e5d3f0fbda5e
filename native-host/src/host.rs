//! What the native driver has at hand: the service, a clock, randomness, facts, ClickHouse, the web, and a way to
//! let small work go on after its request is gone.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use housekey_core::env::Env;
use housekey_core::exchange::Service;
use housekey_core::facts::Facts;
use housekey_core::mcp::Change;
use housekey_core::time::UnixTime;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};
use tracing::warn;

use crate::clickhouse::{Client, PoolError};
use crate::fetch::Fetcher;
use crate::probe::Watch;
use crate::serve::{Places, Sessions};

/// A configured service with everything that drives it. Clones share it.
#[derive(Clone)]
pub struct Native(Arc<Parts>);

struct Parts {
    service: Arc<Service>,
    facts: Facts,
    clickhouse: Client,
    watch: Watch,
    fetcher: Fetcher,
    background: Background,
    news: broadcast::Sender<Change>,
    sessions: Sessions,
    listeners: Places,
    draining: watch::Sender<bool>,
}

/// Changes that somebody who is told of them slowly may lag behind.
const MOST_NEWS: usize = 256;
/// Requests that may listen at once, and those of one person.
const MOST_LISTENERS: usize = 1024;
const MOST_LISTENERS_OF_ONE: usize = 64;

impl Native {
    /// Makes a service ready to be driven.
    ///
    /// # Errors
    /// The files that the configuration names for TLS to ClickHouse cannot be used.
    pub fn new(service: Arc<Service>) -> Result<Self, PoolError> {
        let clickhouse = Client::new(service.config())?;
        let watch = Watch::new(clickhouse.clone(), Arc::clone(service.config()));
        let (facts, fetcher, background) = (Facts::default(), Fetcher::default(), Background::default());
        Ok(Self(Arc::new(Parts {
            service,
            facts,
            clickhouse,
            watch,
            fetcher,
            background,
            news: broadcast::Sender::new(MOST_NEWS),
            sessions: Sessions::default(),
            listeners: Places::new(MOST_LISTENERS, MOST_LISTENERS_OF_ONE),
            draining: watch::Sender::new(false),
        })))
    }

    /// Where it is told what has changed.
    pub(crate) fn news(&self) -> &broadcast::Sender<Change> {
        &self.0.news
    }

    /// The sessions that clients have open over HTTP.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Who listens.
    pub(crate) fn listeners(&self) -> &Places {
        &self.0.listeners
    }

    /// Has what would stay open end.
    pub(crate) fn drain(&self) {
        self.0.draining.send_replace(true);
    }

    /// Comes back once nothing may stay open.
    pub(crate) async fn draining(&self) {
        let mut draining = self.0.draining.subscribe();
        if draining.wait_for(|draining| *draining).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The service.
    pub fn service(&self) -> &Arc<Service> {
        &self.0.service
    }

    /// ClickHouse.
    pub fn clickhouse(&self) -> &Client {
        &self.0.clickhouse
    }

    /// Who tells the operator why nobody can be acted for.
    pub fn watch(&self) -> &Watch {
        &self.0.watch
    }

    /// The web.
    pub fn fetcher(&self) -> &Fetcher {
        &self.0.fetcher
    }

    /// Work that outlives its request.
    pub fn background(&self) -> &Background {
        &self.0.background
    }

    /// Lends the world for one step of core.
    pub fn step<T>(&self, take: impl FnOnce(&mut Env<'_>) -> T) -> T {
        let mut rng = rand::rng();
        let taken = take(&mut Env { now: now(), rng: &mut rng, facts: &self.0.facts });
        for sentence in self.0.facts.take_words() {
            warn!("{sentence}");
        }
        taken
    }
}

/// What the clock of this computer says. A clock before 1970 counts as 1970.
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Chooses the cryptography of every TLS connection of this process. Later calls change nothing.
pub fn install_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Work that outlives its request, such as the cancellation of a query; a shutdown waits for it.
pub struct Background(watch::Sender<()>);

impl Default for Background {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Background {
    /// Starts work. Without a runtime, which is the very end of the process, it is dropped.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = Handle::try_current() {
            let alive = self.0.subscribe();
            runtime.spawn(async move {
                work.await;
                drop(alive);
            });
        }
    }

    /// Waits until no work is left.
    pub async fn finished(&self) {
        self.0.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn background_work_is_waited_for() {
        let background = Background::default();
        background.finished().await;
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        background.spawn(async move {
            let _ = released.await;
        });
        let waiting = background.finished();
        tokio::pin!(waiting);
        assert!(timeout(Duration::ZERO, waiting.as_mut()).await.is_err());
        release.send(()).unwrap();
        waiting.await;
    }
}
