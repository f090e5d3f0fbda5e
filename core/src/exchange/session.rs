//! What a connection that lasts remembers between its messages: one on stdio, one of HTTP+SSE, or one of streamable HTTP
//! where a server wants sessions. The host keeps it, and core decides what it allows.
//!
//! Deliberately absent: what runs in it, and what waits for its client. Both are the host's, which has the connections.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::principal::principal;
use super::service::Service;
use super::watch::Watch;
use crate::facts::AccessKey;
use crate::identity::Caller;
use crate::jsonrpc::RequestId;
use crate::mcp::{Change, ClientAbilities, LogLevel, Revision};
use crate::time::UnixTime;

/// Resources that one client may watch.
const MOST_WATCHED: usize = 1000;

/// What a session remembers between its messages.
#[derive(Clone, Debug)]
pub struct Session {
    pub(super) id: Option<Arc<str>>,
    pub(super) caller: Caller,
    pub(super) revision: Option<Revision>,
    /// What its client declared when it introduced itself.
    pub(super) client: ClientAbilities,
    pub(super) shared: Arc<Shared>,
}

/// What requests of one session, which run beside each other, have in common.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) told: Arc<Told>,
    /// One more than the place of the least level that the client wants to hear; 0 before it has said so.
    log_level: AtomicU8,
    /// The id of the last request to the client.
    asked: AtomicI64,
    watched: Mutex<BTreeSet<String>>,
}

/// Which tools made by rules a client was last told of.
#[derive(Debug, Default)]
pub(super) struct Told(AtomicU64);

impl Told {
    /// Notes that the client has been told of these.
    pub(super) fn note(&self, digest: u64) {
        self.0.store(digest, Ordering::Relaxed);
    }

    /// Whether the client was told of any.
    pub(super) fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Whether the client was told of others than these. It is said once.
    pub(super) fn is_news(&self, digest: u64) -> bool {
        let known = self.0.load(Ordering::Relaxed);
        known != 0 && known != digest && self.0.swap(digest, Ordering::Relaxed) != digest
    }

    /// The same for a listener, who knows what there is when it begins to listen.
    pub(super) fn is_news_since_the_first(&self, digest: u64) -> bool {
        let known = self.0.swap(digest, Ordering::Relaxed);
        known != 0 && known != digest
    }
}

impl Session {
    pub(super) fn new(caller: Caller, id: Option<String>) -> Self {
        let shared = Arc::new(Shared::default());
        let client = ClientAbilities::default();
        Self { id: id.map(Arc::from), caller, revision: None, client, shared }
    }

    /// The session once its client has introduced itself: it knows nothing yet.
    pub(super) fn introduced(&self, revision: Revision, client: ClientAbilities) -> Self {
        self.shared.told.note(0);
        self.shared.log_level.store(0, Ordering::Relaxed);
        self.shared.watched().clear();
        Self { revision: Some(revision), client, ..self.clone() }
    }

    /// What its client names it by, over HTTP.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whom the session's token names, for logs.
    pub fn subject(&self) -> Option<&str> {
        self.caller.access.subject.as_deref()
    }

    /// When the session ends because its token does.
    pub fn expires(&self) -> Option<UnixTime> {
        self.caller.expires
    }

    /// Whose session it is: equal for one caller, whatever they send.
    pub fn principal(&self, service: &Service) -> Option<AccessKey> {
        principal(&service.config, &self.caller.access)
    }

    /// Whether an event stream begins with an event that it can be taken up from.
    pub fn primes_streams(&self) -> bool {
        self.revision.is_some_and(Revision::has_priming_events)
    }

    /// What the client is told of a change, if it is to hear of it: after the handshake, of lists always, of a resource
    /// if it has subscribed to it.
    pub fn notice(&self, service: &Service, change: &Change) -> Option<String> {
        self.revision?;
        let news = service.news();
        let hears = match change {
            Change::Tools => news.tools,
            Change::Prompts => news.prompts,
            Change::Resources => news.resources,
            Change::Resource { uri } => news.named_resources && self.shared.watched().contains(uri),
        };
        hears.then(|| change.to_text(None))
    }

    /// What looks for other tools than the client was told of, where rules make them.
    pub fn watch(&self, service: &Arc<Service>) -> Option<Watch> {
        Watch::of_session(service, self)
    }

    /// The least level that the client wants to hear. Before it says so, the server decides: all of it (MCP 2025-11-25,
    /// utilities/logging).
    pub(super) fn log_level(&self) -> LogLevel {
        let place = self.shared.log_level.load(Ordering::Relaxed).checked_sub(1);
        place.and_then(|place| LogLevel::ALL.get(usize::from(place)).copied()).unwrap_or(LogLevel::Debug)
    }

    pub(super) fn set_log_level(&self, level: LogLevel) {
        let place = LogLevel::ALL.into_iter().position(|known| known == level).unwrap_or_default();
        self.shared.log_level.store(u8::try_from(place + 1).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Has the client hear of a resource. `false` when it hears of too many already.
    pub(super) fn subscribe(&self, uri: &str) -> bool {
        let mut watched = self.shared.watched();
        let has_room = watched.len() < MOST_WATCHED || watched.contains(uri);
        has_room && {
            watched.insert(uri.to_owned());
            true
        }
    }

    pub(super) fn unsubscribe(&self, uri: &str) {
        self.shared.watched().remove(uri);
    }

    /// An id for a request to the client, one that the session never had.
    pub(super) fn next_id(&self) -> RequestId {
        RequestId::Number(self.shared.asked.fetch_add(1, Ordering::Relaxed).saturating_add(1))
    }
}

impl Shared {
    fn watched(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
