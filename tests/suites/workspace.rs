//! Invariants of the workspace itself: what core may depend on, what the component may import, how large it may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use system_tests::{artifact, harness};

/// Crates by which a runtime, a socket or a host would come into core. `getrandom`, `tokio` and the like are what
/// `core` takes as inputs instead.
const FORBIDDEN: &[&str] = &[
    "async-std",
    "futures-executor",
    "getrandom",
    "hyper",
    "hyper-util",
    "mio",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "spin-sdk",
    "tokio",
    "wasi",
    "wasip2",
    "wasip3",
    "wasmtime",
    "wit-bindgen",
    "wstd",
];

/// The component must stay small enough for an edge host to load it often.
const LARGEST_COMPONENT: u64 = 3 << 20;

fn tree(target: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--package",
            "housekey-core",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}", "--target", target])
        .current_dir(artifact::workspace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn core_depends_on_no_runtime_and_no_host() {
    for target in ["x86_64-unknown-linux-gnu", "wasm32-wasip2"] {
        let tree = tree(target);
        assert!(tree.contains("housekey-core") && tree.contains("serde_json"), "{tree:?}");
        for forbidden in FORBIDDEN {
            assert!(!tree.contains(*forbidden), "core depends on {forbidden} for {target}");
        }
    }
}

/// The bytes of an artefact or, where nobody needs it, none. In CI it must be there.
fn bytes(path: anyhow::Result<PathBuf>) -> Option<Vec<u8>> {
    match path {
        Ok(path) => Some(fs::read(path).unwrap()),
        Err(error) if harness::is_ci() => panic!("{error:?}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

#[test]
fn the_component_imports_standard_interfaces_only() {
    let Some(bytes) = bytes(artifact::component()) else { return };
    let names = interfaces(&bytes);
    assert!(names.iter().any(|name| name.starts_with("wasi:http/")), "{names:?}");
    for name in &names {
        assert!(name.starts_with("wasi:"), "the component names {name}");
    }
}

#[test]
fn the_component_for_spin_adds_its_variables_and_nothing_else() {
    let Some(bytes) = bytes(artifact::spin_component()) else { return };
    let names = interfaces(&bytes);
    let others: Vec<_> = names.iter().filter(|name| !name.starts_with("wasi:")).collect();
    assert_eq!(others, ["fermyon:spin/variables@2.0.0"]);
}

#[test]
fn the_component_for_this_host_has_no_way_out_but_the_hosts_connections() {
    let Some(bytes) = bytes(artifact::hosted_component()) else { return };
    let names = interfaces(&bytes);
    let others: Vec<_> = names.iter().filter(|name| !name.starts_with("wasi:")).collect();
    assert_eq!(others, ["housekey:clickhouse/native@0.1.0"]);
    for name in &names {
        for way_out in ["wasi:http/outgoing-handler", "wasi:sockets/", "wasi:filesystem/"] {
            assert!(!name.starts_with(way_out), "the component names {name}");
        }
    }
}

#[test]
fn the_component_is_small() {
    let Some(bytes) = bytes(artifact::component()) else { return };
    let size = u64::try_from(bytes.len()).unwrap();
    assert!(size < LARGEST_COMPONENT, "{size} bytes, and {LARGEST_COMPONENT} are allowed");
    println!("the component has {size} bytes");
}

/// The names of versioned interfaces among the imports and exports of the outermost component.
///
/// Sections 10 and 11 of a component are its imports and exports (Component Model, binary format), and their names
/// are plain text: `wasi:http/types@0.2.3`. The names inside of core modules and nested components are not outermost.
fn interfaces(bytes: &[u8]) -> BTreeSet<String> {
    const PREAMBLE: usize = 8;
    let mut names = BTreeSet::new();
    let mut rest = bytes.get(PREAMBLE..).unwrap();
    while let Some((&section, after)) = rest.split_first() {
        let (length, after) = leb128(after);
        let (content, next) = after.split_at(length);
        if matches!(section, 10 | 11) {
            names.extend(interface_names(content));
        }
        rest = next;
    }
    names
}

fn interface_names(content: &[u8]) -> impl Iterator<Item = String> {
    let is_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'/' | b'@' | b'.' | b'-');
    let words =
        content.split(move |byte| !is_name(byte)).map(|word| String::from_utf8_lossy(word).into_owned());
    words.filter(|word| word.contains(':') && word.contains('/')).collect::<Vec<_>>().into_iter()
}

fn leb128(mut bytes: &[u8]) -> (usize, &[u8]) {
    let (mut value, mut shift) = (0, 0);
    while let Some((&byte, rest)) = bytes.split_first() {
        value |= usize::from(byte & 0x7f) << shift;
        (shift, bytes) = (shift + 7, rest);
        if byte & 0x80 == 0 {
            break;
        }
    }
    (value, bytes)
}
