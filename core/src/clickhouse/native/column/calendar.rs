//! Dates and times as ClickHouse writes them.

use super::buffer::Buffer;
use super::digits::{eight, push_fraction};

/// 0000-01-01 and 9999-12-31 in days since 1970: what lies outside is written as the nearer of them.
const FIRST_DAY: i64 = -719_528;
const LAST_DAY: i64 = 2_932_896;

const DAY: i64 = 86_400;

/// 999:59:59 in seconds: no time of day is written longer.
const LONGEST_TIME: u64 = 3_599_999;

/// Appends `YYYY-MM-DD` for a number of days since 1970.
#[inline]
pub(super) fn push_date(days: i64, out: &mut Buffer) {
    let (year_month, day) = date(days.clamp(FIRST_DAY, LAST_DAY));
    out.push_ascii(&year_month.to_le_bytes());
    out.push_start(&day.to_le_bytes(), 2);
}

/// Appends `YYYY-MM-DD hh:mm:ss` for seconds since 1970 by the clock on the wall.
#[inline]
pub(super) fn push_date_time(seconds: i64, out: &mut Buffer) {
    let days = seconds.div_euclid(DAY);
    let second = match days {
        ..FIRST_DAY => 0,
        FIRST_DAY..=LAST_DAY => seconds.rem_euclid(DAY),
        _ => DAY - 1,
    };
    let (year_month, day) = out.date(days.clamp(FIRST_DAY, LAST_DAY), date);
    let time = time(second as u32);
    out.push_ascii(&year_month.to_le_bytes());
    out.push_ascii(&(day | u64::from(b' ') << 16 | time << 24).to_le_bytes());
    out.push_start(&(time >> 40).to_le_bytes(), 3);
}

/// Appends `.` and `scale` digits, or nothing for none.
#[inline]
pub(super) fn push_second_fraction(ticks: u64, scale: usize, out: &mut Buffer) {
    if scale > 0 {
        out.push(b'.');
        push_fraction(ticks, scale, out);
    }
}

/// Appends `[-]hh:mm:ss` with a fraction of `scale` digits; hours may have three digits.
pub(super) fn push_time(ticks: i64, scale: usize, out: &mut Buffer) {
    let unit = ticks_in_second(scale);
    let magnitude = ticks.unsigned_abs();
    let (seconds, fraction) = match magnitude / unit {
        seconds if seconds > LONGEST_TIME => (LONGEST_TIME, unit - 1),
        seconds => (seconds, magnitude % unit),
    };
    if ticks < 0 {
        out.push(b'-');
    }
    let seconds = seconds as u32;
    if seconds >= 360_000 {
        out.push(b'0' + (seconds / 360_000) as u8);
    }
    out.push_ascii(&time(seconds % 360_000).to_le_bytes());
    push_second_fraction(fraction, scale, out);
}

/// Whole seconds, rounded down, and the ticks of 10^-`scale` seconds that are left.
#[inline]
pub(super) fn split_ticks(ticks: i64, scale: usize) -> (i64, u64) {
    // To divide by a number that is known is far quicker, and these are what people choose.
    let split = |unit: i64| (ticks.div_euclid(unit), ticks.rem_euclid(unit).unsigned_abs());
    match scale {
        0 => (ticks, 0),
        3 => split(1000),
        6 => split(1_000_000),
        9 => split(1_000_000_000),
        _ => split(i64::try_from(ticks_in_second(scale)).unwrap_or(i64::MAX)),
    }
}

/// Ticks of 10^-`scale` in a second.
const fn ticks_in_second(scale: usize) -> u64 {
    const UNITS: [u64; 10] =
        [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
    match UNITS.split_at_checked(scale) {
        Some((_, [unit, ..])) => *unit,
        _ => 1_000_000_000,
    }
}

/// `YYYY-MM-` and `DD`, the first character in the lowest byte; `days` lies between the first and the last.
#[inline]
fn date(days: i64) -> (u64, u64) {
    const DASHES: u64 = u64::from_le_bytes([0, 0, 0, 0, b'-', 0, 0, b'-']);
    let (year, month, day) = civil(days);
    let digits = u64::from_le_bytes(eight(u64::from(year * 10_000 + month * 100 + day)));
    (digits & 0xffff_ffff | (digits >> 32 & 0xffff) << 40 | DASHES, digits >> 48)
}

/// `hh:mm:ss` of less than a hundred hours, the first character in the lowest byte.
#[inline]
fn time(seconds: u32) -> u64 {
    const COLONS: u64 = u64::from_le_bytes([0, 0, b':', 0, 0, b':', 0, 0]);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let digits = u64::from_le_bytes(eight(u64::from(hours * 10_000 + minutes * 100 + seconds % 60))) >> 16;
    digits & 0xffff | (digits >> 16 & 0xffff) << 24 | digits >> 32 << 48 | COLONS
}

/// Year, month and day of a number of days since 1970 in the Gregorian calendar, from the year 0 on: a year begins
/// in March here, so that the day that is sometimes missing is its last. Multiplications stand for divisions: of days
/// by the 365.25 of a year, and by the 30.6 of a month (Neri and Schneider, "Euclidean affine functions and their
/// application to calendar algorithms", figure 12).
#[inline]
fn civil(days: i64) -> (u32, u32, u32) {
    // Counted from a March 400 years earlier, nothing is negative.
    let quarters = 4 * (days - FIRST_DAY - 60 + 146_097) as u32 + 3;
    let (century, of_century) = (quarters / 146_097, quarters % 146_097 / 4);
    let years = 2_939_745 * u64::from(4 * of_century + 3);
    let year = 100 * century + (years >> 32) as u32;
    let day_of_year = years as u32 / 2_939_745 / 4;
    let months = 2141 * day_of_year + 197_913;
    let (month, day) = (months >> 16, (months & 0xffff) / 2141 + 1);
    let is_next_year = day_of_year >= 306;
    (year + u32::from(is_next_year) - 400, if is_next_year { month - 12 } else { month }, day)
}

#[cfg(test)]
mod tests {
    use super::super::buffer::written as text;
    use super::*;

    #[test]
    fn dates_are_gregorian_and_cut() {
        // Measured on ClickHouse 26.9.
        for (days, expected) in [
            (0, "1970-01-01"),
            (65_535, "2149-06-06"),
            (-25_568, "1899-12-31"),
            (120_530, "2300-01-01"),
            (-700_000, "0053-06-19"),
            (-719_528, "0000-01-01"),
            (i64::MIN, "0000-01-01"),
            (2_932_896, "9999-12-31"),
            (i64::MAX, "9999-12-31"),
            (11_016, "2000-02-29"),
        ] {
            assert_eq!(text(|out| push_date(days, out)), expected);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let is_leap = |year| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let (mut year, mut month, mut day) = (0, 1, 1);
        for days in FIRST_DAY..=LAST_DAY {
            assert_eq!(civil(days), (year, month, day), "{days}");
            let last = match month {
                2 if is_leap(year) => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (month, day) if day == last => (year, month + 1, 1),
                (month, day) => (year, month, day + 1),
            };
        }
        assert_eq!((year, month, day), (10_000, 1, 1));
    }

    #[test]
    fn seconds_are_rounded_down() {
        for scale in 0..=9 {
            let unit = 10_i64.pow(scale);
            for ticks in [0, 1, -1, unit, -unit, unit + 1, -unit - 1, i64::MIN, i64::MAX] {
                let (seconds, left) = split_ticks(ticks, scale as usize);
                assert_eq!(i128::from(seconds) * i128::from(unit) + i128::from(left), i128::from(ticks));
                assert!(left < unit.unsigned_abs());
            }
        }
    }

    #[test]
    fn a_day_that_is_remembered_is_the_right_one() {
        let seconds = [0, 1, DAY - 1, DAY, 0, -1, i64::MIN, i64::MAX, DAY * 20_000, i64::MAX, 0];
        let apart: String = seconds.iter().map(|seconds| text(|out| push_date_time(*seconds, out))).collect();
        let together = text(|out| seconds.iter().for_each(|seconds| push_date_time(*seconds, out)));
        assert_eq!(together, apart);
    }

    #[test]
    fn times_are_cut() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00"),
            (-1, "1969-12-31 23:59:59"),
            (i64::MIN, "0000-01-01 00:00:00"),
            (i64::MAX, "9999-12-31 23:59:59"),
        ] {
            assert_eq!(text(|out| push_date_time(seconds, out)), expected);
        }
        for (ticks, scale, expected) in [
            (45_296, 0, "12:34:56"),
            (-45_296, 0, "-12:34:56"),
            (3_599_999, 0, "999:59:59"),
            (-500, 3, "-00:00:00.500"),
            (45_296_789_000_000, 9, "12:34:56.789000000"),
            (4_000_000_000, 3, "999:59:59.999"),
            (i64::MIN, 0, "-999:59:59"),
        ] {
            assert_eq!(text(|out| push_time(ticks, scale, out)), expected);
        }
    }
}
