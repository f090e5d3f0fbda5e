//! Looking, from time to time, whether there are other tools for somebody than before, for a client that listens.
//!
//! A look is the question that `tools/list` asks, so it costs nothing while the answer to that is fresh, and listeners
//! of one person share it. Where nobody listens, nobody looks.

use std::sync::Arc;
use std::time::Duration;

use super::principal::principal;
use super::running::{Next, Running, Scene, Shape, Surface};
use super::service::Service;
use super::session::{Session, Told};
use super::step::Step;
use crate::env::Env;
use crate::identity::Caller;
use crate::jose::base64url;
use crate::jsonrpc::{Params, RequestId};
use crate::mcp::{CallResult, ClientAbilities};
use crate::time::UnixTime;
use crate::tool::{Call, catalogue};

/// Looks at the tools of one caller.
#[derive(Clone)]
pub struct Watch {
    service: Arc<Service>,
    caller: Caller,
    told: Arc<Told>,
    /// The listening request, where there is one.
    listening: Option<RequestId>,
    /// Who listens knows what there is when it begins; a session's client only what it was told.
    begins_knowing: bool,
}

impl Watch {
    pub(super) fn of_session(service: &Arc<Service>, session: &Session) -> Option<Self> {
        let told = Arc::clone(&session.shared.told);
        let is_wanted = catalogue::has_rules(&service.config);
        is_wanted.then(|| Self {
            service: Arc::clone(service),
            caller: session.caller.clone(),
            told,
            listening: None,
            begins_knowing: false,
        })
    }

    pub(super) fn of_listener(service: &Arc<Service>, caller: &Caller, id: &RequestId) -> Option<Self> {
        catalogue::has_rules(&service.config).then(|| Self {
            service: Arc::clone(service),
            caller: caller.clone(),
            told: Arc::default(),
            listening: Some(id.clone()),
            begins_knowing: true,
        })
    }

    /// Whether a look could be of use: to who was told of no tools, none are news.
    pub fn is_wanted(&self) -> bool {
        self.begins_knowing || self.told.is_known()
    }

    /// When to look next: once what is known of the tools counts no more, and no sooner than in a second.
    pub fn due(&self, env: &Env<'_>) -> UnixTime {
        let known = catalogue::known(env, &self.service.config, &self.caller.access);
        let ttl = Duration::from_secs(self.service.config.server.tools.ttl);
        let due = known.map_or_else(|| env.now.after(ttl), |known| known.expires());
        due.max(env.now.after(Duration::from_secs(1)))
    }

    /// Whose tools these are: looks of equal keys give the same, so a host lets them take turns, and the first one's answer
    /// serves the others.
    pub fn key(&self) -> Option<String> {
        let who = principal(&self.service.config, &self.caller.access)?;
        Some(format!("tools of {}", base64url::encode(who.as_bytes())))
    }

    /// Looks. The reply has the notification, or no message.
    pub fn look(&self, env: &mut Env<'_>) -> Step {
        let task = catalogue::listing(&self.service.tools, |_| CallResult::Structured(String::new()));
        let id = self.listening.clone().unwrap_or(RequestId::Number(0));
        let call = Call {
            id: id.clone(),
            arguments: Params::new(),
            access: Arc::clone(&self.caller.access),
            config: Arc::clone(&self.service.config),
            trace: None,
            progress: false,
            client: ClientAbilities::default(),
        };
        let surface = Surface::Line { session: Session::new(self.caller.clone(), None), notices: Vec::new() };
        let scene = Scene {
            service: Arc::clone(&self.service),
            caller: self.caller.clone(),
            surface,
            trace: None,
            batch: None,
        };
        let shape = Shape::Watch { watch: self.clone() };
        let next: Next = Running::new(id, task, call, shape, scene).start(env);
        next.settle(env)
    }

    /// What is told once the look is over.
    pub(super) fn found(&self, env: &Env<'_>) -> Option<String> {
        let known = catalogue::known(env, &self.service.config, &self.caller.access)?;
        // That ClickHouse could not be asked says nothing of the tools.
        if known.has_failed() {
            return None;
        }
        let is_news = match self.begins_knowing {
            true => self.told.is_news_since_the_first(known.digest()),
            false => self.told.is_news(known.digest()),
        };
        is_news.then(|| crate::mcp::Change::Tools.to_text(self.listening.as_ref()))
    }
}
