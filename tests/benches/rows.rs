//! A million rows of mixed columns out of a real ClickHouse, as JSON over HTTP and over the native protocol: by Housekey's
//! client, by core's codecs alone on a blocking socket, and by a client that throws all bytes away, which shows what
//! the server alone takes. And the memory that rows take which are fetched past a cap.
//!
//! The client and ClickHouse share the processors. Elapsed is the least of the rounds, as is the processor time of the
//! client's own thread; on a machine that does other work only the latter says much.
//!
//!     cargo bench -p system-tests --bench rows

#[path = "rows/wire.rs"]
mod wire;

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use housekey::clickhouse::Client;
use housekey_core::clickhouse::native::Compression;
use housekey_core::clickhouse::{
    ChosenBy, Credential, Endpoint, QueryEvent, QueryRequest, ReadLimits, RowLimits, Rows, RunAs, Scheme,
    Setting, Statement, Taken as Wanted,
};
use housekey_core::config::{self, Sources};
use housekey_core::sql::{Inner, ReadOnlySql, Rules};
use system_tests::world::{World, world};
use wire::{Clock, Taken};

const ROUNDS: usize = 7;
const ROWS: usize = 1_000_000;
const SQL: &str = "SELECT * FROM scratch.mixed";
const TABLE: &str = "
    CREATE TABLE scratch.mixed
        (id UInt64, region LowCardinality(String), name String, price Decimal(18, 2), at DateTime, ratio Float64)
    ENGINE = Memory AS
    SELECT number, ['north', 'south', 'east', 'west'][1 + number % 4],
        concat('customer ', toString(cityHash64(number) % 100000)),
        toDecimal64(cityHash64(number, 1) % 10000000, 2) / 100,
        toDateTime('2024-01-01 00:00:00') + number * 37, (cityHash64(number, 2) % 1000000007) / 1000
    FROM numbers(1000000)";

fn main() -> Result<()> {
    // One thread, so that its processor time is that of the client.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let result = measure().await;
        system_tests::world::end().await;
        result
    })
}

async fn measure() -> Result<()> {
    let world = world().await?;
    world.admin(TABLE).await?;
    let client = client()?;
    let names = [
        "HTTP, Housekey's client",
        "native, Housekey's client",
        "HTTP, core alone",
        "native, core alone",
        "native with LZ4, core alone",
        "HTTP, thrown away",
        "native, thrown away",
        "native with LZ4, thrown away",
    ];
    let mut least: Vec<Option<Taken>> = vec![None; names.len()];
    for _ in 0..ROUNDS {
        let (http, tcp) = (|| request(&world, Scheme::Http, SQL), || request(&world, Scheme::Tcp, SQL));
        let round = [
            fetch(&client, &http()?, RowLimits::default()).await?,
            fetch(&client, &tcp()?, RowLimits::default()).await?,
            wire::http(&http()?)?,
            wire::native(&tcp()?, Compression::Off)?,
            wire::native(&tcp()?, Compression::Lz4)?,
            wire::drained_http(&http()?)?,
            wire::drained_native(&tcp()?, Compression::Off)?,
            wire::drained_native(&tcp()?, Compression::Lz4)?,
        ];
        // Whichever way they came, they are the same rows.
        let came = |taken: &Taken| (taken.rows, taken.json);
        let decoded = round.get(..5).unwrap_or_default();
        ensure!(decoded.windows(2).all(|pair| matches!(pair, [a, b] if came(a) == came(b))), "{decoded:?}");
        for (least, taken) in least.iter_mut().zip(round) {
            *least = Some(least.map_or(taken, |least| least.or_less(taken)));
        }
    }
    let first = least.first().copied().flatten().context("no round")?;
    for (name, taken) in names.iter().zip(least.iter().flatten()) {
        println!(
            "{name:<30} {:>7.1} ms  {:>6.2} M rows/s  {:>5.2} times the first  {:>7.1} ms of processor  {:>6} KiB",
            millis(taken.elapsed),
            ROWS as f64 / taken.elapsed.as_secs_f64() / 1e6,
            first.elapsed.as_secs_f64() / taken.elapsed.as_secs_f64(),
            millis(taken.processor),
            taken.wire >> 10,
        );
    }
    // What is beyond the cap is read and dropped, however much it is.
    for millions in [1, 4] {
        let sql = format!("{SQL}{}", format!(" UNION ALL {SQL}").repeat(millions - 1));
        fs::write("/proc/self/clear_refs", "5")?;
        let limits = RowLimits { rows: Some(1000), bytes: None };
        fetch(&client, &request(&world, Scheme::Tcp, &sql)?, limits).await?;
        println!("a cap of 1000 in {millions} million rows, all read: {} MiB at the peak", peak()? >> 10);
    }
    Ok(())
}

/// Asks Housekey's client, reads all rows and keeps those within the limits.
async fn fetch(client: &Client, request: &QueryRequest, limits: RowLimits) -> Result<Taken> {
    let keeps = limits != RowLimits::default();
    let clock = Clock::start()?;
    let mut kept = Rows::new(limits);
    let mut answer = client.send(request);
    let (mut rows, mut json) = (0, 0);
    loop {
        let event = answer.next().await;
        match &event {
            QueryEvent::Rows(more) => {
                rows += more.len();
                json += more.text().len();
            }
            QueryEvent::Header(_) | QueryEvent::Progress { .. } => {}
            QueryEvent::End => return clock.taken(rows, json, 0),
            QueryEvent::Exception(_) | QueryEvent::Broken(_) | QueryEvent::RowTooLong => bail!("{event:?}"),
        }
        // A host would stop here; it is the rows behind the cap that are measured.
        if keeps {
            let (Wanted::More | Wanted::Enough) = kept.accept(event);
        }
    }
}

fn request(world: &World, scheme: Scheme, sql: &str) -> Result<QueryRequest> {
    let clickhouse = world.clickhouse();
    let port = match scheme {
        Scheme::Http | Scheme::Https => clickhouse.http_port(),
        Scheme::Tcp | Scheme::Tcps => clickhouse.tcp_port(),
    };
    Ok(QueryRequest {
        endpoint: Endpoint { scheme, host: "127.0.0.1".to_owned(), port },
        chosen_by: ChosenBy::Operator,
        credential: Credential::Password {
            username: "admin".to_owned(),
            password: world.password("admin")?.into(),
        },
        run_as: RunAs::Login,
        roles: Vec::new(),
        database: None,
        statement: Statement::ReadOnly(ReadOnlySql::parse(sql, &Rules::internal())?),
        parameters: Vec::new(),
        data: None,
        inner: Inner::default(),
        // With a setting, as Housekey's queries always have, LZ4 is asked for by name.
        settings: vec![Setting::new("max_execution_time", "60")],
        headers: Vec::new(),
        trace: None,
        query_id: format!("rows-{:032x}", rand::random::<u128>()),
        deadline_seconds: 60,
        progress: false,
        refused: Vec::new(),
        limits: ReadLimits { row_bytes: 1 << 20 },
    })
}

fn client() -> Result<Client> {
    let environment = vec![("MCP_TRANSPORT".to_owned(), "http".to_owned())];
    let sources = Sources { environment, ..Sources::default() };
    let config = config::load(config::Host::Native, &sources, &|_| Err("no files here".into()))?.config;
    Ok(Client::new(&config)?)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// KiB of memory that this process had at most since it was last asked to forget.
fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
