//! The watch over impersonation: what is missing for it, in the operator's log, at the start and after failures.
//!
//! It never holds anything up: it asks in the background, for 15 seconds at most, and nobody waits for it. It tells
//! what its own questions came to; of a person's query it tells the `query_id` and never what ClickHouse said of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use housekey_core::clickhouse::{QueryEvent, QueryRequest, RunAs};
use housekey_core::config::oauth::{Mode, OAuth};
use housekey_core::config::{Config, Host, Impersonation};
use housekey_core::identity::Policy;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::advice::{Attempt, Missing};
use super::ask::{Asker, NoAnswer, PATIENCE};
use super::inquiry::{Failed, Reach, explained, reach, try_acting};
use super::read_only::{Hold, hold};
use super::stand_in;
use crate::clickhouse::Client;

/// How long after one inquiry the next failure may cause another.
const PAUSE: Duration = Duration::from_secs(60);

/// Watches over the impersonation of one configuration. Clones share its pauses.
#[derive(Clone)]
pub struct Watch(Arc<Parts>);

struct Parts {
    client: Client,
    config: Arc<Config>,
    pause: Pause,
    /// Settings of the operator's of which was told that they are refused.
    told: Mutex<BTreeSet<String>>,
}

impl Watch {
    /// A watch that asks through this client.
    pub fn new(client: Client, config: Arc<Config>) -> Self {
        Self(Arc::new(Parts { client, config, pause: Pause::default(), told: Mutex::default() }))
    }

    /// Tells what is missing before anybody asks. It returns at once.
    pub fn begin(&self) {
        // Where tokens go on to ClickHouse, no login of our own is ever used: there may be none.
        let forwards = |oauth: &OAuth| oauth.mode == Mode::Forward;
        if self.0.config.server.oauth.as_ref().is_some_and(forwards) {
            return;
        }
        match self.0.config.clickhouse.impersonation {
            Impersonation::None | Impersonation::ExecuteAs | Impersonation::Interserver => {
                self.spawn(Self::look);
            }
        }
    }

    /// Tells, once for each, which of the operator's settings a profile refuses.
    pub(crate) fn notice_refused(&self, request: &QueryRequest) {
        if request.refused.is_empty() {
            return;
        }
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &request.refused {
            if told.insert(name.clone()) {
                warn!(
                    query_id = request.query_id,
                    "ClickHouse refuses the setting {name} of `clickhouse.extra_settings` to somebody, whose queries go without it"
                );
            }
        }
    }

    /// Tells why a query failed, if that may be the impersonation's fault. It returns at once.
    pub fn notice(&self, request: &QueryRequest, event: &QueryEvent) {
        // A server that a token chose is not the operator's to mend.
        if !request.chosen_by.is_operator() {
            return;
        }
        let (Some(person), Some(no_answer)) = (person(&request.run_as), suspicion(&request.run_as, event))
        else {
            return;
        };
        let attempt = Attempt { credential: &request.credential, run_as: &request.run_as, version: None };
        if let Some(missing @ Missing::OwnGrant { .. }) = attempt.judge(&no_answer) {
            info!(query_id = request.query_id, "impersonation works: {missing}");
            return;
        }
        if self.0.pause.is_over(Instant::now()) {
            let Ok(asker) = Asker::like(&self.0.client, request) else { return };
            let (query_id, person) = (request.query_id.clone(), person.to_owned());
            self.spawn(|_| async move { follow_up(&asker, &query_id, &person, no_answer).await });
        }
    }

    /// Tells why a guest's query failed, of which the host knows no more than the code.
    pub(crate) fn notice_code(&self, code: i32) {
        match self.0.config.clickhouse.impersonation {
            Impersonation::ExecuteAs if matches!(code, 62 | 164 | 192 | 344 | 497) => {
                if self.0.pause.is_over(Instant::now()) {
                    self.spawn(Self::look);
                }
            }
            Impersonation::ExecuteAs | Impersonation::None | Impersonation::Interserver => {}
        }
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, work: impl FnOnce(Self) -> F) {
        if !self.0.config.clickhouse.impersonation_probe {
            return;
        }
        // A shutdown does not wait for this, so it is none of the background's.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(work(self.clone()));
        }
    }

    async fn look(self) {
        let looking = async {
            match self.0.config.clickhouse.impersonation {
                Impersonation::None => self.look_at_login().await,
                Impersonation::ExecuteAs => self.look_at_gateway().await,
                Impersonation::Interserver => self.look_at_cluster().await,
            }
        };
        if timeout(Duration::from_secs(PATIENCE), looking).await.is_err() {
            warn!("whether people can be acted for is not known: ClickHouse took longer than 15 seconds");
        }
    }

    /// Without impersonation there is one user for all, if the operator configured one.
    async fn look_at_login(&self) {
        let Parts { client, config, .. } = &*self.0;
        let Ok(caller) = Policy::new(config, Host::Native).static_caller(config) else { return };
        let Ok(asker) = Asker::new(client, config, &caller.access) else { return };
        tell_hold(&asker).await;
    }

    async fn look_at_gateway(&self) {
        let Parts { client, config, .. } = &*self.0;
        let access = Policy::new(config, Host::Native).acting_for(config, &stand_in());
        let Some(asker) = access.ok().and_then(|access| Asker::new(client, config, &access).ok()) else {
            return;
        };
        match reach(&asker).await {
            Ok(Reach::Everybody) => info!(
                "impersonation works, for everybody whom ClickHouse knows: IMPERSONATE ON a `prefix*` would be less"
            ),
            Ok(Reach::Some) => info!("impersonation works, for those on whom IMPERSONATE is granted"),
            Err(failed) => warn!("nobody can be acted for: {}", told(&failed)),
        }
    }

    async fn look_at_cluster(&self) {
        let Parts { client, config, .. } = &*self.0;
        let Ok(caller) = Policy::new(config, Host::Native).static_caller(config) else {
            info!(
                "nobody is configured as whom the cluster's secret could be tried: `housekey test-connection --as USER` does"
            );
            return;
        };
        let Ok(asker) = Asker::new(client, config, &caller.access) else { return };
        match try_acting(&asker).await {
            Ok(_) => {
                info!("impersonation works: ClickHouse takes Housekey for a member of its cluster");
                tell_hold(&asker).await;
            }
            Err(failed) => warn!("nobody can be acted for: {}", told(&failed)),
        }
    }
}

/// Tells whether the server holds a query that reads to reading. Why it does not answer, the first query will tell.
async fn tell_hold(asker: &Asker) {
    match hold(asker).await {
        held @ (Hold::Setting | Hold::Grants | Hold::Unknown(_)) => info!("{held}"),
        held @ (Hold::Nothing | Hold::Right { .. }) => warn!("{held}"),
    }
}

/// Asks as the person whose query failed, since what was missing then may be there by now.
async fn follow_up(asker: &Asker, query_id: &str, person: &str, no_answer: NoAnswer) {
    let looking = async {
        match try_acting(asker).await {
            Err(failed) => Err(failed),
            // The question reads no table, so a policy that breaks others does not break it.
            Ok(_) => Ok(explained(asker, no_answer).await.missing.filter(shows_with_tables_only)),
        }
    };
    match timeout(Duration::from_secs(PATIENCE), looking).await {
        Ok(Err(failed)) => warn!(query_id, "{person:?} cannot be acted for: {}", told(&failed)),
        Ok(Ok(Some(missing))) => warn!(query_id, "a query as {person:?} failed: {missing}"),
        Ok(Ok(None)) => {
            info!(query_id, "acting for {person:?} works: the query failed for a reason of its own")
        }
        Err(_) => warn!(query_id, "why a query as {person:?} failed is not known: ClickHouse takes too long"),
    }
}

fn shows_with_tables_only(missing: &Missing) -> bool {
    matches!(missing, Missing::SoundRowPolicies)
}

/// The questions were Housekey's own, so that what ClickHouse says of them tells of nobody's statement.
fn told(Failed { no_answer, missing }: &Failed) -> String {
    match (missing, no_answer) {
        (Some(missing), NoAnswer::Exception(exception)) => format!("error {}: {missing}", exception.code),
        (Some(missing), NoAnswer::NoMember | NoAnswer::Broken(_)) => missing.to_string(),
        (None, NoAnswer::Exception(exception)) => {
            format!("error {}: {}", exception.code, exception.message.escape_debug())
        }
        (None, NoAnswer::NoMember) => "ClickHouse closed the connection without a word".to_owned(),
        (None, NoAnswer::Broken(reason)) => reason.escape_debug().to_string(),
    }
}

fn person(run_as: &RunAs) -> Option<&str> {
    match run_as {
        RunAs::Login => None,
        RunAs::ExecuteAs(person) | RunAs::Interserver(person) => Some(person.as_str()),
    }
}

/// What of an event may be the impersonation's fault. A connection that broke off has its own line in the log.
fn suspicion(run_as: &RunAs, event: &QueryEvent) -> Option<NoAnswer> {
    match event {
        QueryEvent::Exception(exception) => {
            let suspected = match run_as {
                RunAs::Login => false,
                RunAs::ExecuteAs(_) => matches!(exception.code, 49 | 62 | 164 | 192 | 344 | 497),
                RunAs::Interserver(_) => matches!(exception.code, 49 | 192 | 194 | 497 | 516),
            };
            suspected.then(|| NoAnswer::Exception(exception.clone()))
        }
        QueryEvent::Broken(reason) => match run_as {
            RunAs::Login | RunAs::ExecuteAs(_) => None,
            RunAs::Interserver(_) => {
                Some(NoAnswer::broken(reason.clone())).filter(|no_answer| *no_answer == NoAnswer::NoMember)
            }
        },
        QueryEvent::Header(_)
        | QueryEvent::Rows(_)
        | QueryEvent::Progress { .. }
        | QueryEvent::RowTooLong
        | QueryEvent::End => None,
    }
}

/// The pause between two inquiries.
#[derive(Default)]
struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// Whether it is over; if so, the next one begins.
    fn is_over(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = last.is_none_or(|last| now.duration_since(last) >= PAUSE);
        if over {
            *last = Some(now);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use housekey_core::clickhouse::Exception;
    use housekey_core::clickhouse::native::Ending;
    use housekey_core::sql::{DenyList, ImpersonatedUser};

    use super::*;

    #[test]
    fn an_inquiry_a_minute_is_enough() {
        let (pause, begun) = (Pause::default(), Instant::now());
        let after = |seconds| pause.is_over(begun + Duration::from_secs(seconds));
        let over = [0, 0, 59, 60, 61, 119, 120, 500].map(after);
        assert_eq!(over, [true, false, false, true, false, false, true, true]);
    }

    #[test]
    fn only_what_impersonation_can_cause_is_looked_into() {
        let alice = || ImpersonatedUser::parse("alice", &DenyList::new("gw", &[], &[])).unwrap();
        let exception = |code| {
            let (name, message) = (String::new(), String::new());
            QueryEvent::Exception(Exception { code, name, message, before_execution: true })
        };
        let asks = |run_as: &RunAs, event| suspicion(run_as, &event).is_some();
        let codes = [49, 62, 164, 192, 241, 344, 497, 516].map(exception);
        let wrapped = codes.clone().map(|event| asks(&RunAs::ExecuteAs(alice()), event));
        assert_eq!(wrapped, [true, true, true, true, false, true, true, false]);
        let vouched = codes.clone().map(|event| asks(&RunAs::Interserver(alice()), event));
        assert_eq!(vouched, [true, false, false, true, false, false, true, true]);
        assert_eq!(codes.map(|event| asks(&RunAs::Login, event)), [false; 8]);
        let refused = || QueryEvent::Broken(Ending::InterserverRefused.to_string());
        assert!(
            asks(&RunAs::Interserver(alice()), refused()) && !asks(&RunAs::ExecuteAs(alice()), refused())
        );
        assert!(!asks(
            &RunAs::Interserver(alice()),
            QueryEvent::Broken("ClickHouse could not be reached".into())
        ));
        assert!(!asks(&RunAs::Interserver(alice()), QueryEvent::End));
    }
}
