//! The sessions that clients have open over HTTP, by their ids. They live in this process and end with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::in_session::Resumable;
use super::lines::Lines;
use super::places::Places;

/// Sessions that there may be, and that one person may have.
const MOST: usize = 1024;
const MOST_OF_ONE: usize = 128;

/// One session.
#[derive(Clone)]
pub(super) enum Live {
    /// Of HTTP+SSE: it ends with its stream.
    Lines(Arc<Lines>),
    /// Of streamable HTTP: it ends when its client says so, or has been silent for long.
    Resumable(Arc<Resumable>),
}

/// All of them.
pub(crate) struct Sessions {
    table: Mutex<BTreeMap<String, Live>>,
    places: Places,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { table: Mutex::default(), places: Places::new(MOST, MOST_OF_ONE) }
    }
}

impl Sessions {
    /// Who may open how many.
    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    pub(super) fn insert(&self, id: &str, live: Live) {
        self.lock().insert(id.to_owned(), live);
    }

    pub(super) fn find(&self, id: &str) -> Option<Live> {
        self.lock().get(id).cloned()
    }

    pub(super) fn remove(&self, id: &str) -> Option<Live> {
        self.lock().remove(id)
    }

    /// Ends the sessions whose clients have been silent for long.
    pub(super) fn sweep(&self) {
        let mut silent = Vec::new();
        self.lock().retain(|_, live| {
            let is_silent = matches!(live, Live::Resumable(session) if session.is_silent());
            if is_silent {
                silent.push(live.clone());
            }
            !is_silent
        });
        silent.iter().for_each(Live::stop);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Live>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    /// Ends it.
    pub(super) fn stop(&self) {
        match self {
            Self::Lines(lines) => lines.stop(),
            Self::Resumable(session) => session.stop(),
        }
    }

    pub(super) fn session(&self) -> housekey_core::exchange::Session {
        match self {
            Self::Lines(lines) => lines.session(),
            Self::Resumable(session) => session.session(),
        }
    }
}
