//! Time as a value that hosts pass in.

use std::fmt;
use std::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z, as the host's clock said when the message was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The moment that lies `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The moment that lies `seconds` seconds after the epoch.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, as JWT's NumericDate counts (RFC 7519 section 2).
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This moment plus a span, at most the last moment that can be written.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long it is from `earlier` to this moment; nothing if that lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_never_wrap() {
        let last = UnixTime::from_millis(u64::MAX);
        assert_eq!(last.after(Duration::from_secs(1)), last);
        assert_eq!(UnixTime::from_seconds(1).since(UnixTime::from_seconds(2)), Duration::ZERO);
        assert_eq!(UnixTime::from_seconds(3).since(UnixTime::from_seconds(1)), Duration::from_secs(2));
    }
}
