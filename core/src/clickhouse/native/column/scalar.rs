//! Values of a fixed number of bytes, in all their text forms.

use std::sync::Arc;

use super::address::{push_ipv4, push_ipv6, push_uuid};
use super::buffer::Buffer;
use super::calendar::{push_date, push_date_time, push_second_fraction, push_time, split_ticks};
use super::json_text::{lossy, push_json_string, push_quoted};
use super::number::{push_decimal, push_float, push_integer, push_json_float};
use super::type_tree::{Float, Integer};
use super::zone::Zone;

/// A type whose values all take the same number of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// `Bool`.
    Bool,
    /// Every integer.
    Integer(Integer),
    /// Every float.
    Float {
        /// Which.
        float: Float,
        /// Whether one that looks like an integer beyond ±2^53 is quoted, as the HTTP decoder does where it cannot
        /// see the type of a value.
        untyped: bool,
    },
    /// Every decimal: bytes, and digits behind the point.
    Decimal(usize, usize),
    /// `Date`.
    Date,
    /// `Date32`.
    Date32,
    /// `DateTime`.
    DateTime(Zone),
    /// `DateTime64`: digits of a second.
    DateTime64(usize, Zone),
    /// `Time`.
    Time,
    /// `Time64`: digits of a second.
    Time64(usize),
    /// Every interval.
    Interval,
    /// `Enum8` and `Enum16`: bytes, and names sorted by number.
    Enum(usize, Arc<[(i16, String)]>),
    /// `UUID`.
    Uuid,
    /// `IPv4`.
    Ipv4,
    /// `IPv6`.
    Ipv6,
    /// `FixedString`: bytes.
    FixedString(usize),
}

impl Scalar {
    /// Bytes of a value; never 0.
    #[inline]
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Date | Self::Float { float: Float::Brain16, .. } => 2,
            Self::Float { float: Float::Single, .. }
            | Self::Date32
            | Self::DateTime(_)
            | Self::Time
            | Self::Ipv4 => 4,
            Self::Float { float: Float::Double, .. }
            | Self::DateTime64(..)
            | Self::Time64(_)
            | Self::Interval => 8,
            Self::Uuid | Self::Ipv6 => 16,
            Self::Integer(Integer { width, .. })
            | Self::Decimal(width, _)
            | Self::Enum(width, _)
            | Self::FixedString(width) => *width,
        }
    }

    /// Bytes that a value may well take as JSON.
    pub(super) fn usual_length(&self) -> usize {
        match self {
            Self::Bool => 5,
            Self::Integer(Integer { width, .. }) | Self::Decimal(width, _) => width.saturating_mul(5) / 2 + 4,
            Self::Float { .. } | Self::Date | Self::Date32 | Self::Time | Self::Enum(..) => 20,
            Self::DateTime(_) | Self::Time64(_) | Self::Interval | Self::Ipv4 => 22,
            Self::DateTime64(..) => 32,
            Self::Uuid => 38,
            Self::Ipv6 => 41,
            Self::FixedString(width) => width.saturating_add(2),
        }
    }

    /// Appends a value as JSON.
    pub(super) fn push_json(&self, bytes: &[u8], out: &mut Buffer) {
        match self {
            Self::Bool => self.push_text(bytes, out),
            Self::Integer(Integer { width: ..8, signed }) => push_integer(bytes, *signed, out),
            Self::Integer(Integer { signed, .. }) => {
                out.push(b'"');
                push_integer(bytes, *signed, out);
                out.push(b'"');
            }
            Self::Float { float, untyped } => push_json_float(bytes, *float, *untyped, out),
            Self::Enum(_, names) => push_json_string(enum_name(bytes, names), out),
            Self::FixedString(_) => push_json_string(&lossy(bytes), out),
            Self::Decimal(..)
            | Self::Date
            | Self::Date32
            | Self::DateTime(_)
            | Self::DateTime64(..)
            | Self::Time
            | Self::Time64(_)
            | Self::Interval
            | Self::Uuid
            | Self::Ipv4
            | Self::Ipv6 => {
                out.push(b'"');
                self.push_text(bytes, out);
                out.push(b'"');
            }
        }
    }

    /// Appends a value as text, as it is when it stands alone.
    pub(super) fn push_text(&self, bytes: &[u8], out: &mut Buffer) {
        match self {
            Self::Bool => out.push_str(if bytes == [0] { "false" } else { "true" }),
            Self::Integer(Integer { signed, .. }) => push_integer(bytes, *signed, out),
            Self::Float { float, .. } => push_float(bytes, *float, out),
            Self::Decimal(_, scale) => push_decimal(bytes, *scale, out),
            Self::Date => push_date(i64::from(u16::from_le_bytes(array(bytes))), out),
            Self::Date32 => push_date(i64::from(i32::from_le_bytes(array(bytes))), out),
            Self::DateTime(zone) => {
                push_date_time(zone.local(i64::from(u32::from_le_bytes(array(bytes)))), out);
            }
            Self::DateTime64(scale, zone) => {
                let (seconds, left) = split_ticks(i64::from_le_bytes(array(bytes)), *scale);
                push_date_time(zone.local(seconds), out);
                push_second_fraction(left, *scale, out);
            }
            Self::Time => push_time(i64::from(i32::from_le_bytes(array(bytes))), 0, out),
            Self::Time64(scale) => push_time(i64::from_le_bytes(array(bytes)), *scale, out),
            Self::Interval => push_integer(bytes, true, out),
            Self::Enum(_, names) => out.push_str(enum_name(bytes, names)),
            Self::Uuid => push_uuid(bytes, out),
            Self::Ipv4 => push_ipv4(bytes, out),
            Self::Ipv6 => push_ipv6(bytes, out),
            Self::FixedString(_) => out.push_str(&lossy(bytes)),
        }
    }

    /// Appends a value as text within an array, a tuple or a map that is text itself.
    pub(super) fn push_inner_text(&self, bytes: &[u8], out: &mut Buffer) {
        match self {
            Self::Bool | Self::Integer(_) | Self::Float { .. } | Self::Decimal(..) | Self::Interval => {
                self.push_text(bytes, out);
            }
            Self::Enum(_, names) => push_quoted(enum_name(bytes, names), out),
            Self::FixedString(_) => push_quoted(&lossy(bytes), out),
            Self::Date
            | Self::Date32
            | Self::DateTime(_)
            | Self::DateTime64(..)
            | Self::Time
            | Self::Time64(_)
            | Self::Uuid
            | Self::Ipv4
            | Self::Ipv6 => {
                out.push(b'\'');
                self.push_text(bytes, out);
                out.push(b'\'');
            }
        }
    }
}

/// The name of an enum's number. The server knows no other number, so for one there is no right text.
fn enum_name<'a>(bytes: &[u8], names: &'a [(i16, String)]) -> &'a str {
    let number = match bytes {
        &[byte] => i16::from(i8::from_le_bytes([byte])),
        _ => i16::from_le_bytes(array(bytes)),
    };
    let found = names.binary_search_by_key(&number, |(number, _)| *number).ok();
    found.and_then(|at| names.get(at)).map_or("", |(_, name)| name)
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    // A column hands out values of its scalar's width, so this never fails.
    bytes.try_into().unwrap_or([0; N])
}
