//! The engine, and the component compiled and linked once for all requests.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, PoolingAllocationConfig};
use wasmtime_wasi_http::p2::bindings::{ProxyPre, http::types};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView as _};

use super::store::State;
use super::{Limits, LoadError, native_import};

/// How often running guests are asked to let others run.
const TICK: Duration = Duration::from_millis(10);

/// A component that is ready to answer.
pub struct Hosted {
    pub(super) pre: ProxyPre<State>,
    pub(super) limits: Limits,
    pub(super) turns: Arc<Semaphore>,
    world: World,
    imports: Vec<String>,
    _ticker: Ticker,
}

impl Hosted {
    /// Reads, compiles and links a component. This takes a second or two of this thread.
    ///
    /// # Errors
    /// When the file is not one that can be hosted.
    pub fn load(path: &Path, limits: Limits) -> Result<Self, LoadError> {
        let config = engine_config(&limits).map_err(|problem| LoadError::Engine(format!("{problem:#}")))?;
        Self::load_into(path, limits, &config)
    }

    /// The same in an engine of one's own.
    pub(crate) fn load_into(path: &Path, limits: Limits, config: &Config) -> Result<Self, LoadError> {
        let bytes =
            std::fs::read(path).map_err(|problem| LoadError::Read { path: path.to_owned(), problem })?;
        let engine = Engine::new(config).map_err(|problem| LoadError::Engine(format!("{problem:#}")))?;
        let component = Component::from_binary(&engine, &bytes).map_err(|problem| LoadError::Compile {
            path: path.to_owned(),
            problem: format!("{problem:#}"),
        })?;
        let component_type = component.component_type();
        let imports: Vec<String> = component_type.imports(&engine).map(|(name, _)| name.to_owned()).collect();
        let world = World::of(path, &imports)?;
        let pre = link(&engine, &component, world)
            .map_err(|problem| LoadError::Link { path: path.to_owned(), problem: format!("{problem:#}") })?;
        let turns =
            Arc::new(Semaphore::new(usize::try_from(limits.concurrent).unwrap_or(Semaphore::MAX_PERMITS)));
        Ok(Self {
            pre,
            limits,
            turns,
            world,
            imports,
            _ticker: Ticker::start(&engine).map_err(|problem| LoadError::Engine(problem.to_string()))?,
        })
    }

    /// Which build it is.
    pub fn world(&self) -> World {
        self.world
    }

    /// The interfaces that the component imports, for the log at start.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }
}

/// Which build of the component a file holds, as its imports tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// The portable one. It gets the whole configuration, secrets included, and speaks HTTP to ClickHouse itself.
    Edge,
    /// The one for this host. It gets no secret and no way out but queries as the caller whom the host authenticated.
    Hosted,
}

/// What the world `hosted` may import beside the host's connections: no files, no sockets, no requests of its own.
const BESIDE_CONNECTIONS: [&str; 5] =
    ["wasi:cli/", "wasi:clocks/", "wasi:io/", "wasi:random/", "wasi:http/types@"];

impl World {
    fn of(path: &Path, imports: &[String]) -> Result<Self, LoadError> {
        let is_lent = |name: &String| name.starts_with("housekey:clickhouse/native@");
        let refused = |name: &String, hint| {
            Err(LoadError::Import { path: path.to_owned(), import: name.clone(), hint })
        };
        if imports.iter().any(is_lent) {
            let beside = |name: &String| BESIDE_CONNECTIONS.iter().any(|known| name.starts_with(known));
            let strange = imports.iter().find(|name| !is_lent(name) && !beside(name));
            return match strange {
                None => Ok(Self::Hosted),
                Some(name) => {
                    refused(name, "a component that queries through this host has no other way out")
                }
            };
        }
        match imports.iter().find(|name| !name.starts_with("wasi:")) {
            None => Ok(Self::Edge),
            Some(name) if name.contains(":spin/") || name.starts_with("spin:") => {
                refused(name, "this is the build for Spin; take housekey_edge.wasm or housekey_hosted.wasm")
            }
            Some(name) => refused(name, "take housekey_edge.wasm or housekey_hosted.wasm"),
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Edge => "the portable build: it holds the secrets and connects by itself",
            Self::Hosted => "the build for this host: it holds no secret and queries as the caller alone",
        })
    }
}

fn engine_config(limits: &Limits) -> wasmtime::Result<Config> {
    // A component of Rust's is one module with a memory and a few small ones that adapt it.
    const MODULES: u32 = 8;
    let count = limits.concurrent;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(count)
        .total_core_instances(count.saturating_mul(MODULES))
        .max_core_instances_per_component(MODULES)
        .total_memories(count)
        .max_memories_per_component(1)
        .max_memory_size(limits.memory_bytes)
        .total_tables(count.saturating_mul(MODULES))
        .max_tables_per_component(MODULES)
        .total_stacks(count)
        // Pages that each request touches anyway are wiped instead of unmapped.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        .async_stack_keep_resident(32 << 10);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // Reserving exactly what may be used lets 256 memories fit where address space is scarce.
        .memory_reservation(u64::try_from(limits.memory_bytes)?)
        .allocation_strategy(pool);
    Ok(config)
}

fn link(engine: &Engine, component: &Component, world: World) -> wasmtime::Result<ProxyPre<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    match world {
        World::Edge => wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?,
        World::Hosted => {
            // Requests come in; none goes out.
            let options = wasmtime_wasi_http::p2::bindings::LinkOptions::default();
            types::add_to_linker::<_, WasiHttp>(&mut linker, &options.into(), State::http)?;
            native_import::add_to_linker(&mut linker)?;
        }
    }
    ProxyPre::new(linker.instantiate_pre(component)?)
}

/// A thread that counts time for the engine's guests. It ends when this is dropped.
struct Ticker(
    #[allow(dead_code, reason = "dropping it is what ends the thread")] std::sync::mpsc::Sender<()>,
);

impl Ticker {
    fn start(engine: &Engine) -> std::io::Result<Self> {
        let (alive, ended) = std::sync::mpsc::channel();
        let engine = engine.clone();
        std::thread::Builder::new().name("housekey-epoch".into()).spawn(move || {
            while ended.recv_timeout(TICK) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        })?;
        Ok(Self(alive))
    }
}
