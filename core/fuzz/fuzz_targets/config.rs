//! Arbitrary documents, variables and flags.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| housekey_core::config::fuzzing::check(input));
