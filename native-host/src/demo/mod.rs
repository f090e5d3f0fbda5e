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
mod query_log;
mod reader;
mod upstream;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::Context as _;
use housekey_core::config::Level;

use crate::component::World;
use crate::serve::http::Server;
use crate::serve::shutdown::Shutdown;
use crate::{host, logging};
use clickhouse::ClickHouse;
use display::{Display, Installing};
use house::{Component, House};
use narrative::Story;
use options::{NamedServer, Options};
use reader::Reader;
use upstream::{Gateway, Member, Upstream, Way};

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
    // First of all, because these fail fast.
    let door = house::bind(options.port).await?;
    let component = options.component.as_deref().map(Component::load).transpose()?;
    let stage = match &options.server {
        Some(server) => with_named_server(server, component, door, display).await?,
        None => with_own_server(options.execute_as, component, door, display).await?,
    };
    connect::show(display, &stage.house, &people(options))?;
    Ok(stage)
}

async fn with_own_server(
    execute_as: bool,
    component: Option<Component>,
    door: Server,
    display: &Display,
) -> anyhow::Result<Stage> {
    let world = component.as_ref().map(Component::world);
    let way = match (execute_as, world) {
        (false, None | Some(World::Hosted)) => Way::Interserver,
        (true, _) | (false, Some(World::Edge)) => Way::ExecuteAs,
    };
    let clickhouse = start_clickhouse(way).await?;
    let url =
        reqwest::Url::parse(&clickhouse.http_url()).context("ClickHouse's own address cannot be read")?;
    let admin = Reader::new(&url, clickhouse.admin_user(), clickhouse.admin_password())?;
    let (upstream, explanation) = match way {
        Way::Interserver => as_member(&clickhouse),
        Way::ExecuteAs => as_gateway(&clickhouse, url),
    };
    let house = House::open(door, &upstream, component)?;
    let version =
        format!("{}, embedded, with an empty data folder that goes away again", clickhouse::VERSION);
    display.facts(&[
        ("ClickHouse", &clickhouse.http_url(), &version),
        ("Housekey", &house.url(), house.description()),
    ]);
    display.prose(&explanation);
    if !execute_as && world == Some(World::Edge) {
        display.prose(
            "This component speaks HTTP only; the interserver secret takes housekey_hosted.wasm, or no component.",
        );
    }
    let story =
        Story { display, house: &house, people: PEOPLE.map(str::to_owned).to_vec(), way, reader: &admin };
    story.of_own_server().await?;
    Ok(Stage { house, clickhouse: Some(clickhouse) })
}

async fn start_clickhouse(way: Way) -> anyhow::Result<ClickHouse> {
    let progress = Installing::on_standard_error();
    let installed = async { clickhouse::install(&clickhouse::cache_folder()?, &progress).await };
    let installation = installed.await.map_err(|error| {
        anyhow::anyhow!("{error}\n`housekey demo --help` says how to use a ClickHouse of your own instead")
    })?;
    progress.done("Starting ClickHouse");
    let options = clickhouse::Options {
        init: clickhouse::demo_data(),
        without_execute_as: way == Way::Interserver,
        ..clickhouse::Options::default()
    };
    Ok(ClickHouse::start(&installation, options).await?)
}

/// Housekey in the cluster of which our ClickHouse is the only server, and what that means.
fn as_member(clickhouse: &ClickHouse) -> (Upstream, String) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, clickhouse.tcp_port()));
    let explanation = format!(
        "Housekey knows the interserver secret, by which the servers of a cluster trust each other. Over the native \
         protocol, at {address}, it names the person with each query, without a login. Another way: \
         `housekey demo --execute-as`."
    );
    let member = Member {
        address,
        cluster: clickhouse.cluster_name().to_owned(),
        secret: clickhouse.cluster_secret().to_owned(),
    };
    (Upstream::Member(member), explanation)
}

/// Housekey as a user of our ClickHouse, and what that means.
fn as_gateway(clickhouse: &ClickHouse, url: reqwest::Url) -> (Upstream, String) {
    let gateway = Gateway {
        url,
        username: clickhouse.gateway_user().to_owned(),
        password: clickhouse.gateway_password().to_owned(),
    };
    let explanation = format!(
        "Housekey logs in as `{}`, which reads nothing itself and may act as alice and bob: EXECUTE AS 'alice' \
         SELECT …",
        gateway.username
    );
    (Upstream::Gateway(gateway), explanation)
}

async fn with_named_server(
    server: &NamedServer,
    component: Option<Component>,
    door: Server,
    display: &Display,
) -> anyhow::Result<Stage> {
    named::explain(display, server);
    let gateway = &server.gateway;
    let reader = Reader::new(&gateway.url, &gateway.username, &gateway.password)?;
    let version = named::check(display, server, &reader).await?;
    let address = gateway.url.as_str().trim_end_matches('/');
    let house = House::open(door, &Upstream::Gateway(gateway.clone()), component)?;
    display.heading("What runs now");
    display.facts(&[
        ("ClickHouse", address, &format!("{version}, yours: it is only read")),
        ("Housekey", &house.url(), house.description()),
    ]);
    let people = server.people.clone();
    let story = Story { display, house: &house, people, way: Way::ExecuteAs, reader: &reader };
    story.of_named_server().await?;
    Ok(Stage { house, clickhouse: None })
}

fn people(options: &Options) -> Vec<String> {
    match &options.server {
        Some(server) => server.people.clone(),
        None => PEOPLE.map(str::to_owned).to_vec(),
    }
}
