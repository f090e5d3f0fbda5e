//! What a person may not see.

use anyhow::{Result, ensure};
use serde_json::json;
use system_tests::cell::Cell;

pub(crate) async fn tables_of_others(cell: Cell) -> Result<()> {
    for mut client in [cell.as_person("alice").await?, cell.with_login("alice").await?] {
        let text = client.query("SELECT * FROM hr.salaries").await?.failure()?;
        ensure!(text.contains("497") && text.contains("ACCESS_DENIED"), "{text}");
        ensure!(text.contains("alice"), "the model should learn who lacks the grant: {text}");
    }
    let answer = cell.as_person("bob").await?.query("SELECT count() FROM hr.salaries").await?;
    ensure!(answer.value()? == json!("5"), "{}", answer.message);
    let text = cell.as_person("bob").await?.query("SELECT * FROM sales.campaigns").await?.failure()?;
    ensure!(text.contains("497"), "{text}");
    Ok(())
}

pub(crate) async fn rows_of_others(cell: Cell) -> Result<()> {
    for (person, region) in [("alice", "north"), ("bob", "south")] {
        for mut client in [cell.as_person(person).await?, cell.with_login(person).await?] {
            let answer = client.query("SELECT DISTINCT region FROM sales.orders").await?;
            ensure!(answer.rows()? == json!([[region]]), "{person}: {}", answer.message);
        }
    }
    Ok(())
}

pub(crate) async fn lists_of_tables(cell: Cell) -> Result<()> {
    for (person, database, tables) in [
        ("alice", "sales", json!([["campaigns"], ["orders"], ["revenue_by_product"]])),
        ("bob", "sales", json!([["orders"], ["revenue_by_product"]])),
        ("alice", "hr", json!([])),
        ("bob", "hr", json!([["salaries"]])),
    ] {
        let answer = cell.as_person(person).await?.query(&format!("SHOW TABLES FROM {database}")).await?;
        ensure!(answer.rows()? == tables, "{person}: {}", answer.message);
    }
    let described = cell.as_person("alice").await?.query("DESCRIBE TABLE sales.orders").await?.table()?;
    ensure!(described["count"] == json!(7), "{described}");
    Ok(())
}

pub(crate) async fn people_whom_the_gateway_may_not_become(cell: Cell) -> Result<()> {
    for person in ["stranger", "nobody at all"] {
        let text = cell.as_person(person).await?.query("SELECT 1").await?.failure()?;
        ensure!(text.contains("497") && text.contains(&format!("GRANT IMPERSONATE ON {person}")), "{text}");
        ensure!(!text.contains("gateway:"), "the login's name is nobody's business: {text}");
    }
    Ok(())
}
