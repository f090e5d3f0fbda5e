//! Our lexer and our rules beside the server's own parser: a statement that we accept as one of a kind is there one of
//! that kind, and has no table function that we did not see.

use anyhow::{Context, Result, ensure};
use housekey_core::sql::{ReadOnlySql, Rules, StatementKind, WritableSql};

use super::bypass::unescape;
use super::generated::Numbers;
use super::send::{Answer, http};
use super::world::{World, world};

const DATA: [&str; 3] = [
    include_str!("../../../core/tests/data/sql/table_functions_accepted.sql"),
    include_str!("../../../core/tests/data/sql/table_functions_refused.sql"),
    include_str!("../../../core/tests/data/sql/parser.sql"),
];
const VERDICTS: [&str; 2] = [
    include_str!("../../../core/tests/data/sql/verdicts.tsv"),
    include_str!("../../../core/tests/data/sql/bypass.tsv"),
];
/// Cases in each part.
const MANY: usize = 1000;

/// What reaches outside, of all that this server has: none of it passes.
pub(crate) async fn table_functions() -> Result<()> {
    const OUTSIDE: [&str; 24] = [
        "azureBlobStorage",
        "bigquery",
        "cluster",
        "clusterAllReplicas",
        "deltaLake",
        "eval",
        "executable",
        "file",
        "filesystem",
        "gcs",
        "hdfs",
        "iceberg",
        "jdbc",
        "mongodb",
        "mysql",
        "odbc",
        "postgresql",
        "python",
        "redis",
        "remote",
        "remoteSecure",
        "s3",
        "sqlite",
        "url",
    ];
    let world = world().await?;
    let list = async |table: &str| {
        let names = world.clickhouse.query(&format!("SELECT name FROM system.{table} FORMAT TSV")).await;
        names.map(|names| names.lines().map(str::to_owned).collect::<Vec<_>>()).map_err(anyhow::Error::msg)
    };
    let functions = list("table_functions").await?;
    let passes =
        |name: &str| ReadOnlySql::parse(&format!("SELECT * FROM {name}()"), &Rules::internal()).is_ok();
    for name in OUTSIDE {
        ensure!(functions.iter().any(|known| known == name), "the server has no {name}");
        ensure!(!passes(name), "{name} passes");
    }
    for name in functions.iter().filter(|name| {
        let name = name.to_lowercase();
        ["cluster", "s3", "azure", "hdfs", "local", "url", "file", "remote"]
            .iter()
            .any(|part| name.contains(part))
    }) {
        ensure!(!passes(name), "{name} passes");
    }
    let inside = functions.iter().filter(|name| passes(name)).count();
    ensure!((25..40).contains(&inside), "{inside} table functions pass");
    for engine in list("table_engines").await?.into_iter().chain(list("database_engines").await?) {
        let rules = Rules { destructive: true, impersonated: false, ..Rules::internal() };
        let made = WritableSql::parse(&format!("CREATE TABLE t (a Int8) ENGINE = {engine}"), &rules).is_ok();
        let inside = engine.ends_with("MergeTree") || engine.ends_with("Log") && engine != "FileLog" || {
            ["Atomic", "Dictionary", "GenerateRandom", "Join", "Memory", "Merge", "Null", "Ordinary", "Set"]
                .contains(&engine.as_str())
                || ["TimeSeries", "View"].contains(&engine.as_str())
        };
        ensure!(made == inside, "the engine {engine}");
    }
    Ok(())
}

/// Statements written by hand.
pub(crate) async fn corpus() -> Result<()> {
    let world = world().await?;
    let mut statements: Vec<String> = DATA.iter().flat_map(|data| data.lines()).map(str::to_owned).collect();
    for line in VERDICTS.first().context("the verdicts")?.lines().skip(1) {
        statements.push(unescape(line.split('\t').next().unwrap_or_default()));
    }
    for line in VERDICTS.last().context("the attempts")?.lines().skip(1) {
        statements.push(unescape(line.split('\t').nth(1).unwrap_or_default()));
    }
    let (mut accepted, mut understood) = (0, 0);
    for sql in &statements {
        let Some(is_understood) = compare(&world, sql).await? else { continue };
        accepted += 1;
        understood += usize::from(is_understood);
    }
    ensure!(statements.len() > 700, "{} statements", statements.len());
    ensure!(accepted > 250 && understood > 230, "{accepted} accepted, {understood} understood by the server");
    Ok(())
}

/// Statements of words where a table function could hide.
pub(crate) async fn generated(part: u64) -> Result<()> {
    const WORDS: [&str; 72] = [
        "SELECT",
        "a",
        "b",
        "*",
        ",",
        ",",
        ",",
        "FROM",
        "FROM",
        "t",
        "JOIN",
        "JOIN",
        "LEFT",
        "ARRAY",
        "array",
        "ON 1",
        "USING",
        "AS",
        "AS x",
        "x",
        "url('x')",
        "url('x')",
        "url('x') u",
        "`url`('x')",
        "f(1)",
        "numbers(3)",
        "(",
        ")",
        "(",
        ")",
        "IS",
        "NOT",
        "DISTINCT",
        "is",
        "FINAL",
        "SAMPLE 1",
        "STREAM",
        "WHERE",
        "GROUP BY",
        "ORDER BY",
        "LIMIT 1",
        "UNION ALL",
        "EXCEPT",
        "INTERSECT",
        "WITH",
        "IN",
        "select",
        "from",
        "trim(",
        "extract(",
        "substring(",
        "BOTH",
        "view(",
        "loop(",
        "exists(",
        "|>",
        "DESCRIBE",
        "TABLE",
        "TOP 5",
        "ALL",
        "WINDOW w AS ()",
        "QUALIFY",
        "SETTINGS max_threads = 1",
        "FORMAT TSV",
        "1",
        "'s'",
        "AND",
        "=",
        "::",
        ".",
        "interpolate",
        "fetch",
    ];
    const HEADS: [&str; 9] = [
        "SELECT *",
        "SELECT a",
        "SELECT * FROM t",
        "FROM t",
        "SELECT",
        "WITH 1 AS x SELECT",
        "DESCRIBE",
        "(SELECT 1",
        "EXPLAIN SELECT",
    ];
    let world = world().await?;
    let mut numbers = Numbers::new(2026 + part);
    let (mut accepted, mut understood, mut tried) = (0, 0, 0);
    while accepted < MANY {
        tried += 1;
        ensure!(tried < MANY * 400, "only {accepted} of {tried} statements were accepted");
        let mut sql = numbers.pick(&HEADS).unwrap_or_default().to_owned();
        for _ in 0..numbers.below(9) {
            sql.push(' ');
            sql.push_str(numbers.pick(&WORDS).unwrap_or_default());
        }
        let Some(is_understood) = compare(&world, &sql).await? else { continue };
        accepted += 1;
        understood += usize::from(is_understood);
    }
    ensure!(understood > MANY / 50, "the server understood {understood} statements only");
    Ok(())
}

/// `None` when we refuse; otherwise whether the server can parse it, after its tree was found to agree.
async fn compare(world: &World, sql: &str) -> Result<Option<bool>> {
    let allowed = ["max_threads".to_owned(), "use_query_cache".to_owned()];
    let rules = Rules { allowed_settings: &allowed, ..Rules::internal() };
    let Ok(parsed) = ReadOnlySql::parse(sql, &rules) else { return Ok(None) };
    let login = ("alice", world.clickhouse.alice_password());
    let answer = http(world, login, &format!("EXPLAIN AST {}", parsed.text()), &[]).await?;
    let tree = match answer {
        Answer::Rows(tree) => tree,
        Answer::Refused(62, message) => {
            ensure!(!message.contains("Multi-statements"), "{sql:?} is several statements: {message}");
            return Ok(Some(false));
        }
        // A parameter without a value, a number out of range: it is parsed no further.
        Answer::Refused(..) => return Ok(Some(false)),
        Answer::Broken(text) => anyhow::bail!("{sql:?}: {text}"),
    };
    check_kind(parsed.kind(), &tree).with_context(|| format!("{sql:?}\n{tree}"))?;
    check_tables(&tree).with_context(|| format!("{sql:?}\n{tree}"))?;
    // What stands right below EXPLAIN are its own options.
    let explains = parsed.kind() == StatementKind::Explain;
    let sets = tree.lines().any(|line| line.trim() == "Set" && !(explains && line == " Set"));
    ensure!(!sets || !parsed.settings().is_empty(), "{sql:?} has settings that we did not see\n{tree}");
    Ok(Some(true))
}

fn check_kind(kind: StatementKind, tree: &str) -> Result<()> {
    let root = tree.split([' ', '\n']).next().unwrap_or_default();
    let agrees = match kind {
        StatementKind::Select => ["SelectWithUnionQuery", "SelectIntersectExceptQuery"].contains(&root),
        StatementKind::Show => root.starts_with("Show") || root.starts_with("SHOW"),
        StatementKind::Describe => root.starts_with("Describe"),
        StatementKind::Exists => root.starts_with("Exists"),
        StatementKind::Explain => root.starts_with("Explain"),
    };
    ensure!(agrees, "{kind:?} is {root} there");
    for word in ["InsertQuery", "ExecuteAs", "ParallelWith", "DropQuery", "CreateQuery", "AlterQuery"] {
        ensure!(!tree.contains(word), "there is a {word}");
    }
    Ok(())
}

/// No table of the tree is a function that reaches outside. A line is indented by one blank for each node above it.
fn check_tables(tree: &str) -> Result<()> {
    let mut before = "";
    for line in tree.lines() {
        let parent = before.trim_start();
        if (parent.starts_with("TableExpression") || parent.starts_with("DescribeQuery"))
            && let Some(name) = line.trim_start().strip_prefix("Function ")
        {
            let name = name.split(' ').next().unwrap_or_default();
            ensure!(name != "url" && name != "f", "the table is {name}(…)");
        }
        before = line;
    }
    Ok(())
}
