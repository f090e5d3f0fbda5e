//! What Housekey adds to a query: `SELECT 1` straight to ClickHouse over a kept-alive connection, through the native
//! host, and through the hosted component, side by side, at 1 and 32 clients.
//!
//! Straight means the very request that Housekey sends, byte for byte but for the `query_id`; a fourth way without any
//! settings shows what ClickHouse itself takes for those. All are measured in turn, round after round, so that a machine whose speed drifts is unfair to all alike.
//! It prints medians, throughput, ratios, and the processor time that the host itself took for a request.
//!
//!     cargo bench -p system-tests --bench overhead            # needs tests/setup/build-component first

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use housekey_core::clickhouse::http::encode;
use housekey_core::config::{self, Sources};
use housekey_core::exchange::{Admission, Inbound, Step, admit, begin};
use system_tests::host::{Host, Server};
use system_tests::settings::Settings;
use system_tests::world::world;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ROUNDS: usize = 5;
const CLIENTS: [usize; 2] = [1, 32];
const SPAN: Duration = Duration::from_millis(1500);
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 1"}}}"#;

/// One of the three ways to the same row.
struct Way {
    name: &'static str,
    address: String,
    request: Vec<u8>,
    /// What the answer must contain, so that errors are not measured.
    proof: &'static str,
    process: Option<u32>,
}

/// What one round of one way gave.
struct Sample {
    /// Requests in a second.
    rate: f64,
    /// Microseconds at the median.
    median: f64,
    /// Microseconds of processor time of the host for a request.
    cpu: Option<f64>,
}

fn main() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let result = measure().await;
        system_tests::world::end().await;
        result
    })
}

async fn measure() -> Result<()> {
    let world = world().await?;
    let settings = Settings::login(&world, "alice")?.with("LOG_LEVEL", "warn");
    let native = Server::start(Host::NativeHttp, &settings).await?;
    let hosted = Server::start(Host::HostedComponent, &settings).await?;
    let address = format!("127.0.0.1:{}", world.clickhouse().http_port());
    let (path, head, statement) = sent(&settings)?;
    let straight = |name, path: &str| Way {
        name,
        request: request(path, &head, &statement),
        address: address.clone(),
        proof: "UInt8",
        process: None,
    };
    let ways = [
        straight("direct", &path),
        straight("direct, no settings", "/"),
        through("native", &native),
        through("hosted component", &hosted),
    ];
    for clients in CLIENTS {
        report(clients, &ways).await?;
    }
    for (name, server) in [("native", &native), ("hosted component", &hosted)] {
        let resident = resident_kib(server.process_id().context("no process")?)?;
        println!("{name}: {:.1} MiB resident after the rounds", resident as f64 / 1024.0);
    }
    Ok(())
}

/// Path, headers and body of the request that Housekey makes of the call, without its `query_id`.
fn sent(settings: &Settings) -> Result<(String, String, String)> {
    let environment = settings.iter().chain([("MCP_TRANSPORT", "http")]);
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let sources = Sources { environment, ..Sources::default() };
    let config = config::load(config::Host::Native, &sources, &|_| Err("no files here".into()))?.config;
    let native = housekey::serve::native(config)?;
    let head = http::Request::post("/mcp")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2025-11-25")
        .body(())?
        .into_parts()
        .0;
    let step = native.step(|env| match admit(env, native.service(), &head) {
        Admission::Read(admitted) => Some(begin(env, Inbound::Http(admitted, CALL.into()))),
        Admission::Learn(_) => panic!("nothing has to be learned"),
        Admission::Answer(_) => None,
    });
    let Some(Step::Query(query, _)) = step else { bail!("the call is no query") };
    let encoded = encode(&query)?;
    let path = encoded.uri().path_and_query().context("no path")?.as_str();
    let (before, rest) = path.split_once("query_id=").context("no query_id")?;
    let path = format!("{before}{}", rest.split_once('&').map_or("", |(_, rest)| rest));
    let mut head = String::new();
    for (name, value) in encoded.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str()?));
    }
    Ok((path, head, String::from_utf8(encoded.body().to_vec())?))
}

fn through(name: &'static str, server: &Server) -> Way {
    let head = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
                MCP-Protocol-Version: 2025-11-25\r\n";
    Way {
        name,
        address: server.url().trim_start_matches("http://").to_owned(),
        request: request("/mcp", head, CALL),
        proof: "structuredContent",
        process: server.process_id(),
    }
}

fn request(path: &str, head: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

async fn report(clients: usize, ways: &[Way]) -> Result<()> {
    let mut samples: Vec<Vec<Sample>> = ways.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        for (way, taken) in ways.iter().zip(&mut samples) {
            let sample = sample(way, clients).await?;
            // The first round warms pools and caches.
            if round > 0 {
                taken.push(sample);
            }
        }
    }
    println!("{clients} client(s), medians of {ROUNDS} rounds:");
    let mut direct = None;
    for (way, taken) in ways.iter().zip(&samples) {
        let rate = middle(taken.iter().map(|sample| sample.rate));
        let median = middle(taken.iter().map(|sample| sample.median));
        let cpu = taken.iter().filter_map(|sample| sample.cpu).collect::<Vec<_>>();
        let (direct_rate, direct_median) = *direct.get_or_insert((rate, median));
        println!(
            "  {:<20} {rate:>7.0} queries/s  {median:>8.0} us at the median  {:>5.1}% of direct  {:>+7.0} us{}",
            way.name,
            100.0 * rate / direct_rate,
            median - direct_median,
            if cpu.is_empty() {
                String::new()
            } else {
                format!("  {:.0} us of own CPU", middle(cpu.into_iter()))
            },
        );
    }
    Ok(())
}

async fn sample(way: &Way, clients: usize) -> Result<Sample> {
    let before = way.process.map(cpu_micros).transpose()?;
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..clients {
        let (address, request, proof) = (way.address.clone(), way.request.clone(), way.proof);
        tasks.push(tokio::spawn(async move { one_client(&address, &request, proof, begun).await }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let elapsed = begun.elapsed();
    let count = times.len() as f64;
    let cpu = match (before, way.process) {
        (Some(before), Some(process)) => Some((cpu_micros(process)? - before) / count),
        _ => None,
    };
    Ok(Sample { rate: count / elapsed.as_secs_f64(), median: middle(times.into_iter()), cpu })
}

/// Asks again and again on one connection; the times are microseconds.
async fn one_client(address: &str, request: &[u8], proof: &str, begun: Instant) -> Result<Vec<f64>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut times = Vec::new();
    let mut buffer = Vec::with_capacity(8192);
    while begun.elapsed() < SPAN {
        let asked = Instant::now();
        stream.write_all(request).await?;
        let answer = answer(&mut stream, &mut buffer).await?;
        times.push(asked.elapsed().as_secs_f64() * 1e6);
        if !answer.contains(proof) {
            bail!("not the answer that was asked for: {answer}");
        }
    }
    Ok(times)
}

/// Reads one answer, by its length or by its chunks.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<String> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the connection was closed");
        }
        let text = String::from_utf8_lossy(buffer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let whole = match head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()) {
            Some(length) => body.len() >= length.trim().parse::<usize>()?,
            None => body.ends_with("0\r\n\r\n"),
        };
        if whole {
            return Ok(text.into_owned());
        }
    }
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// User and system time of a process, in microseconds; Linux counts it in hundredths of a second.
fn cpu_micros(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields =
        stat.rsplit_once(')').context("no command in stat")?.1.split_whitespace().collect::<Vec<_>>();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("stat is too short")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) * 10_000.0)
}

fn resident_kib(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
