//! Telling clients of what changes: those of a session, and those who listen.
//!
//! Changes come from tools, by a channel that all share, and from looking at what rules make for the person who listens.

use std::time::Duration;

use housekey_core::exchange::{Reply, Session, Subscription, Watch};
use housekey_core::mcp::Change;
use housekey_core::time::UnixTime;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::sleep;

use crate::drive::{Client, drive};
use crate::host::{Native, now};
use crate::talk::Outbox;

/// Tells the client of a session of changes until the session is gone.
pub(super) async fn tell_session(native: &Native, session: impl Fn() -> Option<Session>, outbox: &Outbox) {
    let mut news = native.news().subscribe();
    loop {
        let Some(current) = session() else { return };
        let watch = current.watch(native.service());
        drop(current);
        let due = watch.as_ref().map(|watch| native.step(|env| watch.due(env)));
        tokio::select! {
            change = news.recv() => match change {
                Ok(change) => {
                    let Some(current) = session() else { return };
                    if let Some(message) = current.notice(native.service(), &change) {
                        outbox.send(message).await;
                    }
                }
                // A client that reads slowly hears of what is new, not of all that was.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            () = until(due) => {
                if let Some(watch) = watch.filter(Watch::is_wanted) {
                    look(native, &watch, outbox).await;
                }
            }
        }
    }
}

/// Answers a request that listens, until the server ends it. Dropped, it just ends.
pub(super) async fn listen(native: &Native, subscription: &Subscription, outbox: &Outbox, shared: bool) {
    let mut news: broadcast::Receiver<Change> = native.news().subscribe();
    outbox.send(subscription.acknowledged()).await;
    if let Some(watch) = subscription.watch() {
        // What there is now, to know later what is new.
        look(native, watch, outbox).await;
    }
    loop {
        let due = subscription.watch().map(|watch| native.step(|env| watch.due(env)));
        tokio::select! {
            change = news.recv() => match change {
                Ok(change) => {
                    if let Some(message) = subscription.notice(&change) {
                        outbox.send(message).await;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
            () = until(due) => {
                if let Some(watch) = subscription.watch() {
                    look(native, watch, outbox).await;
                }
            }
            // What a token lets one hear ends with the token.
            () = until(subscription.expires()) => break,
            () = native.draining() => break,
        }
    }
    for message in subscription.ended(shared) {
        outbox.send(message).await;
    }
}

async fn look(native: &Native, watch: &Watch, outbox: &Outbox) {
    // All who listen as one person wake at the same moment.
    let _turn = match watch.key() {
        Some(key) => Some(native.fetcher().turn(&key).await),
        None => None,
    };
    let step = native.step(|env| watch.look(env));
    let client = Client { outbox, waiting: None, talk: None };
    if let Reply::Lines { messages, .. } = drive(native, step, &client).await {
        for message in messages {
            outbox.send(message).await;
        }
    }
}

/// Waits until just after that moment; for ever where there is none.
pub(super) async fn until(moment: Option<UnixTime>) {
    match moment {
        Some(moment) => sleep(moment.since(now()) + Duration::from_millis(1)).await,
        None => std::future::pending().await,
    }
}
