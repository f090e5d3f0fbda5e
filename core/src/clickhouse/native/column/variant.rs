//! `Variant`: of each row the number of a member, then each member's values.

use super::Column;
use super::error::ColumnError;
use super::plan::{Plan, Scope};
use super::source::Source;
use super::type_tree::Type;

/// The number of a member that stands for null.
pub(super) const NULL: u32 = u32::MAX;

/// How a row says that it is null on the wire.
const WIRE_NULL: u8 = 255;

/// The members of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(super) members: Vec<Plan>,
}

impl Variant {
    /// Reads what stands before the data: the mode, then what stands before each member's data.
    pub(super) fn decode(
        source: &mut Source<'_, '_, '_>,
        members: &[Type],
        scopes: impl IntoIterator<Item = Scope>,
    ) -> Result<Self, ColumnError> {
        decode_mode(source)?;
        let members = members.iter().zip(scopes).map(|(of, scope)| Plan::decode_inner(source, of, scope));
        Ok(Self { members: members.collect::<Result<_, _>>()? })
    }

    /// Reads the data.
    pub(super) fn read(&self, source: &mut Source<'_, '_, '_>, rows: usize) -> Result<Column, ColumnError> {
        let discriminators = source.take(rows, 1)?;
        let numbers = discriminators.iter().map(|byte| match *byte {
            WIRE_NULL => NULL,
            number => u32::from(number),
        });
        let places = Places::new(source, numbers, self.members.len())?;
        let mut columns = Vec::with_capacity(self.members.len());
        for (plan, count) in self.members.iter().zip(&places.counts) {
            columns.push(plan.read(source, *count)?);
        }
        Ok(places.column(columns))
    }
}

/// The one mode that is sent; the other is for files.
pub(super) fn decode_mode(source: &mut Source<'_, '_, '_>) -> Result<(), ColumnError> {
    match source.reader.u64()? {
        0 => Ok(()),
        version => Err(ColumnError::UnknownVersion { what: "Variant", version }),
    }
}

/// Where the values of the rows stand.
pub(super) struct Places {
    members: Vec<u32>,
    rows: Vec<u32>,
    /// How many values each member has.
    pub(super) counts: Vec<usize>,
}

impl Places {
    /// Counts the members' values.
    pub(super) fn new(
        source: &mut Source<'_, '_, '_>,
        numbers: impl ExactSizeIterator<Item = u32>,
        members: usize,
    ) -> Result<Self, ColumnError> {
        source.spend(numbers.len().saturating_mul(2 * size_of::<u32>()))?;
        let mut counts = vec![0_u32; members];
        let mut places = Self {
            members: Vec::with_capacity(numbers.len()),
            rows: Vec::with_capacity(numbers.len()),
            counts: Vec::new(),
        };
        for number in numbers {
            places.members.push(number);
            if number == NULL {
                places.rows.push(0);
                continue;
            }
            let count = usize::try_from(number).ok().and_then(|number| counts.get_mut(number));
            let count = count.ok_or(ColumnError::IndexBeyond)?;
            places.rows.push(*count);
            *count = count.checked_add(1).ok_or(ColumnError::IndexBeyond)?;
        }
        places.counts = counts.into_iter().map(|count| usize::try_from(count).unwrap_or_default()).collect();
        Ok(places)
    }

    /// The column with these members.
    pub(super) fn column(self, columns: Vec<Column>) -> Column {
        Column::Variant { members: self.members, rows: self.rows, columns }
    }
}

/// The member and the row within it that hold a row's value; `None` for null.
pub(super) fn value<'c>(
    members: &[u32],
    rows: &[u32],
    columns: &'c [Column],
    row: usize,
) -> Option<(&'c Column, usize)> {
    let column = columns.get(usize::try_from(*members.get(row)?).ok()?)?;
    Some((column, usize::try_from(*rows.get(row)?).ok()?))
}

/// What the HTTP decoder sees of the types of a variant's members: of a number nothing, because it might be of any
/// member; of an array or an object the type, if only one member can be written so.
pub(super) fn member_scopes(members: &[Type], scope: Scope) -> Vec<Scope> {
    let arrays = members.iter().filter(|member| may_be_array(member)).count();
    let objects = members.iter().filter(|member| may_be_object(member)).count();
    let is_seen = |member: &Type| {
        if is_object(unwrapped(member)) { objects == 1 } else { may_be_array(member) && arrays == 1 }
    };
    members.iter().map(|member| Scope { untyped: scope.untyped || !is_seen(member), ..scope }).collect()
}

fn is_object(member: &Type) -> bool {
    if let Type::Tuple(elements) = member {
        return elements.iter().any(|element| element.name.is_some());
    }
    matches!(member, Type::Map(..))
}

fn may_be_array(member: &Type) -> bool {
    matches!(
        unwrapped(member),
        Type::Array(_)
            | Type::Tuple(_)
            | Type::QBit { .. }
            | Type::Variant(_)
            | Type::Geometry(_)
            | Type::Dynamic
            | Type::Json { .. }
    )
}

fn may_be_object(member: &Type) -> bool {
    matches!(
        unwrapped(member),
        Type::Map(..) | Type::Tuple(_) | Type::Variant(_) | Type::Dynamic | Type::Json { .. }
    )
}

fn unwrapped(member: &Type) -> &Type {
    let mut member = member;
    while let Type::Nullable(inner) | Type::LowCardinality(inner) = member {
        member = inner;
    }
    member
}
