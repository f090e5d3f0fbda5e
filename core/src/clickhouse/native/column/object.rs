//! `JSON`: a column for each path, and what is left over as pairs of a path and a value.

use std::cmp::Ordering;

use super::Column;
use super::buffer::Buffer;
use super::dynamic::Dynamic;
use super::error::ColumnError;
use super::json_text::push_json_string;
use super::plan::{Plan, Scope};
use super::source::Source;
use super::text::{Text, range};
use super::type_tree::Type;
use super::value::{push_tagged_json, push_untyped_json};
use super::write::Output;

/// How the data of a `JSON` column is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// Paths are columns.
    Paths {
        /// Paths with a type, then paths of any type, each in the order of their data.
        paths: Vec<(String, Path, Plan)>,
        /// Whether pairs of path and value follow, and where those stand.
        shared: Option<Scope>,
    },
    /// Each object is text.
    Text,
}

/// Whether a null is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// The type declares the path, so every object has it.
    Declared,
    /// Null means that an object does not have it.
    Found,
}

impl Object {
    /// Reads what stands before the data: a version, paths, and what stands before their data.
    pub(super) fn decode(
        source: &mut Source<'_, '_, '_>,
        typed: &[(String, Type)],
        scope: Scope,
    ) -> Result<Self, ColumnError> {
        let scope = scope.deeper()?;
        let has_shared = match source.reader.u64()? {
            0 => {
                // How many paths there may be.
                source.reader.varuint()?;
                true
            }
            1 => return Ok(Self::Text),
            2 => true,
            3 => false,
            version => return Err(ColumnError::UnknownVersion { what: "JSON", version }),
        };
        let count = source.few("paths of a JSON column")?;
        let mut found = Vec::new();
        for _ in 0..count {
            found.push(source.name("a path")?);
        }
        let mut paths = Vec::new();
        for (path, of) in typed {
            let scope = within(path, scope)?;
            let plan = Plan::decode_inner(source, of, scope)?;
            paths.push((path.clone(), Path::Declared, plan));
        }
        for path in found {
            let scope = within(&path, scope)?;
            let plan = Plan::Dynamic(Dynamic::decode(source, scope)?);
            paths.push((path, Path::Found, plan));
        }
        Ok(Self::Paths { paths, shared: has_shared.then_some(scope) })
    }

    /// Reads the data.
    pub(super) fn read(&self, source: &mut Source<'_, '_, '_>, rows: usize) -> Result<Column, ColumnError> {
        match self {
            Self::Paths { paths, shared } => {
                let mut fields = Vec::with_capacity(paths.len());
                for (path, kind, plan) in paths {
                    let column = plan.read(source, rows)?;
                    fields.push(Field { path: path.clone(), kind: *kind, column });
                }
                let shared = shared.map(|scope| read_shared(source, rows, scope)).transpose()?;
                Ok(Column::Objects(Objects::new(fields, shared)))
            }
            Self::Text => {
                let texts = Text::decode(source, rows)?;
                let mut ends = Vec::with_capacity(rows);
                let mut json = String::new();
                for row in 0..rows {
                    push_untyped_json(&texts.text(row), &mut json)?;
                    ends.push(json.len());
                }
                Ok(Column::Json(Text::new(ends, json.into_bytes())))
            }
        }
    }
}

/// The scope of a path's value: every dot of the path is an object within an object.
pub(super) fn within(path: &str, scope: Scope) -> Result<Scope, ColumnError> {
    let dots = path.bytes().filter(|byte| *byte == b'.').count();
    let depth = scope.depth.checked_sub(dots).ok_or(ColumnError::TooDeep)?;
    Ok(Scope { depth, ..scope })
}

/// Pairs of a path and a value with its type: a map in the oldest form of strings.
fn read_shared(source: &mut Source<'_, '_, '_>, rows: usize, scope: Scope) -> Result<Shared, ColumnError> {
    let ends = source.ends(rows)?;
    let count = ends.last().copied().unwrap_or(0);
    let paths = Text::decode(source, count)?;
    let values = Text::decode(source, count)?;
    let mut value_ends = Vec::with_capacity(count);
    let mut json = Buffer::default();
    for index in 0..count {
        let scope = within(&paths.text(index), scope)?;
        let before = json.len();
        push_tagged_json(source, values.bytes(index), scope, &mut json)?;
        source.spend(json.len() - before)?;
        value_ends.push(json.len());
    }
    Ok(Shared { ends, paths, values: Text::of(value_ends, json) })
}

/// Objects by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Objects {
    /// Sorted by path.
    fields: Vec<Field>,
    shared: Option<Shared>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    path: String,
    kind: Path,
    column: Column,
}

/// Paths that are no column; each row's are sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shared {
    ends: Vec<usize>,
    paths: Text,
    /// JSON.
    values: Text,
}

impl Objects {
    fn new(mut fields: Vec<Field>, shared: Option<Shared>) -> Self {
        fields.sort_by(|one, other| one.path.as_bytes().cmp(other.path.as_bytes()));
        Self { fields, shared }
    }

    /// Appends a row as an object, paths in their order and each dot an object within.
    pub(super) fn push_json(&self, row: usize, out: &mut Output<'_>) {
        let mut nest = Nest::open(out);
        let has_value = |field: &&Field| field.kind == Path::Declared || !field.column.is_null(row);
        let mut fields = self.fields.iter().filter(has_value).peekable();
        let shared_rows = self.shared.as_ref().map_or(0..0, |shared| range(&shared.ends, row));
        let mut shared_rows = shared_rows.peekable();
        while !nest.out.is_full() {
            let field_is_next = match (fields.peek(), shared_rows.peek(), &self.shared) {
                (Some(field), Some(index), Some(shared)) => {
                    field.path.as_bytes().cmp(shared.paths.bytes(*index)) != Ordering::Greater
                }
                (field, _, _) => field.is_some(),
            };
            if field_is_next {
                let Some(field) = fields.next() else { break };
                nest.name(&field.path);
                field.column.push_json(row, nest.out);
            } else {
                let (Some(index), Some(shared)) = (shared_rows.next(), &self.shared) else { break };
                nest.name(&shared.paths.text(index));
                nest.out.text.push_str(&shared.values.text(index));
            }
        }
        nest.close();
    }
}

/// An object that is being written from sorted paths.
pub(super) struct Nest<'o, 't> {
    pub(super) out: &'o mut Output<'t>,
    /// Names of the objects within that are open.
    open: Vec<String>,
    /// Whether the innermost object has no member yet.
    is_empty: bool,
}

impl<'o, 't> Nest<'o, 't> {
    /// Opens the object.
    pub(super) fn open(out: &'o mut Output<'t>) -> Self {
        out.text.push(b'{');
        Self { out, open: Vec::new(), is_empty: true }
    }

    /// Goes to a path; its value comes next. A name may occur twice, with a value and with an object.
    pub(super) fn name(&mut self, path: &str) {
        let (within, name) =
            path.rsplit_once('.').map_or((None, path), |(within, name)| (Some(within), name));
        let names = || within.into_iter().flat_map(|within| within.split('.'));
        let same = self.open.iter().zip(names()).take_while(|(open, name)| open == name).count();
        while self.open.len() > same {
            self.open.pop();
            self.out.text.push(b'}');
            self.is_empty = false;
        }
        for name in names().skip(same) {
            self.member(name);
            self.out.text.push(b'{');
            self.open.push(name.to_owned());
            self.is_empty = true;
        }
        self.member(name);
    }

    /// Closes the object and those within.
    pub(super) fn close(self) {
        self.out.text.repeat(b'}', self.open.len() + 1);
    }

    fn member(&mut self, name: &str) {
        if !self.is_empty {
            self.out.text.push(b',');
        }
        self.is_empty = false;
        push_json_string(name, self.out.text);
        self.out.text.push(b':');
    }
}
