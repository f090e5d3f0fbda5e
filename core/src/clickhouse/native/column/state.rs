//! States of aggregate functions: the server shows them as strings of their bytes, so all that has to be known is
//! where one ends. Only the function knows that; here are the common ones whose layout is plain.

use super::error::ColumnError;
use super::source::Source;
use super::text::Text;
use super::type_tree::{Aggregate, Float, Integer, Type};
use crate::clickhouse::native::wire::Reader;

/// What a state is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// So many bytes.
    Bytes(usize),
    /// An integer of variable length.
    VarUInt,
    /// A length of four bytes, then so many bytes; negative for none.
    Sized,
    /// A length of variable length, then so many bytes.
    String,
    /// A byte that says whether the rest is there.
    Optional(Box<State>),
    /// A count, then so many of these.
    Counted(Box<State>),
    /// One after another.
    Sequence(Vec<State>),
}

impl State {
    /// The state of a function, if its layout is known.
    pub(super) fn parse(aggregate: &Aggregate) -> Result<Self, ColumnError> {
        let unknown = || ColumnError::UndecodableState { function: aggregate.function.clone() };
        let (function, arguments) = match aggregate.function.strip_suffix("If") {
            // A condition leaves no trace in the state, unless it may be null.
            Some(function) => match aggregate.arguments.split_last() {
                Some((Type::Integer(_) | Type::Bool, arguments)) => (function, arguments),
                _ => return Err(unknown()),
            },
            None => (aggregate.function.as_str(), aggregate.arguments.as_slice()),
        };
        let counts_if_not_null = function == "count" && arguments.iter().any(is_nullable);
        if counts_if_not_null && function != aggregate.function {
            return Err(unknown());
        }
        layout(function, arguments).ok_or_else(unknown)
    }

    /// Reads the states of this many rows.
    pub(super) fn read(&self, source: &mut Source<'_, '_, '_>, rows: usize) -> Result<Text, ColumnError> {
        let mut ends = Vec::new();
        let mut bytes = Vec::new();
        for _ in 0..rows {
            let state = self.take(source.reader)?;
            source.spend(state.len().saturating_add(size_of::<usize>()))?;
            bytes.extend_from_slice(state);
            ends.push(bytes.len());
        }
        Ok(Text::new(ends, bytes))
    }

    /// The bytes of the state that comes next.
    pub(super) fn take<'a>(&self, reader: &mut Reader<'a>) -> Result<&'a [u8], ColumnError> {
        let all = reader.rest();
        let start = reader.position();
        self.pass(reader)?;
        Ok(all.get(..reader.position().saturating_sub(start)).unwrap_or_default())
    }

    fn pass(&self, reader: &mut Reader<'_>) -> Result<(), ColumnError> {
        match self {
            Self::Bytes(count) => {
                reader.take(*count)?;
            }
            Self::VarUInt => {
                reader.varuint()?;
            }
            Self::Sized => {
                // Negative for a value that is not there.
                let length = usize::try_from(reader.i32()?).unwrap_or_default();
                reader.take(length)?;
            }
            Self::String => {
                reader.bytes("a string", usize::MAX)?;
            }
            Self::Optional(rest) => {
                if reader.u8()? != 0 {
                    rest.pass(reader)?;
                }
            }
            Self::Counted(each) => {
                for _ in 0..reader.varuint()? {
                    each.pass(reader)?;
                }
            }
            Self::Sequence(parts) => {
                for part in parts {
                    part.pass(reader)?;
                }
            }
        }
        Ok(())
    }
}

fn layout(function: &str, arguments: &[Type]) -> Option<State> {
    let nullable = arguments.iter().any(is_nullable);
    let first = arguments.first().map(|first| if let Type::Nullable(inner) = first { inner } else { first });
    let plain = match function {
        "count" => return Some(State::VarUInt),
        "sum" => State::Bytes(sum_width(first?)?),
        "sumWithOverflow" | "groupBitAnd" | "groupBitOr" | "groupBitXor" => State::Bytes(width(first?)?),
        "avg" => State::Sequence(vec![State::Bytes(sum_width(first?)?), State::VarUInt]),
        "sumCount" if !nullable => State::Sequence(vec![State::Bytes(sum_width(first?)?), State::VarUInt]),
        // A count, a sum and a sum of squares.
        "varPop" | "varSamp" | "stddevPop" | "stddevSamp"
            if matches!(first, Some(Type::Integer(_) | Type::Float(Float::Double))) =>
        {
            State::Bytes(3 * size_of::<f64>())
        }
        "min" | "max" | "any" | "anyLast" | "first_value" | "last_value" => single(first?)?,
        "argMin" | "argMax" => State::Sequence(vec![single(first?)?, single(arguments.get(1)?)?]),
        // A degree, and hashes of four bytes.
        "uniq" if !nullable => {
            return Some(State::Sequence(vec![State::Bytes(1), State::Counted(Box::new(State::Bytes(4)))]));
        }
        "groupArray" | "groupUniqArray" if !nullable => State::Counted(Box::new(element(first?)?)),
        // The values themselves, or hashes of them.
        "uniqExact" if !nullable => {
            let width = match first {
                Some(Type::String) => 16,
                Some(number @ Type::Integer(_)) => width(number)?,
                _ => return None,
            };
            return Some(State::Counted(Box::new(State::Bytes(width))));
        }
        _ => return None,
    };
    Some(if nullable { State::Optional(Box::new(plain)) } else { plain })
}

fn is_nullable(of: &Type) -> bool {
    let of = if let Type::LowCardinality(inner) = of { inner } else { of };
    matches!(of, Type::Nullable(_))
}

/// A value that may be missing.
fn single(of: &Type) -> Option<State> {
    if let Type::String = of {
        return Some(State::Sized);
    }
    Some(State::Optional(Box::new(State::Bytes(width(of)?))))
}

/// A value of an array; of other types there are forms of their own.
fn element(of: &Type) -> Option<State> {
    if let Type::String | Type::FixedString(_) = of {
        return Some(State::String);
    }
    let is_plain = matches!(of, Type::Integer(_) | Type::Float(_) | Type::Date | Type::DateTime { .. });
    is_plain.then(|| width(of)).flatten().map(State::Bytes)
}

/// Bytes of the wider type in which a type is summed up.
fn sum_width(of: &Type) -> Option<usize> {
    if let Type::Integer(Integer { width, .. }) = of {
        Some((*width).max(8))
    } else if let Type::Decimal { width, .. } = of {
        Some((*width).max(16))
    } else {
        matches!(of, Type::Float(_)).then_some(8)
    }
}

/// Bytes of a value in memory.
fn width(of: &Type) -> Option<usize> {
    Some(match of {
        Type::Bool => 1,
        Type::Integer(Integer { width, .. }) | Type::Decimal { width, .. } | Type::Enum { width, .. } => {
            *width
        }
        Type::Float(Float::Brain16) | Type::Date => 2,
        Type::Float(Float::Single) | Type::Date32 | Type::DateTime { .. } | Type::Time | Type::Ipv4 => 4,
        Type::Float(Float::Double) | Type::DateTime64 { .. } | Type::Time64 { .. } | Type::Interval => 8,
        Type::Uuid | Type::Ipv6 => 16,
        Type::FixedString(width) => *width,
        Type::String
        | Type::Nothing
        | Type::Nullable(_)
        | Type::LowCardinality(_)
        | Type::Array(_)
        | Type::Tuple(_)
        | Type::Map(..)
        | Type::Variant(_)
        | Type::Geometry(_)
        | Type::Dynamic
        | Type::Json { .. }
        | Type::QBit { .. }
        | Type::Aggregate(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> Result<State, ColumnError> {
        let Type::Aggregate(aggregate) = Type::parse(text, 10).expect("a type") else { panic!("{text}") };
        State::parse(&aggregate)
    }

    #[test]
    fn states_end_where_the_function_says() {
        // As 26.9 writes them.
        let table: &[(&str, &[u8])] = &[
            ("AggregateFunction(count)", b"\x80\x01"),
            ("AggregateFunction(sum, UInt8)", &[1, 0, 0, 0, 0, 0, 0, 0]),
            ("AggregateFunction(sumIf, Decimal(9, 2), UInt8)", &[0; 16]),
            ("AggregateFunction(sum, Nullable(UInt8))", &[0]),
            ("AggregateFunction(max, String)", b"\x02\0\0\0a\0"),
            ("AggregateFunction(max, String)", &[0xff; 4]),
            ("AggregateFunction(anyLast, FixedString(2))", b"\x01ab"),
            ("AggregateFunction(uniq, UInt64)", b"\0\x02abcdefgh"),
            ("AggregateFunction(groupArray, String)", b"\x02\x01a\0"),
            ("AggregateFunction(avg, Float64)", b"12345678\x05"),
        ];
        for (text, bytes) in table {
            let longer = [bytes, b"rest".as_slice()].concat();
            let taken =
                state(text).expect("a known state").take(&mut Reader::whole(&longer)).map(<[u8]>::to_vec);
            assert_eq!(taken, Ok(bytes.to_vec()), "{text}");
        }
    }

    #[test]
    fn what_was_not_measured_is_refused() {
        for text in [
            "AggregateFunction(uniqCombined, UInt64)",
            "AggregateFunction(max, Array(UInt8))",
            "AggregateFunction(quantile(0.5), UInt64)",
            "AggregateFunction(sumIf, UInt8, Nullable(UInt8))",
            "AggregateFunction(countIf, Nullable(UInt8), UInt8)",
            "AggregateFunction(uniq, Nullable(UInt8))",
            "AggregateFunction(groupArray, UUID)",
        ] {
            assert!(matches!(state(text), Err(ColumnError::UndecodableState { .. })), "{text}");
        }
    }
}
