//! Dates and times as ClickHouse writes them.

use super::buffer::Buffer;

/// 0000-01-01 and 9999-12-31 in days since 1970: what lies outside is written as the nearer of them.
const FIRST_DAY: i64 = -719_528;
const LAST_DAY: i64 = 2_932_896;

const DAY: i64 = 86_400;

/// 999:59:59 in seconds: no time of day is written longer.
const LONGEST_TIME: u64 = 3_599_999;

/// Appends `YYYY-MM-DD` for a number of days since 1970.
#[inline]
pub(super) fn push_date(days: i64, out: &mut Buffer) {
    let mut text = *b"0000-00-00";
    put_date(days.clamp(FIRST_DAY, LAST_DAY), &mut text);
    out.push_ascii(&text);
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
    let mut text = *b"0000-00-00 00:00:00";
    if let Some((date, time)) = text.split_first_chunk_mut::<10>() {
        put_date(days.clamp(FIRST_DAY, LAST_DAY), date);
        if let [_, time @ ..] = time {
            put_time(second as u32, time);
        }
    }
    out.push_ascii(&text);
}

/// Appends `.` and `scale` digits, or nothing for none.
#[inline]
pub(super) fn push_fraction(ticks: u64, scale: usize, out: &mut Buffer) {
    if scale == 0 {
        return;
    }
    let mut text = *b"000000000";
    // Below 10^9, as there are at most nine digits.
    let mut rest = ticks as u32;
    for digit in text.iter_mut().take(scale).rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.push(b'.');
    out.push_ascii(text.get(..scale).unwrap_or_default());
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
    let mut text = *b"00:00:00";
    put_time(seconds % 360_000, &mut text);
    out.push_ascii(&text);
    push_fraction(fraction, scale, out);
}

/// Ticks of 10^-`scale` in a second.
pub(super) const fn ticks_in_second(scale: usize) -> u64 {
    const UNITS: [u64; 10] =
        [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
    match UNITS.split_at_checked(scale) {
        Some((_, [unit, ..])) => *unit,
        _ => 1_000_000_000,
    }
}

/// Writes a date; `days` lies between the first and the last.
#[inline]
fn put_date(days: i64, text: &mut [u8; 10]) {
    let (year, month, day) = civil(days);
    let [y1, y2, y3, y4, _, m1, m2, _, d1, d2] = text;
    put_two(year / 100, y1, y2);
    put_two(year % 100, y3, y4);
    put_two(month, m1, m2);
    put_two(day, d1, d2);
}

/// Writes less than a hundred hours.
#[inline]
fn put_time(seconds: u32, text: &mut [u8]) {
    if let [h1, h2, _, m1, m2, _, s1, s2] = text {
        put_two(seconds / 3600, h1, h2);
        put_two(seconds / 60 % 60, m1, m2);
        put_two(seconds % 60, s1, s2);
    }
}

/// Year, month and day of a number of days since 1970 in the Gregorian calendar, from the year 0 on: a year begins
/// in March here, so that the day that is sometimes missing is its last.
#[inline]
fn civil(days: i64) -> (u32, u32, u32) {
    // Counted from a March 400 years earlier, nothing is negative.
    let days = (days - FIRST_DAY - 60 + 146_097) as u32;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u32::from(month <= 2) - 400, month, day)
}

#[inline]
fn put_two(value: u32, tens: &mut u8, ones: &mut u8) {
    *tens = b'0' + (value / 10) as u8;
    *ones = b'0' + (value % 10) as u8;
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
