//! What the guest of one request is given: an environment, and a way out.

use std::sync::Arc;

use housekey_core::exchange::Bound;

use super::environment::hosted_environment;
use super::native_import::Lender;
use super::outgoing::Outgoing;
use crate::host::Native;

/// What the guest of one request is given.
pub struct Means {
    pub(super) environment: Arc<[(String, String)]>,
    pub(super) way: Way,
}

/// The one way out of a sandbox.
pub(super) enum Way {
    /// Requests of its own, with a login of its own.
    Outgoing(Arc<Outgoing>),
    /// Queries of the host, as the caller who is bound to it.
    Lender(Box<Lender>),
}

impl Means {
    /// For the portable build: the configuration, and HTTP to where that leads.
    pub(crate) fn portable(environment: Arc<[(String, String)]>, outgoing: Arc<Outgoing>) -> Self {
        Self { environment, way: Way::Outgoing(outgoing) }
    }

    /// For the build that queries through this host, for this caller.
    pub(crate) fn lent(native: Native, bound: Bound) -> Self {
        let environment = hosted_environment(bound.config(), bound.access(), &bound.sealing_secrets()).into();
        Self { environment, way: Way::Lender(Box::new(Lender::new(native, bound))) }
    }
}
