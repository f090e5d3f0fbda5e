//! `subscriptions/listen` (MCP 2026-07-28, server/utilities/subscriptions): a request that stays open and hears of what
//! it asked for, each message tagged with its id.
//!
//! Deliberately absent: progress and log messages, which belong to the stream of their own request.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value, json};

use super::admit::{failure_answer, stream_head};
use super::failure::Failure;
use super::principal::principal;
use super::service::Service;
use super::watch::Watch;
use crate::facts::AccessKey;
use crate::identity::Caller;
use crate::jsonrpc::{self, Params, RequestId};
use crate::mcp::{Change, News, SERVER_INFO_KEY, SUBSCRIPTION_ID_KEY, result_meta};
use crate::time::UnixTime;

/// Resources that one request may name, and bytes that their URIs may have.
const MOST_RESOURCES: usize = 256;
const MOST_URI_BYTES: usize = 64 << 10;

/// A request that listens.
pub struct Subscription {
    service: Arc<Service>,
    id: RequestId,
    caller: Caller,
    wanted: News,
    resources: BTreeSet<String>,
    watch: Option<Watch>,
    /// The origin whose page may read its event stream, over HTTP.
    origin: Option<String>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.id)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl Subscription {
    /// Reads what is asked for; what cannot be had is left out (MCP 2026-07-28, subscriptions, acknowledgement).
    pub(super) fn read(
        service: &Arc<Service>,
        caller: &Caller,
        id: RequestId,
        params: &Params,
        origin: Option<String>,
    ) -> Result<Self, Failure> {
        let wrong = |reason: &str| Failure::Params(reason.to_owned());
        let Some(Value::Object(asked)) = params.get("notifications") else {
            return Err(wrong("`notifications` must be an object that says what to listen to"));
        };
        let offered = service.news();
        let flag = |name: &str, offered: bool| match asked.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(wanted)) => Ok(*wanted && offered),
            Some(_) => Err(Failure::Params(format!("`notifications.{name}` must be a boolean"))),
        };
        let mut resources = BTreeSet::new();
        match asked.get("resourceSubscriptions") {
            None | Some(Value::Null) => {}
            Some(Value::Array(uris)) => {
                if uris.len() > MOST_RESOURCES {
                    return Err(wrong(
                        "`notifications.resourceSubscriptions` may name 256 resources at most",
                    ));
                }
                for uri in uris {
                    let uri = uri.as_str().ok_or_else(|| {
                        wrong("`notifications.resourceSubscriptions` must be a list of URIs")
                    })?;
                    // What is not there cannot change.
                    if offered.named_resources && service.resources.find(uri).is_some() {
                        resources.insert(uri.to_owned());
                    }
                }
            }
            Some(_) => return Err(wrong("`notifications.resourceSubscriptions` must be a list of URIs")),
        }
        if resources.iter().map(String::len).sum::<usize>() > MOST_URI_BYTES {
            return Err(wrong("`notifications.resourceSubscriptions` is too long"));
        }
        let wanted = News {
            tools: flag("toolsListChanged", offered.tools)?,
            prompts: flag("promptsListChanged", offered.prompts)?,
            resources: flag("resourcesListChanged", offered.resources)?,
            named_resources: !resources.is_empty(),
        };
        let watch = wanted.tools.then(|| Watch::of_listener(service, caller, &id)).flatten();
        Ok(Self {
            service: Arc::clone(service),
            id,
            caller: caller.clone(),
            wanted,
            resources,
            watch,
            origin,
        })
    }

    /// The request.
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// Who listens, for caps.
    pub fn principal(&self) -> Option<AccessKey> {
        principal(&self.service.config, &self.caller.access)
    }

    /// Whom the listener's token names, for logs.
    pub fn subject(&self) -> Option<&str> {
        self.caller.access.subject.as_deref()
    }

    /// When it ends because its token does.
    pub fn expires(&self) -> Option<UnixTime> {
        self.caller.expires
    }

    /// The head of the answer over HTTP.
    pub fn head(&self) -> Response<()> {
        stream_head(self.origin.as_deref())
    }

    /// The answer over HTTP to somebody who has too many streams open already, or while all together have.
    pub fn refused(&self, theirs: bool) -> Response<Bytes> {
        let failure = if theirs { Failure::TooManyStreams } else { Failure::Busy };
        failure_answer(&failure, self.origin.as_deref())
    }

    /// The first message: what will be heard of.
    pub fn acknowledged(&self) -> String {
        let mut honoured = Map::new();
        for (name, is) in [
            ("toolsListChanged", self.wanted.tools),
            ("promptsListChanged", self.wanted.prompts),
            ("resourcesListChanged", self.wanted.resources),
        ] {
            if is {
                honoured.insert(name.into(), json!(true));
            }
        }
        if !self.resources.is_empty() {
            honoured.insert("resourceSubscriptions".into(), json!(self.resources));
        }
        let meta = json!({ SUBSCRIPTION_ID_KEY: self.id.to_json() });
        let params = json!({ "notifications": honoured, "_meta": meta });
        jsonrpc::notification_text("notifications/subscriptions/acknowledged", &params)
    }

    /// What is told of a change, if it was asked for.
    pub fn notice(&self, change: &Change) -> Option<String> {
        let hears = match change {
            Change::Tools => self.wanted.tools,
            Change::Prompts => self.wanted.prompts,
            Change::Resources => self.wanted.resources,
            Change::Resource { uri } => self.resources.contains(uri),
        };
        hears.then(|| change.to_text(Some(&self.id)))
    }

    /// What looks for other tools, where rules make them and they were asked for.
    pub fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }

    /// The last messages when the server ends it: the result, and on a stream that others share that it is cancelled, too.
    /// The pages on subscriptions and on cancellation each ask for one of them.
    pub fn ended(&self, on_shared_stream: bool) -> Vec<String> {
        let info = result_meta().get(SERVER_INFO_KEY).cloned();
        let meta = json!({ SUBSCRIPTION_ID_KEY: self.id.to_json(), SERVER_INFO_KEY: info });
        let result = json!({ "resultType": "complete", "_meta": meta }).to_string();
        let mut messages = vec![jsonrpc::result_text(&self.id, &result)];
        if on_shared_stream {
            let params = json!({ "requestId": self.id.to_json() });
            messages.push(jsonrpc::notification_text("notifications/cancelled", &params));
        }
        messages
    }
}
