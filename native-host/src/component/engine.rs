//! The engine, and the component compiled and linked once for all requests.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, PoolingAllocationConfig};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::outgoing::Outgoing;
use super::store::State;
use super::{Limits, LoadError};
use crate::clickhouse::OutgoingClients;

/// How often running guests are asked to let others run.
const TICK: Duration = Duration::from_millis(10);

/// A component that is ready to answer.
pub struct Hosted {
    pub(super) pre: ProxyPre<State>,
    pub(super) environment: Arc<[(String, String)]>,
    pub(super) limits: Limits,
    pub(super) outgoing: Arc<Outgoing>,
    pub(super) turns: Arc<Semaphore>,
    imports: Vec<String>,
    _ticker: Ticker,
}

impl Hosted {
    /// Reads, compiles and links a component. This takes a second or two of this thread.
    ///
    /// `environment` is all the guest sees of it; `clients` carry its requests to where `limits` lets it connect.
    ///
    /// # Errors
    /// When the file is not one that can be hosted.
    pub fn load(
        path: &Path,
        environment: Vec<(String, String)>,
        limits: Limits,
        clients: OutgoingClients,
    ) -> Result<Self, LoadError> {
        let bytes =
            std::fs::read(path).map_err(|problem| LoadError::Read { path: path.to_owned(), problem })?;
        let engine = engine(&limits).map_err(|problem| LoadError::Engine(format!("{problem:#}")))?;
        let component = Component::from_binary(&engine, &bytes).map_err(|problem| LoadError::Compile {
            path: path.to_owned(),
            problem: format!("{problem:#}"),
        })?;
        let imports = standard_imports(path, &engine, &component)?;
        let pre = link(&engine, &component)
            .map_err(|problem| LoadError::Link { path: path.to_owned(), problem: format!("{problem:#}") })?;
        let outgoing = Outgoing::new(clients, limits.outbound.clone())
            .map_err(|problem| LoadError::Engine(problem.to_string()))?;
        let turns =
            Arc::new(Semaphore::new(usize::try_from(limits.concurrent).unwrap_or(Semaphore::MAX_PERMITS)));
        Ok(Self {
            pre,
            environment: environment.into(),
            limits,
            outgoing: Arc::new(outgoing),
            turns,
            imports,
            _ticker: Ticker::start(&engine).map_err(|problem| LoadError::Engine(problem.to_string()))?,
        })
    }

    /// The interfaces that the component imports, for the log at start.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }
}

fn engine(limits: &Limits) -> wasmtime::Result<Engine> {
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
    Engine::new(&config)
}

/// The imports, all of which are `wasi:*`.
fn standard_imports(path: &Path, engine: &Engine, component: &Component) -> Result<Vec<String>, LoadError> {
    let component_type = component.component_type();
    let imports: Vec<String> = component_type.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let Some(strange) = imports.iter().find(|name| !name.starts_with("wasi:")) else { return Ok(imports) };
    let hint = if strange.contains(":spin/") || strange.starts_with("spin:") {
        "this is the build for Spin; take housekey_edge.wasm"
    } else if strange.starts_with("housekey:clickhouse/") {
        "this build wants the host's native connections, which this release does not lend; take housekey_edge.wasm"
    } else {
        "take housekey_edge.wasm"
    };
    Err(LoadError::Import { path: path.to_owned(), import: strange.clone(), hint })
}

fn link(engine: &Engine, component: &Component) -> wasmtime::Result<ProxyPre<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
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
