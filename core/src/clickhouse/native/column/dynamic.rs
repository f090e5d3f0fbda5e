//! `Dynamic`: a variant whose members the data itself names, and values that bring their own type.

use super::Column;
use super::buffer::Buffer;
use super::error::ColumnError;
use super::plan::{Plan, Scope};
use super::source::Source;
use super::text::Text;
use super::type_tree::Type;
use super::value::push_tagged_json;
use super::variant::{NULL, Places, Variant, decode_mode};

/// The member that holds values of all types that are not members.
const SHARED: &str = "SharedVariant";

/// How the data of a `Dynamic` column is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dynamic {
    /// Members by number.
    Shared {
        /// All members, the shared one as strings.
        variant: Variant,
        /// Which of them is the shared one.
        shared: usize,
        /// Where values with their own type stand.
        scope: Scope,
    },
    /// Every type is a member.
    Flattened(Vec<Plan>),
}

impl Dynamic {
    /// Reads what stands before the data: a version, the members' types, and what stands before their data.
    pub(super) fn decode(source: &mut Source<'_, '_, '_>, scope: Scope) -> Result<Self, ColumnError> {
        let scope = scope.deeper()?;
        match source.reader.u64()? {
            1 => {
                // How many members there may be.
                source.reader.varuint()?;
                Self::decode_shared(source, scope)
            }
            2 => Self::decode_shared(source, scope),
            3 => {
                let members = decode_names(source, scope)?;
                let plans = members.iter().map(|(_, of)| Plan::decode_inner(source, of, scope));
                Ok(Self::Flattened(plans.collect::<Result<_, _>>()?))
            }
            version => Err(ColumnError::UnknownVersion { what: "Dynamic", version }),
        }
    }

    fn decode_shared(source: &mut Source<'_, '_, '_>, scope: Scope) -> Result<Self, ColumnError> {
        let mut members = decode_names(source, scope)?;
        members.push((SHARED.to_owned(), Type::String));
        members.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
        let shared = members.iter().position(|(name, _)| name == SHARED).unwrap_or_default();
        decode_mode(source)?;
        let plans = members.iter().map(|(_, of)| Plan::decode_inner(source, of, scope));
        let variant = Variant { members: plans.collect::<Result<_, _>>()? };
        Ok(Self::Shared { variant, shared, scope })
    }

    /// Reads the data.
    pub(super) fn read(&self, source: &mut Source<'_, '_, '_>, rows: usize) -> Result<Column, ColumnError> {
        match self {
            Self::Shared { variant, shared, scope } => {
                let mut column = variant.read(source, rows)?;
                if let Column::Variant { columns, .. } = &mut column
                    && let Some(member) = columns.get_mut(*shared)
                    && let Column::Text(values) = member
                {
                    *member = Column::Json(tagged_values(source, values, *scope)?);
                }
                Ok(column)
            }
            Self::Flattened(plans) => read_flattened(source, plans, rows),
        }
    }
}

/// The members' names, which are their types.
fn decode_names(source: &mut Source<'_, '_, '_>, scope: Scope) -> Result<Vec<(String, Type)>, ColumnError> {
    let count = source.few("types of a Dynamic column")?;
    let mut members = Vec::new();
    for _ in 0..count {
        let name = source.name("the name of a type")?;
        let of = Type::parse(&name, scope.depth)?;
        members.push((name, of));
    }
    Ok(members)
}

/// Values that each begin with their type, as JSON.
fn tagged_values(source: &mut Source<'_, '_, '_>, values: &Text, scope: Scope) -> Result<Text, ColumnError> {
    let mut ends = Vec::with_capacity(values.len());
    let mut json = Buffer::default();
    for row in 0..values.len() {
        let before = json.len();
        push_tagged_json(source, values.bytes(row), scope, &mut json)?;
        source.spend(json.len() - before)?;
        ends.push(json.len());
    }
    Ok(Text::of(ends, json))
}

fn read_flattened(
    source: &mut Source<'_, '_, '_>,
    plans: &[Plan],
    rows: usize,
) -> Result<Column, ColumnError> {
    // One more than the last member is null.
    let null = plans.len();
    let width = match null {
        ..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    };
    let numbers = source.indexes(rows, width, null.saturating_add(1))?;
    let null = u32::try_from(null).map_err(|_| ColumnError::IndexBeyond)?;
    let numbers = numbers.into_iter().map(|number| if number == null { NULL } else { number });
    let places = Places::new(source, numbers, plans.len())?;
    let mut columns = Vec::with_capacity(plans.len());
    for (plan, count) in plans.iter().zip(&places.counts) {
        columns.push(plan.read(source, *count)?);
    }
    Ok(places.column(columns))
}
