//! How many requests pass in a minute, evenly refilled.

use std::num::NonZero;

use crate::time::UnixTime;

const MINUTE_MS: u64 = 60_000;

/// A bucket of as many requests as pass in a minute; what is taken comes back evenly over a minute.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    per_minute: NonZero<u32>,
    /// What is left, in 1/60 000 of a request, so that a millisecond refills a whole number.
    left: u64,
    at: UnixTime,
}

/// There is room again after so many seconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) seconds: u64,
}

impl Bucket {
    /// A bucket that nothing has been taken from.
    pub(super) fn new(per_minute: NonZero<u32>) -> Self {
        let left = u64::from(per_minute.get()) * MINUTE_MS;
        Self { per_minute, left, at: UnixTime::from_millis(0) }
    }

    /// Takes one request.
    pub(super) fn take(&mut self, now: UnixTime) -> Result<(), Full> {
        self.refill(now);
        match self.left.checked_sub(MINUTE_MS) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                let millis = (MINUTE_MS - self.left).div_ceil(u64::from(self.per_minute.get()));
                Err(Full { seconds: millis.div_ceil(1000).max(1) })
            }
        }
    }

    fn refill(&mut self, now: UnixTime) {
        let rate = u64::from(self.per_minute.get());
        let passed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        self.left = rate.saturating_mul(passed).saturating_add(self.left).min(rate * MINUTE_MS);
        // Requests that overtake each other by milliseconds must not be credited twice, but a clock that was set
        // back must not stop the refill until it has caught up.
        if now > self.at || self.at.since(now).as_millis() > u128::from(MINUTE_MS) {
            self.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_800_000_000_000;

    fn at(millis: u64) -> UnixTime {
        UnixTime::from_millis(START + millis)
    }

    fn bucket(per_minute: u32) -> Bucket {
        Bucket::new(NonZero::new(per_minute).unwrap())
    }

    #[test]
    fn a_burst_passes_and_comes_back_evenly() {
        let mut bucket = bucket(3);
        for _ in 0..3 {
            assert_eq!(bucket.take(at(0)), Ok(()));
        }
        assert_eq!(bucket.take(at(0)), Err(Full { seconds: 20 }));
        assert_eq!(bucket.take(at(19_000)), Err(Full { seconds: 1 }));
        assert_eq!(bucket.take(at(19_999)), Err(Full { seconds: 1 }));
        assert_eq!(bucket.take(at(20_000)), Ok(()), "a refusal takes nothing");
        assert_eq!(bucket.take(at(20_000)), Err(Full { seconds: 20 }));
        for _ in 0..3 {
            assert_eq!(bucket.take(at(10_000_000)), Ok(()));
        }
        assert_eq!(bucket.take(at(10_000_000)), Err(Full { seconds: 20 }), "no more than a minute is kept");
    }

    #[test]
    fn in_any_minute_no_more_than_a_burst_and_a_refill_pass() {
        for (per_minute, step) in [(1, 1), (7, 13), (60, 1), (100_000, 1)] {
            let mut bucket = bucket(per_minute);
            let passed = (0..60_000).step_by(step).filter(|millis| bucket.take(at(*millis)).is_ok()).count();
            assert!(passed <= 2 * per_minute as usize, "{per_minute}: {passed}");
        }
    }

    #[test]
    fn the_clock_may_jump() {
        let mut bucket = bucket(1);
        assert_eq!(bucket.take(at(100_000)), Ok(()));
        // Set back by less than a minute: nothing is credited twice.
        assert!(bucket.take(at(60_000)).is_err() && bucket.take(at(100_000)).is_err());
        // Set back by an hour: a minute later there is room.
        let earlier = |millis| UnixTime::from_millis(START - 3_600_000 + millis);
        assert_eq!(bucket.take(earlier(0)), Err(Full { seconds: 60 }));
        assert_eq!(bucket.take(earlier(60_000)), Ok(()));
        assert_eq!(bucket.take(UnixTime::from_millis(u64::MAX)), Ok(()));
    }
}
