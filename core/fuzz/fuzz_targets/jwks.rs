//! Arbitrary sets of keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| housekey_core::jose::fuzzing::check_jwks(input));
