//! CityHash128 in its version 1.0.2, which guards compressed frames. Later versions give other numbers.
//!
//! It tells damage from data and is no defence: whoever can change a frame can give it the right hash.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;
const K3: u64 = 0xc949_d7c7_509e_6557;
const FOLD: u64 = 0x9ddf_ea08_eb38_2d69;

/// Two halves of a state of 128 bits.
type Pair = (u64, u64);

/// The hash, as ClickHouse writes it before a frame: the low half, then the high half, each least significant byte
/// first.
pub(in crate::clickhouse::native) fn checksum(data: &[u8]) -> [u8; 16] {
    let (low, high) = city_hash_128(data);
    let mut bytes = [0; 16];
    let (first, second) = bytes.split_at_mut(8);
    first.copy_from_slice(&low.to_le_bytes());
    second.copy_from_slice(&high.to_le_bytes());
    bytes
}

fn city_hash_128(data: &[u8]) -> Pair {
    let length = data.len();
    if let Some((_, rest)) = data.split_at_checked(16) {
        with_seed(rest, (word(data, 0) ^ K3, word(data, 8)))
    } else if length >= 8 {
        with_seed(&[], (word(data, 0) ^ wide(length).wrapping_mul(K0), word(data, length - 8) ^ K1))
    } else {
        with_seed(data, (K0, K1))
    }
}

fn with_seed(data: &[u8], seed: Pair) -> Pair {
    if data.len() < 128 {
        return murmur(data, seed);
    }
    let (mut x, mut y) = seed;
    let mut z = wide(data.len()).wrapping_mul(K1);
    let v = mul_add((y ^ K1).rotate_right(49), K1, word(data, 0));
    let mut v = (v, mul_add(v.rotate_right(42), K1, word(data, 8)));
    let mut w = (
        mul_add(y.wrapping_add(z).rotate_right(35), K1, x),
        x.wrapping_add(word(data, 88)).rotate_right(53).wrapping_mul(K1),
    );
    let mut at = 0;
    while data.len() - at >= 128 {
        for _ in 0..2 {
            x = x.wrapping_add(y).wrapping_add(v.0).wrapping_add(word(data, at + 16));
            x = x.rotate_right(37).wrapping_mul(K1) ^ w.1;
            y = y.wrapping_add(v.1).wrapping_add(word(data, at + 48));
            y = y.rotate_right(42).wrapping_mul(K1) ^ v.0;
            z = (z ^ w.0).rotate_right(33);
            v = weak_32(data, at, (v.1.wrapping_mul(K1), x.wrapping_add(w.0)));
            w = weak_32(data, at + 32, (z.wrapping_add(w.1), y));
            (z, x) = (x, z);
            at += 64;
        }
    }
    y = y.wrapping_add(mul_add(w.0.rotate_right(37), K0, z));
    x = x.wrapping_add(v.0.wrapping_add(z).rotate_right(49).wrapping_mul(K0));
    // The rest in pieces of 32 bytes from the end; the last piece may reach back into what was hashed.
    let rest = data.len() - at;
    let mut done = 0;
    while done < rest {
        done += 32;
        let piece = data.len() - done;
        y = mul_add(y.wrapping_sub(x).rotate_right(42), K0, v.1);
        w.0 = w.0.wrapping_add(word(data, piece + 16));
        x = mul_add(x.rotate_right(49), K0, w.0);
        w.0 = w.0.wrapping_add(v.0);
        v = weak_32(data, piece, v);
    }
    x = fold(x, v.0);
    y = fold(y, w.0);
    (fold(x.wrapping_add(v.1), w.1).wrapping_add(y), fold(x.wrapping_add(w.1), y.wrapping_add(v.1)))
}

/// Fewer than 128 bytes.
fn murmur(data: &[u8], seed: Pair) -> Pair {
    let (mut a, mut b) = seed;
    let (mut c, mut d);
    let length = data.len();
    if length <= 16 {
        a = shift_mix(a.wrapping_mul(K1)).wrapping_mul(K1);
        c = b.wrapping_mul(K1).wrapping_add(up_to_16(data));
        d = shift_mix(a.wrapping_add(if length >= 8 { word(data, 0) } else { c }));
    } else {
        c = fold(word(data, length - 8).wrapping_add(K1), a);
        d = fold(b.wrapping_add(wide(length)), c.wrapping_add(word(data, length - 16)));
        a = a.wrapping_add(d);
        for at in (0..length - 16).step_by(16) {
            a = (a ^ shift_mix(word(data, at).wrapping_mul(K1)).wrapping_mul(K1)).wrapping_mul(K1);
            b ^= a;
            c = (c ^ shift_mix(word(data, at + 8).wrapping_mul(K1)).wrapping_mul(K1)).wrapping_mul(K1);
            d ^= c;
        }
    }
    a = fold(a, c);
    b = fold(d, b);
    (a ^ b, fold(b, a))
}

fn up_to_16(data: &[u8]) -> u64 {
    let length = data.len();
    if length > 8 {
        let (a, b) = (word(data, 0), word(data, length - 8));
        return fold(a, b.wrapping_add(wide(length)).rotate_right(length as u32)) ^ b;
    }
    if length >= 4 {
        return fold(wide(length).wrapping_add(half(data, 0) << 3), half(data, length - 4));
    }
    let byte = |at: usize| u64::from(data.get(at).copied().unwrap_or_default());
    match length.checked_sub(1) {
        Some(last) => {
            let y = byte(0) + (byte(length / 2) << 8);
            let z = wide(length) + (byte(last) << 2);
            shift_mix(y.wrapping_mul(K2) ^ z.wrapping_mul(K3)).wrapping_mul(K2)
        }
        None => K2,
    }
}

/// Mixes the 32 bytes from `at` into a state.
fn weak_32(data: &[u8], at: usize, (a, b): Pair) -> Pair {
    let (w, x, y, z) = (word(data, at), word(data, at + 8), word(data, at + 16), word(data, at + 24));
    let a = a.wrapping_add(w);
    let b = b.wrapping_add(a).wrapping_add(z).rotate_right(21);
    let sum = a.wrapping_add(x).wrapping_add(y);
    (sum.wrapping_add(z), b.wrapping_add(sum.rotate_right(44)).wrapping_add(a))
}

fn fold(low: u64, high: u64) -> u64 {
    let a = shift_mix((low ^ high).wrapping_mul(FOLD));
    shift_mix((high ^ a).wrapping_mul(FOLD)).wrapping_mul(FOLD)
}

fn shift_mix(value: u64) -> u64 {
    value ^ (value >> 47)
}

fn mul_add(value: u64, factor: u64, term: u64) -> u64 {
    value.wrapping_mul(factor).wrapping_add(term)
}

fn wide(length: usize) -> u64 {
    // No address space is larger.
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Eight bytes, least significant first. The callers have checked that they are there.
fn word(data: &[u8], at: usize) -> u64 {
    data.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn half(data: &[u8], at: usize) -> u64 {
    data.get(at..at + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, |b| u64::from(u32::from_le_bytes(b)))
}
