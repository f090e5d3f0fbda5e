//! Arbitrary texts to open and to seal.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| housekey_core::jose::fuzzing::check_sealed(input));
