//! The end of the process: first nothing new is taken, then nothing is waited for.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    Draining,
    Stopping,
}

/// Tells a server to end. Dropping it tells nothing.
#[derive(Clone, Debug)]
pub struct Trigger(watch::Sender<Stage>);

/// Waits to be told.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<Stage>);

/// A pair for one server.
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(Stage::Serving);
    (Trigger(sender), Shutdown(receiver))
}

impl Trigger {
    /// Take nothing new, and let what runs end within its grace.
    pub fn drain(&self) {
        self.raise(Stage::Draining);
    }

    /// Wait for nothing any longer.
    pub fn stop(&self) {
        self.raise(Stage::Stopping);
    }

    fn raise(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let later = *now < stage;
            *now = stage.max(*now);
            later
        });
    }
}

impl Shutdown {
    /// Follows the signals of the operating system: the first SIGTERM or SIGINT drains, the second stops.
    ///
    /// # Errors
    /// The system lets no handler be installed.
    pub fn on_signals() -> io::Result<Self> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (trigger, shutdown) = channel();
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            next().await;
            info!("told to stop: running requests may end");
            trigger.drain();
            next().await;
            warn!("told to stop again: stopping at once");
            trigger.stop();
            // The receivers outlive this task only within the process's last moments.
            std::future::pending::<()>().await;
        });
        Ok(shutdown)
    }

    /// Comes back once nothing new may be taken.
    pub async fn draining(&self) {
        self.reached(Stage::Draining).await;
    }

    /// Comes back once nothing may be waited for.
    pub async fn stopping(&self) {
        self.reached(Stage::Stopping).await;
    }

    async fn reached(&self, stage: Stage) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|now| *now >= stage).await.is_err() {
            // Nobody is left who could tell.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn stages_only_advance() {
        let (trigger, shutdown) = channel();
        let (draining, stopping) = (shutdown.draining(), shutdown.stopping());
        tokio::pin!(draining, stopping);
        assert!(timeout(Duration::ZERO, draining.as_mut()).await.is_err());
        trigger.drain();
        draining.await;
        assert!(timeout(Duration::ZERO, stopping.as_mut()).await.is_err());
        trigger.stop();
        trigger.drain();
        stopping.await;
        shutdown.draining().await;
    }

    #[tokio::test]
    async fn a_lost_trigger_tells_nothing() {
        let (trigger, shutdown) = channel();
        drop(trigger);
        let draining = shutdown.draining();
        tokio::pin!(draining);
        assert!(timeout(Duration::ZERO, draining.as_mut()).await.is_err());
    }
}
