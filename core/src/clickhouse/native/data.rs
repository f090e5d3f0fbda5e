//! Packets of data that a client sends: external tables, rows to insert, and the empty block that ends them.

use serde_json::Value;
use thiserror::Error;
use zeroize::Zeroizing;

use super::block::{Block, Limits};
use super::column::{Given, Misfit, Outgoing, Type, fit};
use super::compress::{self, Compression};
use super::revision::Revision;
use super::wire::Writer;
use crate::clickhouse::data::{Table, Values};
use crate::clickhouse::query::Column;

/// The number of the packet.
const DATA: u64 = 2;
/// Rows of a block, as many as a server puts into its own.
const MOST_ROWS: usize = 65_409;

/// Why data beside a statement cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DataError {
    /// An external table without a name would end the data, and one without columns would be the end.
    #[error("an external table needs a name and a column")]
    NoTable,
    /// Tables that the statement would not see (measured on 26.9).
    #[error("the statement inside of EXECUTE AS does not see tables that come beside it")]
    TablesOutside,
    /// Rows for a statement that takes none.
    #[error("there are rows to insert, and the statement is not an INSERT")]
    NoInsert,
    /// A column that the server wants.
    #[error("the column {column:?} is missing in the rows")]
    Missing {
        /// Its name.
        column: String,
    },
    /// A column that the server does not want.
    #[error("the rows have a column {column:?}, and the statement inserts into no such column")]
    Unknown {
        /// Its name.
        column: String,
    },
    /// The same column again.
    #[error("the column {column:?} is there twice")]
    Repeated {
        /// Its name.
        column: String,
    },
    /// More or fewer values than columns.
    #[error("row {row} has not a value for each column")]
    Ragged {
        /// Counted from 1.
        row: usize,
    },
    /// A type whose values cannot be sent.
    #[error("values of the type {type_name} cannot be sent for the column {column:?}")]
    Type {
        /// The column's name.
        column: String,
        /// Its type, cut when it is long.
        type_name: String,
    },
    /// A value that is none of the column's type.
    #[error("the column {column:?} takes {type_name}, which the value of row {row} is not")]
    Value {
        /// The column's name.
        column: String,
        /// Its type, cut when it is long.
        type_name: String,
        /// Counted from 1.
        row: usize,
    },
}

/// How data is put on this wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    pub(super) revision: Revision,
    pub(super) compression: Compression,
}

impl Dialect {
    /// The packet of an external table. Its columns have the types that it says, not others that the server would
    /// convert: there is nothing to convert them to.
    pub(super) fn table(self, table: &Table) -> Result<Zeroizing<Vec<u8>>, DataError> {
        if table.name.is_empty() || table.columns.is_empty() {
            return Err(DataError::NoTable);
        }
        check_shape(&table.columns, |column| &column.name, &table.rows)?;
        let mut columns = Vec::new();
        for (at, column) in table.columns.iter().enumerate() {
            let values: Vec<_> = table.rows.iter().map(|row| row.get(at)).collect();
            let outgoing = outgoing(column, &values, 0)?;
            if Type::parse(&outgoing.type_name(), DEPTH) != Type::parse(&column.type_name, DEPTH) {
                return Err(of_type(column));
            }
            columns.push((column.name.as_str(), outgoing));
        }
        Ok(self.packet(&table.name, table.rows.len(), &columns))
    }

    /// The packets of rows for columns of these types. None is made before all are known to fit.
    pub(super) fn rows(
        self,
        values: &Values,
        header: &[Column],
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, DataError> {
        check_shape(&values.columns, |column| column, &values.rows)?;
        if let Some(column) =
            values.columns.iter().find(|name| !header.iter().any(|column| column.name == **name))
        {
            return Err(DataError::Unknown { column: column.clone() });
        }
        let mut places = Vec::new();
        for column in header {
            let place = values.columns.iter().position(|name| *name == column.name);
            places.push((column, place.ok_or_else(|| DataError::Missing { column: column.name.clone() })?));
        }
        let mut packets = Vec::new();
        for (number, rows) in values.rows.chunks(MOST_ROWS).enumerate() {
            let mut columns = Vec::new();
            for (column, place) in &places {
                let values: Vec<_> = rows.iter().map(|row| row.get(*place)).collect();
                columns.push((
                    column.name.as_str(),
                    outgoing(column, &values, number.saturating_mul(MOST_ROWS))?,
                ));
            }
            packets.push(self.packet("", rows.len(), &columns));
        }
        Ok(packets)
    }

    /// The packet of an empty block: there are no more external tables, or no more rows to insert.
    pub(super) fn end(self) -> Zeroizing<Vec<u8>> {
        let mut block = Writer::new();
        Block::encode_end(&mut block, self.revision);
        self.wrapped("", &block)
    }

    fn packet(self, name: &str, rows: usize, columns: &[(&str, Outgoing)]) -> Zeroizing<Vec<u8>> {
        let mut block = Writer::new();
        Block::encode(&mut block, self.revision, rows, columns);
        self.wrapped(name, &block)
    }

    /// The number and the name stay outside of the compression.
    fn wrapped(self, name: &str, block: &Writer) -> Zeroizing<Vec<u8>> {
        let mut packet = Writer::new();
        packet.varuint(DATA).text(name);
        match self.compression {
            Compression::Off => {
                packet.raw(block.as_slice());
            }
            Compression::Lz4 => compress::seal_frames(block.as_slice(), &mut packet),
        }
        packet.into_bytes()
    }
}

/// How deep a type may nest.
const DEPTH: usize = 100;

/// Each column once, and a value for each in every row.
fn check_shape<T>(columns: &[T], name: impl Fn(&T) -> &String, rows: &[Vec<Value>]) -> Result<(), DataError> {
    for (at, column) in columns.iter().enumerate() {
        if columns.iter().take(at).any(|other| name(other) == name(column)) {
            return Err(DataError::Repeated { column: name(column).clone() });
        }
    }
    match rows.iter().position(|row| row.len() != columns.len()) {
        Some(row) => Err(DataError::Ragged { row: row.saturating_add(1) }),
        None => Ok(()),
    }
}

/// The values as a column of this type; `before` rows came in earlier blocks.
fn outgoing(column: &Column, values: &[Option<&Value>], before: usize) -> Result<Outgoing, DataError> {
    let longest = Limits::default().name_bytes;
    let of = Some(&column.type_name).filter(|name| name.len() <= longest);
    let of = of.and_then(|name| Type::parse(name, DEPTH).ok()).ok_or_else(|| of_type(column))?;
    let given: Vec<_> = values.iter().enumerate().map(|(row, value)| Given { row, value: *value }).collect();
    fit(&of, &given).map_err(|misfit| match misfit {
        Misfit::Type => of_type(column),
        Misfit::Value { row } => DataError::Value {
            column: column.name.clone(),
            type_name: shown(&column.type_name),
            row: before.saturating_add(row).saturating_add(1),
        },
    })
}

fn of_type(column: &Column) -> DataError {
    DataError::Type { column: column.name.clone(), type_name: shown(&column.type_name) }
}

fn shown(type_name: &str) -> String {
    type_name.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::native::block::Context;
    use crate::clickhouse::native::wire::Reader;
    use serde_json::json;

    const PLAIN: Dialect = Dialect { revision: Revision::NEWEST, compression: Compression::Off };

    fn column(name: &str, type_name: &str) -> Column {
        Column { name: name.to_owned(), type_name: type_name.to_owned() }
    }

    fn values(columns: &[&str], rows: &Value) -> Values {
        let row = |row: &Value| row.as_array().expect("a row").clone();
        Values {
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            rows: rows.as_array().expect("rows").iter().map(row).collect(),
        }
    }

    /// What a packet without compression says: its name, its columns and its rows.
    fn read(packet: &[u8]) -> (String, Vec<Column>, Vec<String>) {
        let mut reader = Reader::whole(packet);
        assert_eq!(reader.varuint(), Ok(DATA));
        let name = reader.text("a name", 100).expect("a name").into_owned();
        let context = Context::new(Revision::NEWEST, Limits::default(), "UTC");
        let block = Block::decode(&mut reader, &context).expect("a block");
        assert_eq!(reader.finish(), Ok(()));
        let mut rows = Vec::new();
        let mut left = 0..block.rows();
        while !left.is_empty() {
            let lines = block.lines(&mut left, usize::MAX).expect("rows");
            rows.extend(lines.iter().map(str::to_owned));
        }
        (name, block.columns().to_vec(), rows)
    }

    #[test]
    fn rows_come_in_the_order_of_the_header() {
        let header = [column("a", "UInt8"), column("when", "DateTime"), column("c", "Nullable(String)")];
        let rows = values(&["c", "a", "when"], &json!([["x", 1, "2026-01-31 00:00:00"], [null, "2", 7]]));
        let packets = PLAIN.rows(&rows, &header).expect("packets");
        let [packet] = &*packets else { panic!("one packet") };
        let (name, columns, rows) = read(packet);
        let types = [column("a", "UInt8"), column("when", "String"), column("c", "Nullable(String)")];
        assert_eq!((name.as_str(), &*columns), ("", &types[..]));
        assert_eq!(rows, [r#"[1,"2026-01-31 00:00:00","x"]"#, r#"[2,"7",null]"#]);
        assert_eq!(read(&PLAIN.end()).1, []);
    }

    #[test]
    fn many_rows_are_several_blocks_and_a_bad_one_stops_all() {
        let mut rows = values(&["a"], &json!([]));
        rows.rows = (0..MOST_ROWS + 1).map(|number| vec![json!(number % 200)]).collect();
        let header = [column("a", "UInt8")];
        let packets = PLAIN.rows(&rows, &header).expect("packets");
        let counts: Vec<_> = packets.iter().map(|packet| read(packet).2.len()).collect();
        assert_eq!(counts, [MOST_ROWS, 1]);
        rows.rows[MOST_ROWS] = vec![json!(300)];
        let (column, type_name) = ("a".to_owned(), "UInt8".to_owned());
        let wanted = DataError::Value { column, type_name, row: MOST_ROWS + 1 };
        assert_eq!(PLAIN.rows(&rows, &header), Err(wanted));
        // No rows are no packet.
        assert_eq!(PLAIN.rows(&values(&["a"], &json!([])), &header), Ok(Vec::new()));
    }

    #[test]
    fn what_does_not_fit_names_its_column() {
        let header = [column("a", "UInt8"), column("b", "Dynamic")];
        let named = || "b".to_owned();
        for (columns, rows, wanted) in [
            (vec!["a"], json!([[1]]), DataError::Missing { column: named() }),
            (vec!["a", "b", "c"], json!([[1, 2, 3]]), DataError::Unknown { column: "c".to_owned() }),
            (vec!["b", "b"], json!([[1, 2]]), DataError::Repeated { column: named() }),
            (vec!["b", "a"], json!([[1, 2], [1]]), DataError::Ragged { row: 2 }),
            (
                vec!["a", "b"],
                json!([[1, 2]]),
                DataError::Type { column: named(), type_name: "Dynamic".to_owned() },
            ),
        ] {
            assert_eq!(PLAIN.rows(&values(&columns, &rows), &header), Err(wanted));
        }
        let strange = [column("a", "NotYetKnown")];
        assert!(matches!(PLAIN.rows(&values(&["a"], &json!([[1]])), &strange), Err(DataError::Type { .. })));
    }

    #[test]
    fn an_external_table_has_the_types_that_it_says() {
        let table = |name: &str, type_name: &str| Table {
            name: name.to_owned(),
            columns: vec![column("x", type_name)],
            rows: vec![vec![json!(["1"])]],
        };
        let packet = PLAIN.table(&table("mine", "Array(UInt8)")).expect("a packet");
        assert_eq!(
            read(&packet),
            ("mine".to_owned(), vec![column("x", "Array(UInt8)")], vec!["[[1]]".to_owned()])
        );
        assert!(PLAIN.table(&table("mine", "Array(String)")).is_ok());
        for refused in ["Array(Date)", "Array(Float32)", "Array(LowCardinality(String))", "Dynamic"] {
            assert!(matches!(PLAIN.table(&table("mine", refused)), Err(DataError::Type { .. })), "{refused}");
        }
        assert_eq!(PLAIN.table(&table("", "Array(UInt8)")), Err(DataError::NoTable));
        let empty = Table { columns: Vec::new(), rows: Vec::new(), ..table("mine", "UInt8") };
        assert_eq!(PLAIN.table(&empty), Err(DataError::NoTable));
    }
}
