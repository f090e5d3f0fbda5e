//! How the data of a column is read: its type, its form, and what stood before the data.

use super::Column;
use super::buffer::Buffer;
use super::dynamic::Dynamic;
use super::error::ColumnError;
use super::form::{Form, Forms};
use super::json_text::push_json_string;
use super::object::Object;
use super::qbit::Planes;
use super::scalar::Scalar;
use super::source::Source;
use super::state::State;
use super::text::Text;
use super::type_tree::{Float, Type};
use super::variant::{Variant, member_scopes};

/// Reads the data of a column, for a number of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Values of a fixed number of bytes.
    Fixed(Scalar),
    /// Strings behind their lengths.
    Strings,
    /// The ends of strings, then their bytes.
    StringsWithOffsets,
    /// A filler byte for each row.
    Nothing,
    /// A byte for each row that says whether it is null, then the values.
    Nullable(Box<Plan>),
    /// The values that occur, and which of them a row has.
    LowCardinality {
        /// Whether the first key is null.
        nullable: bool,
        /// The keys.
        keys: Box<Plan>,
    },
    /// Where each array ends, then the elements.
    Array(Box<Plan>),
    /// One element after another; names as in [`Column::Tuple`].
    Tuple(Option<Vec<String>>, Vec<Plan>),
    /// Where each map ends, then keys, then values.
    Map(Box<Plan>, Box<Plan>),
    /// Members by number.
    Variant(Variant),
    /// Members by number, and values that bring their type along.
    Dynamic(Dynamic),
    /// Paths, each a column.
    Object(Object),
    /// Planes of bits.
    QBit(Float, usize, bool),
    /// States of an aggregate function.
    State(State),
    /// Where values stand that are not the default, then these.
    Sparse(Box<Plan>),
    /// Which value a row has, then the values.
    Replicated(Box<Plan>),
}

/// Where in a type a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// How much deeper types and values may nest.
    pub(super) depth: usize,
    /// Whether the HTTP decoder could not see the type here.
    pub(super) untyped: bool,
}

impl Scope {
    /// The whole column.
    pub(crate) fn column(depth: usize) -> Self {
        Self { depth, untyped: false }
    }

    /// Where `Dynamic` and `JSON` hold values of any type.
    pub(super) fn untyped(self) -> Self {
        Self { untyped: true, ..self }
    }

    pub(super) fn deeper(self) -> Result<Self, ColumnError> {
        let depth = self.depth.checked_sub(1).ok_or(ColumnError::TooDeep)?;
        Ok(Self { depth, ..self })
    }
}

type Planned = Result<Plan, ColumnError>;
type Decoded = Result<Column, ColumnError>;

impl Plan {
    /// Reads what stands before the data of a column with this type and these forms.
    pub(crate) fn decode(source: &mut Source<'_, '_, '_>, of: &Type, forms: &Forms, scope: Scope) -> Planned {
        let mut plan = Self::decode_whole(source, of, forms, scope)?;
        for form in &forms.own {
            plan = match form {
                Form::Sparse => Self::Sparse(Box::new(plan)),
                Form::Replicated => Self::Replicated(Box::new(plan)),
            };
        }
        Ok(plan)
    }

    /// The same for what always comes whole: everything within a column but elements of tuples.
    pub(super) fn decode_inner(source: &mut Source<'_, '_, '_>, of: &Type, scope: Scope) -> Planned {
        Self::decode_whole(source, of, &Forms::default(), scope)
    }

    fn decode_whole(source: &mut Source<'_, '_, '_>, of: &Type, forms: &Forms, scope: Scope) -> Planned {
        let scope = scope.deeper()?;
        Ok(match of {
            Type::String if source.has_offset_strings() => Self::StringsWithOffsets,
            Type::String => Self::Strings,
            Type::Nothing => Self::Nothing,
            Type::Nullable(inner) => Self::Nullable(inner_plan(source, inner, scope)?),
            Type::Array(inner) => Self::Array(inner_plan(source, inner, scope)?),
            Type::Map(key, value) => {
                Self::Map(inner_plan(source, key, scope)?, inner_plan(source, value, scope)?)
            }
            Type::LowCardinality(inner) => decode_low_cardinality(source, inner, scope)?,
            Type::Tuple(elements) => {
                let whole = Forms::default();
                let mut plans = Vec::with_capacity(elements.len());
                for (index, element) in elements.iter().enumerate() {
                    let forms = forms.elements.get(index).unwrap_or(&whole);
                    plans.push(Self::decode(source, &element.of, forms, scope)?);
                }
                Self::Tuple(json_names(of), plans)
            }
            Type::Variant(members) => {
                let scopes = member_scopes(members, scope);
                Self::Variant(Variant::decode(source, members, scopes)?)
            }
            Type::Geometry(members) => {
                Self::Variant(Variant::decode(source, members, members.iter().map(|_| scope))?)
            }
            Type::Dynamic => Self::Dynamic(Dynamic::decode(source, scope.untyped())?),
            Type::Json { typed } => Self::Object(Object::decode(source, typed, scope.untyped())?),
            Type::QBit { element, dimension } => Self::QBit(*element, *dimension, scope.untyped),
            Type::Aggregate(aggregate) => Self::State(State::parse(aggregate)?),
            Type::Bool
            | Type::Integer(_)
            | Type::Float(_)
            | Type::Decimal { .. }
            | Type::Date
            | Type::Date32
            | Type::DateTime { .. }
            | Type::DateTime64 { .. }
            | Type::Time
            | Type::Time64 { .. }
            | Type::Interval
            | Type::Enum { .. }
            | Type::Uuid
            | Type::Ipv4
            | Type::Ipv6
            | Type::FixedString(_) => Self::Fixed(Scalar::of(of, scope.untyped, source)?),
        })
    }

    /// Reads the data of this many rows.
    pub(crate) fn read(&self, source: &mut Source<'_, '_, '_>, rows: usize) -> Decoded {
        if rows == 0 {
            return Ok(Column::Empty);
        }
        Ok(match self {
            Self::Fixed(scalar) => {
                let data = source.take(rows, scalar.width())?.to_vec();
                Column::Fixed(scalar.clone(), data)
            }
            Self::Strings => Column::Text(Text::decode(source, rows)?),
            Self::StringsWithOffsets => Column::Text(Text::decode_with_offsets(source, rows)?),
            Self::Nothing => {
                source.take(rows, 1)?;
                Column::Nothing
            }
            Self::Nullable(inner) => {
                let nulls = source.take(rows, 1)?.to_vec();
                Column::Nullable(nulls, Box::new(inner.read(source, rows)?))
            }
            Self::LowCardinality { nullable, keys } => read_low_cardinality(source, *nullable, keys, rows)?,
            Self::Array(inner) => {
                let ends = source.ends(rows)?;
                let elements = inner.read_elements(source, &ends)?;
                Column::Array(ends, Box::new(elements))
            }
            Self::Tuple(names, plans) => {
                if plans.is_empty() {
                    source.take(rows, 1)?;
                }
                let elements = plans.iter().map(|plan| plan.read(source, rows)).collect::<Result<_, _>>()?;
                Column::Tuple(names.clone(), elements)
            }
            Self::Map(keys, values) => {
                let ends = source.ends(rows)?;
                let keys = keys.read_elements(source, &ends)?;
                let values = values.read_elements(source, &ends)?;
                Column::Map(ends, Box::new(keys), Box::new(values))
            }
            Self::Variant(variant) => variant.read(source, rows)?,
            Self::Dynamic(dynamic) => dynamic.read(source, rows)?,
            Self::Object(object) => object.read(source, rows)?,
            Self::QBit(element, dimension, untyped) => {
                Column::Planes(Planes::decode(source, rows, *element, *dimension, *untyped)?)
            }
            Self::State(state) => Column::Text(state.read(source, rows)?),
            Self::Sparse(inner) => read_sparse(source, inner, rows)?,
            Self::Replicated(inner) => read_replicated(source, inner, rows)?,
        })
    }

    fn read_elements(&self, source: &mut Source<'_, '_, '_>, ends: &[usize]) -> Decoded {
        let count = ends.last().copied().unwrap_or(0);
        // An element may take no byte, but never no thought.
        source.spend(count)?;
        self.read(source, count)
    }
}

fn inner_plan(source: &mut Source<'_, '_, '_>, of: &Type, scope: Scope) -> Result<Box<Plan>, ColumnError> {
    Plan::decode_inner(source, of, scope).map(Box::new)
}

impl Scalar {
    /// The scalar that a type is; the types that are none have been dealt with.
    pub(super) fn of(of: &Type, untyped: bool, source: &mut Source<'_, '_, '_>) -> Result<Self, ColumnError> {
        Ok(match of {
            Type::Bool => Self::Bool,
            Type::Integer(integer) => Self::Integer(*integer),
            Type::Float(float) => Self::Float { float: *float, untyped },
            Type::Decimal { width, scale } => Self::Decimal(*width, *scale),
            Type::Date => Self::Date,
            Type::Date32 => Self::Date32,
            Type::DateTime { zone } => Self::DateTime(source.zone(zone.as_deref())?),
            Type::DateTime64 { scale, zone } => Self::DateTime64(*scale, source.zone(zone.as_deref())?),
            Type::Time => Self::Time,
            Type::Time64 { scale } => Self::Time64(*scale),
            Type::Interval => Self::Interval,
            Type::Enum { width, names } => Self::Enum(*width, names.clone()),
            Type::Uuid => Self::Uuid,
            Type::Ipv4 => Self::Ipv4,
            Type::Ipv6 => Self::Ipv6,
            Type::FixedString(width) => Self::FixedString(*width),
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
            | Type::Aggregate(_) => return Err(super::TypeError::unknown("a type of varying length").into()),
        })
    }
}

/// The names of a tuple's elements as they stand in JSON, colon included, if it has names.
pub(super) fn json_names(of: &Type) -> Option<Vec<String>> {
    let Type::Tuple(elements) = of else { return None };
    if elements.is_empty() {
        return None;
    }
    let name = |name: &String| {
        let mut text = Buffer::default();
        push_json_string(name, &mut text);
        text.push(b':');
        text.into_text()
    };
    elements.iter().map(|element| element.name.as_ref().map(name)).collect()
}

/// The one version of dictionaries that there is.
fn decode_low_cardinality(source: &mut Source<'_, '_, '_>, inner: &Type, scope: Scope) -> Planned {
    match source.reader.u64()? {
        1 => {}
        version => return Err(ColumnError::UnknownVersion { what: "LowCardinality", version }),
    }
    let (nullable, key) = if let Type::Nullable(key) = inner { (true, &**key) } else { (false, inner) };
    let keys = if let Type::String = key {
        // Keys are strings behind their lengths in every revision.
        Plan::Strings
    } else {
        Plan::Fixed(Scalar::of(key, scope.untyped, source)?)
    };
    Ok(Plan::LowCardinality { nullable, keys: Box::new(keys) })
}

fn read_low_cardinality(
    source: &mut Source<'_, '_, '_>,
    nullable: bool,
    keys: &Plan,
    rows: usize,
) -> Decoded {
    const NEEDS_GLOBAL_DICTIONARY: u64 = 1 << 8;
    const HAS_KEYS: u64 = 1 << 9;
    let flags = source.reader.u64()?;
    if flags & NEEDS_GLOBAL_DICTIONARY != 0 || flags & HAS_KEYS == 0 {
        return Err(ColumnError::NoDictionary);
    }
    let width = Source::index_width(flags & 0xff)?;
    let count = usize::try_from(source.reader.u64()?).map_err(|_| ColumnError::IndexBeyond)?;
    let values = keys.read(source, count)?;
    Source::same_rows(source.reader.u64()?, rows)?;
    let indexes = source.indexes(rows, width, count)?;
    Ok(Column::Indexed { indexes, null: nullable.then_some(0), values: Box::new(values) })
}

/// Counts of defaults before each value; the last, which bit 62 marks, is what follows the last value.
fn read_sparse(source: &mut Source<'_, '_, '_>, inner: &Plan, rows: usize) -> Decoded {
    const LAST: u64 = 1 << 62;
    source.spend(rows.saturating_mul(size_of::<u32>()))?;
    let mut places = Vec::new();
    let mut at = 0_usize;
    loop {
        let group = source.reader.varuint()?;
        let defaults = usize::try_from(group & !LAST).map_err(|_| ColumnError::TooManyValues)?;
        at = at.saturating_add(defaults);
        if group & LAST != 0 {
            break;
        }
        if at >= rows {
            return Err(ColumnError::TooManyValues);
        }
        source.spend(size_of::<usize>())?;
        places.push(at);
        at += 1;
    }
    Source::same_rows(u64::try_from(at).unwrap_or(u64::MAX), rows)?;
    let default = u32::try_from(places.len()).map_err(|_| ColumnError::IndexBeyond)?;
    let mut indexes = vec![default; rows];
    for (index, place) in (0..).zip(&places) {
        if let Some(slot) = indexes.get_mut(*place) {
            *slot = index;
        }
    }
    let (null, values) = if let Plan::Nullable(inner) = inner {
        // Null is the default, so no value is null.
        (Some(default), inner.read(source, places.len())?)
    } else {
        (None, with_default(inner.read(source, places.len())?, inner)?)
    };
    Ok(Column::Indexed { indexes, null, values: Box::new(values) })
}

/// A column with the default of its type behind its last row.
fn with_default(column: Column, plan: &Plan) -> Decoded {
    match (column, plan) {
        (Column::Empty, Plan::Fixed(scalar)) => Ok(Column::Fixed(scalar.clone(), vec![0; scalar.width()])),
        (Column::Empty, Plan::Strings | Plan::StringsWithOffsets) => {
            Ok(Column::Text(Text::new(vec![0], Vec::new())))
        }
        (Column::Fixed(scalar, mut data), _) => {
            data.resize(data.len().saturating_add(scalar.width()), 0);
            Ok(Column::Fixed(scalar, data))
        }
        (Column::Text(mut text), Plan::Strings | Plan::StringsWithOffsets) => {
            text.push_empty();
            Ok(Column::Text(text))
        }
        _ => Err(ColumnError::NotSparse),
    }
}

fn read_replicated(source: &mut Source<'_, '_, '_>, inner: &Plan, rows: usize) -> Decoded {
    let found = source.reader.varuint()?;
    Source::same_rows(found, rows)?;
    let width = usize::from(source.reader.u8()?);
    if !matches!(width, 1 | 2 | 4 | 8) {
        return Err(ColumnError::IndexWidth { width: u64::try_from(width).unwrap_or(u64::MAX) });
    }
    let indexes = source.indexes(rows, width, usize::MAX)?;
    let count = source.count("distinct values")?;
    if indexes.iter().any(|index| usize::try_from(*index).map_or(true, |index| index >= count)) {
        return Err(ColumnError::IndexBeyond);
    }
    source.spend(count)?;
    let values = inner.read(source, count)?;
    Ok(Column::Indexed { indexes, null: None, values: Box::new(values) })
}
