//! The table says which versions are run, and the lock files what is installed.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use system_tests::clients::{CLIENTS, Program};

use crate::program::clients;

/// Compares each client with its lock file.
pub(crate) fn check() -> Result<()> {
    let read = |path: &str| {
        let path = clients().join(path);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let node: Value = serde_json::from_str(&read("node/package-lock.json")?)?;
    let cargo = read("rmcp/Cargo.lock")?;
    for client in CLIENTS {
        let pinned = match client.program {
            Program::Node { sdk, .. } => {
                node["packages"][format!("node_modules/{sdk}")]["version"].as_str().map(str::to_owned)
            }
            Program::Inspector(_) | Program::Bridge => node["packages"]
                [format!("node_modules/{}", client.package)]["version"]
                .as_str()
                .map(str::to_owned),
            Program::Python { requirements, .. } => {
                let prefix = format!("{}==", client.package);
                let text = read(&format!("python/{requirements}"))?;
                text.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
            }
            Program::Rust(_) => {
                let (_, after) = cargo.split_once("name = \"rmcp\"\nversion = \"").context("no rmcp")?;
                after.split('"').next().map(str::to_owned)
            }
        };
        let (name, version) = (client.name, client.version);
        ensure!(
            pinned.as_deref() == Some(version),
            "{name} is {version} in the table and {pinned:?} in its lock file"
        );
    }
    Ok(())
}
