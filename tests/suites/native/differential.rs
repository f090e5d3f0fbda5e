//! The same query over HTTP and over TCP: the header and every row have to be the same text.
//!
//! What is asked stands in core's test data, a statement on each line: `-- NAME` begins a section, whose trial is
//! called after it, and statements that write set up what others read. Every type of 26.9 is in it by itself, nested,
//! nullable and in `Dynamic`, with no row, one and many blocks of them, with totals and with extremes.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use housekey_core::clickhouse::{FORMAT_SETTINGS, QueryRequest, Scheme, Setting};
use libtest_mimic::Trial;
use system_tests::world::{World, world};
use tokio::sync::OnceCell;

use crate::ask::{self, Told};
use crate::trial;

const STATEMENTS: &str = include_str!("../../../core/tests/data/native/differential.sql");

/// Words with which statements begin that set up something.
const WRITES: &[&str] = &["CREATE", "INSERT", "OPTIMIZE", "TRUNCATE"];

/// What the queries may set.
const SETTINGS: &[&str] = &[
    "allow_experimental_nullable_tuple_type",
    "allow_suspicious_low_cardinality_types",
    "allow_suspicious_variant_types",
    "enable_lazy_columns_replication",
    "extremes",
    "max_block_size",
    "max_threads",
];

/// What is set beside the statement: the first two are refused within it, and the server tells a client the time zone
/// of a session and not that of a clause.
const APART: &[&str] = &[
    "output_format_native_use_flattened_dynamic_and_json_serialization",
    "output_format_native_write_json_as_string",
    "session_timezone",
];

static ASKED: AtomicUsize = AtomicUsize::new(0);
static EQUAL: AtomicUsize = AtomicUsize::new(0);
static ROWS: AtomicUsize = AtomicUsize::new(0);

/// Queries under one heading.
struct Section {
    name: &'static str,
    queries: Vec<&'static str>,
}

/// A trial for each section.
pub(crate) fn trials() -> Vec<Trial> {
    let trials = sections().into_iter().map(|section| {
        let words = section.name.to_lowercase();
        let words: Vec<&str> =
            words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        trial(&format!("differential::{}", words.join("_")), move || compare(section))
    });
    trials.collect()
}

/// Says how much was compared, if anything was.
pub(crate) fn report() {
    let [asked, equal, rows] = [&ASKED, &EQUAL, &ROWS].map(|count| count.load(Ordering::Relaxed));
    if asked > 0 {
        eprintln!("{equal} of {asked} queries are equal over HTTP and TCP, with {rows} rows");
    }
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in STATEMENTS.lines().filter(|line| !line.is_empty() && !writes(line)) {
        match (line.strip_prefix("-- "), sections.last_mut()) {
            (Some(name), _) => sections.push(Section { name, queries: Vec::new() }),
            (None, Some(section)) => section.queries.push(line),
            (None, None) => sections.push(Section { name: "unnamed", queries: vec![line] }),
        }
    }
    sections
}

fn writes(statement: &str) -> bool {
    statement.split(' ').next().is_some_and(|word| WRITES.contains(&word))
}

/// Asks all before it judges, so that one run tells every difference.
async fn compare(section: Section) -> Result<()> {
    ensure!(!section.queries.is_empty(), "there is no query here");
    let world = world().await?;
    prepare(&world).await?;
    let mut differences = Vec::new();
    for sql in section.queries {
        ASKED.fetch_add(1, Ordering::Relaxed);
        match same(&world, sql).await {
            Ok(rows) => {
                EQUAL.fetch_add(1, Ordering::Relaxed);
                ROWS.fetch_add(rows, Ordering::Relaxed);
            }
            Err(error) => differences.push(format!("{}\n{error:#}", shortened(sql))),
        }
    }
    ensure!(differences.is_empty(), "{}", differences.join("\n\n"));
    Ok(())
}

/// Runs the statements that write, once, in their order.
async fn prepare(world: &World) -> Result<()> {
    static PREPARED: OnceCell<()> = OnceCell::const_new();
    let prepared = PREPARED.get_or_try_init(|| async {
        for statement in STATEMENTS.lines().filter(|line| writes(line)) {
            world.admin(statement).await.with_context(|| shortened(statement))?;
        }
        anyhow::Ok(())
    });
    prepared.await.copied()
}

/// How many rows the equal answers have.
async fn same(world: &World, sql: &'static str) -> Result<usize> {
    let http = query(world, Scheme::Http, world.clickhouse().http_port(), sql)?;
    let tcp = query(world, Scheme::Tcp, world.clickhouse().tcp_port(), sql)?;
    let http = ask::ask(&http).await.told().context("over HTTP")?;
    let tcp = ask::ask(&tcp).await.told().context("over TCP")?;
    ensure!(!http.columns.is_empty(), "no column came");
    check(&http, &tcp)?;
    Ok(http.rows.len())
}

fn query(world: &World, scheme: Scheme, port: u16, sql: &'static str) -> Result<QueryRequest> {
    let (sql, own) = sent_apart(sql);
    let allowed: Vec<String> = SETTINGS.iter().map(|name| (*name).to_owned()).collect();
    let credential = ask::password("admin", world.password("admin")?);
    let mut request = ask::query(scheme, port, credential, ask::reading(sql, &allowed)?);
    // Those of HTTP are not sent over TCP.
    request.settings = FORMAT_SETTINGS.iter().map(|(name, value)| Setting::new(*name, *value)).collect();
    request.settings.extend(own);
    Ok(request)
}

/// Takes a setting off the statement that has to stand beside it.
fn sent_apart(sql: &'static str) -> (&'static str, Option<Setting>) {
    let setting = sql.rsplit_once(" SETTINGS ").and_then(|(sql, clause)| {
        let (name, value) = clause.split_once(" = ")?;
        APART.contains(&name).then(|| (sql, Setting::new(name, value.trim_matches('\''))))
    });
    setting.map_or((sql, None), |(sql, setting)| (sql, Some(setting)))
}

fn check(http: &Told, tcp: &Told) -> Result<()> {
    ensure!(http.columns == tcp.columns, "columns {:?}\nover TCP {:?}", http.columns, tcp.columns);
    if let Some(at) = http.rows.iter().zip(&tcp.rows).position(|(http, tcp)| http != tcp) {
        let [http, tcp] = [http, tcp].map(|told| told.rows.get(at).map_or("", String::as_str));
        bail!("row {at}\nover HTTP {}\nover TCP  {}", shortened(http), shortened(tcp));
    }
    ensure!(http.rows.len() == tcp.rows.len(), "{} rows, over TCP {}", http.rows.len(), tcp.rows.len());
    Ok(())
}

fn shortened(text: &str) -> String {
    text.chars().take(300).collect()
}
