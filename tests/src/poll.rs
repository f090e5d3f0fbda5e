//! Waiting without sleeping: ask again until it is so, and say what was awaited when it never is.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often is asked.
const INTERVAL: Duration = Duration::from_millis(50);

/// Long enough for a machine that builds something beside.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is an answer.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = Instant::now() + PATIENCE;
    loop {
        ticks.tick().await;
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() > end {
            bail!("{PATIENCE:?} have passed without: {what}");
        }
    }
}
