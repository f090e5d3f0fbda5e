//! From JSON values to a column of a type, for data that is sent.
//!
//! A server converts what it is sent to the types of its table (measured on 26.9), so types whose values are read from
//! text travel as text and are read by the server. What it cannot read is its exception; what cannot be sent at all
//! is refused here.

use serde_json::{Map, Value};

use super::outgoing::Outgoing;
use super::type_tree::{Element, Integer, Type};

/// Why values are no column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Values of this type are not sent.
    Type,
    /// The value of this row is none of the type.
    Value {
        /// The row.
        row: usize,
    },
}

/// A value with the row that it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub(crate) row: usize,
    /// Absent where something has to stand for null.
    pub(crate) value: Option<&'a Value>,
}

impl Given<'_> {
    fn unless_null(self) -> Self {
        Self { value: self.value.filter(|value| !value.is_null()), ..self }
    }

    fn misfit(self) -> Misfit {
        Misfit::Value { row: self.row }
    }
}

/// The column of these values.
pub(crate) fn fit(of: &Type, values: &[Given<'_>]) -> Result<Outgoing, Misfit> {
    Ok(match of {
        Type::Bool => Outgoing::Bool(each(values, Value::as_bool)?),
        Type::Integer(Integer { width: 1, signed: false }) => Outgoing::UInt8(each(values, integer)?),
        Type::Integer(Integer { width: 2, signed: false }) => Outgoing::UInt16(each(values, integer)?),
        Type::Integer(Integer { width: 4, signed: false }) => Outgoing::UInt32(each(values, integer)?),
        Type::Integer(Integer { width: 8, signed: false }) => Outgoing::UInt64(each(values, integer)?),
        Type::Integer(Integer { width: 1, signed: true }) => Outgoing::Int8(each(values, integer)?),
        Type::Integer(Integer { width: 2, signed: true }) => Outgoing::Int16(each(values, integer)?),
        Type::Integer(Integer { width: 4, signed: true }) => Outgoing::Int32(each(values, integer)?),
        Type::Integer(Integer { width: 8, signed: true }) => Outgoing::Int64(each(values, integer)?),
        Type::Float(_) => Outgoing::Float64(each(values, float)?),
        Type::String => Outgoing::String(each(values, |value| Some(value.as_str()?.into()))?),
        Type::Integer(_)
        | Type::Decimal { .. }
        | Type::Date
        | Type::Date32
        | Type::DateTime { .. }
        | Type::DateTime64 { .. }
        | Type::Time
        | Type::Time64 { .. }
        | Type::Enum { .. }
        | Type::Uuid
        | Type::Ipv4
        | Type::Ipv6
        | Type::FixedString(_) => Outgoing::String(each(values, text)?),
        Type::Json { .. } => {
            Outgoing::String(each(values, |value| value.is_object().then(|| value.to_string().into_bytes()))?)
        }
        Type::Nullable(inner) => {
            let is_null = |given: &Given<'_>| given.value.is_none_or(Value::is_null);
            let values_of: Vec<_> = values.iter().map(|given| given.unless_null()).collect();
            Outgoing::Nullable(values.iter().map(is_null).collect(), Box::new(fit(inner, &values_of)?))
        }
        Type::LowCardinality(inner) => fit(inner, values)?,
        Type::Array(inner) => {
            let (mut lengths, mut elements) = (Vec::new(), Vec::new());
            for given in values {
                let array = given.value.map(|value| value.as_array().ok_or(given.misfit())).transpose()?;
                let array = array.map(Vec::as_slice).unwrap_or_default();
                lengths.push(array.len());
                elements.extend(array.iter().map(|value| Given { row: given.row, value: Some(value) }));
            }
            Outgoing::Array(lengths, Box::new(fit(inner, &elements)?))
        }
        Type::Tuple(elements) => tuple(elements, values)?,
        Type::Map(key, value) => map(key, value, values)?,
        Type::Interval
        | Type::Nothing
        | Type::Variant(_)
        | Type::Geometry(_)
        | Type::Dynamic
        | Type::QBit { .. }
        | Type::Aggregate(_) => return Err(Misfit::Type),
    })
}

fn each<T: Default>(values: &[Given<'_>], read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, Misfit> {
    let one = |given: &Given<'_>| match given.value {
        None => Ok(T::default()),
        Some(value) => read(value).ok_or(given.misfit()),
    };
    values.iter().map(one).collect()
}

/// A whole number, or the text of one.
fn integer<T: TryFrom<i128>>(value: &Value) -> Option<T> {
    let number = match value {
        Value::Number(number) => {
            number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))?
        }
        Value::String(text) => text.parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    T::try_from(number).ok()
}

/// A number, or the text of one, `nan` and `inf` among them.
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What the server will read.
fn text(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Number(number) => Some(number.to_string().into_bytes()),
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Elements by their place, or by their names.
fn tuple(elements: &[Element], values: &[Given<'_>]) -> Result<Outgoing, Misfit> {
    let mut columns: Vec<Vec<Given<'_>>> = vec![Vec::new(); elements.len()];
    for given in values {
        for (at, (element, column)) in elements.iter().zip(&mut columns).enumerate() {
            let value = match (given.value, &element.name) {
                (None, _) => None,
                (Some(Value::Array(array)), _) if array.len() == elements.len() => array.get(at),
                (Some(Value::Object(members)), Some(name)) if members.len() == elements.len() => {
                    Some(members.get(name).ok_or(given.misfit())?)
                }
                (Some(_), _) => return Err(given.misfit()),
            };
            column.push(Given { row: given.row, value });
        }
    }
    let columns = elements.iter().zip(&columns).map(|(element, column)| fit(&element.of, column));
    let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
    // Without elements there is nothing that says how many there are.
    if columns.is_empty() { Err(Misfit::Type) } else { Ok(Outgoing::Tuple(columns)) }
}

/// Keys are texts in JSON, whatever they are in the map.
fn map(key: &Type, value: &Type, values: &[Given<'_>]) -> Result<Outgoing, Misfit> {
    let nothing = Map::new();
    let (mut lengths, mut keys, mut elements) = (Vec::new(), Vec::new(), Vec::new());
    for given in values {
        let members = given.value.map(|value| value.as_object().ok_or(given.misfit())).transpose()?;
        let members = members.unwrap_or(&nothing);
        lengths.push(members.len());
        for (name, member) in members {
            keys.push((given.row, Value::from(name.as_str())));
            elements.push(Given { row: given.row, value: Some(member) });
        }
    }
    let keys: Vec<_> = keys.iter().map(|(row, key)| Given { row: *row, value: Some(key) }).collect();
    Ok(Outgoing::Map(lengths, Box::new(fit(key, &keys)?), Box::new(fit(value, &elements)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn column(of: &str, values: &Value) -> Result<Outgoing, Misfit> {
        let values = values.as_array().expect("an array").iter().enumerate();
        let given: Vec<_> = values.map(|(row, value)| Given { row, value: Some(value) }).collect();
        fit(&Type::parse(of, 20).expect("a type"), &given)
    }

    fn strings(texts: &[&str]) -> Box<Outgoing> {
        Box::new(Outgoing::String(texts.iter().map(|text| text.as_bytes().to_vec()).collect()))
    }

    #[test]
    fn values_become_columns_of_their_type() {
        let bytes = |values: &[u8]| Box::new(Outgoing::UInt8(values.to_vec()));
        for (of, values, wanted) in [
            ("UInt8", json!([0, 255, "7"]), *bytes(&[0, 255, 7])),
            ("Int64", json!([i64::MIN, "-1"]), Outgoing::Int64(vec![i64::MIN, -1])),
            ("UInt64", json!([u64::MAX, "18446744073709551615"]), Outgoing::UInt64(vec![u64::MAX; 2])),
            ("Bool", json!([true, false]), Outgoing::Bool(vec![true, false])),
            ("Float32", json!([1, -0.5, "inf"]), Outgoing::Float64(vec![1.0, -0.5, f64::INFINITY])),
            ("LowCardinality(String)", json!(["a"]), *strings(&["a"])),
            ("Decimal(9, 2)", json!(["1.50", 2]), *strings(&["1.50", "2"])),
            ("DateTime('UTC')", json!(["2026-01-31 00:00:00"]), *strings(&["2026-01-31 00:00:00"])),
            (
                "Nullable(Date)",
                json!([null, "2026-01-31"]),
                Outgoing::Nullable(vec![true, false], strings(&["", "2026-01-31"])),
            ),
            (
                "Array(Array(UInt8))",
                json!([[[1, 2], []], []]),
                Outgoing::Array(vec![2, 0], Box::new(Outgoing::Array(vec![2, 0], bytes(&[1, 2])))),
            ),
            (
                "Tuple(a UInt8, b String)",
                json!([[1, "x"], { "b": "y", "a": 2 }]),
                Outgoing::Tuple(vec![*bytes(&[1, 2]), *strings(&["x", "y"])]),
            ),
            (
                "Map(UInt8, String)",
                json!([{ "1": "x" }, {}]),
                Outgoing::Map(vec![1, 0], bytes(&[1]), strings(&["x"])),
            ),
            ("JSON", json!([{ "a": [1] }]), *strings(&["{\"a\":[1]}"])),
        ] {
            assert_eq!(column(of, &values), Ok(wanted), "{of}");
        }
    }

    #[test]
    fn what_is_no_value_of_a_type_is_told_by_its_row() {
        for (of, value) in [
            ("UInt8", json!(256)),
            ("UInt8", json!(-1)),
            ("UInt8", json!(1.5)),
            ("UInt8", json!("1.5")),
            ("UInt8", json!(true)),
            ("UInt8", json!(null)),
            ("Int64", json!("9223372036854775808")),
            ("Bool", json!(1)),
            ("Float64", json!("x")),
            ("String", json!(1)),
            ("Date", json!(null)),
            ("UUID", json!(["x"])),
            ("Nullable(UInt8)", json!("x")),
            ("Array(UInt8)", json!(1)),
            ("Array(UInt8)", json!([1, null])),
            ("Tuple(UInt8, UInt8)", json!([1])),
            ("Tuple(UInt8, UInt8)", json!([1, 2, 3])),
            ("Tuple(UInt8)", json!({ "1": 1 })),
            ("Tuple(a UInt8)", json!({ "b": 1 })),
            ("Tuple(a UInt8)", json!({ "a": 1, "b": 1 })),
            ("Map(UInt8, UInt8)", json!({ "x": 1 })),
            ("Map(String, UInt8)", json!([["x", 1]])),
            ("JSON", json!("{}")),
        ] {
            let values = json!([value.clone()]);
            assert_eq!(column(of, &values), Err(Misfit::Value { row: 0 }), "{of} {value}");
        }
        assert_eq!(column("Array(UInt8)", &json!([[1], [2, 300]])), Err(Misfit::Value { row: 1 }));
        for of in
            ["Dynamic", "Variant(UInt8)", "Geometry", "AggregateFunction(count)", "IntervalDay", "Tuple()"]
        {
            assert_eq!(column(of, &json!([1])).map_err(|_| ()), Err(()), "{of}");
        }
    }
}
