//! A value of a column as JSON, or as the text that a key of a map is.

use super::Column;
use super::buffer::Buffer;
use super::json_text::{push_json_string, push_quoted};
use super::text::range;
use super::variant;

/// Text that grows up to a bound. Rows can be far longer than the bytes they came in, because one long string can
/// stand for many rows and elements; past the bound nothing more is appended than the value at hand.
pub(crate) struct Output<'t> {
    pub(super) text: &'t mut Buffer,
    longest: usize,
}

impl<'t> Output<'t> {
    /// Appends to `text` until it has more than `longest` bytes.
    pub(crate) fn new(text: &'t mut Buffer, longest: usize) -> Self {
        Self { text, longest }
    }

    /// Appends a bracket or a comma.
    pub(crate) fn open(&mut self, mark: u8) {
        self.text.push(mark);
    }

    /// Whether there is more text than there may be; it is not whole then.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.text.len() > self.longest
    }
}

impl Column {
    /// Appends the value of a row as JSON.
    pub(crate) fn push_json(&self, row: usize, out: &mut Output<'_>) {
        match self {
            Self::Fixed(scalar, data) => scalar.push_json(fixed(data, scalar.width(), row), out.text),
            Self::Text(text) => text.push_json(row, out.text),
            Self::Json(text) => out.text.push_str(&text.text(row)),
            Self::Empty | Self::Nothing => out.text.push_str("null"),
            Self::Nullable(nulls, values) => match nulls.get(row) {
                Some(0) => values.push_json(row, out),
                _ => out.text.push_str("null"),
            },
            Self::Array(ends, elements) => {
                out.text.push(b'[');
                for (index, row) in range(ends, row).enumerate() {
                    if index > 0 {
                        out.text.push(b',');
                    }
                    elements.push_json(row, out);
                    if out.is_full() {
                        return;
                    }
                }
                out.text.push(b']');
            }
            Self::Tuple(names, elements) => push_tuple(names.as_deref(), elements, row, out),
            Self::Map(ends, keys, values) => {
                out.text.push(b'{');
                for (index, row) in range(ends, row).enumerate() {
                    if index > 0 {
                        out.text.push(b',');
                    }
                    keys.push_key(row, out);
                    out.text.push(b':');
                    values.push_json(row, out);
                    if out.is_full() {
                        return;
                    }
                }
                out.text.push(b'}');
            }
            Self::Indexed { indexes, null, values } => match pointed_to(indexes, *null, row) {
                Some(row) => values.push_json(row, out),
                None => out.text.push_str("null"),
            },
            Self::Variant { members, rows, columns } => match variant::value(members, rows, columns, row) {
                Some((column, row)) => column.push_json(row, out),
                None => out.text.push_str("null"),
            },
            Self::Objects(objects) => objects.push_json(row, out),
            Self::Planes(planes) => planes.push_json(row, out),
        }
    }

    /// Bytes that the value of one of so many rows may well take as JSON.
    pub(crate) fn usual_length(&self, rows: usize) -> usize {
        let each = |elements: &Self, ends: &[usize]| {
            let count = ends.last().copied().unwrap_or(0);
            elements.usual_length(count).saturating_add(1).saturating_mul(count.div_ceil(rows.max(1)))
        };
        match self {
            Self::Empty | Self::Nothing => 4,
            Self::Fixed(scalar, _) => scalar.usual_length(),
            Self::Text(text) | Self::Json(text) => text.usual_length().saturating_add(4),
            Self::Nullable(_, values) => values.usual_length(rows),
            Self::Array(ends, elements) => each(elements, ends).saturating_add(2),
            Self::Tuple(names, elements) => {
                let names = names.iter().flatten().map(String::len);
                let elements = elements.iter().map(|element| element.usual_length(rows).saturating_add(1));
                names.chain(elements).fold(2, usize::saturating_add)
            }
            Self::Map(ends, keys, values) => {
                each(keys, ends).saturating_add(each(values, ends)).saturating_add(2)
            }
            Self::Indexed { values, .. } => values.usual_length(rows),
            Self::Variant { columns, .. } => {
                columns.iter().map(|column| column.usual_length(rows)).max().unwrap_or(4)
            }
            Self::Objects(_) => 64,
            Self::Planes(planes) => planes.usual_length(),
        }
    }

    /// Whether a row is null, as far as the row itself says.
    pub(super) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Nothing | Self::Empty => true,
            Self::Nullable(nulls, _) => nulls.get(row) != Some(&0),
            Self::Indexed { indexes, null, values } => {
                pointed_to(indexes, *null, row).is_none_or(|row| values.is_null(row))
            }
            Self::Variant { members, rows, columns } => variant::value(members, rows, columns, row).is_none(),
            Self::Fixed(..)
            | Self::Text(_)
            | Self::Json(_)
            | Self::Array(..)
            | Self::Tuple(..)
            | Self::Map(..)
            | Self::Objects(_)
            | Self::Planes(_) => false,
        }
    }

    /// Appends the value of a row as the key of an object.
    pub(super) fn push_key(&self, row: usize, out: &mut Output<'_>) {
        if let Self::Text(text) = self {
            return text.push_json(row, out.text);
        }
        let mut key = Buffer::default();
        self.push_text(row, &mut Output::new(&mut key, out.longest));
        push_json_string(&key.into_text(), out.text);
    }

    /// Appends the value of a row as text that stands alone.
    fn push_text(&self, row: usize, out: &mut Output<'_>) {
        match self {
            Self::Fixed(scalar, data) => scalar.push_text(fixed(data, scalar.width(), row), out.text),
            Self::Text(text) => out.text.push_str(&text.text(row)),
            Self::Nullable(..) | Self::Indexed { .. } | Self::Variant { .. } => match self.resolved(row) {
                Some((column, row)) => column.push_text(row, out),
                None => out.text.push_str("ᴺᵁᴸᴸ"),
            },
            Self::Array(..)
            | Self::Tuple(..)
            | Self::Map(..)
            | Self::Planes(_)
            | Self::Objects(_)
            | Self::Json(_)
            | Self::Nothing
            | Self::Empty => self.push_inner_text(row, out),
        }
    }

    /// Appends the value of a row as text within other text: strings have quotes there.
    fn push_inner_text(&self, row: usize, out: &mut Output<'_>) {
        match self {
            Self::Fixed(scalar, data) => scalar.push_inner_text(fixed(data, scalar.width(), row), out.text),
            Self::Text(text) => push_quoted(&text.text(row), out.text),
            Self::Nothing | Self::Empty => out.text.push_str("NULL"),
            Self::Nullable(..) | Self::Indexed { .. } | Self::Variant { .. } => match self.resolved(row) {
                Some((column, row)) => column.push_inner_text(row, out),
                None => out.text.push_str("NULL"),
            },
            Self::Array(ends, elements) => {
                push_list(b'[', range(ends, row), b']', out, |row, out| elements.push_inner_text(row, out));
            }
            Self::Tuple(_, elements) => {
                push_list(b'(', elements, b')', out, |element, out| element.push_inner_text(row, out));
            }
            Self::Map(ends, keys, values) => push_list(b'{', range(ends, row), b'}', out, |row, out| {
                keys.push_inner_text(row, out);
                out.text.push(b':');
                values.push_inner_text(row, out);
            }),
            Self::Objects(_) | Self::Planes(_) | Self::Json(_) => self.push_json(row, out),
        }
    }

    /// The column and row that a row of a wrapping column stands for; `None` for null.
    fn resolved(&self, row: usize) -> Option<(&Self, usize)> {
        match self {
            Self::Nullable(nulls, values) => (nulls.get(row) == Some(&0)).then_some((&**values, row)),
            Self::Indexed { indexes, null, values } => {
                pointed_to(indexes, *null, row).map(|row| (&**values, row))
            }
            Self::Variant { members, rows, columns } => variant::value(members, rows, columns, row),
            Self::Empty
            | Self::Fixed(..)
            | Self::Text(_)
            | Self::Json(_)
            | Self::Nothing
            | Self::Array(..)
            | Self::Tuple(..)
            | Self::Map(..)
            | Self::Objects(_)
            | Self::Planes(_) => Some((self, row)),
        }
    }
}

fn push_tuple(names: Option<&[String]>, elements: &[Column], row: usize, out: &mut Output<'_>) {
    let (open, close) = if names.is_some() { (b'{', b'}') } else { (b'[', b']') };
    let names = names.unwrap_or_default();
    out.text.push(open);
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.text.push(b',');
        }
        if let Some(name) = names.get(index) {
            out.text.push_str(name);
        }
        element.push_json(row, out);
        if out.is_full() {
            return;
        }
    }
    out.text.push(close);
}

fn push_list<T>(
    open: u8,
    items: impl IntoIterator<Item = T>,
    close: u8,
    out: &mut Output<'_>,
    push: impl Fn(T, &mut Output<'_>),
) {
    out.text.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.text.push(b',');
        }
        push(item, out);
        if out.is_full() {
            return;
        }
    }
    out.text.push(close);
}

#[inline]
fn fixed(data: &[u8], width: usize, row: usize) -> &[u8] {
    row.checked_mul(width).and_then(|start| data.get(start..)?.get(..width)).unwrap_or_default()
}

/// The row of a value that a row points to, unless it points to null.
#[inline]
fn pointed_to(indexes: &[u32], null: Option<u32>, row: usize) -> Option<usize> {
    let index = *indexes.get(row)?;
    if Some(index) == null { None } else { usize::try_from(index).ok() }
}
