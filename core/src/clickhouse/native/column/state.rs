//! States of aggregate functions: the server shows them as strings of their bytes, so all that has to be known is
//! where one ends. Only the function knows that; here are the common ones whose layout is plain.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a type that is not named has no layout that was measured"
)]

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
    /// A byte that is 0 if the rest is there.
    Unless(Box<State>),
    /// A byte that says which of these follows.
    Choice(Vec<(u8, State)>),
    /// A count of so many bytes, least significant first, then so many times as many bytes.
    Plain(usize, usize),
    /// A sample: how many it may be, how many there were, the state of a generator, and values of so many bytes.
    Reservoir(usize),
    /// A count, then so many of these.
    Counted(Box<State>),
    /// One after another.
    Sequence(Vec<State>),
}

impl State {
    /// The state of a function, if its layout is known.
    pub(super) fn parse(aggregate: &Aggregate) -> Result<Self, ColumnError> {
        let called = Called {
            function: &aggregate.function,
            arguments: &aggregate.arguments,
            aggregate,
            combinators: MOST,
        };
        layout(called).ok_or_else(|| ColumnError::UndecodableState { function: aggregate.function.clone() })
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
            Self::Unless(rest) => {
                if reader.u8()? == 0 {
                    rest.pass(reader)?;
                }
            }
            Self::Choice(all) => {
                let found = reader.u8()?;
                let chosen = all.iter().find(|(number, _)| *number == found);
                let unknown = || ColumnError::UnknownVersion { what: "state", version: found.into() };
                chosen.ok_or_else(unknown)?.1.pass(reader)?;
            }
            Self::Plain(digits, each) => {
                let digits = reader.take(*digits)?;
                let count = digits.iter().rev().fold(0_usize, |count, byte| count << 8 | usize::from(*byte));
                reader.take(count.saturating_mul(*each))?;
            }
            Self::Reservoir(each) => {
                let (most, all) = (reader.u64()?, reader.u64()?);
                reader.bytes("the state of a generator", LONGEST_GENERATOR)?;
                let count = usize::try_from(most.min(all)).unwrap_or(usize::MAX);
                reader.take(count.saturating_mul(*each))?;
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

/// Combinators that a function may have: a name could hold thousands.
const MOST: u8 = 8;
/// The state of a generator of random numbers is text of some 40 bytes.
const LONGEST_GENERATOR: usize = 1 << 10;

/// Bytes of the large form of `uniqCombined` and of `uniqCombined64` without a parameter, and of `uniqHLL12`.
const COMBINED: usize = 81_992;
const COMBINED_64: usize = 98_504;
const HLL12: usize = 2650;
/// Bytes of the large form of `quantileTiming`.
const TIMING: usize = 22_688;

/// A function as it is left when combinators were taken off.
#[derive(Clone, Copy)]
struct Called<'a> {
    function: &'a str,
    arguments: &'a [Type],
    aggregate: &'a Aggregate,
    /// How many more combinators may be taken off.
    combinators: u8,
}

/// The layout of a function, else of what its last combinator was put on.
fn layout(called: Called<'_>) -> Option<State> {
    let Called { function, arguments, .. } = called;
    if let Some(known) = known(called) {
        return Some(known);
    }
    let called = Called { combinators: called.combinators.checked_sub(1)?, ..called };
    if let Some(function) = function.strip_suffix("If") {
        // A condition leaves no trace in the state, unless others than itself may be null, too.
        let (condition, arguments) = arguments.split_last()?;
        let is_condition = match condition {
            Type::Integer(_) | Type::Bool => true,
            Type::Nullable(_) => !arguments.iter().any(is_nullable),
            _ => false,
        };
        // Where nulls are skipped for it, `count` says whether it has seen anything.
        let counts = function == "count" && arguments.iter().any(is_nullable);
        let layout = if counts { Some(State::Optional(Box::new(State::VarUInt))) } else { None };
        return layout
            .or_else(|| self::layout(Called { function, arguments, ..called }))
            .filter(|_| is_condition);
    }
    if let Some(function) = function.strip_suffix("Array") {
        let inner = |of: &Type| if let Type::Array(inner) = of { Some(Type::clone(inner)) } else { None };
        let arguments: Vec<_> = arguments.iter().map(inner).collect::<Option<_>>()?;
        return layout(Called { function, arguments: &arguments, ..called });
    }
    let function = function.strip_suffix("OrNull").or_else(|| function.strip_suffix("OrDefault"))?;
    if arguments.iter().any(is_nullable) {
        return None;
    }
    // Whether there was anything follows the state.
    Some(State::Sequence(vec![layout(Called { function, ..called })?, State::Bytes(1)]))
}

/// The layout of a function without combinators, as 26.9 was seen to write it.
fn known(called: Called<'_>) -> Option<State> {
    let Called { function, arguments, aggregate, .. } = called;
    let nullable = arguments.iter().any(is_nullable);
    let first = arguments.first().map(bare);
    let second = arguments.get(1).map(bare);
    let floats = |count| Some(State::Bytes(float_width(arguments)? * count));
    let plain = match function {
        "count" => return Some(State::VarUInt),
        "sum" => State::Bytes(sum_width(first?)?),
        "sumWithOverflow" | "groupBitAnd" | "groupBitOr" | "groupBitXor" => State::Bytes(width(first?)?),
        "sumKahan" if matches!(first, Some(Type::Float(Float::Double))) => State::Bytes(16),
        "avg" => State::Sequence(vec![State::Bytes(sum_width(first?)?), State::VarUInt]),
        "sumCount" if !nullable => State::Sequence(vec![State::Bytes(sum_width(first?)?), State::VarUInt]),
        // A count, a sum and a sum of squares, and of higher powers.
        "varPop" | "varSamp" | "stddevPop" | "stddevSamp" => floats(3)?,
        "skewPop" | "skewSamp" | "covarPop" | "covarSamp" => floats(4)?,
        "kurtPop" | "kurtSamp" => floats(5)?,
        "corr" => floats(6)?,
        "varPopStable" | "varSampStable" | "stddevPopStable" | "stddevSampStable" => stable(2),
        "covarPopStable" | "covarSampStable" => stable(3),
        "corrStable" => stable(5),
        "simpleLinearRegression" if float_width(arguments) == Some(8) => State::Bytes(40),
        "studentTTest" | "welchTTest" if float_width(arguments) == Some(8) => State::Bytes(48),
        "exponentialMovingAverage" => State::Bytes(16),
        "boundingRatio" => State::Unless(Box::new(State::Bytes(32))),
        "min" | "max" | "any" | "anyLast" | "first_value" | "last_value" => single(first?)?,
        "argMin" | "argMax" => State::Sequence(vec![single(first?)?, single(second?)?]),
        // A degree, and hashes of four bytes.
        "uniq" => State::Sequence(vec![State::Bytes(1), counted(4)]),
        // The values themselves, or hashes of them.
        "uniqExact" => counted(exact_width(arguments)?),
        "uniqCombined" if is_short(first) && aggregate.parameters == 0 => combined(4, COMBINED),
        "uniqCombined64" if is_short(first) && aggregate.parameters == 0 => combined(8, COMBINED_64),
        "uniqHLL12" if matches!(first, Some(Type::Integer(Integer { width: 8, .. }))) => {
            State::Choice(vec![(0, counted(8)), (1, State::Bytes(HLL12))])
        }
        "quantile" | "quantiles" => State::Reservoir(number_width(first?)?),
        "quantileExact" | "quantilesExact" | "quantileExactLow" | "quantilesExactLow"
        | "quantileExactHigh" | "quantilesExactHigh" => counted(number_width(first?)?),
        "quantileExactWeighted" | "quantilesExactWeighted" => counted(number_width(first?)? + 8),
        "quantileTDigest" | "quantilesTDigest" | "quantileTDigestWeighted" | "quantilesTDigestWeighted" => {
            counted(8)
        }
        "quantileBFloat16" | "quantilesBFloat16" => counted(10),
        "quantileTiming" | "quantilesTiming" => {
            State::Choice(vec![(1, State::Plain(2, 2)), (2, State::Plain(8, 2)), (3, State::Bytes(TIMING))])
        }
        // How many there are of a value and by how many that may be wrong; then numbers of hashes.
        "topK" | "topKWeighted" | "approx_top_k" if !nullable => {
            let value = match first? {
                Type::String => State::String,
                of => State::Bytes(short_width(of)?),
            };
            let each = State::Sequence(vec![value, State::VarUInt, State::VarUInt]);
            State::Sequence(vec![State::Counted(Box::new(each)), State::Counted(Box::new(State::VarUInt))])
        }
        "groupBitmap" if !nullable => {
            State::Choice(vec![(0, counted(short_width(first?)?)), (1, State::String)])
        }
        "entropy" if !nullable => match arguments {
            [of] => counted(short_width(of).unwrap_or(16) + 8),
            _ => return None,
        },
        "histogram" if !nullable => State::Sequence(vec![State::Bytes(16), counted(16)]),
        // Nulls are passed over, and so is whether there were any.
        "groupArray" | "groupUniqArray" => return Some(State::Counted(Box::new(element(first?)?))),
        "groupArraySorted" if !nullable => counted(short_width(first?)?),
        "groupArrayLast" if !nullable => {
            State::Sequence(vec![counted(short_width(first?)?), State::Bytes(8)])
        }
        "groupConcat" if !nullable && aggregate.parameters < 2 => State::String,
        "sumMap" | "minMap" | "maxMap" => return map(called),
        _ => return None,
    };
    Some(if nullable { State::Optional(Box::new(plain)) } else { plain })
}

/// A count and numbers.
fn stable(numbers: usize) -> State {
    State::Sequence(vec![State::VarUInt, State::Bytes(numbers * 8)])
}

fn counted(width: usize) -> State {
    State::Counted(Box::new(State::Bytes(width)))
}

/// An array, a hash table or a sketch.
fn combined(width: usize, large: usize) -> State {
    State::Choice(vec![(1, counted(width)), (2, counted(width)), (3, State::Bytes(large))])
}

/// Keys and what was summed up for each: of two arrays and more, or of maps.
fn map(called: Called<'_>) -> Option<State> {
    let mut types = Vec::new();
    match called.arguments {
        [Type::Map(key, value)] => types.extend([&**key, &**value]),
        // The first form of this state has numbers of another width.
        arrays @ [_, _, ..] if called.aggregate.is_versioned => {
            for array in arrays {
                let Type::Array(inner) = array else { return None };
                types.push(&**inner);
            }
        }
        _ => return None,
    }
    let (key, values) = types.split_first()?;
    let mut each = vec![value(key)?];
    for of in values {
        each.push(match of {
            Type::Nullable(inner) => State::Unless(Box::new(State::Bytes(sum_width(inner)?))),
            of => State::Bytes(sum_width(of)?),
        });
    }
    Some(State::Counted(Box::new(State::Sequence(each))))
}

/// Without what says that it may be null.
fn bare(of: &Type) -> &Type {
    if let Type::Nullable(inner) = of { inner } else { of }
}

/// In what moments are counted: all arguments in the same.
fn float_width(arguments: &[Type]) -> Option<usize> {
    let one = |of: &Type| match bare(of) {
        Type::Float(Float::Single) => Some(4),
        Type::Integer(_) | Type::Float(Float::Double) | Type::Decimal { .. } => Some(8),
        _ => None,
    };
    let (first, rest) = arguments.split_first()?;
    let width = one(first)?;
    rest.iter().all(|of| one(of) == Some(width)).then_some(width)
}

/// Bytes of what `uniqExact` keeps.
fn exact_width(arguments: &[Type]) -> Option<usize> {
    let [one] = arguments else { return Some(16) };
    match bare(one) {
        Type::String | Type::FixedString(_) | Type::Decimal { .. } | Type::Array(_) | Type::Uuid => Some(16),
        of @ (Type::Integer(_) | Type::Date | Type::DateTime { .. }) => width(of),
        of @ Type::Float(Float::Single | Float::Double) => width(of),
        _ => None,
    }
}

/// Bytes of an integer that is not a wide one.
fn short_width(of: &Type) -> Option<usize> {
    if let Type::Integer(Integer { width: width @ 1..=8, .. }) = of { Some(*width) } else { None }
}

fn is_short(of: Option<&Type>) -> bool {
    of.and_then(short_width).is_some()
}

/// Bytes of a value of which there are quantiles.
fn number_width(of: &Type) -> Option<usize> {
    let is_number = matches!(
        of,
        Type::Integer(_)
            | Type::Float(Float::Single | Float::Double)
            | Type::Decimal { .. }
            | Type::Date
            | Type::DateTime { .. }
    );
    is_number.then(|| width(of)).flatten()
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
    Some(State::Optional(Box::new(value(of)?)))
}

/// A value of an array: some types have forms of their own, others are serialised one by one.
fn element(of: &Type) -> Option<State> {
    match bare(of) {
        of @ (Type::Bool
        | Type::Integer(_)
        | Type::Float(Float::Single | Float::Double)
        | Type::Enum { .. }
        | Type::Date
        | Type::DateTime { .. }
        | Type::Ipv4) => width(of).map(State::Bytes),
        Type::String
        | Type::FixedString(_)
        | Type::Uuid
        | Type::Decimal { .. }
        | Type::Date32
        | Type::DateTime64 { .. }
        | Type::Array(_)
        | Type::Tuple(_) => Some(State::String),
        _ => None,
    }
}

/// A value in binary form. One that takes no byte could be counted without end, and is none.
fn value(of: &Type) -> Option<State> {
    Some(match of {
        Type::String => State::String,
        Type::Nullable(inner) => State::Unless(Box::new(value(inner)?)),
        Type::LowCardinality(inner) => value(inner)?,
        Type::Array(inner) => State::Counted(Box::new(value(inner)?)),
        Type::Tuple(elements) if !elements.is_empty() => {
            State::Sequence(elements.iter().map(|element| value(&element.of)).collect::<Option<_>>()?)
        }
        Type::Map(key, inner) => State::Counted(Box::new(State::Sequence(vec![value(key)?, value(inner)?]))),
        of => State::Bytes(width(of).filter(|width| *width > 0)?),
    })
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
            ("AggregateFunction(uniqCombined, UInt8)", b"\x01\x02abcdefgh"),
            ("AggregateFunction(uniq, Nullable(UInt8))", b"\x01\0\x01abcd"),
            ("AggregateFunction(max, Array(UInt8))", b"\x01\x02ab"),
            ("AggregateFunction(max, Array(UInt8))", b"\0"),
            ("AggregateFunction(max, Array(Nullable(String)))", b"\x01\x02\x01\0\x01a"),
            ("AggregateFunction(quantile(0.5), UInt8)", b"\x02\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x01gab"),
            ("AggregateFunction(quantileTiming, UInt8)", b"\x01\x02\0abcd"),
            ("AggregateFunction(quantileTiming, UInt8)", b"\x02\x01\0\0\0\0\0\0\0ab"),
            ("AggregateFunction(sumOrNull, UInt8)", b"12345678\x01"),
            ("AggregateFunction(sumArrayIf, Array(UInt8), UInt8)", b"12345678"),
            ("AggregateFunction(1, sumMap, Array(UInt8), Array(UInt8))", b"\x01k12345678"),
            ("AggregateFunction(boundingRatio, UInt8, UInt8)", b"\x01"),
            ("AggregateFunction(topK(3), String)", b"\x01\x01a\x02\0\x01\0"),
            ("AggregateFunction(groupBitmap, UInt16)", b"\x01\x03abc"),
            ("AggregateFunction(groupBitmap, UInt16)", b"\0\x01ab"),
        ];
        for (text, bytes) in table {
            let longer = [bytes, b"rest".as_slice()].concat();
            let taken =
                state(text).expect("a known state").take(&mut Reader::whole(&longer)).map(<[u8]>::to_vec);
            assert_eq!(taken, Ok(bytes.to_vec()), "{text}");
        }
    }

    #[test]
    fn counts_beyond_what_is_there_are_no_states() {
        for (text, bytes) in [
            ("AggregateFunction(quantile, UInt64)", [&[0xff; 16][..], b"\0"].concat()),
            ("AggregateFunction(quantileTiming, UInt8)", [&[2][..], &[0xff; 8]].concat()),
            ("AggregateFunction(groupArray, UInt8)", [&[0xff; 9][..], &[1]].concat()),
            ("AggregateFunction(uniqCombined, UInt8)", b"\x04".to_vec()),
        ] {
            assert!(state(text).expect("a known state").take(&mut Reader::whole(&bytes)).is_err(), "{text}");
        }
    }

    #[test]
    fn what_was_not_measured_is_refused() {
        for text in [
            "AggregateFunction(uniqCombined(12), UInt64)",
            "AggregateFunction(uniqCombined, String)",
            "AggregateFunction(uniqTheta, UInt64)",
            "AggregateFunction(max, Array(Tuple()))",
            "AggregateFunction(max, Dynamic)",
            "AggregateFunction(sumIf, Nullable(UInt8), Nullable(UInt8))",
            "AggregateFunction(sumMap, Array(UInt8), Array(UInt8))",
            "AggregateFunction(groupConcat(',', 5), String)",
            "AggregateFunction(groupArraySorted(2), String)",
            "AggregateFunction(quantileGK(100, 0.5), UInt64)",
            "AggregateFunction(covarPop, UInt8, Float32)",
            "AggregateFunction(If, UInt8)",
            &format!("AggregateFunction(sum{}, UInt8)", "OrNull".repeat(100_000)),
            "AggregateFunction(ArrayArrayArray, UInt8)",
        ] {
            assert!(matches!(state(text), Err(ColumnError::UndecodableState { .. })), "{text}");
        }
    }
}
