//! Digits, eight at a time: as many as a word has bytes, worked out side by side.

use super::buffer::Buffer;

const EIGHT: u64 = 100_000_000;
const ZEROS: u64 = u64::from_le_bytes(*b"00000000");

/// Appends a number.
#[inline]
pub(super) fn push_unsigned(number: u64, out: &mut Buffer) {
    match (number / EIGHT, number % EIGHT) {
        (0, low) => push_first(low, out),
        (high @ ..EIGHT, low) => {
            push_first(high, out);
            out.push_ascii(&eight(low));
        }
        (high, low) => {
            push_first(high / EIGHT, out);
            out.push_ascii(&eight(high % EIGHT));
            out.push_ascii(&eight(low));
        }
    }
}

/// Appends a number with its sign.
#[inline]
pub(super) fn push_signed(number: i64, out: &mut Buffer) {
    if number < 0 {
        out.push(b'-');
    }
    push_unsigned(number.unsigned_abs(), out);
}

/// Appends exactly so many digits of a number, zeros before it included.
#[inline]
pub(super) fn push_fraction(number: u64, count: usize, out: &mut Buffer) {
    match count {
        ..=8 => push_last(number, count, out),
        9..=16 => {
            push_last(number / EIGHT, count - 8, out);
            out.push_ascii(&eight(number % EIGHT));
        }
        17.. => {
            let high = number / EIGHT;
            push_last(high / EIGHT, count - 16, out);
            out.push_ascii(&eight(high % EIGHT));
            out.push_ascii(&eight(number % EIGHT));
        }
    }
}

/// Appends a point and so many digits of a number that is not zero, zeros before it included and zeros at its end not.
#[inline]
pub(super) fn push_trimmed_fraction(number: u64, count: usize, out: &mut Buffer) {
    if count > 7 {
        out.push(b'.');
        push_fraction(number, count, out);
        return out.trim_end(b'0');
    }
    let digits = digits(number);
    let zeros = (digits.leading_zeros() / 8) as usize;
    // Of the digits that are passed over all are zero, so that the point may take the place of the last of them.
    let passed = (7 - count) as u32 * 8;
    let text = (digits | ZEROS) >> passed & !0xff | u64::from(b'.');
    out.push_start(&text.to_le_bytes(), (count + 1).saturating_sub(zeros));
}

/// Appends the last of the eight digits of a number below 10^8, at most all.
#[inline]
fn push_last(number: u64, count: usize, out: &mut Buffer) {
    let passed = 8_usize.saturating_sub(count) as u32 * 8;
    let last = u64::from_le_bytes(eight(number)).checked_shr(passed).unwrap_or(0);
    out.push_start(&last.to_le_bytes(), count);
}

/// The eight digits of a number below 10^8.
#[inline]
pub(super) fn eight(number: u64) -> [u8; 8] {
    (digits(number) | ZEROS).to_le_bytes()
}

/// The sixteen digits of a number in hexadecimal.
#[inline]
pub(super) fn hexadecimal(number: u64) -> [[u8; 8]; 2] {
    [number >> 32, number & 0xffff_ffff].map(|half| {
        // Four bits to a byte.
        let pairs = (half & 0xffff_0000) << 16 | half & 0xffff;
        let bytes = (pairs & 0xff00_0000_ff00) << 8 | pairs & 0x00ff_0000_00ff;
        let digits = (bytes & 0x00f0_00f0_00f0_00f0) << 4 | bytes & 0x000f_000f_000f_000f;
        let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
        (digits + ZEROS + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
    })
}

/// Appends a number below 10^8 without zeros before it.
#[inline]
fn push_first(number: u64, out: &mut Buffer) {
    let digits = digits(number);
    // Zero itself has a digit.
    let zeros = (digits.trailing_zeros() / 8).min(7);
    let length = 8 - zeros as usize;
    out.push_start(&((digits | ZEROS) >> (zeros * 8)).to_le_bytes(), length);
}

/// The digits of a number below 10^8, the first in the lowest byte: it is halved into numbers of four digits, then of
/// two, then of one. To divide by 100 and 10 is to multiply by 10486 / 2^20 and 103 / 2^10, exact for these.
#[inline]
fn digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (twos - tens * 10) << 8
}

#[cfg(test)]
mod tests {
    use super::super::buffer::written;
    use super::*;

    /// Numbers around every power of two and of ten, and some without a pattern.
    fn numbers() -> impl Iterator<Item = u64> {
        let around = |number: u64| [number.wrapping_sub(1), number, number.wrapping_add(1)];
        let powers = (0..64).map(|bits| 1 << bits).chain((0..20).map(|digits| 10_u64.pow(digits)));
        let scattered = (0..10_000_u64).map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (row % 64));
        powers.flat_map(around).chain(scattered).chain([u64::MAX])
    }

    #[test]
    fn numbers_are_as_the_standard_library_writes_them() {
        for number in numbers() {
            assert_eq!(written(|out| push_unsigned(number, out)), number.to_string());
            let signed = number as i64;
            assert_eq!(written(|out| push_signed(signed, out)), signed.to_string());
            assert_eq!(hexadecimal(number).as_flattened(), format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn every_number_of_eight_digits_is_right() {
        for number in (0..10_000).chain((0..EIGHT).step_by(9_973)).chain(99_990_000..EIGHT) {
            assert_eq!(eight(number), format!("{number:08}").as_bytes(), "{number}");
        }
    }

    #[test]
    fn fractions_lose_no_digit_but_zeros_at_their_end() {
        for count in 1..=8 {
            let unit = 10_u64.pow(count as u32);
            for number in [1, 10, 20, 100, 123_000, 10_203_040, unit / 10, unit - 1]
                .iter()
                .filter(|n| **n < unit && **n > 0)
            {
                let fraction = format!(".{number:0count$}");
                let trimmed = fraction.trim_end_matches('0');
                assert_eq!(written(|out| push_trimmed_fraction(*number, count, out)), trimmed);
            }
        }
    }

    #[test]
    fn fractions_have_all_their_digits() {
        let digits = "1234567890123456789";
        for count in 0..=digits.len() {
            for skip in 0..=count {
                let fraction = format!("{}{}", "0".repeat(skip), &digits[skip..count]);
                let number = fraction.parse().unwrap_or(0);
                assert_eq!(written(|out| push_fraction(number, count, out)), fraction);
                if number > 0 {
                    let trimmed = format!(".{}", fraction.trim_end_matches('0'));
                    assert_eq!(written(|out| push_trimmed_fraction(number, count, out)), trimmed);
                }
            }
        }
    }
}
