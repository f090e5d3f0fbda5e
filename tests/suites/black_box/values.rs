//! Values of every kind arrive whole, and by type.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use system_tests::cell::Cell;
use system_tests::settings::Settings;

fn expected() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("toInt64('-9223372036854775808')", "Int64", json!("-9223372036854775808")),
        ("toInt64(1)", "Int64", json!("1")),
        ("toUInt64('18446744073709551615')", "UInt64", json!("18446744073709551615")),
        (
            "toInt128('170141183460469231731687303715884105727')",
            "Int128",
            json!("170141183460469231731687303715884105727"),
        ),
        (
            "toUInt256('115792089237316195423570985008687907853269984665640564039457584007913129639935')",
            "UInt256",
            json!("115792089237316195423570985008687907853269984665640564039457584007913129639935"),
        ),
        ("toInt32(-5)", "Int32", json!(-5)),
        ("toUInt32(4294967295)", "UInt32", json!(4_294_967_295_u32)),
        ("toDecimal64('1.25', 2)", "Decimal(18, 2)", json!("1.25")),
        ("toDecimal256('1.25', 40)", "Decimal(76, 40)", json!("1.25")),
        ("[toDecimal32('-0.5', 1)]", "Array(Decimal(9, 1))", json!(["-0.5"])),
        ("toFloat64(0.1)", "Float64", json!(0.1)),
        ("nan", "Float64", json!("nan")),
        ("inf", "Float64", json!("inf")),
        ("-inf", "Float64", json!("-inf")),
        ("[1.5, nan]", "Array(Float64)", json!([1.5, "nan"])),
        ("NULL", "Nullable(Nothing)", Value::Null),
        ("CAST(NULL AS Nullable(Int64))", "Nullable(Int64)", Value::Null),
        ("CAST(7 AS Nullable(Int64))", "Nullable(Int64)", json!("7")),
        ("toLowCardinality('x')", "LowCardinality(String)", json!("x")),
        ("toDate('2026-01-02')", "Date", json!("2026-01-02")),
        ("toDateTime('2026-01-02 03:04:05', 'UTC')", "DateTime('UTC')", json!("2026-01-02 03:04:05")),
        (
            "toDateTime64('2026-01-02 03:04:05.678901', 6, 'UTC')",
            "DateTime64(6, 'UTC')",
            json!("2026-01-02 03:04:05.678901"),
        ),
        ("true", "Bool", json!(true)),
        (
            "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
            "UUID",
            json!("61f0c404-5cb3-11e7-907b-a6006ad3dba0"),
        ),
        ("toIPv4('192.0.2.1')", "IPv4", json!("192.0.2.1")),
        ("CAST('b' AS Enum8('a' = 1, 'b' = 2))", "Enum8('a' = 1, 'b' = 2)", json!("b")),
        ("[toInt64(1), toInt64(-2)]", "Array(Int64)", json!(["1", "-2"])),
        ("[[toUInt64(1)], []]", "Array(Array(UInt64))", json!([["1"], []])),
        ("tuple(toUInt8(1), 'x', toInt64(2))", "Tuple(UInt8, String, Int64)", json!([1, "x", "2"])),
        (
            "CAST((1, 'x') AS Tuple(a UInt64, b String))",
            "Tuple(a UInt64, b String)",
            json!({ "a": "1", "b": "x" }),
        ),
        ("map('a', toUInt64(1))", "Map(String, UInt64)", json!({ "a": "1" })),
        ("map('a', [toDecimal32('1.5', 1)])", "Map(String, Array(Decimal(9, 1)))", json!({ "a": ["1.5"] })),
        ("unhex('ff41')", "String", json!("\u{fffd}A")),
        ("''", "String", json!("")),
        ("'zoë — 🦀 \\u2028'", "String", json!("zoë — 🦀 \\u2028")),
        (
            "'quotes \" and \\' and \\\\ and / and \\n and \\t and \\0'",
            "String",
            json!("quotes \" and ' and \\ and / and \n and \t and \0"),
        ),
        ("'nan'", "String", json!("nan")),
    ]
}

pub(crate) async fn every_type(cell: Cell) -> Result<()> {
    for mut client in [cell.as_person("alice").await?, cell.with_login("alice").await?] {
        let mut wrong = Vec::new();
        for (expression, type_name, value) in expected() {
            let table = client.query(&format!("SELECT {expression} AS x")).await?.table();
            let table = table.map_err(|error| error.context(expression))?;
            if table["columns"] != json!(["x"])
                || table["types"] != json!([type_name])
                || table["rows"] != json!([[value]])
            {
                wrong.push(format!("{expression}: {table}"));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    Ok(())
}

pub(crate) async fn large_text(cell: Cell) -> Result<()> {
    let settings = Settings::standard(&cell.world)?.with("CLICKHOUSE_MAX_RESULT_BYTES", "-1");
    let token = cell.token("alice")?;
    let mut client = cell.client(&settings, Some(&token)).await?;
    let value = client.query("SELECT repeat('é', 500000)").await?.value()?;
    ensure!(value.as_str().map(|text| text.chars().count()) == Some(500_000), "half a million characters");
    let rows = client.query("SELECT repeat('x', 100000) FROM numbers(50)").await?.table()?;
    ensure!(rows["count"] == json!(50) && rows.get("truncated").is_none(), "five megabytes in fifty rows");
    Ok(())
}

pub(crate) async fn empty_result(cell: Cell) -> Result<()> {
    for mut client in [cell.as_person("alice").await?, cell.with_login("alice").await?] {
        let table = client.query("SELECT toInt64(1) AS a, 'x' AS b WHERE 0").await?.table()?;
        ensure!(
            table == json!({ "columns": ["a", "b"], "types": ["Int64", "String"], "rows": [], "count": 0 }),
            "{table}"
        );
    }
    Ok(())
}

pub(crate) async fn format_clause(cell: Cell) -> Result<()> {
    for mut client in [cell.as_person("alice").await?, cell.with_login("alice").await?] {
        for format in ["JSON", "Null", "TSV", "PrettyCompact"] {
            let table = client.query(&format!("SELECT toInt64(1) AS a FORMAT {format};")).await?.table()?;
            ensure!(table["rows"] == json!([["1"]]), "{table}");
            ensure!(table["notes"][0].as_str().is_some_and(|note| note.contains(format)), "{table}");
        }
    }
    Ok(())
}

/// The server will not quote decimals for frank; they are strings all the same.
pub(crate) async fn profile_that_seals_the_format(cell: Cell) -> Result<()> {
    for mut client in [cell.with_login("frank").await?, cell.as_person("frank").await?] {
        for (sql, value) in [
            ("SELECT toDecimal64('1.25', 2)", json!("1.25")),
            (
                "SELECT toDecimal256('12345678901234567890.0123456789', 10)",
                json!("12345678901234567890.0123456789"),
            ),
            ("SELECT toInt64('9223372036854775807')", json!("9223372036854775807")),
        ] {
            let found = client.query(sql).await?.value()?;
            ensure!(found == value, "{sql}: {found}");
        }
    }
    Ok(())
}
