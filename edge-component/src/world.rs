//! Time, randomness and the log, as the runtime lends them.

use core::convert::Infallible;

use housekey_core::env::Env;
use housekey_core::facts::Facts;
use housekey_core::time::UnixTime;
use rand_core::{TryCryptoRng, TryRng};

use crate::bindings::wasi::cli::stderr;
use crate::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::bindings::wasi::io::poll::{Pollable, poll};
use crate::bindings::wasi::random::random;

/// Runs one step of core with the world as it is now.
pub(crate) fn with_env<T>(facts: &Facts, step: impl FnOnce(&mut Env<'_>) -> T) -> T {
    step(&mut Env { now: now(), rng: &mut Random, facts })
}

/// The wall clock.
pub(crate) fn now() -> UnixTime {
    let time = wall_clock::now();
    UnixTime::from_millis(
        time.seconds.saturating_mul(1000).saturating_add(u64::from(time.nanoseconds / 1_000_000)),
    )
}

/// Sleeps.
pub(crate) fn sleep(milliseconds: u64) {
    monotonic_clock::subscribe_duration(milliseconds.saturating_mul(1_000_000)).block();
}

/// Writes a line to the runtime's log. There is nobody to tell when that fails.
pub(crate) fn log(text: &str) {
    let stream = stderr::get_stderr();
    for line in text.lines() {
        let line = format!("housekey: {line}\n");
        for chunk in line.as_bytes().chunks(4096) {
            if stream.blocking_write_and_flush(chunk).is_err() {
                return;
            }
        }
    }
}

/// The moment after which something is given up.
pub(crate) struct Deadline(Pollable);

impl Deadline {
    /// So many milliseconds from now.
    pub(crate) fn after_millis(milliseconds: u64) -> Self {
        Self(monotonic_clock::subscribe_duration(milliseconds.saturating_mul(1_000_000)))
    }

    /// So many seconds from now.
    pub(crate) fn after_seconds(seconds: u64) -> Self {
        Self::after_millis(seconds.saturating_mul(1000))
    }

    /// Whether the moment has come.
    pub(crate) fn is_over(&self) -> bool {
        self.0.ready()
    }

    /// Waits for what the pollable tells; `false` when the moment came first.
    pub(crate) fn wait_for(&self, awaited: &Pollable) -> bool {
        poll(&[awaited, &self.0]).contains(&0)
    }

    /// Waits for what the pollable tells, but no longer than so many milliseconds.
    pub(crate) fn glance_at(&self, awaited: &Pollable, milliseconds: u64) -> Glance {
        let tick = Self::after_millis(milliseconds);
        let ready = poll(&[awaited, &self.0, &tick.0]);
        if ready.contains(&0) {
            Glance::Ready
        } else if ready.contains(&1) {
            Glance::Over
        } else {
            Glance::NotYet
        }
    }
}

/// What a short wait came to.
pub(crate) enum Glance {
    /// What was awaited is there.
    Ready,
    /// The deadline has passed.
    Over,
    /// Neither.
    NotYet,
}

/// The runtime's randomness (`wasi:random` promises that it is fit for keys).
struct Random;

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        // The upper half is as random as the whole.
        Ok(u32::try_from(random::get_random_u64() >> 32).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(random::get_random_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let wanted = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        // A runtime that returns fewer would break its contract, so the rest is asked for byte by byte.
        let mut drawn = random::get_random_bytes(wanted).into_iter();
        for byte in bytes {
            *byte = match drawn.next() {
                Some(byte) => byte,
                None => u8::try_from(random::get_random_u64() >> 56).unwrap_or_default(),
            };
        }
        Ok(())
    }
}

impl TryCryptoRng for Random {}
