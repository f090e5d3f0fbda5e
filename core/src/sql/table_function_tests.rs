//! Table functions where they can stand, and the same words where they cannot. Each place was read off ClickHouse
//! 26.9, most of them with `formatQuerySingleLineOrNull`.

use super::{ReadOnlySql, Refusal, Rules, WritableSql};

fn outside(sql: &str, rules: &Rules<'_>) -> Option<String> {
    let refusal = match ReadOnlySql::parse(sql, rules) {
        Ok(_) => return None,
        Err(Refusal::NotReadOnly { .. } | Refusal::WriteAfterWith { .. }) => {
            match WritableSql::parse(sql, rules) {
                Ok(_) => return None,
                Err(refusal) => refusal,
            }
        }
        Err(refusal) => refusal,
    };
    let Refusal::Outside { name } = refusal else { panic!("{sql}: {refusal}") };
    Some(name)
}

const LENIENT: Rules<'static> = Rules { destructive: true, impersonated: false, ..Rules::internal() };

#[test]
fn every_place() {
    for sql in include_str!("../../tests/data/sql/table_functions_refused.sql").lines() {
        assert!(outside(sql, &LENIENT).is_some(), "{sql}");
    }
}

#[test]
fn no_other_place() {
    for sql in include_str!("../../tests/data/sql/table_functions_accepted.sql").lines() {
        assert_eq!(outside(sql, &LENIENT), None, "{sql}");
    }
}

#[test]
fn what_is_listed_passes() {
    let listed = ["url", "S3", "HTTP", "Disk", "file"].map(str::to_owned);
    let rules = Rules { allowed_table_functions: &listed, ..LENIENT };
    for (sql, name) in [
        ("SELECT * FROM url('x')", None),
        ("SELECT * FROM `url`('x')", None),
        ("SELECT * FROM URL('x')", Some("URL")),
        ("SELECT * FROM urlCluster('c', 'x')", Some("urlCluster")),
        ("SELECT file('x')", None),
        ("CREATE TABLE t (a Int8) ENGINE = S3('x')", None),
        ("CREATE TABLE t (a Int8) ENGINE = s3('x')", Some("s3")),
        ("CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(HTTP(URL 'x'))", None),
        ("CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(MYSQL(DB 'x'))", Some("MYSQL")),
        ("BACKUP TABLE t TO Disk('a', 'b')", None),
        ("RESTORE TABLE t FROM Disk('a', 'b')", None),
        ("BACKUP TABLE t TO S3('a')", None),
        ("BACKUP TABLE t TO File('a')", Some("File")),
    ] {
        assert_eq!(outside(sql, &rules).as_deref(), name, "{sql}");
    }
}
