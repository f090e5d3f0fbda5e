//! `housekey demo`: the whole of Housekey on one computer, as a story told at a terminal.
//!
//! It starts a ClickHouse of its own, or reads one that is named to it, starts Housekey before it, asks questions as
//! two people over MCP, shows what each of them saw and who ClickHouse says they were, and stays up for clients of
//! the reader's own. [`clickhouse`] is the fixture that the tests share.
//!
//! Deliberately absent: short cuts. Every answer that is shown came over HTTP, through the same server that serves
//! otherwise.

pub mod clickhouse;
mod client;
mod connect;
mod display;
mod house;
mod named;
mod narrative;
mod options;
mod reader;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;
use housekey_core::config::Level;

use crate::serve::http::Server;
use crate::serve::shutdown::Shutdown;
use crate::{host, logging};
use clickhouse::ClickHouse;
use display::{Display, Installing};
use house::{House, Upstream};
use narrative::Story;
use options::{NamedServer, Options};
use reader::Reader;

/// What a shell reports of a program that Ctrl-C ended (128 and the number of SIGINT).
const INTERRUPTED: u8 = 130;

/// The people of the ClickHouse that the demo brings along.
const PEOPLE: [&str; 2] = ["alice", "bob"];

/// Runs the demo with the arguments that follow `demo`.
///
/// # Errors
/// What keeps it from being shown.
pub async fn run(arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let options = match options::parse(arguments) {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            return Ok(if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS });
        }
    };
    logging::start(Level::Warn);
    host::install_cryptography();
    let shutdown = Shutdown::on_signals().context("signals cannot be followed")?;
    let display = Display::on_standard_output();
    // What is dropped half-way takes its processes with it.
    let stage = tokio::select! {
        stage = show(&options, &display) => stage?,
        () = shutdown.draining() => {
            display.note("Stopped before the end.");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    if !options.once {
        display.note("Housekey is running. Ctrl-C stops everything.");
        shutdown.draining().await;
    }
    stage.clear(&shutdown).await;
    display.note("Stopped: nothing is left running.");
    Ok(ExitCode::SUCCESS)
}

/// What runs while the demo is up.
struct Stage {
    house: House,
    clickhouse: Option<ClickHouse>,
}

impl Stage {
    /// Stops Housekey first, so that nobody asks a ClickHouse that has gone.
    async fn clear(self, shutdown: &Shutdown) {
        self.house.close(shutdown).await;
        if let Some(clickhouse) = self.clickhouse {
            clickhouse.stop().await;
        }
    }
}

async fn show(options: &Options, display: &Display) -> anyhow::Result<Stage> {
    display.title("Housekey: MCP for ClickHouse, each query as the person who asks");
    // First of all, because it fails fast.
    let door = house::bind(options.port).await?;
    let stage = match &options.server {
        Some(server) => with_named_server(options, server, door, display).await?,
        None => with_own_server(options, door, display).await?,
    };
    connect::show(display, &stage.house, &people(options))?;
    Ok(stage)
}

async fn with_own_server(options: &Options, door: Server, display: &Display) -> anyhow::Result<Stage> {
    let clickhouse = start_clickhouse().await?;
    let upstream = Upstream {
        url: reqwest::Url::parse(&clickhouse.http_url())
            .context("ClickHouse's own address cannot be read")?,
        username: clickhouse.gateway_user().to_owned(),
        password: clickhouse.gateway_password().to_owned(),
    };
    let house = House::open(door, &upstream, options)?;
    let admin = Reader::new(&upstream.url, clickhouse.admin_user(), clickhouse.admin_password())?;
    let version =
        format!("{}, embedded, with an empty data folder that goes away again", clickhouse::VERSION);
    display.facts(&[
        ("ClickHouse", &clickhouse.http_url(), &version),
        ("Housekey", &house.url(), &house.description()),
    ]);
    let story = Story { display, house: &house, people: people(options), reader: &admin };
    story.of_own_server().await?;
    Ok(Stage { house, clickhouse: Some(clickhouse) })
}

async fn start_clickhouse() -> anyhow::Result<ClickHouse> {
    let progress = Installing::on_standard_error();
    let installed = async { clickhouse::install(&clickhouse::cache_folder()?, &progress).await };
    let installation = installed.await.map_err(|error| {
        anyhow::anyhow!("{error}\n`housekey demo --help` says how to use a ClickHouse of your own instead")
    })?;
    progress.done("Starting ClickHouse");
    let options = clickhouse::Options { init: clickhouse::demo_data(), ..clickhouse::Options::default() };
    Ok(ClickHouse::start(&installation, options).await?)
}

async fn with_named_server(
    options: &Options,
    server: &NamedServer,
    door: Server,
    display: &Display,
) -> anyhow::Result<Stage> {
    named::explain(display, server);
    let gateway = Reader::new(&server.upstream.url, &server.upstream.username, &server.upstream.password)?;
    let version = named::check(display, server, &gateway).await?;
    let house = House::open(door, &server.upstream, options)?;
    display.heading("What runs now");
    let address = server.upstream.url.as_str().trim_end_matches('/');
    display.facts(&[
        ("ClickHouse", address, &format!("{version}, yours: it is only read")),
        ("Housekey", &house.url(), &house.description()),
    ]);
    let story = Story { display, house: &house, people: people(options), reader: &gateway };
    story.of_named_server().await?;
    Ok(Stage { house, clickhouse: None })
}

fn people(options: &Options) -> Vec<String> {
    match &options.server {
        Some(server) => server.people.clone(),
        None => PEOPLE.map(str::to_owned).to_vec(),
    }
}
