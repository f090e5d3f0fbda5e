//! Integers, floats and decimals as ClickHouse writes them.

use super::buffer::Buffer;
use super::digits::{push_signed, push_trimmed_fraction, push_unsigned};
use super::type_tree::Float;

/// Appends an integer of 1 to 32 bytes, little endian.
#[inline]
pub(super) fn push_integer(bytes: &[u8], signed: bool, out: &mut Buffer) {
    match (bytes.len(), signed) {
        (1, false) => push_unsigned(u8::from_le_bytes(array(bytes)).into(), out),
        (1, true) => push_signed(i8::from_le_bytes(array(bytes)).into(), out),
        (2, false) => push_unsigned(u16::from_le_bytes(array(bytes)).into(), out),
        (2, true) => push_signed(i16::from_le_bytes(array(bytes)).into(), out),
        (4, false) => push_unsigned(u32::from_le_bytes(array(bytes)).into(), out),
        (4, true) => push_signed(i32::from_le_bytes(array(bytes)).into(), out),
        (8, false) => push_unsigned(u64::from_le_bytes(array(bytes)), out),
        (8, true) => push_signed(i64::from_le_bytes(array(bytes)), out),
        (16, false) => out.push_str(itoa::Buffer::new().format(u128::from_le_bytes(array(bytes)))),
        (16, true) => out.push_str(itoa::Buffer::new().format(i128::from_le_bytes(array(bytes)))),
        _ => out.push_str(&format_256(bytes, signed)),
    }
}

/// Appends a float in the shortest form that reads back, with an exponent from 1e21 and below 1e-6; `nan`, `inf`
/// and `-inf` as words.
#[inline]
pub(super) fn push_float(bytes: &[u8], float: Float, out: &mut Buffer) {
    let mut buffer = zmij::Buffer::new();
    let (value, text) = match float {
        Float::Brain16 | Float::Single => {
            let value = single(bytes, float);
            (f64::from(value), if value.is_finite() { buffer.format_finite(value) } else { "" })
        }
        Float::Double => {
            let value = f64::from_le_bytes(array(bytes));
            (value, if value.is_finite() { buffer.format_finite(value) } else { "" })
        }
    };
    if (1e-5..1e12).contains(&value.abs()) {
        // Here the shortest form has no exponent (of 32 bits it has one from 1e13 on), nor would ClickHouse's.
        out.push_str(text.strip_suffix(".0").unwrap_or(text));
    } else if value.is_finite() {
        push_shortest(text, out);
    } else if value.is_nan() {
        out.push_str("nan");
    } else {
        out.push_str(if value < 0.0 { "-inf" } else { "inf" });
    }
}

/// Appends a float as JSON: NaN and infinities are strings, others numbers. `untyped` is where the decoder of the
/// HTTP interface cannot see the type of a value: there it keeps the sign of NaN, which means nothing, and quotes
/// what looks like an integer beyond ±2^53, which a double may not hold.
#[inline]
pub(super) fn push_json_float(bytes: &[u8], float: Float, untyped: bool, out: &mut Buffer) {
    let value = match float {
        Float::Brain16 | Float::Single => f64::from(single(bytes, float)),
        Float::Double => f64::from_le_bytes(array(bytes)),
    };
    // From 1e21 on there is an exponent; 2^53 itself is safe, and the next double is larger by two.
    let looks_too_large = untyped && (9_007_199_254_740_994.0..1e21).contains(&value.abs());
    if value.is_finite() && !looks_too_large {
        return push_float(bytes, float, out);
    }
    out.push(b'"');
    if untyped && value.is_nan() && value.is_sign_negative() {
        out.push(b'-');
    }
    push_float(bytes, float, out);
    out.push(b'"');
}

/// Appends a little endian integer divided by 10^`scale`, without zeros at the end of the fraction.
#[inline]
pub(super) fn push_decimal(bytes: &[u8], scale: usize, out: &mut Buffer) {
    match bytes.len() {
        4 => push_narrow_decimal(i32::from_le_bytes(array(bytes)).into(), scale, out),
        8 => push_narrow_decimal(i64::from_le_bytes(array(bytes)), scale, out),
        16 => push_scaled(itoa::Buffer::new().format(i128::from_le_bytes(array(bytes))), scale, out),
        _ => push_scaled(&format_256(bytes, true), scale, out),
    }
}

/// The same for 64 bits; a scale is at most 18 there.
fn push_narrow_decimal(number: i64, scale: usize, out: &mut Buffer) {
    let Some(unit) = u32::try_from(scale).ok().and_then(|scale| 10_u64.checked_pow(scale)) else {
        return push_scaled(itoa::Buffer::new().format(number), scale, out);
    };
    if number < 0 {
        out.push(b'-');
    }
    let magnitude = number.unsigned_abs();
    // To divide by a number that is known is far quicker, and these are what people choose.
    let split = |unit: u64| (magnitude / unit, magnitude % unit);
    let (whole, fraction) = match scale {
        2 => split(100),
        3 => split(1000),
        4 => split(10_000),
        6 => split(1_000_000),
        8 => split(100_000_000),
        _ => split(unit),
    };
    push_unsigned(whole, out);
    if fraction > 0 {
        push_trimmed_fraction(fraction, scale, out);
    }
}

fn push_scaled(text: &str, scale: usize, out: &mut Buffer) {
    let digits = match text.strip_prefix('-') {
        Some(digits) => {
            out.push(b'-');
            digits
        }
        None => text,
    };
    // As many digits as are behind the point, or fewer.
    let (whole, fraction) = digits
        .len()
        .checked_sub(scale)
        .and_then(|point| digits.split_at_checked(point))
        .unwrap_or(("", digits));
    out.push_str(if whole.is_empty() { "0" } else { whole });
    let significant = fraction.trim_end_matches('0');
    if !significant.is_empty() {
        out.push(b'.');
        out.repeat(b'0', scale.saturating_sub(fraction.len()));
        out.push_str(significant);
    }
}

/// Appends what a shortest-digits algorithm found, with ClickHouse's rules for point and exponent.
fn push_shortest(text: &str, out: &mut Buffer) {
    let Some(at) = text.bytes().position(|byte| byte == b'e') else {
        let short = text.strip_suffix(".0").unwrap_or(text);
        // No exponent means a magnitude for which ClickHouse has none either, but for the very small.
        if short.starts_with("0.000000") || short.starts_with("-0.000000") {
            push_parts(text, 0, out);
        } else {
            out.push_str(short);
        }
        return;
    };
    let (mantissa, exponent) = text.split_at_checked(at).unwrap_or((text, ""));
    let exponent = exponent.get(1..).and_then(|exponent| exponent.parse().ok()).unwrap_or_default();
    push_parts(mantissa, exponent, out);
}

fn push_parts(mantissa: &str, exponent: i32, out: &mut Buffer) {
    let unsigned = match mantissa.strip_prefix('-') {
        Some(unsigned) => {
            out.push(b'-');
            unsigned
        }
        None => mantissa,
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all = [whole, fraction].concat();
    let leading = all.len() - all.trim_start_matches('0').len();
    // The value is 0.DIGITS times ten to the power of `point`.
    let point = exponent + length(whole.len()) - length(leading);
    push_digits(all.trim_matches('0'), point, out);
}

fn push_digits(digits: &str, point: i32, out: &mut Buffer) {
    if !(-5..=21).contains(&point) {
        let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
        out.push_str(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.push_str(rest);
        }
        out.push(b'e');
        out.push_str(itoa::Buffer::new().format(point - 1));
        return;
    }
    match usize::try_from(point) {
        Ok(whole @ 1..) => {
            let (whole, fraction) = digits.split_at_checked(whole).unwrap_or((digits, ""));
            out.push_str(whole);
            out.repeat(b'0', usize::try_from(point - length(whole.len())).unwrap_or_default());
            if !fraction.is_empty() {
                out.push(b'.');
                out.push_str(fraction);
            }
        }
        _ => {
            out.push_str("0.");
            out.repeat(b'0', usize::try_from(-point).unwrap_or_default());
            out.push_str(digits);
        }
    }
}

fn single(bytes: &[u8], float: Float) -> f32 {
    match (float, bytes) {
        (Float::Brain16, &[a, b]) => f32::from_le_bytes([0, 0, a, b]),
        _ => f32::from_le_bytes(array(bytes)),
    }
}

fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[inline]
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    // A column hands out values of its scalar's width, so this never fails.
    bytes.try_into().unwrap_or([0; N])
}

/// 256 bits in base ten: nineteen digits at a time are what a division of 128 by 64 bits yields.
fn format_256(bytes: &[u8], signed: bool) -> String {
    const STEP: u128 = 10_000_000_000_000_000_000;
    let mut out = String::new();
    let mut limbs = [0_u64; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_le_bytes(*chunk);
    }
    if signed && limbs[3] >> 63 == 1 {
        out.push('-');
        let mut carry = true;
        for limb in &mut limbs {
            (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
        }
    }
    let mut parts = [0_u64; 5];
    let mut used = 0;
    for part in &mut parts {
        let mut remainder = 0_u128;
        for limb in limbs.iter_mut().rev() {
            let value = remainder << 64 | u128::from(*limb);
            // The remainder is below STEP, so the quotient fits.
            *limb = u64::try_from(value / STEP).unwrap_or_default();
            remainder = value % STEP;
        }
        *part = u64::try_from(remainder).unwrap_or_default();
        used += 1;
        if limbs == [0; 4] {
            break;
        }
    }
    let mut buffer = itoa::Buffer::new();
    for (index, part) in parts.iter().take(used).rev().enumerate() {
        let text = buffer.format(*part);
        if index > 0 {
            out.extend(std::iter::repeat_n('0', 19 - text.len()));
        }
        out.push_str(text);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::buffer::written;
    use super::*;

    #[test]
    fn floats_have_the_servers_form() {
        // Measured on ClickHouse 26.9.
        let doubles: &[(f64, &str)] = &[
            (1e21, "1e21"),
            (1e20, "100000000000000000000"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (9.999e-7, "9.999e-7"),
            (0.000_012_34, "0.00001234"),
            (1e300, "1e300"),
            (f64::MAX, "1.7976931348623157e308"),
            (5e-324, "5e-324"),
            (-0.0, "-0"),
            (0.0, "0"),
            (123_456.789, "123456.789"),
            (1e15, "1000000000000000"),
            (999_999_999_999_999.9, "999999999999999.9"),
            (1e-5, "0.00001"),
            (1.5e-5, "0.000015"),
            (9.99e-6, "0.00000999"),
            (1e16, "10000000000000000"),
            (9_223_372_036_854_775_807.0, "9223372036854776000"),
            (-1.5e21, "-1.5e21"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, expected) in doubles {
            assert_eq!(written(|out| push_float(&value.to_le_bytes(), Float::Double, out)), *expected);
        }
        let singles: &[(f32, &str)] = &[
            (1e21, "1e21"),
            (1e20, "100000000000000000000"),
            (123_456_789.0, "123456790"),
            (1e10, "10000000000"),
            (3.4e38, "3.4e38"),
            (1e-45, "1e-45"),
            (0.1, "0.1"),
            (1e-5, "0.00001"),
            (1.000_000_1e-5, "0.000010000001"),
            (1e15, "1000000000000000"),
            (9.999_999e14, "999999900000000"),
            (1e12, "1000000000000"),
            (9.99e11, "999000000000"),
            (1e13, "10000000000000"),
            (1e-7, "1e-7"),
            (1.5e-6, "0.0000015"),
            (1_234_567.9, "1234567.9"),
        ];
        for (value, expected) in singles {
            assert_eq!(written(|out| push_float(&value.to_le_bytes(), Float::Single, out)), *expected);
        }
        let halves: &[([u8; 2], &str)] =
            &[([0x8c, 0x3f], "1.09375"), ([0x80, 0xff], "-inf"), ([0, 0x80], "-0")];
        for (bytes, expected) in halves {
            assert_eq!(written(|out| push_float(bytes, Float::Brain16, out)), *expected);
        }
    }

    #[test]
    fn untyped_floats_are_told_from_integers() {
        for (value, untyped, expected) in [
            (9_007_199_254_740_992.0, true, "9007199254740992"),
            (-9_007_199_254_740_992.0, true, "-9007199254740992"),
            (9_007_199_254_740_994.0, true, "\"9007199254740994\""),
            (-1e20, true, "\"-100000000000000000000\""),
            (1e21, true, "1e21"),
            (1e20, false, "100000000000000000000"),
            (0.5, true, "0.5"),
            (-f64::NAN, true, "\"-nan\""),
            (-f64::NAN, false, "\"nan\""),
            (f64::NAN, true, "\"nan\""),
            (f64::INFINITY, true, "\"inf\""),
        ] {
            let written =
                written(|out| push_json_float(&f64::to_le_bytes(value), Float::Double, untyped, out));
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn decimals_have_no_trailing_zeros() {
        let table: &[(i64, usize, &str)] = &[
            (1500, 3, "1.5"),
            (-100, 5, "-0.001"),
            (0, 10, "0"),
            (5, 0, "5"),
            (-5, 1, "-0.5"),
            (10_000, 2, "100"),
            (10, 2, "0.1"),
            (i64::MIN, 18, "-9.223372036854775808"),
            (i64::MAX, 0, "9223372036854775807"),
            (1_000_000_000_000_000_001, 18, "1.000000000000000001"),
            (1, 18, "0.000000000000000001"),
            (123_400_005_000_000_000, 17, "1.23400005"),
            (-1, 9, "-0.000000001"),
            (i64::MIN, 19, "-0.9223372036854775808"),
            (1, 30, "0.000000000000000000000000000001"),
        ];
        for (value, scale, expected) in table {
            assert_eq!(written(|out| push_decimal(&value.to_le_bytes(), *scale, out)), *expected);
        }
    }

    #[test]
    fn wide_integers_are_exact() {
        let text = |bytes: &[u8], signed| written(|out| push_integer(bytes, signed, out));
        assert_eq!(
            text(&[0xff; 32], false),
            "115792089237316195423570985008687907853269984665640564039457584007913129639935"
        );
        let mut least = [0; 32];
        least[31] = 0x80;
        assert_eq!(
            text(&least, true),
            "-57896044618658097711785492504343953926634992332820282019728792003956564819968"
        );
        assert_eq!(text(&[0xff; 32], true), "-1");
        assert_eq!(text(&[0; 32], true), "0");
        let mut power = [0; 32];
        power[..16].copy_from_slice(&10_u128.pow(38).to_le_bytes());
        assert_eq!(text(&power, false), format!("1{}", "0".repeat(38)));
        assert_eq!(text(&i128::MIN.to_le_bytes(), true), i128::MIN.to_string());
        assert_eq!(text(&[0x80], true), "-128");
        assert_eq!(text(&u64::MAX.to_le_bytes(), false), u64::MAX.to_string());
    }
}
