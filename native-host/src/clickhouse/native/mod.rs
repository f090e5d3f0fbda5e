//! ClickHouse over its native protocol: core's connection, pumped over sockets that are kept.
//!
//! From the outside in: an [`Answer`] is what a query becomes; it waits in a [`pool`] for a [`session`], which is a kept
//! one or a new one that was dialled ([`dial`], [`tls`]). [`key`] says who may share one.
//!
//! A query is sent once. A kept connection that turns out to be dead is replaced before the first byte of a query;
//! afterwards nobody can tell whether the server has begun, so whatever breaks then is an error.

mod answer;
mod dial;
mod failure;
mod key;
mod pool;
mod session;
mod tls;

use std::sync::Arc;

use housekey_core::clickhouse::QueryRequest;
use housekey_core::clickhouse::native::Query;
use housekey_core::config::Config;
use tracing::warn;

use super::pool::PoolError;
use crate::host::now;
pub(super) use answer::Answer;
use dial::{Dialler, Target};
use key::Key;
pub use pool::Bounds;
use pool::Pool;

/// A client of any number of servers.
pub(super) struct Native {
    operator: Arc<Pool>,
    tokens: Arc<Pool>,
    dialler: Arc<Dialler>,
}

impl Native {
    pub(super) fn new(config: &Config, bounds: Bounds) -> Result<Self, PoolError> {
        let dialler = Arc::new(Dialler::new(config)?);
        Ok(Self { operator: Pool::new(bounds), tokens: Pool::new(bounds), dialler })
    }

    /// Sends a query. Nothing happens before the first [`Answer::next`].
    pub(super) fn send(&self, request: &QueryRequest) -> Answer {
        let query_id = request.query_id.clone();
        let mut query = match Query::new(request) {
            Ok(query) => query,
            Err(error) => {
                warn!(query_id, "the query cannot be sent: {error}");
                return Answer::unsent(query_id, "the query cannot be sent to ClickHouse as it is");
            }
        };
        query.started = i64::try_from(now().millis()).unwrap_or(i64::MAX).saturating_mul(1000);
        let pool = if request.chosen_by.is_operator() { &self.operator } else { &self.tokens };
        let (pool, dialler) = (Arc::clone(pool), Arc::clone(&self.dialler));
        let preparing = answer::prepare(pool, dialler, Key::of(request), Target::of(request), query);
        Answer::new(Box::pin(preparing), query_id, request.deadline_seconds)
    }
}
