//! Replays the fuzzers' committed corpus on the stable toolchain: each file goes through the check that the fuzz
//! target of the same name runs.

#![allow(clippy::panic, reason = "an unknown folder fails the test")]

use std::fs;
use std::path::Path;

use housekey_core::{clickhouse, config, exchange, jose, oauth, sql, tool};

/// The check of a fuzz target, by the name of its corpus folder.
fn check(target: &str, data: &[u8]) {
    match target {
        "clickhouse_http" => clickhouse::fuzzing::check_http(data),
        "clickhouse_row" => clickhouse::fuzzing::check_row(data),
        "config" => text(data, config::fuzzing::check),
        "exchange" => exchange::fuzzing::check(data),
        "exchange_model" => {
            exchange::fuzzing::model::check(data);
        }
        "jwe" => text(data, jose::fuzzing::check),
        "jwks" => jose::fuzzing::check_jwks(data),
        "jwt" => text(data, jose::fuzzing::check_jwt),
        "native_frames" => clickhouse::native::fuzzing::check_frames(data),
        "native_hello" => clickhouse::native::fuzzing::check_hello(data),
        "native_packets" => clickhouse::native::fuzzing::check_packets(data),
        "native_block" => clickhouse::native::block::check_block(data),
        "oauth_token" => text(data, oauth::token_fuzzing::check),
        "made_tools" => text(data, tool::catalogue::fuzzing::check),
        "oauth_door" => text(data, oauth::fuzzing::check),
        "sealed" => text(data, jose::fuzzing::check_sealed),
        "sql" => text(data, sql::fuzzing::check),
        unknown => panic!("the corpus folder {unknown} belongs to no fuzz target: name its check here"),
    }
}

/// A target over text ignores what is not UTF-8, as libFuzzer's own conversion does.
fn text(data: &[u8], check: fn(&str)) {
    if let Ok(text) = str::from_utf8(data) {
        check(text);
    }
}

#[test]
fn every_seed_passes_the_check_of_its_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut targets = Vec::new();
    for folder in fs::read_dir(fuzz.join("corpus")).unwrap() {
        let folder = folder.unwrap().path();
        let target = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let mut seeds = 0;
        for seed in fs::read_dir(&folder).unwrap() {
            check(&target, &fs::read(seed.unwrap().path()).unwrap());
            seeds += 1;
        }
        assert!(seeds > 0, "{target} has no seeds");
        targets.push(format!("{target}.rs"));
    }
    let sources = fs::read_dir(fuzz.join("fuzz_targets")).unwrap();
    let mut sources: Vec<_> =
        sources.map(|source| source.unwrap().file_name().into_string().unwrap()).collect();
    targets.sort();
    sources.sort();
    assert_eq!(targets, sources, "every fuzz target has a corpus");
}
