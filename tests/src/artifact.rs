//! Where the things under test lie: `tests/run` builds them, and a variable can name another place.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The native binary: `HOUSEKEY_BIN`, else the one that was built beside this test.
pub fn housekey() -> Result<PathBuf> {
    let beside = || -> Option<PathBuf> {
        let test = env::current_exe().ok()?;
        Some(test.parent()?.parent()?.join("housekey"))
    };
    existing("HOUSEKEY_BIN", named("HOUSEKEY_BIN").or_else(beside), "cargo build -p housekey")
}

/// The portable component: `HOUSEKEY_COMPONENT`, else where `tests/setup/build-component` leaves it.
pub fn component() -> Result<PathBuf> {
    let built = workspace().join("target/wasm/housekey_edge.wasm");
    let path = named("HOUSEKEY_COMPONENT").unwrap_or(built);
    existing("HOUSEKEY_COMPONENT", Some(path), "tests/setup/build-component")
}

/// The component for Spin: `HOUSEKEY_SPIN_COMPONENT`, else where `tests/setup/build-component spin` leaves it.
pub fn spin_component() -> Result<PathBuf> {
    let built = workspace().join("target/wasm-spin/housekey_spin.wasm");
    let path = named("HOUSEKEY_SPIN_COMPONENT").unwrap_or(built);
    existing("HOUSEKEY_SPIN_COMPONENT", Some(path), "tests/setup/build-component spin")
}

/// The component for Housekey's own host: `HOUSEKEY_HOSTED_COMPONENT`, else where `tests/setup/build-component hosted`
/// leaves it.
pub fn hosted_component() -> Result<PathBuf> {
    let built = workspace().join("target/wasm-hosted/housekey_hosted.wasm");
    let path = named("HOUSEKEY_HOSTED_COMPONENT").unwrap_or(built);
    existing("HOUSEKEY_HOSTED_COMPONENT", Some(path), "tests/setup/build-component hosted")
}

/// A component that attacks its host: `HOUSEKEY_HOSTILE_GUEST`, else where `tests/setup/build-hostile-guest` leaves it.
pub fn hostile_guest() -> Result<PathBuf> {
    let built = workspace().join("target/wasm-hostile/hostile_guest.wasm");
    let path = named("HOUSEKEY_HOSTILE_GUEST").unwrap_or(built);
    existing("HOUSEKEY_HOSTILE_GUEST", Some(path), "tests/setup/build-hostile-guest")
}

/// A stock wasmtime: `HOUSEKEY_WASMTIME`, else the one that `tests/setup/wasmtime` installs.
pub fn wasmtime() -> Result<PathBuf> {
    let path = named("HOUSEKEY_WASMTIME").or_else(|| cached("wasmtime-48.0.8/bin/wasmtime"));
    existing("HOUSEKEY_WASMTIME", path, "tests/setup/wasmtime")
}

/// A Node that is new enough for every client: the folder `HOUSEKEY_NODE_BIN`, as `tests/setup/node` prints it.
pub fn node() -> Result<PathBuf> {
    let path = named("HOUSEKEY_NODE_BIN").map(|folder| folder.join("node"));
    existing("HOUSEKEY_NODE_BIN", path, "tests/setup/node")
}

/// A Chromium: `HOUSEKEY_CHROMIUM`, else the one on PATH.
pub fn chromium() -> Result<PathBuf> {
    let on_path = || {
        let folders = env::var_os("PATH")?;
        env::split_paths(&folders).map(|folder| folder.join("chromium")).find(|path| path.is_file())
    };
    existing("HOUSEKEY_CHROMIUM", named("HOUSEKEY_CHROMIUM").or_else(on_path), "tests/setup/chromium")
}

/// A Python with an MCP client: the interpreter in that variable, as `tests/setup/python-venv` prints it.
pub fn python(variable: &str) -> Result<PathBuf> {
    existing(variable, named(variable), "tests/setup/python-venv")
}

/// The client with the official Rust SDK: `HOUSEKEY_RMCP_CLIENT`, else where `tests/setup/build-rmcp-client` leaves it.
pub fn rmcp_client() -> Result<PathBuf> {
    let built = workspace().join("target/rmcp-client/debug/rmcp-client");
    let path = named("HOUSEKEY_RMCP_CLIENT").unwrap_or(built);
    existing("HOUSEKEY_RMCP_CLIENT", Some(path), "tests/setup/build-rmcp-client")
}

/// A file in Housekey's private folder.
pub fn cached(name: &str) -> Option<PathBuf> {
    housekey::demo::clickhouse::cache_folder().ok().map(|folder| folder.join(name))
}

/// The root of the checkout.
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

fn named(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn existing(variable: &str, path: Option<PathBuf>, maker: &str) -> Result<PathBuf> {
    let path = path.with_context(|| format!("no place is known: set {variable}"))?;
    ensure!(path.is_file(), "{} is missing: run `{maker}`, or set {variable}", path.display());
    Ok(path)
}
