//! Where messages to a client go while its request runs, and the requests of ours that it has not answered yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use housekey_core::exchange::{AwaitAnswer, Question, Step};
use housekey_core::jsonrpc::{self, RequestId};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::host::Native;
use crate::serve::Replay;

/// Questions that one client may leave open. Each holds on to the call that asked it, and nobody answers more at once.
const MOST_OPEN: usize = 32;
/// How long a person may think.
const PATIENCE: Duration = Duration::from_secs(600);

/// Takes the messages that precede a reply: JSON texts without line breaks.
#[derive(Clone)]
pub enum Outbox {
    /// For a stream that somebody reads as long as the request runs.
    Channel(mpsc::Sender<String>),
    /// For a stream that can be taken up again.
    Replay(Arc<Replay>),
}

impl Outbox {
    /// Sends a message. A client that no longer listens is noticed by whoever owns its connection.
    pub async fn send(&self, message: String) {
        match self {
            Self::Channel(channel) => drop(channel.send(message).await),
            Self::Replay(replay) => replay.push(message),
        }
    }

    /// Sends a message if there is room for it, without waiting.
    fn offer(&self, message: String) {
        match self {
            Self::Channel(channel) => drop(channel.try_send(message)),
            Self::Replay(replay) => replay.push(message),
        }
    }

    /// Gives up the connection that carries the messages; only a stream that can be taken up again does.
    pub(crate) fn reconnect(&self, pause: Duration) {
        match self {
            Self::Channel(_) => {}
            Self::Replay(replay) => replay.part(pause),
        }
    }
}

type Answer = Result<Value, Value>;

/// The requests of ours that the client of one session has not answered yet.
#[derive(Default)]
pub struct Talk(Mutex<BTreeMap<RequestId, oneshot::Sender<Answer>>>);

impl Talk {
    /// Takes what a client sent as an answer. One to nothing is passed over (MCP, base protocol).
    pub(crate) fn answer(&self, id: &RequestId, result: Answer) {
        if let Some(waiting) = self.lock().remove(id) {
            let _ = waiting.send(result);
        }
    }

    /// Asks, and goes on with what comes back.
    pub(crate) async fn ask(
        &self,
        native: &Native,
        questions: Vec<Question>,
        waiting: AwaitAnswer,
        outbox: &Outbox,
    ) -> Step {
        if self.lock().len().saturating_add(questions.len()) > MOST_OPEN {
            return native.step(|env| waiting.decline(env));
        }
        let mut open = Open { talk: self, outbox, asked: Vec::new() };
        let mut receivers = Vec::with_capacity(questions.len());
        for question in questions {
            let (sender, receiver) = oneshot::channel();
            self.lock().insert(question.id.clone(), sender);
            open.asked.push(question.id.clone());
            receivers.push((question.id, receiver));
            outbox.send(question.text).await;
        }
        let all = async {
            let mut results = Vec::with_capacity(receivers.len());
            for (id, receiver) in receivers {
                if let Ok(result) = receiver.await {
                    results.push((id, result));
                }
            }
            results
        };
        match timeout(PATIENCE, all).await {
            Ok(results) => native.step(|env| waiting.resume(env, results)),
            Err(_) => native.step(|env| waiting.decline(env)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RequestId, oneshot::Sender<Answer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests that are taken back when nobody waits for their answers any more (MCP, utilities/cancellation), so that their
/// client asks nobody in vain.
struct Open<'a> {
    talk: &'a Talk,
    outbox: &'a Outbox,
    asked: Vec<RequestId>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        for id in &self.asked {
            let is_open = self.talk.lock().remove(id).is_some();
            if is_open {
                let params = json!({ "requestId": id.to_json() });
                self.outbox.offer(jsonrpc::notification_text("notifications/cancelled", &params));
            }
        }
    }
}
