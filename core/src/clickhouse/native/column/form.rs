//! The form in which a column comes: whole, without its defaults, or by reference to its distinct values.

use super::error::ColumnError;
use super::source::Source;
use super::type_tree::Type;

/// The forms of a column and, for a tuple, of its elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forms {
    /// From the innermost to the outermost; empty when the column comes whole.
    pub(super) own: Vec<Form>,
    /// Of a tuple's elements, or empty when they come whole.
    pub(super) elements: Vec<Forms>,
}

/// A form of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Only values that differ from the default, and where they stand.
    Sparse,
    /// Each value that occurs, and which of them a row has.
    Replicated,
}

/// More forms than this on one column have no meaning.
const MOST: usize = 8;

impl Forms {
    /// Reads the forms of a column of this type.
    pub(crate) fn decode(source: &mut Source<'_, '_, '_>, of: &Type) -> Result<Self, ColumnError> {
        let own = match source.reader.u8()? {
            0 => Vec::new(),
            1 => vec![Form::Sparse],
            2 | 3 => return Err(ColumnError::Detached),
            4 => vec![Form::Replicated],
            5 => decode_combination(source)?,
            kind => return Err(ColumnError::UnknownForm { kind }),
        };
        let mut forms = Self { own, elements: Vec::new() };
        if let Type::Tuple(elements) = of {
            for element in elements {
                forms.elements.push(Self::decode(source, &element.of)?);
            }
        }
        Ok(forms)
    }
}

/// Several forms, which here have other numbers than alone.
fn decode_combination(source: &mut Source<'_, '_, '_>) -> Result<Vec<Form>, ColumnError> {
    let count = source.reader.count("forms of a column", MOST)?;
    let mut forms = Vec::with_capacity(count);
    for _ in 0..count {
        match source.reader.u8()? {
            0 => {}
            1 => forms.push(Form::Sparse),
            2 => return Err(ColumnError::Detached),
            3 => forms.push(Form::Replicated),
            kind => return Err(ColumnError::UnknownForm { kind }),
        }
    }
    Ok(forms)
}
